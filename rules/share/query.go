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
	case narrower("", g.Terms, r.Terms) != nil:
		return fmt.Errorf("agreement %s gives more than was asked for", g.Id)
	case (g.State == suspended) != (g.SuspendedBy != ""):
		return fmt.Errorf("agreement %s is %s, suspended by %q", g.Id, g.State, g.SuspendedBy)
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
	for n := uint64(1); n <= g.Uses; n++ {
		if !uses.Has(v, numbered(g.Id, n)) {
			return fmt.Errorf("agreement %s: use %d is missing", g.Id, n)
		}
	}
	return nil
}
