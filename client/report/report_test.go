package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"mulian/client/sentence"
	consolev1 "mulian/gen/mulian/console/v1"
)

// TestWorkbook: numbers are numbers, texts stay texts, rare characters stay, and the same report
// is the same file a while later.
func TestWorkbook(t *testing.T) {
	if n := len(consolev1.ReportFigure_name); n != len(figures) {
		t.Fatalf("%d figures in the schema, %d have words", n, len(figures))
	}
	r := &consolev1.GetReportResponse{Month: "2026-11", Height: 1234, TimeMs: 1795000000000, Running: true, ChainId: "c", OrgsTotal: 2, Orgs: []*consolev1.OrgReport{
		{Org: "11110000MULN00002P", Name: "=1+1 局", Counts: []*consolev1.ReportCount{{Figure: 1, N: 1200}, {Figure: median, N: 5_400_000}}},
		{Org: "11110000MULN00003T", Name: "𰻝㐂水务局", Counts: []*consolev1.ReportCount{{Figure: 25, N: 1}}},
	}, Sum: []*consolev1.ReportCount{{Figure: 1, N: 1200}}}
	var first, again bytes.Buffer
	if err := Workbook(&first, sentence.Chinese, r); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond) // the times of a zip count in two seconds
	for range 20 {                      // what hangs on the order of a map differs now and then
		again.Reset()
		if err := Workbook(&again, sentence.Chinese, r); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), again.Bytes()) {
			t.Fatal("one report is two files")
		}
	}
	f, err := excelize.OpenReader(&first)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for cell, want := range map[string]string{"A2": "11110000MULN00002P", "B2": "=1+1 局", "C1": "收到申请", "C2": "1200", "H2": "1.5", "H3": "", "B3": "𰻝㐂水务局", "AA3": "1", "B4": "合计", "C4": "1200"} {
		got, err := f.GetCellValue("2026-11", cell, excelize.Options{RawCellValue: true})
		if err != nil || got != want {
			t.Errorf("%s is %q, want %q, %v", cell, got, want, err)
		}
	}
	if kind, err := f.GetCellType("2026-11", "B2"); err != nil || kind == excelize.CellTypeFormula || kind == excelize.CellTypeNumber {
		t.Errorf("a name that begins with = is %v, %v", kind, err)
	}
	if got, err := f.GetCellValue("说明", "B3"); err != nil || got != "1234" {
		t.Errorf("the height is %q, %v", got, err)
	}
}
