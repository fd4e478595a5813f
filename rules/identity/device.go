package identity

import (
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// Observe keeps what a passkey said of itself when it signed: its counter, and whether it
// has copies. A counter that did not rise though it once counted is that of a copy, or the
// original's after a copy has signed: the event clone_suspected, and the key counts as
// MACHINE until a step-up ([act.Act.Level]). The transaction stays valid, for nobody can
// say which of the two has signed it. An authenticator whose counter stays 0 does not count.
//
// A transaction that is refused leaves no trace here, nor does one that has revoked the key.
func Observe(a *act.Act, key string, counter uint32, backedUp bool) {
	acc, k := passkeyOf(a, key)
	if k == nil {
		return
	}
	p := k.Passkey
	cloned := p.Counter > 0 && counter <= p.Counter
	if counter <= p.Counter && backedUp == p.BackedUp && (!cloned || p.CloneSuspected) {
		return
	}
	p.Counter, p.BackedUp = max(p.Counter, counter), backedUp
	if cloned && !p.CloneSuspected {
		p.CloneSuspected = true
		a.Emit("identity/clone_suspected", key, subject(acc.Id))
	}
	put(a.Tx, acc)
}

// SteppedUp keeps that an identity authority has seen the signer: an event that its holder
// finds, and the suspicion against the key that signed ends.
func SteppedUp(a *act.Act, key string, s *identityv1.StepUp) {
	a.Emit("identity/step_up", s.Method.String(), subject(a.Signer()), subject(s.Authority))
	acc, k := passkeyOf(a, key)
	if k == nil || !k.Passkey.CloneSuspected {
		return
	}
	k.Passkey.CloneSuspected = false
	put(a.Tx, acc)
}

// passkeyOf returns the signer's account as it stands now and its key, nil if it is no
// passkey or does not sign any more.
func passkeyOf(a *act.Act, key string) (*identityv1.Account, *identityv1.Key) {
	acc, ok := accounts.Get(a.Tx, a.Signer())
	if !ok {
		return nil, nil
	}
	for _, k := range acc.Keys {
		if k.Id == key && k.Passkey != nil && k.State == identityv1.KeyState_KEY_STATE_ACTIVE {
			return acc, k
		}
	}
	return nil, nil
}
