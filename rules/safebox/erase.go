package safebox

import (
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// EraseItems records that items are destroyed. Signed by their owner (basis OWNER), or by an
// account of the organisation that deposited them (another basis), OFFICER. All or nothing.
// An item that is erased already is no fault, no change and no event.
//
// In this order: Forbidden (level), Empty, TooLong (the list), Missing, OutOfRange (basis);
// then element by element NotFound, NotOwner (neither owner nor depositor), Forbidden (the
// basis is the other's), TransferLocked (a transfer is open).
func EraseItems(a *act.Act, m *safeboxv1.EraseItems) error {
	const rule = "safebox/erase_items"
	if err := act.First(a.Need(officer), act.Count(rule, len(m.GetItems()), MaxItems)); err != nil {
		return err
	}
	if m.Basis == 0 {
		return act.Refuse(fault.Missing, rule, "basis is missing")
	}
	if err := act.Listed(rule, "basis", m.Basis); err != nil {
		return err
	}
	for i, id := range m.Items {
		if err := act.In(rule, i, erase(a, rule, id, m.Basis)); err != nil {
			return err
		}
	}
	return nil
}

func erase(a *act.Act, rule, id string, basis safeboxv1.ErasureBasis) error {
	item, ok := FindItem(a.Tx, id)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no item %.40q", id)
	}
	owner, depositor := a.Signer() == item.Owner, deposited(a, item)
	wish := basis == safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER
	switch {
	case !owner && !depositor:
		return act.Refuse(fault.NotOwner, rule, "item %s is not in the box of %s, and was not deposited by it", id, a.Signer())
	case wish && !owner, !wish && !depositor:
		return act.Refuse(fault.Forbidden, rule, "item %s: basis %s is not for %s to state", id, basis, a.Signer())
	case item.State == erased:
		return nil
	case len(item.Offers) > 0:
		return act.Refuse(fault.TransferLocked, rule, "item %s is offered: cancel transfer %s first", id, item.Offers[0])
	}
	item.State, item.ErasedMs, item.Basis, item.ErasedBy = erased, a.TimeMs, basis, a.Signer()
	items.Put(a.Tx, id, item)
	if item.Origin == safeboxv1.ItemOrigin_ITEM_ORIGIN_SELF {
		disown(a, item.Owner)
	}
	a.Emit("safebox/erase", "", ItemKey(id), VaultKey(item.Owner))
	return nil
}

// deposited reports whether the signer acts for the organisation that put the item where it
// was first. A hand-over does not end that duty; a copy that an owner gave has no such
// organisation.
func deposited(a *act.Act, item *safeboxv1.BoxItem) bool {
	if item.Origin != safeboxv1.ItemOrigin_ITEM_ORIGIN_DEPARTMENT || a.Org() == "" {
		return false
	}
	acc, ok := identity.Shared(a.Tx, item.Depositor)
	return ok && acc.Org == a.Org()
}

// disown counts one item less that only its owner could get again.
func disown(a *act.Act, owner string) {
	vault, ok := vaults.Get(a.Tx, owner)
	if !ok || vault.OwnItems == 0 {
		panic("rules/safebox: an own item that its vault does not count")
	}
	vault.OwnItems--
	vaults.Put(a.Tx, owner, vault)
}
