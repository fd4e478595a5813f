package intake

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// bureau is a code with a right check digit, as our own ids have.
const bureau = "11110000000021928B"

// ledgerOf is a ledger in memory that keeps whole entries.
type ledgerOf map[string]*cataloguev1.Entry

func (l ledgerOf) Send(_ context.Context, b Batch) error {
	for _, e := range b.Entries {
		l[e.Id] = proto.CloneOf(e)
	}
	return nil
}

func (l ledgerOf) target(t testing.TB, source string) Target {
	target := newChain(t).target()
	target.Source = source
	target.Org = func(name string) (string, bool) { return bureau, name == "水务局" }
	target.Known = func(id string) (Standing, bool) {
		e, ok := l[id]
		if !ok {
			return Standing{}, false
		}
		sum, err := contentOf(e)
		if err != nil {
			t.Fatal(err)
		}
		return Standing{Content: sum, Origin: e.Origin, Waits: e.Name == "waits"}, true
	}
	target.Entry = func(id string) (*cataloguev1.Entry, error) { return l[id], nil }
	target.Table = func(org, text string) (string, bool) { return org + "/g/main:db." + text, true }
	target.Columns = func(string) []string { return []string{"permit_no", "volume"} }
	return target
}

// permit is an entry with all that a department gives it beside what lists say.
func permit() *cataloguev1.Entry {
	return &cataloguev1.Entry{
		Id: bureau + ":P1", Provider: bureau, Name: "取水许可", Abstract: "旧摘要", Duties: []string{bureau + ":D7"}, Table: bureau + "/g/main:db.permits", System: bureau + ":S1",
		ShareType: cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL, Conditions: &cataloguev1.ShareConditions{Scope: "全市", Purposes: []string{"审批"}, Extra: "留痕"},
		Grade: cataloguev1.Grade_GRADE_GENERAL_3, Personal: cataloguev1.Personal_PERSONAL_YES, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY, Keywords: []string{"水"},
		StandingOrder: &cataloguev1.StandingOrder{Automatic: true, MaxDays: 30, Requesters: []string{air}}, RetentionDays: 90,
		Items: []*cataloguev1.Item{
			{Code: "no", Name: "许可证号", TechnicalName: "PERMIT_NO", Type: "text", Length: 18, Personal: cataloguev1.Personal_PERSONAL_NONE, PrimaryKey: true, Column: "permit_no"},
			{Code: "vol", Name: "取水量", Type: "decimal", Precision: 2, CodeTable: "GB", Column: "volume"},
			{Code: "note", Name: "备注", Type: "text"},
		},
		Resources: []*cataloguev1.Resource{{Title: "全表", Url: "https://d.example.cn/1", Format: "CSV", Bytes: 7}, {Title: "接口", Url: "https://d.example.cn/2", Api: true}},
	}
}

// TestListChangesWhatItStates, and nothing beside it.
func TestListChangesWhatItStates(t *testing.T) {
	own := bureau + ":P1"
	for _, c := range []struct {
		name, file, text, source, origin string
		takeOver                         bool
		want                             func(e *cataloguev1.Entry) // nil: nothing is sent
		held                             int
		told                             string // in a problem
	}{
		{name: "a few columns, nothing new", file: "l.csv", source: "s", text: "资源代码,资源名称,提供方,资源摘要\nP1,取水许可,水务局,旧摘要\n"},
		{name: "another's list says something else", file: "l.csv", source: "s", text: "资源代码,资源名称,提供方,资源摘要\nP1,取水许可,水务局,新\n", held: 1},
		{
			name: "it is taken over", file: "l.csv", source: "s", takeOver: true, text: "资源代码,资源名称,提供方,资源摘要\nP1,取水许可,水务局,新\n",
			want: func(e *cataloguev1.Entry) { e.Abstract, e.Origin = "新", "s#P1" },
		},
		{
			name: "the source's next version", file: "l.csv", source: "s", origin: "s#P1", text: "资源代码,资源名称,提供方,资源摘要,更新周期\nP1,取水许可,水务局,新,每日\n",
			want: func(e *cataloguev1.Entry) { e.Abstract = "新" },
		},
		{
			name: "the source's next version leaves empty what it has a column for", file: "l.csv", source: "s", origin: "s#P1", text: "资源代码,资源名称,提供方,资源摘要,关键字,更新周期\nP1,取水许可,水务局,,,\n",
			want: func(e *cataloguev1.Entry) { e.Abstract, e.Keywords = "", nil }, told: "update_cycle",
		},
		{
			name: "our own row leaves empty what it has a column for", file: "l.csv", source: "s", text: "资源代码,资源名称,提供方,资源摘要,更新周期,数据分级\n" + own + ",取水许可,水务局,,每周,\n",
			want: func(e *cataloguev1.Entry) { e.UpdateCycle = cataloguev1.UpdateCycle_UPDATE_CYCLE_WEEKLY }, told: "abstract, grade",
		},
		{
			name: "names of items alone, in another order; one lies on a column and is not there", file: "l.csv", source: "s", origin: "s#P1",
			text: "资源代码,资源名称,提供方,信息项\nP1,取水许可,水务局,备注、许可证号、水源\n",
			want: func(e *cataloguev1.Entry) {
				e.Items = []*cataloguev1.Item{e.Items[2], e.Items[0], e.Items[1], {Code: localOf("水源"), Name: "水源"}}
			}, told: "取水量",
		},
		{
			name: "our own row for each item: one gone, one changed, one with another column", file: "l.csv", source: "s",
			text: "资源代码,资源名称,提供方,库表,信息项代码,信息项名称,数据长度,对应库表字段,是否主键\n" + own + ",取水许可,水务局,permits,no,许可证号,20,volume,否\n" + own + ",取水许可,水务局,permits,note,备注,,,\n",
			want: func(e *cataloguev1.Entry) {
				e.Items = []*cataloguev1.Item{e.Items[0], e.Items[2]}
				e.Items[0].Length, e.Items[0].Column, e.Items[0].PrimaryKey = 20, "volume", false
			},
		},
		{
			name: "our own object clears what it states as empty", file: "l.json", source: "s",
			text: `[{"id":"` + own + `","provider":"` + bureau + `","name":"取水许可","abstract":"","standing_order":{"automatic":false},"conditions":{"extra":""},"items":[{"code":"no","primary_key":false,"column":""},{"code":"vol"},{"code":"note"}]}]`,
			want: func(e *cataloguev1.Entry) {
				e.Abstract, e.StandingOrder.Automatic, e.Conditions.Extra, e.Items[0].PrimaryKey, e.Items[0].Column = "", false, "", false, ""
			},
		},
		{
			name: "a share type takes away what went with the other", file: "l.json", source: "s",
			text: `[{"id":"` + own + `","provider":"` + bureau + `","name":"取水许可","share_type":"SHARE_TYPE_UNCONDITIONAL"}]`,
			want: func(e *cataloguev1.Entry) { e.ShareType, e.Conditions = 1, nil },
		},
		{
			name: "an export that tells where the entry came from", file: "l.json", source: "again", origin: "s#P1",
			text: `[{"id":"` + own + `","provider":"` + bureau + `","name":"取水许可","abstract":"新","origin":"s#P1"}]`,
			want: func(e *cataloguev1.Entry) { e.Abstract = "新" },
		},
		{
			name: "files by address", file: "l.json", source: "s", origin: "s#P1", takeOver: false,
			text: `[{"id":"` + own + `","provider":"` + bureau + `","name":"取水许可","resources":[{"url":"https://d.example.cn/2","title":"新接口"},{"url":"https://d.example.cn/1"},{"url":"https://d.example.cn/3"}]}]`,
			want: func(e *cataloguev1.Entry) {
				e.Resources[1].Title = "新接口"
				e.Resources = []*cataloguev1.Resource{e.Resources[1], e.Resources[0], {Url: "https://d.example.cn/3"}}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := ledgerOf{own: permit()}
			l[own].Origin = c.origin
			want := proto.CloneOf(l[own])
			p, r := mustPlan(t, file(t, c.file, c.text), Options{Kind: EntryList})
			target := l.target(t, c.source)
			target.TakeOver = c.takeOver
			a := mustApply(t, p, target, l)
			account(t, r, a)
			sent := 0
			if c.want != nil {
				c.want(want)
				sent = 1
			}
			if a.Changed != sent || a.New > 0 || a.Held != c.held || !proto.Equal(l[own], want) {
				t.Errorf("%+v\nhave %v\nwant %v", a, l[own], want)
			}
			if c.told != "" && (len(a.Problems) != 1 || !strings.Contains(a.Problems[0].Message, c.told)) {
				t.Errorf("told %+v, want %q", a.Problems, c.told)
			}
			if c.told == "" && c.held == 0 && len(a.Problems) > 0 {
				t.Errorf("told %+v", a.Problems)
			}
			if again := mustApply(t, p, target, l); again.Sent != 0 {
				t.Errorf("once more: %+v", again)
			}
		})
	}
}

// TestSilentListNeedsNoFlags: of an entry on the ledger the share type and the duty are
// known; a list that states neither changes neither, and is not held for them.
func TestSilentListNeedsNoFlags(t *testing.T) {
	l := ledgerOf{bureau + ":P1": permit()}
	p, _ := mustPlan(t, file(t, "l.csv", "资源代码,资源名称,提供方,资源摘要\n"+bureau+":P1,取水许可,水务局,新\nOTHER,新目录,水务局,\n"), Options{})
	target := l.target(t, "s")
	target.ShareType, target.Duty = 0, nil
	a := mustApply(t, p, target, l)
	want := permit()
	want.Abstract = "新"
	if a.Changed != 1 || a.Held != 1 || !proto.Equal(l[want.Id], want) {
		t.Errorf("%+v\n%v", a, l[want.Id])
	}
}

// TestWaitingIsCounted: what the ledger keeps as a change that waits is counted so.
func TestWaitingIsCounted(t *testing.T) {
	e := permit()
	e.Name = "waits"
	l := ledgerOf{e.Id: e}
	p, _ := mustPlan(t, file(t, "l.csv", "资源代码,资源名称,提供方,资源摘要\n"+e.Id+",waits,水务局,新\nOTHER,新目录,水务局,\n"), Options{})
	target := l.target(t, "s")
	if a := mustApply(t, p, target, l); a.Sent != 2 || a.Waiting != 1 {
		t.Errorf("a locked one and a new one: %+v", a)
	}
	delete(l, bureau+":OTHER")
	target.Review = true
	if a := mustApply(t, p, target, l); a.Sent != 1 || a.Waiting != 1 {
		t.Errorf("a new one under review: %+v", a)
	}
}
