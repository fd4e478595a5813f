package mysql_test

import (
	"errors"
	"strings"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	"mulian/internal/mariatest"
)

// TestAskersNarrowTableNeverRoundsOrCuts: MySQL would do most of these without a word.
func TestAskersNarrowTableNeverRoundsOrCuts(t *testing.T) {
	url := mariatest.URL(t, "narrow")
	execSQL(t, url, `CREATE TABLE own (num decimal(10,2), v varchar(3), c char(3), ts datetime, tz timestamp NULL, day date, r float, d double(8,2), small smallint unsigned,
		y year, b bit(3), raw varbinary(3), fix binary(3), e enum('a','b'), tt tinytext, tod time, extra text, n0 int NOT NULL DEFAULT 1) CHARACTER SET utf8mb4`)
	sink, source := connecttest.Sink(t, url), connecttest.Source(t, url)
	columns := connecttest.Columns("num decimal", "v text", "c text", "ts timestamp", "tz instant", "day date", "r float", "d float", "small integer", "y integer", "b integer",
		"raw bytes", "fix bytes", "e text", "tt text", "tod text", "n0 integer")
	target := connect.Target{Table: connect.TableName{Name: "own"}, Columns: columns, Mode: connect.Append, Delivery: "1"}
	connecttest.MustLoad(t, sink, target,
		connecttest.R("decimal 1.5", "text 海淀区", "text ab", "timestamp 2024-01-02T03:04:05", "instant 2024-01-02T03:04:05Z", "date 0001-01-01", "float 0.1", "float 1.25", "integer 65535",
			"integer 2024", "integer 7", "bytes abc", "bytes abc", "text b", "text x", "text 03:04:05", "integer 0"),
		connecttest.R("decimal -12345678.90", "text", "text abc", "", "instant 2038-01-19T03:14:07Z", "date 9999-12-31", "float 1e+10", "", "integer 0", "integer 0", "integer 0", "bytes ", "", "", "", "", "integer 1"))
	want := []connect.Row{
		connecttest.R("decimal 1.50", "text 海淀区", "text ab", "timestamp 2024-01-02T03:04:05", "instant 2024-01-02T03:04:05Z", "date 0001-01-01", "float 0.1", "float 1.25", "integer 65535",
			"integer 2024", "integer 7", "bytes abc", "bytes abc", "text b", "text x", "text 03:04:05", "integer 0"),
		connecttest.R("decimal -12345678.90", "text", "text abc", "", "instant 2038-01-19T03:14:07Z", "date 9999-12-31", "float 1e+10", "", "integer 0", "integer 0", "integer 0", "bytes ", "", "", "", "", "integer 1"),
	}
	if diff := connecttest.Diff(want, connecttest.All(t, source, connect.Selection{Table: target.Table, Columns: connecttest.Names(columns)})); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{
		"num decimal 1.505", "num decimal 123456789", "num decimal NaN", "v text abc ", "c text ab ", "ts timestamp 2024-01-02T03:04:05.5", "tz instant 2024-01-02T03:04:05.5Z",
		"tz instant 2038-01-19T03:14:08Z", "tz instant 1969-12-31T00:00:00Z", "day date infinity", "day date 0000-01-01", "r float 0.123456789012", "d float 1.255", "small integer -1",
		"small integer 65536", "y integer 24", "b integer 8", "raw bytes abcd", "fix bytes ab", "e text c", "tt text " + strings.Repeat("长", 100), "tod text 25:00:61", "n0 ",
	} {
		column, value, _ := strings.Cut(bad, " ")
		row := make(connect.Row, len(columns))
		row[len(row)-1] = connecttest.V("integer 1")
		good := append(connect.Row{}, row...)
		for i, c := range columns {
			if c.Name == column {
				row[i] = connecttest.V(value)
			}
		}
		target.Delivery = "bad-" + column
		_, err := connecttest.Load(t.Context(), sink, target, good, row)
		var ve *connect.ValueError
		if !errors.As(err, &ve) || ve.Column != column || ve.Row != 2 {
			t.Errorf("%s: %v, want a ValueError for column %s, row 2", bad, err, column)
		}
	}
}

// TestZeroDatesAreNoDates: they name their column and row; a view that makes NULL of them is read.
func TestZeroDatesAreNoDates(t *testing.T) {
	url := mariatest.URL(t, "zero")
	execSQL(t, url, "CREATE TABLE z (id int PRIMARY KEY, day date, at datetime, ts timestamp NULL)", "INSERT INTO z VALUES (1, '2024-01-02', NULL, NULL), (2, '0000-00-00', NULL, NULL)",
		"CREATE VIEW good AS SELECT id, NULLIF(day, '0000-00-00') AS day FROM z")
	source := connecttest.Source(t, url)
	for column, insert := range map[string]string{
		"day": "UPDATE z SET day = '2024-02-00' WHERE id = 2", "at": "UPDATE z SET at = '0000-00-00 00:00:00', day = NULL WHERE id = 2", "ts": "UPDATE z SET ts = '0000-00-00 00:00:00' WHERE id = 2",
	} {
		execSQL(t, url, insert)
		err := source.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: "z"}, Columns: []string{"id", column}}, func(connect.Batch) error { return nil })
		var ve *connect.ValueError
		if !errors.As(err, &ve) || ve.Column != column || ve.Row != 2 || !strings.Contains(err.Error(), "zero date") {
			t.Errorf("%s: %v", column, err)
		}
	}
	execSQL(t, url, "UPDATE z SET day = '0000-00-00' WHERE id = 2")
	got := connecttest.All(t, source, connect.Selection{Table: connect.TableName{Name: "good"}, Columns: []string{"id", "day"}, OrderBy: []string{"id"}})
	if diff := connecttest.Diff([]connect.Row{connecttest.R("integer 1", "date 2024-01-02"), connecttest.R("integer 2", "")}, got); diff != "" {
		t.Error(diff)
	}
}

// TestQueryIsExact: whatever the column's own rules take for equal.
func TestQueryIsExact(t *testing.T) {
	url := mariatest.URL(t, "exact")
	execSQL(t, url, "CREATE TABLE q (id int PRIMARY KEY, t varchar(20), big bigint, num decimal(40,10), f float, at datetime(6), e enum('b','a'), j json) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
		`INSERT INTO q VALUES (1, 'a', 9007199254740993, 1234567890123456789012.5, 0.1, '2024-01-02 03:04:05.000001', 'a', '{"a":1}'),
			(2, 'A', 9007199254740992, 1234567890123456789012.4999999999, 0.2, '2024-01-02 03:04:05', 'b', '{"a": 1}'), (3, 'a ', 1, 1, 1, NULL, NULL, NULL), (4, '12abc', 12, 12, 12, NULL, NULL, NULL)`)
	source := connecttest.Source(t, url)
	for _, tt := range []struct{ column, value, want string }{
		{"t", "text a", "1"},
		{"t", "text A", "2"},
		{"t", "text a ", "3"},
		{"t", "integer 12", ""},
		{"t", "text ä", ""},
		{"big", "integer 9007199254740993", "1"},
		{"big", "text 9007199254740992", "2"},
		{"big", "text 12abc", ""},
		{"big", "integer 99999999999999999999", ""},
		{"num", "decimal 1234567890123456789012.5", "1"},
		{"num", "decimal 1234567890123456789012.4999999999", "2"},
		{"num", "decimal NaN", ""},
		{"f", "float 0.1", "1"},
		{"at", "timestamp 2024-01-02T03:04:05.000001", "1"},
		{"at", "timestamp 2024-01-02T03:04:05.0000014", ""},
		{"at", "timestamp infinity", ""},
		{"e", "text a", "1"},
		{"j", `json {"a":1}`, "1"},
	} {
		rows, err := source.Query(t.Context(), connect.Selection{
			Table: connect.TableName{Name: "q"}, Columns: []string{"id"}, Limit: 10,
			Where: []connect.Condition{{Column: tt.column, Op: connect.OpIn, Values: connecttest.R(tt.value)}},
		})
		got := ""
		for _, row := range rows {
			got += row[0].Text
		}
		if err != nil || got != tt.want {
			t.Errorf("%s = %s gives rows %q, %v, want %q", tt.column, tt.value, got, err, tt.want)
		}
	}
	// And in the order of bytes, also by an enum, whose own order is that of its list.
	for column, want := range map[string]string{"t": "4213", "e": "12"} {
		var got string
		for _, row := range connecttest.All(t, source, connect.Selection{
			Table: connect.TableName{Name: "q"}, Columns: []string{"id"}, OrderBy: []string{column},
			Where: []connect.Condition{{Column: column, Op: connect.OpAfter, Values: connecttest.R("text ")}},
		}) {
			got += row[0].Text
		}
		if got != want {
			t.Errorf("in the order of %s: %s, want %s", column, got, want)
		}
	}
}

// TestQueryFollowsItsTable: what is known of a table serves queries for a moment; a change
// of the table within that moment spoils none.
func TestQueryFollowsItsTable(t *testing.T) {
	url := mariatest.URL(t, "follows")
	execSQL(t, url, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 7)")
	source := connecttest.Source(t, url)
	sel := connect.Selection{
		Table: connect.TableName{Name: "t"}, Columns: []string{"v"}, Limit: 1,
		Where: []connect.Condition{{Column: "id", Op: connect.OpIn, Values: connecttest.R("integer 1")}},
	}
	want := func(step, v string) {
		t.Helper()
		for range 2 {
			rows, err := source.Query(t.Context(), sel)
			if diff := connecttest.Diff([]connect.Row{connecttest.R(v)}, rows); err != nil || diff != "" {
				t.Fatalf("%s: %v %s", step, err, diff)
			}
		}
	}
	want("at first", "integer 7")
	execSQL(t, url, "ALTER TABLE t MODIFY v varchar(20)", "UPDATE t SET v = 'seven'")
	want("another type", "text seven")
	execSQL(t, url, "DROP TABLE t", "CREATE TABLE t (v date, id bigint PRIMARY KEY)", "INSERT INTO t VALUES ('2024-01-02', 1)")
	want("another table", "date 2024-01-02")
	execSQL(t, url, "ALTER TABLE t DROP v")
	if _, err := source.Query(t.Context(), sel); !errors.Is(err, connect.ErrNoColumn) {
		t.Errorf("a column that is gone was read: %v", err)
	}
}

// TestMergeNeedsAnExactKey: where MySQL would overwrite another row than the key's.
func TestMergeNeedsAnExactKey(t *testing.T) {
	url := mariatest.URL(t, "merge")
	execSQL(t, url, "CREATE TABLE loose (id varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, v text)",
		"CREATE TABLE twice (id varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin PRIMARY KEY, v varchar(20) UNIQUE)")
	sink := connecttest.Sink(t, url)
	target := connect.Target{Table: connect.TableName{Name: "loose"}, Columns: connecttest.Columns("id text!", "v text"), PrimaryKey: []string{"id"}, Mode: connect.Merge, Delivery: "1"}
	if _, err := sink.Begin(t.Context(), target); !errors.Is(err, connect.ErrTargetDiffers) {
		t.Errorf("a key that knows no case: %v", err)
	}
	target.Mode = connect.Append
	if _, err := connecttest.Load(t.Context(), sink, target, connecttest.R("text a", ""), connecttest.R("text A", "")); !errors.Is(err, connect.ErrConflict) {
		t.Errorf("two keys that the table takes for one: %v", err)
	}
	target.Mode, target.Table.Name = connect.Merge, "twice"
	if _, err := sink.Begin(t.Context(), target); !errors.Is(err, connect.ErrTargetDiffers) {
		t.Errorf("a second unique index: %v", err)
	}
	// Tables of ours keep apart what differs by blanks or case.
	target.Table.Name = "ours"
	rows := []connect.Row{connecttest.R("text A", ""), connecttest.R("text a", ""), connecttest.R("text a ", "")}
	connecttest.MustLoad(t, sink, target, rows...)
	if diff := connecttest.Diff(rows, connecttest.All(t, connecttest.Source(t, url), connect.Selection{Table: target.Table, Columns: []string{"id", "v"}})); diff != "" {
		t.Error(diff)
	}
}

func TestManyRowsAreEstimated(t *testing.T) {
	url := mariatest.URL(t, "many")
	execSQL(t, url, "CREATE TABLE many (n int PRIMARY KEY)", "INSERT INTO many SELECT seq FROM seq_1_to_150000", "ANALYZE TABLE many")
	f, err := connecttest.Source(t, url).Freshness(t.Context(), connect.TableName{Name: "many"}, "n")
	if err != nil || !f.Estimated || f.Rows < 120_000 || f.Rows > 180_000 || f.Watermark != connecttest.V("integer 150000") {
		t.Errorf("%+v, %v", f, err)
	}
}
