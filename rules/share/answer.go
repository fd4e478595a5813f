package share

import (
	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// AskMore tells once and in full what a request lacks (art. 21), and stops the
// answer clock; the requester has the clock COMPLETE to supplement. Signed by the
// provider, OFFICER.
//
// NotFound, Forbidden, IllegalTransition (not RECEIVED, or told before), Empty,
// TooLong, Missing, Malformed (what is missing).
func AskMore(a *act.Act, m *sharev1.AskMore) error {
	const rule = "share/ask_more"
	r, err := findRequest(a, rule, m.GetRequest(), (*sharev1.Request).GetProvider)
	if err != nil {
		return err
	}
	if err := in(rule, r, received); err != nil {
		return err
	}
	if len(r.Missing) > 0 {
		return act.Refuse(fault.IllegalTransition, rule, "request %s: what is missing is told once and in full (art. 21)", r.Id)
	}
	if err := act.Count(rule, len(m.Missing), MaxMissing); err != nil {
		return err
	}
	for i, s := range m.Missing {
		if err := act.Text(rule, "missing", s, maxMissing, true); err != nil {
			return act.In(rule, i, err)
		}
	}
	pause(a, r.Clock)
	answering := r.Clock
	r.Clock = begin(a, governancev1.Clock_CLOCK_COMPLETE, dueRequest, r.Id)
	r.Clock.LeftDays, r.Clock.Extended = answering.LeftDays, answering.Extended // of the answer clock, for Supplement
	r.State, r.Missing = incomplete, m.Missing
	requests.Put(a.Tx, r.Id, r)
	emitRequest(a, rule, "incomplete", r)
	return nil
}

// Supplement answers AskMore with full new terms, of the same provider; the answer
// clock goes on with the days that were left. Signed by the requester, OFFICER.
//
// NotFound, Forbidden, IllegalTransition (not INCOMPLETE), then as [FileRequest]
// says of terms, duty and catalogue, CodeInconsistent (another provider),
// AlreadyExists.
func Supplement(a *act.Act, m *sharev1.Supplement) error {
	const rule = "share/supplement"
	r, err := findRequest(a, rule, m.GetRequest(), (*sharev1.Request).GetRequester)
	if err != nil {
		return err
	}
	if err := in(rule, r, incomplete); err != nil {
		return err
	}
	before := openKey(r)
	o, err := read(a, rule, r, m.Terms)
	if err != nil {
		return err
	}
	if o.provider != r.Provider {
		return act.Refuse(fault.CodeInconsistent, rule, "request %s is before %s, its entries are now of %s", r.Id, r.Provider, o.provider)
	}
	after := openKey(r)
	if other, taken := openIndex.Get(a.Tx, after); taken && other != r.Id {
		return act.Refuse(fault.AlreadyExists, rule, "request %s asks for the same and is not decided", other)
	}
	openIndex.Delete(a.Tx, before)
	openIndex.Put(a.Tx, after, r.Id)
	r.Clock.Clock, r.Clock.Overdue = answerClock(o), false
	goOn(a, r.Clock, dueRequest, r.Id)
	r.State = received
	r.Supplements++
	requests.Put(a.Tx, r.Id, r)
	emitRequest(a, rule, "received", r)
	return nil
}

// Answer accepts or refuses. Signed by the provider, OFFICER. Accepting makes the
// agreement, in state OFFERED, on the terms that were asked for or on narrower ones.
// A request that is INCOMPLETE can only be refused, and only once the time to
// supplement it is over: direct refusal is forbidden (art. 21). It may be answered
// late; the clock keeps that it was.
//
// NotFound, Forbidden, IllegalTransition, RefusalNeedsReason, TooLong, Malformed
// (reason); to accept: the terms as [checkTerms], [narrower] and [judge] say,
// ItemUnmapped (no gateway could deliver it).
func Answer(a *act.Act, m *sharev1.Answer) error {
	const rule = "share/answer"
	r, err := findRequest(a, rule, m.GetRequest(), (*sharev1.Request).GetProvider)
	if err != nil {
		return err
	}
	late := r.State == incomplete && a.TimeMs >= r.GetClock().GetDueMs()
	if !late || m.Accept {
		if err := in(rule, r, received); err != nil {
			return err
		}
	}
	if !m.Accept && m.Reason == "" {
		return act.Refuse(fault.RefusalNeedsReason, rule, "a request is refused with a reason (art. 21)")
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, false); err != nil {
		return err
	}
	if !m.Accept {
		decide(a, r, refused, a.Signer(), m.Reason)
		emitRequest(a, rule, "refused", r)
		return nil
	}
	terms := proto.CloneOf(r.Terms)
	if m.Terms != nil {
		if terms, err = narrowed(a, rule, m.Terms, r.Terms); err != nil {
			return err
		}
	}
	o, err := judge(a.Tx, rule, r.Requester, terms)
	if err != nil {
		return err
	}
	if o.deliverable != nil {
		return o.deliverable
	}
	g := accept(a, r, terms, o, a.Signer())
	emitRequest(a, rule, "accepted", r, agreementKey(g.Id))
	return nil
}

// narrowed returns the terms that the provider gives instead of those asked for.
func narrowed(a *act.Act, rule string, given, asked *sharev1.Terms) (*sharev1.Terms, error) {
	if err := checkTerms(a.Tx, rule, given); err != nil {
		return nil, err
	}
	if err := narrower(rule, given, asked); err != nil {
		return nil, err
	}
	return proto.CloneOf(given), nil
}
