package index

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/code"
)

const (
	planning = "11110000000021928Y"
	water    = "11110000000025678C"
	suburb   = "11110108000067890D"
)

// checkWorld is a ledger with three organisations, duties, tables and a code table.
func checkWorld() *world {
	w := newWorld()
	for org, region := range map[string]string{planning: "110000", water: "110000", suburb: "110108"} {
		w.put("identity/register", Account+org, &identityv1.Account{Id: org, Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, Org: org, Profile: &identityv1.OrgProfile{Name: "单位" + org[10:], Region: region}})
		w.put("catalogue/put_duties", Duty+org+":D1", &cataloguev1.Duty{Id: org + ":D1", Org: org, Title: "管理", Source: "三定方案", PowerType: cataloguev1.PowerType_POWER_TYPE_OTHER})
		w.put("catalogue/put_duties", Duty+org+":D2", &cataloguev1.Duty{Id: org + ":D2", Org: org, Title: "旧职责", Source: "旧方案", Retired: true})
		w.put("catalogue/put_duties", Duty+org+":D3", &cataloguev1.Duty{Id: org + ":D3", Org: org, Title: "没有依据"})
		w.put("catalogue/put_duties", Duty+org+":D4", &cataloguev1.Duty{Id: org + ":D4", Org: org, Title: "许可", Source: "法", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING})
		w.put("catalogue/put_tables", Table+org+"/t", &cataloguev1.Table{Id: org + "/t", Org: org})
		w.put("catalogue/put_tables", Table+org+"/watched", &cataloguev1.Table{Id: org + "/watched", Org: org, WatermarkColumn: "at"})
		w.put("catalogue/put_tables", Table+org+"/gone", &cataloguev1.Table{Id: org + "/gone", Org: org, Gone: true})
	}
	w.put("catalogue/put_codes", CodeTable+"GB/T 2260", &cataloguev1.CodeTable{Id: "GB/T 2260", Name: "行政区划代码"})
	return w
}

// sound is an entry without fault.
func sound(org, name string) *cataloguev1.Entry {
	return &cataloguev1.Entry{
		Id: org + ":" + name, Name: name, Provider: org, Abstract: "说明", Duties: []string{org + ":D1"}, Table: org + "/t", UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_MONTHLY,
		Modified: "2026-11-01", State: cataloguev1.EntryState_ENTRY_STATE_PUBLISHED,
		Items: []*cataloguev1.Item{{Code: "a", Name: "甲" + name, Column: "a"}, {Code: "b", Name: "乙" + name, Column: "b"}},
	}
}

// now puts an event at a block time, against which staleness is measured.
func (w *world) now(text string) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	w.put("governance/heartbeat", "governance/nothing", nil)
	w.events[len(w.events)-1].TimeMs = at.UnixMilli()
}

// TestCheckFindsEachFault: one entry for each fault and near miss; each is told with
// its own kind and nothing else, and a sound entry is not told.
func TestCheckFindsEachFault(t *testing.T) {
	type change func(*cataloguev1.Entry)
	const none = cataloguev1.FindingKind_FINDING_KIND_UNSPECIFIED
	item := func(e *cataloguev1.Entry, set func(*cataloguev1.Item)) { set(e.Items[1]) }
	w := checkWorld()
	want := map[string]cataloguev1.FindingKind{}
	add := func(name string, kind cataloguev1.FindingKind, c change) {
		e := sound(planning, name)
		c(e)
		w.put("catalogue/submit_entries", Entry+e.Id, e)
		if kind != none {
			want[e.Id] = kind
		}
	}
	add("完好", none, func(*cataloguev1.Entry) {})
	add("没有职责", findNoDuty, func(e *cataloguev1.Entry) { e.Duties = nil })
	add("职责已废", findNoDuty, func(e *cataloguev1.Entry) { e.Duties = []string{planning + ":D2"} })
	add("一条职责还在", none, func(e *cataloguev1.Entry) { e.Duties = append(e.Duties, planning+":D2") })
	add("没有库表", findNoTable, func(e *cataloguev1.Entry) { e.Table = "" })
	add("库表已删", findNoTable, func(e *cataloguev1.Entry) { e.Table = planning + "/gone" })
	add("数源不明", findNoOwner, func(e *cataloguev1.Entry) { e.SourceOrg = "11110000000099999X" })
	add("数源已知", none, func(e *cataloguev1.Entry) { e.SourceOrg = water })
	add("过期", findStale, func(e *cataloguev1.Entry) { e.Modified = "2026-09-01" })
	add("在宽限内", none, func(e *cataloguev1.Entry) { e.Modified = "2026-10-05" }) // 46 days of 46.5
	add("有网关看守", none, func(e *cataloguev1.Entry) { e.Modified, e.Table = "2020-01-01", planning+"/watched" })
	add("不定期", none, func(e *cataloguev1.Entry) {
		e.Modified, e.UpdateCycle = "2020-01-01", cataloguev1.UpdateCycle_UPDATE_CYCLE_IRREGULAR
	})
	add("个人信息无依据", findPersonal, func(e *cataloguev1.Entry) {
		e.Personal, e.Duties = cataloguev1.Personal_PERSONAL_YES, []string{planning + ":D3"}
	})
	add("个人信息项无依据", findPersonal, func(e *cataloguev1.Entry) {
		item(e, func(it *cataloguev1.Item) { it.Personal = cataloguev1.Personal_PERSONAL_SENSITIVE })
		e.Duties = []string{planning + ":D3"}
	})
	add("个人信息有依据", none, func(e *cataloguev1.Entry) { e.Personal = cataloguev1.Personal_PERSONAL_SENSITIVE })
	add("身份证号没有标明", findPersonal, func(e *cataloguev1.Entry) {
		item(e, func(it *cataloguev1.Item) { it.Name = "法定代表人身份证号码" })
		e.Duties = []string{planning + ":D3"}
	})
	add("姓名和出生日期没有标明", findPersonal, func(e *cataloguev1.Entry) {
		e.Items[0].Name, e.Items[1].Name, e.Duties = "姓名", "出生日期", []string{planning + ":D3"}
	})
	add("技术名称是手机", findPersonal, func(e *cataloguev1.Entry) {
		item(e, func(it *cataloguev1.Item) { it.TechnicalName = "MOBILE_PHONE" })
		e.Duties = []string{planning + ":D3"}
	})
	add("姓名单独不算", none, func(e *cataloguev1.Entry) {
		e.Items[0].Name, e.Items[1].Name, e.Duties = "姓名", "统一社会信用代码", []string{planning + ":D3"}
	})
	add("单位的电话和地址", none, func(e *cataloguev1.Entry) {
		e.Items[0].Name, e.Items[1].Name, e.Duties = "联系电话", "企业地址", []string{planning + ":D3"}
	})
	add("身份证号有依据", none, func(e *cataloguev1.Entry) { item(e, func(it *cataloguev1.Item) { it.Name = "身份证号" }) })
	add("未对应字段", findUnmapped, func(e *cataloguev1.Entry) { item(e, func(it *cataloguev1.Item) { it.Column = "" }) })
	add("没有信息项", findNoItems, func(e *cataloguev1.Entry) { e.Items = nil })
	add("没有摘要", findNoAbstract, func(e *cataloguev1.Entry) { e.Abstract = " " })
	add("代码表不明", findCodeTable, func(e *cataloguev1.Entry) { item(e, func(it *cataloguev1.Item) { it.CodeTable = "GB/T 9999" }) })
	add("代码表带年份", none, func(e *cataloguev1.Entry) { item(e, func(it *cataloguev1.Item) { it.CodeTable = "gb/t 2260-2007" }) })
	add("信用代码不是代码表", none, func(e *cataloguev1.Entry) { item(e, func(it *cataloguev1.Item) { it.CodeTable = "GB 32100-2015" }) })
	add("漂移", findDrifted, func(*cataloguev1.Entry) {})
	add("漂移已处理", none, func(*cataloguev1.Entry) {})
	add("网关报过期", findStale, func(*cataloguev1.Entry) {})
	add("已撤销", none, func(e *cataloguev1.Entry) { e.Duties, e.State = nil, cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN })
	drift := func(id string, class cataloguev1.DriftClass, s cataloguev1.Settlement, name string) {
		w.put("catalogue/report_drift", Drift+id, &cataloguev1.Drift{Id: id, Org: planning, Class: class, Settlement: s, Entries: []string{planning + ":" + name}})
	}
	drift("t@1", cataloguev1.DriftClass_DRIFT_CLASS_BREAKING, 0, "漂移")
	drift("t@2", cataloguev1.DriftClass_DRIFT_CLASS_BREAKING, cataloguev1.Settlement_SETTLEMENT_UPDATED, "漂移已处理")
	drift("t@3", cataloguev1.DriftClass_DRIFT_CLASS_STALE, 0, "网关报过期")
	w.now("2026-11-20")

	x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
	take(t, x, w)
	res, err := x.Check(t.Context(), &cataloguev1.CheckRequest{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]cataloguev1.FindingKind{}
	for _, f := range res.GetFindings() {
		if was, ok := got[f.GetEntry()]; ok {
			t.Errorf("%s is told twice: %v and %v", f.GetEntry(), was, f.GetKind())
		}
		got[f.GetEntry()] = f.GetKind()
		if f.GetWhy() == "" || f.GetWhatToDo() == "" || strings.Contains(f.GetWhy()+f.GetWhatToDo(), "%!") {
			t.Errorf("%s: why %q, what to do %q", f.GetEntry(), f.GetWhy(), f.GetWhatToDo())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if res.GetTotal() != int64(len(want)) {
		t.Errorf("total %d, findings %d", res.GetTotal(), len(want))
	}
}

// TestCheckDuplicates: what is told as collected twice, and what is not.
func TestCheckDuplicates(t *testing.T) {
	items := func(names ...string) (out []*cataloguev1.Item) {
		for i, n := range names {
			out = append(out, &cataloguev1.Item{Code: fmt.Sprint(i), Name: n, Column: fmt.Sprint(i)})
		}
		return out
	}
	for _, tt := range []struct {
		name string
		a, b *cataloguev1.Entry
		want uint32 // likeness; 0 = no duplicate
	}{
		{"equal names, no items", &cataloguev1.Entry{Provider: planning, Name: "企业名录（2024年）"}, &cataloguev1.Entry{Provider: water, Name: "企业 名录"}, 100},
		{"equal names, items that contradict", &cataloguev1.Entry{Provider: planning, Name: "处罚", Items: items("案号", "违法事实", "金额", "日期")}, &cataloguev1.Entry{Provider: water, Name: "处罚", Items: items("站点", "水位", "流量", "时刻")}, 0},
		{"other names, equal items", &cataloguev1.Entry{Provider: planning, Name: "应急物资", Items: items("物资", "储备库", "数量", "单位")}, &cataloguev1.Entry{Provider: water, Name: "救灾物资", Items: items("物资", "储备库", "数量", "单位")}, 100},
		{"equal items of anything, other subjects", &cataloguev1.Entry{Provider: planning, Name: "全市公共厕所信息", Items: items("名称", "地址", "经度", "纬度", "开放时间", "联系电话", "管理单位", "所属区")}, &cataloguev1.Entry{Provider: water, Name: "全市图书馆信息", Items: items("名称", "地址", "经度", "纬度", "开放时间", "联系电话", "管理单位", "所属区")}, 0},
		{"equal items of one subject, other words for it", &cataloguev1.Entry{Provider: planning, Name: "市场主体登记", Items: items("统一社会信用代码", "企业名称", "法定代表人", "注册资本", "成立日", "经营范围", "登记机关", "住所", "经营期限")}, &cataloguev1.Entry{Provider: water, Name: "企业名册", Items: items("统一社会信用代码", "企业名称", "法定代表人", "注册资本", "成立日", "经营范围", "登记机关", "住所", "经营期限")}, 100},
		{"names that differ in their brackets", &cataloguev1.Entry{Provider: planning, Name: "烟花爆竹经营（批发）"}, &cataloguev1.Entry{Provider: water, Name: "烟花爆竹经营（零售）"}, 0},
		{"characters of two standards", &cataloguev1.Entry{Provider: planning, Name: "應急物資", Items: items("物資", "儲備庫", "數量", "單位")}, &cataloguev1.Entry{Provider: water, Name: "救灾物资", Items: items("物资", "储备库", "数量", "单位")}, 100},
		{"the same department", &cataloguev1.Entry{Provider: planning, Name: "甲"}, &cataloguev1.Entry{Provider: planning, Name: "甲 "}, 0},
		{"city and its district", &cataloguev1.Entry{Provider: planning, Name: "甲"}, &cataloguev1.Entry{Provider: suburb, Name: "甲"}, 100},
		{"two regions", &cataloguev1.Entry{Provider: planning, Name: "甲", CoverageRegion: "110105"}, &cataloguev1.Entry{Provider: suburb, Name: "甲"}, 0},
		{"two offices' own decisions", &cataloguev1.Entry{Provider: planning, Name: "许可证", Duties: []string{planning + ":D4"}}, &cataloguev1.Entry{Provider: water, Name: "许可证", Duties: []string{water + ":D4"}}, 0},
		{"one's own decision, the other's collection", &cataloguev1.Entry{Provider: planning, Name: "许可证", Duties: []string{planning + ":D4"}}, &cataloguev1.Entry{Provider: water, Name: "许可证", Duties: []string{water + ":D1"}}, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := checkWorld()
			tt.a.Id, tt.b.Id = tt.a.Provider+":1", tt.b.Provider+":2"
			w.put("catalogue/submit_entries", Entry+tt.a.Id, tt.a)
			w.put("catalogue/submit_entries", Entry+tt.b.Id, tt.b)
			x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
			take(t, x, w)
			res, err := x.Check(t.Context(), &cataloguev1.CheckRequest{Kinds: []cataloguev1.FindingKind{findDuplicate}, Language: "en"})
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == 0 {
				if len(res.GetFindings()) > 0 {
					t.Errorf("told: %v", res.GetFindings())
				}
				return
			}
			if len(res.GetFindings()) != 2 {
				t.Fatalf("%d findings, want one for each entry", len(res.GetFindings()))
			}
			for i, f := range res.GetFindings() {
				if other := res.GetFindings()[1-i].GetEntry(); f.GetOther() != other || f.GetLikeness() != tt.want {
					t.Errorf("%s: other %s, likeness %d; want %s, %d", f.GetEntry(), f.GetOther(), f.GetLikeness(), other, tt.want)
				}
			}
		})
	}
}

// TestCheckPagesAndScores: pages join to the whole without a gap; a department's score
// is what its parts say; the language is the one asked for.
func TestCheckPagesAndScores(t *testing.T) {
	w := checkWorld()
	for i := range 40 {
		e := sound([]string{planning, water}[i%2], fmt.Sprintf("第%d条", i))
		if i%4 == 0 {
			e.Abstract, e.Items = "", nil
		}
		w.put("catalogue/submit_entries", Entry+e.Id, e)
	}
	w.now("2026-11-20")
	x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
	take(t, x, w)
	whole, err := x.Check(t.Context(), &cataloguev1.CheckRequest{Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	if whole.GetTotal() != 20 || len(whole.GetFindings()) != 20 || whole.GetNext() != "" {
		t.Fatalf("%d of %d findings, next %q", len(whole.GetFindings()), whole.GetTotal(), whole.GetNext())
	}
	var joined []*cataloguev1.Finding
	req := &cataloguev1.CheckRequest{Language: "en", Limit: 3}
	for {
		res, err := x.Check(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if (req.GetAfter() == "") != (len(res.GetScores()) > 0) {
			t.Errorf("scores on the page after %q: %d", req.GetAfter(), len(res.GetScores()))
		}
		joined = append(joined, res.GetFindings()...)
		if req.After = res.GetNext(); req.After == "" {
			break
		}
	}
	same := func(a, b *cataloguev1.Finding) bool { return a.String() == b.String() }
	if !slices.EqualFunc(joined, whole.GetFindings(), same) {
		t.Errorf("pages join to %d findings", len(joined))
	}
	// planning: 20 entries, 10 without abstract and items; all else is sound. The
	// parts for personal data and code tables do not count: nothing is judged by them.
	score := whole.GetScores()[0]
	if score.GetOrg() != planning || score.GetEntries() != 20 {
		t.Fatalf("first score: %v", score)
	}
	if want := []cataloguev1.FindingKind{findPersonal, findCodeTable}; !slices.Equal(score.GetUnjudged(), want) {
		t.Errorf("not judged: %v, want %v", score.GetUnjudged(), want)
	}
	if want := uint32(100 * (80 - 5) / 80); score.GetPoints() != want {
		t.Errorf("points %d, want %d: %v", score.GetPoints(), want, score.GetParts())
	}
	if last := whole.GetScores()[len(whole.GetScores())-1]; last.GetOrg() != water || last.GetPoints() != 100 {
		t.Errorf("last score: %v", last)
	}
	zh, err := x.Check(t.Context(), &cataloguev1.CheckRequest{Org: planning, Limit: 1})
	if err != nil || len(zh.GetScores()) != 1 || !strings.Contains(zh.GetFindings()[0].GetWhy(), "没有信息项") {
		t.Errorf("in Chinese: %v, %v", zh, err)
	}
}

// The Beijing catalogue as it was published: 1,130 objects, one after the other, each
// with its text "name TAB value # name TAB value".
type beijing struct {
	name, owner, abstract, date string
	items                       []string
}

var including = regexp.MustCompile(`包括([^。]*?)等?(?:属性|数据)?(?:字段|信息|内容)`)

func readBeijing(t *testing.T) []beijing {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(root, "data", "catalogues", "cn", "beijing_catalogue_2021.json"))
	if err != nil {
		t.Skip("SKIP no shared data: catalogues/cn/beijing_catalogue_2021.json")
	}
	defer f.Close()
	var out []beijing
	for dec := json.NewDecoder(f); ; {
		var v struct{ Name, Info string }
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		b := beijing{name: strings.TrimSpace(v.Name)}
		for part := range strings.SplitSeq(v.Info, "#") {
			name, value, _ := strings.Cut(part, "\t")
			switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
			case "资源摘要":
				b.abstract = value
			case "资源所有权单位":
				b.owner = value
			case "资源出版日期":
				b.date = value
			}
		}
		if m := including.FindStringSubmatch(b.abstract); m != nil {
			b.items = strings.FieldsFunc(m[1], func(r rune) bool { return strings.ContainsRune("、，,", r) })
		}
		out = append(out, b)
	}
}

// TestCheckBeijing puts the Beijing catalogue into an index and counts the findings
// again, from the raw file and in the plainest way: every pair of entries is compared.
func TestCheckBeijing(t *testing.T) {
	raw := readBeijing(t)
	if len(raw) != 1130 {
		t.Fatalf("%d records", len(raw))
	}
	const nobody = "11110000000000000N"
	orgs := map[string]string{}
	w := newWorld()
	var noOwner, noAbstract, noItems, stale, dated, persons int
	today := time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)
	for i, b := range raw {
		org, ok := orgs[b.owner]
		if b.owner == "" {
			org = nobody
		} else if !ok {
			org = fmt.Sprintf("1111000000%07dX", len(orgs))
			orgs[b.owner] = org
			w.put("identity/register", Account+org, &identityv1.Account{Id: org, Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, Profile: &identityv1.OrgProfile{Name: b.owner, Region: "110000"}})
		}
		e := &cataloguev1.Entry{Id: fmt.Sprintf("%s:%04d", org, i), Provider: org, Name: b.name, Abstract: b.abstract, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_YEARLY}
		if day, err := time.Parse("2006年1月2日", b.date); err == nil {
			e.Modified = day.Format(time.DateOnly)
			dated++
			if today.Sub(day.AddDate(0, 0, 1)) > 549*24*time.Hour { // 150 % of 366 days
				stale++
			}
		}
		for k, name := range b.items {
			e.Items = append(e.Items, &cataloguev1.Item{Code: fmt.Sprint(k), Name: name})
		}
		if text := "," + strings.ReplaceAll(strings.Join(b.items, ","), " ", "") + ","; strings.Contains(text, "手机") || strings.Contains(text, ",姓名,性别,") {
			persons++ // rosters of pupils, of whom a penalty was put on: none of the entries states that
		}
		noOwner, noAbstract, noItems = noOwner+one(b.owner == ""), noAbstract+one(b.abstract == ""), noItems+one(len(b.items) == 0)
		w.put("catalogue/submit_entries", Entry+e.Id, e)
	}
	w.now("2021-06-01")
	x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
	take(t, x, w)
	res, err := x.Check(t.Context(), &cataloguev1.CheckRequest{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := map[cataloguev1.FindingKind]int{}
	judged := int64(0)
	for _, s := range res.GetScores() {
		for _, p := range s.GetParts() {
			got[p.GetKind()] += int(p.GetAll() - p.GetGood())
			if p.GetKind() == findStale {
				judged += p.GetAll()
			}
		}
	}
	for kind, n := range got {
		page, err := x.Check(t.Context(), &cataloguev1.CheckRequest{Kinds: []cataloguev1.FindingKind{kind}, Limit: 1})
		if err != nil || page.GetTotal() != int64(n) {
			t.Errorf("%v: %d findings, the scores lose %d: %v", kind, page.GetTotal(), n, err)
		}
	}
	want := map[cataloguev1.FindingKind]int{
		findNoDuty: 1130, findNoTable: 1130, findNoOwner: noOwner, findStale: stale, findDuplicate: duplicatesOf(raw), findNoItems: noItems, findNoAbstract: noAbstract, findPersonal: persons,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-counted from the file +Check):\n%s", diff)
	}
	if judged != int64(dated) {
		t.Errorf("%d entries are judged by their date, %d have one", judged, dated)
	}
	if len(res.GetScores()) != len(orgs)+1 || noOwner != 208 {
		t.Errorf("%d scores of %d owners; %d without an owner", len(res.GetScores()), len(orgs), noOwner)
	}
	t.Logf("1130 entries of %d owners: %v", len(orgs), got)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// duplicatesOf counts the entries that another owner has, too, by comparing all pairs.
func duplicatesOf(raw []beijing) int {
	strip := regexp.MustCompile(`[\s（(\[【〔][^）)\]】〕]*[）)\]】〕]|[\s"'“”‘’《》<>·,，.。、:：;；/_-]+`)
	norm := func(s string) string {
		k, _ := code.Key(s)
		if p := strip.ReplaceAllString(k, ""); p != "" {
			k = p
		}
		return strings.ToLower(k)
	}
	sets, names := make([]map[string]bool, len(raw)), make([]string, len(raw))
	owners, users := map[string]bool{}, map[string]map[string]bool{}
	for i, b := range raw {
		owners[b.owner], names[i] = true, norm(b.name)
		sets[i] = map[string]bool{}
		for _, it := range b.items {
			if n := norm(it); n != "" && !commonItems[n] {
				sets[i][n] = true
				if users[n] == nil {
					users[n] = map[string]bool{}
				}
				users[n][b.owner] = true
			}
		}
	}
	told := 0
	for i := range raw {
		for j := range raw {
			if raw[i].owner == raw[j].owner {
				continue
			}
			telling := 0
			both, product := 0, 1.0
			for n := range sets[i] {
				if sets[j][n] {
					both++
					if !generalItems[itemHash(n)] {
						telling++
					}
					product *= float64(len(users[n])) * float64(len(users[n])) / float64(len(owners)) // below 1 where the mean is below √N
				}
			}
			all := len(sets[i]) + len(sets[j]) - both
			remark := asideOf(raw[i].name) != asideOf(raw[j].name) && asideOf(raw[i].name) != "" && asideOf(raw[j].name) != ""
			named := names[i] == names[j] && !remark
			silent := len(sets[i]) == 0 || len(sets[j]) == 0
			if named && (silent || 100*both >= 30*all) || !named && min(len(sets[i]), len(sets[j])) >= 4 && 100*both >= 80*all && product < 1 &&
				names[i] != names[j] && (subjects(raw[i].name, raw[j].name) || 100*both >= 90*all && telling >= 8) {
				told++
				break
			}
		}
	}
	return told
}

// subjects reports whether two names share a third of the pairs of characters that are
// left of the shorter one, without the place before it and the words for data.
func subjects(a, b string) bool {
	pairs := func(name string) map[string]bool {
		name, _ = code.Key(name)
		for range 2 {
			if rest := places.ReplaceAllString(name, ""); rest != "" {
				name = rest
			}
		}
		out := map[string]bool{}
		for _, part := range strings.FieldsFunc(emptyWords.ReplaceAllString(strings.ToLower(name), " "), func(r rune) bool { return r < 0x80 || noSound.MatchString(string(r)) }) {
			runes := []rune(part)
			for k := range max(1, len(runes)-1) {
				out[string(runes[k:min(k+2, len(runes))])] = true
			}
		}
		return out
	}
	x, y := pairs(a), pairs(b)
	shared := 0
	for p := range x {
		if y[p] {
			shared++
		}
	}
	least := min(len(x), len(y))
	return least > 0 && 3*shared >= least
}

// TestCheckAtSize: entries of which a tenth has one name and a tenth one set of items.
func TestCheckAtSize(t *testing.T) { checkMany(t, 20_000) }

// BenchmarkCheck100k is the same with 100,000 entries: all pairs would be 5 * 10^9.
func BenchmarkCheck100k(b *testing.B) {
	for b.Loop() {
		checkMany(b, 100_000)
	}
}

func checkMany(t testing.TB, n int) {
	r := rand.New(rand.NewPCG(7, 7))
	j := &catalogueCheck{result: &checked{atMs: 1}, parts: map[string]*[len(weights)]part{}, users: map[uint64]users{}}
	same := make([]*cataloguev1.Item, 12)
	for i := range same {
		same[i] = &cataloguev1.Item{Code: fmt.Sprint(i), Name: fmt.Sprintf("共同字段%d", i)}
	}
	for i := range n {
		e := &cataloguev1.Entry{Id: fmt.Sprintf("1111000000%05d:%d", i/250, i), Provider: fmt.Sprintf("1111000000%05d", i/250), Name: fmt.Sprintf("目录%d", i)}
		switch r.IntN(10) {
		case 0:
			e.Name = "行政许可信息"
		case 1:
			e.Items = same
		default:
			for k := range 12 {
				e.Items = append(e.Items, &cataloguev1.Item{Code: fmt.Sprint(k), Name: fmt.Sprintf("字段%d", r.IntN(50_000))})
			}
		}
		j.entry(e)
	}
	j.duplicates()
	j.settle()
	found := 0
	for i := range j.result.facts {
		for _, l := range j.result.facts[i].found {
			found += one(l.kind == findDuplicate)
		}
	}
	if found < n/12 || found > n/8 {
		t.Errorf("%d duplicates among %d entries: the tenth of one name is told, the tenth of items that all have is not", found, n)
	}
}
