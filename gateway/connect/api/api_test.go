package api

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	_ "mulian/gateway/connect/sqlite"
)

// office is a department's interface over a SQLite file: an OpenAPI document of its
// tables at /openapi.json, and GET /t/TABLE with pages. Tables with a key have pages by
// cursor, others by offset; code, district and n may be asked for by value.
type office struct {
	file   string
	source connect.Source
}

// offices is where the suite's URLs lead.
var offices sync.Map

func newOffice(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	o := &office{file: filepath.Join(dir, "office.db")}
	execOffice(t, o, "PRAGMA journal_mode(WAL)")
	o.source = connecttest.Source(t, "sqlite:"+o.file)
	srv := httptest.NewTLSServer(o)
	t.Cleanup(srv.Close)
	return mappingFor(t, srv, "", o)
}

// mappingFor writes a mapping for the server and returns its URL.
func mappingFor(t testing.TB, srv *httptest.Server, more string, o *office) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "部门.yaml")
	write(t, filepath.Join(dir, "ca.pem"), string(pemOf(srv)))
	write(t, path, "openapi: "+srv.URL+"/openapi.json\nserver: "+srv.URL+"\nca: ca.pem\n"+more)
	offices.Store("api:"+path, o)
	return "api:" + path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func execOffice(t testing.TB, o *office, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", o.file)
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

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	schema, err := o.source.Inspect(r.Context())
	if err != nil {
		http.Error(w, "database", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.URL.Path == "/openapi.json" {
		_, _ = w.Write([]byte(describeOffice(schema)))
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/t/")
	t, ok := schema.Table(connect.TableName{Name: name})
	if !ok {
		http.NotFound(w, r)
		return
	}
	o.page(w, r, t)
}

const officePage = 1000

func (o *office) page(w http.ResponseWriter, r *http.Request, t connect.Table) {
	sel := connect.Selection{Table: t.TableName, Columns: connecttest.Names(t.Columns), Limit: officePage}
	for _, c := range t.Columns {
		if v := r.URL.Query().Get("is-" + url.QueryEscape(c.Name)); v != "" {
			sel.Where = append(sel.Where, connect.Condition{Column: c.Name, Op: connect.OpIn, Values: []connect.Value{{Kind: c.Kind, Text: v}}})
		}
	}
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	if cursor, err := base64.StdEncoding.DecodeString(r.URL.Query().Get("cursor")); err == nil && len(cursor) > 0 {
		var key [][2]string
		_ = json.Unmarshal(cursor, &key)
		for _, k := range key {
			n, _ := strconv.Atoi(k[0])
			sel.After = append(sel.After, connect.Value{Kind: connect.Kind(n), Text: k[1]})
		}
	}
	sel.Limit += offset
	var key [][2]string
	n := 0
	_, _ = w.Write([]byte(`{"items":[`))
	_ = o.source.Scan(r.Context(), sel, func(b connect.Batch) error {
		for _, row := range b.Rows {
			if n++; n <= offset {
				continue
			}
			if n > offset+1 {
				_, _ = w.Write([]byte(","))
			}
			_, _ = w.Write([]byte(recordOf(t.Columns, row)))
		}
		key = nil
		for _, v := range b.Last {
			key = append(key, [2]string{strconv.Itoa(int(v.Kind)), v.Text})
		}
		return nil
	})
	next := "null"
	if len(t.PrimaryKey) > 0 && n == officePage {
		text, _ := json.Marshal(key)
		next = `"` + base64.StdEncoding.EncodeToString(text) + `"`
	}
	fmt.Fprintf(w, `],"meta":{"next":%s}}`, next)
}

func recordOf(columns []connect.Column, row connect.Row) string {
	var parts []string
	for i, v := range row {
		name, _ := json.Marshal(columns[i].Name)
		text := "null"
		switch {
		case v.IsNull():
		case v.Kind == connect.Integer, v.Kind == connect.Boolean, v.Kind == connect.Float && !strings.HasSuffix(v.Text, "infinity"):
			text = v.Text
		case v.Kind == connect.Bytes:
			text = `"` + base64.StdEncoding.EncodeToString([]byte(v.Text)) + `"`
		default:
			b, _ := json.Marshal(v.Text)
			text = string(b)
		}
		parts = append(parts, string(name)+":"+text)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// describeOffice is the OpenAPI document of the office's tables.
func describeOffice(s *connect.Schema) string {
	paths := map[string]any{}
	for _, t := range s.Tables {
		props := orderedJSON{}
		var required []string
		params := map[string]string{}
		for _, c := range t.Columns {
			p := map[string]any{"x-mulian-kind": c.Kind.String()}
			switch c.Kind {
			case connect.Integer:
				p["type"] = []string{"integer", "null"}
			case connect.Boolean:
				p["type"] = []string{"boolean", "null"}
			case connect.Float:
				p["type"] = []string{"number", "string", "null"}
			default:
				p["type"] = []string{"string", "null"}
			}
			if !c.Nullable {
				required = append(required, c.Name)
				p["type"] = p["type"].([]string)[:len(p["type"].([]string))-1]
			}
			if _, n, ok := strings.Cut(c.Type, "("); ok && c.Kind == connect.Text {
				p["maxLength"], _ = strconv.Atoi(strings.TrimSuffix(n, ")"))
			}
			if c.HasDefault && !strings.EqualFold(c.Type, "INTEGER") {
				p["default"] = "x"
			}
			props = append(props, [2]any{c.Name, p})
			if c.Name == "code" || c.Name == "district" {
				params[c.Name] = "is-" + c.Name
			}
		}
		item := map[string]any{"type": "object", "properties": props}
		if required != nil {
			item["required"] = required
		}
		paging := map[string]any{"kind": "offset"}
		if len(t.PrimaryKey) > 0 {
			paging = map[string]any{"kind": "cursor", "next": "/meta/next"}
		}
		paths["/t/"+url.PathEscape(t.Name)] = map[string]any{"get": map[string]any{
			"x-mulian-table": t.Name, "x-mulian-key": t.PrimaryKey, "x-mulian-paging": paging, "x-mulian-params": params,
			"responses": map[string]any{"200": map[string]any{"description": "rows", "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{
				"type": "object", "properties": map[string]any{"items": map[string]any{"type": "array", "items": item}, "meta": map[string]any{"type": "object"}},
			}}}}},
		}}
	}
	text, err := json.Marshal(map[string]any{"openapi": "3.1.0", "info": map[string]any{"title": "office", "version": "1"}, "paths": paths})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// orderedJSON is an object whose members keep their order.
type orderedJSON [][2]any

// MarshalJSON implements json.Marshaler.
func (o orderedJSON) MarshalJSON() ([]byte, error) {
	var parts []string
	for _, m := range o {
		k, err := json.Marshal(m[0])
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(m[1])
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(k)+":"+string(v))
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

func TestMain(m *testing.M) { connecttest.Main(m) }

func TestConformance(t *testing.T) {
	at := func(t testing.TB, u string) *office {
		o, ok := offices.Load(u)
		if !ok {
			t.Fatalf("no office at %s", u)
		}
		return o.(*office)
	}
	const firm = `(code varchar(18) NOT NULL PRIMARY KEY, name varchar(50), opened date, n integer)`
	rebuild := func(columns string) []string {
		return []string{"CREATE TABLE fresh " + columns, "INSERT INTO fresh SELECT * FROM firm", "DROP TABLE firm", "ALTER TABLE fresh RENAME TO firm"}
	}
	connecttest.Run(t, connecttest.Database{
		New:    newOffice,
		Exec:   func(t testing.TB, u string, statements ...string) { execOffice(t, at(t, u), statements...) },
		Fill:   func(u string) string { o, _ := offices.Load(u); return "sqlite:" + o.(*office).file },
		Update: "UPDATE snap SET v = v + 1", NoViews: true,
		Native: connecttest.Native{
			Create: []string{
				`CREATE TABLE native (id INTEGER PRIMARY KEY, big DECIMAL_TEXT, j JSON_TEXT, f REAL)`,
				`INSERT INTO native VALUES (1, '12.50', ' {"a": 1.0}', 0.1), (2, '123456789012345678901234567890.1', '"x"', NULL)`,
			},
			Columns: []string{"id", "big", "j", "f"},
			Kinds:   []connect.Kind{connect.Integer, connect.Decimal, connect.JSON, connect.Float},
			Rows: []connect.Row{
				connecttest.R("integer 1", "decimal 12.50", `json  {"a": 1.0}`, "float 0.1"),
				connecttest.R("integer 2", "decimal 123456789012345678901234567890.1", `json "x"`, ""),
			},
		},
		DDL: map[string][]string{
			"setup":         {"CREATE TABLE firm " + firm, "CREATE TABLE extra (a integer NOT NULL)"},
			"rename":        {"ALTER TABLE firm RENAME COLUMN name TO title"},
			"widen":         rebuild(strings.Replace(firm, "50", "80", 1)),
			"narrow":        rebuild(strings.Replace(firm, "50", "18", 1)),
			"type":          rebuild(strings.Replace(firm, "n integer", "n text", 1)),
			"key":           rebuild(strings.Replace(firm, " PRIMARY KEY", "", 1)),
			"set not null":  rebuild(strings.Replace(firm, "varchar(50)", "varchar(50) NOT NULL", 1)),
			"default":       rebuild(strings.Replace(firm, "n integer", "n int DEFAULT 1", 1)),
			"drop not null": {"DROP TABLE extra", "CREATE TABLE extra (a integer)"},
			"drop column":   {"ALTER TABLE firm DROP COLUMN opened"},
			"drop table":    {"DROP TABLE extra"},
			"rename table":  {"ALTER TABLE extra RENAME TO other"},
			"add table":     {"CREATE TABLE other (b text)"},
			"add nullable":  {"ALTER TABLE firm ADD COLUMN phone text"},
		},
	})
}
