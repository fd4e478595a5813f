package grant

import (
	grantv1 "mulian/gen/mulian/grant/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/safebox"
)

// RecordBoxUse accounts for one release of a whole item of the owner's own box, before the
// data user can fetch it (spec/safebox.md, "Safe-box encryption", 4b). Signed by the owner,
// OFFICER: the grant says what and for what, this which of his items that is. Counters, terms,
// the deletion duty and the feed are those of every use.
//
// The ledger sees no content: that the item has no more than items says, its owner's program
// and the receiver's look after. The entry is not asked, either: the item is its owner's
// (PIPL art. 45), whatever the department gives by now.
//
// NotFound; Forbidden (not the owner, level), MinorWithoutGuardian, PrincipalIncapable; OverAsk
// (mode); DuplicateSeq; what [Usable] says; ReceiptGap, OverAsk (items); NotWhitelisted,
// Suspended (data user); NotFound, NotOwner, ItemErased, Forbidden (item); RecipientNotEligible,
// VersionConflict (vault); Missing, Malformed (hash).
func RecordBoxUse(a *act.Act, m *grantv1.RecordBoxUse) error {
	const rule = "grant/record_box_use"
	g, err := findGrant(a, rule, m.GetGrant())
	if err != nil {
		return err
	}
	if err := acting(a, said{rule: rule, owner: g.Owner, entry: g.Entry, asker: g.Grantee, level: officer, gives: true, message: m}); err != nil {
		return err
	}
	switch {
	case g.Mode != deliver:
		return act.Refuse(fault.OverAsk, rule, "grant %s is of mode %s: a whole item is kept by who gets it, that is %s", g.Id, g.Mode, deliver)
	case m.Number >= 1 && m.Number <= g.Sequence:
		return act.Refuse(fault.DuplicateSeq, rule, "use %d of grant %s is recorded", m.Number, g.Id)
	}
	if err := act.First(Usable(g, a.TimeMs), usable(rule, g, m.Number, m.Items)); err != nil {
		return act.In(rule, -1, err)
	}
	if _, err := checkUser(a.Tx, rule, g.Grantee); err != nil {
		return err
	}
	if err := act.First(boxItem(a, rule, m.Item), boxOf(a, rule, g.Grantee, m.KeyVersion), act.Hash(rule, "key_wrap_hash", m.KeyWrapHash, true)); err != nil {
		return err
	}
	items := g.Items
	if len(m.Items) > 0 {
		items = m.Items
	}
	record(a, rule, g, &grantv1.Use{
		Grant: g.Id, Number: g.Sequence + 1, Provider: a.Signer(), Items: items, KeyWrapHash: m.KeyWrapHash, BoxItem: m.Item,
		Outcome: recorded, AtMs: a.TimeMs, Height: a.Height, Owner: g.Owner,
	})
	return nil
}

// boxItem: the signer has the item, and it is one of which others may have a copy.
func boxItem(a *act.Act, rule, id string) error {
	it, ok := safebox.FindItem(a.Tx, id)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "there is no item %.40q", id)
	case it.Owner != a.Signer():
		return act.Refuse(fault.NotOwner, rule, "item %s is not in the box of %s", it.Id, a.Signer())
	case it.State == safeboxv1.ItemState_ITEM_STATE_ERASED:
		return act.Refuse(fault.ItemErased, rule, "item %s is erased", it.Id)
	case it.Single:
		return act.Refuse(fault.Forbidden, rule, "item %s is a single one: it can be handed over, not copied", it.Id)
	}
	return nil
}

// boxOf: the data user has a box, and these are its keys.
func boxOf(a *act.Act, rule, org string, keyVersion uint64) error {
	v, ok := safebox.FindVault(a.Tx, org)
	switch {
	case !ok:
		return act.Refuse(fault.RecipientNotEligible, rule, "%s has no box to whose keys an item could be wrapped", org)
	case v.KeyVersion != keyVersion:
		return act.Refuse(fault.VersionConflict, rule, "wrapped to the keys of version %d of the vault of %s, it has those of version %d", keyVersion, org, v.KeyVersion)
	}
	return nil
}
