package safebox

import (
	"encoding/hex"
	"fmt"
	"slices"

	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// The tables. Their encoding is part of the chain.
var (
	vaults    = state.NewTable[safeboxv1.Vault]("safebox/vault")       // by account
	items     = state.NewTable[safeboxv1.BoxItem]("safebox/item")      // by id
	transfers = state.NewTable[safeboxv1.Transfer]("safebox/transfer") // by id
)

// dueIndex has the end of every open offer, by "<time, ordered>/<transfer>".
var dueIndex = state.NewIndex("safebox/x/due")

const (
	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT

	held   = safeboxv1.ItemState_ITEM_STATE_HELD
	erased = safeboxv1.ItemState_ITEM_STATE_ERASED

	copying  = safeboxv1.TransferKind_TRANSFER_KIND_COPY
	handOver = safeboxv1.TransferKind_TRANSFER_KIND_HAND_OVER

	offered = safeboxv1.TransferState_TRANSFER_STATE_OFFERED
)

// ID returns the id under which a commitment is kept: the hex digits of its first 16
// bytes. To find two with one id takes 2^64 attempts, and gains nothing: the second one
// is refused. It panics for less than 16 bytes.
func ID(commitment []byte) string { return hex.EncodeToString(commitment[:idLength/2]) }

// VaultKey, ItemKey and TransferKey return the keys of the objects as events and proofs
// name them.
func VaultKey(account string) string { return vaults.Name() + "/" + account }

// ItemKey: see [VaultKey].
func ItemKey(id string) string { return items.Name() + "/" + id }

// TransferKey: see [VaultKey].
func TransferKey(id string) string { return transfers.Name() + "/" + id }

// FindVault returns the vault of an account, and whether it has one. The caller owns it.
func FindVault(v state.View, account string) (*safeboxv1.Vault, bool) {
	if account == "" || len(account) > maxAccount {
		return nil, false
	}
	return vaults.Get(v, account)
}

// FindItem returns the item with the id, and whether there is one. The caller owns it.
func FindItem(v state.View, id string) (*safeboxv1.BoxItem, bool) {
	if len(id) != idLength {
		return nil, false
	}
	return items.Get(v, id)
}

// FindTransfer returns the transfer with the id, and whether there is one. The caller owns
// it.
func FindTransfer(v state.View, id string) (*safeboxv1.Transfer, bool) {
	if len(id) != transferID {
		return nil, false
	}
	return transfers.Get(v, id)
}

// target returns the vault of the account to which something is sealed with its keys of
// that version: VaultMissing, VersionConflict.
func target(v state.View, rule, account string, keyVersion uint64) (*safeboxv1.Vault, error) {
	vault, ok := FindVault(v, account)
	switch {
	case !ok:
		return nil, act.Refuse(fault.VaultMissing, rule, "%.100q has no vault to which anything could be sealed", account)
	case vault.KeyVersion != keyVersion:
		return nil, act.Refuse(fault.VersionConflict, rule, "sealed to the keys of version %d of the vault of %s, it has those of version %d", keyVersion, account, vault.KeyVersion)
	}
	return vault, nil
}

// number gives an item the next place in a box, which it changes; BoxFull at the bound.
func number(rule string, vault *safeboxv1.Vault, item *safeboxv1.BoxItem) error {
	if vault.Items >= MaxBoxItems {
		return act.Refuse(fault.BoxFull, rule, "the box of %s has had %d items", vault.Account, vault.Items)
	}
	vault.Items++
	item.Number = vault.Items
	return nil
}

// Check returns the first breach of the invariants that the item shows by itself and with
// its owner's vault and its transfers, or nil.
func Check(v state.View, item *safeboxv1.BoxItem) error {
	vault, ok := vaults.Get(v, item.Owner)
	switch {
	case !ok || item.Number == 0 || item.Number > vault.Items:
		return fmt.Errorf("item %s: number %d in the box of %s", item.Id, item.Number, item.Owner)
	case item.State == erased && len(item.Offers) > 0:
		return fmt.Errorf("item %s: erased, with open transfers", item.Id)
	case item.Single && item.CopyOf != "":
		return fmt.Errorf("item %s: a copy of a single one", item.Id)
	case vault.OwnItems > 0 && len(vault.Unlockers) < twoKinds:
		return fmt.Errorf("vault %s: %d own items behind %d kinds of unlockers", vault.Account, vault.OwnItems, len(vault.Unlockers))
	}
	for _, id := range item.Offers {
		t, ok := transfers.Get(v, id)
		switch {
		case !ok || t.State != offered || t.Item != item.Id || t.From != item.Owner || t.Hands != item.Hands:
			return fmt.Errorf("item %s: transfer %s is not open", item.Id, id)
		case t.Kind == handOver && len(item.Offers) > 1:
			return fmt.Errorf("item %s: a hand-over beside another transfer", item.Id)
		case t.Kind == copying && item.Single:
			return fmt.Errorf("item %s: a copy of a single one is offered", item.Id)
		}
	}
	return nil
}

// CheckTransfer returns the breach of invariant 6 that the transfer shows, or nil.
func CheckTransfer(v state.View, t *safeboxv1.Transfer) error {
	item, ok := items.Get(v, t.Item)
	if !ok || slices.Contains(item.Offers, t.Id) != (t.State == offered) {
		return fmt.Errorf("transfer %s: %s, its item has %v", t.Id, t.State, item.GetOffers())
	}
	return nil
}
