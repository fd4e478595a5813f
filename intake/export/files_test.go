package export

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"google.golang.org/protobuf/testing/protocmp"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/sheet"
)

// withFiles is an entry that a portal publishes with three files.
func withFiles() *cataloguev1.Entry {
	return &cataloguev1.Entry{
		Id: orgA + ":F1", Provider: orgA, Name: "取水许可", ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, Duties: []string{orgA + ":D1"},
		Items: []*cataloguev1.Item{{Code: "a", Name: "编号"}, {Code: "b", Name: "名称"}},
		Resources: []*cataloguev1.Resource{
			{Title: "2024年", Url: "https://data.example.gov.cn/1.csv", Format: "CSV", MediaType: "text/csv", Bytes: 1 << 33, Modified: "2025-05-05"},
			{Title: "接口", Url: "https://data.example.gov.cn/api", Format: "JSON", Api: true},
			{Title: "API 说明", Url: "https://data.example.gov.cn/doc", Format: "API"}, // a page on an interface, and none itself
		},
	}
}

// TestTabsComeBack: a tab in a text is part of it, in every format.
func TestTabsComeBack(t *testing.T) {
	e := withFiles()
	e.Abstract, e.Resources = "许可\t明细\n第二行\t表", nil
	for _, f := range readable {
		got := read(t, write(t, t.TempDir(), f, sheet.Chinese, e))
		if len(got) != 1 || got[0].Abstract != e.Abstract {
			t.Errorf("%s: %q", f, got[0].Abstract)
		}
	}
}

// TestFilesComeBack: the tables of the form have a place for the files of an entry.
func TestFilesComeBack(t *testing.T) {
	for _, f := range []Format{Workbook, Text} {
		for _, lang := range []sheet.Lang{sheet.Chinese, sheet.English} {
			got := read(t, write(t, t.TempDir(), f, lang, withFiles(), dangerous()))
			if len(got) != 2 {
				t.Fatalf("%s: %d entries", f, len(got))
			}
			if diff := cmp.Diff(withFiles().Resources, got[0].Resources, protocmp.Transform()); diff != "" {
				t.Errorf("%s (-written +read):\n%s", f, diff)
			}
			if len(got[1].Resources) != 1 {
				t.Errorf("%s: the second entry has %v", f, got[1].Resources)
			}
		}
	}
}

// TestFilesOfNobodyAreTold: a row of the sheet of files whose code no entry has is not
// lost in silence.
func TestFilesOfNobodyAreTold(t *testing.T) {
	path := write(t, t.TempDir(), Workbook, sheet.Chinese, withFiles())
	book, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := book.SetCellStr("文件", "A2", orgA+":F2"); err != nil {
		t.Fatal(err)
	}
	if err := book.Save(); err != nil {
		t.Fatal(err)
	}
	book.Close()
	_, rep, err := intake.MakePlan(t.Context(), path, intake.Options{Lang: sheet.English})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rep.Problems {
		if p.Field == string(intake.Resources) && strings.Contains(p.Message, "of the 3 rows of the sheet of files 1 are not imported") {
			return
		}
	}
	t.Errorf("nothing is told: %v", rep.Problems)
}

// TestFormatsByOtherNames: a format is found by its standard's name and by its ending.
func TestFormatsByOtherNames(t *testing.T) {
	for name, want := range map[string]Format{"dcat-ap": DCAT, "JSONLD": DCAT, "data.json": OpenData, "odcs": Contract, ".xlsx": Workbook, "docx": ""} {
		if got, err := Parse(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
