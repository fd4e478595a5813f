// Package connecttest is the one suite that every database driver of
// gateway/connect must pass, on a real database.
//
// It is no product code. A driver's own test makes a Database and calls Run; what a
// driver alone does (rights, a server that dies) stays in its own tests.
//
//	Database{New, Exec, words of its SQL} ──> Run ──> one subtest for each promise in connect.go
//
// Invariants: rows are made by a seed; expected values are written down here and
// not computed by the code under test; no test sleeps.
package connecttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mulian/gateway/connect"
)

// A Database is a kind of database under test.
type Database struct {
	// New makes an empty database and returns its URL.
	New func(t testing.TB) string
	// Exec runs statements as the database's owner, each committed on its own.
	Exec func(t testing.TB, url string, statements ...string)
	// Native is a table "native" of the database's own types, with rows and what
	// must be read of them.
	Native Native
	// DDL are the statements of TestDrift by the name of the change. A missing
	// one is a change that the database does not know.
	DDL map[string][]string
	// Update sets the column v of all rows of the table "snap" to one more.
	Update string
	// Insert adds the firm 91110108A to the table "firm". Empty: a statement of SQL does.
	Insert string
	// NoViews: this kind has tables only. The set up makes no "firm_view".
	NoViews bool
	// Fill is the URL of what this kind reads from, where the kind itself cannot be
	// loaded; its promises as a sink are then another kind's. Nil: it is loaded itself.
	Fill func(url string) string
	// Lacks tells values that this kind of database has no room for, such as infinite days.
	// They must be refused by column and row, and never be changed. Nil: it lacks none.
	Lacks func(connect.Value) bool
	// Widest is how many text columns its widest table has; 0: connect.MaxColumns. More
	// must be refused with ErrTooLarge.
	Widest int
}

// holds gives rows without the values that the database has no room for, and these by
// their row and column.
func (db Database) holds(rows []connect.Row) (held []connect.Row, lacked map[[2]int]connect.Value) {
	lacked = map[[2]int]connect.Value{}
	for i, row := range rows {
		row = slices.Clone(row)
		for j, v := range row {
			if db.Lacks != nil && !v.IsNull() && db.Lacks(v) {
				lacked[[2]int{i, j}], row[j] = v, connect.Null
			}
		}
		held = append(held, row)
	}
	return held, lacked
}

// sink opens what the rows of the tests are loaded into.
func (db Database) sink(t testing.TB, url string) connect.Sink {
	t.Helper()
	if db.Fill != nil {
		url = db.Fill(url)
	}
	return Sink(t, url)
}

// Native is a table of a database's own types.
type Native struct {
	Create  []string
	Columns []string
	Kinds   []connect.Kind
	Rows    []connect.Row // in the order of the first column
}

// Run runs the suite.
func Run(t *testing.T, db Database) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Database)
		sink bool // a promise of sinks alone
	}{
		{"every kind comes back as it was", testRoundTrip, false},
		{"the database's own types are read exactly", testNative, false},
		{"what cannot be carried names column and row", testValueErrors, true},
		{"names of any letters, wide tables, no rows", testShapes, false},
		{"a query reads by key and nothing else", testQuery, false},
		{"a scan sees one state", testSnapshot, false},
		{"an interrupted scan goes on", testResume, false},
		{"an ended scan leaves nothing behind", testAbandon, false},
		{"memory does not grow with the table", testMemory, false},
		{"a delivery counts once", testOnce, true},
		{"replace, append and merge", testModes, true},
		{"a rolled back load leaves nothing", testRollback, true},
		{"a killed load leaves nothing", testCrash, true},
		{"a target that differs is refused", testTarget, true},
		{"the document is stable", testInspect, false},
		{"each change of structure has its class", testDrift, false},
		{"freshness", testFreshness, false},
		{"errors hold no values", testErrors, false},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			if tt.sink && db.Fill != nil {
				t.Skip("nothing is loaded into this kind")
			}
			tt.test(t, db)
		})
	}
}

// Source opens a database to read, until the test ends.
func Source(t testing.TB, url string) connect.Source {
	t.Helper()
	s, err := connect.Open(t.Context(), url)
	if err != nil {
		t.Fatalf("open source: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Sink opens a database to load, until the test ends.
func Sink(t testing.TB, url string) connect.Sink {
	t.Helper()
	s, err := connect.OpenSink(t.Context(), url)
	if err != nil {
		t.Fatalf("open sink: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Columns makes nullable columns from "name kind" pairs; "name kind!" is not null.
func Columns(pairs ...string) []connect.Column {
	var out []connect.Column
	for i, p := range pairs {
		name, kind, _ := strings.Cut(p, " ")
		c := connect.Column{Name: name, Nullable: !strings.HasSuffix(kind, "!"), Position: i + 1}
		if err := c.Kind.UnmarshalText([]byte(strings.TrimSuffix(kind, "!"))); err != nil {
			panic(err)
		}
		out = append(out, c)
	}
	return out
}

// Names are the columns' names.
func Names(columns []connect.Column) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.Name)
	}
	return out
}

// Page is rows of the same number of columns, as a delivery's page.
func Page(t testing.TB, rows ...connect.Row) *connect.Page {
	t.Helper()
	p, err := connect.NewPage(len(rows[0]), rows)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Load loads rows as one delivery.
func Load(ctx context.Context, s connect.Sink, target connect.Target, rows ...connect.Row) (connect.Receipt, error) {
	l, err := s.Begin(ctx, target)
	if err != nil {
		return connect.Receipt{}, err
	}
	defer l.Rollback()
	for some := range slices.Chunk(rows, 10_000) {
		page, err := connect.NewPage(len(target.Columns), some)
		if err != nil {
			return connect.Receipt{}, err
		}
		if err := l.Append(ctx, page); err != nil {
			return connect.Receipt{}, err
		}
	}
	return l.Commit(ctx)
}

// MustLoad is Load, for what must not fail.
func MustLoad(t testing.TB, s connect.Sink, target connect.Target, rows ...connect.Row) connect.Receipt {
	t.Helper()
	r, err := Load(t.Context(), s, target, rows...)
	if err != nil {
		t.Fatalf("load %s: %v", target.Delivery, err)
	}
	return r
}

// All scans a whole selection into memory.
func All(t testing.TB, s connect.Source, sel connect.Selection) []connect.Row {
	t.Helper()
	var out []connect.Row
	err := s.Scan(t.Context(), sel, func(b connect.Batch) error {
		out = append(out, b.Rows...)
		return nil
	})
	if err != nil {
		t.Fatalf("scan %s: %v", sel.Table, err)
	}
	return out
}

// Copy carries a table from one database to another through encoded pages, as
// a delivery does, and compares the digests of both sides.
func Copy(ctx context.Context, from connect.Source, sel connect.Selection, to connect.Sink, target connect.Target) (connect.Receipt, error) {
	l, err := to.Begin(ctx, target)
	if err != nil {
		return connect.Receipt{}, err
	}
	defer l.Rollback()
	sent := connect.NewDigest()
	err = from.Scan(ctx, sel, func(b connect.Batch) error {
		sent.Add(b.Rows...)
		page, err := connect.NewPage(len(sel.Columns), b.Rows)
		if err != nil {
			return err
		}
		return l.Append(ctx, page)
	})
	if err != nil {
		return connect.Receipt{}, err
	}
	r, err := l.Commit(ctx)
	if sum := sent.Sum(); err == nil && r.Digest != fmt.Sprintf("%x", sum[:]) {
		return r, fmt.Errorf("receiver's digest %s is not the sender's %x", r.Digest, sum)
	}
	return r, err
}

// Diff shows how rows differ; the values are test data and may be seen.
func Diff(want, got []connect.Row) string {
	type plain struct{ Kind, Text string }
	show := func(rows []connect.Row) (out [][]plain) {
		for _, row := range rows {
			var p []plain
			for _, v := range row {
				text := v.Text
				if len(text) > 60 {
					text = fmt.Sprintf("%s... (%d bytes)", text[:60], len(text))
				}
				p = append(p, plain{v.Kind.String(), text})
			}
			out = append(out, p)
		}
		return out
	}
	if equal(want, got) {
		return ""
	}
	return "rows differ (-want +got):\n" + cmp.Diff(show(want), show(got))
}

func equal(a, b []connect.Row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				return false
			}
		}
	}
	return true
}

func table(name string) connect.TableName { return connect.TableName{Name: name} }
