package connecttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"mulian/gateway/connect"
)

func pairs() ([]connect.Column, connect.Selection) {
	c := Columns("id integer!", "v text")
	return c, connect.Selection{Table: table("pair"), Columns: Names(c)}
}

func pairTarget(delivery string, mode connect.Mode) connect.Target {
	c, _ := pairs()
	return connect.Target{Table: table("pair"), Columns: c, PrimaryKey: []string{"id"}, Mode: mode, Delivery: delivery}
}

func testOnce(t *testing.T, db Database) {
	url := db.New(t)
	sink, source := db.sink(t, url), Source(t, url)
	_, sel := pairs()
	rows := []connect.Row{R("integer 1", "text a"), R("integer 2", "")}
	if _, found, err := sink.Loaded(t.Context(), "", "d/1"); found || err != nil {
		t.Fatalf("Loaded before any load: %v, %v", found, err)
	}
	first := MustLoad(t, sink, pairTarget("d/1", connect.Append), rows...)
	if first.Repeated || first.Rows != 2 || first.At.IsZero() {
		t.Errorf("first receipt %+v", first)
	}
	again := MustLoad(t, sink, pairTarget("d/1", connect.Append), rows...)
	if !again.Repeated {
		t.Error("the second load is not marked as repeated")
	}
	again.Repeated = false
	if again != first {
		t.Errorf("second receipt %+v, want the first's %+v", again, first)
	}
	if r := MustLoad(t, sink, pairTarget("d/1", connect.Replace)); !r.Repeated || r.Rows != 2 {
		t.Errorf("repeated without rows: %+v", r)
	}
	if _, err := Load(t.Context(), sink, pairTarget("d/1", connect.Append), rows[0]); !errors.Is(err, connect.ErrDeliveryDiffers) {
		t.Errorf("same delivery, other rows: %v", err)
	}
	if r, found, err := db.sink(t, url).Loaded(t.Context(), "", "d/1"); !found || err != nil || r != first {
		t.Errorf("Loaded on a new connection: %+v, %v, %v", r, found, err)
	}
	if diff := Diff(rows, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}

	// At the same time: one loads, the others repeat.
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 4 {
		wg.Go(func() {
			r, err := Load(t.Context(), sink, pairTarget("d/2", connect.Append), R("integer 3", "text c"))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("concurrent load: %v", err)
			} else if !r.Repeated {
				fresh++
			}
		})
	}
	wg.Wait()
	if got := All(t, source, sel); fresh != 1 || len(got) != 3 {
		t.Errorf("%d of 4 loads of one delivery counted, the table holds %d rows, want 1 and 3", fresh, len(got))
	}
}

func testModes(t *testing.T, db Database) {
	url := db.New(t)
	sink, source := db.sink(t, url), Source(t, url)
	_, sel := pairs()
	for i, tt := range []struct {
		mode       connect.Mode
		rows, want []connect.Row
		err        error
	}{
		{connect.Append, []connect.Row{R("integer 1", "text a"), R("integer 2", "text b")}, []connect.Row{R("integer 1", "text a"), R("integer 2", "text b")}, nil},
		{connect.Append, []connect.Row{R("integer 3", "text c"), R("integer 2", "text x")}, []connect.Row{R("integer 1", "text a"), R("integer 2", "text b")}, connect.ErrConflict},
		{connect.Merge, []connect.Row{R("integer 3", "text x"), R("integer 2", ""), R("integer 3", "text c")}, []connect.Row{R("integer 1", "text a"), R("integer 2", ""), R("integer 3", "text c")}, nil},
		{connect.Replace, []connect.Row{R("integer 9", "text z")}, []connect.Row{R("integer 9", "text z")}, nil},
		{connect.Replace, nil, nil, nil},
		{connect.Merge, []connect.Row{R("integer 1", "text a")}, []connect.Row{R("integer 1", "text a")}, nil},
	} {
		_, err := Load(t.Context(), sink, pairTarget(fmt.Sprint("m/", i), tt.mode), tt.rows...)
		if !errors.Is(err, tt.err) {
			t.Errorf("step %d: %v, want %v", i, err, tt.err)
		}
		if diff := Diff(tt.want, All(t, source, sel)); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
	}
}

func testRollback(t *testing.T, db Database) {
	url := db.New(t)
	sink, source := db.sink(t, url), Source(t, url)
	_, sel := pairs()
	for name, end := range map[string]func(l connect.Load, cancel func()){
		"rollback":     func(l connect.Load, _ func()) { l.Rollback(); l.Rollback() },
		"lost context": func(l connect.Load, cancel func()) { cancel(); l.Rollback() },
		"bad row": func(l connect.Load, _ func()) {
			if l.Append(context.Background(), Page(t, R("text a", ""))) == nil {
				t.Error("a bad row was taken")
			}
			l.Rollback()
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		l, err := sink.Begin(ctx, pairTarget("r/1", connect.Replace))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := l.Append(ctx, Page(t, R("integer 1", "text a"))); err != nil {
			t.Fatal(err)
		}
		end(l, cancel)
		cancel()
		if _, err := l.Commit(t.Context()); err == nil {
			t.Errorf("%s: commit after the end", name)
		}
		if schema, err := source.Inspect(t.Context()); err != nil || len(schema.Tables) != 0 {
			t.Errorf("%s left %v, %v", name, schema, err)
		}
		if _, found, err := sink.Loaded(t.Context(), "", "r/1"); found || err != nil {
			t.Errorf("%s: Loaded = %v, %v", name, found, err)
		}
	}
	// Readers see the old rows until the commit, and are not held up.
	MustLoad(t, sink, pairTarget("r/2", connect.Append), R("integer 1", "text old"))
	l, err := sink.Begin(t.Context(), pairTarget("r/3", connect.Replace))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), Page(t, R("integer 2", "text new"))); err != nil {
		t.Fatal(err)
	}
	if diff := Diff([]connect.Row{R("integer 1", "text old")}, All(t, source, sel)); diff != "" {
		t.Errorf("during a load: %s", diff)
	}
	if _, err := l.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := Diff([]connect.Row{R("integer 2", "text new")}, All(t, source, sel)); diff != "" {
		t.Errorf("after it: %s", diff)
	}
}

// crashVar asks the test binary to die in the middle of a load into this URL.
const crashVar = "CONNECTTEST_CRASH"

// Main is what a driver's TestMain calls: for a child of testCrash it loads half a
// delivery and kills itself, otherwise it runs the tests.
func Main(m *testing.M) {
	if url := os.Getenv(changesVar); url != "" {
		applyForever(url)
	}
	url := os.Getenv(crashVar)
	if url == "" {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	sink, err := connect.OpenSink(ctx, url)
	if err != nil {
		panic(err)
	}
	l, err := sink.Begin(ctx, pairTarget("crash", connect.Replace))
	if err != nil {
		panic(err)
	}
	for i := range 50 {
		var rows []connect.Row
		for j := range 1000 {
			rows = append(rows, connect.Row{connect.IntegerValue(int64(1000*i + j)), connect.TextValue("new")})
		}
		page, err := connect.NewPage(2, rows)
		if err == nil {
			err = l.Append(ctx, page)
		}
		if err != nil {
			panic(err)
		}
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}

func testCrash(t *testing.T, db Database) {
	url := db.New(t)
	sink, source := db.sink(t, url), Source(t, url)
	_, sel := pairs()
	old := []connect.Row{R("integer 1", "text old")}
	MustLoad(t, sink, pairTarget("before", connect.Append), old...)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashVar+"="+url)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child should have been killed: %v\n%s", err, out)
	}
	if diff := Diff(old, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
	if _, found, err := sink.Loaded(t.Context(), "", "crash"); found || err != nil {
		t.Errorf("Loaded = %v, %v", found, err)
	}
	if r := MustLoad(t, sink, pairTarget("crash", connect.Replace), R("integer 2", "text new")); r.Repeated || r.Rows != 1 {
		t.Errorf("the load after the crash: %+v", r)
	}
}

func testTarget(t *testing.T, db Database) {
	url := db.New(t)
	sink := db.sink(t, url)
	c, _ := pairs()
	c[1].Nullable = false
	there := pairTarget("t/1", connect.Append)
	there.Columns = c
	MustLoad(t, sink, there)
	for name, change := range map[string]func(*connect.Target){
		"column that is not there": func(x *connect.Target) { x.Columns = Columns("id integer!", "w text") },
		"other kind":               func(x *connect.Target) { x.Columns = Columns("id integer!", "v bytes") },
		"column must have a value": func(x *connect.Target) { x.Columns = Columns("id integer!") },
		"other key":                func(x *connect.Target) { x.PrimaryKey = []string{"v"} },
	} {
		target := pairTarget("t/2", connect.Merge)
		change(&target)
		if l, err := sink.Begin(t.Context(), target); !errors.Is(err, connect.ErrTargetDiffers) {
			t.Errorf("%s: %v, want %v", name, err, connect.ErrTargetDiffers)
			if err == nil {
				l.Rollback()
			}
		}
	}
	for name, change := range map[string]func(*connect.Target){
		"no mode":         func(x *connect.Target) { x.Mode = 0 },
		"no delivery":     func(x *connect.Target) { x.Delivery = "" },
		"blank delivery":  func(x *connect.Target) { x.Delivery = "a b" },
		"long delivery":   func(x *connect.Target) { x.Delivery = string(make([]byte, connect.MaxDeliveryBytes+1)) },
		"no columns":      func(x *connect.Target) { x.Columns = nil },
		"column twice":    func(x *connect.Target) { x.Columns = append(x.Columns, x.Columns[0]) },
		"key not in it":   func(x *connect.Target) { x.PrimaryKey = []string{"w"} },
		"control table":   func(x *connect.Target) { x.Table.Name = connect.ControlTable },
		"merge, no key":   func(x *connect.Target) { x.PrimaryKey = nil },
		"name with a NUL": func(x *connect.Target) { x.Table.Name = "a\x00" },
	} {
		target := pairTarget("t/3", connect.Merge)
		change(&target)
		if _, err := sink.Begin(t.Context(), target); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %v, want %v", name, err, connect.ErrInvalid)
		}
	}
}
