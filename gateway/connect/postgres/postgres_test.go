package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	_ "mulian/gateway/connect/postgres"
	"mulian/internal/pgtest"
)

func TestMain(m *testing.M) { connecttest.Main(m) }

func TestConformance(t *testing.T) {
	pgtest.URL(t, "probe") // skips the suite once, not each of its tests
	connecttest.Run(t, database())
}

func newDatabase(t testing.TB) string { return pgtest.URL(t, "suite") }

func execSQL(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func database() connecttest.Database {
	return connecttest.Database{
		New: newDatabase, Exec: execSQL, Update: "UPDATE snap SET v = v + 1",
		Native: native(),
		DDL: map[string][]string{
			"setup": {
				"CREATE TABLE firm (code varchar(18) PRIMARY KEY, name varchar(50), opened date, n integer)",
				"CREATE TABLE extra (a integer NOT NULL)", "CREATE VIEW firm_view AS SELECT code, n FROM firm",
			},
			"rename":        {"ALTER TABLE firm RENAME name TO title"},
			"widen":         {"ALTER TABLE firm ALTER name TYPE varchar(80)"},
			"narrow":        {"ALTER TABLE firm ALTER name TYPE varchar(18)"},
			"type":          {"DROP VIEW firm_view", "ALTER TABLE firm ALTER n TYPE text"},
			"key":           {"ALTER TABLE firm DROP CONSTRAINT firm_pkey"},
			"set not null":  {"ALTER TABLE firm ALTER name SET NOT NULL"},
			"drop not null": {"ALTER TABLE extra ALTER a DROP NOT NULL"},
			"default":       {"ALTER TABLE firm ALTER n SET DEFAULT 1"},
			"drop column":   {"ALTER TABLE firm DROP opened"},
			"drop table":    {"DROP TABLE extra"},
			"rename table":  {"ALTER TABLE extra RENAME TO other"},
			"add table":     {"CREATE TABLE other (b text)"},
			"add nullable":  {"ALTER TABLE firm ADD phone text"},
			"add not null":  {"ALTER TABLE firm ADD phone text NOT NULL DEFAULT ''"},
			"index":         {"CREATE INDEX firm_name ON firm (name)"},
			"unique":        {"CREATE UNIQUE INDEX firm_name ON firm (name)"},
			"comment":       {"COMMENT ON TABLE firm IS '企业'", "COMMENT ON COLUMN firm.name IS '名称'"},
		},
	}
}

func native() connecttest.Native {
	return connecttest.Native{
		Create: []string{
			"CREATE DOMAIN credit_code AS varchar(18)", "CREATE TYPE state AS ENUM ('存续', '注销')",
			`CREATE TABLE native (id smallint PRIMARY KEY, big bigint, num numeric(18,2), anynum numeric, r real, d double precision, b boolean, day date, ts timestamp(3), tz timestamptz,
				tod time, c char(4), vc varchar(9), code credit_code, st state, u uuid, ip inet, arr int[], iv interval, j json, jb jsonb, raw bytea)`,
			`INSERT INTO native VALUES (1, 9223372036854775807, 12.5, 1e20, 0.1, 1e300, true, '2024-01-02', '2024-01-02 03:04:05.1239', '2024-01-02 03:04:05+08',
				'03:04:05', 'ab', '海淀', '91110108A', '存续', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '10.0.0.1', '{1,2}', '1 day 02:00', '{"b": 1,"a":2}', '{"b": 1,"a":2}', '\x00ff')`,
			"INSERT INTO native (id, num, d, day, tz) VALUES (2, 'NaN', '-Infinity', 'infinity', '-infinity')",
		},
		Columns: []string{"id", "big", "num", "anynum", "r", "d", "b", "day", "ts", "tz", "tod", "c", "vc", "code", "st", "u", "ip", "arr", "iv", "j", "jb", "raw"},
		Kinds: []connect.Kind{
			connect.Integer, connect.Integer, connect.Decimal, connect.Decimal, connect.Float, connect.Float, connect.Boolean, connect.Date, connect.Timestamp, connect.Instant,
			connect.Text, connect.Text, connect.Text, connect.Text, connect.Text, connect.Text, connect.Text, connect.Text, connect.Text, connect.JSON, connect.JSON, connect.Bytes,
		},
		Rows: []connect.Row{
			connecttest.R("integer 1", "integer 9223372036854775807", "decimal 12.50", "decimal 100000000000000000000", "float 0.1", "float 1e+300", "boolean true", "date 2024-01-02",
				"timestamp 2024-01-02T03:04:05.124", "instant 2024-01-01T19:04:05Z", "text 03:04:05", "text ab  ", "text 海淀", "text 91110108A", "text 存续",
				"text a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "text 10.0.0.1", "text {1,2}", "text P1DT2H", `json {"b": 1,"a":2}`, `json {"a": 2, "b": 1}`, "bytes \x00\xff"),
			connecttest.R("integer 2", "", "decimal NaN", "", "", "float -infinity", "", "date infinity", "", "instant -infinity", "", "", "", "", "", "", "", "", "", "", "", ""),
		},
	}
}

// TestLeastPrivilege: an account with SELECT on one column of one table and on
// one whole table sees that and no more.
func TestLeastPrivilege(t *testing.T) {
	url := pgtest.URL(t, "rights")
	role := "reader" + url[strings.LastIndexByte(url, '_')+1:strings.IndexByte(url, '?')]
	execSQL(t, url, "CREATE TABLE firm (code text PRIMARY KEY, secret text, n int, UNIQUE (secret))", "CREATE TABLE hidden (a text)",
		"CREATE TABLE open (a text)", "CREATE SCHEMA closed", "CREATE TABLE closed.t (a text)",
		"INSERT INTO firm VALUES ('a', 's', 1)", "CREATE ROLE "+role+" LOGIN", "GRANT SELECT (code, n) ON firm TO "+role, "GRANT SELECT ON open, closed.t TO "+role)
	source := connecttest.Source(t, strings.Replace(url, "tester@", role+"@", 1))
	schema, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range schema.Tables {
		got = append(got, fmt.Sprint(table.TableName, connecttest.Names(table.Columns), table.PrimaryKey, len(table.Indexes)))
	}
	if got, want := strings.Join(got, "; "), "public.firm [code n] [code] 0; public.open [a] [] 0"; got != want {
		t.Errorf("the account sees %s, want %s", got, want)
	}
	sel := connect.Selection{
		Table: connect.TableName{Name: "firm"}, Columns: []string{"code", "n"}, Limit: 1,
		Where: []connect.Condition{{Column: "code", Op: connect.OpIn, Values: connecttest.R("text a")}},
	}
	if rows, err := source.Query(t.Context(), sel); err != nil || len(rows) != 1 {
		t.Errorf("granted columns: %d rows, %v", len(rows), err)
	}
	if diff := connecttest.Diff([]connect.Row{connecttest.R("text a", "integer 1")}, connecttest.All(t, source, connect.Selection{Table: sel.Table, Columns: sel.Columns})); diff != "" {
		t.Error(diff)
	}
	sel.Columns = []string{"secret"}
	if _, err := source.Query(t.Context(), sel); !errors.Is(err, connect.ErrDenied) {
		t.Errorf("query of a column that was not granted: %v", err)
	}
	if err := source.Scan(t.Context(), connect.Selection{Table: sel.Table, Columns: sel.Columns}, nil); !errors.Is(err, connect.ErrNoColumn) {
		t.Errorf("scan of a column that was not granted: %v", err)
	}
	if err := source.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: "hidden"}, Columns: []string{"a"}}, nil); !errors.Is(err, connect.ErrNoTable) {
		t.Errorf("scan of a table that was not granted: %v", err)
	}
}

func TestServerThatComesAndGoes(t *testing.T) { connecttest.RunRestart(t, pgtest.Durable(t)) }

func TestURLs(t *testing.T) {
	for _, url := range []string{"postgres://h:x/d", "postgres://h/d?sslmode=never"} {
		if _, err := connect.Open(t.Context(), url); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := connect.Open(t.Context(), "postgres://u@127.0.0.1:1/d?connect_timeout=2"); !errors.Is(err, connect.ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
	url := pgtest.URL(t, "urls")
	if _, err := connect.Open(t.Context(), strings.Replace(url, "tester@", "nobody_knows@", 1)); !errors.Is(err, connect.ErrDenied) {
		t.Errorf("unknown account: %v", err)
	}
}

// TestAskersNarrowTableNeverRoundsOrCuts: PostgreSQL would do all of these without a word.
func TestAskersNarrowTableNeverRoundsOrCuts(t *testing.T) {
	url := pgtest.URL(t, "narrow")
	execSQL(t, url, "CREATE TABLE own (num numeric(10,2), tens numeric(5,-1), v varchar(3), c char(3), ts timestamp(0), tz timestamptz, r real, small smallint, extra text)")
	sink, source := connecttest.Sink(t, url), connecttest.Source(t, url)
	columns := connecttest.Columns("num decimal", "tens decimal", "v text", "c text", "ts timestamp", "tz instant", "r float", "small integer")
	target := connect.Target{Table: connect.TableName{Name: "own"}, Columns: columns, Mode: connect.Append, Delivery: "1"}
	connecttest.MustLoad(t, sink, target,
		connecttest.R("decimal 1.5", "decimal 120", "text 海淀区", "text ab", "timestamp 2024-01-02T03:04:05", "instant 2024-01-02T03:04:05.123456Z", "float 0.1", "integer 1"),
		connecttest.R("decimal 1.5000", "decimal 0", "text", "text abc", "timestamp infinity", "instant infinity", "float infinity", ""))
	want := []connect.Row{
		connecttest.R("decimal 1.50", "decimal 120", "text 海淀区", "text ab ", "timestamp 2024-01-02T03:04:05", "instant 2024-01-02T03:04:05.123456Z", "float 0.1", "integer 1"),
		connecttest.R("decimal 1.50", "decimal 0", "text", "text abc", "timestamp infinity", "instant infinity", "float infinity", ""),
	}
	if diff := connecttest.Diff(want, connecttest.All(t, source, connect.Selection{Table: target.Table, Columns: connecttest.Names(columns)})); diff != "" {
		t.Error(diff)
	}
	for column, bad := range map[string]string{
		"num": "decimal 1.505", "tens": "decimal 125", "v": "text abc ", "c": "text abc ", "ts": "timestamp 2024-01-02T03:04:05.5",
		"tz": "instant 2024-01-02T03:04:05.1234567Z", "r": "float 0.123456789012", "small": "integer 40000",
	} {
		row := make(connect.Row, len(columns))
		for i, c := range columns {
			if c.Name == column {
				row[i] = connecttest.V(bad)
			}
		}
		target.Delivery = "bad-" + column
		_, err := connecttest.Load(t.Context(), sink, target, make(connect.Row, len(columns)), row)
		var ve *connect.ValueError
		if !errors.As(err, &ve) || ve.Column != column || ve.Row != 2 {
			t.Errorf("%s: %v, want a ValueError for column %s, row 2", bad, err, column)
		}
	}
}

func TestManyRowsAreEstimated(t *testing.T) {
	url := pgtest.URL(t, "many")
	execSQL(t, url, "CREATE TABLE many AS SELECT generate_series(1, 150000) AS n", "ANALYZE many")
	f, err := connecttest.Source(t, url).Freshness(t.Context(), connect.TableName{Name: "many"}, "n")
	if err != nil || !f.Estimated || f.Rows < 140_000 || f.Rows > 160_000 || f.Watermark != connecttest.V("integer 150000") {
		t.Errorf("%+v, %v", f, err)
	}
}
