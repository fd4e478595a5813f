package connecttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mulian/gateway/connect"
)

// V makes a value from "kind text"; "" is NULL.
func V(s string) connect.Value {
	if s == "" {
		return connect.Null
	}
	kind, text, _ := strings.Cut(s, " ")
	v := connect.Value{Text: text}
	if err := v.Kind.UnmarshalText([]byte(kind)); err != nil {
		panic(err)
	}
	return v
}

// R makes a row from values as in V.
func R(values ...string) connect.Row {
	var row connect.Row
	for _, s := range values {
		row = append(row, V(s))
	}
	return row
}

// EveryKind are the columns of a table with a column of each kind.
var EveryKind = Columns("id integer!", "text text", "integer integer", "decimal decimal", "boolean boolean", "date date",
	"timestamp timestamp", "instant instant", "bytes bytes", "float float", "json json")

// EdgeRows are rows of EveryKind that are easily spoilt.
func EdgeRows() []connect.Row {
	return []connect.Row{
		R("integer 1", "text 北京市海淀区", "integer 42", "decimal 12.50", "boolean true", "date 2024-02-29", "timestamp 2024-01-02T03:04:05", "instant 2024-01-02T03:04:05Z", "bytes ab", "float 0.1", `json {"a": [1, 2]}`),
		R("integer 2", "", "", "", "", "", "", "", "", "", ""),
		R("integer 3", "text ", "integer 0", "decimal 0", "boolean false", "date 0001-01-01", "timestamp 0001-01-01T00:00:00", "instant 0001-01-01T00:00:00Z", "bytes ", "float 0", "json null"),
		R("integer 4", "text a\tb\nc\r\\N\\.\"'`", "integer -9223372036854775808", "decimal -12345678901234567890123456789.123456789012345678900", "boolean true", "date 9999-12-31", "timestamp 9999-12-31T23:59:59.999999", "instant 9999-12-31T23:59:59.999999Z", "bytes \x00\xff\\x\n\t", "float 5e-324", `json "\u0000\"\\"`),
		R("integer 5", "text 𠮷野家👨‍👩‍👧\u200b\u202e\ufeff é é", "integer 9223372036854775807", "decimal 0.000000000000000000000000000001", "boolean false", "date 1582-10-10", "timestamp 1970-01-01T00:00:00.000001", "instant 1900-01-01T00:00:00Z", "bytes \\", "float 1.7976931348623157e+308", "json  1e2 "),
		R("integer 6", "text \\N", "integer 1", "decimal 100", "boolean true", "date 2024-01-02", "timestamp 2024-01-02T03:04:05.1", "instant 2024-01-02T03:04:05.12345Z", "bytes \\N", "float -1.5", "json []"),
		R("integer 7", "text  blanks at both ends  ", "integer -1", "decimal -0.01", "boolean false", "date infinity", "timestamp infinity", "instant -infinity", "bytes \xe4\xba", "float infinity", `json {"b":1,"a":2,"b":3}`),
		R("integer 8", "text 12", "integer 7", "decimal NaN", "boolean true", "date -infinity", "timestamp -infinity", "instant infinity", "bytes 12", "float -infinity", `json 123`),
	}
}

func testRoundTrip(t *testing.T, db Database) {
	a, b := db.New(t), db.New(t)
	target := connect.Target{Table: table("edge"), Columns: EveryKind, PrimaryKey: []string{"id"}, Mode: connect.Replace, Delivery: "agreement-1/1"}
	rows, lacked := db.holds(EdgeRows())
	MustLoad(t, db.sink(t, a), target, rows...)
	sel := connect.Selection{Table: table("edge"), Columns: Names(EveryKind)}
	if diff := Diff(rows, All(t, Source(t, a), sel)); diff != "" {
		t.Error(diff)
	}
	for at, v := range lacked {
		row := slices.Clone(rows[at[0]])
		row[0], row[at[1]] = connect.IntegerValue(100), v
		refused := target
		refused.Mode, refused.Delivery = connect.Append, fmt.Sprintf("lacked/%d/%d", at[0], at[1])
		_, err := Load(t.Context(), db.sink(t, a), refused, row)
		if ve := (*connect.ValueError)(nil); !errors.As(err, &ve) || ve.Column != EveryKind[at[1]].Name || ve.Row != 1 {
			t.Errorf("%s that the database lacks, in row %d: %v, want a ValueError for its column", v.Kind, at[0]+1, err)
		}
	}
	// And once more, from what the database made of it.
	if _, err := Copy(t.Context(), Source(t, a), sel, db.sink(t, b), target); err != nil {
		t.Fatal(err)
	}
	if diff := Diff(rows, All(t, Source(t, b), sel)); diff != "" {
		t.Error("second database: " + diff)
	}
	schema, err := Source(t, b).Inspect(t.Context())
	if err != nil || len(schema.Tables) != 1 {
		t.Fatalf("Inspect: %v, %v", schema, err)
	}
	for i, c := range schema.Tables[0].Columns {
		if want := EveryKind[i]; c.Name != want.Name || c.Kind != want.Kind || c.Nullable != want.Nullable {
			t.Errorf("column %s %s nullable=%v, want %s %s nullable=%v", c.Name, c.Kind, c.Nullable, want.Name, want.Kind, want.Nullable)
		}
	}
	// The longest value that is carried.
	long := connect.Row{connect.IntegerValue(1), connect.TextValue(strings.Repeat("长", connect.MaxValueBytes/3))}
	wide := connect.Target{Table: table("long"), Columns: Columns("id integer!", "v text"), PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "agreement-1/2"}
	MustLoad(t, db.sink(t, a), wide, long)
	if diff := Diff([]connect.Row{long}, All(t, Source(t, a), connect.Selection{Table: table("long"), Columns: []string{"id", "v"}})); diff != "" {
		t.Error(diff)
	}
}

func testNative(t *testing.T, db Database) {
	url := db.New(t)
	db.Exec(t, url, db.Native.Create...)
	source := Source(t, url)
	schema, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range db.Native.Columns {
		c, ok := schema.Tables[0].Column(name)
		if !ok || c.Kind != db.Native.Kinds[i] {
			t.Errorf("column %s (%s) has kind %s, want %s", name, c.Type, c.Kind, db.Native.Kinds[i])
		}
	}
	got := All(t, source, connect.Selection{Table: table("native"), Columns: db.Native.Columns, OrderBy: db.Native.Columns[:1]})
	if diff := Diff(db.Native.Rows, got); diff != "" {
		t.Error(diff)
	}
}

func testValueErrors(t *testing.T, db Database) {
	url := db.New(t)
	sink := db.sink(t, url)
	columns := Columns("id integer!", "text text", "date date", "n integer", "b bytes")
	good := R("integer 1", "text a", "date 2024-01-01", "integer 1", "bytes a")
	for name, tt := range map[string]struct {
		column string
		bad    connect.Row
	}{
		// What no page can hold, the page refuses: it counts columns and knows no names.
		"NUL in text":       {"#2", R("integer 2", "text a\x00b", "", "", "")},
		"no UTF-8":          {"#2", R("integer 2", "text \xff", "", "", "")},
		"too long":          {"#2", connect.Row{V("integer 2"), connect.TextValue(strings.Repeat("a", connect.MaxValueBytes+1)), {}, {}, {}}},
		"text for a date":   {"date", R("integer 2", "", "text 2024-01-01", "", "")},
		"no such day":       {"#3", R("integer 2", "", "date 2023-02-29", "", "")},
		"beyond 64 bits":    {"n", R("integer 2", "", "", "integer 9223372036854775808", "")},
		"NULL in a key":     {"id", R("", "", "", "", "")},
		"bytes for a text":  {"text", R("integer 2", "bytes a", "", "", "")},
		"boolean for bytes": {"b", R("integer 2", "", "", "", "boolean true")},
	} {
		target := connect.Target{Table: table("bad"), Columns: columns, PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "d"}
		_, err := Load(t.Context(), sink, target, good, tt.bad)
		var ve *connect.ValueError
		if !errors.As(err, &ve) || ve.Column != tt.column || ve.Row != 2 {
			t.Errorf("%s: error %v, want a ValueError for column %s, row 2", name, err, tt.column)
		}
	}
	if schema, err := Source(t, url).Inspect(t.Context()); err != nil || len(schema.Tables) != 0 {
		t.Errorf("refused loads left %v, %v", schema, err)
	}
}

// hostile are names that break what is not quoted. They differ by more than case,
// which SQLite does not see.
var hostile = []string{`统一社会信用代码`, `a"b`, `a'b`, `a b;--`, `SELECT`, `A`, `$1`, `?1`, `%s`, `a\b`, `列，名`}

func testShapes(t *testing.T, db Database) {
	url := db.New(t)
	sink, source := db.sink(t, url), Source(t, url)
	for i, name := range hostile[:5] {
		var columns []connect.Column
		var row connect.Row
		for _, c := range hostile {
			columns = append(columns, connect.Column{Name: c, Kind: connect.Text, Nullable: true})
			row = append(row, connect.TextValue(c))
		}
		target := connect.Target{Table: table(name), Columns: columns, PrimaryKey: []string{`a"b`, "A"}, Mode: connect.Merge, Delivery: fmt.Sprint("hostile/", i)}
		MustLoad(t, sink, target, row, row)
		sel := connect.Selection{Table: table(name), Columns: hostile, Where: []connect.Condition{{Column: `a b;--`, Op: connect.OpIn, Values: []connect.Value{V("text a b;--")}}}}
		if diff := Diff([]connect.Row{row}, All(t, source, sel)); diff != "" {
			t.Errorf("table %s: %s", name, diff)
		}
	}
	widest := cmp.Or(db.Widest, connect.MaxColumns)
	var wide []connect.Column
	for i := range connect.MaxColumns {
		wide = append(wide, connect.Column{Name: fmt.Sprint("c", i), Kind: connect.Text, Nullable: true})
	}
	if widest < connect.MaxColumns {
		if _, err := Load(t.Context(), sink, connect.Target{Table: table("wider"), Columns: wide, Mode: connect.Append, Delivery: "too-wide"}); !errors.Is(err, connect.ErrTooLarge) {
			t.Errorf("%d columns, where %d are the most: %v", len(wide), widest, err)
		}
		wide = wide[:widest]
	}
	row := make(connect.Row, widest)
	for i := range row {
		if i%3 > 0 {
			row[i] = connect.TextValue("x")
		}
	}
	MustLoad(t, sink, connect.Target{Table: table("wide"), Columns: wide, Mode: connect.Append, Delivery: "wide"}, row)
	if diff := Diff([]connect.Row{row}, All(t, source, connect.Selection{Table: table("wide"), Columns: Names(wide)})); diff != "" {
		t.Error(diff)
	}
	for len(wide) <= connect.MaxColumns {
		wide = append(wide, connect.Column{Name: fmt.Sprint("more", len(wide)), Kind: connect.Text})
	}
	if _, err := Load(t.Context(), sink, connect.Target{Table: table("wider"), Columns: wide, Mode: connect.Append, Delivery: "wider"}); !errors.Is(err, connect.ErrTooLarge) {
		t.Errorf("%d columns: %v", len(wide), err)
	}
	// No rows: the table is there all the same.
	r := MustLoad(t, sink, connect.Target{Table: table("none"), Columns: Columns("a text"), Mode: connect.Append, Delivery: "none"})
	if got := All(t, source, connect.Selection{Table: table("none"), Columns: []string{"a"}}); r.Rows != 0 || len(got) != 0 {
		t.Errorf("%d rows loaded, %d scanned, want none", r.Rows, len(got))
	}
}

func testQuery(t *testing.T, db Database) {
	url := db.New(t)
	columns := Columns("code text!", "district text", "at timestamp", "n integer")
	target := connect.Target{Table: table("firm"), Columns: columns, PrimaryKey: []string{"code"}, Mode: connect.Append, Delivery: "q"}
	rows := []connect.Row{
		R("text 91110108A", "text 海淀", "timestamp 2024-01-01T10:00:00", "integer 1"),
		R("text 91110108B", "text 海淀", "timestamp 2024-01-01T10:00:00.5", "integer 2"),
		R("text 91110105C", "text 朝阳", "timestamp 2024-01-02T00:00:00", "integer 3"),
		R("text ' OR 1=1 --", "text 朝阳", "", "integer 4"),
	}
	MustLoad(t, db.sink(t, url), target, rows...)
	source := Source(t, url)
	in := func(column string, values ...string) connect.Condition {
		return connect.Condition{Column: column, Op: connect.OpIn, Values: R(values...)}
	}
	for name, tt := range map[string]struct {
		where []connect.Condition
		limit int
		want  []connect.Row
	}{
		"one key":            {[]connect.Condition{in("code", "text 91110108B")}, 10, rows[1:2]},
		"two keys":           {[]connect.Condition{in("code", "text 91110108A", "text 91110105C", "text 没有")}, 10, []connect.Row{rows[2], rows[0]}},
		"two columns":        {[]connect.Condition{in("district", "text 海淀"), in("n", "integer 2", "integer 3")}, 10, rows[1:2]},
		"nothing":            {[]connect.Condition{in("code", "text 没有")}, 10, nil},
		"limit":              {[]connect.Condition{in("district", "text 海淀")}, 1, rows[:1]},
		"a value, no SQL":    {[]connect.Condition{in("code", "text ' OR 1=1 --")}, 10, rows[3:]},
		"NULL is never in":   {[]connect.Condition{in("at", "timestamp 2024-01-02T00:00:00")}, 10, rows[2:3]},
		"after, by the time": {[]connect.Condition{in("district", "text 海淀", "text 朝阳"), {Column: "at", Op: connect.OpAfter, Values: R("timestamp 2024-01-01T10:00:00")}}, 10, []connect.Row{rows[2], rows[1]}},
	} {
		got, err := source.Query(t.Context(), connect.Selection{Table: table("firm"), Columns: Names(columns), Where: tt.where, OrderBy: []string{"code"}, Limit: tt.limit})
		if diff := Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	key := []connect.Condition{in("code", "text 91110108A")}
	for name, tt := range map[string]struct {
		sel  connect.Selection
		want error
	}{
		"no key":            {connect.Selection{Table: table("firm"), Columns: []string{"n"}, Limit: 1}, connect.ErrInvalid},
		"no limit":          {connect.Selection{Table: table("firm"), Columns: []string{"n"}, Where: key}, connect.ErrInvalid},
		"no columns":        {connect.Selection{Table: table("firm"), Where: key, Limit: 1}, connect.ErrInvalid},
		"key is NULL":       {connect.Selection{Table: table("firm"), Columns: []string{"n"}, Where: []connect.Condition{in("code", "")}, Limit: 1}, connect.ErrInvalid},
		"unknown table":     {connect.Selection{Table: table("没有"), Columns: []string{"n"}, Where: key, Limit: 1}, connect.ErrNoTable},
		"unknown column":    {connect.Selection{Table: table("firm"), Columns: []string{"没有"}, Where: key, Limit: 1}, connect.ErrNoColumn},
		"unknown condition": {connect.Selection{Table: table("firm"), Columns: []string{"n"}, Where: []connect.Condition{in("没有", "text a")}, Limit: 1}, connect.ErrNoColumn},
	} {
		if got, err := source.Query(t.Context(), tt.sel); !errors.Is(err, tt.want) {
			t.Errorf("%s: %d rows, %v, want %v", name, len(got), err, tt.want)
		}
	}
	if err := source.Scan(t.Context(), connect.Selection{Table: table("没有"), Columns: []string{"n"}}, nil); !errors.Is(err, connect.ErrNoTable) {
		t.Errorf("scan of no table: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Query(ctx, connect.Selection{Table: table("firm"), Columns: []string{"n"}, Where: key, Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("query after its context's end: %v", err)
	}
}

func testErrors(t *testing.T, db Database) {
	url := db.New(t)
	const secret = "11010519491231002X"
	columns := Columns("id text!", "n integer")
	target := connect.Target{Table: table("person"), Columns: columns, PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "p1"}
	sink := db.sink(t, url)
	row := R("text "+secret, "integer 1")
	MustLoad(t, sink, target, row)
	target.Delivery = "p2"
	_, err := Load(t.Context(), sink, target, row)
	if !errors.Is(err, connect.ErrConflict) || strings.Contains(err.Error(), secret) {
		t.Errorf("equal key: %v", err)
	}
	target.Delivery = "p3"
	if _, err = Load(t.Context(), sink, target, R("text a", "text "+secret)); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("wrong kind: %v", err)
	}
	if _, err := Source(t, url).Query(t.Context(), connect.Selection{
		Table: table("person"), Columns: []string{"id"}, Limit: 1,
		Where: []connect.Condition{{Column: "n", Op: connect.OpIn, Values: R("text " + secret)}},
	}); err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("wrong kind in a condition: %v", err)
	}
}
