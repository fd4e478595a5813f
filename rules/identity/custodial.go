package identity

import (
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// PersonID reports whether the id is one that a person's account may have.
func PersonID(id string) bool { return isRandomID(id, "p-") }

// CheckCustodial refuses a key that cannot be the only one of a person's new account and in a
// custodian's hardware: see OpenAccount; then OutOfRange unless it is P-256 or SM2, which is
// what such hardware has.
func CheckCustodial(v state.View, rule, account string, k *identityv1.Key, timeMs int64) (sm.PublicKey, error) {
	if k == nil {
		return sm.PublicKey{}, act.Refuse(fault.Missing, rule, "key is missing")
	}
	if _, err := Opening(v, custodial(account, k), timeMs); err != nil {
		return sm.PublicKey{}, err
	}
	if k.Algorithm != identityv1.KeyAlgorithm_KEY_ALGORITHM_P256 && k.Algorithm != identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2 {
		return sm.PublicKey{}, act.Refuse(fault.OutOfRange, rule, "a key in custody is P-256 or SM2, not %s", k.Algorithm)
	}
	return ParseKey(k)
}

func custodial(account string, k *identityv1.Key) *identityv1.OpenAccount {
	return &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: account, Keys: []*identityv1.Key{k}}
}

// OpenCustodial opens the account of a person without a device; [CheckCustodial] has seen the
// key. Busy if [MaxOpened] accounts were opened in this minute.
func OpenCustodial(a *act.Act, rule, account string, k *identityv1.Key, custodian string) error {
	acc, err := Opening(a.Tx, custodial(account, k), a.TimeMs)
	if err != nil {
		return err
	}
	if err := countOpened(a, rule); err != nil {
		return err
	}
	acc.Keys[0].Custodian = custodian
	put(a.Tx, acc)
	a.Emit("identity/open_account", "", subject(acc.Id))
	return nil
}
