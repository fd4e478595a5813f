package sheet

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"unicode/utf8"

	"mulian/internal/fault"
)

// FuzzRead holds that no bytes make reading panic, hang or end without a code,
// and that what is said of lines is in order.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"name,owner\na,b\n", "name;owner\r\n\"a\nx\";b", "\xef\xbb\xbfname\towner\na\tb\n", "[{\"name\":\"a\"}]", "{\"name\":\"a\"}\n{\"b\":[1,{}]}",
		"{\n\"a\":1}{\"b\":\"\\u0000\"}", "\xff\xfen\x00,\x00", "\xc3\xfb\xb3\xc6,\xb5\xa5\xce\xbb\n\xba\xd3,\xcb\xae\n", "PK\x03\x04", "\x1f\x8b\x08\x00", "a\rb\rc",
		"\"", "\"\"\"", "[", "[[[[", "{\"a\":", ",,,\n\"x",
	} {
		f.Add([]byte(seed))
	}
	for _, in := range theSame {
		f.Add([]byte(in))
	}
	for _, in := range []string{
		`{"success":true,"result":{"results":[{"name":"a"}]}}`, `{"dataset":[{"name":"a"}],"x":1}`, "const a = [{\"b\":1}];", `{"@context":{"a":"http://a#"},"@graph":[{"@id":"x","a:b":[1,{"@list":["c"]}]}]}`,
		prefixes + "[] a dcat:Dataset ; dct:title ( \"a\" 'b'@en 1.5 ) .", "_:a <http://b> \"\\u0041\" .", "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><a rdf:parseType=\"Literal\">",
	} {
		f.Add([]byte(in))
	}
	f.Add(oldWorkbook([]string{"name", "owner", "a", "b"}, 0, cellsOfAllKinds))
	f.Add(workbook(f, nil, map[string][][]any{"s": {{"name", "owner"}, {"a", 1}}}, "s"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<20 {
			return
		}
		file, err := Read("fuzz", bytes.NewReader(raw), Options{Known: known})
		if err != nil {
			coded(t, err)
			return
		}
		defer file.Close()
		last := 0
		for n := 0; ; n++ {
			rec, err := file.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				coded(t, err)
				return
			}
			if rec.Line < last {
				t.Fatalf("line %d after line %d", rec.Line, last)
			}
			if rec.Broken && len(rec.Problems) == 0 {
				t.Fatalf("line %d is broken without a problem", rec.Line)
			}
			valid(t, rec.Fields)
			if n > 2*len(raw)+maxRows {
				t.Fatal("more records than bytes")
			}
			last = rec.Line
		}
	})
}

func valid(t *testing.T, fields []Field) {
	for _, f := range fields {
		if !utf8.ValidString(f.Text) {
			t.Fatalf("%q is no UTF-8", f.Text)
		}
		valid(t, f.Parts)
	}
}

func coded(t *testing.T, err error) {
	t.Helper()
	if c := fault.CodeOf(err); c == fault.Internal || c == fault.OK {
		t.Fatalf("no code: %v", err)
	}
}
