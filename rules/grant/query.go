package grant

import (
	"fmt"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/itemset"
	"mulian/state"
)

// FindUseOf returns the registered use with the id, and whether there is one. The caller
// owns what the functions of this file return; only this package writes it back.
func FindUseOf(v state.View, id string) (*grantv1.IntendedUse, bool) { return registered.Get(v, id) }

// FindRequest returns the data request with the id, and whether there is one.
func FindRequest(v state.View, id string) (*grantv1.DataRequest, bool) { return requests.Get(v, id) }

// FindGrant returns the grant with the id, and whether there is one.
func FindGrant(v state.View, id string) (*grantv1.Grant, bool) { return grants.Get(v, id) }

// FindUse returns the use with that number of the grant, and whether there is one.
func FindUse(v state.View, grant string, number uint64) (*grantv1.Use, bool) {
	return uses.Get(v, numbered(grant, number))
}

// FindDuty returns the deletion duty of that use, and whether there is one.
func FindDuty(v state.View, grant string, number uint64) (*grantv1.DeletionDuty, bool) {
	return duties.Get(v, numbered(grant, number))
}

// FindFeed returns an owner's feed, and whether he was ever told anything.
func FindFeed(v state.View, owner string) (*grantv1.NotificationFeed, bool) {
	return feeds.Get(v, owner)
}

// FindStanding returns what the ledger keeps of a data user, and whether it has anything.
func FindStanding(v state.View, org string) (*grantv1.GranteeStanding, bool) {
	return standings.Get(v, org)
}

// Check returns the first breach of the invariants 1, 2, 4 and 6 that the grant shows in
// that state, or nil. It is for tests and audits: no verb asks it.
func Check(v state.View, g *grantv1.Grant) error {
	r, ok := requests.Get(v, g.Request)
	u, there := registered.Get(v, g.Use)
	switch {
	case !ok || !there || r.State != granted || r.Grant != g.Id || r.Owner != g.Owner || r.Use != u.Id:
		return fmt.Errorf("grant %s: its request %s does not name it", g.Id, g.Request)
	case !itemset.Within(g.Items, r.Items) || !itemset.Within(r.Items, u.Items):
		return fmt.Errorf("grant %s gives %x, asked were %x, registered %x", g.Id, g.Items, r.Items, u.Items)
	case g.NotAfterMs > r.ToMs || r.MaxUses != 0 && (g.MaxUses == 0 || g.MaxUses > r.MaxUses):
		return fmt.Errorf("grant %s: more days or uses than were asked", g.Id)
	case u.Entry != "" && len(g.ItemCodes) != itemset.Count(g.Items):
		return fmt.Errorf("grant %s has %d codes for %d items", g.Id, len(g.ItemCodes), itemset.Count(g.Items))
	case g.MaxUses != 0 && g.Uses > g.MaxUses || uint64(g.Uses)+uint64(g.Failures) != g.Sequence && g.Failures < MaxFailures:
		return fmt.Errorf("grant %s: %d uses of %d, %d failures, sequence %d", g.Id, g.Uses, g.MaxUses, g.Failures, g.Sequence)
	case g.Sensitive && g.Basis != byDuty && g.ConsentKind != separate && g.ConsentKind != written:
		return fmt.Errorf("grant %s of sensitive items under consent %s", g.Id, g.ConsentKind)
	case (g.Basis == byDuty) != (g.ConsentKind == 0):
		return fmt.Errorf("grant %s of basis %s under consent %s", g.Id, g.Basis, g.ConsentKind)
	}
	return checkNumbers(v, g)
}

// checkNumbers looks at each use and duty of a grant.
func checkNumbers(v state.View, g *grantv1.Grant) error {
	owed := uint64(0)
	for n := uint64(1); n <= g.Sequence+1; n++ {
		u, ok := uses.Get(v, numbered(g.Id, n))
		if ok != (n <= g.Sequence) {
			return fmt.Errorf("grant %s counts %d uses, number %d says otherwise", g.Id, g.Sequence, n)
		}
		d, owes := duties.Get(v, numbered(g.Id, n))
		if owes != (ok && g.Mode == deliver && u.Outcome != empty && u.Outcome != failed) {
			return fmt.Errorf("grant %s: use %d is %s, a deletion is owed: %t", g.Id, n, u.GetOutcome(), owes)
		}
		if owes && open(d.State) {
			owed++
		}
	}
	if owed != g.DutiesOpen {
		return fmt.Errorf("grant %s counts %d open duties, there are %d", g.Id, g.DutiesOpen, owed)
	}
	return nil
}
