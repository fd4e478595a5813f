package share_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

// modelAgreement is what a reader of the package comment knows of an agreement.
type modelAgreement struct {
	state                       sharev1.AgreementState
	ends                        int64
	deliveries, uses, confirmed int
	loaded                      map[uint64]sharev1.DeliveryState
}

// history is one random history of requests and agreements of one entry, in which
// nothing of the item "area" is agreed while it is frozen.
type history struct {
	w          *towntest.Town
	requests   []string
	decided    map[string]sharev1.RequestState
	agreements []string
	model      map[string]*modelAgreement
	frozen     bool
	drift      string
}

func (h *history) do(account string, m proto.Message) fault.Code {
	code := h.w.Do(account, m)
	if code == fault.Internal {
		h.w.TB.Fatalf("%T: %s", m, h.w.Text)
	}
	return code
}

// want fails unless the state machine and the model agree on whether m succeeds.
func (h *history) want(t *rapid.T, ok bool, account string, m proto.Message) bool {
	if code := h.do(account, m); (code == fault.OK) != ok {
		t.Fatalf("%T by %s: %s (%s), the model says %t", m, account, code, h.w.Text, ok)
	}
	return ok
}

func (h *history) request(t *rapid.T) (string, *sharev1.Request) {
	if len(h.requests) == 0 {
		t.Skip("no request")
	}
	id := rapid.SampledFrom(h.requests).Draw(t, "request")
	r, _ := share.FindRequest(h.w.View(), id)
	return id, r
}

func (h *history) agreement(t *rapid.T) (string, *modelAgreement) {
	if len(h.agreements) == 0 {
		t.Skip("no agreement")
	}
	id := rapid.SampledFrom(h.agreements).Draw(t, "agreement")
	return id, h.model[id]
}

func (m *modelAgreement) live(now int64) bool { return m.state == active && now < m.ends }

func (h *history) file(t *rapid.T) {
	days := rapid.Uint32Range(1, 40).Draw(t, "days")
	open := false
	for _, id := range h.requests {
		r, _ := share.FindRequest(h.w.View(), id)
		open = open || (r.State == received || r.State == incomplete) && r.Terms.Days == days
	}
	if h.want(t, !open && !h.frozen, h.w.Consumer, h.w.Request(func(t *sharev1.Terms) { t.Days = days })) {
		h.requests = append(h.requests, h.w.Outcome.Ids...)
	}
}

func (h *history) answer(t *rapid.T) {
	id, r := h.request(t)
	accept := rapid.IntRange(0, 3).Draw(t, "accept") > 0
	late := r.State == incomplete && h.w.Now >= r.Clock.DueMs
	ok := r.State == received && (!accept || !h.frozen) || late && !accept
	if h.want(t, ok, h.w.Provider, &sharev1.Answer{Request: id, Accept: accept, Reason: "理由"}) && accept {
		made := h.w.Outcome.Ids[0]
		h.agreements = append(h.agreements, made)
		h.model[made] = &modelAgreement{state: offered, ends: h.w.Now + int64(r.Terms.Days)*rulestest.Day, loaded: map[uint64]sharev1.DeliveryState{}}
	}
}

func (h *history) askMore(t *rapid.T) {
	id, r := h.request(t)
	h.want(t, r.State == received && r.Supplements == 0, h.w.Provider, &sharev1.AskMore{Request: id, Missing: []string{"依据"}})
}

func (h *history) supplement(t *rapid.T) {
	id, r := h.request(t)
	h.want(t, r.State == incomplete && !h.frozen, h.w.Consumer, &sharev1.Supplement{Request: id, Terms: r.Terms})
}

func (h *history) withdraw(t *rapid.T) {
	id, r := h.request(t)
	h.want(t, r.State == received || r.State == incomplete, h.w.Consumer, &sharev1.WithdrawRequest{Request: id})
}

func (h *history) confirm(t *rapid.T) {
	id, m := h.agreement(t)
	if h.want(t, m.state == offered && h.w.Now < m.ends, h.w.Consumer, &sharev1.ConfirmAgreement{Agreement: id, Version: 1}) {
		m.state = active
	}
}

func (h *history) suspend(t *rapid.T) {
	id, m := h.agreement(t)
	if h.want(t, m.live(h.w.Now), h.w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"}) {
		m.state = suspended
	}
}

func (h *history) resume(t *rapid.T) {
	id, m := h.agreement(t)
	if h.want(t, m.state == suspended && h.w.Now < m.ends, h.w.Provider, &sharev1.ResumeAgreement{Agreement: id}) {
		m.state = active
	}
}

func (h *history) end(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "end") > 0 {
		t.Skip("too early")
	}
	id, m := h.agreement(t)
	if h.want(t, m.state != ended && h.w.Now < m.ends, h.w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要"}) {
		m.state = ended
	}
}

func (h *history) start(t *rapid.T) {
	id, m := h.agreement(t)
	number := uint64(m.deliveries + rapid.IntRange(0, 2).Draw(t, "number"))
	ok := m.live(h.w.Now) && !h.frozen && number == uint64(m.deliveries)+1
	if h.want(t, ok, h.w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: number, Entry: h.w.EntryID}) {
		m.deliveries++
		m.loaded[number] = sharev1.DeliveryState_DELIVERY_STATE_STARTED
	}
}

// step moves a delivery on: given, loaded or failed.
func (h *history) step(t *rapid.T) {
	id, m := h.agreement(t)
	n := uint64(rapid.IntRange(1, 3).Draw(t, "number"))
	is := m.loaded[n]
	switch rapid.IntRange(0, 2).Draw(t, "step") {
	case 0:
		if h.want(t, is == 1, h.w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: id, Number: n, Rows: 7, Digest: digest("rows")}) {
			m.loaded[n] = 2
		}
	case 1:
		rows := rapid.SampledFrom([]uint64{7, 7, 8}).Draw(t, "rows")
		if h.want(t, is == 2 && rows == 7, h.w.ConsumerGateway, &sharev1.ConfirmDelivery{Agreement: id, Number: n, Rows: rows, Digest: digest("rows")}) {
			m.loaded[n] = 3
			m.confirmed++
		}
	case 2:
		if h.want(t, is == 1 || is == 2, h.w.ConsumerGateway, &sharev1.FailDelivery{Agreement: id, Number: n, Cause: "中断"}) {
			m.loaded[n] = 4
		}
	}
}

func (h *history) use(t *rapid.T) {
	id, m := h.agreement(t)
	if h.want(t, m.live(h.w.Now) && m.confirmed > 0, h.w.ConsumerGateway, &sharev1.RecordUse{Agreement: id, Purpose: "公积金贷款审批"}) {
		m.uses++
	}
}

// drifts lets the source lose the column of an agreed item, or get it back.
func (h *history) drifts(t *rapid.T) {
	h.w.Wait(rulestest.Minute)
	if !h.frozen {
		h.drift = h.w.Must(h.w.ProviderGateway, h.w.Drift("column_dropped", 3, "area", "cert_no", "owner", "issued"))[0]
	} else {
		h.w.Must(h.w.ProviderGateway, h.w.Drift("column_added", 1, "area", "cert_no", "owner", "area", "issued"))
		h.w.Must(h.w.Provider, &cataloguev1.SettleDrift{Drift: h.drift, Settlement: cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK})
	}
	h.frozen = !h.frozen
}

func (h *history) wait(t *rapid.T) {
	h.w.Wait(int64(rapid.IntRange(1, 12).Draw(t, "days")) * rulestest.Day)
}

// invariants are tested after every step.
func (h *history) invariants(t *rapid.T) {
	v := h.w.View()
	for _, id := range h.requests {
		r, _ := share.FindRequest(v, id)
		if was, ok := h.decided[id]; ok && r.State != was {
			t.Fatalf("invariant 7: request %s went back from %s to %s", id, was, r.State)
		}
		if r.State != received && r.State != incomplete {
			h.decided[id] = r.State
		} else if late := h.w.Now >= r.Clock.DueMs; r.Clock.Overdue != late {
			t.Fatalf("request %s: overdue is %t, %d ms after its due time", id, r.Clock.Overdue, h.w.Now-r.Clock.DueMs)
		}
		if r.Supplements > 1 {
			t.Fatalf("invariant 7: request %s was supplemented %d times", id, r.Supplements)
		}
	}
	for _, id := range h.agreements {
		g, m := agreement(h.w, id), h.model[id]
		if g.State != m.state || g.EndsMs != m.ends || g.Deliveries != uint64(m.deliveries) || g.Uses != uint64(m.uses) {
			t.Fatalf("agreement %v, the model says %+v", g, m)
		}
		for n, want := range m.loaded {
			if d, ok := share.FindDelivery(v, id, n); !ok || d.State != want {
				t.Fatalf("delivery %d of %s is %v, the model says %s", n, id, d, want)
			}
		}
	}
}

// TestHistories runs random histories on two replicas, which must agree, against a
// model that is too simple to be wrong.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := towntest.New(t)
		w.Publish(nil)
		h := &history{w: w, decided: map[string]sharev1.RequestState{}, model: map[string]*modelAgreement{}}
		rt.Repeat(map[string]func(*rapid.T){
			"file": h.file, "answer": h.answer, "askMore": h.askMore, "supplement": h.supplement, "withdraw": h.withdraw,
			"confirm": h.confirm, "suspend": h.suspend, "resume": h.resume, "end": h.end, "start": h.start, "step": h.step,
			"use": h.use, "drift": h.drifts, "wait": h.wait, "": h.invariants,
		})
	})
}
