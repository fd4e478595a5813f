package deliver

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"mulian/gateway/connect"
	_ "mulian/gateway/connect/sqlite"
	"mulian/internal/fault"
)

// looker is a sensor over a real SQLite table of so many rows, with a book of its own.
type looker struct {
	*sensor
	t    testing.TB
	path string // of the book
	db   *sql.DB
}

func newLooker(t testing.TB, rows int) *looker {
	t.Helper()
	file := filepath.Join(t.TempDir(), "source.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l := &looker{t: t, db: db, path: filepath.Join(t.TempDir(), "subscriptions.db")}
	l.do("CREATE TABLE firms (id INTEGER NOT NULL PRIMARY KEY, name TEXT, changed TIMESTAMP)")
	l.do(fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO firms SELECT i, 'firm ' || i, '2026-03-09 12:00:00' FROM n", rows))
	source, err := connect.Open(t.Context(), "sqlite:"+file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	x := &Subscriptions{Provider: &Provider{cfg: ProviderConfig{Logger: slog.New(slog.DiscardHandler)}}, stir: make(chan struct{}), sensors: map[string]*sensor{}}
	l.sensor = &sensor{subs: x, name: "plan", source: source, wake: make(chan struct{}, 1), sights: map[int64]sight{}}
	x.sensors["plan"] = l.sensor
	l.restart()
	return l
}

// restart is what a new start of the gateway knows: the book alone.
func (l *looker) restart() {
	l.t.Helper()
	if l.subs.book != nil {
		if err := l.subs.book.close(); err != nil {
			l.t.Fatal(err)
		}
	}
	l.subs.book = testBook(l.t, l.path)
	l.marks, l.sights = nil, map[int64]sight{}
}

func (l *looker) do(statement string) {
	l.t.Helper()
	if _, err := l.db.Exec(statement); err != nil {
		l.t.Fatal(err)
	}
}

func (l *looker) subscribe(s *subscription) {
	l.t.Helper()
	s.Agreement, s.Entry, s.Asker, s.Source, s.Table, s.Columns = "a", "e"+s.ID, "x/g/main", "plan", connect.TableName{Name: "firms"}, []byte{1}
	if err := l.subs.book.add(l.t.Context(), s); err != nil {
		l.t.Fatal(err)
	}
}

// TestCompareInSteps: a table that takes many steps is read on where it was, over restarts too;
// the sum does not depend on the steps. A change anywhere is found.
func TestCompareInSteps(t *testing.T) {
	const rows = 5_500 // in batches of 1,000: a step of no time is one batch
	l := newLooker(t, rows)
	l.subscribe(&subscription{ID: "one", Sensing: sensingCompare, Reading: reading{Key: []string{"id"}, Columns: []string{"id", "name"}}})
	whole := func(restarts bool) (steps int) {
		t.Helper()
		for steps = 1; ; steps++ {
			if _, err := l.compare(t.Context(), found(t, l.subs.book, "one")); err != nil {
				t.Fatal(err)
			}
			c, err := l.subs.book.comparison(t.Context(), found(t, l.subs.book, "one").no)
			if err != nil {
				t.Fatal(err)
			}
			if c.rows == 0 {
				return steps
			}
			if c.rows != int64(min(steps*connect.BatchRows, rows)) {
				t.Fatalf("after %d steps %d rows are read", steps, c.rows)
			}
			if found(t, l.subs.book, "one").Ready && restarts {
				t.Fatal("it is ready before the whole was read")
			}
			if restarts {
				l.restart()
			}
		}
	}
	if n := whole(true); n < rows/connect.BatchRows {
		t.Fatalf("the whole took %d steps", n)
	}
	first := found(t, l.subs.book, "one")
	if !first.Ready || len(first.Digest) == 0 {
		t.Fatalf("after the first reading: %+v", first)
	}
	if s := l.subs.sightOf(first); s.code != fault.OK || s.ageMs() < 0 {
		t.Errorf("it is seen as %+v", s)
	}
	l.subs.step = time.Hour
	if n := whole(false); n != 1 || found(t, l.subs.book, "one").Again {
		t.Fatalf("nothing was changed: %d steps, %+v", n, found(t, l.subs.book, "one"))
	}
	l.subs.step = 0
	l.do("UPDATE firms SET name = 'other' WHERE id = 5499")
	whole(false)
	if !found(t, l.subs.book, "one").Again {
		t.Error("a change near the end was not found")
	}
}

// TestABlindSensorSaysSo: what fails is not "no change", and is said with its age.
func TestABlindSensorSaysSo(t *testing.T) {
	l := newLooker(t, 10)
	l.subscribe(&subscription{ID: "one", Sensing: sensingWatermark, Reading: reading{Key: []string{"id"}, Watermark: "changed"}})
	s := found(t, l.subs.book, "one")
	if seen := l.subs.sightOf(s); seen.code != fault.Busy || seen.ageMs() != -1 {
		t.Errorf("before the first look: %+v", seen)
	}
	look := func() {
		if _, err := l.lookAt(t.Context(), found(t, l.subs.book, "one")); err != nil {
			l.blind(s.no, err)
		}
	}
	look()
	if seen := l.subs.sightOf(s); seen.code != fault.OK || seen.ageMs() < 0 {
		t.Errorf("after it: %+v", seen)
	}
	was := l.subs.sightOf(s).at
	l.do("ALTER TABLE firms RENAME TO elsewhere")
	look()
	if seen := l.subs.sightOf(s); seen.code != fault.EntryDrifted || seen.at != was {
		t.Errorf("with the table gone: %+v, want it as of %s", seen, was)
	}
	l.do("ALTER TABLE elsewhere RENAME TO firms")
	look()
	if seen := l.subs.sightOf(s); seen.code != fault.OK || !seen.at.After(was) {
		t.Errorf("when it is back: %+v", seen)
	}
}

// TestWatermarkOfTheFuture: a row with a watermark far in the future does not hide those that
// change after it.
func TestWatermarkOfTheFuture(t *testing.T) {
	l := newLooker(t, 10)
	l.subscribe(&subscription{ID: "one", Sensing: sensingWatermark, Reading: reading{Key: []string{"id"}, Watermark: "changed"}})
	look := func(want int64) {
		t.Helper()
		if err := l.after(t.Context(), found(t, l.subs.book, "one")); err != nil {
			t.Fatal(err)
		}
		if s := found(t, l.subs.book, "one"); !s.Ready || s.Touched != want {
			t.Fatalf("%d keys wait, want %d (%+v)", s.Touched, want, s)
		}
	}
	look(0) // the beginning
	l.do("UPDATE firms SET changed = '9999-01-01 00:00:00' WHERE id = 3")
	look(10) // the first look after a beginning looks back: all rows are of the same moment
	now := time.Now().UTC().Add(lookAhead).Format(time.DateTime)
	l.do("DELETE FROM firms WHERE id > 3")
	l.do("INSERT INTO firms VALUES (77, 'now', '" + now + "')")
	look(11)
	l.do("UPDATE firms SET changed = '9999-01-02 00:00:00' WHERE id = 2")
	look(11) // touched again, not more
}

// TestGivenElsewhere: what an answer is that was overtaken by the next page does not take that
// page's place.
func TestGivenElsewhere(t *testing.T) {
	b := testBook(t, filepath.Join(t.TempDir(), "subscriptions.db"))
	firms(t, b, "one")
	b.touchAll(t, "one", 1, 2)
	if err := b.give(t.Context(), found(t, b, "one"), 1, 2); err != nil {
		t.Fatal(err)
	}
	late := found(t, b, "one") // a request that waits
	b.touchAll(t, "one", 3)
	next := found(t, b, "one")
	if err := b.given(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if err := b.give(t.Context(), next, 2, 3); err != nil {
		t.Fatal(err)
	}
	if err := b.given(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	number, keys, gap, err := b.peek(t.Context(), found(t, b, "one"), 1, 10)
	if number != 2 || len(keys) != 1 || gap || err != nil {
		t.Errorf("page %d with %d keys, gap %t, %v", number, len(keys), gap, err)
	}
}

// TestTouchAfterTheEnd: keys for a subscription that has ended meanwhile stay nowhere, and its
// number does not come again.
func TestTouchAfterTheEnd(t *testing.T) {
	b := testBook(t, filepath.Join(t.TempDir(), "subscriptions.db"))
	old := firms(t, b, "one")
	if err := b.end(t.Context(), "id = ?", "one"); err != nil {
		t.Fatal(err)
	}
	if fresh := firms(t, b, "two"); fresh.no == old.no {
		t.Error("a number was used twice")
	}
	if err := b.within(context.Background(), func(tx *sql.Tx) error { return b.touch(tx, old, keysFrom(1, 2), 1) }); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := b.db.QueryRow("SELECT count(*) FROM touched").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d keys are left, %v", left, err)
	}
}
