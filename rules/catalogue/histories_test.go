package catalogue_test

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

// history is one random history of two entries on one table. The model knows only
// what a reader of the package comment would: which change may move what.
type history struct {
	w      *towntest.Town
	ids    []string
	seen   map[string]*cataloguev1.Entry // before the step
	source []string                      // columns that the source has
	drifts []string                      // made so far
	signed bool                          // the step was a signature that was taken
	wrote  bool                          // the step was the provider's own submission
	spare  int
}

func (h *history) do(account string, m proto.Message) fault.Code {
	h.signed, h.wrote = false, false
	code := h.w.Do(account, m)
	if code == fault.Internal {
		h.w.TB.Fatalf("%T: %s", m, h.w.Text)
	}
	return code
}

func (h *history) id(t *rapid.T) string { return rapid.SampledFrom(h.ids).Draw(t, "entry") }

// column is one that the source may have now or once had, or none.
func (h *history) column(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "cert_no", "owner", "area", "issued", "floor_area"}).Draw(t, "column")
}

func (h *history) submit(t *rapid.T) {
	e := h.w.Entry(func(e *cataloguev1.Entry) {
		e.Id = h.id(t)
		e.Name = rapid.SampledFrom([]string{"甲", "乙", "丙"}).Draw(t, "name")
		e.Items[2].Column = h.column(t)
	})
	h.wrote = h.do(h.w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}}) == fault.OK
}

func (h *history) lock(t *rapid.T) {
	h.do(h.w.Provider, &cataloguev1.LockEntries{Entries: []string{h.id(t)}, CounterSigners: []string{h.w.Consumer}})
}

func (h *history) unlock(t *rapid.T) { h.do(h.w.Provider, &cataloguev1.UnlockEntry{Entry: h.id(t)}) }

func (h *history) sign(t *rapid.T) {
	id := h.id(t)
	p, ok := catalogue.FindPending(h.w.View(), id)
	if !ok {
		t.Skip("nothing waits")
	}
	refuse := rapid.IntRange(0, 4).Draw(t, "refuse") == 0
	code := h.do(h.w.Consumer, &cataloguev1.CounterSign{Entry: id, ContentHash: p.Next.ContentHash, Refuse: refuse, Reason: "理由"})
	h.signed = code == fault.OK && !refuse
}

// change lets the source lose, get or rename a column, and the gateway report it.
func (h *history) change(t *rapid.T) {
	now := []string{"cert_no", "owner"}
	for _, c := range []string{"area", "issued", "floor_area"} {
		if rapid.Bool().Draw(t, c) {
			now = append(now, c)
		}
	}
	h.source = now
	class := cataloguev1.DriftClass(rapid.IntRange(1, 3).Draw(t, "class"))
	r := h.w.Drift(rapid.SampledFrom([]string{"column_added", "column_dropped", "widened"}).Draw(t, "kind"), class, h.column(t), now...)
	if h.do(h.w.ProviderGateway, r) == fault.OK {
		h.drifts = append(h.drifts, h.w.Outcome.Ids...)
	}
}

// look lets the gateway say what it sees, as it does every few seconds.
func (h *history) look(t *rapid.T) {
	h.do(h.w.ProviderGateway, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{h.w.TableOf("certificate", h.source...)}})
}

func (h *history) settle(t *rapid.T) {
	if len(h.drifts) == 0 {
		t.Skip("no drift")
	}
	m := settle(rapid.SampledFrom(h.drifts).Draw(t, "drift"), cataloguev1.Settlement(rapid.IntRange(1, 3).Draw(t, "settlement")))
	if m.Settlement == updated {
		for _, id := range h.ids {
			if rapid.Bool().Draw(t, "remap") {
				m.Remaps = append(m.Remaps, &cataloguev1.Remap{Entry: id, Item: "area", Column: h.column(t)})
			}
		}
	}
	h.do(h.w.Provider, m)
}

func (h *history) suspend(t *rapid.T) {
	h.do(h.w.Provider, &cataloguev1.SuspendEntry{Entry: h.id(t), Cause: "检查", Resume: rapid.Bool().Draw(t, "resume")})
}

// withdraw ends an entry; a new one takes its place so that the history goes on.
func (h *history) withdraw(t *rapid.T) {
	i := rapid.IntRange(0, len(h.ids)-1).Draw(t, "i")
	if h.do(h.w.Provider, &cataloguev1.WithdrawEntry{Entry: h.ids[i], Reason: "合并"}) == fault.OK {
		h.spare++
		h.ids = append(h.ids, fmt.Sprintf("%s-%d", h.w.EntryID, h.spare))
	}
}

func (h *history) wait(t *rapid.T) {
	h.signed, h.wrote = false, false
	h.w.Wait(int64(rapid.IntRange(1, 5).Draw(t, "days")) * rulestest.Day)
}

// invariants are tested after every step.
func (h *history) invariants(t *rapid.T) {
	v := h.w.View()
	for _, id := range h.ids {
		e, ok := catalogue.FindEntry(v, id)
		if !ok {
			continue
		}
		if err := catalogue.Check(v, e); err != nil {
			t.Fatal(err)
		}
		was := h.seen[id]
		h.seen[id] = e
		if was == nil {
			continue
		}
		moved := !bytes.Equal(was.ContentHash, e.ContentHash)
		switch {
		case moved != (was.Version+1 == e.Version) || !moved && was.Version != e.Version:
			t.Fatalf("invariant 1: %s went from version %d to %d, content moved: %t", id, was.Version, e.Version, moved)
		case was.Lock != nil && (moved || e.Lock == nil) && !h.signed:
			t.Fatalf("invariant 6: %s changed without a signature", id)
		case was.State == cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN && e.State != was.State:
			t.Fatalf("%s came back as %s", id, e.State)
		case was.Lock != nil && e.Lock != nil && !h.signed && thawed(was, e) && len(catalogue.OpenDrifts(v, e.Table)) == 0 && !bytes.Equal(was.Lock.SchemaHash, e.Lock.SchemaHash):
			t.Fatalf("invariant 4: %s thawed on a new schema without a signature", id)
		}
	}
	for n, id := range h.drifts {
		if want := fmt.Sprintf("%s@%d", h.w.Table, n+1); id != want {
			t.Fatalf("invariant 8: drift %d is %s", n+1, id)
		}
	}
}

func thawed(was, is *cataloguev1.Entry) bool {
	for i, it := range was.Items {
		if it.State == frozen && is.Items[i].State != frozen {
			return true
		}
	}
	return false
}

// TestHistories runs random histories on two replicas, which must agree, and tests
// the invariants of the package comment after every step.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := towntest.New(t)
		h := &history{
			w: w, ids: []string{w.EntryID, w.EntryID + "2"}, seen: map[string]*cataloguev1.Entry{},
			source: []string{"cert_no", "owner", "area", "issued"},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"submit": h.submit, "lock": h.lock, "unlock": h.unlock, "sign": h.sign, "change": h.change, "look": h.look,
			"settle": h.settle, "suspend": h.suspend, "withdraw": h.withdraw, "wait": h.wait, "": h.invariants,
		})
	})
}
