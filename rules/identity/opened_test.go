package identity_test

import (
	"fmt"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

// TestStrangersCannotFillTheLedger: whoever has no account yet may open one, but all
// of them together only so many in a minute.
func TestStrangersCannotFillTheLedger(t *testing.T) {
	w := rulestest.New(t)
	for n := range identity.MaxOpened {
		w.Person(n)
	}
	id := fmt.Sprintf("p-%032x", identity.MaxOpened)
	root := identityv1.KeyLevel_KEY_LEVEL_ROOT
	m := &identityv1.OpenAccount{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id,
		Keys: []*identityv1.Key{rulestest.PublicKey(w.Key(id, root).Public(), root)},
	}
	w.Want(fault.Busy, id, m)
	w.Wait(60_000)
	w.Must(id, m)
}
