package safebox

import (
	"slices"
	"strings"

	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// OfferTransfer offers a copy of an item, or the item itself, to another box. Signed by the
// owner; OFFICER for a copy, ROOT for a hand-over. The id of the transfer is made.
//
// In this order: Missing, OutOfRange (kind), Forbidden (level), NotFound (item), NotOwner,
// ItemErased; Missing, Malformed (hashes, as the kind needs them); OutOfRange (end);
// RecipientUnknown, RecipientNotEligible (not active, the owner himself, no vault),
// VersionConflict (keys); Forbidden (a copy of a single item), TransferLocked (an open
// hand-over; a hand-over of an item with open offers), DoubleOffer (the same to the same),
// TooLong (open offers), DuplicateName (the copy's commitment is taken).
func OfferTransfer(a *act.Act, m *safeboxv1.OfferTransfer) error {
	const rule = "safebox/offer_transfer"
	if err := checkKind(a, rule, m.GetKind()); err != nil {
		return err
	}
	item, ok := FindItem(a.Tx, m.Item)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "there is no item %.40q", m.Item)
	case item.Owner != a.Signer():
		return act.Refuse(fault.NotOwner, rule, "item %s is not in the box of %s", m.Item, a.Signer())
	case item.State == erased:
		return act.Refuse(fault.ItemErased, rule, "item %s is erased", m.Item)
	}
	if err := checkOffer(a, rule, m); err != nil {
		return err
	}
	vault, err := recipient(a, rule, m.To, m.KeyVersion)
	if err != nil {
		return err
	}
	if err := free(a, rule, item, m); err != nil {
		return err
	}
	t := &safeboxv1.Transfer{
		Id: a.NewID(), Item: item.Id, From: a.Signer(), To: m.To, Kind: m.Kind, State: offered,
		CopyCommitment: m.CopyCommitment, TermsCommitment: m.TermsCommitment, WrapHash: m.WrapHash,
		Hands: item.Hands, VaultVersion: vault.Version, OfferedMs: a.TimeMs, ExpiresMs: m.ExpiresMs,
	}
	if transfers.Has(a.Tx, t.Id) {
		return act.Refuse(fault.AlreadyExists, rule, "transfer %s is there: sign again", t.Id)
	}
	item.Offers = append(item.Offers, t.Id)
	transfers.Put(a.Tx, t.Id, t)
	items.Put(a.Tx, item.Id, item)
	dueIndex.Put(a.Tx, dueKey(t), "")
	a.Emit("safebox/offer_transfer", "", TransferKey(t.Id), ItemKey(item.Id), VaultKey(t.To))
	return nil
}

func checkKind(a *act.Act, rule string, kind safeboxv1.TransferKind) error {
	if kind == 0 {
		return act.Refuse(fault.Missing, rule, "kind is missing")
	}
	if err := act.Listed(rule, "kind", kind); err != nil {
		return err
	}
	return a.Need(levelOf(kind))
}

// levelOf: who gives the thing itself away, or takes it, does so at the highest level.
func levelOf(kind safeboxv1.TransferKind) identityv1.KeyLevel {
	if kind == handOver {
		return root
	}
	return officer
}

func checkOffer(a *act.Act, rule string, m *safeboxv1.OfferTransfer) error {
	isCopy := m.Kind == copying
	if err := act.First(
		act.Hash(rule, "copy_commitment", m.CopyCommitment, isCopy),
		act.Hash(rule, "terms_commitment", m.TermsCommitment, isCopy),
		act.Hash(rule, "wrap_hash", m.WrapHash, true),
	); err != nil {
		return err
	}
	switch {
	case !isCopy && len(m.CopyCommitment) > 0:
		return act.Refuse(fault.Malformed, rule, "copy_commitment: a hand-over makes no copy")
	case m.ExpiresMs <= a.TimeMs || m.ExpiresMs > a.TimeMs+MaxOfferDays*dayMs:
		return act.Refuse(fault.OutOfRange, rule, "expires_ms: within %d days from now", MaxOfferDays)
	}
	return nil
}

// recipient returns the vault of who is to get something.
func recipient(a *act.Act, rule, to string, keyVersion uint64) (*safeboxv1.Vault, error) {
	if err := receiver(a, rule, to, fault.RecipientUnknown, fault.RecipientNotEligible); err != nil {
		return nil, err
	}
	if to == a.Signer() {
		return nil, act.Refuse(fault.RecipientNotEligible, rule, "it is in the box of %s already", to)
	}
	if _, ok := FindVault(a.Tx, to); !ok {
		return nil, act.Refuse(fault.RecipientNotEligible, rule, "%s has no box", to)
	}
	return target(a.Tx, rule, to, keyVersion)
}

// free refuses an offer that does not go with those that are open.
func free(a *act.Act, rule string, item *safeboxv1.BoxItem, m *safeboxv1.OfferTransfer) error {
	if item.Single && m.Kind == copying {
		return act.Refuse(fault.Forbidden, rule, "item %s is a single one: it can be handed over, not copied", item.Id)
	}
	for _, id := range item.Offers {
		open, _ := transfers.Get(a.Tx, id)
		switch {
		case open.GetTo() == m.To && open.GetKind() == m.Kind:
			return act.Refuse(fault.DoubleOffer, rule, "transfer %s offers it to %s already", id, m.To)
		case open.GetKind() == handOver || m.Kind == handOver:
			return act.Refuse(fault.TransferLocked, rule, "item %s is offered: cancel transfer %s first", item.Id, id)
		}
	}
	if len(item.Offers) >= MaxOffers {
		return act.Refuse(fault.TooLong, rule, "item %s is offered %d times", item.Id, len(item.Offers))
	}
	if m.Kind == copying && items.Has(a.Tx, ID(m.CopyCommitment)) {
		return act.Refuse(fault.DuplicateName, rule, "copy_commitment: it is there already, take a new salt")
	}
	return nil
}

// AcceptTransfer takes what was offered. Signed by the receiver; OFFICER for a copy, ROOT
// for a hand-over. From this height on a handed-over item has another owner, and a copy is
// an item of its own; its id is told.
//
// In this order: NotFound (transfer; another's looks the same), Forbidden (level),
// IllegalTransition (not open), Expired, AcceptAfterChange (the item, or the receiver's
// keys, are not what they were), DuplicateName (the copy), BoxFull.
func AcceptTransfer(a *act.Act, m *safeboxv1.AcceptTransfer) error {
	const rule = "safebox/accept_transfer"
	t, err := openTransfer(a, rule, m.GetTransfer(), false)
	if err != nil {
		return err
	}
	item, _ := items.Get(a.Tx, t.Item)
	vault, _ := vaults.Get(a.Tx, t.To)
	switch {
	case a.TimeMs >= t.ExpiresMs:
		return act.Refuse(fault.Expired, rule, "transfer %s has run out", t.Id)
	case item.GetOwner() != t.From || item.GetHands() != t.Hands || item.GetState() != held:
		return act.Refuse(fault.AcceptAfterChange, rule, "item %s is no longer what was offered", t.Item)
	case vault.GetKeyVersion() > t.VaultVersion:
		return act.Refuse(fault.AcceptAfterChange, rule, "the keys of %s have changed since it was sealed to them: ask for another offer", t.To)
	}
	objects := []string{TransferKey(t.Id), ItemKey(item.Id), VaultKey(t.To)}
	if t.Kind == copying {
		made, err := takeCopy(a, rule, t, item, vault)
		if err != nil {
			return err
		}
		t.Made, objects = made, append(objects, ItemKey(made))
	} else if err := takeOver(a, rule, t, item, vault); err != nil {
		return err
	}
	endTransfer(a, t, item, safeboxv1.TransferState_TRANSFER_STATE_ACCEPTED)
	a.Emit("safebox/accept_transfer", "", objects...)
	return nil
}

// takeCopy makes the copy's item in the receiver's box.
func takeCopy(a *act.Act, rule string, t *safeboxv1.Transfer, of *safeboxv1.BoxItem, vault *safeboxv1.Vault) (id string, err error) {
	id = ID(t.CopyCommitment)
	if items.Has(a.Tx, id) {
		return "", act.Refuse(fault.DuplicateName, rule, "the copy %s is there already", id)
	}
	made := &safeboxv1.BoxItem{
		Id: id, Commitment: t.CopyCommitment, Owner: t.To, Depositor: t.From, Origin: safeboxv1.ItemOrigin_ITEM_ORIGIN_COPY,
		State: held, AtMs: a.TimeMs, Height: a.Height, CopyOf: of.Id,
	}
	if err := number(rule, vault, made); err != nil {
		return "", err
	}
	vaults.Put(a.Tx, vault.Account, vault)
	items.Put(a.Tx, id, made)
	a.IDs = append(a.IDs, id)
	return id, nil
}

// takeOver gives the item another owner. What its owner had put in himself is, for the new
// one, something that he was given: the giver may have kept what he could read.
func takeOver(a *act.Act, rule string, t *safeboxv1.Transfer, item *safeboxv1.BoxItem, vault *safeboxv1.Vault) error {
	if err := number(rule, vault, item); err != nil {
		return err
	}
	if item.Origin == safeboxv1.ItemOrigin_ITEM_ORIGIN_SELF {
		disown(a, item.Owner)
		item.Origin, item.Depositor = safeboxv1.ItemOrigin_ITEM_ORIGIN_COPY, t.From
	}
	item.Owner, item.AtMs, item.Height = t.To, a.TimeMs, a.Height
	item.Hands++
	vaults.Put(a.Tx, vault.Account, vault)
	return nil
}

// DeclineTransfer by the receiver, OFFICER: NotFound, Forbidden (level), IllegalTransition.
func DeclineTransfer(a *act.Act, m *safeboxv1.DeclineTransfer) error {
	const rule = "safebox/decline_transfer"
	return drop(a, rule, m.GetTransfer(), false, safeboxv1.TransferState_TRANSFER_STATE_DECLINED)
}

// CancelTransfer by who offered it, OFFICER: NotFound, Forbidden (level), IllegalTransition.
func CancelTransfer(a *act.Act, m *safeboxv1.CancelTransfer) error {
	const rule = "safebox/cancel_transfer"
	return drop(a, rule, m.GetTransfer(), true, safeboxv1.TransferState_TRANSFER_STATE_CANCELLED)
}

func drop(a *act.Act, rule, id string, giver bool, to safeboxv1.TransferState) error {
	t, err := openTransfer(a, rule, id, giver)
	if err != nil {
		return err
	}
	item, _ := items.Get(a.Tx, t.Item)
	endTransfer(a, t, item, to)
	if giver {
		a.Emit("safebox/cancel_transfer", "", TransferKey(t.Id), ItemKey(t.Item))
	} else {
		a.Emit("safebox/decline_transfer", "", TransferKey(t.Id), ItemKey(t.Item))
	}
	return nil
}

// openTransfer finds an open transfer of which the signer is the giver, or the receiver.
// Dropping one takes OFFICER whatever its kind: it gives nothing away.
func openTransfer(a *act.Act, rule, id string, giver bool) (*safeboxv1.Transfer, error) {
	t, ok := FindTransfer(a.Tx, id)
	if !ok || giver && t.From != a.Signer() || !giver && t.To != a.Signer() {
		return nil, act.Refuse(fault.NotFound, rule, "there is no transfer %.40q of %s", id, a.Signer())
	}
	level := officer
	if rule == "safebox/accept_transfer" {
		level = levelOf(t.Kind)
	}
	if err := a.Need(level); err != nil {
		return nil, err
	}
	if t.State != offered {
		return nil, act.Refuse(fault.IllegalTransition, rule, "transfer %s is %s", id, t.State)
	}
	return t, nil
}

// endTransfer writes both objects: the transfer is no longer open, the item no longer
// offered by it.
func endTransfer(a *act.Act, t *safeboxv1.Transfer, item *safeboxv1.BoxItem, to safeboxv1.TransferState) {
	dueIndex.Delete(a.Tx, dueKey(t))
	t.State, t.EndedMs = to, a.TimeMs
	item.Offers = slices.DeleteFunc(item.Offers, func(id string) bool { return id == t.Id })
	transfers.Put(a.Tx, t.Id, t)
	items.Put(a.Tx, item.Id, item)
}

func dueKey(t *safeboxv1.Transfer) string { return state.Ordered(t.ExpiresMs) + "/" + t.Id }

// End ends what has run out with this block, at most [MaxDuePerBlock], the oldest first.
func End(a *act.Act) {
	for key := range a.Due(dueIndex, MaxDuePerBlock) {
		_, id, _ := strings.Cut(key, "/")
		t, ok := transfers.Get(a.Tx, id)
		if !ok {
			panic("rules/safebox: due without its transfer")
		}
		item, _ := items.Get(a.Tx, t.Item)
		endTransfer(a, t, item, safeboxv1.TransferState_TRANSFER_STATE_EXPIRED)
		a.Emit("safebox/expired", "", TransferKey(t.Id), ItemKey(t.Item))
	}
}
