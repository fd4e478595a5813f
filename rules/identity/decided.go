package identity

import (
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/state"
)

// ByVote stands as the one who suspended an account when the consortium has voted it.
// Nobody but a vote ends such a suspension.
const ByVote = "consortium"

// SuspendByVote stops the account from signing, or one key of it. Package governance has
// checked that it is active. A key that is suspended counts as active for invariant 1:
// it comes back, or the organisation replaces it with another.
func SuspendByVote(tx *state.Tx, account, key, cause string) {
	acc, ok := accounts.Get(tx, account)
	switch {
	case !ok:
		panic("rules/identity: a vote suspends " + account + ", which is not there")
	case key == "":
		acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_SUSPENDED, cause, ByVote
	default:
		mark(acc, key, true)
	}
	put(tx, acc)
}

// ResumeByVote undoes [SuspendByVote]. A key that was revoked meanwhile stays so.
func ResumeByVote(tx *state.Tx, account, key string) {
	acc, ok := accounts.Get(tx, account)
	switch {
	case !ok:
		panic("rules/identity: a vote resumes " + account + ", which is not there")
	case key == "":
		acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_ACTIVE, "", ""
	default:
		mark(acc, key, false)
	}
	put(tx, acc)
}

func mark(acc *identityv1.Account, key string, suspended bool) {
	for _, k := range acc.Keys {
		if k.Id == key {
			k.Suspended = suspended
		}
	}
}
