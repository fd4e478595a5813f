package identity

import (
	"mulian/internal/fault"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// AddKey adds a key to the signer's account, or to one of its organisation; ROOT.
//
// It returns, in this order: NotFound; Forbidden; what is wrong with the key;
// AlreadyExists if the account has or had it; TooLong if there are MaxKeys active.
func AddKey(a *act.Act, m *identityv1.AddKey) error {
	const rule = "identity/add_key"
	acc, err := ownAccount(a, rule, m.Account)
	if err != nil {
		return err
	}
	if err := checkNewKey(rule, 0, m.Key, acc.Kind, a.TimeMs); err != nil {
		return err
	}
	if known(a.Tx, acc, m.Key.Id) {
		return act.Refuse(fault.AlreadyExists, rule, "%s has or had the key %s", acc.Id, m.Key.Id)
	}
	if n := active(acc); n >= MaxKeys {
		return act.Refuse(fault.TooLong, rule, "%s has %d active keys, at most %d: revoke one first", acc.Id, n, MaxKeys)
	}
	acc.Keys = append(acc.Keys, activated(m.Key, a.TimeMs))
	put(a.Tx, acc)
	a.Emit(rule, m.Key.Id, subject(acc.Id))
	return nil
}

// RotateKey revokes a key and makes another active in its place, in one step. The
// signer is as for [AddKey], and may sign with the key that goes.
//
// It returns, in this order: NotFound for account or old key; Forbidden; what is
// wrong with the new key; OutOfRange if it has another level; AlreadyExists if the
// account has or had it; IllegalTransition if the old key is revoked, or if no
// ROOT key without an end would remain.
func RotateKey(a *act.Act, m *identityv1.RotateKey) error {
	const rule = "identity/rotate_key"
	acc, err := ownAccount(a, rule, m.Account)
	if err != nil {
		return err
	}
	old, ok := FindKey(a.Tx, acc, m.OldKey)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "%s has no key %.40q", acc.Id, m.OldKey)
	}
	if err := checkNewKey(rule, 0, m.NewKey, acc.Kind, a.TimeMs); err != nil {
		return err
	}
	switch {
	case m.NewKey.Level != old.Level:
		return act.Refuse(fault.OutOfRange, rule, "the new key has level %s, the old one %s", m.NewKey.Level, old.Level)
	case known(a.Tx, acc, m.NewKey.Id):
		return act.Refuse(fault.AlreadyExists, rule, "%s has or had the key %s", acc.Id, m.NewKey.Id)
	case old.State != identityv1.KeyState_KEY_STATE_ACTIVE:
		return act.Refuse(fault.IllegalTransition, rule, "key %s is revoked already", old.Id)
	case old.Level == rootLevel && m.NewKey.EndsMs != 0 && !hasLastingRoot(acc, old.Id):
		return act.Refuse(fault.IllegalTransition, rule, "the new key ends, and no other ROOT key of %s lasts", acc.Id)
	}
	revoke(old, a.TimeMs)
	acc.Keys = append(acc.Keys, activated(m.NewKey, a.TimeMs))
	put(a.Tx, acc)
	a.Emit(rule, old.Id+" "+m.NewKey.Id, subject(acc.Id))
	return nil
}

// RevokeKey ends a key for good. The signer is as for [AddKey].
//
// It returns, in this order: NotFound for account or key; Forbidden; what is
// wrong with the cause; IllegalTransition if it is revoked, or if no ROOT key
// without an end would remain.
func RevokeKey(a *act.Act, m *identityv1.RevokeKey) error {
	const rule = "identity/revoke_key"
	acc, err := ownAccount(a, rule, m.Account)
	if err != nil {
		return err
	}
	k, ok := FindKey(a.Tx, acc, m.Key)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "%s has no key %.40q", acc.Id, m.Key)
	}
	if err := act.Text(rule, "cause", m.Cause, MaxCause, false); err != nil {
		return err
	}
	switch {
	case k.State != identityv1.KeyState_KEY_STATE_ACTIVE:
		return act.Refuse(fault.IllegalTransition, rule, "key %s is revoked already", k.Id)
	case k.Level == rootLevel && !hasLastingRoot(acc, k.Id):
		return act.Refuse(fault.IllegalTransition, rule, "key %s is the last ROOT key of %s that never ends: rotate it", k.Id, acc.Id)
	}
	revoke(k, a.TimeMs)
	put(a.Tx, acc)
	a.Emit(rule, k.Id, subject(acc.Id))
	return nil
}

func revoke(k *identityv1.Key, timeMs int64) {
	k.State = identityv1.KeyState_KEY_STATE_REVOKED
	k.RevokedMs = timeMs
}

// ownAccount returns the account with the id if the signer may change its keys: it
// is his own, or that of a department, post or gateway of the organisation that
// signs. It returns NotFound, then Forbidden.
func ownAccount(a *act.Act, rule, id string) (*identityv1.Account, error) {
	acc, ok := accounts.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no account %.100q", id)
	}
	if a.Signer() != acc.Id && a.Signer() != acc.Org {
		return nil, act.Refuse(fault.Forbidden, rule, "the keys of %s are not those of %s", acc.Id, a.Signer())
	}
	return acc, a.Need(rootLevel)
}
