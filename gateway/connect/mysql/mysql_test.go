package mysql_test

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	_ "mulian/gateway/connect/mysql"
	"mulian/internal/mariatest"
)

func TestMain(m *testing.M) { connecttest.Main(m) }

func TestConformance(t *testing.T) {
	mariatest.URL(t, "probe") // skips the suite once, not each of its tests
	connecttest.Run(t, database())
}

func newDatabase(t testing.TB) string { return mariatest.URL(t, "suite") }

// execSQL runs statements as the owner, on a connection of the driver itself; names are
// quoted as in the other databases.
func execSQL(t testing.TB, rawURL string, statements ...string) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	c := driver.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "tester", "unix", u.Query().Get("socket"), strings.TrimPrefix(u.Path, "/")
	c.Params = map[string]string{"sql_mode": "'ANSI_QUOTES'", "time_zone": "'+00:00'"}
	c.Collation = "utf8mb4_bin"
	connector, err := driver.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func database() connecttest.Database {
	return connecttest.Database{
		New: newDatabase, Exec: execSQL, Update: "UPDATE snap SET v = v + 1",
		Native: native(), Widest: 300,
		Lacks: func(v connect.Value) bool {
			return v.Kind != connect.Decimal && strings.HasSuffix(v.Text, "infinity") || v.Kind == connect.Float && v.Text == "NaN"
		},
		DDL: map[string][]string{
			"setup": {
				"CREATE TABLE firm (code varchar(18) PRIMARY KEY, name varchar(50), opened date, n integer)",
				"CREATE TABLE extra (a integer NOT NULL)", "CREATE VIEW firm_view AS SELECT code, n FROM firm",
			},
			"rename":        {"ALTER TABLE firm CHANGE name title varchar(50)"},
			"widen":         {"ALTER TABLE firm MODIFY name varchar(80)"},
			"narrow":        {"ALTER TABLE firm MODIFY name varchar(18)"},
			"type":          {"DROP VIEW firm_view", "ALTER TABLE firm MODIFY n text"},
			"key":           {"ALTER TABLE firm DROP PRIMARY KEY"},
			"set not null":  {"ALTER TABLE firm MODIFY name varchar(50) NOT NULL"},
			"drop not null": {"ALTER TABLE extra MODIFY a integer"},
			"default":       {"ALTER TABLE firm ALTER n SET DEFAULT 1"},
			"drop column":   {"ALTER TABLE firm DROP opened"},
			"drop table":    {"DROP TABLE extra"},
			"rename table":  {"RENAME TABLE extra TO other"},
			"add table":     {"CREATE TABLE other (b text)"},
			"add nullable":  {"ALTER TABLE firm ADD phone text"},
			"add not null":  {"ALTER TABLE firm ADD phone varchar(20) NOT NULL DEFAULT ''"},
			"index":         {"CREATE INDEX firm_name ON firm (name)"},
			"unique":        {"CREATE UNIQUE INDEX firm_name ON firm (name)"},
			"comment":       {"ALTER TABLE firm COMMENT '企业'", "ALTER TABLE firm MODIFY name varchar(50) COMMENT '名称'"},
		},
	}
}

func native() connecttest.Native {
	return connecttest.Native{
		Create: []string{
			`CREATE TABLE native (id smallint PRIMARY KEY, big bigint, ubig bigint unsigned, num decimal(18,2), zf decimal(6,2) zerofill, r float, d double, b boolean, bt bit(1), b9 bit(9),
				day date, dt datetime(3), ts timestamp(6) NULL, tod time(1), y year, c char(4), vc varchar(9), gbk varchar(9) CHARACTER SET gbk, latin varchar(9) CHARACTER SET latin1,
				st enum('存续', '注销'), s set('a','b','c'), j json, u uuid, raw blob, fixed binary(3), vb varbinary(5), med mediumint unsigned zerofill, txt mediumtext) CHARACTER SET utf8mb4`,
			`INSERT INTO native VALUES (1, -9223372036854775808, 18446744073709551615, 12.5, 7, 0.1, 1e300, true, b'1', b'100000001',
				'2024-01-02', '2024-01-02 03:04:05.123', '2024-01-02 03:04:05.1', '-838:59:59', 2024, 'ab', '海淀', '北京', 'café',
				'存续', 'c,a', '{"b": 1,"a":2}', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', x'00ff', x'01', x'', 42, '𠮷')`,
			"INSERT INTO native (id, b, num, d, tod) VALUES (2, 7, -0.01, -0e0, '03:04:05.5')",
		},
		Columns: []string{
			"id", "big", "ubig", "num", "zf", "r", "d", "b", "bt", "b9", "day", "dt", "ts", "tod", "y", "c", "vc", "gbk", "latin", "st", "s", "j", "u", "raw", "fixed", "vb", "med", "txt",
		},
		Kinds: []connect.Kind{
			connect.Integer, connect.Integer, connect.Integer, connect.Decimal, connect.Decimal, connect.Float, connect.Float, connect.Boolean, connect.Boolean, connect.Integer,
			connect.Date, connect.Timestamp, connect.Instant, connect.Text, connect.Integer, connect.Text, connect.Text, connect.Text, connect.Text, connect.Text, connect.Text,
			connect.JSON, connect.Text, connect.Bytes, connect.Bytes, connect.Bytes, connect.Integer, connect.Text,
		},
		Rows: []connect.Row{
			connecttest.R("integer 1", "integer -9223372036854775808", "integer 18446744073709551615", "decimal 12.50", "decimal 7.00", "float 0.1", "float 1e+300", "boolean true", "boolean true", "integer 257",
				"date 2024-01-02", "timestamp 2024-01-02T03:04:05.123", "instant 2024-01-02T03:04:05.1Z", "text -838:59:59.0", "integer 2024", "text ab", "text 海淀", "text 北京", "text café",
				"text 存续", "text a,c", `json {"b": 1,"a":2}`, "text a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "bytes \x00\xff", "bytes \x01\x00\x00", "bytes ", "integer 42", "text 𠮷"),
			// A tinyint(1) that is neither 0 nor 1 is carried as what it is.
			connecttest.R("integer 2", "", "", "decimal -0.01", "", "", "float 0", "integer 7", "", "", "", "", "", "text 03:04:05.5", "", "", "", "", "", "", "", "", "", "", "", "", "", ""),
		},
	}
}
