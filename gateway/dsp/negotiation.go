package dsp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// state derives a negotiation's state from the ledger. The request and the agreement
// are nil where there is none yet.
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
	case !n.Verified:
		return Agreed, g, nil
	case g.GetState() == sharev1.AgreementState_AGREEMENT_STATE_OFFERED:
		return Verified, g, nil
	}
	return Finalized, g, nil
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
		return fault.Newf(fault.IllegalTransition, "a request with a providerPid belongs to its negotiation, and counter-offers are not negotiated")
	}
	callback, err := callbackURL(p.Callback, m.CallbackAddress)
	if err != nil {
		return err
	}
	e, err := f.entry(r.Context(), offerURN, m.Offer.ID)
	if err != nil {
		return err
	}
	if err := unchanged(m.Offer, e); err != nil {
		return err
	}
	free, err := f.turns.take(r.Context(), p.ID+"\x00"+*m.ConsumerPid)
	if err != nil {
		return err
	}
	defer free()
	n, known := f.journal.find(p.ID, func(n *negotiation) bool { return n.ConsumerPid == *m.ConsumerPid })
	if known && n.Entry != e.GetId() {
		return fault.Newf(fault.Idempotency, "consumerPid %.100s is another negotiation", *m.ConsumerPid)
	}
	if !known {
		if err := f.journal.room(p.ID); err != nil {
			return err
		}
		n = negotiation{
			Pid: newPid(), ConsumerPid: *m.ConsumerPid, Participant: p.ID, Callback: callback.String(), Entry: e.GetId(),
			Permission: permission(e), AtMs: time.Now().UnixMilli(),
		}
		done, err := f.turns.take(r.Context(), n.Pid) // Run sees it as soon as it is kept
		if err != nil {
			return err
		}
		defer done()
		if err := f.begin(r.Context(), p, e, &n); err != nil {
			return pidError{n.Pid, n.ConsumerPid, err}
		}
	}
	state, _, err := f.state(r.Context(), &n)
	if err != nil {
		return err
	}
	if !known {
		state = Requested // what the ledger has answered since is told by message
	}
	f.wake(n.Pid)
	return write(w, http.StatusCreated, f.negotiationMessage(&n, state))
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
	if err := f.journal.put(line{Negotiation: n}); err != nil {
		return err
	}
	err = f.file(ctx, n)
	if n.Ended {
		n.Told = Terminated // by the answer
		if e := f.journal.put(line{Negotiation: n}); e != nil {
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
		n.Ended, n.Code, n.Cause = true, fault.CodeOf(err).String(), err.Error()
	}
	return errors.Join(err, f.journal.put(line{Negotiation: n}))
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

// ours finds the negotiation of a path, which the message in it has to name as well.
func (f *Facade) ours(r *http.Request, p *participant, m *Message) (negotiation, error) {
	pid := r.PathValue("pid")
	n, ok := f.journal.negotiation(pid)
	if !ok || n.Participant != p.ID {
		return n, fault.Newf(fault.NotFound, "there is no negotiation %.100q", pid)
	}
	if m != nil && (*m.ProviderPid != n.Pid || *m.ConsumerPid != n.ConsumerPid) {
		return n, pidError{n.Pid, n.ConsumerPid, fault.Newf(fault.CodeInconsistent, "the message is for another negotiation than its address")}
	}
	return n, nil
}

func (f *Facade) showNegotiation(w http.ResponseWriter, r *http.Request, p *participant) error {
	n, err := f.ours(r, p, nil)
	if err != nil {
		return err
	}
	state, _, err := f.state(r.Context(), &n)
	if err != nil {
		return pidError{n.Pid, n.ConsumerPid, err}
	}
	return write(w, http.StatusOK, f.negotiationMessage(&n, state))
}

func (f *Facade) negotiationMessage(n *negotiation, state string) *Message {
	m := message("ContractNegotiation", n.Pid, n.ConsumerPid)
	m.State = state
	return m
}

// step is one message of the connector that may move a negotiation.
func (f *Facade) step(kind string, move func(context.Context, *participant, *negotiation, string, *Message) error) call {
	return func(w http.ResponseWriter, r *http.Request, p *participant) error {
		m, err := Read(r.Body, kind)
		if err != nil {
			return err
		}
		if m.ProviderPid == nil {
			return fault.Newf(fault.Missing, "providerPid is missing")
		}
		n, err := f.ours(r, p, m)
		if err != nil {
			return err
		}
		free, err := f.turns.take(r.Context(), n.Pid)
		if err != nil {
			return pidError{n.Pid, n.ConsumerPid, err}
		}
		defer free()
		n, _ = f.journal.negotiation(n.Pid)
		state, _, err := f.state(r.Context(), &n)
		if err == nil {
			err = move(r.Context(), p, &n, state, m)
		}
		if err != nil {
			return pidError{n.Pid, n.ConsumerPid, err}
		}
		f.wake(n.Pid)
		w.WriteHeader(http.StatusOK)
		return nil
	}
}

func illegal(kind, state string) error {
	return fault.Newf(fault.IllegalTransition, "a %s does not fit the state %s", kind, state)
}

// never answers the messages of counter-offers, which have no state of ours.
func never(_ context.Context, _ *participant, _ *negotiation, state string, m *Message) error {
	return illegal(m.Type, state)
}

// verify takes the consumer's acceptance of the agreement; the signature on the ledger
// follows in [Facade.Run]. Said twice, it counts once.
func (f *Facade) verify(_ context.Context, _ *participant, n *negotiation, state string, m *Message) error {
	if state != Agreed {
		return illegal(m.Type, state)
	}
	n.Verified = true
	return f.journal.put(line{Negotiation: n})
}

// terminate withdraws the request or ends the agreement that is not in force yet.
func (f *Facade) terminate(ctx context.Context, p *participant, n *negotiation, state string, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerWait)
	defer cancel()
	var err error
	switch state {
	case Requested:
		if n.Request == "" {
			return fault.Newf(fault.Busy, "the ledger has not answered yet")
		}
		_, err = f.opts.Chain.Send(ctx, p.signer, &sharev1.WithdrawRequest{Request: n.Request, Reason: m.reason()})
	case Agreed, Verified:
		_, err = f.opts.Chain.Send(ctx, p.signer, &sharev1.EndAgreement{Agreement: n.Agreement, Reason: m.reason()})
	default:
		return illegal(m.Type, state)
	}
	if err != nil {
		return err
	}
	n.Ended, n.Told, n.Code, n.Cause = true, Terminated, m.Code, m.reason()
	return f.journal.put(line{Negotiation: n})
}

// advance does what a negotiation waits for on our side: the request filed, the
// agreement signed, the connector told. The turn is not held while the connector is
// told: it may answer with the next message before it answers the call.
func (f *Facade) advance(ctx context.Context, pid string) error {
	p, to, m, state, err := f.next(ctx, pid)
	if err != nil || m == nil {
		return err
	}
	if err := f.send(ctx, p, to, m); err != nil {
		return err
	}
	free, err := f.turns.take(ctx, pid)
	if err != nil {
		return err
	}
	defer free()
	n, _ := f.journal.negotiation(pid)
	if n.over() {
		return nil
	}
	n.Told = state
	return f.journal.put(line{Negotiation: &n})
}

// next moves a negotiation as far as the ledger lets it, and returns the message that
// the connector has to get, nil if none.
func (f *Facade) next(ctx context.Context, pid string) (p *participant, to string, m *Message, state string, err error) {
	free, err := f.turns.take(ctx, pid)
	if err != nil {
		return nil, "", nil, "", err
	}
	defer free()
	n, ok := f.journal.negotiation(pid)
	if p = f.participants[n.Participant]; !ok || p == nil || n.over() {
		return p, "", nil, "", nil
	}
	if n.Request == "" && !n.Ended {
		if err := f.file(ctx, &n); err != nil && !n.Ended {
			return p, "", nil, "", err
		}
	}
	state, g, err := f.state(ctx, &n)
	if err == nil && state == Verified {
		if _, err = f.opts.Chain.Send(ctx, p.signer, &sharev1.ConfirmAgreement{Agreement: g.GetId(), Version: g.GetVersion()}); err == nil {
			state, g, err = f.state(ctx, &n)
		}
	}
	if err != nil || n.Told == state {
		return p, "", nil, state, err
	}
	m, path := f.news(&n, state, g)
	if final, ended := state == Finalized, state == Terminated; m != nil && (final != n.Final || ended != n.Ended) {
		n.Final, n.Ended = final, ended // so it is, told or not
		if err := f.journal.put(line{Negotiation: &n}); err != nil {
			return p, "", nil, state, err
		}
	}
	return p, n.Callback + "/negotiations/" + pathID(n.ConsumerPid) + path, m, state, nil
}

// news is the message that tells a state, nil for those that need none.
func (f *Facade) news(n *negotiation, state string, g *sharev1.Agreement) (m *Message, path string) {
	switch state {
	case Agreed:
		m = message("ContractAgreementMessage", n.Pid, n.ConsumerPid)
		m.Agreement = &Policy{
			ID: urn(agreementURN, g.GetId()), Type: "Agreement", Target: urn(entryURN, n.Entry), Assigner: f.participantID, Assignee: n.Participant,
			Timestamp: time.UnixMilli(g.GetStartsMs()).UTC().Format(time.RFC3339), Permission: n.Permission,
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
