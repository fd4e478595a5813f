package index

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/index/indextest"
	"mulian/internal/fault"
)

// town is an index of a few objects whose texts are known.
func town(t *testing.T, put func(w *world)) *Index {
	t.Helper()
	w := newWorld()
	put(w)
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	return x
}

func (w *world) entry(e *cataloguev1.Entry) {
	w.put("catalogue/submit_entries", Entry+e.GetId(), e)
}

// made is an index of a catalogue by seed, and its entries.
func made(t testing.TB, seed uint64, n int) (*Index, []*cataloguev1.Entry) {
	t.Helper()
	l := &indextest.Ledger{Catalogue: indextest.Catalogue{Seed: seed, Items: 3}, Entries: n}
	x, err := Open(filepath.Join(t.TempDir(), "made.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	feedAll(t, x, l, l.Size())
	var entries []*cataloguev1.Entry
	for i := range n {
		entries = append(entries, l.Entry(i))
	}
	return x, entries
}

func search(t testing.TB, x *Index, req *cataloguev1.SearchRequest) *cataloguev1.SearchResponse {
	t.Helper()
	res, err := x.Search(t.Context(), req)
	if err != nil {
		t.Fatalf("search %v: %v", req, err)
	}
	return res
}

func ids(hits []*cataloguev1.Hit) []string {
	var out []string
	for _, h := range hits {
		out = append(out, h.GetId())
	}
	return out
}

// TestRanking: a match in a better field comes first, the whole name before all; of
// equal ones the shorter name, then the kind.
func TestRanking(t *testing.T) {
	x := town(t, func(w *world) {
		w.entry(&cataloguev1.Entry{Id: "o:abstract", Name: "甲", Abstract: "与取水许可有关"})
		w.entry(&cataloguev1.Entry{Id: "o:item", Name: "乙", Items: []*cataloguev1.Item{{Code: "i1", Name: "取水许可编号"}}})
		w.entry(&cataloguev1.Entry{Id: "o:keyword", Name: "丙", Keywords: []string{"取水许可"}})
		w.entry(&cataloguev1.Entry{Id: "o:code", Name: "丁", Aliases: []string{"取水许可-01"}})
		w.entry(&cataloguev1.Entry{Id: "o:long", Name: "全市取水许可年度核查台账"})
		w.entry(&cataloguev1.Entry{Id: "o:short", Name: "取水许可证"})
		w.put("catalogue/put_duties", Duty+"o:d", &cataloguev1.Duty{Id: "o:d", Org: "o", Title: "取水许可审"})
		w.entry(&cataloguev1.Entry{Id: "o:whole", Name: "取水许可"})
	})
	got := ids(search(t, x, &cataloguev1.SearchRequest{Text: "取水许可"}).GetHits())
	want := []string{"o:whole", "o:short", "o:long", "o:d", "o:code", "o:keyword", "o:item", "o:item#i1", "o:abstract"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestOneBox finds every kind of thing, in every way of writing.
func TestOneBox(t *testing.T) {
	x := town(t, func(w *world) {
		w.put("identity/register_org", Account+"11110000000021928Y", &identityv1.Account{Id: "11110000000021928Y", Org: "11110000000021928Y", Profile: &identityv1.OrgProfile{Name: "水务局"}})
		w.entry(&cataloguev1.Entry{
			Id: "11110000000021928Y:e1", Provider: "11110000000021928Y", Name: "建筑工程施工许可", Abstract: "Building permits of the city", Aliases: []string{"307001000123/000045"},
			Items: []*cataloguev1.Item{{Code: "xkzbh", Name: "许可证编号", TechnicalName: "licence_no"}},
		})
		w.put("catalogue/put_duties", Duty+"o:d1", &cataloguev1.Duty{Id: "o:d1", Org: "o", Title: "防汛抗旱"})
		w.put("catalogue/put_tables", Table+"g:s.river_gauge", &cataloguev1.Table{Id: "g:s.river_gauge", Org: "o", Name: "river_gauge", Columns: []*cataloguev1.Column{{Name: "level_mm", Comment: "水位"}}})
		w.put("catalogue/put_systems", System+"o:s1", &cataloguev1.System{Id: "o:s1", Org: "o", Name: "河长制信息系统"})
		w.put("catalogue/put_matters", Matter+"o:m1", &cataloguev1.Matter{Id: "o:m1", Org: "o", Code: "11010900X", Name: "生育津贴申领", Inputs: []string{"出生医学证明"}})
		w.put("catalogue/put_codes", CodeTable+"GB/T 2260", &cataloguev1.CodeTable{Id: "GB/T 2260", Org: "o", Name: "行政区划代码"})
		w.put("catalogue/put_codes", Code+"GB/T 2260/110108", &cataloguev1.Code{Table: "GB/T 2260", Code: "110108", Name: "海淀区"})
	})
	for text, want := range map[string]string{
		"施工许可": "11110000000021928Y:e1", "建築工程": "11110000000021928Y:e1", "工": "11110000000021928Y:e1", "BUILDING": "11110000000021928Y:e1",
		"permit": "11110000000021928Y:e1", "ｐｅｒｍｉｔｓ": "11110000000021928Y:e1", "building 施工": "11110000000021928Y:e1", "buil": "11110000000021928Y:e1",
		"307001000123": "11110000000021928Y:e1", "3070010": "11110000000021928Y:e1", "11110000000021928Y": "11110000000021928Y:e1",
		"11110000000021928y：e1": "11110000000021928Y:e1", "1111000000002192BY:e1": "11110000000021928Y:e1", "XKZBH": "11110000000021928Y:e1#xkzbh",
		"11110000OO0021928Y": "11110000000021928Y:e1", "1111000000002192Y": "11110000000021928Y:e1",
		"防汛": "o:d1", "水位": "g:s.river_gauge", "river": "g:s.river_gauge", "河长制": "o:s1", "出生医学证明": "o:m1", "生育津貼": "o:m1", "11010900x": "o:m1",
		"海淀": "GB/T 2260/110108", "110108": "GB/T 2260/110108", "行政区划": "GB/T 2260", "gb/t 2260": "GB/T 2260",
	} {
		res := search(t, x, &cataloguev1.SearchRequest{Text: text})
		if got := ids(res.GetHits()); len(got) == 0 || got[0] != want {
			t.Errorf("%q: %v, want %s first", text, got, want)
		} else if len(res.GetHits()[0].GetMarked()) == 0 && text != "buil" && !res.GetHits()[0].GetCorrected() {
			t.Errorf("%q: nothing is marked in %v", text, res.GetHits()[0])
		}
	}
	h := search(t, x, &cataloguev1.SearchRequest{Text: "施工"}).GetHits()[0]
	if h.GetOrgName() != "水务局" || h.GetTitle() != "建筑工程施工许可" || h.GetKey() != Entry+"11110000000021928Y:e1" || h.GetKind() != cataloguev1.HitKind_HIT_KIND_ENTRY {
		t.Errorf("hit %v", h)
	}
	if h := search(t, x, &cataloguev1.SearchRequest{Text: "xkzbh"}).GetHits()[0]; h.GetWithin() != "建筑工程施工许可" || h.GetTitle() != "许可证编号" {
		t.Errorf("item %v", h)
	}
	if res := search(t, x, &cataloguev1.SearchRequest{Text: "不在里面"}); res.GetTotal() != 0 || len(res.GetHits()) != 0 {
		t.Errorf("found what is not there: %v", res)
	}
}

// TestMarksAreOfTheTextAsWritten: what is marked is what was searched for, in the
// writing of the text.
func TestMarksAreOfTheTextAsWritten(t *testing.T) {
	long := strings.Repeat("很长的说明。", 40)
	for _, c := range []struct{ text, name, abstract, field, marked string }{
		{"许可", "取水許可證", "", "name", "許可"},
		{"取水许可", "取水　許可 取水许可证", "", "name", "取水|許可|取水许可"},
		{"abc", "ＡＢＣ登记", "", "name", "ＡＢＣ"},
		{"gebaude", "Geba\u0308ude", "", "name", "Geba\u0308ude"},
		{"permit", "Permits and permission", "", "name", "Permits"},
		{"水", "水务：用水", "", "name", "水|水"},
		{"洪水", "甲", long + "防洪水位" + long, "abstract", "洪水"},
	} {
		x := town(t, func(w *world) { w.entry(&cataloguev1.Entry{Id: "o:e", Name: c.name, Abstract: c.abstract}) })
		hits := search(t, x, &cataloguev1.SearchRequest{Text: c.text}).GetHits()
		if len(hits) != 1 || len(hits[0].GetMarked()) != 1 {
			t.Errorf("%q in %q: %v", c.text, c.name, hits)
			continue
		}
		m := hits[0].GetMarked()[0]
		var parts []string
		for _, s := range m.GetSpans() {
			parts = append(parts, m.GetText()[s.GetFrom():s.GetTo()])
		}
		if got := strings.Join(parts, "|"); got != c.marked || m.GetField() != c.field {
			t.Errorf("%q in %q: %s %q, want %s %q", c.text, c.name, m.GetField(), got, c.field, c.marked)
		}
		if len([]rune(m.GetText())) > pieceLength {
			t.Errorf("%q: a piece of %d characters", c.text, len([]rune(m.GetText())))
		}
	}
}

// TestSearchAgainstModel: what is found, counted and paged is what a walk over all
// entries finds, item by item.
func TestSearchAgainstModel(t *testing.T) {
	x, entries := made(t, 5, 400)
	for i := range 60 {
		_, req := indextest.Catalogue{Seed: 5}.Query(i, 400)
		if i%7 == 4 {
			continue // mistyped
		}
		req.WithFacets, req.Limit = true, 7
		if i%3 == 0 {
			req.States = []cataloguev1.EntryState{cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, cataloguev1.EntryState_ENTRY_STATE_SUBMITTED}
		}
		req.Kinds = []cataloguev1.HitKind{cataloguev1.HitKind_HIT_KIND_ENTRY, cataloguev1.HitKind_HIT_KIND_ITEM}
		want, counts := model(entries, req)
		if meant := search(t, x, req).GetCorrectedTo(); len(want) == 0 && meant != "" { // words without blanks, taken apart
			asked := proto.CloneOf(req)
			asked.Text = meant
			want, counts = model(entries, asked)
		}
		var got []string
		for first := true; first || req.GetAfter() != ""; first = false {
			res := search(t, x, req)
			if int(res.GetTotal()) != len(want) {
				t.Fatalf("%v: total %d, want %d", req, res.GetTotal(), len(want))
			}
			for _, f := range res.GetFacets() {
				for _, v := range f.GetValues() {
					if counts[f.GetName()+"="+v.GetValue()] != v.GetCount() {
						t.Fatalf("%v: %s=%s is %d, want %d", req, f.GetName(), v.GetValue(), v.GetCount(), counts[f.GetName()+"="+v.GetValue()])
					}
				}
			}
			got = append(got, ids(res.GetHits())...)
			req.After = res.GetNext()
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%v: got %d hits %v, want %v", req, len(got), got, want)
		}
	}
}

// model finds by walking. A hit has all words of the text, pairs of characters and
// words alike, in any of its fields.
func model(entries []*cataloguev1.Entry, req *cataloguev1.SearchRequest) (found []string, counts map[string]int64) {
	counts = map[string]int64{}
	words := queryWords(req.GetText())
	for _, e := range entries {
		docs := []document{entryDocument(e)}
		for i := range e.GetItems() {
			docs = append(docs, itemDocument(e, i))
		}
		for _, d := range docs {
			if (len(req.GetOrgs()) > 0 && !slices.Contains(req.GetOrgs(), e.GetProvider())) ||
				(len(req.GetShareTypes()) > 0 && !slices.Contains(req.GetShareTypes(), d.share)) ||
				(len(req.GetStates()) > 0 && !slices.Contains(req.GetStates(), e.GetState())) {
				continue
			}
			has := map[string]bool{}
			for _, t := range d.texts {
				for _, w := range queryWordsAll(t.text) {
					has[w] = true
				}
			}
			if slices.ContainsFunc(words, func(w string) bool { return !has[w] }) {
				continue
			}
			id, kind := e.GetId(), "entry"
			if d.item > 0 {
				id, kind = id+"#"+e.GetItems()[d.item-1].GetCode(), "item"
			}
			found = append(found, id)
			for _, c := range []string{
				"kind=" + kind, "org=" + e.GetProvider(), "share_type=" + enumName(d.share.Descriptor(), int32(d.share)),
				"format=" + enumName(e.GetFormat().Descriptor(), int32(e.GetFormat())), "update_cycle=" + enumName(e.GetUpdateCycle().Descriptor(), int32(e.GetUpdateCycle())),
				"grade=" + enumName(e.GetGrade().Descriptor(), int32(e.GetGrade())), "state=" + enumName(e.GetState().Descriptor(), int32(e.GetState())),
			} {
				counts[c]++
			}
		}
	}
	slices.Sort(found)
	return found, counts
}

func queryWordsAll(text string) []string {
	return strings.Fields(string(appendWords(nil, text, withSingles)))
}

// TestCursorKeepsItsPlace: between two pages entries come, go, change their names and
// states; what was not touched is seen once, and in the old sequence.
func TestCursorKeepsItsPlace(t *testing.T) {
	w := newWorld()
	name := func(i int) string { return "水" + strings.Repeat("务", i%5) + fmt.Sprintf("登记%03d", i) }
	for i := range 60 {
		w.entry(&cataloguev1.Entry{Id: fmt.Sprintf("o:%03d", i), Name: name(i)})
	}
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	want := ids(search(t, x, &cataloguev1.SearchRequest{Text: "登记", Limit: 100}).GetHits())
	req := &cataloguev1.SearchRequest{Text: "登记", Limit: 7}
	var got []string
	for round := 0; ; round++ {
		res := search(t, x, req)
		got = append(got, ids(res.GetHits())...)
		if req.After = res.GetNext(); req.After == "" {
			break
		}
		w.entry(&cataloguev1.Entry{Id: fmt.Sprintf("o:new%d", round), Name: name(100 + round)})
		w.entry(&cataloguev1.Entry{Id: fmt.Sprintf("o:%03d", round*3), Name: name(round * 3), State: cataloguev1.EntryState_ENTRY_STATE_SUSPENDED})
		w.entry(&cataloguev1.Entry{Id: fmt.Sprintf("o:%03d", 30+round), Name: "不再在册"})
		take(t, x, w)
	}
	touched := func(id string) bool { return strings.HasPrefix(id, "o:new") || id >= "o:030" && id < "o:040" }
	if seen := slices.Clone(got); len(slices.Compact(slices.Sorted(slices.Values(seen)))) != len(got) {
		t.Errorf("something was seen twice: %v", got)
	}
	if got, want := slices.DeleteFunc(got, touched), slices.DeleteFunc(want, touched); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestCursorOfAnotherSearch is refused, and so is what is no cursor.
func TestCursorOfAnotherSearch(t *testing.T) {
	x, _ := made(t, 1, 50)
	next := search(t, x, &cataloguev1.SearchRequest{Limit: 1}).GetNext()
	for _, req := range []*cataloguev1.SearchRequest{
		{Text: "许可", After: next},
		{Orgs: []string{"x"}, After: next},
		{After: next + "x"},
		{After: "AAAA"},
		{After: "许可"},
	} {
		if _, err := x.Search(t.Context(), req); !fault.Is(err, fault.Malformed) {
			t.Errorf("%v: %v", req, err)
		}
	}
}

// TestStateIsNarrowedAndCounted: a state changes without the text, and the search
// follows; so does the withdrawal of a name.
func TestStateIsNarrowedAndCounted(t *testing.T) {
	w := newWorld()
	e := &cataloguev1.Entry{Id: "o:e", Provider: "o", Name: "取水许可", State: cataloguev1.EntryState_ENTRY_STATE_SUBMITTED, Items: []*cataloguev1.Item{{Code: "a", Name: "取水量"}}}
	w.entry(e)
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	published := &cataloguev1.SearchRequest{Text: "取水", States: []cataloguev1.EntryState{cataloguev1.EntryState_ENTRY_STATE_PUBLISHED}, WithFacets: true}
	if n := search(t, x, published).GetTotal(); n != 0 {
		t.Errorf("%d published before it is", n)
	}
	e = proto.CloneOf(e)
	e.State = cataloguev1.EntryState_ENTRY_STATE_PUBLISHED
	w.entry(e)
	take(t, x, w)
	res := search(t, x, published)
	if res.GetTotal() != 2 || len(res.GetHits()) != 2 || !strings.Contains(fmt.Sprint(res.GetFacets()), `value:"published"`) {
		t.Errorf("published: %v", res)
	}
	w.put("catalogue/x", Entry+"o:e", nil)
	take(t, x, w)
	if n := search(t, x, &cataloguev1.SearchRequest{Text: "取水"}).GetTotal(); n != 0 {
		t.Errorf("%d found of what is gone", n)
	}
}

// TestFileOfAnotherVersionIsMadeAnew: after an update of the program.
func TestFileOfAnotherVersionIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	x, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	w := random(1, 20)
	take(t, x, w)
	if _, err := x.write.Exec("PRAGMA user_version=2"); err != nil {
		t.Fatal(err)
	}
	x.Close()
	again := reopen(t, path)
	if next, _ := again.Next(); next != 0 {
		t.Fatalf("an old file was kept with %d events", next)
	}
	take(t, again, w)
}

// TestSearchInTime: a search that may take no longer ends with the code for that.
func TestSearchInTime(t *testing.T) {
	x, _ := made(t, 1, 50)
	q, err := parse(&cataloguev1.SearchRequest{Text: "许可"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.searchWithin(t.Context(), time.Nanosecond, q, place{}); !fault.Is(err, fault.Timeout) {
		t.Errorf("%v, want %v", err, fault.Timeout)
	}
}

// TestSearchWhileIndexing: searches and the taking of events do not disturb each other.
func TestSearchWhileIndexing(t *testing.T) {
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	l := &indextest.Ledger{Catalogue: indextest.Catalogue{Items: 1}, Entries: 1000}
	done := make(chan struct{})
	go func() {
		defer close(done)
		feedAll(t, x, l, l.Size())
	}()
	for i, running := 0, true; running; i++ {
		_, req := l.Query(i, 1000)
		req.WithFacets = true
		search(t, x, req)
		select {
		case <-done:
			running = false
		default:
		}
	}
	if n := search(t, x, &cataloguev1.SearchRequest{Kinds: []cataloguev1.HitKind{cataloguev1.HitKind_HIT_KIND_ENTRY}}).GetTotal(); n != 1000 {
		t.Errorf("%d entries", n)
	}
}

// TestWordsWithoutBlanks: several words in one run are found though the pair across them
// is nowhere; pages of it join, and the answer says how the text was read.
func TestWordsWithoutBlanks(t *testing.T) {
	x := town(t, func(w *world) {
		for i := range 3 {
			w.entry(&cataloguev1.Entry{Id: fmt.Sprintf("o:%d", i), Name: fmt.Sprintf("臺北市公廁點位資訊%d", i)})
		}
		w.entry(&cataloguev1.Entry{Id: "o:air", Name: "环境空气日报", Abstract: "监测站的质量数据"})
	})
	for text, want := range map[string][]string{"台北公厕": {"o:0", "o:1", "o:2"}, "空气质量监测": {"o:air"}, "市公厕点位": {"o:0", "o:1", "o:2"}, "公厕资讯站": {"o:0", "o:1", "o:2"}, "高雄港口": nil, "图书馆": nil} {
		res := search(t, x, &cataloguev1.SearchRequest{Text: text})
		if got := ids(res.GetHits()); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
		if apart := res.GetCorrectedTo() != ""; apart != (want != nil && text != "市公厕点位") {
			t.Errorf("%s was read as %q", text, res.GetCorrectedTo())
		}
	}
	var joined []string
	for req := (&cataloguev1.SearchRequest{Text: "台北公厕", Limit: 1}); ; {
		res := search(t, x, req)
		joined = append(joined, ids(res.GetHits())...)
		if len(res.GetHits()) != 1 || len(res.GetHits()[0].GetMarked()) == 0 || len(res.GetHits()[0].GetMarked()[0].GetSpans()) != 2 {
			t.Fatalf("a page: %v", res)
		}
		if req.After = res.GetNext(); req.After == "" {
			break
		}
	}
	if !slices.Equal(joined, []string{"o:0", "o:1", "o:2"}) {
		t.Errorf("pages: %v", joined)
	}
}

// TestPagesAreOneOrder: page by page comes what one page shows at once, though later pages
// are asked for in another way: by field, without what better fields find.
func TestPagesAreOneOrder(t *testing.T) {
	x := town(t, func(w *world) {
		w.entry(&cataloguev1.Entry{Id: "o:a", Name: "甲台账", Abstract: "办结日期 受理"})
		w.entry(&cataloguev1.Entry{Id: "o:b", Name: "乙", Items: []*cataloguev1.Item{{Code: "i1", Name: "办结日期"}, {Code: "i2", Name: "受理日期"}}})
		w.entry(&cataloguev1.Entry{Id: "o:c", Name: "丙台账", Keywords: []string{"台账"}, Abstract: "办结日期"})
		w.entry(&cataloguev1.Entry{Id: "o:d", Name: "丁", Keywords: []string{"台账"}, Items: []*cataloguev1.Item{{Code: "i3", Name: "台账"}}})
		w.entry(&cataloguev1.Entry{Id: "o:e", Name: "permit ledger", Items: []*cataloguev1.Item{{Code: "i4", Name: "permit"}}})
	})
	for _, text := range []string{"台账", "办结日期", "受理", "受理 台账", "permit", "per", ""} {
		whole := ids(search(t, x, &cataloguev1.SearchRequest{Text: text, Limit: 100}).GetHits())
		var paged []string
		for req := (&cataloguev1.SearchRequest{Text: text, Limit: 1}); ; {
			res := search(t, x, req)
			paged = append(paged, ids(res.GetHits())...)
			if req.After = res.GetNext(); req.After == "" {
				break
			}
		}
		if len(whole) == 0 || !slices.Equal(whole, paged) {
			t.Errorf("%q: at once %v, page by page %v", text, whole, paged)
		}
	}
}
