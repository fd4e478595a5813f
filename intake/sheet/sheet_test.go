package sheet

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"mulian/internal/fault"
)

// dump reads a file given as bytes and writes each record on a line:
// LINE name=text … and below it each problem as ! LINE FIELD CODE.
func dump(t testing.TB, raw []byte, opts Options) (string, *File) {
	t.Helper()
	f, err := Read("test", bytes.NewReader(raw), opts)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for {
		rec, err := f.Next()
		if err == io.EOF {
			return b.String(), f
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d", rec.Line)
		if rec.Broken {
			b.WriteString(" broken")
		}
		for _, x := range rec.Fields {
			fmt.Fprintf(&b, " %s=%q", x.Name, x.Text)
		}
		b.WriteString("\n")
		for _, p := range rec.Problems {
			fmt.Fprintf(&b, "! %d %s %d\n", p.Line, p.Field, uint32(p.Code))
		}
	}
}

func known(s string) bool { return s == "名称" || s == "name" || s == "单位" || s == "owner" }

// TestDelimitedLines holds what people write as csv against what is read.
func TestDelimitedLines(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "name,owner\na,b\nc,d\n", "2 name=\"a\" owner=\"b\"\n3 name=\"c\" owner=\"d\"\n"},
		{"no line end at the end", "name,owner\na,b", "2 name=\"a\" owner=\"b\"\n"},
		{"crlf", "name,owner\r\na,b\r\n", "2 name=\"a\" owner=\"b\"\n"},
		{"cr alone", "name,owner\ra,b\rc,d", "2 name=\"a\" owner=\"b\"\n3 name=\"c\" owner=\"d\"\n"},
		{"semicolon", "name;owner\na,x;b\n", "2 name=\"a,x\" owner=\"b\"\n"},
		{"tab", "name\towner\na\tb\n", "2 name=\"a\" owner=\"b\"\n"},
		{"byte order mark", "\xef\xbb\xbfname,owner\na,b\n", "2 name=\"a\" owner=\"b\"\n"},
		{"quotes", "name,owner\n\"a,\"\"x\"\"\",\"b\"\n", "2 name=\"a,\\\"x\\\"\" owner=\"b\"\n"},
		{"a cell of two lines", "name,owner\n\"a\nx\",b\nc,d\n", "2 name=\"a\\nx\" owner=\"b\"\n4 name=\"c\" owner=\"d\"\n"},
		{"quote inside a cell", "name,owner\na \"x\" y,b\n", "2 name=\"a \\\"x\\\" y\" owner=\"b\"\n"},
		{"text after the quote", "name,owner\n\"a\"x,b\n", "2 name=\"ax\" owner=\"b\"\n! 2 name 11003\n"},
		{"blank lines between", "name,owner\n\n,\na,b\n , \n", "4 name=\"a\" owner=\"b\"\n"},
		{"titles above the header", "目录清单\n\n2021年,,\nname,owner\na,b\n", "5 name=\"a\" owner=\"b\"\n"},
		{"too few and too many cells", "name,owner\na\nb,c,d\n", "2 name=\"a\" owner=\"\"\n! 2  11003\n3 name=\"b\" owner=\"c\" #3=\"d\"\n! 3  11003\n"},
		{"column without a header", "name,,owner\na,x,b\n", "2 name=\"a\" #2=\"x\" owner=\"b\"\n"},
		{"zero byte", "name,owner\na\x00,b\n", "2 name=\"a\ufffd\" owner=\"b\"\n! 2 name 11033\n"},
		{
			"unclosed quote at the end", "name,owner\na,b\nc,\"d\ne,f\n",
			"2 name=\"a\" owner=\"b\"\n3 name=\"c\" owner=\"\\\"d\"\n! 3  11003\n4 name=\"e\" owner=\"f\"\n",
		},
		{"two levels of headings", "基本信息,\nname,owner\n,\na,b\n", "4 name=\"a\" owner=\"b\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A zero byte in the first bytes would make the file binary; it stands far down.
			in := c.in
			if c.name == "zero byte" {
				in = strings.Replace(in, "\n", strings.Repeat("\n", 601), 1)
				c.want = strings.ReplaceAll(strings.ReplaceAll(c.want, "2 name=", "602 name="), "! 2", "! 602")
			}
			got, _ := dump(t, []byte(in), Options{Known: known})
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestUnclosedQuoteDoesNotSwallowTheFile: one forgotten quote costs one line.
func TestUnclosedQuoteDoesNotSwallowTheFile(t *testing.T) {
	in := "name,owner\n\"a,b\n" + strings.Repeat("c,d\n", 5000)
	got, f := dump(t, []byte(in), Options{Known: known})
	if n := strings.Count(got, "name=\"c\" owner=\"d\""); n != 5000 {
		t.Errorf("%d of 5,000 lines after the quote were read", n)
	}
	if !strings.HasPrefix(got, "2 name=\"\\\"a\" owner=\"b\"\n! 2  11003\n") {
		t.Errorf("the line itself: %.60s", got)
	}
	f.Close()
	if _, err := f.Next(); err != io.EOF {
		t.Errorf("Next after Close = %v", err)
	}
}

// TestFileOfQuotesIsLinear: forgiving every quote would cost the square.
func TestFileOfQuotesIsLinear(t *testing.T) {
	in := "name,owner\n" + strings.Repeat("x,\"\n", 200_000)
	got, _ := dump(t, []byte(in), Options{Known: known})
	// The quotes of two lines close each other; either way no line may be lost.
	if n := strings.Count(got, "x"); n < 200_000 {
		t.Errorf("%d of 200,000 lines are there", n)
	}
}

const sample = "名称,单位\n河湖水情信息,北京市水务局\n大中型水库水情信息,北京市水务局\n行政許可資訊,臺北市政府\n"

// TestEncodingIsFound writes the same table in each encoding.
func TestEncodingIsFound(t *testing.T) {
	simplified := strings.Repeat("河湖水情信息包括河名站名结束时间水位流量,北京市水务局\n", 3)
	traditional := strings.Repeat("臺北市公有零售市場行情資料每日更新,臺北市市場處\n", 3)
	for _, c := range []struct {
		name, text string
		enc        encoding.Encoding
	}{
		{"gb18030", "名称,单位\n" + simplified, simplifiedchinese.GB18030},
		{"cp950", "名稱,單位\n" + traditional, traditionalchinese.Big5},
		{"utf-16le", "名称,单位\n" + simplified, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)},
		{"utf-16be", "名称,单位\n" + simplified, unicode.UTF16(unicode.BigEndian, unicode.UseBOM)},
		{"utf-8", "名称,单位\n" + simplified, encoding.Nop},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := c.enc.NewEncoder().Bytes([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got, f := dump(t, raw, Options{})
			want, _ := dump(t, []byte(c.text), Options{})
			if f.Encoding != c.name || got != want {
				t.Errorf("read as %s:\n%s", f.Encoding, cmp.Diff(want, got))
			}
		})
	}
}

// TestBytesOfAnotherEncodingAreNamed: lines of GB 18030 in a UTF-8 file, and the
// other way round, are told with the line, the byte and how they could be read.
func TestBytesOfAnotherEncodingAreNamed(t *testing.T) {
	gb, _ := simplifiedchinese.GB18030.NewEncoder().String("市监狱管理局行政处罚信息")
	raw := sample + gb + ",owner\n" + "正常,北京市\n"
	f, err := Read("mixed", strings.NewReader(raw), Options{Known: known})
	if err != nil {
		t.Fatal(err)
	}
	var found []Problem
	for {
		rec, err := f.Next()
		if err != nil {
			break
		}
		found = append(found, rec.Problems...)
	}
	if len(found) != 1 || f.Encoding != "utf-8" {
		t.Fatalf("read as %s with %v", f.Encoding, found)
	}
	p := found[0]
	at := strings.Index(raw, gb)
	if p.Line != 5 || p.Field != "名称" || p.Code != fault.Undecodable || !strings.Contains(p.Message, fmt.Sprintf("byte %d ", at)) || !strings.Contains(p.Suggestion, "gb18030") {
		t.Errorf("problem %+v, want line 5, byte %d, gb18030", p, at)
	}

	all, _ := simplifiedchinese.GB18030.NewEncoder().String(strings.Repeat(sample, 3))
	raw = all + "正常,北京市\n"
	if f, err = Read("mixed", strings.NewReader(raw), Options{Known: known}); err != nil {
		t.Fatal(err)
	}
	if c := readAll(t, f); f.Encoding != "gb18030" || c.problems == 0 {
		t.Errorf("read as %s with %d problems", f.Encoding, c.problems)
	}
}

// TestDamagedByteHasItsPlace: the offset counts from the beginning of the file,
// over quotes and lines.
func TestDamagedByteHasItsPlace(t *testing.T) {
	head := "name,owner\n\"a \"\"b\"\" ok\",\"one\ntwo "
	raw := head + "\xff\xfe three\"\nc,d\n"
	got, _ := dump(t, []byte(raw), Options{Known: known})
	want := "2 name=\"a \\\"b\\\" ok\" owner=\"one\\ntwo \ufffd three\"\n! 3 owner 11033\n4 name=\"c\" owner=\"d\"\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	f, _ := Read("x", strings.NewReader(raw), Options{Known: known})
	rec, _ := f.Next()
	if m := rec.Problems[0].Message; !strings.Contains(m, fmt.Sprintf("byte %d ", len(head))) {
		t.Errorf("%s; want byte %d", m, len(head))
	}
}

// TestShapesOfJSON reads the three shapes, and goes on after what is damaged.
func TestShapesOfJSON(t *testing.T) {
	for _, c := range []struct{ name, shape, in, want string }{
		{"array", "array", "[{\"name\":\"a\",\"n\":1.50},\n {\"name\":\"b\",\"n\":null}]", "1 name=\"a\" n=\"1.50\"\n2 name=\"b\" n=\"\"\n"},
		{"lines", "lines", "{\"name\":\"a\"}\n\n{\"name\":\"b\"}\n", "1 name=\"a\"\n3 name=\"b\"\n"},
		{"objects", "objects", "{\n \"name\": \"a\"\n}{\n \"name\": \"}{\\\"\"\n}", "1 name=\"a\"\n3 name=\"}{\\\"\"\n"},
		{"objects with commas", "objects", "{\n\"name\":\"a\"},\n{\"name\":\"b\"}", "1 name=\"a\"\n3 name=\"b\"\n"},
		{"order of keys", "objects", "{\"z\":\"1\",\n\"a\":true}", "1 z=\"1\" a=\"true\"\n"},
		{"torn line", "lines", "{\"name\":\"a\"}\n{\"name\":\"b\n{\"name\":\"c\"}\n", "1 name=\"a\"\n2 broken\n! 2  11036\n3 name=\"c\"\n"},
		{"bad value", "array", "[{\"name\":\"a\"},{\"name\":b},{\"name\":\"c\"}]", "1 name=\"a\"\n1 broken\n! 1  11003\n1 name=\"c\"\n"},
		{"no object", "array", "[1,{\"name\":\"a\"},\"x\"]", "1 broken\n! 1  11003\n1 name=\"a\"\n1 broken\n! 1  11003\n"},
		{"torn array", "array", "[{\"name\":\"a\"},\n{\"name\":\"b\"", "1 name=\"a\"\n2 broken\n! 2  11036\n2 broken\n! 2  11036\n"},
		{"torn object", "objects", "{\n\"name\":\"a\"}{\"name\":\n", "1 name=\"a\"\n2 broken\n! 2  11036\n"},
		{"bytes that are no text", "lines", "{\"name\":\"a\xffb\"}\n{\"name\":\"\\ud800\\n\"}\n", "1 name=\"a\ufffdb\"\n! 1  11033\n2 name=\"\ufffd\\n\"\n"},
		{"twice the key", "lines", "{\"a\":\"1\",\"a\":\"2\"}\n{}\n", "1 a=\"1\" a=\"2\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, f := dump(t, []byte(c.in), Options{})
			if d := cmp.Diff(c.want, got); d != "" || f.Shape != c.shape || f.Format != "json" {
				t.Errorf("%s, %s\n%s", f.Format, f.Shape, d)
			}
		})
	}
}

// TestDepthIsBounded: a record of nothing but brackets is told, not followed.
func TestDepthIsBounded(t *testing.T) {
	deep := "{\"a\":" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}"
	got, _ := dump(t, []byte(deep+"{\"name\":\"b\"}"), Options{})
	if want := "1 broken\n! 1  11004\n1 name=\"b\"\n"; got != want {
		t.Errorf("got %.100q", got)
	}
	long := "{\"a\":\"" + strings.Repeat("x", maxRecordBytes) + "\"}\n{\"name\":\"b\"}"
	if got, _ := dump(t, []byte(long), Options{}); got != "1 broken\n! 1  11004\n2 name=\"b\"\n" {
		t.Errorf("got %.100q", got)
	}
}

// TestBoundsOfLines: cells, lines and columns over their bounds are told, and the
// next line is read.
func TestBoundsOfLines(t *testing.T) {
	in := "name,owner\n" + strings.Repeat("x", maxRecordBytes+10) + ",b\nc,d\n" +
		strings.Repeat(",", maxColumns+1) + "e\n" + strings.Repeat("y", maxCellBytes+1) + ",z\nf,g\n"
	got, _ := dump(t, []byte(in), Options{Known: known})
	got = strings.ReplaceAll(got, strings.Repeat("y", maxCellBytes), "Y")
	want := "2 broken\n! 2  11004\n3 name=\"c\" owner=\"d\"\n4 broken\n! 4  11004\n5 name=\"Y\" owner=\"z\"\n! 5 name 11004\n6 name=\"f\" owner=\"g\"\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestWhatIsNoTableIsRefused: each with a code and a word on what to do.
func TestWhatIsNoTableIsRefused(t *testing.T) {
	for _, c := range []struct {
		in   string
		code fault.Code
		word string
	}{
		{"", fault.Empty, "empty"},
		{" \n\n", fault.Empty, "empty"},
		{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", fault.Torn, "fetch"},
		{"<html><table>", fault.Malformed, ".xlsx"},
		{"<?xml version=\"1.0\"?><Workbook/>", fault.Malformed, "RDF/XML"},
		{"<?xml version=\"1.0\"?><rdf:RDF/>", fault.Empty, "dcat:Dataset"},
		{"%PDF-1.4", fault.Malformed, "pdf"},
		{"Rar!\x1a\x07", fault.Malformed, "unpack"},
		{"SQLite format 3\x00", fault.Malformed, "source add"},
		{"a\x00b\x00", fault.Malformed, "binary"},
		{"PK\x03\x04torn", fault.Torn, "fetch"},
		{"\x1f\x8b\x08torn", fault.Malformed, "gzip"},
	} {
		_, err := Read("x", strings.NewReader(c.in), Options{})
		if !fault.Is(err, c.code) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%.12q: %v (%v), want %v with %q", c.in, err, fault.CodeOf(err), c.code, c.word)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), Options{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Open(t.TempDir(), Options{}); !fault.Is(err, fault.Usage) {
		t.Errorf("folder: %v", err)
	}
	if _, err := Read("x", strings.NewReader("a,b\n1,2\n"), Options{Encoding: "latin"}); !fault.Is(err, fault.Usage) {
		t.Errorf("encoding: %v", err)
	}
}

// TestPackedFile reads through gzip, and names one that is torn.
func TestPackedFile(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, strings.Repeat(sample, 200))
	z.Close()
	path := filepath.Join(t.TempDir(), "list.csv.gz")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, Options{Known: known})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c := readAll(t, f); c.records != 799 || !f.Packed || f.Format != "csv" {
		t.Errorf("%d records, packed %t", c.records, f.Packed)
	}
	_, err = Read("torn", bytes.NewReader(b.Bytes()[:b.Len()-20]), Options{Known: known})
	if !fault.Is(err, fault.Torn) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("torn: %v", err)
	}
}

// TestEncodingCanBeSaid: a person's word stands over what was found.
func TestEncodingCanBeSaid(t *testing.T) {
	raw, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte("名称,单位\n水,局\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, f := dump(t, raw, Options{Encoding: "GBK", Known: known})
	if want := "2 名称=\"水\" 单位=\"局\"\n"; got != want || f.Encoding != "gb18030" {
		t.Errorf("%s: %s", f.Encoding, got)
	}
	if got, _ := dump(t, raw, Options{Encoding: "utf-8"}); !strings.Contains(got, "11033") {
		t.Errorf("as utf-8: %s", got)
	}
	_, err = Read("目录.xls", strings.NewReader("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), Options{Lang: Chinese})
	if err == nil || !strings.Contains(err.Error(), "重新保存") {
		t.Errorf("in Chinese: %v", err)
	}
}
