package dsp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// state derives a negotiation's state from the ledger. The agreement is nil where there
// is none yet. The provider may have answered with narrower terms than were asked for:
// they are its offer, and the agreement message follows when the connector has accepted.
func (f *Facade) state(ctx context.Context, n *negotiation) (string, *sharev1.Agreement, error) {
	switch {
	case n.Ended:
		return Terminated, nil, nil
	case n.Final:
		return Finalized, nil, nil
	case n.Request == "":
		return Requested, nil, nil
	}
	q := &sharev1.Request{}
	found, _, err := f.opts.Proved.Get(ctx, "share/request/"+n.Request, q)
	if err != nil || !found {
		return Requested, nil, err
	}
	switch q.GetState() {
	case sharev1.RequestState_REQUEST_STATE_REFUSED, sharev1.RequestState_REQUEST_STATE_WITHDRAWN:
		n.Code, n.Cause = "refused", q.GetReason()
		return Terminated, nil, nil
	case sharev1.RequestState_REQUEST_STATE_ACCEPTED:
	default:
		return Requested, nil, nil
	}
	n.Agreement = q.GetAgreement()
	g := &sharev1.Agreement{}
	if found, _, err = f.opts.Proved.Get(ctx, "share/agreement/"+n.Agreement, g); err != nil || !found {
		return Requested, nil, err
	}
	switch {
	case over(g):
		n.Code, n.Cause = "ended", g.GetEndReason()
		return Terminated, g, nil
	case n.Verified && g.GetState() == sharev1.AgreementState_AGREEMENT_STATE_OFFERED:
		return Verified, g, nil
	case n.Verified:
		return Finalized, g, nil
	}
	return f.offered(n, q, g), g, nil
}

// offered is the state of a negotiation whose agreement the provider alone has signed.
func (f *Facade) offered(n *negotiation, q *sharev1.Request, g *sharev1.Agreement) string {
	if proto.Equal(q.GetTerms(), g.GetTerms()) {
		return Agreed
	}
	n.Narrowed = narrowed(n.Permission, q.GetTerms(), g)
	if !n.Accepted {
		return Offered
	}
	if on, _ := f.flying.Load(n.Pid); n.Told == Agreed || on == Agreed {
		return Agreed
	}
	return Accepted
}

// narrowed says the provider's narrower terms as far as there are words for it: until
// when, which items. The last constraint names the agreement on the ledger, which has all.
func narrowed(asked []Rule, q *sharev1.Terms, g *sharev1.Agreement) []Rule {
	use := Rule{Action: "use"}
	if len(asked) > 0 {
		use.Constraint = slices.Clone(asked[0].Constraint)
	}
	more := func(left, operator string, right any) {
		use.Constraint = append(use.Constraint, map[string]any{"leftOperand": left, "operator": operator, "rightOperand": right})
	}
	more("dateTime", "lt", time.UnixMilli(g.GetEndsMs()).UTC().Format(time.RFC3339))
	for i, part := range g.GetTerms().GetParts() {
		if i < len(q.GetParts()) && !proto.Equal(part, q.GetParts()[i]) {
			more("urn:mulian:item", "isAnyOf", part.GetItems())
		}
	}
	more("urn:mulian:terms", "eq", urn(agreementURN, g.GetId()))
	return []Rule{use}
}

func over(g *sharev1.Agreement) bool {
	switch g.GetState() {
	case sharev1.AgreementState_AGREEMENT_STATE_ENDED, sharev1.AgreementState_AGREEMENT_STATE_DISPOSING, sharev1.AgreementState_AGREEMENT_STATE_DISPOSED:
		return true
	}
	return false
}

// request begins a negotiation: the share request of the participant's organisation.
// The same consumerPid again is the same negotiation.
func (f *Facade) request(w http.ResponseWriter, r *http.Request, p *participant) error {
	m, err := Read(r.Body, "ContractRequestMessage")
	if err != nil {
		return err
	}
	if m.ProviderPid != nil {
		return fault.Newf(fault.IllegalTransition, "a request with a providerPid belongs to its negotiation")
	}
	e, err := f.entry(r.Context(), offerURN, m.Offer.ID)
	if err != nil {
		return err
	}
	if err := unchanged(m.Offer, e); err != nil {
		return err
	}
	k := f.negotiating()
	n, known, err := k.once(r.Context(), f, p, m,
		func(n *negotiation) bool { return n.Entry == e.GetId() },
		func(n *negotiation) error {
			n.Entry, n.Permission = e.GetId(), permission(e)
			return f.begin(r.Context(), p, e, n)
		})
	if err != nil {
		return err
	}
	state := Requested // what the ledger has answered since is told by message
	if known {
		if state, err = k.state(r.Context(), &n); err != nil {
			return err
		}
	}
	f.wake(n.Pid)
	return write(w, http.StatusCreated, k.message(&n.exchange, state))
}

// unchanged refuses an offer that is not the one in the catalogue.
func unchanged(o *Policy, e *cataloguev1.Entry) error {
	ours, _ := json.Marshal(permission(e)) // strings
	asked := make([]Rule, len(o.Permission))
	for i, r := range o.Permission {
		if asked[i] = r; len(r.Constraint) == 0 {
			asked[i].Constraint = nil
		}
	}
	theirs, err := json.Marshal(asked)
	same := err == nil && bytes.Equal(ours, theirs) && len(o.Prohibition) == 0 && len(o.Obligation) == 0
	if o.Type != "Offer" || !same || o.Target != "" && o.Target != urn(entryURN, e.GetId()) {
		return fault.Newf(fault.Malformed, "the offer is not the one in the catalogue: its @id, target and permission are taken as they are, other terms are amended on the ledger")
	}
	return nil
}

// begin signs the request, keeps it, and files it. A refusal of the ledger ends the
// negotiation; without an answer the same bytes are sent again by [Facade.Run].
func (f *Facade) begin(ctx context.Context, p *participant, e *cataloguev1.Entry, n *negotiation) error {
	env, err := client.Sign(f.opts.ChainID, p.signer, time.Now(), &sharev1.FileRequest{Terms: p.terms(e), Gateway: p.Gateway})
	if err != nil {
		return err
	}
	n.Envelope = env.Raw
	if err := f.journal.put(n.line()); err != nil {
		return err
	}
	err = f.file(ctx, n)
	if n.Ended {
		n.Told = Terminated // by the answer
		if e := f.journal.put(n.line()); e != nil {
			return e
		}
		return err
	}
	return nil
}

// file sends the kept request, and keeps what became of it.
func (f *Facade) file(ctx context.Context, n *negotiation) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerWait)
	defer cancel()
	res, err := f.opts.Chain.Submit(ctx, &client.Envelope{Raw: n.Envelope})
	switch {
	case err == nil && len(res.IDs) > 0:
		n.Request = res.IDs[0]
	case err == nil:
		return fault.Newf(fault.Internal, "the ledger took a request and named none")
	case passing(err) || ctx.Err() != nil:
		return err
	default:
		_, text := reasons(err)
		n.Ended, n.Code, n.Cause = true, fault.CodeOf(err).String(), fmt.Sprint(text...)
	}
	return errors.Join(err, f.journal.put(n.line()))
}

// terms are those of the participant for one entry.
func (p *participant) terms(e *cataloguev1.Entry) *sharev1.Terms {
	t := p.Terms
	return &sharev1.Terms{
		Parts:   []*sharev1.Part{{Entry: e.GetId(), Items: given(e)}},
		Purpose: t.Purpose, Duty: t.Duty, Matter: t.Matter, LegalBasis: t.LegalBasis, AppSystem: t.AppSystem, ScopeOfUse: t.ScopeOfUse,
		Method: cataloguev1.Method_METHOD_QUERY, Days: t.Days, MaxCallsPerDay: t.CallsPerDay, MaxRowsPerCall: t.RowsPerCall, DataLifeDays: t.DataLifeDays,
	}
}

// accept takes the consumer's acceptance of what the provider offered.
func (f *Facade) accept(ctx context.Context, _ *participant, n *negotiation, m *Message) error {
	state, _, err := f.state(ctx, n)
	if err != nil {
		return err
	}
	if state != Offered || m.EventType != Accepted {
		return illegal(m.Type+" "+m.EventType, state)
	}
	n.Accepted = true
	return f.journal.put(n.line())
}

// counter takes a consumer's counter-offer. Who answers an offer with another one has
// declined it (Civil Code, article 488), and other terms are another request: so the
// negotiation ends, and the connector is told why.
func (f *Facade) counter(ctx context.Context, p *participant, n *negotiation, m *Message) error {
	state, _, err := f.state(ctx, n)
	if err != nil {
		return err
	}
	if state != Offered {
		return illegal(m.Type, state)
	}
	return f.decline(ctx, p, n, "declined", "the offer was answered with another one: other terms are another request")
}

// verify takes the consumer's acceptance of the agreement; the signature on the ledger
// follows in [Facade.Run].
func (f *Facade) verify(ctx context.Context, _ *participant, n *negotiation, m *Message) error {
	state, _, err := f.state(ctx, n)
	if err != nil {
		return err
	}
	if state != Agreed {
		return illegal(m.Type, state)
	}
	n.Verified = true
	return f.journal.put(n.line())
}

// terminate withdraws the request or ends the agreement that is not in force yet.
func (f *Facade) terminate(ctx context.Context, p *participant, n *negotiation, m *Message) error {
	state, _, err := f.state(ctx, n)
	switch {
	case err != nil:
		return err
	case state == Finalized || state == Terminated:
		return illegal(m.Type, state)
	case n.Request == "":
		return fault.Newf(fault.Busy, "the ledger has not answered yet")
	}
	n.Told = Terminated // by itself
	return f.decline(ctx, p, n, m.Code, m.reason())
}

// decline ends a negotiation on the ledger in the name of its organisation.
func (f *Facade) decline(ctx context.Context, p *participant, n *negotiation, code, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerWait)
	defer cancel()
	var end proto.Message = &sharev1.WithdrawRequest{Request: n.Request, Reason: reason}
	if n.Agreement != "" {
		end = &sharev1.EndAgreement{Agreement: n.Agreement, Reason: reason}
	}
	if _, err := f.opts.Chain.Send(ctx, p.signer, end); err != nil {
		return err
	}
	n.Ended, n.Code, n.Cause = true, code, reason
	return f.journal.put(n.line())
}

// next files the request, signs the agreement, and finds what there is to tell.
func (f *Facade) next(ctx context.Context, p *participant, n *negotiation) (m *Message, path, state string, err error) {
	if n.Request == "" && !n.Ended {
		if err := f.file(ctx, n); err != nil && !n.Ended {
			return nil, "", "", err
		}
	}
	state, g, err := f.state(ctx, n)
	if err == nil && state == Verified {
		if _, err = f.opts.Chain.Send(ctx, p.signer, &sharev1.ConfirmAgreement{Agreement: g.GetId(), Version: g.GetVersion()}); err == nil {
			state, g, err = f.state(ctx, n)
		}
	}
	if state == Accepted {
		state = Agreed // by the message that says so
	}
	if err != nil || n.Told == state {
		return nil, "", state, err
	}
	m, path = f.news(n, state, g)
	if final, ended := state == Finalized, state == Terminated; m != nil && (final != n.Final || ended != n.Ended) {
		n.Final, n.Ended = final, ended // so it is, told or not
		if err := f.journal.put(n.line()); err != nil {
			return nil, "", state, err
		}
	}
	return m, path, state, nil
}

// news is the message that tells a state, nil for those that need none.
func (f *Facade) news(n *negotiation, state string, g *sharev1.Agreement) (m *Message, path string) {
	switch state {
	case Offered:
		m = message("ContractOfferMessage", n.Pid, n.ConsumerPid)
		m.Offer = &Policy{ID: urn(offerURN, n.Entry), Type: "Offer", Target: urn(entryURN, n.Entry), Permission: n.Narrowed}
		return m, "/offers"
	case Agreed:
		m = message("ContractAgreementMessage", n.Pid, n.ConsumerPid)
		m.Agreement = &Policy{
			ID: urn(agreementURN, g.GetId()), Type: "Agreement", Target: urn(entryURN, n.Entry), Assigner: f.participantID, Assignee: n.Participant,
			Timestamp: time.UnixMilli(g.GetStartsMs()).UTC().Format(time.RFC3339), Permission: n.Permission,
		}
		if n.Narrowed != nil {
			m.Agreement.Permission = n.Narrowed
		}
		return m, "/agreement"
	case Finalized:
		m = message("ContractNegotiationEventMessage", n.Pid, n.ConsumerPid)
		m.EventType = Finalized
		return m, "/events"
	case Terminated:
		m = message("ContractNegotiationTerminationMessage", n.Pid, n.ConsumerPid)
		m.Code, m.Reason = n.Code, []any{cmp.Or(n.Cause, "no reason was given")}
		return m, "/termination"
	}
	return nil, ""
}
