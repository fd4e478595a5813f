package identity

import (
	"mulian/internal/fault"
	"mulian/state"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// ByRecovery stands as the one who holds an account still while a person looks at its
// recovery, or because its holder has died. Only package recovery ends it.
const ByRecovery = "recovery"

// CheckRecoveryKey refuses a key that cannot become an account's only one: see the checks
// of AddKey; then OutOfRange unless it is ROOT and has no end.
func CheckRecoveryKey(rule string, acc *identityv1.Account, k *identityv1.Key, timeMs int64) error {
	if err := checkNewKey(rule, 0, k, acc.Kind, timeMs); err != nil {
		return err
	}
	if k.Level != rootLevel || k.EndsMs != 0 {
		return act.Refuse(fault.OutOfRange, rule, "the new key has to be ROOT and without an end")
	}
	return nil
}

// MarkLost says since when a key counts as lost, 0 = it does not. Such a key signs nothing
// but a veto. It counts as active for invariant 1: what helps is a recovery.
func MarkLost(tx *state.Tx, account, key string, atMs int64) {
	acc, ok := accounts.Get(tx, account)
	if !ok {
		panic("rules/identity: a key of " + account + " is lost, which is not there")
	}
	for _, k := range acc.Keys {
		if k.Id == key {
			k.LostMs = atMs
		}
	}
	put(tx, acc)
}

// Hold keeps the account from signing until [LetGo]. An account that somebody else has
// suspended stays his.
func Hold(tx *state.Tx, account, cause string) {
	acc, ok := accounts.Get(tx, account)
	if !ok {
		panic("rules/identity: " + account + " is held, which is not there")
	}
	if acc.State == identityv1.AccountState_ACCOUNT_STATE_SUSPENDED || acc.State == identityv1.AccountState_ACCOUNT_STATE_CLOSED {
		return
	}
	acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_SUSPENDED, cause, ByRecovery
	put(tx, acc)
}

// LetGo undoes [Hold], if it still holds.
func LetGo(tx *state.Tx, account string) {
	if acc, ok := accounts.Get(tx, account); ok && letGo(acc) {
		put(tx, acc)
	}
}

func letGo(acc *identityv1.Account) bool {
	if acc.State != identityv1.AccountState_ACCOUNT_STATE_SUSPENDED || acc.SuspendedBy != ByRecovery {
		return false
	}
	acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_ACTIVE, "", ""
	return true
}

// ReplaceKeys revokes every key of the account and makes k its only one; the account
// signs again if recovery held it, or its holder had frozen it. It does nothing and returns false if the account
// has or had k meanwhile.
func ReplaceKeys(tx *state.Tx, account string, k *identityv1.Key, timeMs int64) bool {
	acc, ok := accounts.Get(tx, account)
	if !ok || known(tx, acc, k.Id) {
		return false
	}
	for _, old := range acc.Keys {
		if old.State == identityv1.KeyState_KEY_STATE_ACTIVE {
			revoke(old, timeMs)
		}
	}
	acc.Keys = append(acc.Keys, activated(k, timeMs))
	if acc.State == identityv1.AccountState_ACCOUNT_STATE_FROZEN {
		acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_ACTIVE, "", ""
	}
	letGo(acc)
	put(tx, acc)
	return true
}
