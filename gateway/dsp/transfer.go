package dsp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
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
// negotiated here. The same consumerPid again is the same transfer. While the agreement
// is suspended it stays REQUESTED.
func (f *Facade) requestTransfer(w http.ResponseWriter, r *http.Request, p *participant) error {
	m, err := Read(r.Body, "TransferRequestMessage")
	if err != nil {
		return err
	}
	if m.Format != Format || m.DataAddress != nil {
		return fault.Newf(fault.FormatMethodMismatch, "the only format is %s, without a dataAddress", Format)
	}
	id, ok := fromURN(agreementURN, m.AgreementID)
	n, known := find[negotiation](f.journal, f.negotiating().kept, p.ID, func(n *negotiation) bool { return n.Final && n.Agreement == id })
	if !ok || !known {
		return fault.Newf(fault.NotFound, "there is no finalized agreement %.200q", m.AgreementID)
	}
	k := f.transferring()
	t, _, err := k.once(r.Context(), f, p, m,
		func(t *transfer) bool { return t.Agreement == id },
		func(t *transfer) error {
			if _, _, gone, err := f.hold(r.Context(), id); err != nil {
				return err
			} else if gone {
				return fault.Newf(fault.AgreementSuspended, "the agreement is over")
			}
			t.Agreement, t.Entry, t.State = id, n.Entry, Requested
			return f.journal.put(t.line())
		})
	if err != nil {
		return err
	}
	f.wake(t.Pid)
	return write(w, http.StatusCreated, k.message(&t.exchange, t.State))
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
func (f *Facade) move(ctx context.Context, _ *participant, t *transfer, m *Message) error {
	rule := moves[m.Type]
	if !slices.Contains(rule.from, t.State) {
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
	return f.journal.put(t.line())
}

// nextTransfer starts what was requested, and follows the agreement.
func (f *Facade) nextTransfer(ctx context.Context, _ *participant, t *transfer) (m *Message, path, state string, err error) {
	g, gives, gone, err := f.hold(ctx, t.Agreement)
	if err != nil {
		return nil, "", "", err
	}
	switch {
	case gone:
		t.State, t.Token, t.Code, t.Cause = Terminated, nil, fault.Expired.String(), cmp.Or(g.GetEndReason(), "the agreement is over")
	case !gives && t.State == Requested:
		return nil, "", t.State, nil // the protocol has no way from there but to start or to end
	case !gives && t.State == Started:
		t.State, t.Ours, t.Code, t.Cause = Suspended, true, fault.AgreementSuspended.String(), cmp.Or(g.GetSuspendedCause(), "nothing is given under the agreement now")
	case gives && (t.State == Requested || t.State == Suspended && t.Ours):
		t.State, t.Ours, t.Told = Started, false, ""
	}
	if t.State == t.Told {
		return nil, "", t.State, nil
	}
	m, path = f.transferNews(t, g)
	t.AtMs = time.Now().UnixMilli()
	return m, path, t.State, f.journal.put(t.line())
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
