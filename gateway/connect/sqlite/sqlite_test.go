package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	_ "mulian/gateway/connect/sqlite"
)

func TestMain(m *testing.M) { connecttest.Main(m) }

func TestConformance(t *testing.T) { connecttest.Run(t, database()) }

func TestChanges(t *testing.T) { connecttest.RunChanges(t, database()) }

func newFile(t testing.TB) string {
	url := "sqlite:" + filepath.Join(t.TempDir(), "部门 #1?%.db")
	if strings.Contains(url, "?") { // a URL cannot name such a file; the rest can stay
		url = strings.ReplaceAll(url, "?", "")
	}
	execFile(t, url, "PRAGMA journal_mode(WAL)")
	return url
}

// execFile writes as a department's own program would.
func execFile(t testing.TB, url string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range append([]string{"PRAGMA busy_timeout(5000)"}, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

const firm = `(code varchar(18) NOT NULL PRIMARY KEY, name varchar(50), opened date, n integer)`

// rebuild changes a table the only way SQLite has for most changes.
func rebuild(columns string) []string {
	return []string{
		"DROP VIEW firm_view", "CREATE TABLE fresh " + columns, "INSERT INTO fresh SELECT * FROM firm", "DROP TABLE firm",
		"ALTER TABLE fresh RENAME TO firm", "CREATE VIEW firm_view AS SELECT code, n FROM firm",
	}
}

func database() connecttest.Database {
	return connecttest.Database{
		New: newFile, Exec: execFile, Update: "UPDATE snap SET v = v + 1",
		Native: connecttest.Native{
			Create: []string{
				`CREATE TABLE native (id INTEGER PRIMARY KEY, vc VARCHAR(18), num NUMERIC(18,2), dt DATETIME, d DATE, b BOOL, j JSON, f DOUBLE, raw BLOB, none, odd SPECIAL)`,
				`INSERT INTO native VALUES (1, '海淀', 12.50, '2024-01-02 03:04:05', '2024-01-02', 1, '{"a":1}', 1, x'00ff', 7, 'x')`,
				`INSERT INTO native VALUES (2, 5, 'unknown', '2024-01-02T03:04:05+08:00', '2024/1/2', 'yes', '{', 'n/a', 'text', 1.5, x'01')`,
				`INSERT INTO native VALUES (3, NULL, 9007199254740993, 1704164645, '2024-01-02 00:00:00.000', 2, '1', 0.1, NULL, 'a', 2)`,
			},
			Columns: []string{"id", "vc", "num", "dt", "d", "b", "j", "f", "raw", "none", "odd"},
			Kinds: []connect.Kind{
				connect.Integer, connect.Text, connect.Decimal, connect.Timestamp, connect.Date, connect.Boolean, connect.JSON, connect.Float, connect.Bytes, connect.Text, connect.Text,
			},
			Rows: []connect.Row{
				connecttest.R("integer 1", "text 海淀", "decimal 12.5", "timestamp 2024-01-02T03:04:05", "date 2024-01-02", "boolean true", `json {"a":1}`, "float 1", "bytes \x00\xff", "integer 7", "text x"),
				connecttest.R("integer 2", "text 5", "text unknown", "instant 2024-01-01T19:04:05Z", "text 2024/1/2", "text yes", "text {", "text n/a", "text text", "float 1.5", "bytes \x01"),
				connecttest.R("integer 3", "", "decimal 9007199254740993", "integer 1704164645", "timestamp 2024-01-02T00:00:00", "integer 2", "integer 1", "float 0.1", "", "text a", "integer 2"),
			},
		},
		DDL: map[string][]string{
			"setup": {
				"CREATE TABLE firm " + firm, "CREATE TABLE extra (a integer NOT NULL)", "CREATE VIEW firm_view AS SELECT code, n FROM firm",
			},
			"rename":        {"ALTER TABLE firm RENAME COLUMN name TO title"},
			"widen":         rebuild(strings.Replace(firm, "50", "80", 1)),
			"narrow":        rebuild(strings.Replace(firm, "50", "18", 1)),
			"type":          rebuild(strings.Replace(firm, "n integer", "n text", 1)),
			"key":           rebuild(strings.Replace(firm, " PRIMARY KEY", "", 1)),
			"set not null":  rebuild(strings.Replace(firm, "varchar(50)", "varchar(50) NOT NULL", 1)),
			"default":       rebuild(strings.Replace(firm, "n integer", "n integer DEFAULT 1", 1)),
			"drop not null": {"DROP TABLE extra", "CREATE TABLE extra (a integer)"},
			"drop column":   {"ALTER TABLE firm DROP COLUMN opened"},
			"drop table":    {"DROP TABLE extra"},
			"rename table":  {"ALTER TABLE extra RENAME TO other"},
			"add table":     {"CREATE TABLE other (b text)"},
			"add nullable":  {"ALTER TABLE firm ADD COLUMN phone text"},
			"add not null":  {"ALTER TABLE firm ADD COLUMN phone text NOT NULL DEFAULT ''"},
			"index":         {"CREATE INDEX firm_name ON firm (name)"},
			"unique":        {"CREATE UNIQUE INDEX firm_name ON firm (name)"},
		},
	}
}

func TestFileIsOnlyRead(t *testing.T) {
	url := newFile(t)
	execFile(t, url, "CREATE TABLE firm "+firm, "PRAGMA journal_mode(DELETE)")
	path := strings.TrimPrefix(url, "sqlite:")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{url, url + "?immutable=1"} {
		source := connecttest.Source(t, url)
		connecttest.All(t, source, connect.Selection{Table: connect.TableName{Name: "firm"}, Columns: []string{"code"}})
		source.Close()
	}
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("reading changed the file (%v)", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("reading left files behind: %v, %v", entries, err)
	}
}

// TestFileIsReplacedOrGone: programs of departments often write a new file and
// rename it over the old one.
func TestFileIsReplacedOrGone(t *testing.T) {
	url, other := newFile(t), newFile(t)
	execFile(t, url, "CREATE TABLE old (a text)", "PRAGMA journal_mode(DELETE)")
	execFile(t, other, "CREATE TABLE fresh (a text)", "PRAGMA journal_mode(DELETE)")
	path := strings.TrimPrefix(url, "sqlite:")
	source := connecttest.Source(t, url)
	tables := func() string {
		s, err := source.Inspect(t.Context())
		if err != nil {
			return fmt.Sprint(errors.Is(err, connect.ErrUnreachable), " ", strings.Contains(err.Error(), path))
		}
		var names []string
		for _, t := range s.Tables {
			names = append(names, t.Name)
		}
		return strings.Join(names, " ")
	}
	if got := tables(); got != "old" {
		t.Fatalf("tables %q", got)
	}
	if err := os.Rename(strings.TrimPrefix(other, "sqlite:"), path); err != nil {
		t.Fatal(err)
	}
	if got := tables(); got != "fresh" {
		t.Errorf("after the file was replaced: %q, want fresh", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := tables(); got != "true false" {
		t.Errorf("after the file was removed: %q, want unreachable, without the path", got)
	}
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"sqlite:", "sqlite::memory:", "sqlite:x?mode=rwc", "sqlite:x?immutable=0", "sqlite:x?%zz"} {
		if _, err := connect.Open(t.Context(), url); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := connect.Open(t.Context(), "sqlite:"+t.TempDir()+"/none.db"); !errors.Is(err, connect.ErrUnreachable) {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := connect.Open(t.Context(), "sqlite:"+path); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("no database: %v", err)
	}
}

// TestAskersOwnTableDoesNotSpoil: STRING and NUMERIC are declared by many programs, and
// have an affinity that their authors do not know of.
func TestAskersOwnTableDoesNotSpoil(t *testing.T) {
	url := newFile(t)
	execFile(t, url, "CREATE TABLE own (code VARCHAR(18), n NUMERIC(18,2), s STRING)")
	sink := connecttest.Sink(t, url)
	target := connect.Target{Table: connect.TableName{Name: "own"}, Columns: connecttest.Columns("code text", "n decimal"), Mode: connect.Append, Delivery: "1"}
	connecttest.MustLoad(t, sink, target, connecttest.R("text 007", "decimal 123456789012.345"))
	got := connecttest.All(t, connecttest.Source(t, url), connect.Selection{Table: target.Table, Columns: []string{"code", "n"}})
	if diff := connecttest.Diff([]connect.Row{connecttest.R("text 007", "decimal 123456789012.345")}, got); diff != "" {
		t.Error(diff)
	}
	target.Delivery = "2"
	_, err := connecttest.Load(t.Context(), sink, target, connecttest.R("text 1", "decimal 12345678901234567.89"))
	var ve *connect.ValueError
	if !errors.As(err, &ve) || ve.Column != "n" {
		t.Errorf("number of 19 digits: %v", err)
	}
	target.Columns = connecttest.Columns("s text")
	if _, err := sink.Begin(t.Context(), target); !errors.Is(err, connect.ErrTargetDiffers) {
		t.Errorf("text into STRING: %v", err)
	}
}

// TestTableVersions: a table that was made anew, and one that was not.
func TestTableVersions(t *testing.T) {
	url := newFile(t)
	execFile(t, url, "CREATE TABLE a (id integer PRIMARY KEY, n int)", "CREATE TABLE b (id integer)")
	connecttest.RunVersions(t, connecttest.Source(t, url), connect.TableName{Name: "a"}, func(sql string) { execFile(t, url, strings.Split(sql, ";")...) },
		[]string{"INSERT INTO a VALUES (1, 2)", "UPDATE a SET n = 3", "ALTER TABLE b ADD COLUMN v", "CREATE INDEX by_n ON a (n)"},
		[]string{"CREATE TABLE c (id integer PRIMARY KEY, n int); INSERT INTO c SELECT id, n * 100 FROM a; DROP TABLE a; ALTER TABLE c RENAME TO a", "ALTER TABLE a ADD COLUMN v DEFAULT 5"})
}
