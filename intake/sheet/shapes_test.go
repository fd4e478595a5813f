package sheet

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mulian/internal/fault"
)

// TestListsInEnvelopes: the list is read wherever in the answer it stands.
func TestListsInEnvelopes(t *testing.T) {
	const two = "1 name=\"a\"\n1 name=\"b\"\n"
	for _, c := range []struct{ name, shape, in, want string }{
		{"data.json", "dataset", `{"@context":"https://project-open-data.cio.gov/v1.1/schema/catalog.jsonld","conformsTo":"x","dataset":[{"name":"a"},{"name":"b"}],"describedBy":"y"}`, two},
		{"the list before everything else", "dataset", `{"dataset":[{"name":"a"},{"name":"b"}],"conformsTo":{"dataset":[1]}}`, two},
		{"an empty list", "dataset", `{"conformsTo":"x","dataset":[]}`, ""},
		{"package_search", "result.results", `{"help":"h","success":true,"result":{"count":2,"facets":{"a":[{"results":[1]}]},"results":[{"name":"a"},{"name":"b"}],"sort":"x"}}`, two},
		{"a list as result", "result", `{"help":"h","success":true,"result":[{"name":"a"},{"name":"b"}]}`, two},
		{"data of a page", "data", `{"data":[{"name":"a"},{"name":"b"}],"page":1,"total":2}`, two},
		{"pages one after the other", "result.results", "{\"result\":{\"results\":[{\"name\":\"a\"}]}}\n{\"result\":{\"results\":[{\"name\":\"b\"}]}}", "1 name=\"a\"\n2 name=\"b\"\n"},
		{"a page without the list", "result.results", "{\"result\":{\"results\":[{\"name\":\"a\"}]}}\n{\"result\":{}}", "1 name=\"a\"\n2 broken\n! 2  11005\n"},
		{"torn in the list", "dataset", "{\"dataset\":[{\"name\":\"a\"},\n{\"name\":", "1 name=\"a\"\n2 broken\n! 2  11036\n2 broken\n! 2  11036\n"},
		{"damaged behind the list", "dataset", `{"dataset":[{"name":"a"}] x`, "1 name=\"a\"\n1 broken\n! 1  11003\n"},
		{"keys with escapes", "dataset", `{"a\"dataset":["x"],"\u0064ataset":[1],"dataset":[{"name":"a"},{"name":"b"}]}`, "1 broken\n! 1  11003\n" + two},
		{"a record that has a list", "objects", `{"name":"x","data":[{"y":1}]}`, "1 name=\"x\" data=\"\"\n"},
		{"package_show", "objects", `{"help":"h","success":true,"result":{"name":"a"}}`, "1 help=\"h\" success=\"true\" result=\"\"\n"},
		{"a portal that refuses", "objects", `{"help":"h","success":false,"error":{"message":"Not found","__type":"x"}}`, "1 broken\n! 1  11003\n"},
		{"a script", "script", "// 数据\nconst list = [\n {\"name\":\"a\"},{\"name\":\"b\"}];\n", "3 name=\"a\"\n3 name=\"b\"\n"},
		{"a script that exports", "script", "'use strict';\n/* c */ module.exports = [{\"name\":\"a\"}]\nexport default list;", "2 name=\"a\"\n"},
		{"a script with an object", "script", "var x={\"name\":\"a\"};", "1 name=\"a\"\n"},
		{"a script with two lists", "script", "let a=[{\"name\":\"a\"}]; let b=[{\"name\":\"b\"}];", "1 name=\"a\"\n1 broken\n! 1  11003\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, f := dump(t, []byte(c.in), Options{})
			if d := cmp.Diff(c.want, got); d != "" || f.Shape != c.shape || f.Format != "json" {
				t.Errorf("%s, %s\n%s", f.Format, f.Shape, d)
			}
		})
	}
}

// TestWhiteSpaceBeforeJSON: however much there is, in any encoding.
func TestWhiteSpaceBeforeJSON(t *testing.T) {
	for _, n := range []int{5 << 10, 200 << 10} {
		in := strings.Repeat(" \n", n/2) + `[{"name":"a"}]`
		got, f := dump(t, []byte(in), Options{})
		if f.Format != "json" || !strings.HasSuffix(got, " name=\"a\"\n") || !strings.HasPrefix(got, itoa(n/2+1)+" ") {
			t.Errorf("%d bytes of white space: %s %s", n, f.Format, got)
		}
		wide := "\xff\xfe" + strings.Join(strings.Split(in, ""), "\x00") + "\x00"
		if got, f := dump(t, []byte(wide), Options{}); f.Format != "json" || !strings.HasSuffix(got, " name=\"a\"\n") {
			t.Errorf("in UTF-16: %s %.40q", f.Format, got)
		}
	}
	if _, err := Read("x", strings.NewReader(strings.Repeat(" \n", 100<<10)), Options{}); !fault.Is(err, fault.Empty) {
		t.Errorf("nothing but white space: %v", err)
	}
}

// TestListsThatAreNone: what only looks like a catalogue is refused with its name.
func TestListsThatAreNone(t *testing.T) {
	for _, c := range []struct{ in, word string }{
		{`{"$schema":"http://json-schema.org/draft-04/schema#","title":"Dataset","properties":{}}`, "JSON schema"},
		{`{"help":"h","success":true,"result":["a","b"]}`, "package_search"},
		{"<?xml version=\"1.0\"?>\n<!-- c --><catalog><title>x</title></catalog>", "RDF/XML"},
		{"<!DOCTYPE html><html><body>404</body></html>", "web page"},
		{"@prefix dct: <http://purl.org/dc/terms/> . <http://a> dct:title \"x\" .", "dcat:Dataset"},
		{`{"@context":"https://example.org/context.jsonld","@graph":[{"@id":"x"}]}`, "https://example.org/context.jsonld"},
	} {
		if _, err := Read("x", strings.NewReader(c.in), Options{}); err == nil || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%.40q: %v, want %q", c.in, err, c.word)
		}
	}
}

// TestDeepJSONIsTold: nesting is told as nesting, in a record and in a list.
func TestDeepJSONIsTold(t *testing.T) {
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, in := range []string{`{"a":` + deep + `}`, `[` + deep + `]`, `{"dataset":[{"a":` + deep + `}]}`, `{"@context":{},"@graph":[{"a":` + deep + `}]}`} {
		got, _ := dump(t, []byte(in), Options{})
		if got != "1 broken\n! 1  11004\n" {
			t.Errorf("%.30q: %.100q", in, got)
		}
	}
}

// TestZipOfOne: a file alone in a zip is read through it; a packed workbook, too.
func TestZipOfOne(t *testing.T) {
	pack := func(name string, raw []byte) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		w.Create("folder/")
		p, _ := w.Create(name)
		p.Write(raw)
		w.Create("__MACOSX/._x")
		w.Close()
		return b.Bytes()
	}
	got, f := dump(t, pack("list.csv", []byte("name,owner\na,b\n")), Options{Known: known})
	if got != "2 name=\"a\" owner=\"b\"\n" || !f.Packed || f.Format != "csv" {
		t.Errorf("%s %s", f.Format, got)
	}
	book := workbook(t, nil, map[string][][]any{"s": {{"name", "owner"}, {"a", "b"}}}, "s")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(book)
	z.Close()
	for _, raw := range [][]byte{pack("list.xlsx", book), zipped.Bytes()} {
		if got, f := dump(t, raw, Options{Known: known}); got != "2 name=\"a\" owner=\"b\"\n" || f.Format != "xlsx" {
			t.Errorf("%s %s", f.Format, got)
		}
	}
}

// TestNoHeader: the first row is a record, and columns have numbers.
func TestNoHeader(t *testing.T) {
	got, f := dump(t, []byte("a,b\nc\n"), Options{NoHeader: true})
	if got != "1 #1=\"a\" #2=\"b\"\n2 #1=\"c\"\n" || f.Header != nil {
		t.Errorf("%v %s", f.Header, got)
	}
	for in, guessed := range map[string]bool{"name,owner\na,b\n": false, "x,y\na,b\n": true} {
		if _, f := dump(t, []byte(in), Options{Known: known}); f.Guessed != guessed {
			t.Errorf("%q: guessed %t", in, f.Guessed)
		}
	}
}

// TestLikeIsTheSameFile: what was found once holds for the same bytes, and for no
// others.
func TestLikeIsTheSameFile(t *testing.T) {
	gb := "\xc3\xfb\xb3\xc6,\xb5\xa5\xce\xbb\n\xba\xd3\xba\xfe\xcb\xae\xc7\xe9,\xcb\xae\xce\xf1\xbe\xd6\n"
	first, err := Read("x", strings.NewReader(gb), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := dump(t, []byte(gb), Options{})
	first.Close()
	if got, f := dump(t, []byte(gb), Options{Like: first}); got != want || f.Encoding != "gb18030" {
		t.Errorf("%s: %s", f.Encoding, got)
	}
	if got, f := dump(t, []byte("名称,单位\n河,局\n"), Options{Like: first}); f.Encoding != "utf-8" || !strings.Contains(got, "河") {
		t.Errorf("%s: %s", f.Encoding, got)
	}
	if _, err := first.Next(); err != io.EOF {
		t.Errorf("Next after Close: %v", err)
	}
}
