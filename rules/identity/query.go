package identity

import (
	"fmt"

	"mulian/state"

	identityv1 "mulian/gen/mulian/identity/v1"
)

// Lookup returns the account with the id, and whether there is one. The caller may
// change what it gets; only a verb of this package writes it back.
func Lookup(v state.View, id string) (*identityv1.Account, bool) { return accounts.Get(v, id) }

// Shared is Lookup of an account that others read, too: nobody may change it. It is for
// the signer of each transaction.
func Shared(v state.View, id string) (*identityv1.Account, bool) { return accounts.Shared(v, id) }

// Org returns the account of the organisation with the code, and whether there is
// one. An id of another kind is none.
func Org(v state.View, code string) (*identityv1.Account, bool) {
	return ofKind(v, code, identityv1.AccountKind_ACCOUNT_KIND_ORG)
}

// Gateway returns the account of the gateway with the id, and whether there is one.
// An id of another kind is none.
func Gateway(v state.View, id string) (*identityv1.Account, bool) {
	return ofKind(v, id, identityv1.AccountKind_ACCOUNT_KIND_GATEWAY)
}

func ofKind(v state.View, id string, kind identityv1.AccountKind) (*identityv1.Account, bool) {
	acc, ok := accounts.Get(v, id)
	if !ok || acc.Kind != kind {
		return nil, false
	}
	return acc, true
}

// FindKey returns the key with the id that the account has, or had so long ago that
// its record no longer holds it. Whether it signs is for [Signs] to say.
func FindKey(v state.View, acc *identityv1.Account, id string) (*identityv1.Key, bool) {
	for _, k := range acc.GetKeys() {
		if k.Id == id {
			return k, true
		}
	}
	if len(id) != 16 { // of a key id: a longer one could be more than a key of the state takes
		return nil, false
	}
	return retired.Get(v, acc.GetId()+"/"+id)
}

// Suspended reports whether the account may not sign: it is suspended or closed, or
// the organisation for which it acts is.
func Suspended(v state.View, acc *identityv1.Account) bool {
	if acc.GetState() != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return true
	}
	if acc.Org == "" || acc.Org == acc.Id {
		return false
	}
	org, ok := accounts.Get(v, acc.Org)
	return !ok || org.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE
}

// Named returns the code of the organisation with that name, compared by
// [mulian/internal/code.Key], or "".
func Named(v state.View, name string) string {
	holder, _ := names.Get(v, nameKey(name))
	return holder
}

// Check returns the first breach of the invariants 1 to 3 that the account shows,
// or nil.
func Check(acc *identityv1.Account) error {
	if len(acc.Keys) > MaxKeys {
		return fmt.Errorf("account %s: %d keys", acc.Id, len(acc.Keys))
	}
	if _, hi := levels(acc.Kind); hi == rootLevel && !hasLastingRoot(acc, "") {
		return fmt.Errorf("account %s: no ROOT key that is active and never ends", acc.Id)
	}
	for i, k := range acc.Keys {
		_, id, err := identified(k)
		if err != nil || id != k.Id {
			return fmt.Errorf("account %s: key %d is not what its id says: %w", acc.Id, i, err)
		}
		for _, before := range acc.Keys[:i] {
			if before.Id == k.Id {
				return fmt.Errorf("account %s: key %s is there twice", acc.Id, k.Id)
			}
		}
	}
	return nil
}
