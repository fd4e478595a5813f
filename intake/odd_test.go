package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// TestTableWithoutHeader: what the columns look like is proposed, every entry is
// doubtful, and what a person says counts.
func TestTableWithoutHeader(t *testing.T) {
	path := file(t, "list.csv", "水务局,河湖水情信息,2020-12-31,每日\n水务局,大中型水库水情,2020-12-30,每日\n教育委员会,金帆艺术团名单,2020/1/2,每年\n")
	p, r := mustPlan(t, path, Options{})
	if r.Entries != 3 || r.Rows != 3 || r.Doubtful != 3 || !strings.Contains(r.Problems[len(r.Problems)-1].Suggestion, `--header none --map "#3=updated" --map "#4=update_cycle" --map "#1=owner" --map "#2=name"`) {
		t.Errorf("%+v", r)
	}
	if d := drafts(t, p)[0]; d.Entry.Name != "河湖水情信息" || d.Owner != "水务局" || d.Entry.Modified != "2020-12-31" || d.Entry.UpdateCycle != cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY || !d.Doubtful {
		t.Errorf("%+v", d)
	}
	said, err := ParseMap(0, []string{"#2=name", "#1=owner"})
	if err != nil {
		t.Fatal(err)
	}
	if p, r = mustPlan(t, path, Options{NoHeader: true, Map: said}); r.Accepted != 3 || drafts(t, p)[2].Owner != "教育委员会" {
		t.Errorf("with --header none: %+v", r)
	}
}

// TestRefusalSaysWhatIsThere: the columns or keys that were found, and what to do.
func TestRefusalSaysWhatIsThere(t *testing.T) {
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	for _, c := range []struct {
		name, in string
		code     fault.Code
		words    []string
	}{
		{"list.json", `[{"colour":"red","size":{"width":3}},{"colour":"blue"}]`, fault.Missing, []string{"colour, size.width", "--map", "2 records"}},
		{"list.csv", "colour,size\nred,3\nblue,4\n", fault.Missing, []string{"colour, size", "--map"}},
		{"deep.json", `{"a":` + deep + `}`, fault.TooLong, []string{"deeper than 32"}},
		{"deep list.json", `[{"a":` + deep + `},{"a":` + deep + `}]`, fault.TooLong, []string{"deeper than 32", "Line 1"}},
		{"error.json", `{"success":false,"error":{"message":"Access denied"}}`, fault.Malformed, []string{"Access denied"}},
		{"empty.json", `{"conformsTo":"x","dataset":[]}`, fault.Empty, []string{"no record"}},
	} {
		_, _, err := MakePlan(t.Context(), file(t, c.name, c.in), Options{})
		if !fault.Is(err, c.code) {
			t.Errorf("%s: %v (%v)", c.name, err, fault.CodeOf(err))
			continue
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in %q", c.name, w, err)
			}
		}
	}
}

// TestPortalRecords holds what portals publish against what is made of it.
func TestPortalRecords(t *testing.T) {
	const turtle = `@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
<http://d/1> a dcat:Dataset ; dct:title "水情"@zh ; dct:publisher [ foaf:name "水务局" ] ; dct:identifier "W-1" ; dcat:keyword "水" , "river" ;
 dct:accrualPeriodicity <http://publications.europa.eu/resource/authority/frequency/ANNUAL_2> ; dct:accessRights <http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC> ;
 dcat:theme <http://publications.europa.eu/resource/authority/data-theme/ENVI> ; dct:language <http://publications.europa.eu/resource/authority/language/ZHO> ;
 dct:issued "2020-01-02"^^<http://www.w3.org/2001/XMLSchema#date> ; dct:modified "2020-01-02T03:04:05+08:00" ; dcat:landingPage <http://d/page> ;
 dcat:contactPoint [ vcard:fn "某甲" ; vcard:hasEmail <mailto:a@b.example> ] ;
 dcat:distribution [ dct:title "f" ; dcat:downloadURL <http://d/f.csv> ; dcat:accessURL <http://d/f> ; dct:format <http://publications.europa.eu/resource/authority/file-type/CSV> ; dcat:byteSize 12 ; dct:license <http://l> ] .`
	want := &cataloguev1.Entry{
		Name: "水情", Category: "Environment", Format: cataloguev1.Format_FORMAT_FILE, OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_HALF_YEARLY,
		Keywords: []string{"水", "river"}, Resources: []*cataloguev1.Resource{{Title: "f", Url: "http://d/f.csv", Format: "CSV", Bytes: 12}},
		Licence: "http://l", Issued: "2020-01-02", Modified: "2020-01-02T03:04:05+08:00", LandingPage: "http://d/page", Languages: []string{"zh"}, Origin: "W-1",
	}
	ckan := `{"help":"h","success":true,"result":{"count":1,"results":[{"name":"shui-qing","title":"水情","id":"W-1","organization":{"title":"水务局","name":"swj"},
 "tags":[{"display_name":"水","name":"x"},{"display_name":"river"}],"maintainer":"某甲","maintainer_email":"a@b.example","url":"http://d/page","license_title":"CC","license_url":"http://l","language":"zh",
 "extras":[{"key":"更新頻度","value":"半年ごと"},{"key":"issued","value":"2020-01-02"}],"groups":[{"title":"Environment"}],"metadata_modified":"2020-01-02T03:04:05.123",
 "access_level":"non-public","resources":[{"name":"f","url":"http://d/f.csv","format":"CSV","size":"12"}]}]}}`
	wantCKAN := proto.CloneOf(want)
	wantCKAN.Modified = "2020-01-02"
	table := "資料集名稱,提供機關,資料集識別碼,更新頻率,分類,標籤/關鍵字,資料資源下載網址,授權方式,上架日,最後更新時間,資料連結網址,語言,開放類型,聯絡人,電子郵件,檔案格式,資料量\n" +
		"水情,水务局,W-1,每半年,Environment,水;river,http://d/f.csv,http://l,2020/01/02,2020年1月2日,http://d/page,zh,non-public,某甲,a@b.example,CSV,12\n"
	wantTable := proto.CloneOf(wantCKAN)
	wantTable.Resources = []*cataloguev1.Resource{{Url: "http://d/f.csv"}}
	for _, c := range []struct {
		name, in string
		want     *cataloguev1.Entry
	}{{"a.ttl", turtle, want}, {"a.json", ckan, wantCKAN}, {"a.csv", table, wantTable}} {
		p, r := mustPlan(t, file(t, c.name, c.in), Options{})
		list := drafts(t, p)
		if len(list) != 1 || list[0].Owner != "水务局" || list[0].Local != "W-1" {
			t.Fatalf("%s: %+v %+v", c.name, list, r)
		}
		if !proto.Equal(list[0].Entry, c.want) {
			t.Errorf("%s:\n%v\nwant\n%v", c.name, list[0].Entry, c.want)
		}
		if !slices.ContainsFunc(r.Problems, func(q Problem) bool {
			return q.Field == string(Contact) && strings.HasPrefix(q.Message, "2 contact details")
		}) {
			t.Errorf("%s: contact details are not told: %+v", c.name, r.Problems)
		}
		if r.Accepted != 1 {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

// TestNobodyIsOnTheLedger: an address in a text is taken out, and counted.
func TestNobodyIsOnTheLedger(t *testing.T) {
	p, r := mustPlan(t, file(t, "a.csv", "资源名称,提供方,资源摘要,联系人,联系电话\n水情,水务局,问 a.b@c.example 即可,某甲,暂无\n"), Options{})
	if d := drafts(t, p)[0]; d.Entry.Abstract != "问 […] 即可" || r.Accepted != 1 {
		t.Errorf("%q %+v", d.Entry.Abstract, r)
	}
	if q := r.Problems[0]; q.Field != "contact" || !strings.HasPrefix(q.Message, "2 contact details") || !strings.Contains(q.Message, "in 1 records") {
		t.Errorf("%+v", r.Problems)
	}
	_, r = mustPlan(t, file(t, "b.ttl", "@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . <http://d> a dcat:Dataset ; dct:title \"x\" ; dct:publisher <http://p> ."), Options{})
	if r.Doubtful != 1 || len(problemsOf(r, fault.OwnerUnclear, Owner)) != 1 {
		t.Errorf("an owner without a name: %+v", r)
	}
}

// TestRuinedCodes: a code that a spreadsheet has turned into a number is lost, in
// every kind of list.
func TestRuinedCodes(t *testing.T) {
	for _, c := range []struct {
		in, kind, want string
		field          Field
	}{
		{"资源名称,提供方,资源代码\n水情,水务局,2.02E+17\n", "entries", "doubtful", Code},
		{"code,name\n11,北京市\n1.1E+11,天津市\n", "codes", "rejected", ValueCode},
		{"code,name\n11,北京市\n12.0,天津市\n", "codes", "rejected", ValueCode},
		{"政务服务事项名称,实施主体,实施编码\n备案,经信局,2.02E+17\n", "matters", "doubtful", MatterCode},
	} {
		p, r := mustPlan(t, file(t, "list.csv", c.in), Options{})
		if r.Kind != c.kind || len(problemsOf(r, fault.CodeDamaged, c.field)) != 1 || c.want == "rejected" && r.Rejected != 1 || c.want == "doubtful" && r.Doubtful != 1 {
			t.Errorf("%q: %+v", c.in, r)
		}
		for _, d := range drafts(t, p) {
			if strings.Contains(fmt.Sprint(d.message()), "E+1") || strings.Contains(d.Local, "E+1") {
				t.Errorf("the number is imported: %v", d.message())
			}
		}
	}
}

// TestBounds: more keywords, files and themes than the ledger takes are left out and
// told.
func TestBounds(t *testing.T) {
	var words, files []string
	for i := range 300 {
		words = append(words, fmt.Sprintf(`"k%d"`, i))
		files = append(files, fmt.Sprintf(`{"title":"f","downloadURL":"http://d/%d"}`, i))
	}
	files[7] = `{"title":"no address"}`
	p, r := mustPlan(t, file(t, "a.json", `{"dataset":[{"title":"x","publisher":{"name":"水务局"},"keyword":[`+strings.Join(words, ",")+`],"distribution":[`+strings.Join(files, ",")+`]}]}`), Options{})
	e := drafts(t, p)[0].Entry
	if len(e.Keywords) != maxKeywords || len(e.Resources) != maxResources-1 || len(problemsOf(r, fault.TooLong, Keywords)) != 1 || len(problemsOf(r, fault.TooLong, Resources)) != 1 {
		t.Errorf("%d keywords, %d files, %+v", len(e.Keywords), len(e.Resources), r.Problems)
	}
}

// TestRepeatedIdentifiers: two entries of one owner with one code are told apart by
// nothing: the later is rejected; of two owners each may have it.
func TestRepeatedIdentifiers(t *testing.T) {
	_, r := mustPlan(t, file(t, "a.json", `[{"title":"a","owner":"水务局","identifier":"1"},{"title":"b","owner":"水务局","identifier":"1"},{"title":"a","owner":"教委","identifier":"1"}]`), Options{})
	if r.Accepted != 2 || r.Rejected != 1 || len(problemsOf(r, fault.AlreadyExists, Code)) != 1 {
		t.Errorf("%+v", r)
	}
}

// TestDays: three forms of a date become one; a time without a zone is a day.
func TestDays(t *testing.T) {
	for in, want := range map[string]string{
		"2018-07-06 22:28:04": "2018-07-06", "2018/7/6": "2018-07-06", "2018年7月6日": "2018-07-06", "20180706": "2018-07-06", "2018.7.6": "2018-07-06",
		"2018-04-12T15:00:00": "2018-04-12", "2016-02-25T17:11:37.386000": "2016-02-25", "2025-04-04T21:15:18Z": "2025-04-04T21:15:18Z", "2020-01-02T03:04:05.678+08:00": "2020-01-02T03:04:05+08:00",
		"2018": "", "2018-07": "", "04/26": "", "0021-12-31": "", "2018-13-01": "", "2018-07-06 25:00:00": "",
	} {
		if got, _ := dayOf(in); got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

// TestCodeColumns: which headers are those of a list of codes.
func TestCodeColumns(t *testing.T) {
	for header, want := range map[string]string{
		"code,name": "code name  ", "code,name,cityCode,provinceCode": "code name cityCode ", "code,name,province,city,area": "code name  province+city",
		"代码,名称,上级代码": "代码 名称 上级代码 ", "Agency Name,Bureau Name,Agency Code,Bureau Code,CGAC Code": "Bureau Code Bureau Name  ",
		"code,name,owner": "", "code,title": "", "name,description": "", "code,name,code": "",
	} {
		c, ok := codeList(strings.Split(header, ","))
		got := fmt.Sprintf("%s %s %s %s", c.code, c.name, c.parent, strings.Join(c.parts, "+"))
		if !ok {
			got = ""
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", header, d)
		}
	}
}

// TestASyntaxErrorIsToldFirst: where nothing has a name because the file is written
// wrongly, what is wrong with the file is told, with its line; and a torn file is one.
func TestASyntaxErrorIsToldFirst(t *testing.T) {
	_, _, err := MakePlan(t.Context(), file(t, "list.ttl", "@prefix dcat: <http://www.w3.org/ns/dcat#> .\n<http://a/1> a dcat:Dataset ; dct:title \"One\" .\n"), Options{})
	if !fault.Is(err, fault.Malformed) || !strings.Contains(err.Error(), "Line 2") || !strings.Contains(err.Error(), `the prefix "dct" is not declared`) {
		t.Errorf("undeclared prefix: %v", err)
	}
	if _, _, err = MakePlan(t.Context(), file(t, "list.csv.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03torn"), Options{}); !fault.Is(err, fault.Torn) || fault.Is(err, fault.Damaged) {
		t.Errorf("torn gzip: %v", err)
	}
	if _, r := mustPlan(t, file(t, "list.json", `[{"title":"Water","publisher":"Office"},{"title":"Air`), Options{}); r.Broken != 2 || r.Accepted != 1 {
		t.Errorf("torn list: %d of %d unreadable", r.Broken, r.Entries)
	}
}
