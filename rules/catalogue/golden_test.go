package catalogue_test

import (
	"fmt"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

// TestGolden pins the state and the events after a fixed history that uses every
// verb. A change of it is a change of the chain: it needs a new state version and a
// note in docs/decisions.
func TestGolden(t *testing.T) {
	w := towntest.NewWith(t, func(g *governancev1.Genesis) { g.Parameters.PublishNeedsReview = true })
	w.Publish(nil)
	w.Must(w.Authority, publishing(w, w.EntryID))
	w.Must(w.Provider, &cataloguev1.LockEntries{Entries: []string{w.EntryID}, CounterSigners: []string{w.Consumer, w.Authority}})
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "第二版" })
	signature{w}.by(w.Consumer)
	signature{w}.by(w.Authority)
	w.Must(w.Authority, publishing(w, w.EntryID))
	wantState(t, w, published, 2)
	drift := w.Must(w.ProviderGateway, w.Drift("renamed", breaking, "area", "cert_no", "owner", "floor_area", "issued"))[0]
	w.Wait(20 * rulestest.Day)
	w.Must(w.Provider, settle(drift, updated, &cataloguev1.Remap{Entry: w.EntryID, Item: "area", Column: "floor_area"}))
	signature{w}.by(w.Consumer)
	signature{w}.by(w.Authority)
	wantState(t, w, published, 3)
	w.Must(w.Provider, &cataloguev1.UnlockEntry{Entry: w.EntryID})
	signature{w}.by(w.Authority)
	signature{w}.by(w.Consumer)
	w.Must(w.Provider, &cataloguev1.SuspendEntry{Entry: w.EntryID, Cause: "检查"})
	w.Must(w.Provider, &cataloguev1.SuspendEntry{Entry: w.EntryID, Resume: true})
	w.Must(w.Provider, &cataloguev1.WithdrawEntry{Entry: w.EntryID, Reason: "合并"})
	w.Must(w.Provider, &cataloguev1.PutMatters{Matters: []*cataloguev1.Matter{matter(w, "110-1")}})
	m := table(w.Provider, "110101001 东华门街道", "110101002 景山街道")
	w.Must(w.Provider, m)
	m.Codes[0].Retired = true
	w.Must(w.Authority, m)
	w.Publish(func(e *cataloguev1.Entry) {
		asPublished(e)
		e.Id, e.Name, e.Table, e.Items = e.Id+"2", "不动产", "", nil
	})
	const want = "e59aed19bea97d6f1e756b8d30ce7af4c3c7b5f69beb7eec04188e9c50e34726"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}

// TestLimits: at a bound it works, one more does not.
func TestLimits(t *testing.T) {
	w := towntest.New(t)
	items := func(n int) *cataloguev1.SubmitEntries {
		return &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.Entry(func(e *cataloguev1.Entry) {
			e.Items = nil
			for i := range n {
				e.Items = append(e.Items, &cataloguev1.Item{Code: fmt.Sprint(i), Name: "项"})
			}
		})}}
	}
	w.Must(w.Provider, items(catalogue.MaxItems))
	w.Want(fault.TooLong, w.Provider, items(catalogue.MaxItems+1))

	many := func(from, n int) *cataloguev1.SubmitEntries {
		m := &cataloguev1.SubmitEntries{}
		for i := range n {
			m.Entries = append(m.Entries, w.Entry(func(e *cataloguev1.Entry) {
				e.Id, e.Name = fmt.Sprintf("%s-%d", e.Id, from+i), fmt.Sprintf("目录%d", from+i)
			}))
		}
		return m
	}
	w.Must(w.Provider, many(0, catalogue.MaxEntriesOfTable-1)) // the one above is on the table, too
	w.Want(fault.TooLong, w.Provider, many(1000, 1))
	if w.Outcome.Item != 1 {
		t.Errorf("element %d is one too many, want 1", w.Outcome.Item)
	}

	var duties []*cataloguev1.Duty
	for i := range catalogue.MaxDuties + 1 {
		duties = append(duties, towntest.Duty(w.Provider, fmt.Sprint(i), "职责"))
	}
	w.Want(fault.TooLong, w.Provider, &cataloguev1.PutDuties{Duties: duties})
	w.Must(w.Provider, &cataloguev1.PutDuties{Duties: duties[1:]})
}

// TestDueIsBounded: of many deadlines in one moment each block takes its share, and
// none is lost.
func TestDueIsBounded(t *testing.T) {
	w := towntest.NewWith(t, func(g *governancev1.Genesis) { g.Parameters.PublishNeedsReview = true })
	const n = catalogue.MaxDuePerBlock + 10 // three times 70
	for from := 0; from < n; from += 70 {
		m := &cataloguev1.SubmitEntries{}
		for i := from; i < from+70; i++ {
			m.Entries = append(m.Entries, w.Entry(func(e *cataloguev1.Entry) {
				e.Id, e.Name, e.Table, e.Items = fmt.Sprintf("%s-%d", e.Id, i), fmt.Sprintf("目录%d", i), "", nil
			}))
		}
		w.Must(w.Provider, m)
	}
	w.Wait(10 * rulestest.Day)
	if got := len(w.Events()); got != catalogue.MaxDuePerBlock {
		t.Fatalf("%d deadlines in one block, want %d", got, catalogue.MaxDuePerBlock)
	}
	w.Block()
	if got := len(w.Events()); got != 10 {
		t.Fatalf("%d deadlines in the next block, want 10", got)
	}
}
