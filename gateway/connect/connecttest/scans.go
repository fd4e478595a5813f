package connecttest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"mulian/gateway/connect"
)

// loadMany loads rows 0 to n-1 of a table (id integer, v integer, pad text).
func loadMany(t testing.TB, db Database, url, name string, n, pad int) {
	t.Helper()
	target := connect.Target{Table: table(name), Columns: Columns("id integer!", "v integer", "pad text"), PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "many " + name}
	target.Delivery = strings.ReplaceAll(target.Delivery, " ", "-")
	l, err := db.sink(t, url).Begin(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Rollback()
	fill := connect.TextValue(strings.Repeat("f", pad))
	for from := 0; from < n; from += 1000 {
		var rows []connect.Row
		for i := from; i < min(n, from+1000); i++ {
			rows = append(rows, connect.Row{connect.IntegerValue(int64(i)), connect.IntegerValue(0), fill})
		}
		if err := l.Append(t.Context(), Page(t, rows...)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// testSnapshot commits an update of all rows between the batches of a scan.
func testSnapshot(t *testing.T, db Database) {
	url := db.New(t)
	const n = 20_000
	loadMany(t, db, url, "snap", n, 10)
	source := Source(t, url)
	sel := connect.Selection{Table: table("snap"), Columns: []string{"v"}}
	updates := 0
	versions := func(write bool) map[string]int {
		seen, batch := map[string]int{}, 0
		err := source.Scan(t.Context(), sel, func(b connect.Batch) error {
			if batch++; write && batch%8 == 1 {
				db.Exec(t, url, db.Update)
				updates++
			}
			for _, row := range b.Rows {
				seen[row[0].Text]++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	if seen := versions(true); len(seen) != 1 || seen["0"] != n {
		t.Errorf("a scan under %d updates saw versions %v, want %d rows of version 0", updates, seen, n)
	}
	if seen := versions(false); len(seen) != 1 || seen[fmt.Sprint(updates)] != n {
		t.Errorf("the next scan saw versions %v, want %d rows of version %d", seen, n, updates)
	}
}

var errEnough = errors.New("enough")

// testResume stops a scan after a batch, again and again, with a key of two
// columns that a server's locale would order in other ways than bytes do.
func testResume(t *testing.T, db Database) {
	url := db.New(t)
	columns := Columns("kind text!", "n integer!", "at timestamp")
	target := connect.Target{Table: table("resume"), Columns: columns, PrimaryKey: []string{"kind", "n"}, Mode: connect.Append, Delivery: "r"}
	var rows []connect.Row
	for _, kind := range []string{"", "A", "B", "a", "b", "é", "中", "北", "𠮷"} { // in the order of their bytes
		for n := range 700 {
			rows = append(rows, connect.Row{connect.TextValue(kind), connect.IntegerValue(int64(n)), V("timestamp 2024-01-02T03:04:05")})
		}
	}
	MustLoad(t, db.sink(t, url), target, rows...)
	source := Source(t, url)
	sel := connect.Selection{Table: table("resume"), Columns: []string{"n", "kind", "at"}}
	var got []connect.Row
	for calls := 0; ; calls++ {
		if calls > 20 {
			t.Fatal("the scan does not come to its end")
		}
		var last connect.Row
		err := source.Scan(t.Context(), sel, func(b connect.Batch) error {
			for _, row := range b.Rows {
				got = append(got, connect.Row{row[1], row[0], row[2]})
			}
			last = b.Last
			return errEnough
		})
		if err == nil {
			break
		}
		if err != errEnough {
			t.Fatalf("scan returned %v, not the error of its function", err)
		}
		sel.After = last
	}
	if diff := Diff(rows, got); diff != "" {
		t.Errorf("%d rows of %d; %.2000s", len(got), len(rows), diff)
	}
	sel.After = R("text A")
	if err := source.Scan(t.Context(), sel, nil); !errors.Is(err, connect.ErrNoKey) {
		t.Errorf("half a key: %v", err)
	}
	keyless := connect.Target{Table: table("keyless"), Columns: columns, Mode: connect.Append, Delivery: "k"}
	MustLoad(t, db.sink(t, url), keyless, rows[:3]...)
	sel = connect.Selection{Table: table("keyless"), Columns: []string{"n"}, After: R("integer 1")}
	if err := source.Scan(t.Context(), sel, nil); !errors.Is(err, connect.ErrNoKey) {
		t.Errorf("going on without a key: %v", err)
	}
	sel.OrderBy = []string{"n"}
	if diff := Diff([]connect.Row{R("integer 2")}, All(t, source, sel)); diff != "" {
		t.Errorf("going on by a named order: %s", diff)
	}
}

// testAbandon ends scans in all ways, more often than there are connections.
func testAbandon(t *testing.T, db Database) {
	url := db.New(t)
	loadMany(t, db, url, "snap", 20_000, 100)
	source := Source(t, url)
	sel := connect.Selection{Table: table("snap"), Columns: []string{"id", "pad"}}
	for range 6 {
		if err := source.Scan(t.Context(), sel, func(connect.Batch) error { return errEnough }); err != errEnough {
			t.Fatalf("scan returned %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		batches := 0
		err := source.Scan(ctx, sel, func(connect.Batch) error { batches++; cancel(); return nil })
		if !errors.Is(err, context.Canceled) || batches > 3 {
			t.Fatalf("cancelled scan: %v after %d batches", err, batches)
		}
	}
	sel.Limit = 1500
	if got := All(t, source, sel); len(got) != 1500 {
		t.Errorf("%d rows, want 1500", len(got))
	}
	db.Exec(t, url, db.Update) // no lock is left
}

// heapBound is the most heap that a copy of 100,000 rows of 1 KB (100 MB) may take:
// a few batches on both sides. Measured: 15 to 25 MB.
const heapBound = 64 << 20

func testMemory(t *testing.T, db Database) {
	if testing.Short() {
		t.Skip("short")
	}
	from, to := db.New(t), db.New(t)
	loadMany(t, db, from, "big", 100_000, 1000)
	source, sink := Source(t, from), db.sink(t, to)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	target := connect.Target{Table: table("big"), Columns: Columns("id integer!", "pad text"), PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "big"}
	l, err := sink.Begin(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Rollback()
	var most uint64
	batch := 0
	err = source.Scan(t.Context(), connect.Selection{Table: table("big"), Columns: []string{"id", "pad"}}, func(b connect.Batch) error {
		if batch++; batch%10 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse-min(now.HeapInuse, before.HeapInuse))
		}
		return l.Append(t.Context(), Page(t, b.Rows...))
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := l.Commit(t.Context()); err != nil || r.Rows != 100_000 {
		t.Fatalf("commit: %d rows, %v", r.Rows, err)
	}
	t.Logf("heap in use: at most %d MB more than before", most>>20)
	if most > heapBound {
		t.Errorf("heap grew by %d MB, bound %d MB", most>>20, heapBound>>20)
	}
}

func testFreshness(t *testing.T, db Database) {
	url := db.New(t)
	columns := Columns("id integer!", "day date", "at timestamp", "now instant", "n integer")
	target := connect.Target{Table: table("fresh"), Columns: columns, PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "f"}
	sink, source := db.sink(t, url), Source(t, url)
	MustLoad(t, sink, target)
	f, err := source.Freshness(t.Context(), table("fresh"), "at")
	if err != nil || f.Rows != 0 || !f.Watermark.IsNull() {
		t.Errorf("empty table: %+v, %v", f, err)
	}
	target.Delivery = "f2"
	MustLoad(t, sink, target,
		R("integer 1", "date 2024-01-09", "timestamp 2024-01-02T03:04:05", "instant 2024-01-02T03:04:05Z", "integer 9"),
		R("integer 2", "date 2024-01-10", "timestamp 2024-01-02T03:04:05.5", "instant 2024-01-02T03:04:05.5Z", "integer 10"),
		R("integer 3", "", "", "", ""))
	for column, want := range map[string]string{
		"": "", "day": "date 2024-01-10", "at": "timestamp 2024-01-02T03:04:05.5", "now": "instant 2024-01-02T03:04:05.5Z", "n": "integer 10",
	} {
		f, err := source.Freshness(t.Context(), table("fresh"), column)
		if err != nil || f.Rows != 3 || f.Estimated || f.Watermark != V(want) {
			t.Errorf("by %q: %+v (%s), %v", column, f, f.Watermark.Text, err)
		}
	}
	if _, err := source.Freshness(t.Context(), table("fresh"), "没有"); !errors.Is(err, connect.ErrNoColumn) {
		t.Errorf("unknown watermark: %v", err)
	}
	if _, err := source.Freshness(t.Context(), table("没有"), ""); !errors.Is(err, connect.ErrNoTable) {
		t.Errorf("unknown table: %v", err)
	}
}
