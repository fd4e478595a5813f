package recovery

import (
	"fmt"

	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/rules/identity"
	"mulian/state"
)

// Find returns the attempt with the id, and whether there is one. The caller owns what the
// functions of this file return; only this package writes it back.
func Find(v state.View, id string) (*recoveryv1.Recovery, bool) { return recoveries.Get(v, id) }

// FindPolicy returns what the holder of the account has arranged, and whether he has.
func FindPolicy(v state.View, account string) (*recoveryv1.RecoveryPolicy, bool) {
	return policies.Get(v, account)
}

// Running returns the attempt on the account that is Open, Locked or in Review.
func Running(v state.View, account string) (*recoveryv1.Recovery, bool) {
	id, ok := running.Get(v, account)
	if !ok {
		return nil, false
	}
	return recoveries.Get(v, id)
}

// ExecutedAt returns when the account got new keys by a recovery for the last time, 0 =
// never. What the old keys gave before that moment needs a look of the holder: grants pause
// and mandates are suspended.
func ExecutedAt(v state.View, account string) int64 {
	last, _ := executed.Get(v, account)
	return last.GetExecutedMs()
}

// Count returns how often the account was recovered. What is signed for it carries this
// number: as soon as the number is higher, the keys that have signed are gone. It does not
// hang on times, of which two blocks may have the same.
func Count(v state.View, account string) uint64 {
	last, _ := executed.Get(v, account)
	return last.GetCount()
}

// Deceased reports whether the holder of the account is recorded as dead.
func Deceased(v state.View, account string) bool {
	d, ok := deaths.Get(v, account)
	return ok && !d.Withdrawn
}

// Check returns the first breach of the invariants that the attempt shows in that state,
// or nil. For tests and audits: no verb asks it.
func Check(v state.View, r *recoveryv1.Recovery) error {
	runs := r.State == open || r.State == locked || r.State == review
	id, has := running.Get(v, r.Account)
	acc, _ := identity.Lookup(v, r.Account)
	desks := map[string]bool{}
	for _, x := range r.Approvals {
		if desks[x.By+x.Desk] || r.Path == byCounter && (x.Desk == "" || desks[x.Desk]) {
			return fmt.Errorf("recovery %s: %s or its desk has vouched twice", r.Id, x.By)
		}
		desks[x.By+x.Desk], desks[x.Desk] = true, x.Desk != ""
	}
	switch {
	case runs && (!has || id != r.Id):
		return fmt.Errorf("recovery %s runs, and %q is said to", r.Id, id)
	case !runs && has && id == r.Id:
		return fmt.Errorf("recovery %s is over, and is said to run", r.Id)
	case runs == (r.DueMs == 0) || runs == (r.EndedMs != 0):
		return fmt.Errorf("recovery %s: %s, due %d, ended %d", r.Id, r.State, r.DueMs, r.EndedMs)
	case (r.State == locked || r.State == done) && len(r.Approvals) < int(r.Needed):
		return fmt.Errorf("recovery %s: %d approvals of %d", r.Id, len(r.Approvals), r.Needed)
	case r.State == done && r.EndedMs < r.LockedMs+hourMs:
		return fmt.Errorf("recovery %s was executed %d ms after its lock began", r.Id, r.EndedMs-r.LockedMs)
	case r.State == review && acc.GetState() == identityv1.AccountState_ACCOUNT_STATE_ACTIVE:
		return fmt.Errorf("recovery %s is in review, and its account signs", r.Id)
	case runs && Deceased(v, r.Account):
		return fmt.Errorf("recovery %s runs, and its holder has died", r.Id)
	}
	return nil
}
