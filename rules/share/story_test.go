package share_test

import (
	"slices"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/rules/catalogue"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

// TestTraceLeadsFromDutyToUse: whoever has the log of events alone gets from the
// provider's duty to each use, object by object, and every object that he meets is
// in the state.
func TestTraceLeadsFromDutyToUse(t *testing.T) {
	w := towntest.New(t)
	var log []*tracev1.Event
	keep := func() { log = append(log, w.Events()...) }
	w.Publish(nil)
	keep()
	request := w.Must(w.Consumer, w.Request(nil))[0]
	keep()
	made := w.Must(w.Provider, &sharev1.Answer{Request: request, Accept: true})[0]
	keep()
	w.Must(w.Consumer, &sharev1.ConfirmAgreement{Agreement: made, Version: 1})
	keep()
	w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: made, Number: 1, Entry: w.EntryID})
	keep()
	w.Must(w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: made, Number: 1, Rows: 3, Digest: digest("rows")})
	keep()
	w.Must(w.ConsumerGateway, &sharev1.ConfirmDelivery{Agreement: made, Number: 1, Rows: 3, Digest: digest("rows")})
	keep()
	w.Must(w.ConsumerGateway, &sharev1.RecordUse{Agreement: made, Purpose: "公积金贷款审批"})
	keep()

	steps := []string{
		"catalogue/duty/" + w.ProviderDuty, "catalogue/entry/" + w.EntryID, "share/request/" + request, "share/agreement/" + made,
		"share/delivery/" + made + "/0000000001", "share/use/" + made + "/0000000001",
	}
	for i := range len(steps) - 2 { // a use is of the agreement, not of one delivery
		if !together(log, steps[i], steps[i+1]) {
			t.Errorf("no event leads from %s to %s", steps[i], steps[i+1])
		}
	}
	if !together(log, steps[3], steps[5]) {
		t.Errorf("no event leads from %s to %s", steps[3], steps[5])
	}
	for _, ev := range log {
		for _, object := range ev.Objects {
			if !there(w, object) {
				t.Errorf("%s names %s, which is not in the state", ev.Verb, object)
			}
		}
	}
}

func together(log []*tracev1.Event, x, y string) bool {
	return slices.ContainsFunc(log, func(ev *tracev1.Event) bool {
		return slices.Contains(ev.Objects, x) && slices.Contains(ev.Objects, y)
	})
}

func there(w *towntest.Town, object string) bool {
	_, ok := w.View().Get([]byte(object))
	return ok && strings.Count(object, "/") >= 2
}

// TestOffers: an entry is handed over as it and its conditions say, and as its
// format allows.
func TestOffers(t *testing.T) {
	file := cataloguev1.Method_METHOD_FILE
	for name, tt := range map[string]struct {
		entry *cataloguev1.Entry
		want  []cataloguev1.Method
	}{
		"nothing stated":  {&cataloguev1.Entry{}, []cataloguev1.Method{query, batch, file}},
		"table":           {&cataloguev1.Entry{Format: cataloguev1.Format_FORMAT_TABLE}, []cataloguev1.Method{query, batch, file}},
		"file":            {&cataloguev1.Entry{Format: cataloguev1.Format_FORMAT_FILE}, []cataloguev1.Method{file}},
		"interface":       {&cataloguev1.Entry{Format: cataloguev1.Format_FORMAT_API}, []cataloguev1.Method{query}},
		"its own list":    {&cataloguev1.Entry{Methods: []cataloguev1.Method{batch}}, []cataloguev1.Method{batch}},
		"its conditions'": {&cataloguev1.Entry{Conditions: &cataloguev1.ShareConditions{Methods: []cataloguev1.Method{file}}}, []cataloguev1.Method{file}},
	} {
		for _, m := range []cataloguev1.Method{query, batch, file} {
			if got := catalogue.Offers(tt.entry, m); got != slices.Contains(tt.want, m) {
				t.Errorf("%s: %s is offered: %t", name, m, got)
			}
		}
	}
}

// TestCheckNotices what must never be: an audit that finds nothing proves nothing.
func TestCheckNotices(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	v := w.View()
	for name, damage := range map[string]func(*sharev1.Agreement){
		"another request":   func(g *sharev1.Agreement) { g.Request = "none" },
		"another consumer":  func(g *sharev1.Agreement) { g.Consumer = w.Provider },
		"no term":           func(g *sharev1.Agreement) { g.EndsMs = g.StartsMs },
		"more than asked":   func(g *sharev1.Agreement) { g.Terms.Days++ },
		"who suspended it":  func(g *sharev1.Agreement) { g.SuspendedBy = w.Provider },
		"used unsigned":     func(g *sharev1.Agreement) { g.State, g.Deliveries = offered, 1 },
		"used unloaded":     func(g *sharev1.Agreement) { g.Uses = 1 },
		"delivery not kept": func(g *sharev1.Agreement) { g.Deliveries = 1 },
		"amendment kept":    func(g *sharev1.Agreement) { g.Amendments = 1 },
		"state is stronger": func(g *sharev1.Agreement) { g.NoticeMs = 1 },
		"given and ended":   func(g *sharev1.Agreement) { g.State, g.Given = ended, true },
		"use not kept":      func(g *sharev1.Agreement) { g.Terms.Method, g.Uses = query, 1 },
	} {
		g, _ := share.FindAgreement(v, id)
		if err := share.Check(v, g); err != nil {
			t.Fatal(err)
		}
		damage(g)
		if share.Check(v, g) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
	for name, damage := range map[string]func(*cataloguev1.Entry){
		"content":     func(e *cataloguev1.Entry) { e.Abstract = "改" },
		"state":       func(e *cataloguev1.Entry) { e.State = cataloguev1.EntryState_ENTRY_STATE_DRIFTED },
		"frozen":      func(e *cataloguev1.Entry) { e.State, e.Items[0].State = cataloguev1.EntryState_ENTRY_STATE_DRIFTED, 2 },
		"not counted": func(e *cataloguev1.Entry) { e.Id = "other"; hash := catalogue.ContentHash(e); e.ContentHash = hash[:] },
	} {
		e, _ := catalogue.FindEntry(v, w.EntryID)
		damage(e)
		if catalogue.Check(v, e) == nil {
			t.Errorf("entry, %s: not noticed", name)
		}
	}
}
