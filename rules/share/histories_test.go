package share_test

import (
	"slices"
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
	signed                      bool
	over                        sharev1.AgreementState // 0 = it goes on
	stopped, notice, reported   bool
	amendment                   sharev1.AmendmentKind // that waits
	proposer                    string
	days                        uint32 // of the renewal that waits
	violation, disposed         bool
	ends                        int64
	deliveries, uses, confirmed int
	proposed, violations        uint64
	loaded                      map[uint64]sharev1.DeliveryState
}

// state is the strongest of what holds.
func (m *modelAgreement) state() sharev1.AgreementState {
	switch {
	case m.over != 0:
		return m.over
	case !m.signed:
		return offered
	case m.violation:
		return rectifying
	case m.stopped:
		return suspended
	case m.notice:
		return ending
	case m.amendment == sharev1.AmendmentKind_AMENDMENT_KIND_TERMS:
		return amending
	case m.amendment == sharev1.AmendmentKind_AMENDMENT_KIND_RENEWAL:
		return renewing
	}
	return active
}

// end is what comes when it is over.
func (m *modelAgreement) end() {
	m.over, m.stopped, m.violation, m.amendment = ended, false, false, 0
	if m.deliveries > 0 {
		m.over = disposing
	}
}

// is reports whether it is in one of the states.
func (m *modelAgreement) is(states ...sharev1.AgreementState) bool {
	return slices.Contains(states, m.state())
}

// history is one random history of requests and agreements of one entry, in which
// nothing of the item "area" is agreed while it is frozen.
type history struct {
	w          *towntest.Town
	requests   []string
	decided    map[string]sharev1.RequestState
	urged      map[string]int64 // by request and organisation
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

func (m *modelAgreement) live(now int64) bool {
	return m.is(active, amending, renewing, ending) && now < m.ends
}

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
		h.model[made] = &modelAgreement{ends: h.w.Now + int64(r.Terms.Days)*rulestest.Day, loaded: map[uint64]sharev1.DeliveryState{}}
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

// urge is for who waits, once a day, when the answer is late.
func (h *history) urge(t *rapid.T) {
	id, r := h.request(t)
	by := rapid.SampledFrom([]string{h.w.Consumer, h.w.Authority, h.w.Provider}).Draw(t, "by")
	last, urged := h.urged[id+by]
	ok := by != h.w.Provider && r.State == received && r.Clock.Overdue && (!urged || h.w.Now-last >= rulestest.Day)
	if h.want(t, ok, by, &sharev1.UrgeRequest{Request: id, Note: "请尽快答复"}) {
		h.urged[id+by] = h.w.Now
	}
}

func (h *history) confirm(t *rapid.T) {
	id, m := h.agreement(t)
	if h.want(t, m.is(offered), h.w.Consumer, &sharev1.ConfirmAgreement{Agreement: id, Version: 1}) {
		m.signed = true
	}
}

func (h *history) suspend(t *rapid.T) {
	id, m := h.agreement(t)
	ok := m.is(active, amending, renewing, ending, rectifying) && !m.stopped
	if h.want(t, ok, h.w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"}) {
		m.stopped = true
	}
}

func (h *history) resume(t *rapid.T) {
	id, m := h.agreement(t)
	if h.want(t, m.stopped, h.w.Provider, &sharev1.ResumeAgreement{Agreement: id}) {
		m.stopped = false
	}
}

func (h *history) end(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "end") > 0 {
		t.Skip("too early")
	}
	id, m := h.agreement(t)
	if h.want(t, m.over == 0, h.w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要"}) {
		m.end()
	}
}

// notice lets it end on a later day.
func (h *history) notice(t *rapid.T) {
	id, m := h.agreement(t)
	day := h.w.Now + int64(rapid.IntRange(0, 5).Draw(t, "days"))*rulestest.Day + 1
	ok := m.is(active, amending, renewing, suspended, rectifying) && !m.notice && day < m.ends
	if h.want(t, ok, h.w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要", EndsMs: day}) {
		m.notice, m.ends, m.amendment = true, day, 0
	}
}

// propose lets either side propose other terms, or a longer term.
func (h *history) propose(t *rapid.T) {
	id, m := h.agreement(t)
	g, _ := share.FindAgreement(h.w.View(), id)
	by := rapid.SampledFrom([]string{h.w.Consumer, h.w.Provider}).Draw(t, "by")
	days := rapid.SampledFrom([]uint32{0, 0, 5, 20}).Draw(t, "days")
	ok := m.is(active)
	if days > 0 {
		if h.want(t, ok, by, &sharev1.ProposeRenewal{Agreement: id, Version: g.Version, Days: days, Reason: "继续办理"}) {
			m.amendment, m.days = sharev1.AmendmentKind_AMENDMENT_KIND_RENEWAL, days
		}
	} else {
		terms := proto.CloneOf(g.Terms)
		terms.MaxCalls += 10
		if h.want(t, ok && !h.frozen, by, &sharev1.ProposeAmendment{Agreement: id, Version: g.Version, Terms: terms, Reason: "业务量增加"}) {
			m.amendment = sharev1.AmendmentKind_AMENDMENT_KIND_TERMS
		}
	}
	if m.is(amending, renewing) && ok {
		m.proposed++
		m.proposer = by
	}
}

func (h *history) sign(t *rapid.T) {
	id, m := h.agreement(t)
	by := rapid.SampledFrom([]string{h.w.Consumer, h.w.Provider}).Draw(t, "by")
	ok := m.is(amending) && !h.frozen || m.is(renewing)
	if h.want(t, ok && by != m.proposer, by, &sharev1.SignAmendment{Agreement: id, Number: m.proposed}) {
		if m.is(renewing) {
			m.ends += int64(m.days) * rulestest.Day
		}
		m.amendment = 0
	}
}

func (h *history) drop(t *rapid.T) {
	id, m := h.agreement(t)
	by := rapid.SampledFrom([]string{h.w.Consumer, h.w.Provider, h.w.Authority}).Draw(t, "by")
	if h.want(t, m.amendment != 0, by, &sharev1.DropAmendment{Agreement: id, Number: m.proposed, Reason: "另行协商"}) {
		m.amendment = 0
	}
}

func (h *history) violate(t *rapid.T) {
	id, m := h.agreement(t)
	ok := m.is(active, amending, renewing, ending, suspended)
	if h.want(t, ok, h.w.Provider, &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", Days: 5}) {
		m.violation, m.reported = true, false
		m.violations++
	}
}

func (h *history) rectify(t *rapid.T) {
	id, m := h.agreement(t)
	ok := m.violation && !m.reported
	if h.want(t, ok, h.w.Consumer, &sharev1.RectifyViolation{Agreement: id, Number: m.violations, Measures: "已停用越权账号"}) {
		m.reported = true
	}
}

func (h *history) judge(t *rapid.T) {
	id, m := h.agreement(t)
	accept := rapid.Bool().Draw(t, "accept")
	by := rapid.SampledFrom([]string{h.w.Provider, h.w.Authority}).Draw(t, "by")
	ok := m.violation
	if x, found := share.FindViolation(h.w.View(), id, m.violations); found && !m.reported && !accept && by == h.w.Provider {
		ok = ok && h.w.Now >= x.Clock.DueMs
	}
	if h.want(t, ok, by, &sharev1.SettleViolation{Agreement: id, Number: m.violations, Accept: accept, Decision: "复核", Filing: "备3"}) {
		m.violation = false
		if !accept {
			m.end()
		}
	}
}

// dispose certifies that everything is destroyed.
func (h *history) dispose(t *rapid.T) {
	id, m := h.agreement(t)
	by := rapid.SampledFrom([]string{h.w.Consumer, h.w.Authority}).Draw(t, "by")
	certificate := &sharev1.FileDisposal{
		Agreement: id, Reason: "协议终止", Method: sharev1.DisposalMethod_DISPOSAL_METHOD_OVERWRITTEN, CertificateHash: digest("certificate"),
		UpToDelivery: uint64(m.deliveries), Copies: 2,
	}
	if h.want(t, m.is(disposing) || m.over == 0 && m.deliveries > 0 && !m.disposed, by, certificate) {
		if m.is(disposing) {
			m.over = disposed
		}
		m.disposed = true
	}
}

func (h *history) start(t *rapid.T) {
	id, m := h.agreement(t)
	number := uint64(m.deliveries + rapid.IntRange(0, 2).Draw(t, "number"))
	ok := m.live(h.w.Now) && !h.frozen && number == uint64(m.deliveries)+1
	if h.want(t, ok, h.w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: number, Entry: h.w.EntryID}) {
		m.deliveries++
		m.disposed = false
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
	h.expire()
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
	h.expire()
}

// expire ends what is over by now.
func (h *history) expire() {
	for _, m := range h.model {
		if m.over == 0 && h.w.Now >= m.ends {
			m.end()
		}
	}
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
		if g.State != m.state() || g.EndsMs != m.ends || g.Deliveries != uint64(m.deliveries) || g.Uses != uint64(m.uses) {
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
		h := &history{w: w, decided: map[string]sharev1.RequestState{}, urged: map[string]int64{}, model: map[string]*modelAgreement{}}
		rt.Repeat(map[string]func(*rapid.T){
			"file": h.file, "answer": h.answer, "askMore": h.askMore, "supplement": h.supplement, "withdraw": h.withdraw, "urge": h.urge,
			"confirm": h.confirm, "suspend": h.suspend, "resume": h.resume, "end": h.end, "start": h.start, "step": h.step,
			"notice": h.notice, "propose": h.propose, "sign": h.sign, "drop": h.drop,
			"violate": h.violate, "rectify": h.rectify, "judge": h.judge, "dispose": h.dispose,
			"use": h.use, "drift": h.drifts, "wait": h.wait, "": h.invariants,
		})
	})
}
