package safebox

import (
	"bytes"
	"strconv"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// Deposit puts items into boxes. Signed by an account of an organisation, MACHINE. All or
// nothing. The same commitment by the same account into the same box is no fault, no change
// and no event.
//
// In this order: Forbidden (no organisation, level), Empty, TooLong (the list); then element
// by element Missing, Malformed (commitment), NotFound, Suspended (owner), VaultMissing,
// VersionConflict (keys), DuplicateName (somebody else's, or erased), BoxFull.
func Deposit(a *act.Act, m *safeboxv1.Deposit) error {
	const rule = "safebox/deposit"
	if a.Org() == "" {
		return act.Refuse(fault.Forbidden, rule, "%s acts for no organisation: one's own items are self-deposited", a.Signer())
	}
	if err := act.First(a.Need(machine), act.Count(rule, len(m.GetItems()), MaxItems)); err != nil {
		return err
	}
	for i, n := range m.Items {
		if err := act.In(rule, i, deposit(a, rule, n)); err != nil {
			return err
		}
	}
	return nil
}

func deposit(a *act.Act, rule string, n *safeboxv1.NewItem) error {
	if err := act.Hash(rule, "commitment", n.GetCommitment(), true); err != nil {
		return err
	}
	if err := receiver(a, rule, n.Owner, fault.NotFound, fault.Suspended); err != nil {
		return err
	}
	vault, err := target(a.Tx, rule, n.Owner, n.KeyVersion)
	if err != nil {
		return err
	}
	return keep(a, rule, vault, n, safeboxv1.ItemOrigin_ITEM_ORIGIN_DEPARTMENT)
}

// SelfDeposit puts items into the box of the account that signs, MACHINE. All or nothing;
// the same again changes nothing.
//
// In this order: Forbidden (level), Empty, TooLong (the list), VaultMissing, UnlockersShort;
// then element by element Missing, Malformed (commitment), Malformed (an owner is named),
// VersionConflict (keys), DuplicateName, BoxFull.
func SelfDeposit(a *act.Act, m *safeboxv1.SelfDeposit) error {
	const rule = "safebox/self_deposit"
	if err := act.First(a.Need(machine), act.Count(rule, len(m.GetItems()), MaxItems)); err != nil {
		return err
	}
	vault, ok := vaults.Get(a.Tx, a.Signer())
	switch {
	case !ok:
		return act.Refuse(fault.VaultMissing, rule, "%s has no vault: register one", a.Signer())
	case len(vault.Unlockers) < twoKinds:
		return act.Refuse(fault.UnlockersShort, rule, "the vault of %s can be opened in one way only: add an unlocker of another kind first", a.Signer())
	}
	for i, n := range m.Items {
		if err := act.In(rule, i, selfDeposit(a, rule, n)); err != nil {
			return err
		}
	}
	return nil
}

func selfDeposit(a *act.Act, rule string, n *safeboxv1.NewItem) error {
	if err := act.Hash(rule, "commitment", n.GetCommitment(), true); err != nil {
		return err
	}
	if n.Owner != "" {
		return act.Refuse(fault.Malformed, rule, "owner: the item goes into the signer's own box")
	}
	vault, err := target(a.Tx, rule, a.Signer(), n.KeyVersion)
	if err != nil {
		return err
	}
	return keep(a, rule, vault, n, safeboxv1.ItemOrigin_ITEM_ORIGIN_SELF)
}

// keep writes a new item and the vault that counts it.
func keep(a *act.Act, rule string, vault *safeboxv1.Vault, n *safeboxv1.NewItem, origin safeboxv1.ItemOrigin) error {
	id := ID(n.Commitment)
	if was, ok := items.Get(a.Tx, id); ok {
		if was.Owner == vault.Account && was.Depositor == a.Signer() && was.State == held && bytes.Equal(was.Commitment, n.Commitment) {
			return nil
		}
		return act.Refuse(fault.DuplicateName, rule, "%s is there already: take a new salt", id)
	}
	item := &safeboxv1.BoxItem{
		Id: id, Commitment: n.Commitment, Owner: vault.Account, Depositor: a.Signer(), Origin: origin,
		State: held, Single: n.Single, AtMs: a.TimeMs, Height: a.Height,
	}
	if err := number(rule, vault, item); err != nil {
		return err
	}
	if origin == safeboxv1.ItemOrigin_ITEM_ORIGIN_SELF {
		vault.OwnItems++
	}
	vaults.Put(a.Tx, vault.Account, vault)
	items.Put(a.Tx, id, item)
	a.IDs = append(a.IDs, id)
	note := strconv.FormatUint(item.Number, 10)
	if origin == safeboxv1.ItemOrigin_ITEM_ORIGIN_SELF {
		a.Emit("safebox/self_deposit", note, ItemKey(id), VaultKey(vault.Account))
	} else {
		a.Emit("safebox/deposit", note, ItemKey(id), VaultKey(vault.Account))
	}
	return nil
}

// receiver refuses an account that is not there, or may not sign and so could not accept.
func receiver(a *act.Act, rule, id string, missing, suspended fault.Code) error {
	if id == "" || len(id) > maxAccount {
		return act.Refuse(missing, rule, "there is no account %.100q", id)
	}
	acc, ok := identity.Shared(a.Tx, id)
	switch {
	case !ok:
		return act.Refuse(missing, rule, "there is no account %s", id)
	case identity.Suspended(a.Tx, acc):
		return act.Refuse(suspended, rule, "the account %s is not active", id)
	}
	return nil
}
