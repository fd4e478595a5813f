package dsp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"time"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// hold reads, with proof, the agreement of a transfer and tells whether data is given
// under it now, or never again.
func (f *Facade) hold(ctx context.Context, id string) (g *sharev1.Agreement, gives, gone bool, err error) {
	g = &sharev1.Agreement{}
	found, _, err := f.opts.Proved.Get(ctx, "share/agreement/"+id, g)
	if err != nil {
		return g, false, false, err
	}
	gone = !found || over(g) || g.GetEndsMs() <= time.Now().UnixMilli()
	switch g.GetState() {
	case sharev1.AgreementState_AGREEMENT_STATE_ACTIVE, sharev1.AgreementState_AGREEMENT_STATE_AMENDING,
		sharev1.AgreementState_AGREEMENT_STATE_RENEWING, sharev1.AgreementState_AGREEMENT_STATE_ENDING:
		gives = !gone
	}
	return g, gives, gone, nil
}

// requestTransfer begins a transfer under an agreement that this participant has
// negotiated here. The same consumerPid again is the same transfer.
func (f *Facade) requestTransfer(w http.ResponseWriter, r *http.Request, p *participant) error {
	m, err := Read(r.Body, "TransferRequestMessage")
	if err != nil {
		return err
	}
	callback, err := callbackURL(p.Callback, m.CallbackAddress)
	if err != nil {
		return err
	}
	if m.Format != Format || m.DataAddress != nil {
		return fault.Newf(fault.FormatMethodMismatch, "the only format is %s, without a dataAddress", Format)
	}
	id, ok := fromURN(agreementURN, m.AgreementID)
	n, known := f.journal.find(p.ID, func(n *negotiation) bool { return n.Final && n.Agreement == id })
	if !ok || !known {
		return fault.Newf(fault.NotFound, "there is no finalized agreement %.200q", m.AgreementID)
	}
	free, err := f.turns.take(r.Context(), p.ID+"\x00"+*m.ConsumerPid)
	if err != nil {
		return err
	}
	defer free()
	t, known := f.journal.findTransfer(p.ID, func(t *transfer) bool { return t.ConsumerPid == *m.ConsumerPid })
	if known && t.Agreement != id {
		return fault.Newf(fault.Idempotency, "consumerPid %.100s is another transfer", *m.ConsumerPid)
	}
	if !known {
		if err := f.journal.room(p.ID); err != nil {
			return err
		}
		if _, gives, _, err := f.hold(r.Context(), id); err != nil {
			return err
		} else if !gives {
			return fault.Newf(fault.AgreementSuspended, "nothing is given under the agreement now: it is suspended or over")
		}
		t = transfer{
			Pid: newPid(), ConsumerPid: *m.ConsumerPid, Participant: p.ID, Callback: callback.String(), Agreement: id, Entry: n.Entry,
			State: Requested, AtMs: time.Now().UnixMilli(),
		}
		if err := f.journal.put(line{Transfer: &t}); err != nil {
			return err
		}
	}
	f.wake(t.Pid)
	return write(w, http.StatusCreated, transferMessage(&t))
}

func transferMessage(t *transfer) *Message {
	m := message("TransferProcess", t.Pid, t.ConsumerPid)
	m.State = t.State
	return m
}

func (f *Facade) ourTransfer(r *http.Request, p *participant, m *Message) (transfer, error) {
	pid := r.PathValue("pid")
	t, ok := f.journal.transfer(pid)
	if !ok || t.Participant != p.ID {
		return t, fault.Newf(fault.NotFound, "there is no transfer %.100q", pid)
	}
	if m != nil && (*m.ProviderPid != t.Pid || *m.ConsumerPid != t.ConsumerPid) {
		return t, pidError{t.Pid, t.ConsumerPid, fault.Newf(fault.CodeInconsistent, "the message is for another transfer than its address")}
	}
	return t, nil
}

func (f *Facade) showTransfer(w http.ResponseWriter, r *http.Request, p *participant) error {
	t, err := f.ourTransfer(r, p, nil)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, transferMessage(&t))
}

// moves are what the connector may do: from which states its messages lead where.
var moves = map[string]struct {
	from []string
	to   string
}{
	"TransferStartMessage":       {[]string{Suspended}, Started},
	"TransferSuspensionMessage":  {[]string{Started}, Suspended},
	"TransferCompletionMessage":  {[]string{Started}, Completed},
	"TransferTerminationMessage": {[]string{Requested, Started, Suspended}, Terminated},
}

// move is one message of the connector that moves a transfer.
func (f *Facade) move(kind string) call {
	return func(w http.ResponseWriter, r *http.Request, p *participant) error {
		m, err := Read(r.Body, kind)
		if err != nil {
			return err
		}
		t, err := f.ourTransfer(r, p, m)
		if err != nil {
			return err
		}
		free, err := f.turns.take(r.Context(), t.Pid)
		if err != nil {
			return pidError{t.Pid, t.ConsumerPid, err}
		}
		defer free()
		t, _ = f.journal.transfer(t.Pid)
		if err := f.moved(r.Context(), &t, m); err != nil {
			return pidError{t.Pid, t.ConsumerPid, err}
		}
		f.wake(t.Pid)
		w.WriteHeader(http.StatusOK)
		return nil
	}
}

func (f *Facade) moved(ctx context.Context, t *transfer, m *Message) error {
	rule, fits := moves[m.Type], false
	for _, s := range rule.from {
		fits = fits || s == t.State
	}
	if !fits {
		return illegal(m.Type, t.State)
	}
	if rule.to == Started {
		if t.Ours {
			return fault.Newf(fault.AgreementSuspended, "the agreement is suspended: the transfer goes on when it does")
		}
		if _, gives, _, err := f.hold(ctx, t.Agreement); err != nil {
			return err
		} else if !gives {
			return fault.Newf(fault.AgreementSuspended, "nothing is given under the agreement now")
		}
	}
	t.State, t.Told, t.Code, t.AtMs = rule.to, rule.to, m.Code, time.Now().UnixMilli()
	if rule.to == Terminated || rule.to == Completed {
		t.Token = nil
	}
	return f.journal.put(line{Transfer: t})
}

// advanceTransfer starts what was requested, and follows the agreement.
func (f *Facade) advanceTransfer(ctx context.Context, pid string) error {
	p, to, m, state, err := f.nextTransfer(ctx, pid)
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
	t, _ := f.journal.transfer(pid)
	if t.State != state {
		return nil // the connector was faster
	}
	t.Told = state
	return f.journal.put(line{Transfer: &t})
}

func (f *Facade) nextTransfer(ctx context.Context, pid string) (p *participant, to string, m *Message, state string, err error) {
	free, err := f.turns.take(ctx, pid)
	if err != nil {
		return nil, "", nil, "", err
	}
	defer free()
	t, ok := f.journal.transfer(pid)
	if p = f.participants[t.Participant]; !ok || p == nil || t.over() {
		return p, "", nil, "", nil
	}
	g, gives, gone, err := f.hold(ctx, t.Agreement)
	if err != nil {
		return p, "", nil, "", err
	}
	switch {
	case gone:
		t.State, t.Token, t.Code, t.Cause = Terminated, nil, fault.Expired.String(), cmp.Or(g.GetEndReason(), "the agreement is over")
	case !gives && t.State == Requested:
		return p, "", nil, t.State, nil // the protocol has no way from there but to start or to end
	case !gives && t.State == Started:
		t.State, t.Ours, t.Code, t.Cause = Suspended, true, fault.AgreementSuspended.String(), cmp.Or(g.GetSuspendedCause(), "nothing is given under the agreement now")
	case gives && (t.State == Requested || t.State == Suspended && t.Ours):
		t.State, t.Ours, t.Told = Started, false, ""
	}
	if t.State == t.Told {
		return p, "", nil, t.State, nil
	}
	m, path := f.transferNews(&t, g)
	t.AtMs = time.Now().UnixMilli()
	if err := f.journal.put(line{Transfer: &t}); err != nil {
		return p, "", nil, t.State, err
	}
	return p, t.Callback + "/transfers/" + pathID(t.ConsumerPid) + path, m, t.State, nil
}

// transferNews is the message that tells a transfer's state. A start has a new token,
// of which only the last one that was sent counts.
func (f *Facade) transferNews(t *transfer, g *sharev1.Agreement) (m *Message, path string) {
	switch t.State {
	case Started:
		token := newToken()
		s := newSecret(token)
		t.Token, t.ExpiresMs = s[:], min(time.Now().Add(tokenLife).UnixMilli(), g.GetEndsMs())
		m = message("TransferStartMessage", t.Pid, t.ConsumerPid)
		m.DataAddress = &DataAddress{Type: "DataAddress", EndpointType: httpEndpoint, Endpoint: f.base + "/dsp/data/" + pathID(t.Pid), Properties: []EndpointProperty{
			property("authorization", token), property("authType", "bearer"),
			property("expires", time.UnixMilli(t.ExpiresMs).UTC().Format(time.RFC3339)),
		}}
		return m, "/start"
	case Suspended:
		m, path = message("TransferSuspensionMessage", t.Pid, t.ConsumerPid), "/suspension"
	default:
		m, path = message("TransferTerminationMessage", t.Pid, t.ConsumerPid), "/termination"
	}
	m.Code, m.Reason = t.Code, []any{t.Cause}
	return m, path
}

func newToken() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}
