package e2e_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/intake/sheet"
	"mulian/internal/code"
)

// published is a table as a portal published it.
type published struct {
	header   []string
	rows     [][]string
	encoding string
	problems int // that the reader found
}

// sharedFile finds a file of the shared data, or skips the test.
func sharedFile(t testing.TB, names ...string) string {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				root = filepath.Join(filepath.Dir(dir), "shared")
				break
			}
			if dir == filepath.Dir(dir) {
				t.Fatal("no go.mod above the test")
			}
		}
	}
	path := filepath.Join(append([]string{root, "data"}, names...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIP no shared data: %v", err)
	}
	return path
}

// readPublished reads a file whole, every cell as it stands.
func readPublished(t testing.TB, path string) *published {
	t.Helper()
	f, err := sheet.Open(path, sheet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := &published{header: f.Header, encoding: f.Encoding, problems: len(f.Notes)}
	for {
		rec, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out.problems += len(rec.Problems)
		row := make([]string, len(f.Header))
		for _, field := range rec.Fields {
			row[field.Column-1] = field.Text
		}
		out.rows = append(out.rows, row)
	}
	return out
}

// codes counts how many of a column's cells are a right 统一社会信用代码, wrong by their
// check digit or form, or damaged by a spreadsheet.
func (p *published) codes(column int) (right, wrong, damaged int) {
	for _, r := range p.rows {
		switch {
		case code.CheckUSCC(code.Clean(r[column])) == nil:
			right++
		case code.DamageOf(r[column]) != 0:
			damaged++
		default:
			wrong++
		}
	}
	return right, wrong, damaged
}

// null stands for NULL among texts.
const null = "\x00NULL"

// stored is the rows as a database has them after [pgDatabase.copyIn].
func (p *published) stored() [][]string {
	out := make([][]string, len(p.rows))
	for i, r := range p.rows {
		for _, cell := range r {
			if cell == "" {
				cell = null
			}
			out[i] = append(out[i], cell)
		}
	}
	return out
}

// pgDatabase is one PostgreSQL database, as its owner sees it.
type pgDatabase struct {
	t    testing.TB
	url  string
	conn *pgconn.PgConn
}

func openDatabase(t testing.TB, url string) *pgDatabase {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return &pgDatabase{t: t, url: url, conn: conn}
}

func (b *pgDatabase) exec(statements ...string) {
	b.t.Helper()
	for _, s := range statements {
		if _, err := b.conn.Exec(b.t.Context(), s).ReadAll(); err != nil {
			b.t.Fatalf("%s: %v", s, err)
		}
	}
}

// reader makes an account that may read the tables and do nothing else, and returns
// the URL under which a gateway reads with it.
func (b *pgDatabase) reader(name string, tables ...string) string {
	b.t.Helper()
	b.exec(`CREATE ROLE ` + name + ` LOGIN`)
	for _, t := range tables {
		b.exec(`GRANT SELECT ON ` + t + ` TO ` + name)
	}
	_, rest, _ := strings.Cut(b.url, "@")
	return "postgres://" + name + "@" + rest
}

// copyIn loads rows with COPY; an empty cell is NULL.
func (b *pgDatabase) copyIn(table string, rows [][]string) {
	b.t.Helper()
	var buf bytes.Buffer
	out := csv.NewWriter(&buf)
	if err := out.WriteAll(rows); err != nil {
		b.t.Fatal(err)
	}
	tag, err := b.conn.CopyFrom(b.t.Context(), &buf, `COPY `+table+` FROM STDIN (FORMAT csv)`)
	if err != nil || tag.RowsAffected() != int64(len(rows)) {
		b.t.Fatalf("copy into %s: %d of %d rows, %v", table, tag.RowsAffected(), len(rows), err)
	}
}

// read returns what a query gives, as text; NULL is told from empty.
func (b *pgDatabase) read(query string) [][]string {
	b.t.Helper()
	res := b.conn.ExecParams(b.t.Context(), query, nil, nil, nil, nil).Read()
	if res.Err != nil {
		b.t.Fatalf("%s: %v", query, res.Err)
	}
	out := make([][]string, len(res.Rows))
	for i, r := range res.Rows {
		out[i] = make([]string, len(r))
		for j, v := range r {
			if out[i][j] = string(v); v == nil {
				out[i][j] = null
			}
		}
	}
	return out
}

// sameRows compares two lists of rows, every value.
func sameRows(t testing.TB, what string, want, got [][]string) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range want {
		for j := range want[i] {
			if want[i][j] != got[i][j] {
				t.Fatalf("%s: row %d, column %d: %q, want %q", what, i, j, got[i][j], want[i][j])
			}
		}
	}
}
