package ranges

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	_ "mulian/gateway/connect/postgres"
	_ "mulian/gateway/connect/sqlite"
	"mulian/internal/pgtest"
)

const firmSQL = "CREATE TABLE firm (region varchar(12) NOT NULL, id integer NOT NULL, name varchar(50), PRIMARY KEY (region, id))"

// side is a database with a table of firms.
type side struct {
	*Table
	exec func(statements ...string)
	read *int64 // rows that left the database
}

// counting is a real source that counts what it gives.
type counting struct {
	connect.Source
	rows *int64
}

func (c counting) Scan(ctx context.Context, s connect.Selection, fn func(connect.Batch) error) error {
	return c.Source.Scan(ctx, s, func(b connect.Batch) error {
		*c.rows += int64(len(b.Rows))
		return fn(b)
	})
}

func newSide(t *testing.T, kind string) side {
	t.Helper()
	s := side{read: new(int64)}
	url := ""
	if kind == "postgres" {
		url = pgtest.URL(t, "ranges")
		conn, err := pgconn.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		s.exec = func(statements ...string) {
			t.Helper()
			for _, text := range statements {
				if _, err := conn.Exec(t.Context(), text).ReadAll(); err != nil {
					t.Fatal(err)
				}
			}
		}
	} else {
		path := filepath.Join(t.TempDir(), "firms.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		s.exec = func(statements ...string) {
			t.Helper()
			for _, text := range statements {
				if _, err := db.Exec(text); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.exec("PRAGMA journal_mode(WAL)")
		url = "sqlite:" + path
	}
	s.exec(firmSQL)
	source, err := connect.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	s.Table = &Table{Source: counting{source, s.read}, Name: connect.TableName{Name: "firm"}, Columns: []string{"region", "id", "name"}, Key: []string{"region", "id"}}
	return s
}

// fill inserts the firms from..to of a region.
func (s side) fill(region string, from, to int) {
	for from <= to {
		var values []string
		for ; from <= to && len(values) < 500; from++ {
			values = append(values, fmt.Sprintf("('%s', %d, '企业%d')", region, from, from))
		}
		s.exec("INSERT INTO firm VALUES " + strings.Join(values, ", "))
	}
}

func key(region string, id int64) connect.Row {
	return connect.Row{connect.TextValue(region), connect.IntegerValue(id)}
}

func (s Span) holds(t *testing.T, k connect.Row) bool {
	t.Helper()
	for _, bound := range []struct {
		at   connect.Row
		want func(int) bool
	}{{s.After, func(n int) bool { return n > 0 }}, {s.UpTo, func(n int) bool { return n <= 0 }}} {
		if bound.at == nil {
			continue
		}
		n, err := compareKeys(k, bound.at)
		if err != nil {
			t.Fatal(err)
		}
		if !bound.want(n) {
			return false
		}
	}
	return true
}

func agreed(t *testing.T) Key {
	t.Helper()
	k, err := KeyOf([]byte("a secret of two gateways"), "agreement 1")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestCopyIsComparedWithItsOrigin: PostgreSQL and SQLite; first equal, then each difference
// is found, in a small range, and what is equal is not read again and again.
func TestCopyIsComparedWithItsOrigin(t *testing.T) {
	origin, loaded := newSide(t, "postgres"), newSide(t, "sqlite")
	for _, s := range []side{origin, loaded} {
		s.fill("东城", 1, 4000)
		s.fill("Z", 1, 2000)
		s.fill("a", 1, 4000)
	}
	r, err := Compare(t.Context(), agreed(t), loaded.Table, origin.Table)
	if err != nil || !r.Equal() || r.Mine != 10_000 || r.Theirs != 10_000 {
		t.Fatalf("equal tables: %+v, %v", r, err)
	}
	if *origin.read != 10_000 || *loaded.read != 10_000 {
		t.Errorf("to see that all is equal %d and %d rows were read", *origin.read, *loaded.read)
	}
	origin.exec("UPDATE firm SET name = 'another' WHERE region = 'a' AND id = 1234", "DELETE FROM firm WHERE region = 'Z' AND id = 700",
		"INSERT INTO firm VALUES ('', 1, 'before all')")
	origin.fill("龙", 1, 300)
	*origin.read, *loaded.read = 0, 0
	if r, err = Compare(t.Context(), agreed(t), loaded.Table, origin.Table); err != nil || !r.Narrowed {
		t.Fatalf("%+v, %v", r, err)
	}
	changed := []connect.Row{key("", 1), key("Z", 700), key("a", 1234), key("龙", 1)}
	if len(r.Differences) != len(changed) {
		t.Fatalf("%d differences: %+v", len(r.Differences), r.Differences)
	}
	for i, d := range r.Differences {
		if !d.Span.holds(t, changed[i]) || d.Mine > 3*Grain {
			t.Errorf("difference %d has %d rows, and key %v: %t", i, d.Mine, changed[i], d.Span.holds(t, changed[i]))
		}
		for _, bound := range []connect.Row{d.Span.After, d.Span.UpTo} {
			if bound != nil && bound[0].Text == "龙" {
				t.Errorf("a bound is a key that only the other side has")
			}
		}
	}
	if last := r.Differences[3]; last.Theirs-last.Mine != 300 {
		t.Errorf("300 rows more: %+v", last)
	}
	if *origin.read > 30_000 {
		t.Errorf("the origin read %d rows of 10,300", *origin.read)
	}
}

// TestRandomDifferences: whatever differs lies in a difference, and none is told for nothing.
func TestRandomDifferences(t *testing.T) {
	mine, theirs := newSide(t, "sqlite"), newSide(t, "sqlite")
	mine.fill("r", 1, 3000)
	theirs.fill("r", 1, 3000)
	random := rand.New(rand.NewPCG(809, 17))
	differing := map[int]bool{}
	for round := range 12 {
		for range random.IntN(4) {
			id := 1 + random.IntN(3000)
			at := []side{mine, theirs}[random.IntN(2)]
			if random.IntN(2) == 0 {
				mine.exec(fmt.Sprintf("DELETE FROM firm WHERE id = %d", id))
				theirs.exec(fmt.Sprintf("DELETE FROM firm WHERE id = %d", id))
				at.fill("r", id, id)
			} else {
				at.exec(fmt.Sprintf("INSERT OR REPLACE INTO firm VALUES ('r', %d, 'round %d')", id, round))
			}
			differing[id] = true
		}
		r, err := Compare(t.Context(), agreed(t), mine.Table, theirs.Table)
		if err != nil {
			t.Fatal(err)
		}
		found := map[int]bool{}
		for i, d := range r.Differences {
			any := false
			for id := range differing {
				if d.Span.holds(t, key("r", int64(id))) {
					found[id], any = true, true
				}
			}
			if !any {
				t.Errorf("round %d: difference %d is none: %+v", round, i, d)
			}
		}
		if len(found) != len(differing) {
			t.Fatalf("round %d: %d of %d differences lie in the ranges", round, len(found), len(differing))
		}
	}
}

// TestTooManyDifferencesAreTold, in wider ranges that hold all of them.
func TestTooManyDifferencesAreTold(t *testing.T) {
	mine, theirs := newSide(t, "sqlite"), newSide(t, "sqlite")
	mine.fill("r", 1, 20_000)
	theirs.exec("INSERT INTO firm VALUES ('r', 0, '')")
	r, err := Compare(t.Context(), agreed(t), mine.Table, theirs.Table)
	if err != nil {
		t.Fatal(err)
	}
	if r.Narrowed || len(r.Differences) > MaxDifferences+MaxBounds {
		t.Fatalf("%d differences, narrowed %t", len(r.Differences), r.Narrowed)
	}
	rows := int64(0)
	for i, d := range r.Differences {
		rows += d.Mine
		if i > 0 && !slices.Equal(d.Span.After, r.Differences[i-1].Span.UpTo) {
			t.Errorf("a gap before difference %d", i)
		}
	}
	if rows != 20_000 {
		t.Errorf("the differences hold %d rows of 20,000", rows)
	}
}

// lying is a side that answers nonsense.
type lying struct{ answer [][]Sum }

func (l lying) Sums(context.Context, Key, []Question) ([][]Sum, error) { return l.answer, nil }

func TestWhatCannotBeComparedSaysSo(t *testing.T) {
	mine := newSide(t, "sqlite")
	mine.fill("r", 1, 100)
	k := agreed(t)
	if _, err := Compare(t.Context(), k, mine.Table, lying{}); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("no answers: %v", err)
	}
	if _, err := Compare(t.Context(), k, mine.Table, lying{[][]Sum{{}}}); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("no sums: %v", err)
	}
	noKey := &Table{Source: mine.Source, Name: mine.Name, Columns: []string{"name"}, Key: []string{"id"}}
	if _, err := Compare(t.Context(), k, noKey, mine.Table); !errors.Is(err, connect.ErrNoKey) {
		t.Errorf("a key that is not compared: %v", err)
	}
	twice := &Table{Source: mine.Source, Name: mine.Name, Columns: []string{"region", "name"}, Key: []string{"region"}}
	if _, err := Compare(t.Context(), k, twice, mine.Table); !errors.Is(err, connect.ErrNoKey) {
		t.Errorf("a key that is none: %v", err)
	}
	if _, err := mine.Sums(t.Context(), k, []Question{{Bounds: []connect.Row{key("r", 2), key("r", 1)}}}); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("bounds in no order: %v", err)
	}
	if _, err := mine.Sums(t.Context(), k, []Question{{Bounds: slices.Repeat([]connect.Row{key("r", 2)}, MaxBounds+1)}}); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("too many bounds: %v", err)
	}
	if _, err := KeyOf([]byte("short"), "a"); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("a short secret: %v", err)
	}
}

// TestDigestsSayNothingWithoutTheKey: another agreement, another digest; and the same rows
// in other columns are other rows.
func TestDigestsSayNothingWithoutTheKey(t *testing.T) {
	s := newSide(t, "sqlite")
	s.fill("r", 1, 50)
	other, err := KeyOf([]byte("a secret of two gateways"), "agreement 2")
	if err != nil {
		t.Fatal(err)
	}
	sum := func(k Key, columns ...string) Sum {
		t.Helper()
		table := &Table{Source: s.Source, Name: s.Name, Columns: columns, Key: s.Key}
		out, err := table.Sums(t.Context(), k, []Question{{}})
		if err != nil || len(out[0]) != 1 || out[0][0].Rows != 50 {
			t.Fatalf("%v, %v", out, err)
		}
		return out[0][0]
	}
	base := sum(agreed(t), "region", "id", "name")
	if base != sum(agreed(t), "region", "id", "name") {
		t.Error("the same rows have two digests")
	}
	for name, got := range map[string]Sum{"key": sum(other, "region", "id", "name"), "order of columns": sum(agreed(t), "name", "region", "id"), "fewer columns": sum(agreed(t), "region", "id")} {
		if got == base {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

// TestKeysHaveTheOrderOfAScan, in PostgreSQL and in SQLite, for each kind of column.
func TestKeysHaveTheOrderOfAScan(t *testing.T) {
	values := map[string][]string{
		"bigint": {"-12", "-3", "0", "7", "10", "900"}, "text": {"''", "'A'", "'Z'", "'a'", "'é'", "'东'"},
		"numeric(12,3)": {"-10.5", "-2.25", "0", "0.5", "9", "10.125"}, "date": {"'0001-01-01'", "'1999-12-31'", "'2026-02-01'"},
		"timestamp":        {"'2026-01-01 00:00:00'", "'2026-01-01 00:00:00.5'", "'2026-01-01 00:00:01'"},
		"timestamptz":      {"'2026-01-01 00:00:00+00'", "'2026-01-01 00:00:00.25+00'", "'2026-01-01 00:00:00.5+00'", "'infinity'"},
		"double precision": {"-1.5", "0.25", "3", "1e300"}, "boolean": {"false", "true"},
	}
	s := newSide(t, "postgres")
	for kind, list := range values {
		t.Run(kind, func(t *testing.T) {
			s.exec("DROP TABLE firm", "CREATE TABLE firm (k "+kind+" PRIMARY KEY)")
			for _, i := range rand.Perm(len(list)) {
				s.exec("INSERT INTO firm VALUES (" + list[i] + ")")
			}
			table := &Table{Source: s.Source, Name: s.Name, Columns: []string{"k"}, Key: []string{"k"}}
			sums, err := table.Sums(t.Context(), agreed(t), []Question{{}})
			if err != nil || sums[0][0].Rows != int64(len(list)) {
				t.Errorf("%v, %v", sums, err)
			}
		})
	}
}
