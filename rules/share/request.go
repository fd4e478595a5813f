package share

import (
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
)

// FileRequest applies for data of one provider. Signed by the requester, OFFICER:
// the signature is that of its sharing office (art. 20). It makes the id of the
// request and, if the ledger answers, that of the agreement.
//
// The ledger answers in the same block, in the name of the provider, if all that is
// asked is unconditional, can be delivered, and lies within the standing order of
// every entry. Otherwise the provider's clock starts: 1 working day if all is
// unconditional, else 10 (art. 21).
//
// Forbidden; the terms as [checkTerms] says; NoDuty, NotYourDuty; Missing, NotFound,
// Forbidden (gateway); the catalogue as [judge] says; AlreadyExists (the same is
// asked already and not decided).
func FileRequest(a *act.Act, m *sharev1.FileRequest) error {
	const rule = "share/file_request"
	if err := a.NeedOrg(a.Org(), officer); err != nil {
		return err
	}
	r := &sharev1.Request{Requester: a.Org(), State: received, Gateway: m.GetGateway(), CreatedMs: a.TimeMs, FiledBy: a.Signer()}
	o, err := read(a, rule, r, m.GetTerms())
	if err != nil {
		return err
	}
	r.Provider = o.provider
	open := openKey(r)
	if other, taken := openIndex.Get(a.Tx, open); taken {
		return act.Refuse(fault.AlreadyExists, rule, "request %s asks for the same and is not decided", other)
	}
	r.Id = newID(a, func(id string) bool { return requests.Has(a.Tx, id) })
	if o.covered(r.Requester, r.Terms) {
		clock := governancev1.Clock_CLOCK_ANSWER_UNCONDITIONAL
		r.Clock = &sharev1.ClockRun{Clock: clock, StartedMs: a.TimeMs, DueMs: a.TimeMs, StoppedMs: a.TimeMs}
		r.Automatic = true
		g := accept(a, r, r.Terms, o, standingOrder)
		emitRequest(a, rule, "accepted", r, agreementKey(g.Id))
		return nil
	}
	openIndex.Put(a.Tx, open, r.Id)
	r.Clock = begin(a, answerClock(o), dueRequest, r.Id)
	requests.Put(a.Tx, r.Id, r)
	emitRequest(a, rule, "received", r)
	return nil
}

// read checks the terms of a request in full and stores them in it, with the
// default term filled in.
func read(a *act.Act, rule string, r *sharev1.Request, terms *sharev1.Terms) (*offer, error) {
	if err := checkTerms(a.Tx, rule, terms); err != nil {
		return nil, err
	}
	if err := checkDuty(a, rule, r.Requester, terms.Duty); err != nil {
		return nil, err
	}
	if r.Gateway == "" {
		return nil, act.Refuse(fault.Missing, rule, "the gateway that will receive is missing")
	}
	gateway, ok := identity.Gateway(a.Tx, r.Gateway)
	switch {
	case !ok:
		return nil, act.Refuse(fault.NotFound, rule, "gateway %.80q is not on board", r.Gateway)
	case gateway.GetOrg() != r.Requester:
		return nil, act.Refuse(fault.Forbidden, rule, "gateway %s belongs to %s", r.Gateway, gateway.GetOrg())
	}
	r.Terms = proto.CloneOf(terms)
	if r.Terms.Days == 0 {
		r.Terms.Days = governance.Parameters(a.Tx).GetDefaultAgreementDays()
	}
	return judge(a.Tx, rule, r.Requester, r.Terms)
}

// checkDuty refuses with NoDuty a duty that is not in force, and with NotYourDuty
// that of another organisation.
func checkDuty(a *act.Act, rule, org, id string) error {
	d, ok := catalogue.FindDuty(a.Tx, id)
	switch {
	case !ok || !catalogue.InForce(d, a.TimeMs):
		return act.Refuse(fault.NoDuty, rule, "there is no duty %.80q in force that would need the data (art. 20)", id)
	case d.Org != org:
		return act.Refuse(fault.NotYourDuty, rule, "duty %s is that of %s", d.Id, d.Org)
	}
	return nil
}

func answerClock(o *offer) governancev1.Clock {
	if o.unconditional {
		return governancev1.Clock_CLOCK_ANSWER_UNCONDITIONAL
	}
	return governancev1.Clock_CLOCK_ANSWER_CONDITIONAL
}

// openKey is where a request that is not decided is kept by what it asks for. The
// versions of entries do not count: an update does not make it another wish.
func openKey(r *sharev1.Request) string {
	t := proto.CloneOf(r.Terms)
	for _, p := range t.Parts {
		p.EntryVersion = 0
	}
	raw, err := canon.Marshal(t)
	if err != nil {
		panic("rules/share: terms of " + r.Id + ": " + err.Error()) // texts are checked for UTF-8 on entry
	}
	sum := canon.Digest("mulian/share/terms/v1", raw)
	return key(r.Requester, hex.EncodeToString(sum[:16]))
}

// WithdrawRequest takes back what is not decided. Signed by the requester, OFFICER.
//
// NotFound, Forbidden, IllegalTransition, TooLong, Malformed (reason).
func WithdrawRequest(a *act.Act, m *sharev1.WithdrawRequest) error {
	const rule = "share/withdraw_request"
	r, err := findRequest(a, rule, m.GetRequest(), (*sharev1.Request).GetRequester)
	if err != nil {
		return err
	}
	if err := in(rule, r, received, incomplete); err != nil {
		return err
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, false); err != nil {
		return err
	}
	decide(a, r, withdrawn, a.Signer(), m.Reason)
	emitRequest(a, rule, "withdrawn", r)
	return nil
}

// decide stores the end of a request.
func decide(a *act.Act, r *sharev1.Request, s sharev1.RequestState, by, reason string) {
	openIndex.Delete(a.Tx, openKey(r)) // no other request has it while this one is open
	stop(a, r.Clock)
	r.State, r.DecidedMs, r.DecidedBy, r.Reason = s, a.TimeMs, by, reason
	requests.Put(a.Tx, r.Id, r)
}

// accept makes the agreement of a request, signed by the provider, and ends the
// request. The term begins now: what both sign does not move with the second
// signature.
func accept(a *act.Act, r *sharev1.Request, terms *sharev1.Terms, o *offer, by string) *sharev1.Agreement {
	g := &sharev1.Agreement{
		Id:      newID(a, func(id string) bool { return agreements.Has(a.Tx, id) }),
		Version: 1, Request: r.Id, Provider: r.Provider, Consumer: r.Requester,
		Terms: terms, State: offered, StartsMs: a.TimeMs, EndsMs: a.TimeMs + int64(terms.Days)*dayMs,
		StalenessSeconds: staleness(a.Tx, o), ConsumerGateway: r.Gateway, ProviderGateways: gateways(a.Tx, o),
	}
	agreements.Put(a.Tx, g.Id, g)
	queue(a, g.EndsMs, dueTerm, g.Id)
	r.Agreement = g.Id
	decide(a, r, accepted, by, "")
	return g
}

// staleness is the strictest of the entries': for how many seconds a gateway may
// go on by an old view of the ledger.
func staleness(v state.View, o *offer) uint32 {
	usual := governance.Parameters(v).GetStalenessSeconds()
	strictest := uint32(0)
	for _, e := range o.entries {
		s := e.StalenessSeconds
		if s == 0 {
			s = usual
		}
		if strictest == 0 || s < strictest {
			strictest = s
		}
	}
	return strictest
}

// gateways returns those of the entries' tables, ascending, each once.
func gateways(v state.View, o *offer) []string {
	var ids []string
	for _, e := range o.entries {
		if t, ok := catalogue.FindTable(v, e.Table); ok {
			ids = append(ids, t.Gateway)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// emitRequest logs what became of a request, with what it rests on.
func emitRequest(a *act.Act, verb, note string, r *sharev1.Request, also ...string) {
	objects := append([]string{requestKey(r.Id)}, also...)
	objects = append(objects, entryKeys(r.Terms)...)
	a.Emit(verb, note, append(objects, dutyKey(r.Terms.GetDuty()))...)
}
