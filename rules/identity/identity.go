package identity

import (
	"encoding/hex"
	"slices"

	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// accounts holds every account by its id. retired holds revoked keys for which the
// account has no room any more, by "<account>/<key id>".
var (
	accounts = state.NewTable[identityv1.Account]("identity/account")
	retired  = state.NewTable[identityv1.Key]("identity/retired_key")
)

// names finds organisations by the hash of their name, origins gateways by the
// origin of their log.
var (
	names   = state.NewIndex("identity/name")
	origins = state.NewIndex("identity/origin")
	// opened holds under "minute" the minute of the last opened account and how many
	// there were in it: "<minute, ordered>/<count>".
	opened = state.NewIndex("identity/opened")
)

// subject is the state key of an account, as events name it.
func subject(id string) string { return "identity/account/" + id }

// put writes a changed account: it sets the version and moves revoked keys out if
// there are more than the record holds.
func put(tx *state.Tx, acc *identityv1.Account) {
	acc.Version++
	for len(acc.Keys) > MaxKeys {
		i := oldestRevoked(acc.Keys)
		retired.Put(tx, acc.Id+"/"+acc.Keys[i].Id, acc.Keys[i])
		acc.Keys = slices.Delete(acc.Keys, i, i+1)
	}
	accounts.Put(tx, acc.Id, acc)
}

// oldestRevoked returns the place of the key that was revoked first. There is one:
// no verb lets more than MaxKeys be active.
func oldestRevoked(keys []*identityv1.Key) int {
	oldest := -1
	for i, k := range keys {
		if k.State == identityv1.KeyState_KEY_STATE_REVOKED && (oldest < 0 || k.RevokedMs < keys[oldest].RevokedMs) {
			oldest = i
		}
	}
	if oldest < 0 {
		panic("rules/identity: an account with too many active keys")
	}
	return oldest
}

// nameKey returns the key of an organisation's name in names: a hash, for a name
// may be longer than a key of the state.
func nameKey(name string) string {
	key, _ := code.Key(name) // checkProfile has seen that it has one
	sum := sm.SHA256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// takeName gives the name to the organisation, or refuses with DuplicateName.
// freed is the name that the organisation had, or "".
func takeName(tx *state.Tx, rule, org, name, freed string) error {
	key := nameKey(name)
	if holder, taken := names.Get(tx, key); taken && holder != org {
		return act.Refuse(fault.DuplicateName, rule, "%s is the name of %s", name, holder)
	}
	if freed != "" {
		names.Delete(tx, nameKey(freed))
	}
	names.Put(tx, key, org)
	return nil
}
