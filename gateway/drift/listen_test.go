package drift

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/internal/pgtest"
)

// telling is an office whose database tells DDL events, when the test says so.
type telling struct {
	*office
	events chan connect.DDL
	refuse error // guarded by office.mu
}

func (o *telling) Followable(context.Context, []connect.TableName) error           { return nil }
func (o *telling) TableVersion(context.Context, connect.TableName) (string, error) { return "", nil }

func (o *telling) Follow(ctx context.Context, _ []connect.TableName, _ connect.Position, fn func(connect.Change) error) error {
	o.mu.Lock()
	refuse := o.refuse
	o.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	if err := fn(connect.Change{}); err != nil {
		return err
	}
	for {
		select {
		case d := <-o.events:
			if err := fn(connect.Change{DDL: &d}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (o *telling) Acknowledge(context.Context, connect.Position) error { return nil }

// TestEventsHurryTheLook: a change that the database tells is reported at once; a script of
// several is one; a storm does not hold the look up; what concerns others does not wake us.
func TestEventsHurryTheLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &telling{office: newOffice(t), events: make(chan connect.DDL)}
		defer o.close()
		c := &catalogue{start: time.Now()}
		schema, err := o.office.Inspect(t.Context())
		if err != nil || len(schema.Tables) != 1 {
			t.Fatal(schema, err)
		}
		firm := schema.Tables[0].TableName
		stop := run(t, Config{Source: o, Path: filepath.Join(t.TempDir(), "memory"), Report: c.report, Tables: []connect.TableName{firm}, Interval: time.Hour})
		time.Sleep(time.Minute)
		o.exec("ALTER TABLE firm ADD COLUMN phone text")
		o.events <- connect.DDL{Tag: "ALTER TABLE", Tables: []connect.TableName{firm}}
		time.Sleep(time.Minute)
		for i := range 10 { // a script: a statement each 100 ms
			o.exec(fmt.Sprintf("ALTER TABLE firm ADD COLUMN c%d text", i))
			o.events <- connect.DDL{}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		o.exec("ALTER TABLE firm ADD COLUMN unheard text")
		o.events <- connect.DDL{Tag: "ALTER TABLE", Tables: []connect.TableName{{Name: "another"}}}
		time.Sleep(time.Minute)
		stop()
		got := strings.Join(c.log, ", ")
		if want := "1m0.15s drifted/1, 2m0.45s drifted/1, 2m0.95s drifted/1"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
}

// TestWithoutEventsThePollingRemains, and the right to hear them is asked for again.
func TestWithoutEventsThePollingRemains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &telling{office: newOffice(t), events: make(chan connect.DDL), refuse: &connect.NoFeedError{Cause: "no trigger"}}
		defer o.close()
		c := &catalogue{start: time.Now()}
		stop := run(t, Config{Source: o, Path: filepath.Join(t.TempDir(), "memory"), Report: c.report})
		time.Sleep(time.Minute + time.Second) // not with a look, which would find the file locked
		o.exec("CREATE TABLE one (a text)")
		time.Sleep(time.Minute)
		o.mu.Lock()
		o.refuse = nil // granted
		o.mu.Unlock()
		time.Sleep(10*time.Minute + time.Millisecond)
		o.exec("CREATE TABLE two (a text)")
		o.events <- connect.DDL{}
		time.Sleep(time.Second)
		stop()
		if len(c.log) != 2 || !strings.HasPrefix(c.log[0], "1m6s ") || !strings.HasPrefix(c.log[1], "12m1.151s ") {
			t.Errorf("told %q", c.log)
		}
	})
}

// TestRealDatabasesHurryTheLook: an event trigger of a real server, and the schema version of
// a SQLite file; the poll alone would take an hour.
func TestRealDatabasesHurryTheLook(t *testing.T) {
	for _, kind := range []string{"postgres", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			var url string
			var exec func(sql string)
			if kind == "sqlite" {
				o := newOffice(t)
				t.Cleanup(o.close)
				url, exec = "sqlite:"+o.path, func(sql string) { o.exec(sql) }
			} else {
				url = pgtest.URL(t, "events")
				conn, err := pgconn.Connect(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close(context.Background()) })
				exec = func(sql string) {
					t.Helper()
					if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
						t.Fatal(err)
					}
				}
				exec("CREATE TABLE firm (code text PRIMARY KEY)")
			}
			source, err := connect.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			if keeper, ok := source.(connect.FeedKeeper); ok {
				statements, err := keeper.FeedSQL(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range statements {
					exec(s)
				}
			}
			told := make(chan Event, 10)
			path := filepath.Join(t.TempDir(), "memory")
			stop := run(t, Config{
				Source: source, Path: path, Interval: time.Hour,
				Report: func(_ context.Context, e Event) error { told <- e; return nil },
			})
			defer stop()
			wait(t, path) // the first look is the baseline
			exec("ALTER TABLE firm ADD COLUMN phone text")
			select {
			case e := <-told:
				if e.Kind != Drifted || len(e.Changes) != 1 || e.Changes[0].Kind != ColumnAdded {
					t.Errorf("told %+v", e)
				}
			case <-time.After(60 * time.Second):
				t.Fatal("nothing was told")
			}
		})
	}
}

// wait waits until a Watcher has looked once.
func wait(t *testing.T, path string) {
	t.Helper()
	for until := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var m memory
		if found, err := m.read(path); err == nil && found && m.Baseline != nil {
			return
		}
		if time.Now().After(until) {
			t.Fatal("no first look")
		}
	}
}

// TestCyclesAreReadAnew before each look at the watermarks; those that cannot be read, or are
// none, change nothing.
func TestCyclesAreReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		defer o.close()
		o.exec("INSERT INTO firm (code, at) VALUES ('a', '2000-01-01 08:00:00')")
		c := &catalogue{start: time.Now()}
		rule := FreshnessRule{Table: connect.TableName{Name: "firm"}, Watermark: "at", Cycle: time.Hour}
		asked := 0
		stop := run(t, Config{
			Source: o, Path: filepath.Join(t.TempDir(), "memory"), Report: c.report, Interval: time.Minute, FreshnessEvery: time.Hour,
			Rules: func(context.Context) ([]FreshnessRule, error) {
				asked++
				switch {
				case asked <= 3:
					return nil, nil // nothing is declared yet
				case asked == 4:
					return []FreshnessRule{rule}, nil
				case asked == 5:
					return nil, connect.ErrUnreachable
				case asked == 6:
					return []FreshnessRule{{Table: rule.Table}}, nil
				}
				rule.Cycle = 24 * time.Hour
				return []FreshnessRule{rule}, nil
			},
		})
		time.Sleep(7*time.Hour + 30*time.Minute)
		stop()
		if got, want := strings.Join(c.log, ", "), "3h0m0s stale/0, 6h0m0s fresh/0"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		if len(c.told) == 2 && c.told[0].Column != "at" {
			t.Errorf("of column %q", c.told[0].Column)
		}
	})
}
