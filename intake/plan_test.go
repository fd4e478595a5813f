package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// file writes content into a file of the test.
func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// drafts returns what can be imported.
func drafts(t testing.TB, p *Plan) []*Draft {
	t.Helper()
	var out []*Draft
	if err := p.Each(context.Background(), func(d *Draft) error { out = append(out, d); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestNoHeaderMeansTwoThings: the table of synonyms turned round loses nothing.
func TestNoHeaderMeansTwoThings(t *testing.T) {
	at := make(map[string]Field)
	for f, names := range synonyms {
		for _, n := range names {
			k := headerKey(n)
			if k == "" {
				t.Errorf("%s: %q has no key", f, n)
			}
			if other, ok := at[k]; ok && other != f {
				t.Errorf("%q means %s and %s", n, other, f)
			}
			at[k] = f
		}
	}
	for header, want := range map[string]Field{
		"信息资源名称（必填）": Name, "*资源名称": Name, "資料集名稱": Name, "Dataset Name": Name,
		"更新頻率": UpdateCycle, " 更 新 周 期 ": UpdateCycle, "資料來源(部會單位)": SourceOrg, "统一社会信用代码": OwnerCode,
		"資料提供機關": Owner, "共享类型：": ShareType, "信息项名称": ItemName, "浏览量": "", "": "",
	} {
		if got := fieldOf(header).field; got != want {
			t.Errorf("%q means %q, want %q", header, got, want)
		}
	}
}

// TestVerdicts holds rows against what becomes of them: the verdict, and the
// field and code of each problem.
func TestVerdicts(t *testing.T) {
	const head = "资源名称,资源提供方,资源代码,更新周期,共享类型,共享条件,不予共享依据,资源格式,共享方式,数据分级,更新时间,统一社会信用代码"
	long := strings.Repeat("长", maxName+1)
	for _, c := range []struct{ name, row, want string }{
		{"in order", "水情,水务局,R1,每日,无条件共享,,,库表,批量交换,,2020-12-31,", "accepted"},
		{"words of portals", "水情,水务局,,每月更新1次,1,,,CSV,,,2020年1月2日,", "accepted"},
		{"no name", ",水务局,,,1,,,,,,,", "rejected name:11005"},
		{"long name", long + ",水务局,,,1,,,,,,,", "rejected name:11004"},
		{"no owner", "水情,,,,1,,,,,,,", "doubtful owner:11005"},
		{"no owner but its code", "水情,,,,1,,,,,,,91110108MA01C2XF60", "doubtful owner_code:11012 owner:11005"},
		{"owner named nobody", "水情,XX,,,1,,,,,,,", "doubtful owner:11034"},
		{"unknown cycle", "水情,水务局,,每三年,1,,,,,,,", "doubtful update_cycle:11006"},
		{"cycle that says two things", "水情,水务局,,每月、年,1,,,,,,,", "doubtful update_cycle:11006"},
		{"damaged code", "水情,水务局,2.02E+17,,1,,,,,,,", "doubtful code:11031"},
		{"damaged owner code", "水情,水务局,,,1,,,,,,,9.11E+17", "doubtful owner_code:11031"},
		{"conditions not stated", "水情,水务局,,,有条件共享,,,,,,,", "rejected share_condition:11014"},
		{"conditions stated", "水情,水务局,,,有条件共享,仅限防汛,,,,,,", "accepted"},
		{"denied without law", "水情,水务局,,,不予共享,,领导要求,,,,,", "rejected deny_basis:11013"},
		{"denied by law", "水情,水务局,,,不予共享,,《统计法》第二十五条,,,,,", "accepted"},
		{"conditions where there are none", "水情,水务局,,,无条件共享,仅限防汛,,,,,,", "doubtful share_condition:11012"},
		{"no share type", "水情,水务局,,,,,,,,,,", "doubtful share_type:11005"},
		{"file as interface", "水情,水务局,,,1,,,文件,服务接口,,,", "rejected methods:11011"},
		{"classified", "水情,水务局,,,1,,,,,机密,,", "rejected grade:11022"},
		{"unknown date", "水情,水务局,,,1,,,,,,04/26,", "doubtful updated:11006"},
		{"year of the Republic", "水情,水务局,,,1,,,,,,107/05/07,", "doubtful updated:11006"},
		{"too many cells", "水情,水务局,,,1,,,,,,,,x", "doubtful :11003"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := mustPlan(t, file(t, "list.csv", head+"\n"+c.row+"\n"), Options{})
			got := fmt.Sprintf("%d accepted %d doubtful %d rejected", r.Accepted, r.Doubtful, r.Rejected)
			for v, n := range map[string]int{"accepted": r.Accepted, "doubtful": r.Doubtful, "rejected": r.Rejected} {
				if n == 1 {
					got = v
				}
			}
			for _, p := range r.Problems {
				if p.Line == 2 {
					got += fmt.Sprintf(" %s:%d", p.Field, p.Code)
					if p.Suggestion == "" && p.Code != fault.Secret {
						t.Errorf("%s %d has no suggestion", p.Field, p.Code)
					}
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestSuggestionsOfDates: what a date may have meant is said.
func TestSuggestionsOfDates(t *testing.T) {
	for date, want := range map[string]string{"107/05/07": "2018-05-07", "44196": "2020-12-31", "民國107年5月7日": "2018-05-07", "十二月": "2020-12-31"} {
		_, r := mustPlan(t, file(t, "list.csv", "资源名称,提供方,更新时间\n水情,水务局,"+date+"\n"), Options{})
		if lines := problemsOf(r, fault.OutOfRange, Updated); len(lines) != 1 {
			t.Errorf("%s: no problem", date)
		}
		for _, p := range r.Problems {
			if p.Field == string(Updated) && !strings.Contains(p.Suggestion, want) {
				t.Errorf("%s: %s, want %s", date, p.Suggestion, want)
			}
		}
	}
}

// TestSpellingsAreProposedNotMerged as one owner is written in several ways; and
// two owners of similar names are left alone.
func TestSpellingsAreProposedNotMerged(t *testing.T) {
	p, r := mustPlan(t, file(t, "list.csv", `资源名称,提供方
a,北京市残疾人联合会
b,北京市残疾人联合会
c,北京市残疾人联合会 提供
d,"北京市残疾人联合会 "
e,昌平
f,昌平区
g,昌平区
h,嘉義市政府
i,嘉義縣政府
j,臺北市政府
k,台北市政府
l,台北市政府
m,通州区
n,通州区经济和信息化局
`), Options{})
	want := []int{4, 5, 6, 11}
	if got := problemsOf(r, fault.OwnerUnclear, Owner); !cmp.Equal(got, want) || r.Doubtful != len(want) {
		t.Errorf("told on lines %v, want %v; %d doubtful", got, want, r.Doubtful)
	}
	for _, q := range r.Problems {
		if q.Line == 6 && !strings.Contains(q.Suggestion, "昌平区") || q.Line == 11 && !strings.Contains(q.Suggestion, "台北市政府") {
			t.Errorf("line %d: %s", q.Line, q.Suggestion)
		}
	}
	for _, d := range drafts(t, p) {
		if d.Line == 4 && d.Owner != "北京市残疾人联合会 提供" {
			t.Errorf("line 4 was merged into %q", d.Owner)
		}
	}
}

// TestClashesAreRejected: the later of two different entries of one owner with one
// name, or one code; across owners and without owner nothing clashes.
func TestClashesAreRejected(t *testing.T) {
	_, r := mustPlan(t, file(t, "list.csv", `资源名称,提供方,资源代码,摘要
水情,水务局,A1,x
水 情,水务局,A2,y
水情,气象局,A1,z
雨情,水务局,A1,x
水情,,,x
水情,,,y
水情,水务局,A1,x
`), Options{})
	if got := problemsOf(r, fault.DuplicateName, Name); !cmp.Equal(got, []int{3}) {
		t.Errorf("names clash on %v", got)
	}
	if got := problemsOf(r, fault.AlreadyExists, Code); !cmp.Equal(got, []int{5}) {
		t.Errorf("codes clash on %v", got)
	}
	if r.Duplicates != 1 || r.Rejected != 2 || r.Doubtful != 2 || r.Accepted != 2 {
		t.Errorf("%+v", r)
	}
}

// TestFormWithARowForEachItem: the entry's cells are merged or repeated; two
// levels of headings; titles above.
func TestFormWithARowForEachItem(t *testing.T) {
	x := excelize.NewFile()
	defer x.Close()
	for i, row := range [][]any{
		{"某市政务信息资源目录"},
		{},
		{"信息资源名称", "信息资源提供方", "更新周期", "信息项信息"},
		{"", "", "", "信息项名称", "数据类型", "数据长度", "字段英文名称"},
		{"河湖水情", "水务局", "每日", "站名", "字符型", "50", "station"},
		{"", "", "", "水位", "小数型", "8", ""},
		{"", "", "", "水位", "小数型", "8", ""},
		{},
		{"水库", "水务局", "每日", "库名", "字符型", "50", ""},
		{"水库", "水务局", "每日", "库容", "小数型", "8", ""},
	} {
		x.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row)
	}
	x.MergeCell("Sheet1", "A1", "G1")
	x.MergeCell("Sheet1", "D3", "G3")
	x.MergeCell("Sheet1", "A5", "A7")
	path := filepath.Join(t.TempDir(), "目录.csv")
	if err := x.SaveAs(strings.TrimSuffix(path, "csv") + "xlsx"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(strings.TrimSuffix(path, "csv")+"xlsx", path); err != nil {
		t.Fatal(err)
	}
	p, r := mustPlan(t, path, Options{})
	if r.Format != "xlsx" || r.Rows != 6 || r.Entries != 2 || r.Accepted != 1 || r.Doubtful != 1 || r.Blank != 1 {
		t.Errorf("%+v", r)
	}
	list := drafts(t, p)
	if len(list) != 2 || len(list[0].Entry.Items) != 2 || len(list[1].Entry.Items) != 2 {
		t.Fatalf("%d drafts", len(list))
	}
	it := list[0].Entry.Items[0]
	if it.Name != "站名" || it.Code != "station" || it.Type != "text" || it.Length != 50 {
		t.Errorf("item %v", it)
	}
}

// TestObjectsWithItems: the items of an object are a list of objects; two equal
// objects in a row are a repeat and not one entry; what has no place is named.
func TestObjectsWithItems(t *testing.T) {
	one := `{"name":"水情","owner":"水务局","items":[{"name":"站名","technical_name":"station","type":"字符型","length":50,"unit":"m"},{"title":"水位"},{"type":"x"}],"resources":[{"format":"CSV","url":"u"},{"format":"API"}],"tags":["a",{"b":"c"}]}`
	p, r := mustPlan(t, file(t, "list.json", one+"\n"+one+"\n"), Options{})
	d := drafts(t, p)
	if r.Entries != 2 || r.Duplicates != 1 || len(d) != 1 || len(d[0].Entry.Items) != 2 || d[0].Entry.Items[0].Code != "station" || d[0].Entry.Items[0].Length != 50 {
		t.Fatalf("%+v\n%+v", r, d)
	}
	told := make(map[string]bool)
	for _, q := range r.Problems {
		if q.Line == 0 {
			told[q.Field] = true
		}
	}
	for _, want := range []string{"items", "items.unit", "tags"} {
		if !told[want] {
			t.Errorf("%s is not told: %v", want, told)
		}
	}
}

// TestOtherLists: organisations and duties are recognised by their headers.
func TestOtherLists(t *testing.T) {
	p, r := mustPlan(t, file(t, "orgs.csv", "机构名称,统一社会信用代码,行政级别\n北京市水务局,11110000000021928Y,市\n甲局,2.02E+17,\n乙局,111100000000219281,\n丙局,,\n"), Options{})
	var codes []fault.Code
	for _, q := range r.Problems {
		if q.Line > 0 {
			codes = append(codes, q.Code)
		}
	}
	if r.Kind != "organisations" || r.Rejected != r.Entries-r.Accepted || !cmp.Equal(codes[len(codes)-3:], []fault.Code{fault.CodeDamaged, fault.CodeInconsistent, fault.Missing}) {
		t.Errorf("%+v", r)
	}
	for _, d := range drafts(t, p) {
		if d.Org.Code != d.Code || d.Org.Profile.Name == "" {
			t.Errorf("%+v", d)
		}
	}
	p, r = mustPlan(t, file(t, "duties.csv", "实施主体,职权编号,职权名称,职权种类,设定依据\n区交通局,C0613500,对校车超员进行处罚,\"警告,罚款\",《校车安全管理条例》\n"), Options{})
	d := drafts(t, p)
	if r.Kind != "duties" || len(d) != 1 || d[0].Local != "C0613500" || d[0].Duty.PowerType != cataloguev1.PowerType_POWER_TYPE_PENALTY || d[0].Owner != "区交通局" {
		t.Errorf("%+v\n%+v", r, d)
	}
}

// TestHeadersThatNobodyKnows are named, and --map gives them a meaning.
func TestHeadersThatNobodyKnows(t *testing.T) {
	path := file(t, "list.csv", "甲,乙\n水情,水务局\n雨情,气象局\n")
	_, _, err := MakePlan(t.Context(), path, Options{})
	if !fault.Is(err, fault.Missing) || !strings.Contains(err.Error(), "甲") || !strings.Contains(err.Error(), "--map") {
		t.Fatalf("without map: %v", err)
	}
	m, err := ParseMap(sheet.English, []string{"甲=name", " 乙 =owner"})
	if err != nil {
		t.Fatal(err)
	}
	if _, r := mustPlan(t, path, Options{Map: m}); r.Accepted != 2 {
		t.Errorf("with map: %+v", r)
	}
	for _, bad := range []string{"甲", "甲=nothing", "=name"} {
		if _, err := ParseMap(sheet.Chinese, []string{bad}); !fault.Is(err, fault.Usage) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestReportIsTheContract that scripts rely on: the names and types of its keys.
func TestReportIsTheContract(t *testing.T) {
	_, r := mustPlan(t, file(t, "list.csv", "资源名称,提供方\n水情,\n"), Options{Lang: sheet.Chinese})
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		File, Format, Encoding                                  string
		Rows, Entries, Accepted, Rejected, Doubtful, Duplicates int
		Problems                                                []struct {
			Line, Code                 int
			Field, Message, Suggestion string
		}
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	json.Unmarshal(raw, &keys)
	for _, k := range []string{"file", "format", "encoding", "rows", "entries", "accepted", "rejected", "doubtful", "duplicates", "problems"} {
		if _, ok := keys[k]; !ok {
			t.Errorf("no key %s in %s", k, raw)
		}
	}
	if got.File != "list.csv" || got.Format != "csv" || got.Encoding != "utf-8" || got.Rows != 1 || got.Entries != 1 || got.Doubtful != 1 {
		t.Errorf("%s", raw)
	}
	for _, p := range got.Problems {
		if p.Message == "" || !strings.ContainsFunc(p.Message, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("not Chinese: %+v", p)
		}
	}
}

// TestIdsAreStable: golden local codes, for they must never change; the name's
// blanks and widths do not count.
func TestIdsAreStable(t *testing.T) {
	for name, want := range map[string]string{"河湖水情信息": "NLNUBWC7SHBZVFQMU", "ＡＢＣ 表": localOf("ABC表")} {
		if got := localOf(name); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	p, _ := mustPlan(t, file(t, "list.csv", "资源名称,提供方,资源代码\n水情,水务局,110/000-1\n雨情,水务局,a-7\n"), Options{})
	d := drafts(t, p)
	if d[0].Local != localOf("110/000-1") || !cmp.Equal(d[0].Entry.Aliases, []string{"110/000-1"}) || d[1].Local != "A-7" {
		t.Errorf("%s %v, %s", d[0].Local, d[0].Entry.Aliases, d[1].Local)
	}
}

// TestEveryEntryHasOneVerdict in random tables: the sum holds, and so do the rows.
func TestEveryEntryHasOneVerdict(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		cell := rapid.SampledFrom([]string{"", " ", "水情", "雨情", "XX", "水务局", "水务局 ", "每日", "每三年", "2.02E+17", "1", "2", "3", "机密", "\"a\nb\"", "\"", "a\"b", "\xff", "《法》第一条"})
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, 0, 7), 0, 30).Draw(rt, "rows")
		text := "资源名称,提供方,资源代码,更新周期,共享类型,依据\n"
		for _, r := range rows {
			text += strings.Join(r, ",") + "\n"
		}
		path := filepath.Join(dir, "list.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			rt.Fatal(err)
		}
		p, r, err := MakePlan(context.Background(), path, Options{})
		if err != nil {
			rt.Fatalf("%v\n%s", err, text)
		}
		n := 0
		if err := p.Each(context.Background(), func(*Draft) error { n++; return nil }); err != nil {
			rt.Fatal(err)
		}
		if r.Accepted+r.Rejected+r.Doubtful+r.Duplicates != r.Entries || r.Entries+r.Blank != r.Rows || n != r.Accepted+r.Doubtful {
			rt.Fatalf("%+v, %d drafts\n%s", r, n, text)
		}
	})
}

// TestChangedFileIsNotImported: what was judged is what is imported.
func TestChangedFileIsNotImported(t *testing.T) {
	path := file(t, "list.csv", "资源名称,提供方\n水情,水务局\n")
	p, _ := mustPlan(t, path, Options{})
	if err := os.WriteFile(path, []byte("资源名称,提供方\n雨情,水务局\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Each(t.Context(), func(*Draft) error { return nil }); !fault.Is(err, fault.VersionConflict) {
		t.Errorf("Each = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	big := file(t, "big.csv", "资源名称,提供方\n"+strings.Repeat("水情,水务局\n", 1000))
	if _, _, err := MakePlan(ctx, big, Options{}); !fault.Is(err, fault.Cancelled) {
		t.Errorf("cancelled: %v", err)
	}
}
