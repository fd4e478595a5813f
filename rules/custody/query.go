package custody

import (
	"fmt"

	custodyv1 "mulian/gen/mulian/custody/v1"
	"mulian/rules/identity"
	"mulian/state"
)

// Find returns the arrangement of an account, and whether there is one. The caller owns what
// the functions of this file return; only this package writes it back.
func Find(v state.View, account string) (*custodyv1.Custody, bool) { return custodies.Get(v, account) }

// Opening reports whether an account is being opened at a counter: nobody else may take its id.
func Opening(v state.View, account string) bool {
	if len(account) > maxAccount {
		return false
	}
	c, ok := custodies.Get(v, account)
	return ok && (c.State == opening || c.State == vouched)
}

// FindUse returns the use with that number, and whether there is one.
func FindUse(v state.View, account string, number uint64) (*custodyv1.CustodyUse, bool) {
	return uses.Get(v, numbered(account, number))
}

// FindUnwrap returns the unwrap with that number, and whether there is one.
func FindUnwrap(v state.View, account string, number uint64) (*custodyv1.Unwrap, bool) {
	return unwraps.Get(v, numbered(account, number))
}

// Check returns the first breach of the invariants that the arrangement shows in that state, or
// nil. For tests and audits: no verb asks it.
func Check(v state.View, c *custodyv1.Custody) error {
	acc, there := identity.Lookup(v, c.Account)
	if there != (c.State == active) {
		return fmt.Errorf("custody of %s is %s, and its account is there: %t", c.Account, c.State, there)
	}
	if k, ok := identity.FindKey(v, acc, c.Key); there && (!ok || k.Custodian != c.Custodian) {
		return fmt.Errorf("custody of %s: its key is not with %s", c.Account, c.Custodian)
	}
	if err := apart(c.Officers, c.State == vouched || c.State == active); err != nil {
		return fmt.Errorf("custody of %s: %w", c.Account, err)
	}
	waiting := uint32(0)
	for n := uint64(1); n <= c.Uses+1; n++ {
		u, ok := uses.Get(v, numbered(c.Account, n))
		if ok != (n <= c.Uses) {
			return fmt.Errorf("custody of %s counts %d uses, number %d says otherwise", c.Account, c.Uses, n)
		}
		if !ok {
			continue
		}
		runs := u.State == open || u.State == confirmed
		if runs {
			waiting++
		}
		if err := checkUse(v, u, runs); err != nil {
			return fmt.Errorf("use %d of %s: %w", n, c.Account, err)
		}
	}
	if waiting != c.Waiting {
		return fmt.Errorf("custody of %s: %d uses wait, counted are %d", c.Account, waiting, c.Waiting)
	}
	return nil
}

func checkUse(v state.View, u *custodyv1.CustodyUse, runs bool) error {
	at, ok := byTx.Get(v, hexOf(u.TxId))
	proof, counted := evidence.Get(v, hexOf(u.Presence.GetEvidence()))
	want := numbered(u.Account, u.Number)
	switch {
	case !ok || at != want || !counted || proof != want:
		return fmt.Errorf("its transaction is of %q, its evidence of %q", at, proof)
	case runs != (len(u.Body) > 0) || runs != (u.EndedMs == 0):
		return fmt.Errorf("it is %s, has a body of %d bytes and ended at %d", word(u.State), len(u.Body), u.EndedMs)
	case u.State == executed && u.EndedMs < u.EffectiveMs:
		return fmt.Errorf("it was carried out at %d, before %d", u.EndedMs, u.EffectiveMs)
	case u.State == executed && u.EffectiveMs < u.Officers[len(u.Officers)-1].AtMs+window(u.Kind):
		return fmt.Errorf("it was carried out without its window")
	}
	return apart(u.Officers, u.State == confirmed || u.State == executed)
}

// apart holds that officers are of different desks, two if both had to come.
func apart(list []*custodyv1.CustodyOfficer, both bool) error {
	desks := map[string]bool{}
	for _, o := range list {
		if o.Desk == "" || desks[o.Desk] || desks[o.By] {
			return fmt.Errorf("%s of desk %q has signed twice, or has no desk", o.By, o.Desk)
		}
		desks[o.Desk], desks[o.By] = true, true
	}
	if both && len(list) != 2 {
		return fmt.Errorf("%d officers", len(list))
	}
	return nil
}
