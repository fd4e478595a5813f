package files

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
)

func TestMain(m *testing.M) { connecttest.Main(m) }

func TestConformanceOfCSV(t *testing.T)     { connecttest.Run(t, database("csv", csvNative)) }
func TestConformanceOfParquet(t *testing.T) { connecttest.Run(t, database("parquet", parquetNative)) }

func dirOf(url string) string {
	_, dir, _ := strings.Cut(url, ":")
	return dir
}

// exec does what a department's own programs and people do in a folder:
//
//	lay NAME JSON     an empty table with this schema file
//	put NAME TEXT     a file
//	remove NAME       a table and its schema file
//	update, insert    as connecttest asks
func exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	form := writtenForm(csvForm{})
	if strings.HasPrefix(url, "parquet:") {
		form = parquetForm{}
	}
	for i, s := range statements {
		verb, rest, _ := strings.Cut(s, " ")
		name, text, _ := strings.Cut(rest, " ")
		switch verb {
		case "lay":
			lay(t, url, form, name, text)
		case "put":
			put(t, filepath.Join(dirOf(url), name), text)
		case "remove":
			for _, end := range []string{form.suffix(), schemaSuffix} {
				if err := os.Remove(filepath.Join(dirOf(url), name+end)); err != nil {
					t.Fatal(err)
				}
			}
		case "native":
			writeNative(t, filepath.Join(dirOf(url), "native.parquet"))
		case "update":
			update(t, url)
		case "insert":
			target := connect.Target{Table: connect.TableName{Name: "firm"}, Columns: connecttest.Columns("code text!"), Mode: connect.Append, Delivery: fmt.Sprint("own/", i)}
			connecttest.MustLoad(t, connecttest.Sink(t, url), target, connecttest.R("text 91110108A"))
		default:
			t.Fatalf("unknown statement %q", s)
		}
	}
}

// put writes a file as careful programs do: another one, that gets the name.
func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func lay(t testing.TB, url string, form writtenForm, name, declared string) {
	t.Helper()
	d, err := parseDeclared(strings.NewReader(declared))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dirOf(url), name)
	f, err := os.Create(path + form.suffix())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var columns []connect.Column
	for i, c := range d.Columns {
		columns = append(columns, c.columnOf(i+1))
	}
	w, err := form.write(f, columns)
	if err == nil {
		err = w.end()
	}
	if err != nil {
		t.Fatal(err)
	}
	put(t, path+schemaSuffix, declared)
}

// update writes the table "snap" anew, each v one more.
func update(t testing.TB, url string) {
	t.Helper()
	columns := connecttest.Columns("id integer!", "v integer", "pad text")
	target := connect.Target{Table: connect.TableName{Name: "snap"}, Columns: columns, PrimaryKey: []string{"id"}, Mode: connect.Replace, Delivery: fmt.Sprint("update/", updates)}
	updates++
	rows := connecttest.All(t, connecttest.Source(t, url), connect.Selection{Table: target.Table, Columns: connecttest.Names(columns)})
	for _, row := range rows {
		var n int
		_, _ = fmt.Sscan(row[1].Text, &n)
		row[1] = connect.IntegerValue(int64(n + 1))
	}
	connecttest.MustLoad(t, connecttest.Sink(t, url), target, rows...)
}

var updates int

// firm is the schema file of connecttest's table, with one thing replaced.
func firm(replace ...string) string {
	text := `{"key":["code"],"columns":[{"name":"code","kind":"text","maxLength":18,"required":true},` +
		`{"name":"name","kind":"text","maxLength":50},{"name":"opened","kind":"date"},{"name":"n","kind":"integer"}]}`
	next := strings.NewReplacer(replace...).Replace(text)
	if next == text && len(replace) > 0 {
		panic("nothing was replaced")
	}
	return "lay firm " + next
}

func database(scheme string, native connecttest.Native) connecttest.Database {
	return connecttest.Database{
		New: func(t testing.TB) string {
			dir := filepath.Join(t.TempDir(), "部门 #1%")
			if err := os.Mkdir(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			return scheme + ":" + dir
		},
		Exec:    exec,
		NoViews: true, Update: "update", Insert: "insert", Native: native,
		DDL: map[string][]string{
			"setup":         {firm(), `lay extra {"columns":[{"name":"a","kind":"integer","required":true}]}`},
			"rename":        {firm(`"name":"name"`, `"name":"title"`)},
			"widen":         {firm("50", "80")},
			"narrow":        {firm("50", "18")},
			"type":          {firm("integer", "text")},
			"key":           {firm(`"key":["code"],`, "")},
			"set not null":  {firm(`"maxLength":50`, `"maxLength":50,"required":true`)},
			"drop not null": {`lay extra {"columns":[{"name":"a","kind":"integer"}]}`},
			"drop column":   {firm(`{"name":"opened","kind":"date"},`, "")},
			"drop table":    {"remove extra"},
			"rename table":  {"remove extra", `lay other {"columns":[{"name":"a","kind":"integer","required":true}]}`},
			"add table":     {`lay other {"columns":[{"name":"b","kind":"text"}]}`},
			"add nullable":  {firm(`"integer"}`, `"integer"},{"name":"phone","kind":"text"}`)},
			"comment":       {firm(`"key"`, `"comment":"企业","key"`, `"maxLength":50`, `"maxLength":50,"comment":"名称"`)},
		},
	}
}

// csvNative has no schema file: all is inferred.
var csvNative = connecttest.Native{
	Create: []string{"put native.csv \xef\xbb\xbfid,code,big,money,flag,day,at,moment,mixed,empty,quoted\r\n" +
		"1,007,12345678901234567890,12.50,true,2024-01-02,2024-01-02 03:04:05,2024-01-02T03:04:05+08:00,1,,\"\"\r\n" +
		"\r\n,,,,,,,,,,\r\n" +
		"2,8,-1,0.1,FALSE,2024/1/3,2024/1/2 3:04,2024-01-02 03:04:05.5Z,\"a\r\n\"\"b\"\"\",,x\r\n" +
		"3,,,,,,,,,,"},
	Columns: []string{"id", "code", "big", "money", "flag", "day", "at", "moment", "mixed", "empty", "quoted"},
	Kinds: []connect.Kind{
		connect.Integer, connect.Text, connect.Decimal, connect.Decimal, connect.Boolean, connect.Date, connect.Timestamp, connect.Instant, connect.Text, connect.Text, connect.Text,
	},
	Rows: []connect.Row{
		connecttest.R("integer 1", "text 007", "decimal 12345678901234567890", "decimal 12.50", "boolean true", "date 2024-01-02", "timestamp 2024-01-02T03:04:05", "instant 2024-01-01T19:04:05Z", "text 1", "", "text "),
		connecttest.R("integer 2", "text 8", "decimal -1", "decimal 0.1", "boolean false", "date 2024-01-03", "timestamp 2024-01-02T03:04:00", "instant 2024-01-02T03:04:05.5Z", "text a\r\n\"b\"", "", "text x"),
		connecttest.R("integer 3", "", "", "", "", "", "", "", "", "", ""),
	},
}

func TestDeclaredFilesAreClosedDocuments(t *testing.T) {
	for _, bad := range []string{`{"colums":[]}`, `{"columns":[{"name":"a"}]}`, `{"columns":[{"name":"a","kind":"number"}]}`, `{} {}`, `[`, `{"encoding":"latin-9"}`, `{"delimiter":"ab"}`} {
		if d, err := parseDeclared(strings.NewReader(bad)); err == nil {
			text, _ := json.Marshal(d)
			t.Errorf("%s was read as %s", bad, text)
		}
	}
}
