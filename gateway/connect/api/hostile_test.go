package api

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
)

func pemOf(srv *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
}

// plainDocument is one list and one record, with nested objects and a reference.
const plainDocument = `
openapi: 3.0.3
info: {title: t, version: "1"}
servers: [{url: SERVER}]
paths:
  /firms:
    get:
      operationId: firms
      parameters: [{name: page, in: query, schema: {type: integer}}, {name: secret, in: header, schema: {type: string}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: object, properties: {data: {type: array, items: {$ref: "#/components/schemas/Firm"}}, total: {type: integer}}}}}}
  /firms/{code}:
    get:
      operationId: firm
      parameters: [{name: code, in: path, required: true, schema: {type: string}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Firm"}}}}
  /search:
    post:
      operationId: search
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Firm"}}}}}
  /other:
    get:
      operationId: other
      parameters: [{name: must, in: query, required: true, schema: {type: string}}]
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Firm"}}}}}
components:
  schemas:
    Firm:
      type: object
      required: [code]
      properties:
        code: {type: string, maxLength: 18}
        capital: {type: number, nullable: true}
        kind: {type: string, enum: [a, b]}
        address:
          type: object
          properties: {city: {type: string}, geo: {type: object, properties: {x: {type: number, format: double}}}}
        tags: {type: array, items: {type: string}}
        opened: {type: string, format: date}
`

// serve starts a hostile or plain server and opens it as a source; more is of the mapping.
func serve(t testing.TB, h http.HandlerFunc, more string) (connect.Source, *httptest.Server) {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "doc.yaml"), strings.Replace(plainDocument, "SERVER", srv.URL, 1))
	write(t, filepath.Join(dir, "ca.pem"), string(pemOf(srv)))
	write(t, filepath.Join(dir, "token"), "geheim\n")
	write(t, filepath.Join(dir, "map.yaml"), "openapi: doc.yaml\nca: ca.pem\n"+more)
	source, err := connect.Open(t.Context(), "api:"+filepath.Join(dir, "map.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	quick(source)
	return source, srv
}

// quick makes the pauses of tests short.
func quick(s connect.Source) {
	s.(*source).last.client.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
}

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

func scanFirms(t testing.TB, s connect.Source, columns ...string) ([]connect.Row, error) {
	t.Helper()
	var out []connect.Row
	err := s.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: "firms"}, Columns: columns}, func(b connect.Batch) error {
		out = append(out, b.Rows...)
		return nil
	})
	return out, err
}

func TestOperationsBecomeTables(t *testing.T) {
	s, _ := serve(t, answer(`{"total":1,"data":[{"code":"A","capital":12.50,"kind":"a","address":{"city":"北京","geo":{"x":1e2}},"tags":["x", 1],"opened":"2024-01-02","more":1}]}`), "")
	schema, err := s.Inspect(t.Context())
	if err != nil || len(schema.Tables) != 2 || schema.Tables[0].Name != "firm" || schema.Tables[1].Name != "firms" {
		t.Fatalf("%+v, %v", schema, err)
	}
	again, err := s.Inspect(t.Context())
	if err != nil || again.Hash() != schema.Hash() {
		t.Errorf("two documents: %v", err)
	}
	var names []string
	for _, c := range schema.Tables[1].Columns {
		names = append(names, fmt.Sprint(c.Name, " ", c.Kind, " ", c.Type, " ", c.Nullable))
	}
	want := "code text varchar(18) false|capital decimal number true|kind text string true|address.city text string true|address.geo.x float number double true|tags json array true|opened date string date true"
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("columns\n%s\nwant\n%s", got, want)
	}
	got, err := scanFirms(t, s, "code", "capital", "kind", "address.city", "address.geo.x", "tags", "opened")
	if diff := connecttest.Diff([]connect.Row{connecttest.R("text A", "decimal 12.50", "text a", "text 北京", "float 100", `json ["x", 1]`, "date 2024-01-02")}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestQuestionsBecomeParameters(t *testing.T) {
	var asked []string
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery+" "+string(body)+" "+r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/firms/A/B":
			_, _ = io.WriteString(w, `{"code":"A/B"}`)
		case strings.HasPrefix(r.URL.Path, "/firms/"):
			http.NotFound(w, r)
		default:
			_, _ = io.WriteString(w, `[{"code":"A","kind":"a"},{"code":"wrong"}]`)
		}
	}
	s, _ := serve(t, h, `
auth: {kind: bearer, file: token}
tables:
  one: {operation: firm}
  found: {operation: POST /search, params: {code: q}, fixed: {lang: zh}}
`)
	ask := func(table string, values ...string) ([]connect.Row, error) {
		return s.Query(t.Context(), connect.Selection{
			Table: connect.TableName{Name: table}, Columns: []string{"code"}, Limit: 10,
			Where: []connect.Condition{{Column: "code", Op: connect.OpIn, Values: connecttest.R(values...)}},
		})
	}
	got, err := ask("one", "text A/B", "text none")
	if diff := connecttest.Diff([]connect.Row{connecttest.R("text A/B")}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	got, err = ask("found", "text A")
	if diff := connecttest.Diff([]connect.Row{connecttest.R("text A")}, got); err != nil || diff != "" {
		t.Errorf("an interface that answers with more is not believed: %v %s", err, diff)
	}
	want := []string{"GET /firms/A%2FB?  Bearer geheim", "GET /firms/none?  Bearer geheim", `POST /search? {"lang":"zh","q":"A"} Bearer geheim`}
	if fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("asked\n%q\nwant\n%q", asked, want)
	}
	for _, bad := range []string{"text ..", "text ."} {
		if _, err := ask("one", bad); !errors.Is(err, connect.ErrInvalid) || len(asked) != 3 {
			t.Errorf("%s in a path: %v", bad, err)
		}
	}
	if err := s.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: "one"}, Columns: []string{"code"}}, nil); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("a scan of single records: %v", err)
	}
}

func TestPagesAreReadToTheEnd(t *testing.T) {
	rows := func(from, to int) string {
		var out []string
		for i := from; i < min(to, 7); i++ {
			out = append(out, fmt.Sprintf(`{"code":"%d"}`, i))
		}
		return strings.Join(out, ",")
	}
	number := func(r *http.Request, name string) (n int) {
		_, _ = fmt.Sscan(r.URL.Query().Get(name), &n)
		return n
	}
	for name, tt := range map[string]struct {
		paging string
		h      http.HandlerFunc
	}{
		"page": {"{kind: page, param: p, size: 3}", func(w http.ResponseWriter, r *http.Request) {
			p := number(r, "p")
			fmt.Fprintf(w, `{"data":[%s]}`, rows(3*p-3, 3*p))
		}},
		"offset": {"{kind: offset, total: /total}", func(w http.ResponseWriter, r *http.Request) {
			o := number(r, "offset")
			fmt.Fprintf(w, `{"total":7,"data":[%s]}`, rows(o, o+2))
		}},
		"short pages": {"{kind: offset}", func(w http.ResponseWriter, r *http.Request) {
			o := number(r, "offset")
			fmt.Fprintf(w, `{"data":[%s]}`, rows(o, o+1))
		}},
		"cursor": {"{kind: cursor, param: after, next: /next}", func(w http.ResponseWriter, r *http.Request) {
			o, next := number(r, "after"), "null"
			if o+4 < 7 {
				next = fmt.Sprint(o + 4)
			}
			fmt.Fprintf(w, `{"next":%s,"data":[%s]}`, next, rows(o, o+4))
		}},
		"link": {"{kind: link}", func(w http.ResponseWriter, r *http.Request) {
			o := number(r, "o")
			if o+5 < 7 {
				w.Header().Set("Link", fmt.Sprintf(`</firms>; rel="first", <?o=%d>; rel="next"`, o+5))
			}
			fmt.Fprintf(w, `{"data":[%s]}`, rows(o, o+5))
		}},
	} {
		s, _ := serve(t, tt.h, "tables: {firms: {operation: firms, rows: /data, key: [code], paging: "+tt.paging+"}}")
		got, err := scanFirms(t, s, "code")
		if err != nil || len(got) != 7 || got[6][0].Text != "6" {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
	}
}

// TestHostileInterfaces: each ends with its error, in bounded time and memory.
func TestHostileInterfaces(t *testing.T) {
	var calls atomic.Int64
	endless := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[{"code":"`)
		block := strings.Repeat("x", 1<<20)
		for range 200 {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	}
	const paged = "tables: {firms: {operation: firms, rows: /data, paging: {kind: page}}}\nmax_pages: 20\n"
	for name, tt := range map[string]struct {
		h    http.HandlerFunc
		more string
		want error
	}{
		"a row without end": {endless, "", connect.ErrTooLarge},
		"pages without end": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"data":[{"code":"%d"}]}`, calls.Add(1))
		}, paged, connect.ErrTooLarge},
		"the same page always":  {answer(`{"data":[{"code":"1"}]}`), paged, connect.ErrInvalid},
		"a circle of cursors":   {answer(`{"data":[{"code":"1"}],"next":"a"}`), "tables: {firms: {operation: firms, rows: /data, paging: {kind: cursor, next: /next}}}", connect.ErrInvalid},
		"a total that is wrong": {answer(`{"data":[],"total":3}`), "tables: {firms: {operation: firms, rows: /data, paging: {kind: page, total: /total}}}", connect.ErrChanged},
		"a total that moves": {func(w http.ResponseWriter, _ *http.Request) {
			n := calls.Add(1)
			fmt.Fprintf(w, `{"data":[{"code":"%d"}],"total":%d}`, n, 50+n)
		}, "tables: {firms: {operation: firms, rows: /data, paging: {kind: page, total: /total}}}", connect.ErrChanged},
		"another state": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", fmt.Sprint(calls.Add(1)))
			if r.URL.Query().Get("page") == "2" {
				_, _ = io.WriteString(w, `{"data":[]}`)
				return
			}
			_, _ = io.WriteString(w, `{"data":[{"code":"1"}]}`)
		}, paged, connect.ErrChanged},
		"a next page elsewhere": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", `<https://example.org/>; rel="next"`)
			_, _ = io.WriteString(w, `{"data":[{"code":"1"}]}`)
		}, "tables: {firms: {operation: firms, rows: /data, paging: {kind: link}}}", connect.ErrDenied},
		"a redirect elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/firms", http.StatusFound)
		}, "", connect.ErrDenied},
		"no rights":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "", connect.ErrDenied},
		"always busy": {func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); w.WriteHeader(http.StatusTooManyRequests) }, "", connect.ErrUnreachable},
		"an hour to wait": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "", connect.ErrUnreachable},
		"broken": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "", connect.ErrUnreachable},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		}, "", connect.ErrInvalid},
		"no JSON":             {answer(`{"data":[{"code":}]}`), "", connect.ErrInvalid},
		"half an answer":      {answer(`{"data":[{"code":"1"}`), "", connect.ErrUnreachable},
		"more than an answer": {answer(`{"data":[]} {}`), "", connect.ErrInvalid},
		"never an answer":     {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout_seconds: 1\n", connect.ErrUnreachable},
		"a drop at a time": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"data":[`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "timeout_seconds: 1\n", connect.ErrUnreachable},
	} {
		s, _ := serve(t, tt.h, tt.more)
		if got, err := scanFirms(t, s, "code"); !errors.Is(err, tt.want) {
			t.Errorf("%s: %d rows, %v, want %v", name, len(got), err, tt.want)
		}
	}
}

// TestWrongValuesNameTheirPlace: the JSON pointer, and never the value.
func TestWrongValuesNameTheirPlace(t *testing.T) {
	for _, tt := range []struct{ row, column, place string }{
		{`{"code":110105194912310021}`, "code", "/data/1/code"},
		{`{"code":"A","capital":"110105194912310021"}`, "capital", "/data/1/capital"},
		{`{"code":"1101051949123100211"}`, "code", "/data/1/code"},
		{`{"code":null}`, "code", "/data/1/code"},
		{`{}`, "code", "/data/1/code"},
		{`{"code":"A","kind":"110105194912310021"}`, "kind", "/data/1/kind"},
		{`{"code":"A","address":{"geo":{"x":"110105194912310021"}}}`, "address.geo.x", "/data/1/address/geo/x"},
		{`{"code":"A","opened":"2023-02-29"}`, "opened", "/data/1/opened"},
		{`{"code":"A","tags":"110105194912310021"}`, "tags", "/data/1/tags"},
		{`{"code":"\ud800"}`, "code", "/data/1/code"},
		{`{"code":"a\u0000b"}`, "code", "/data/1/code"},
		{`["110105194912310021"]`, "", "/data/1"},
		{`{"code":"A","tags":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "", "/data/1"},
	} {
		s, _ := serve(t, answer(`{"data":[{"code":"ok"},`+tt.row+`]}`), "")
		_, err := scanFirms(t, s, "code", "capital", "kind", "address.geo.x", "tags", "opened")
		var ve *connect.ValueError
		if !errors.As(err, &ve) || ve.Column != tt.column || ve.Row != 2 || !strings.Contains(err.Error(), tt.place+")") || strings.Contains(err.Error(), "110105194912310021") {
			t.Errorf("%.60s: %v, want column %q at %s", tt.row, err, tt.column, tt.place)
		}
	}
}

func TestBusyInterfacesAreAskedAgain(t *testing.T) {
	n := 0
	s, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n < 3 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		answer(`{"data":[{"code":"1"}]}`)(w, r)
	}, "")
	if got, err := scanFirms(t, s, "code"); err != nil || len(got) != 1 || n != 3 {
		t.Errorf("%d rows after %d calls: %v", len(got), n, err)
	}
	if d := retryAfter("Mon, 02 Jan 2006 15:04:05 GMT", time.Date(2006, 1, 2, 15, 4, 0, 0, time.UTC)); d != 5*time.Second {
		t.Errorf("a date: %s", d)
	}
}

// TestCredentialsAndHostsAreGuarded: what must not be sent is not, and not to whom it must not.
func TestCredentialsAndHostsAreGuarded(t *testing.T) {
	s, srv := serve(t, answer(`{"data":[]}`), "auth: {kind: basic, user: g, file: token}\n")
	token := filepath.Join(filepath.Dir(s.(*source).path), "token")
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := scanFirms(t, s, "code"); !errors.Is(err, connect.ErrDenied) {
		t.Errorf("a credential that others may read: %v", err)
	}
	for server, auth := range map[string]Auth{
		"http://10.0.0.1/": {Kind: "bearer"}, "ftp://x/": {}, "https://u:p@x/": {}, "https://": {}, "https://x/?q": {},
	} {
		if _, err := baseURL(server, false, auth); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %v", server, err)
		}
	}
	if _, err := baseURL("http://10.0.0.1", true, Auth{}); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("http by the document's word: %v", err)
	}
	control := onlyWhereMeant("data.example")
	for _, address := range []string{"127.0.0.1:443", "169.254.169.254:80", "[::1]:443", "0.0.0.0:1"} {
		if err := control("tcp", address, nil); !errors.Is(err, connect.ErrDenied) {
			t.Errorf("a name that means %s: %v", address, err)
		}
	}
	if err := control("tcp", "10.1.2.3:443", nil); err != nil {
		t.Errorf("an address of the department's own network: %v", err)
	}
	// Without the authority of the mapping the certificate is nobody's.
	at, _ := url.Parse(srv.URL)
	c, err := newClient(&Mapping{}, "", at)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.call(t.Context(), http.MethodGet, at, "", nil); !errors.Is(err, connect.ErrDenied) {
		t.Errorf("an unknown certificate: %v", err)
	}
}

func TestMappingsAreClosedDocuments(t *testing.T) {
	for name, text := range map[string]string{
		"unknown key": "openapi: doc.yaml\nserver: https://x\ntable: {}\n", "no document": "server: https://x\n",
		"unknown operation": "openapi: doc.yaml\ntables: {a: {operation: none}}\n", "unknown paging": "openapi: doc.yaml\ntables: {a: {operation: firms, paging: {kind: pages}}}\n",
		"no cursor": "openapi: doc.yaml\ntables: {a: {operation: firms, paging: {kind: cursor}}}\n", "unknown auth": "openapi: doc.yaml\nauth: {kind: key, file: f}\n",
		"rows nowhere": "openapi: doc.yaml\ntables: {a: {operation: firms, rows: /nowhere}}\n", "no YAML": "openapi: [\n",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "doc.yaml"), strings.Replace(plainDocument, "SERVER", "https://127.0.0.1:1", 1))
		write(t, filepath.Join(dir, "map.yaml"), text)
		if _, err := connect.Open(t.Context(), "api:"+filepath.Join(dir, "map.yaml")); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzAnswer: any answer is rows that a page can hold, or an error of a kind.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{"data":[{"code":"A","capital":1e5,"tags":[]}],"next":null}`, `{"data":null}`, `[]`, `{"data":[{"code":"\ud83d\ude00"}]`, `{"next":{"data":[]}}`} {
		f.Add([]byte(s))
	}
	d, err := parseDocument([]byte(strings.Replace(plainDocument, "SERVER", "https://x", 1)), &Mapping{})
	if err != nil {
		f.Fatal(err)
	}
	e := d.tables["firms"]
	var fields []*field
	for i := range e.fields {
		fields = append(fields, &e.fields[i])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n := int64(0)
		_, err := readAnswer(e, strings.NewReader(string(text)), []string{"/next"}, func(at string, raw json.RawMessage) error {
			n++
			row := make(connect.Row, len(fields))
			if err := e.read(fields, at, n, raw, row); err != nil {
				return err
			}
			_, err := connect.EncodeRows(len(row), []connect.Row{row})
			return err
		})
		var ve *connect.ValueError
		if err != nil && !errors.As(err, &ve) && !errors.Is(err, connect.ErrInvalid) && !errors.Is(err, connect.ErrUnreachable) {
			t.Fatalf("error of no kind: %v", err)
		}
		if ve != nil && strings.HasPrefix(ve.Column, "#") {
			t.Fatalf("a value that no page can hold was read: %v", ve)
		}
	})
}
