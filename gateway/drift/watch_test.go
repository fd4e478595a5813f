package drift

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mulian/gateway/connect"
	_ "mulian/gateway/connect/files"
	_ "mulian/gateway/connect/postgres"
	_ "mulian/gateway/connect/sqlite"
	"mulian/internal/pgtest"
)

// office is a department's real SQLite file, whose connection a test can cut.
type office struct {
	t  *testing.T
	db *sql.DB
	connect.Source
	path string

	mu  sync.Mutex
	cut error // what Inspect and Freshness answer instead
}

func newOffice(t *testing.T) *office {
	path := filepath.Join(t.TempDir(), "office.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, db: db, path: path}
	o.exec("PRAGMA journal_mode(WAL)", "CREATE TABLE firm (code varchar(18) NOT NULL PRIMARY KEY, name varchar(50), at timestamp)")
	if o.Source, err = connect.Open(t.Context(), "sqlite:"+path); err != nil {
		t.Fatal(err)
	}
	return o
}

// close must come before the end of a synctest bubble: database/sql has a goroutine.
func (o *office) close() {
	o.Source.Close()
	o.db.Close()
}

func (o *office) exec(statements ...string) {
	o.t.Helper()
	for _, s := range statements {
		if _, err := o.db.Exec(s); err != nil {
			o.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (o *office) sever(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cut = err
}

func (o *office) Inspect(ctx context.Context) (*connect.Schema, error) {
	o.mu.Lock()
	cut := o.cut
	o.mu.Unlock()
	if cut != nil {
		return nil, cut
	}
	return o.Source.Inspect(ctx)
}

// catalogue is the far side of Report.
type catalogue struct {
	mu     sync.Mutex
	start  time.Time
	refuse error
	told   []Event
	log    []string // "at kind/class"
}

func (c *catalogue) report(_ context.Context, e Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return c.refuse
	}
	c.told = append(c.told, e)
	c.log = append(c.log, fmt.Sprintf("%s %s/%d", time.Since(c.start), e.Kind, e.Class))
	return nil
}

func (c *catalogue) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = err
}

// run starts a Watcher and returns what ends it.
func run(t *testing.T, cfg Config) (stop func()) {
	t.Helper()
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// TestAWeekOfTheWatch is the story of the package comment, in faked time.
func TestAWeekOfTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		c := &catalogue{start: time.Now()}
		cfg := Config{Source: o, Path: filepath.Join(t.TempDir(), "memory"), Report: c.report}
		stop := run(t, cfg)
		want := []string{}
		check := func(step string, more ...string) {
			t.Helper()
			synctest.Wait()
			want = append(want, more...)
			c.mu.Lock()
			defer c.mu.Unlock()
			if !slices.Equal(want, c.log) {
				t.Fatalf("%s: told %q, want %q", step, c.log, want)
			}
		}
		time.Sleep(time.Minute)
		check("nothing happens")

		o.exec("ALTER TABLE firm ADD COLUMN phone text")
		time.Sleep(10 * time.Second)
		check("a column came, seen at 65 s, sure at 66 s", "1m6s drifted/1")

		o.exec("DROP TABLE firm")
		time.Sleep(1500 * time.Millisecond) // looks are at 66, 71, 72, 77 s
		o.exec("CREATE TABLE firm (code varchar(18) NOT NULL PRIMARY KEY, name varchar(50), at timestamp, phone text)")
		time.Sleep(20 * time.Second)
		check("a table was gone at one look only")

		o.sever(fmt.Errorf("%w: dial tcp 10.1.2.3:5432", connect.ErrUnreachable))
		time.Sleep(time.Minute)
		check("no answer: once, and no drift", "1m33s unreachable/0")
		if reason := c.told[1].Reason; reason != "database unreachable" {
			t.Errorf("told the reason %q, which should name no address", reason)
		}
		o.exec("ALTER TABLE firm RENAME COLUMN name TO title")
		o.sever(nil)
		time.Sleep(10 * time.Second)
		check("it answers, and has changed meanwhile", "2m33s reachable/0", "2m34s drifted/3")

		c.set(errors.New("the chain is slow"))
		o.exec("DROP TABLE firm")
		time.Sleep(time.Hour)
		check("a report that is refused")
		stop()
		o.exec("CREATE TABLE other (a text)")
		stop = run(t, cfg) // the gateway restarts
		time.Sleep(time.Hour)
		check("still refused, the watch goes on")
		c.set(nil)
		time.Sleep(time.Minute)
		c.mu.Lock()
		last := c.told[len(c.told)-2:]
		c.mu.Unlock()
		if a, b := last[0], last[1]; a.Changes[0].Kind != TableDropped || b.Changes[0].Kind != TableAdded || a.Is != b.Was || a.ID == b.ID || len(a.ID) != 32 {
			t.Errorf("after the restart both were told, in order: %+v, %+v", a, b)
		}
		if n := len(c.told); n != 6 {
			t.Errorf("%d events in all, want 6", n)
		}
		stop()
	})
}

// TestSlowReportDoesNotBlindTheWatch: it hangs, and the next change is seen all the same.
func TestSlowReportDoesNotBlindTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		path := filepath.Join(t.TempDir(), "memory")
		offered := 0
		stop := run(t, Config{Source: o, Path: path, Report: func(ctx context.Context, _ Event) error {
			offered++
			<-ctx.Done()
			return ctx.Err()
		}})
		for i := range 3 {
			time.Sleep(time.Minute)
			o.exec(fmt.Sprintf("CREATE TABLE t%d (a text)", i))
		}
		time.Sleep(time.Minute)
		stop()
		var m memory
		if found, err := m.read(path); err != nil || !found || len(m.Pending) != 3 || offered != 1 {
			t.Errorf("memory: %v, %v; %d events wait, %d offered, want 3 and 1", found, err, len(m.Pending), offered)
		}
	})
}

// TestPowerFailureAfterAcceptance: the note of it was not written; the event comes again with its ID.
func TestPowerFailureAfterAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		c := &catalogue{start: time.Now(), refuse: errors.New("not yet")}
		path := filepath.Join(t.TempDir(), "memory")
		cfg := Config{Source: o, Path: path, Report: c.report}
		stop := run(t, cfg)
		time.Sleep(time.Minute)
		o.exec("CREATE TABLE t (a text)")
		time.Sleep(time.Minute)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c.set(nil)
		time.Sleep(2 * time.Minute)
		stop()
		if err := os.WriteFile(path, before, 0o600); err != nil { // as the disk was when power failed
			t.Fatal(err)
		}
		stop = run(t, cfg)
		time.Sleep(time.Minute)
		stop()
		stop = run(t, cfg)
		time.Sleep(time.Minute)
		stop()
		if len(c.told) != 2 || c.told[0].ID != c.told[1].ID {
			t.Errorf("told %q; want one event, twice", c.log)
		}
	})
}

// TestPinnedStructure: what changed while no gateway ran is told at the first look.
func TestPinnedStructure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		pinned, err := o.Source.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o.exec("ALTER TABLE firm DROP COLUMN name", "CREATE TABLE not_catalogued (a text)")
		c := &catalogue{start: time.Now()}
		stop := run(t, Config{Source: o, Path: filepath.Join(t.TempDir(), "memory"), Report: c.report, Pinned: pinned, Tables: []connect.TableName{{Name: "firm"}}})
		time.Sleep(time.Minute)
		stop()
		if len(c.told) != 1 || len(c.told[0].Changes) != 1 || !slices.Equal(c.told[0].Changes[0].Columns, []string{"name"}) || c.told[0].Was != pinned.Hash() {
			t.Errorf("told %+v", c.told)
		}
	})
}

func TestStaleAndFreshAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		// The bubble's clock begins at midnight UTC of 2000-01-01, which is 08:00 in Beijing.
		o.exec("INSERT INTO firm (code, at) VALUES ('a', '2000-01-01 08:00:00')")
		c := &catalogue{start: time.Now()}
		rule := FreshnessRule{Table: connect.TableName{Name: "firm"}, Watermark: "at", Cycle: 24 * time.Hour}
		cfg := Config{Source: o, Path: filepath.Join(t.TempDir(), "memory"), Report: c.report, Freshness: []FreshnessRule{rule}, Interval: time.Minute, FreshnessEvery: time.Hour}
		stop := run(t, cfg)
		time.Sleep(72 * time.Hour)
		stop()
		stop = run(t, cfg)           // a restart does not tell it again
		time.Sleep(30 * time.Minute) // between two looks: what happens at the moment of one may or may not be seen by it
		o.exec("INSERT INTO firm (code, at) VALUES ('b', '2000-01-04 09:30:00')")
		time.Sleep(3 * time.Hour)
		o.exec("INSERT INTO firm (code, at) VALUES ('c', 'unknown')")
		time.Sleep(3 * time.Hour)
		stop()
		if got, want := strings.Join(c.log, ", "), "37h0m0s stale/0, 73h0m0s fresh/0, 76h0m0s stale/0"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
}

// TestFullMemoryLosesNothing: at the bound changes run together.
func TestFullMemoryLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		path := filepath.Join(t.TempDir(), "memory")
		baseline, err := o.Source.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		full := memory{Baseline: baseline, Pending: make([]Event, maxPending)}
		for i := range full.Pending {
			full.Pending[i] = Event{ID: fmt.Sprint(i), Kind: Fresh}
		}
		if err := full.write(path); err != nil {
			t.Fatal(err)
		}
		c := &catalogue{start: time.Now(), refuse: errors.New("not now")}
		stop := run(t, Config{Source: o, Path: path, Report: c.report})
		o.exec("CREATE TABLE one (a text)")
		time.Sleep(time.Minute)
		o.exec("CREATE TABLE two (a text)")
		time.Sleep(time.Minute)
		c.set(nil)
		time.Sleep(5 * time.Minute)
		stop()
		if n := len(c.told); n != maxPending+1 || len(c.told[n-1].Changes) != 2 {
			t.Errorf("%d events, the last %+v", n, c.told[n-1])
		}
	})
}

func TestMemoryThatCannotBeReadIsNotReplaced(t *testing.T) {
	report := func(context.Context, Event) error { return nil }
	o := newOffice(t)
	defer o.close()
	for name, text := range map[string]string{
		"torn": `{"version":1,"baseli`, "from a newer program": `{"version":2}`, "unknown field": `{"version":1,"x":1}`,
		"table twice": `{"version":1,"baseline":{"tables":[{"name":"a","columns":null},{"name":"a","columns":null}]}}`,
	} {
		path := filepath.Join(t.TempDir(), "memory")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Config{Source: o, Path: path, Report: report}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, cfg := range map[string]Config{
		"no source": {Path: "x", Report: report}, "no report": {Source: o, Path: "x"}, "no path": {Source: o, Report: report},
		"rule without cycle": {Source: o, Path: "x", Report: report, Freshness: []FreshnessRule{{Watermark: "a"}}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	path := filepath.Join(t.TempDir(), "gone", "memory")
	w, err := New(Config{Source: o, Path: path, Report: report})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Run without a place to remember: %v", err)
	}
}

// TestServerRestartIsNotDrift, with a real server and real time.
func TestServerRestartIsNotDrift(t *testing.T) {
	server := pgtest.Durable(t)
	url := server.Database(t, "drift")
	sink, err := connect.OpenSink(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	load := func(name string) {
		t.Helper()
		target := connect.Target{Table: connect.TableName{Name: name}, Columns: []connect.Column{{Name: "a", Kind: connect.Text}}, Mode: connect.Append, Delivery: name}
		l, err := sink.Begin(t.Context(), target)
		if errors.Is(err, connect.ErrUnreachable) { // a connection of before the restart, which a fetch would try again
			l, err = sink.Begin(t.Context(), target)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	load("first")
	source, err := connect.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	pinned, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan Event, 10)
	stop := run(t, Config{
		Source: source, Pinned: pinned, Path: filepath.Join(t.TempDir(), "memory"), Interval: 20 * time.Millisecond, Confirm: 20 * time.Millisecond,
		Report: func(_ context.Context, e Event) error { told <- e; return nil },
	})
	defer stop()
	next := func(want EventKind) Event {
		t.Helper()
		select {
		case e := <-told:
			if e.Kind != want {
				t.Fatalf("told %s (%s), want %s", e.Kind, e.Reason, want)
			}
			return e
		case <-time.After(30 * time.Second):
			t.Fatalf("nothing was told, want %s", want)
		}
		return Event{}
	}
	load("second")
	next(Drifted)
	server.Kill(t)
	next(Unreachable)
	server.Start(t)
	next(Reachable)
	load("third")
	if e := next(Drifted); len(e.Changes) != 1 || e.Changes[0].Kind != TableAdded {
		t.Errorf("after the restart: %+v", e)
	}
}

// TestAFileThatCannotBeReadIsNoDrift: what was known of it stays, and the other files of the
// folder are watched on.
func TestAFileThatCannotBeReadIsNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("firm.csv", "code,name\n1,a\n")
		put("permit.csv", "no\n1\n")
		source, err := connect.Open(t.Context(), "files:"+dir)
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		c := &catalogue{start: time.Now()}
		stop := run(t, Config{Source: source, Path: filepath.Join(t.TempDir(), "memory"), Report: c.report})
		changed := func() (out []string) {
			time.Sleep(time.Minute + time.Second) // between two looks: one during the writing finds half a file
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, e := range c.told {
				for _, x := range e.Changes {
					out = append(out, x.Kind.String()+" "+x.Table.Name)
				}
			}
			c.told = nil
			return out
		}
		if got := changed(); len(got) != 0 {
			t.Errorf("at first: %q", got)
		}
		for _, step := range []struct {
			name, file, text string
			want             int
		}{
			{"the same", "permit.csv", "no\n1\n2\n", 0},
			{"an old workbook", "firm.csv", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0},
			{"meanwhile another", "permit.csv", "no,place\n1,x\n", 1},
			{"readable again, and another", "firm.csv", "code\n1\n", 1},
		} {
			put(step.file, step.text)
			if got := changed(); len(got) != step.want {
				t.Errorf("%s: %q", step.name, got)
			}
		}
		stop()
	})
}
