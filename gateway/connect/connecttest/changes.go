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

// RunChanges runs the part of the suite that a sink with changes (connect.Follower) must
// pass. A driver calls it beside Run.
func RunChanges(t *testing.T, db Database) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Database)
	}{
		{"a page of changes counts once and in turn", testChangesOnce},
		{"changes of every kind of value", testChangesKinds},
		{"a page that fails changes nothing", testChangesWhole},
		{"a key of two columns", testChangesKeys},
		{"changes wait for a load", testChangesAndLoads},
		{"a killed application counts once", testChangesKilled},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, db) })
	}
}

// Follower opens a database to apply changes to, until the test ends.
func Follower(t testing.TB, url string) connect.Follower {
	t.Helper()
	f, ok := Sink(t, url).(connect.Follower)
	if !ok {
		t.Fatal("the sink applies no changes")
	}
	return f
}

func pairChanges(t testing.TB, number uint64, upserts, deletes []connect.Row) connect.Changes {
	c, _ := pairs()
	out := connect.Changes{Table: table("pair"), Columns: c, PrimaryKey: []string{"id"}, Subscription: "s/1", Number: number}
	if len(upserts) > 0 {
		out.Upserts = Page(t, upserts...)
	}
	if len(deletes) > 0 {
		out.Deletes = Page(t, deletes...)
	}
	return out
}

func apply(t testing.TB, f connect.Follower, c connect.Changes, want connect.Applied) {
	t.Helper()
	if got, err := f.Apply(t.Context(), c); err != nil || got != want {
		t.Fatalf("apply page %d: %+v, %v, want %+v", c.Number, got, err, want)
	}
}

func testChangesOnce(t *testing.T, db Database) {
	url := db.New(t)
	f, source := Follower(t, url), Source(t, url)
	_, sel := pairs()
	if got, err := f.Applied(t.Context(), "", "s/1"); err != nil || got != (connect.Applied{}) {
		t.Fatalf("Applied before any page: %+v, %v", got, err)
	}
	MustLoad(t, f, pairTarget("d/1", connect.Replace), R("integer 1", "text a"), R("integer 2", "text b"), R("integer 3", ""))
	one := pairChanges(t, 1, []connect.Row{R("integer 2", "text B"), R("integer 4", "text d")}, []connect.Row{R("integer 1")})
	two := pairChanges(t, 2, []connect.Row{R("integer 1", "text again"), R("integer 2", "")}, []connect.Row{R("integer 4"), R("integer 99")})
	after1 := []connect.Row{R("integer 2", "text B"), R("integer 3", ""), R("integer 4", "text d")}
	after2 := []connect.Row{R("integer 1", "text again"), R("integer 2", ""), R("integer 3", "")}
	if _, err := f.Apply(t.Context(), two); !errors.Is(err, connect.ErrOutOfTurn) {
		t.Errorf("page 2 before page 1: %v", err)
	}
	apply(t, f, one, connect.Applied{Number: 1})
	if diff := Diff(after1, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
	apply(t, f, one, connect.Applied{Number: 1, Repeated: true})
	apply(t, f, two, connect.Applied{Number: 2})
	apply(t, f, one, connect.Applied{Number: 2, Repeated: true}) // late, and replayed
	apply(t, f, two, connect.Applied{Number: 2, Repeated: true})
	if diff := Diff(after2, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
	if got, err := Follower(t, url).Applied(t.Context(), "", "s/1"); err != nil || got.Number != 2 {
		t.Errorf("Applied on a new connection: %+v, %v", got, err)
	}
	// Another subscription has numbers of its own.
	other := pairChanges(t, 1, []connect.Row{R("integer 5", "text e")}, nil)
	other.Subscription = "s/2"
	apply(t, f, other, connect.Applied{Number: 1})
	// An empty page only counts.
	apply(t, f, pairChanges(t, 3, nil, nil), connect.Applied{Number: 3})
	// The table of subscriptions is ours, not theirs.
	schema, err := source.Inspect(t.Context())
	if err != nil || len(schema.Tables) != 1 || schema.Tables[0].Name != "pair" {
		t.Errorf("Inspect shows %+v, %v", schema, err)
	}

	// At the same time: one applies, the others repeat.
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 4 {
		wg.Go(func() {
			a, err := f.Apply(t.Context(), pairChanges(t, 4, []connect.Row{R("integer 6", "text f")}, nil))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("concurrent page: %v", err)
			} else if !a.Repeated {
				fresh++
			}
		})
	}
	wg.Wait()
	if fresh != 1 {
		t.Errorf("%d of 4 applications of one page counted", fresh)
	}
}

func testChangesKinds(t *testing.T, db Database) {
	url := db.New(t)
	f, source := Follower(t, url), Source(t, url)
	columns := Columns("id text!", "i integer", "d decimal", "b boolean", "day date", "at timestamp", "zone instant", "raw bytes", "x float", "j json")
	row := R(`text 一'"\ 号`, "integer -9007199254740993", "decimal 12345678901234567890.0500", "boolean true", "date 2026-02-28",
		"timestamp 2026-03-09T08:00:00.123456", "instant 2026-03-09T08:00:00Z", "bytes \x00\xff\\", "float 0.1", `json {"a": 1}`)
	none := R("text leer", "", "", "", "", "", "", "", "", "")
	c := connect.Changes{Table: table("kinds"), Columns: columns, PrimaryKey: []string{"id"}, Subscription: "k", Number: 1, Upserts: Page(t, row, none)}
	apply(t, f, c, connect.Applied{Number: 1}) // and makes the table
	sel := connect.Selection{Table: table("kinds"), Columns: Names(columns)}
	if diff := Diff([]connect.Row{none, row}, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
	c = connect.Changes{Table: table("kinds"), Columns: columns, PrimaryKey: []string{"id"}, Subscription: "k", Number: 2, Deletes: Page(t, row[:1])}
	apply(t, f, c, connect.Applied{Number: 2})
	if diff := Diff([]connect.Row{none}, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
}

func testChangesWhole(t *testing.T, db Database) {
	url := db.New(t)
	f, source := Follower(t, url), Source(t, url)
	_, sel := pairs()
	there := pairTarget("d/1", connect.Replace)
	there.Columns[1].Nullable = false
	old := []connect.Row{R("integer 1", "text a"), R("integer 2", "text b")}
	MustLoad(t, f, there, old...)
	for name, c := range map[string]connect.Changes{
		"NULL that the table refuses": pairChanges(t, 1, []connect.Row{R("integer 3", "text c"), R("integer 4", "")}, []connect.Row{R("integer 1")}),
		"a key of another kind":       pairChanges(t, 1, nil, []connect.Row{R("text 1")}),
		"a row of another kind":       pairChanges(t, 1, []connect.Row{R("integer 3", "integer 3"), R("boolean true", "text c")}, []connect.Row{R("integer 1")}),
		"number 0":                    pairChanges(t, 0, nil, []connect.Row{R("integer 1")}),
	} {
		if got, err := f.Apply(t.Context(), c); err == nil {
			t.Errorf("%s was applied: %+v", name, got)
		}
		if diff := Diff(old, All(t, source, sel)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	differs := pairChanges(t, 1, nil, []connect.Row{R("integer 1")})
	differs.Columns = Columns("id integer!", "w text")
	if _, err := f.Apply(t.Context(), differs); !errors.Is(err, connect.ErrTargetDiffers) {
		t.Errorf("other columns: %v", err)
	}
	if got, err := f.Applied(t.Context(), "", "s/1"); err != nil || got.Number != 0 {
		t.Errorf("a failed page counts: %+v, %v", got, err)
	}
	apply(t, f, pairChanges(t, 1, nil, []connect.Row{R("integer 1")}), connect.Applied{Number: 1})
}

func testChangesKeys(t *testing.T, db Database) {
	url := db.New(t)
	f, source := Follower(t, url), Source(t, url)
	columns := Columns("b text!", "v text", "a integer!")
	change := func(number uint64, upserts, deletes *connect.Page) connect.Changes {
		return connect.Changes{Table: table("line"), Columns: columns, PrimaryKey: []string{"a", "b"}, Subscription: "s", Number: number, Upserts: upserts, Deletes: deletes}
	}
	apply(t, f, change(1, Page(t, R("text x", "text 1", "integer 1"), R("text y", "text 2", "integer 1"), R("text x", "text 3", "integer 2")), nil), connect.Applied{Number: 1})
	apply(t, f, change(2, Page(t, R("text x", "text 4", "integer 2")), Page(t, R("integer 1", "text x"), R("integer 2", "text y"))), connect.Applied{Number: 2})
	sel := connect.Selection{Table: table("line"), Columns: Names(columns)}
	if diff := Diff([]connect.Row{R("text y", "text 2", "integer 1"), R("text x", "text 4", "integer 2")}, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
}

func testChangesAndLoads(t *testing.T, db Database) {
	url := db.New(t)
	f, source := Follower(t, url), Source(t, url)
	_, sel := pairs()
	MustLoad(t, f, pairTarget("d/1", connect.Replace), R("integer 1", "text a"))
	l, err := f.Begin(t.Context(), pairTarget("d/2", connect.Replace))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Rollback()
	if err := l.Append(t.Context(), Page(t, R("integer 2", "text b"))); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := f.Apply(context.Background(), pairChanges(t, 1, []connect.Row{R("integer 3", "text c")}, nil))
		done <- err
	}()
	if _, err := l.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := Diff([]connect.Row{R("integer 2", "text b"), R("integer 3", "text c")}, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
}

// changesVar asks the test binary to apply pages of changes until it is killed.
const changesVar = "CONNECTTEST_CHANGES"

// applyForever applies page after page, each of which sets all rows to its number, and
// tells each after it.
func applyForever(url string) {
	ctx := context.Background()
	sink, err := connect.OpenSink(ctx, url)
	if err != nil {
		panic(err)
	}
	f := sink.(connect.Follower)
	c, _ := pairs()
	for n := uint64(1); ; n++ {
		var rows []connect.Row
		for i := range 200 {
			rows = append(rows, connect.Row{connect.IntegerValue(int64(i)), connect.TextValue(fmt.Sprint(n))})
		}
		page, err := connect.NewPage(2, rows)
		if err == nil {
			_, err = f.Apply(ctx, connect.Changes{Table: table("pair"), Columns: c, PrimaryKey: []string{"id"}, Subscription: "s/1", Number: n, Upserts: page})
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

func testChangesKilled(t *testing.T, db Database) {
	url := db.New(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), changesVar+"="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := uint64(0)
	for told < 3 {
		if _, err := fmt.Fscan(out, &told); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	f, source := Follower(t, url), Source(t, url)
	// The next page waits until the server has noticed the death; until then it is unknown
	// which of the two pages counts.
	at, err := f.Applied(t.Context(), "", "s/1")
	if err != nil || at.Number < told {
		t.Fatalf("the child was told %d, the database knows %+v, %v", told, at, err)
	}
	got, err := f.Apply(t.Context(), pairChanges(t, at.Number+1, []connect.Row{R("integer 1000", "text last")}, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, sel := pairs()
	rows := All(t, source, sel)
	if want := 201; !got.Repeated && len(rows) != want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for _, row := range rows[:200] {
		if row[1] != rows[0][1] {
			t.Fatalf("a page is there in part: %v and %v", row[1], rows[0][1])
		}
	}
}
