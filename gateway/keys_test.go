package gateway

import (
	"testing"

	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// TestASuspendedMachineKeyIsNotChosen: of two keys the one that the members have not
// suspended signs, and with the last one suspended the gateway says why it does not run.
func TestASuspendedMachineKeyIsNotChosen(t *testing.T) {
	ring, account := keyring.Ring{Dir: t.TempDir()}, "91110000MA0000001X/door"
	keys, err := MakeKeys(ring, account, sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	spare, err := ring.New(account, keyring.Machine+"-2", sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	a := &identityv1.Account{Id: account, Gateway: keys.Profile("chain", account, "https://door")}
	for _, k := range []sm.PublicKey{keys.Machine.Public(), spare.Public()} {
		a.Keys = append(a.Keys, &identityv1.Key{Id: k.ID(), State: identityv1.KeyState_KEY_STATE_ACTIVE})
	}
	for _, step := range []struct {
		suspended [2]bool
		key       sm.PublicKey
		want      fault.Code
	}{
		{[2]bool{}, spare.Public(), fault.OK},
		{[2]bool{false, true}, keys.Machine.Public(), fault.OK},
		{[2]bool{true, true}, keys.Machine.Public(), fault.Suspended},
	} {
		a.Keys[0].Suspended, a.Keys[1].Suspended = step.suspended[0], step.suspended[1]
		k := keys
		if err := k.choose(ring, a); fault.CodeOf(err) != step.want || k.Machine.Public().ID() != step.key.ID() {
			t.Errorf("suspended %v: %s, %v; want %s, %v", step.suspended, k.Machine.Public().ID(), err, step.key.ID(), step.want)
		}
	}
}
