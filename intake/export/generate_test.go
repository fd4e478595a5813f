package export

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
)

// orgA and orgB are organisations with a right check digit.
var orgA, orgB = creditCode("11110000MULN0001"), creditCode("11110000MULN0002")

func creditCode(start string) string {
	for _, a := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
		for _, b := range "0123456789ABCDEFGHJKLMNPQRTUWXY" {
			if c := start + string(a) + string(b); code.CheckUSCC(c) == nil {
				return c
			}
		}
	}
	panic("no check digit for " + start)
}

// words are what cells and documents are broken by: formulas, codes that a spreadsheet
// ruins, marks of csv, JSON, YAML and HTML, characters outside the first plane.
var words = []string{
	"建设用地", "规划许可证", "企业", "Permit", "list", "=1+1", "=HYPERLINK(\"http://evil\",\"x\")", "+86", "-5", "@SUM(A1)", "'引号", "''=2", "＝全角",
	"0012", "110108199001011234", "2.5", "1E5", "2026-01-02", "1/2", "a,b", "“引”", "\"q\"", "<b>&amp;", "x: y", "# no", "- dash", "{a}", "[b]", "\\n", "𠮷野家", "true", "null_", "~tilde", "%d", "café", "? 问", "! tag", "& anchor", "葛\U000E0100城", "|", "；", "、",
}

// line is a text of one line, as the ledger takes it.
func line(t *rapid.T, name string, least int) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), least, 4).Draw(t, name), " ")
}

// plainWord is a text that begins and ends with what every format takes for text.
func plainWord(t *rapid.T, name string) string {
	text := strings.NewReplacer(",", "", "；", "", "、", "", "|", "", "\"", "").Replace(line(t, name, 1))
	return strings.Join(strings.Fields("字"+text+"字"), " ")
}

func block(t *rapid.T, name string) string {
	lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return line(t, "line", 1) }), 0, 3).Draw(t, name)
	return strings.TrimSpace(strings.Join(lines, rapid.SampledFrom([]string{"\n", "\n", "\t"}).Draw(t, name+" between")))
}

func few(t *rapid.T, name string, f func(*rapid.T, string) string) []string {
	list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return f(t, name) }), 0, 3).Draw(t, name)
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// anyEntry draws an entry that the ledger takes.
func anyEntry(t *rapid.T, n int) *cataloguev1.Entry {
	org := rapid.SampledFrom([]string{orgA, orgB}).Draw(t, "org")
	other := orgA
	if org == orgA {
		other = orgB
	}
	e := &cataloguev1.Entry{
		Id: fmt.Sprintf("%s:%s%d", org, rapid.SampledFrom([]string{"e", "E-0", "permits.", "007"}).Draw(t, "local"), n), Provider: org,
		Name: fmt.Sprintf("%s 第%d号", line(t, "name", 1), n), Abstract: block(t, "abstract"), Category: strings.ReplaceAll(plainWord(t, "category"), "/", ""),
		Duties: []string{org + ":D1"}, Matters: few(t, "matter", func(t *rapid.T, _ string) string { return rapid.StringMatching(`[0-9A-Z]{3,12}`).Draw(t, "m") }),
		Format: cataloguev1.Format(rapid.Int32Range(0, 7).Draw(t, "format")), OpenType: cataloguev1.OpenType(rapid.Int32Range(0, 3).Draw(t, "open")),
		UpdateCycle: cataloguev1.UpdateCycle(rapid.Int32Range(0, 9).Draw(t, "cycle")), Grade: cataloguev1.Grade(rapid.Int32Range(0, 6).Draw(t, "grade")),
		Sensitivity: rapid.Uint32Range(0, 4).Draw(t, "sensitivity"), Personal: cataloguev1.Personal(rapid.Int32Range(0, 3).Draw(t, "personal")),
		Processing: cataloguev1.Processing(rapid.Int32Range(0, 6).Draw(t, "processing")), CoverageRegion: rapid.SampledFrom([]string{"", "110000", "110108"}).Draw(t, "region"),
		RetentionDays: rapid.Uint32Range(0, 3650).Draw(t, "retention"), StalenessSeconds: rapid.Uint32Range(0, 600).Draw(t, "staleness"),
		Issued: rapid.SampledFrom([]string{"", "2019-12-31", "2020-01-02T03:04:05Z"}).Draw(t, "issued"), Modified: rapid.SampledFrom([]string{"", "2026-01-31"}).Draw(t, "modified"),
		LandingPage: rapid.SampledFrom([]string{"", "https://data.example.gov.cn/d?id=1&x=%E5%8C%97", "http://data.example.gov.cn/{id}"}).Draw(t, "page"),
		Licence:     rapid.SampledFrom([]string{"", "https://creativecommons.org/licenses/by/4.0/", "开放数据许可 2.0"}).Draw(t, "licence"),
		Languages:   rapid.SampledFrom([][]string{nil, {"zh"}, {"zh", "en"}, {"zh-CN"}}).Draw(t, "languages"),
		Origin:      rapid.SampledFrom([]string{"", "https://portal.example.org/api#4711"}).Draw(t, "origin"),
		Keywords:    few(t, "keyword", plainWord), Aliases: few(t, "alias", plainWord),
		State: cataloguev1.EntryState(rapid.Int32Range(1, 7).Draw(t, "state")), Version: 3, CreatedMs: 5, UpdatedMs: 1_760_000_000_000, ContentHash: make([]byte, 32),
		Lock: &cataloguev1.Lock{CounterSigners: []string{other}, Version: 3},
	}
	if e.OpenType == cataloguev1.OpenType_OPEN_TYPE_CONDITIONAL {
		e.OpenCondition = "条件" + block(t, "open condition")
	}
	if rapid.Bool().Draw(t, "period") {
		e.CoverageTime = plainWord(t, "coverage")
	}
	if rapid.Bool().Draw(t, "source") {
		e.SourceOrg = other
	}
	if rapid.Bool().Draw(t, "system") {
		e.System = org + ":S1"
	}
	if rapid.Bool().Draw(t, "table") {
		e.Table = org + "/g/main:db.permits"
	}
	if rapid.Bool().Draw(t, "order") {
		e.StandingOrder = &cataloguev1.StandingOrder{
			Automatic: rapid.Bool().Draw(t, "automatic"), MaxDays: rapid.Uint32Range(0, 365).Draw(t, "days"), MaxCallsPerDay: rapid.Uint32Range(0, 99).Draw(t, "calls"),
			Requesters: few(t, "requesters", func(t *rapid.T, _ string) string { return rapid.SampledFrom([]string{orgA, orgB}).Draw(t, "r") }),
		}
	}
	anySharing(t, e)
	for i := range rapid.IntRange(0, 4).Draw(t, "items") {
		e.Items = append(e.Items, anyItem(t, e, i))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "resources") {
		e.Resources = append(e.Resources, anyResource(t, i))
	}
	return e
}

func anySharing(t *rapid.T, e *cataloguev1.Entry) {
	fits := []cataloguev1.Method{1, 2, 3}
	switch e.Format {
	case cataloguev1.Format_FORMAT_UNSTRUCTURED, cataloguev1.Format_FORMAT_FILE, cataloguev1.Format_FORMAT_FOLDER:
		fits = []cataloguev1.Method{3}
	case cataloguev1.Format_FORMAT_API, cataloguev1.Format_FORMAT_LINK:
		fits = []cataloguev1.Method{1}
	}
	e.Methods = rapid.SampledFrom([][]cataloguev1.Method{nil, fits[:1], fits}).Draw(t, "methods")
	switch e.ShareType = cataloguev1.ShareType(rapid.Int32Range(1, 3).Draw(t, "share")); e.ShareType {
	case cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL:
		e.Conditions = &cataloguev1.ShareConditions{
			Scope: "范围" + block(t, "scope"), Purposes: few(t, "purpose", func(t *rapid.T, n string) string { return line(t, n, 1) }),
			Methods: e.Methods, Extra: block(t, "extra"),
		}
	case cataloguev1.ShareType_SHARE_TYPE_DENIED:
		e.DenyBasis = &cataloguev1.DenyBasis{Law: plainWord(t, "law"), Article: "第二十五条", Text: block(t, "deny")}
	}
}

func anyItem(t *rapid.T, e *cataloguev1.Entry, i int) *cataloguev1.Item {
	it := &cataloguev1.Item{
		Code: fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"code_", "00", "项"}).Draw(t, "code"), i), Name: line(t, "item", 1), TechnicalName: rapid.SampledFrom([]string{"", "PERMIT_NO", "permit no"}).Draw(t, "technical"),
		Type:   rapid.SampledFrom([]string{"", "text", "integer", "decimal", "boolean", "date", "timestamp", "bytes", "float", "json"}).Draw(t, "type"),
		Length: rapid.Uint32Range(0, 300).Draw(t, "length"), Precision: rapid.Uint32Range(0, 6).Draw(t, "precision"),
		CodeTable: rapid.SampledFrom([]string{"", "GB/T 2260-2007"}).Draw(t, "codes"), ShareType: cataloguev1.ShareType(rapid.SampledFrom([]int32{0, int32(e.ShareType), 3}).Draw(t, "item share")),
		OpenType: cataloguev1.OpenType(rapid.Int32Range(0, 3).Draw(t, "item open")), Personal: cataloguev1.Personal(rapid.Int32Range(0, 3).Draw(t, "item personal")),
		PrimaryKey: rapid.Bool().Draw(t, "key"), Watermark: rapid.Bool().Draw(t, "watermark"), State: cataloguev1.ItemState(rapid.Int32Range(0, 2).Draw(t, "item state")),
	}
	if e.Table != "" && rapid.Bool().Draw(t, "mapped") {
		it.Column = fmt.Sprintf("col_%d", i)
	}
	return it
}

func anyResource(t *rapid.T, i int) *cataloguev1.Resource {
	return &cataloguev1.Resource{
		Title: plainWord(t, "title"), Url: fmt.Sprintf(rapid.SampledFrom([]string{"https://data.example.gov.cn/files/%d?a=1&b=%%20", "http://data.example.gov.cn/{%d}"}).Draw(t, "url"), i), Format: rapid.SampledFrom([]string{"", "CSV", "XLSX"}).Draw(t, "file format"),
		MediaType: rapid.SampledFrom([]string{"", "text/csv", "application/vnd.ms-excel"}).Draw(t, "media"), Bytes: rapid.Uint64Range(0, 1<<40).Draw(t, "bytes"),
		Modified: rapid.SampledFrom([]string{"", "2025-05-05"}).Draw(t, "file modified"), Api: rapid.Bool().Draw(t, "api"),
	}
}
