package connecttest_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"mulian/gateway/connect"
	_ "mulian/gateway/connect/all"
	"mulian/gateway/connect/connecttest"
	"mulian/internal/mariatest"
	"mulian/internal/pgtest"
)

// places are the databases, empty, by name.
func places(t testing.TB) map[string]func() string {
	return map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "asker.db") },
		"postgres": func() string { return pgtest.URL(t, "copy") },
		"mysql":    func() string { return mariatest.URL(t, "copy") },
		"csv":      func() string { return "csv:" + t.TempDir() },
		"parquet":  func() string { return "parquet:" + t.TempDir() },
	}
}

// shared finds the folder of real data beside the repository.
func shared(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("MULIAN_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("SKIP no shared data: no go.mod above the test")
		}
	}
	found := filepath.Join(filepath.Dir(dir), "shared")
	if _, err := os.Stat(found); err != nil {
		t.Skip("SKIP no shared data: no ../shared beside the repository and no MULIAN_SHARED")
	}
	return found
}

// firms reads the list of high-tech firms of Haidian: the header and its 9,461 rows.
func firms(t testing.TB) ([]connect.Column, []connect.Row) {
	t.Helper()
	f, err := os.Open(filepath.Join(shared(t), "data/databases/beijing/海淀区中关村高新技术企业库（截止2023年7月）.csv"))
	if err != nil {
		t.Skipf("SKIP no shared data: %v", err)
	}
	defer f.Close()
	r := csv.NewReader(simplifiedchinese.GB18030.NewDecoder().Reader(f))
	r.LazyQuotes, r.FieldsPerRecord = true, -1
	header, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	columns := []connect.Column{{Name: "行号", Kind: connect.Integer, Position: 1}}
	for _, name := range header {
		columns = append(columns, connect.Column{Name: strings.TrimSpace(name), Kind: connect.Text, Nullable: true, Position: len(columns) + 1})
	}
	var rows []connect.Row
	for {
		record, err := r.Read()
		if err == io.EOF {
			return columns, rows
		}
		if err != nil {
			t.Fatal(err)
		}
		row := make(connect.Row, len(columns))
		row[0] = connect.IntegerValue(int64(len(rows) + 1))
		for i, field := range record[:min(len(record), len(header))] {
			if field != "" {
				row[i+1] = connect.TextValue(field)
			}
		}
		rows = append(rows, row)
	}
}

// TestRealTableTravelsBetweenAllDatabases: file -> A -> B, for all pairs, row for row.
func TestRealTableTravelsBetweenAllDatabases(t *testing.T) {
	columns, rows := firms(t)
	if len(rows) != 9_461 {
		t.Fatalf("%d rows in the file, want 9,461", len(rows))
	}
	t.Logf("%d rows of %d columns", len(rows), len(columns))
	target := connect.Target{Table: connect.TableName{Name: "高新技术企业"}, Columns: columns, PrimaryKey: []string{"行号"}, Mode: connect.Replace, Delivery: "haidian/1"}
	sel := connect.Selection{Table: target.Table, Columns: connecttest.Names(columns)}
	for from, newFrom := range places(t) {
		for to, newTo := range places(t) {
			t.Run(from+"-to-"+to, func(t *testing.T) {
				a, b := newFrom(), newTo()
				first := connecttest.MustLoad(t, connecttest.Sink(t, a), target, rows...)
				second, err := connecttest.Copy(t.Context(), connecttest.Source(t, a), sel, connecttest.Sink(t, b), target)
				if err != nil {
					t.Fatal(err)
				}
				if first.Digest != second.Digest || second.Rows != int64(len(rows)) {
					t.Errorf("receipts differ: %+v, %+v", first, second)
				}
				if diff := connecttest.Diff(rows, connecttest.All(t, connecttest.Source(t, b), sel)); diff != "" {
					t.Errorf("%.2000s", diff)
				}
			})
		}
	}
}

// TestEveryKindTravelsBetweenAllDatabases is the same for values that are easily spoilt.
func TestEveryKindTravelsBetweenAllDatabases(t *testing.T) {
	target := connect.Target{Table: connect.TableName{Name: "edge"}, Columns: connecttest.EveryKind, PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "edge/1"}
	all := connecttest.EdgeRows()
	finite := all[:len(all)-2] // infinite days and floats are in the last two, which MySQL refuses
	sel := connect.Selection{Table: target.Table, Columns: connecttest.Names(target.Columns)}
	for from, newFrom := range places(t) {
		for to, newTo := range places(t) {
			a, b := newFrom(), newTo()
			rows := all
			if from == "mysql" || to == "mysql" {
				rows = finite
			}
			connecttest.MustLoad(t, connecttest.Sink(t, a), target, rows...)
			if _, err := connecttest.Copy(t.Context(), connecttest.Source(t, a), sel, connecttest.Sink(t, b), target); err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			if diff := connecttest.Diff(rows, connecttest.All(t, connecttest.Source(t, b), sel)); diff != "" {
				t.Errorf("%s to %s: %s", from, to, diff)
			}
		}
	}
}

// BenchmarkCopy is 100,000 rows of 8 columns, scanned, encoded, decoded, digested
// on both sides and loaded.
func BenchmarkCopy(b *testing.B) {
	const n = 100_000
	columns := connecttest.Columns("id integer!", "code text", "name text", "opened date", "at timestamp", "capital decimal", "active boolean", "score float")
	target := connect.Target{Table: connect.TableName{Name: "firm"}, Columns: columns, PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "bench"}
	sel := connect.Selection{Table: target.Table, Columns: connecttest.Names(columns)}
	var rows []connect.Row
	for i := range n {
		rows = append(rows, connecttest.R(fmt.Sprint("integer ", i), fmt.Sprintf("text 911101080%09d", i), fmt.Sprintf("text 北京市第%d科技有限公司", i), "date 2024-01-02",
			"timestamp 2024-01-02T03:04:05", fmt.Sprintf("decimal %d.50", i), "boolean true", "float 0.5"))
	}
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		b.Run(name, func(b *testing.B) {
			newPlace := places(b)[name]
			from := newPlace()
			connecttest.MustLoad(b, connecttest.Sink(b, from), target, rows...)
			source := connecttest.Source(b, from)
			var scan, all time.Duration
			for b.Loop() {
				start := time.Now()
				err := source.Scan(b.Context(), sel, func(connect.Batch) error { return nil })
				scan += time.Since(start)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				sink := connecttest.Sink(b, newPlace())
				b.StartTimer()
				start = time.Now()
				if _, err := connecttest.Copy(b.Context(), source, sel, sink, target); err != nil {
					b.Fatal(err)
				}
				all += time.Since(start)
			}
			b.ReportMetric(n*float64(b.N)/scan.Seconds(), "scan-rows/s")
			b.ReportMetric(n*float64(b.N)/all.Seconds(), "copy-rows/s")
		})
	}
}

// BenchmarkQuery is the hot path of a delivered record: one row by its key.
func BenchmarkQuery(b *testing.B) {
	columns := connecttest.Columns("code text!", "name text", "capital decimal")
	target := connect.Target{Table: connect.TableName{Name: "firm"}, Columns: columns, PrimaryKey: []string{"code"}, Mode: connect.Append, Delivery: "bench"}
	var rows []connect.Row
	for i := range 100_000 {
		rows = append(rows, connecttest.R(fmt.Sprintf("text 911101080%09d", i), fmt.Sprintf("text 北京市第%d科技有限公司", i), "decimal 100.50"))
	}
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		b.Run(name, func(b *testing.B) {
			url := places(b)[name]()
			connecttest.MustLoad(b, connecttest.Sink(b, url), target, rows...)
			source := connecttest.Source(b, url)
			i := 0
			for b.Loop() {
				i = (i + 7919) % len(rows)
				got, err := source.Query(b.Context(), connect.Selection{
					Table: target.Table, Columns: []string{"name", "capital"}, Limit: 1,
					Where: []connect.Condition{{Column: "code", Op: connect.OpIn, Values: rows[i][:1]}},
				})
				if err != nil || len(got) != 1 {
					b.Fatalf("%d rows, %v", len(got), err)
				}
			}
		})
	}
}

// BenchmarkInspect is what the watch asks every few seconds: 200 tables of 20 columns.
func BenchmarkInspect(b *testing.B) {
	var columns []connect.Column
	for i := range 20 {
		columns = append(columns, connect.Column{Name: fmt.Sprint("c", i), Kind: connect.Text, Nullable: true})
	}
	for _, name := range []string{"sqlite", "postgres", "mysql"} {
		b.Run(name, func(b *testing.B) {
			url := places(b)[name]()
			sink := connecttest.Sink(b, url)
			for i := range 200 {
				connecttest.MustLoad(b, sink, connect.Target{Table: connect.TableName{Name: fmt.Sprint("t", i)}, Columns: columns, Mode: connect.Append, Delivery: fmt.Sprint(i)})
			}
			source := connecttest.Source(b, url)
			for b.Loop() {
				if s, err := source.Inspect(b.Context()); err != nil || len(s.Tables) != 200 || s.Hash() == "" {
					b.Fatal(err)
				}
			}
		})
	}
}
