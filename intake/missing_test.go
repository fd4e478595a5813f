package intake

import (
	"fmt"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// had is what a ledger has of a plan's source after an import.
func had(t *testing.T, p *Plan, target Target) map[string]Absent {
	t.Helper()
	out := map[string]Absent{}
	a := &apply{plan: p, target: target}
	err := p.Each(t.Context(), func(d *Draft) error {
		if why := a.resolveOwner(d); why == nil {
			out[d.Code+":"+d.Local] = Absent{Name: d.Entry.Name, Origin: originOf(target.Source, d)}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sourced(c *chain) Target {
	target := c.target()
	target.Source = "portal"
	return target
}

// TestWhatAListLacks: gone, moved to another owner, and what is there though it cannot
// be imported.
func TestWhatAListLacks(t *testing.T) {
	const header = "资源名称,资源代码,提供方\n"
	c := newChain(t)
	p, _ := mustPlan(t, file(t, "old.csv", header+"甲,A-1,水务局\n乙,A-2,水务局\n丙,A-3,水务局\n丁,A-4,水务局\n戊,A-5,气象局\n己,A-6,气象局\n"), Options{})
	before := had(t, p, sourced(c))
	if len(before) != 6 || before[water+":A-1"].Origin != "portal#A-1" {
		t.Fatalf("%v", before)
	}
	for _, tc := range []struct {
		name, list     string
		missing        int
		moved, partial string
	}{
		{"the same", "甲,A-1,水务局\n乙,A-2,水务局\n丙,A-3,水务局\n丁,A-4,水务局\n戊,A-5,气象局\n己,A-6,气象局\n", 0, "", ""},
		{"in another order, one renamed", "己,A-6,气象局\n戊,A-5,气象局\n丁,A-4,水务局\n丙新,A-3,水务局\n乙,A-2,水务局\n甲,A-1,水务局\n", 0, "", ""},
		{"one gone", "甲,A-1,水务局\n乙,A-2,水务局\n丙,A-3,水务局\n丁,A-4,水务局\n戊,A-5,气象局\n", 1, "", ""},
		{"one moved", "甲,A-1,水务局\n乙,A-2,水务局\n丙,A-3,水务局\n丁,A-4,水务局\n戊,A-5,气象局\n己,A-6,水务局\n", 0, water + ":A-6", ""},
		{"one has lost its owner", "甲,A-1,\n乙,A-2,水务局\n丙,A-3,水务局\n丁,A-4,水务局\n戊,A-5,气象局\n己,A-6,气象局\n", 0, "", ""},
		{"one has an owner whom nobody knows", "甲,A-1,林业局\n乙,A-2,水务局\n丙,A-3,水务局\n丁,A-4,水务局\n戊,A-5,气象局\n己,A-6,气象局\n", 0, "", ""},
		{"one cannot be imported any more", strings.Repeat("长", 201) + ",A-1,水务局\n乙,A-2,水务局\n丙,A-3,水务局\n丁,A-4,水务局\n戊,A-5,气象局\n己,A-6,气象局\n", 0, "", ""},
		{"most gone", "甲,A-1,水务局\n", 5, "", "*"},
		{"most of one owner gone", "甲,A-1,水务局\n戊,A-5,气象局\n己,A-6,气象局\n", 3, "", water},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _ := mustPlan(t, file(t, "new.csv", header+tc.list), Options{})
			lack, err := Missing(t.Context(), p, sourced(c), before)
			if err != nil {
				t.Fatal(err)
			}
			moved := ""
			for _, a := range lack.Absent {
				moved += a.Moved
			}
			if lack.Had != 6 || lack.Missing != tc.missing || moved != tc.moved || lack.Partial != tc.partial {
				t.Errorf("%+v, moved %q", lack, moved)
			}
		})
	}
}

// TestATornListWithdrawsNothing: what stands behind the place where a list breaks off
// may be what is missing, however little that is.
func TestATornListWithdrawsNothing(t *testing.T) {
	c := newChain(t)
	var whole strings.Builder
	for i := range 200 {
		fmt.Fprintf(&whole, ",{\"资源名称\":\"目录%03d\",\"资源代码\":\"A-%03d\",\"提供方\":\"水务局\"}", i, i)
	}
	list := "[" + whole.String()[1:] + "]"
	p, _ := mustPlan(t, file(t, "old.json", list), Options{})
	before := had(t, p, sourced(c))
	if len(before) != 200 {
		t.Fatalf("%d entries", len(before))
	}
	for _, cut := range []int{20, 150, 500, 1000} { // bytes from its end: one to some twenty entries
		p, _ := mustPlan(t, file(t, "torn.json", list[:len(list)-cut]), Options{})
		lack, err := Missing(t.Context(), p, sourced(c), before)
		if err != nil || lack.Missing == 0 || lack.Unclear == 0 || lack.Partial == "" {
			t.Errorf("%d bytes cut off: %+v, %v", cut, lack, err)
		}
	}
}

// TestHowMuchMayBeMissing holds the bounds of a list that is no part of another.
func TestHowMuchMayBeMissing(t *testing.T) {
	for _, tc := range []struct {
		had, missing int
		want         bool
	}{
		{1000, 0, false},
		{1000, 10, false},
		{1000, 100, false},
		{1000, 101, true},
		{50, 10, false},
		{50, 11, true},
		{12, 6, false},
		{12, 7, true},
		{4, 2, false},
		{4, 3, true},
		{3, 3, true},
		{2, 2, false},
		{1, 1, false},
	} {
		if got := partial(tc.had, tc.missing); got != tc.want {
			t.Errorf("%d of %d are missing: %v", tc.missing, tc.had, got)
		}
	}
}

// TestAnotherSourcesEntryStays: two lists that say different things of one entry do not
// change it back and forth; one that says the same has it; --take-over decides.
func TestAnotherSourcesEntryStays(t *testing.T) {
	const header = "资源名称,提供方,摘要\n"
	c := newChain(t)
	stand := map[string]Standing{}
	target := sourced(c)
	target.Known = func(id string) (Standing, bool) { s, ok := stand[id]; return s, ok }
	run := func(list, source string, takeOver bool) *Applied {
		t.Helper()
		target.Source, target.TakeOver = source, takeOver
		p, r := mustPlan(t, file(t, "list.csv", header+list), Options{})
		a := mustApply(t, p, target, recorder{stand})
		account(t, r, a)
		return a
	}
	if a := run("甲,水务局,一\n乙,水务局,二\n", "one", false); a.New != 2 {
		t.Errorf("first: %+v", a)
	}
	if a := run("甲,水务局,一\n乙,水务局,别的\n", "two", false); a.Unchanged != 1 || a.Held != 1 || a.Counts["11021"] != 1 {
		t.Errorf("another source: %+v", a)
	}
	if a := run("甲,水务局,一\n乙,水务局,二\n", "one", false); a.Unchanged != 2 {
		t.Errorf("the first again: %+v", a)
	}
	if a := run("甲,水务局,一\n乙,水务局,别的\n", "two", true); a.Unchanged != 1 || a.Changed != 1 {
		t.Errorf("taken over: %+v", a)
	}
	if a := run("甲,水务局,一\n乙,水务局,二\n", "one", false); a.Unchanged != 1 || a.Held != 1 {
		t.Errorf("the first after that: %+v", a)
	}
}

// recorder keeps what is sent as the ledger would.
type recorder struct{ stand map[string]Standing }

// TestOneOfTwoSpellingsIsHeld: two names of one organisation may name one entry twice.
func TestOneOfTwoSpellingsIsHeld(t *testing.T) {
	c := newChain(t)
	target := c.target()
	known := target.Org
	target.Org = func(name string) (string, bool) {
		if name == "市水务局" {
			name = "水务局"
		}
		return known(name)
	}
	p, r := mustPlan(t, file(t, "list.csv", "资源名称,提供方,摘要\n甲,水务局,一\n甲,市水务局,二\n乙,市水务局,三\n"), Options{})
	a := mustApply(t, p, target, c)
	account(t, r, a)
	if a.Sent != 2 || a.Held != 1 || !strings.Contains(a.Problems[0].Message, "2") {
		t.Errorf("%+v", a)
	}
}

// TestNamesAreToldApartInAnyOrder: entries of one name get their codes, all of them,
// however the file is ordered; a repeated code is no second entry.
func TestNamesAreToldApartInAnyOrder(t *testing.T) {
	const header = "资源名称,资源代码,提供方,摘要\n"
	rows := []string{"年报,R-2019,水务局,一\n", "年报,R-2020,水务局,二\n", "年报,R-2020,水务局,重复的代码\n", "年报,R-1,气象局,三\n", "公报,R-3,水务局,四\n"}
	want := map[string]string{water + ":R-2019": "年报（R-2019）", air + ":R-1": "年报", water + ":R-3": "公报"}
	for _, order := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 1, 2, 0}, {1, 0, 2, 4, 3}} {
		var list strings.Builder
		for _, i := range order {
			list.WriteString(rows[i])
		}
		p, r := mustPlan(t, file(t, "list.csv", header+list.String()), Options{TellApart: true})
		names := map[string]string{}
		if err := p.Each(t.Context(), func(d *Draft) error {
			code := map[string]string{"水务局": water, "气象局": air}[d.Owner]
			names[code+":"+d.Local] = d.Entry.Name
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if r.Rejected != 1 || r.Doubtful != 1 || len(names) != 4 || names[water+":R-2020"] != "年报（R-2020）" {
			t.Errorf("order %v: %d rejected, %v", order, r.Rejected, names)
		}
		for id, name := range want {
			if names[id] != name {
				t.Errorf("order %v: %s is %q, want %q", order, id, names[id], name)
			}
		}
	}
	p, r := mustPlan(t, file(t, "list.csv", header+rows[0]+rows[1]), Options{})
	if r.Rejected != 1 || r.Counts["11010"] != 1 || len(p.alike) != 0 {
		t.Errorf("without the option: %+v", r)
	}
}

// TestWithdrawnStaysWithdrawn, until somebody wants it back; then it has another id,
// and keeps that.
func TestWithdrawnStaysWithdrawn(t *testing.T) {
	stand := map[string]Standing{}
	target := sourced(newChain(t))
	target.Known = func(id string) (Standing, bool) { s, ok := stand[id]; return s, ok }
	p, _ := mustPlan(t, file(t, "list.csv", "资源名称,资源代码,提供方\n甲,A-1,水务局\n"), Options{})
	run := func(want string, count func(*Applied) int) {
		t.Helper()
		a := mustApply(t, p, target, recorder{stand})
		if count(a) != 1 {
			t.Errorf("want it %s: %+v", want, a)
		}
	}
	run("new", func(a *Applied) int { return a.New })
	for i := range 3 {
		id := water + ":A-1"
		if i > 0 {
			id = fmt.Sprintf("%s.%d", id, i+1)
		}
		s := stand[id]
		s.Withdrawn = true
		stand[id] = s
		target.Revive = false
		run("held", func(a *Applied) int { return a.Held * a.Counts[codeText(fault.IllegalTransition)] })
		target.Revive = true
		run("new", func(a *Applied) int { return a.New })
		target.Revive = false
		run("unchanged", func(a *Applied) int { return a.Unchanged })
	}
	if s, ok := stand[water+":A-1.4"]; !ok || s.Withdrawn || len(stand) != 4 {
		t.Errorf("%v", stand)
	}
}

// TestAnOriginIsShort and the same for the same record.
func TestAnOriginIsShort(t *testing.T) {
	d := &Draft{Local: "x", Owner: "水务局", Entry: &cataloguev1.Entry{Name: "甲", Origin: strings.Repeat("长", 490)}}
	first := originOf("portal", d)
	if !strings.HasPrefix(first, "portal#") || len([]rune(first)) > maxOrigin {
		t.Errorf("%d characters", len([]rune(first)))
	}
	d.Entry.Origin = strings.Repeat("长", 499)
	if o := originOf("portal", d); len(o) > 100 || sourceOf(o) != "portal" {
		t.Errorf("%q", o)
	}
	d.Entry.Origin, d.Local = "", localOf("甲")
	if o := originOf("portal", d); o != "portal#"+localOf("甲")+"@水务局" {
		t.Errorf("%q", o)
	}
	if o := originOf("", d); o != "" || sourceOf("no source") != "" {
		t.Errorf("%q", o)
	}
}

// TestTokyoIsTakenWhole: CKAN tells data sets by their ids; 443 of Tokyo's 5,077 have a
// title that their organisation uses more than once, and none of them is lost.
func TestTokyoIsTakenWhole(t *testing.T) {
	p, r := mustPlan(t, shared(t, "catalogues/jp/tokyo_ckan_packages_2021.jsonl.gz"), Options{TellApart: true})
	if r.Entries != 5077 || r.Rejected != 0 || r.Counts["11010"] < 443 || r.Doubtful < r.Counts["11010"] {
		t.Fatalf("%d entries, %d rejected, %d doubtful, %v", r.Entries, r.Rejected, r.Doubtful, r.Counts)
	}
	names := map[string]int{}
	for _, d := range drafts(t, p) {
		if names[d.Owner+"\x00"+plain(d.Entry.Name)]++; names[d.Owner+"\x00"+plain(d.Entry.Name)] == 2 {
			t.Errorf("%s has two entries %q", d.Owner, d.Entry.Name)
		}
	}
}
