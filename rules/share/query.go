package share

import (
	"fmt"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/state"
)

// FindRequest returns the request with the id, and whether there is one. The caller
// owns what the functions of this file return; only this package writes it back.
func FindRequest(v state.View, id string) (*sharev1.Request, bool) { return requests.Get(v, id) }

// FindAgreement returns the agreement with the id, and whether there is one.
func FindAgreement(v state.View, id string) (*sharev1.Agreement, bool) { return agreements.Get(v, id) }

// FindDelivery returns the delivery with that number, and whether there is one.
func FindDelivery(v state.View, agreement string, number uint64) (*sharev1.Delivery, bool) {
	return deliveries.Get(v, numbered(agreement, number))
}

// DeliveryKey returns the key of a delivery as events and proofs name it.
func DeliveryKey(agreement string, number uint64) string { return deliveryKey(agreement, number) }

// FindUse returns the use with that number, and whether there is one.
func FindUse(v state.View, agreement string, number uint64) (*sharev1.Use, bool) {
	return uses.Get(v, numbered(agreement, number))
}

// FindAmendment, FindViolation, FindDisposal and FindFeedback return that of an
// agreement with the number, and whether there is one.
func FindAmendment(v state.View, agreement string, number uint64) (*sharev1.Amendment, bool) {
	return amendments.Get(v, numbered(agreement, number))
}

// FindViolation is described at [FindAmendment].
func FindViolation(v state.View, agreement string, number uint64) (*sharev1.Violation, bool) {
	return violations.Get(v, numbered(agreement, number))
}

// FindDisposal is described at [FindAmendment].
func FindDisposal(v state.View, agreement string, number uint64) (*sharev1.Disposal, bool) {
	return disposals.Get(v, numbered(agreement, number))
}

// FindFeedback is described at [FindAmendment].
func FindFeedback(v state.View, agreement string, number uint64) (*sharev1.Feedback, bool) {
	return feedbacks.Get(v, numbered(agreement, number))
}

// FindCorrection returns the correction with the id, and whether there is one.
func FindCorrection(v state.View, id string) (*sharev1.Correction, bool) {
	return corrections.Get(v, id)
}

// FindHolder returns what a correction asks of an agreement, and whether it does.
func FindHolder(v state.View, correction, agreement string) (*sharev1.Holder, bool) {
	return holders.Get(v, holderID(correction, agreement))
}

// FindObjection returns the objection with the id, and whether there is one.
func FindObjection(v state.View, id string) (*sharev1.Objection, bool) { return objections.Get(v, id) }

// FindDispute returns the dispute with the id, and whether there is one.
func FindDispute(v state.View, id string) (*sharev1.Dispute, bool) { return disputes.Get(v, id) }

// FindStanding returns what the ledger keeps of an organisation's clocks, and whether
// it has anything.
func FindStanding(v state.View, org string) (*sharev1.Standing, bool) { return standings.Get(v, org) }

// Check returns the first breach of the invariants 1 to 4 that the agreement shows
// in that state, or nil. It is for tests and audits: no verb asks it.
func Check(v state.View, g *sharev1.Agreement) error {
	r, ok := requests.Get(v, g.Request)
	switch {
	case !ok || r.State != accepted || r.Agreement != g.Id:
		return fmt.Errorf("agreement %s: its request %s does not name it", g.Id, g.Request)
	case g.Provider != r.Provider || g.Consumer != r.Requester || g.Provider == g.Consumer:
		return fmt.Errorf("agreement %s: its parties are not those of its request", g.Id)
	case g.EndsMs <= g.StartsMs:
		return fmt.Errorf("agreement %s ends at %d, before it begins", g.Id, g.EndsMs)
	case g.Amended == 0 && narrower("", g.Terms, r.Terms) != nil:
		return fmt.Errorf("agreement %s gives more than was asked for", g.Id)
	case g.State != offered && !Over(g.State) && g.State != rest(v, g):
		return fmt.Errorf("agreement %s is %s, what holds says %s", g.Id, g.State, rest(v, g))
	case (g.State == offered || Over(g.State)) && (g.SuspendedBy != "" || g.Amendment != 0 || g.Violation != 0):
		return fmt.Errorf("agreement %s is %s, suspended by %q, amendment %d, violation %d", g.Id, g.State, g.SuspendedBy, g.Amendment, g.Violation)
	case Over(g.State) && (g.State == ended) == g.Given:
		return fmt.Errorf("agreement %s is %s, given: %t", g.Id, g.State, g.Given)
	case g.Deliveries > 0 && !g.Given:
		return fmt.Errorf("agreement %s: deliveries began, and nothing was given", g.Id)
	case g.Disposed > g.Deliveries:
		return fmt.Errorf("agreement %s: copies up to delivery %d destroyed, of %d", g.Id, g.Disposed, g.Deliveries)
	case g.State == offered && (g.Deliveries != 0 || g.Uses != 0):
		return fmt.Errorf("agreement %s is used and not confirmed", g.Id)
	case g.Uses > 0 && g.Terms.Method != byQuery && !confirmedIndex.Has(v, g.Id):
		return fmt.Errorf("agreement %s: used before a delivery was confirmed", g.Id)
	case deliveries.Has(v, numbered(g.Id, g.Deliveries+1)) || uses.Has(v, numbered(g.Id, g.Uses+1)):
		return fmt.Errorf("agreement %s counts fewer deliveries or uses than there are", g.Id)
	}
	for n := uint64(1); n <= g.Deliveries; n++ {
		if !deliveries.Has(v, numbered(g.Id, n)) {
			return fmt.Errorf("agreement %s: delivery %d is missing", g.Id, n)
		}
	}
	for _, of := range []struct {
		what  string
		count uint64
		has   func(state.View, string) bool
	}{
		{"amendment", g.Amendments, amendments.Has},
		{"violation", g.Violations, violations.Has},
		{"disposal", g.Disposals, disposals.Has},
		{"feedback", g.Feedbacks, feedbacks.Has},
	} {
		for n := uint64(1); n <= of.count+1; n++ {
			if of.has(v, numbered(g.Id, n)) != (n <= of.count) {
				return fmt.Errorf("agreement %s: %d of kind %s are counted, number %d says otherwise", g.Id, of.count, of.what, n)
			}
		}
	}
	for n := uint64(1); n <= g.Uses; n++ {
		if !uses.Has(v, numbered(g.Id, n)) {
			return fmt.Errorf("agreement %s: use %d is missing", g.Id, n)
		}
	}
	return nil
}
