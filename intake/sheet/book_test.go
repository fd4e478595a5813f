package sheet

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"mulian/internal/fault"
)

// workbook makes a workbook of sheets; a row may be nil for a blank one.
func workbook(t testing.TB, edit func(*excelize.File), sheets map[string][][]any, order ...string) []byte {
	t.Helper()
	x := excelize.NewFile()
	defer x.Close()
	for i, name := range order {
		if i == 0 {
			x.SetSheetName("Sheet1", name)
		} else {
			x.NewSheet(name)
		}
		for r, row := range sheets[name] {
			if err := x.SetSheetRow(name, fmt.Sprintf("A%d", r+1), &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if edit != nil {
		edit(x)
	}
	var b bytes.Buffer
	if err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWorkbookUnderAnyName: merged titles above the header, a blank row, a number,
// a date, and a name that ends in .csv.
func TestWorkbookUnderAnyName(t *testing.T) {
	raw := workbook(t, func(x *excelize.File) {
		x.MergeCell("目录", "A1", "C1")
		style, _ := x.NewStyle(&excelize.Style{NumFmt: 14})
		x.SetCellStyle("目录", "C4", "C4", style)
	}, map[string][][]any{
		"说明": {},
		"目录": {{"某市政务数据目录"}, {}, {"名称", "单位", "日期"}, {"河湖水情", "水务局", 44196}, {}, {"水库", "水务局", "2020年"}},
	}, "说明", "目录")
	path := filepath.Join(t.TempDir(), "目录.csv")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, Options{Known: known})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := readAll(t, f)
	if f.Format != "xlsx" || f.Shape != "目录" || !cmp.Equal(f.Sheets, []string{"说明", "目录"}) || !cmp.Equal(f.Titles, []string{"某市政务数据目录"}) {
		t.Errorf("%s, sheet %s of %v, titles %v", f.Format, f.Shape, f.Sheets, f.Titles)
	}
	if c.records != 2 || f.Blank() != 1 || c.problems != 0 {
		t.Errorf("%d records, %d blank, %d problems", c.records, f.Blank(), c.problems)
	}
	if c.first.Line != 4 || c.first.Fields[2].Text != "2020-12-31" || c.last.Line != 6 || c.last.Fields[0].Text != "水库" {
		t.Errorf("first %+v\nlast %+v", c.first, c.last)
	}
}

// TestSheetIsChosen by name, and a wrong name is answered with those that are there.
func TestSheetIsChosen(t *testing.T) {
	raw := workbook(t, nil, map[string][][]any{"一": {{"name", "owner"}, {"a", "b"}}, "二": {{"name", "owner"}, {"c", "d"}}}, "一", "二")
	got, f := dump(t, raw, Options{Known: known, Sheet: "二"})
	if got != "2 name=\"c\" owner=\"d\"\n" || f.Shape != "二" {
		t.Errorf("%s: %s", f.Shape, got)
	}
	_, err := Read("x", bytes.NewReader(raw), Options{Sheet: "三"})
	if !fault.Is(err, fault.Usage) || !strings.Contains(err.Error(), "一, 二") {
		t.Errorf("sheet 三: %v", err)
	}
}

// TestWideWorkbook: 16,384 columns, of which two have text.
func TestWideWorkbook(t *testing.T) {
	raw := workbook(t, func(x *excelize.File) { x.SetCellValue("s", "XFD2", "far") },
		map[string][][]any{"s": {{"name", "owner"}, {"a", "b"}, {"c", "d"}}}, "s")
	f, err := Read("wide", bytes.NewReader(raw), Options{Known: known})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := f.Next()
	if err != nil || len(rec.Fields) != 16_384 || rec.Fields[16_383].Text != "far" || len(rec.Problems) != 1 {
		t.Errorf("%d fields, %v, %v", len(rec.Fields), rec.Problems, err)
	}
}

// TestTornWorkbookIsRefused at every length, and never panics.
func TestTornWorkbookIsRefused(t *testing.T) {
	raw := workbook(t, nil, map[string][][]any{"s": {{"name", "owner"}, {"a", "b"}}}, "s")
	for n := 4; n < len(raw); n += 97 {
		if _, err := Read("torn", bytes.NewReader(raw[:n]), Options{Known: known}); !fault.Is(err, fault.Torn) {
			t.Fatalf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
}

// TestTornSheetInAWholeArchive: the zip is in order and the sheet in it is not.
func TestTornSheetInAWholeArchive(t *testing.T) {
	raw := workbook(t, nil, map[string][][]any{"s": {{"name", "owner"}, {"a", "b"}, {"c", "d"}}}, "s")
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range z.File {
		r, _ := e.Open()
		part, _ := io.ReadAll(r)
		if strings.HasPrefix(e.Name, "xl/worksheets/") {
			part = part[:bytes.LastIndex(part, []byte("<row"))]
		}
		p, _ := w.Create(e.Name)
		p.Write(part)
	}
	w.Close()
	if _, err := Read("torn", bytes.NewReader(out.Bytes()), Options{Known: known}); !fault.Is(err, fault.Torn) {
		t.Errorf("Read = %v", err)
	}
	var plain bytes.Buffer
	w = zip.NewWriter(&plain)
	p, _ := w.Create("list.csv")
	io.WriteString(p, sample)
	p, _ = w.Create("more.csv")
	io.WriteString(p, sample)
	w.Close()
	if _, err := Read("x", bytes.NewReader(plain.Bytes()), Options{}); !fault.Is(err, fault.Malformed) || !strings.Contains(err.Error(), "unpack") {
		t.Errorf("zip of two csv: %v", err)
	}
}
