package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
)

// dangerous is an entry whose texts a spreadsheet program would compute or ruin.
func dangerous() *cataloguev1.Entry {
	return &cataloguev1.Entry{
		Id: orgA + ":007", Provider: orgA, Name: "=HYPERLINK(\"http://evil\")", Abstract: "+86 10", Category: "-1", Matters: []string{"110108199001011234"},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, CoverageRegion: "110108", CoverageTime: "1-2", Keywords: []string{"@SUM(A1:A9)", "2E17"},
		Items:     []*cataloguev1.Item{{Code: "0012", Name: "'=quoted"}, {Code: "x", Name: "＝全角"}},
		Resources: []*cataloguev1.Resource{{Title: "=1+1", Url: "https://data.example.gov.cn/1", Format: "CSV"}},
	}
}

// TestNoCellIsComputed: no cell of the csv begins with what a spreadsheet program
// computes, and none of the workbook is anything but a text in a cell made for text.
func TestNoCellIsComputed(t *testing.T) {
	dir := t.TempDir()
	raw, err := os.ReadFile(write(t, dir, Text, sheet.Chinese, dangerous()))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(raw), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	guarded := 0
	for _, row := range rows {
		for _, c := range row {
			if c != "" && strings.ContainsAny(c[:1], "=+-@\t\r") {
				t.Errorf("a cell begins with %q", c)
			}
			guarded += strings.Count(c[:min(len(c), 1)], "'")
		}
	}
	if guarded < 8 {
		t.Errorf("only %d cells are guarded", guarded)
	}
	book, err := excelize.OpenFile(write(t, dir, Workbook, sheet.Chinese, dangerous()))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	if got := fmt.Sprint(book.GetSheetList()); got != "[目录 文件 职责 系统 库表]" {
		t.Errorf("sheets %s", got)
	}
	for _, name := range book.GetSheetList() {
		cells, err := book.GetRows(name)
		if err != nil || len(cells) < 2 {
			t.Errorf("%s: %d rows, %v", name, len(cells), err)
		}
		for r, row := range cells {
			for c, text := range row {
				at, _ := excelize.CoordinatesToCellName(c+1, r+1)
				formula, _ := book.GetCellFormula(name, at)
				kind, _ := book.GetCellType(name, at)
				style, _ := book.GetCellStyle(name, at)
				if s, err := book.GetStyle(style); text != "" && (formula != "" || kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString || err != nil || s.NumFmt != 49) {
					t.Errorf("%s!%s %q: formula %q, type %d", name, at, text, formula, kind)
				}
			}
		}
	}
	if v, _ := book.GetCellValue("目录", "B2"); v != dangerous().Name {
		t.Errorf("the name is %q", v)
	}
}

// TestMemoryIsThatOfOneEntry: 3,000 entries leave through every streamed format with
// no more memory than a few of them need.
func TestMemoryIsThatOfOneEntry(t *testing.T) {
	const n = 3_000
	e := &cataloguev1.Entry{Provider: orgA, Name: "目录", Abstract: strings.Repeat("说明", 500), ShareType: 1}
	for i := range 20 {
		e.Items = append(e.Items, &cataloguev1.Item{Code: fmt.Sprintf("c%d", i), Name: fmt.Sprintf("信息项%d", i), Type: "text"})
	}
	for _, f := range []Format{Native, Text, DCAT, OpenData} {
		s := sourceOf()
		s.Entries = func(yield func(*cataloguev1.Entry, error) bool) {
			for i := range n {
				e.Id = fmt.Sprintf("%s:%d", orgA, i)
				if !yield(e, nil) {
					return
				}
			}
		}
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		most, written := uint64(0), int64(0)
		w := writerFunc(func(p []byte) (int, error) {
			if written += int64(len(p)); written/(2<<20) != (written-int64(len(p)))/(2<<20) {
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
			return len(p), nil
		})
		if _, err := Write(context.Background(), w, f, s, Options{}); err != nil {
			t.Fatal(err)
		}
		if written < n*1000 || most > before.HeapAlloc+8<<20 {
			t.Errorf("%s: %d MB written, %d MB held, %d MB before", f, written>>20, most>>20, before.HeapAlloc>>20)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestTooManyRows: a sheet that has no room says so, and what to do.
func TestTooManyRows(t *testing.T) {
	s := &sheetWriter{n: maxSheetRows}
	if err := s.row([]string{"x"}); err == nil || !strings.Contains(err.Error(), "--org") {
		t.Errorf("one row too many: %v", err)
	}
	long := dangerous()
	long.Name, long.Matters = "n", nil
	for range 200 {
		long.Matters = append(long.Matters, strings.Repeat("1", 200))
	}
	if _, err := Write(t.Context(), io.Discard, Workbook, sourceOf(long), Options{}); err == nil || !strings.Contains(err.Error(), "32767") {
		t.Errorf("a cell too long: %v", err)
	}
	if _, err := Write(t.Context(), &bytes.Buffer{}, Text, sourceOf(long), Options{}); err != nil {
		t.Errorf("as csv: %v", err)
	}
}
