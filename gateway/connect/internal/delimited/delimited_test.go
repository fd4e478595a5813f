package delimited

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func all(text string, comma byte) (out [][]Field, err error) {
	r := NewReader(strings.NewReader(text), comma)
	for {
		f, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, slices.Clone(f))
	}
}

func TestRecordsAreReadExactly(t *testing.T) {
	f := func(s string) Field { return Field{s, false} }
	q := func(s string) Field { return Field{s, true} }
	for text, want := range map[string][][]Field{
		"":                            nil,
		"a,b\n":                       {{f("a"), f("b")}},
		"a,b":                         {{f("a"), f("b")}},
		"a,b\r\n\r\n\nc,\r\n":         {{f("a"), f("b")}, {f("c"), f("")}},
		"\"a\r\nb\",\"\"\"\",\"\"\n,": {{q("a\r\nb"), q(`"`), q("")}, {f(""), f("")}},
		"a\rb":                        {{f("a")}, {f("b")}},
		`5" pipe,x`:                   {{f(`5" pipe`), f("x")}},
		"\"\"\n":                      {{q("")}},
		" \"a\" ,b":                   {{f(` "a" `), f("b")}},
		"a;b,c":                       {{f("a;b"), f("c")}},
	} {
		got, err := all(text, ',')
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
	for _, bad := range []string{`"a`, `"a"b`, "a\n\"b\nc", `"a" ,b`} {
		var fe *FormError
		if _, err := all(bad, ','); !errors.As(err, &fe) || fe.Record < 1 {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := all(strings.Repeat(",", maxFields+1), ','); err == nil {
		t.Error("a record of too many fields was read")
	}
}

func TestSeparatorIsFound(t *testing.T) {
	for line, want := range map[string]byte{"a,b": ',', "a;b;c,d": ';', "a\tb": '\t', `"a,b,c"|d`: '|', "a": ','} {
		if got := Separator(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// FuzzWriteAndRead: what was read is written and read again as it was; nothing panics.
func FuzzWriteAndRead(f *testing.F) {
	for _, s := range []string{"a,b\n", "\"a\r\n\"\"b\",,\n\n\"\"\n", "\"a", "\xff\xfe\x00,\r", "中,文"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		records, err := all(string(text), ',')
		if err != nil {
			var fe *FormError
			if !errors.As(err, &fe) {
				t.Fatalf("error of no kind: %v", err)
			}
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, r := range records {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		again, err := all(out.String(), ',')
		if err != nil || len(again) != len(records) {
			t.Fatalf("%d records became %d: %v", len(records), len(again), err)
		}
		for i, r := range records {
			for j, field := range r {
				// What needs quotes is quoted, whether or not it was.
				if got := again[i][j]; got.Text != field.Text || field.Quoted && !got.Quoted {
					t.Fatalf("record %d, field %d: %+v became %+v", i, j, field, got)
				}
			}
		}
	})
}
