package foreign

import (
	"bytes"

	"mulian/client/light/step"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// UpdateForeignHeaders brings 1 to 8 newer headers of a chain, ascending, with at most 200
// signatures in all. Signed by any active account; a MACHINE key is enough. All or
// nothing. A header that is kept already is no fault and no change.
//
// In this order: Forbidden (level), Empty, TooLong (the list), NotFound, ForeignFrozen,
// Expired (the chain); then each header: what needs no signature (TooLong, Malformed,
// WrongChain, VerificationFailed); TooLong (signatures in all); then header by header
// OutOfRange (from the future), and what package step refuses: VersionConflict (not
// newer), VerificationFailed.
func UpdateForeignHeaders(a *act.Act, m *foreignv1.UpdateForeignHeaders) error {
	const rule = "foreign/update_foreign_headers"
	if err := a.Need(identityv1.KeyLevel_KEY_LEVEL_MACHINE); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.GetLightBlocks()), MaxHeaders); err != nil {
		return err
	}
	c, err := followed(a, rule, m.ChainId)
	if err != nil {
		return err
	}
	blocks, err := readAll(rule, c.ChainId, m.LightBlocks)
	if err != nil {
		return err
	}
	for i, b := range blocks {
		if err := act.In(rule, i, follow(a, rule, c, b)); err != nil {
			return err
		}
	}
	return nil
}

// readAll decodes the blocks before a signature is looked at.
func readAll(rule, chainID string, raw [][]byte) (blocks []*step.Block, err error) {
	signatures := 0
	for i, r := range raw {
		b, err := step.Read(chainID, r)
		if err != nil {
			return nil, act.In(rule, i, err)
		}
		signatures += b.Signatures
		blocks = append(blocks, b)
	}
	if signatures > MaxSignatures {
		return nil, act.Refuse(fault.TooLong, rule, "%d signatures, at most %d in one message: send fewer headers, or fewer signatures of each", signatures, MaxSignatures)
	}
	return blocks, nil
}

// follow takes one step of the light client.
func follow(a *act.Act, rule string, c *foreignv1.ForeignChain, b *step.Block) error {
	if kept, ok := findHeader(a.Tx, c.ChainId, b.Height); ok {
		if !bytes.Equal(kept.Hash, b.Hash[:]) {
			return act.Refuse(fault.VersionConflict, rule, "another header of height %d is believed: if this one is signed as well, the chain has forked; freeze it", b.Height)
		}
		return nil
	}
	if early(a, c, b.TimeMs) {
		return act.Refuse(fault.OutOfRange, rule, "header %d is %d ms ahead of this chain's clock", b.Height, b.TimeMs-a.TimeMs)
	}
	if _, err := trusted(c).Follow(b, step.Level(c.TrustLevel)); err != nil {
		return err
	}
	believe(a, c, b, a.Signer())
	chains.Put(a.Tx, c.ChainId, c)
	a.Emit("foreign/update", "", ChainKey(c.ChainId), HeaderKey(c.ChainId, b.Height))
	return nil
}

// FreezeForeignChain shows two different headers of one height and freezes the chain at
// once. Each is signed by more than 2/3 of its own validators. The first is the one that
// is kept of that height, or vouched for by the validators that are trusted now; the
// second is vouched for by those of the first. Signed by any active account.
//
// In this order: Forbidden (level), NotFound, ForeignFrozen; what the two blocks do not
// hold without their signatures (TooLong, Malformed, WrongChain, VerificationFailed), then
// CodeInconsistent (they are not two headers of one height), OutOfRange (below the root),
// VerificationFailed.
func FreezeForeignChain(a *act.Act, m *foreignv1.FreezeForeignChain) error {
	const rule = "foreign/freeze_foreign_chain"
	if err := a.Need(identityv1.KeyLevel_KEY_LEVEL_MACHINE); err != nil {
		return err
	}
	c, ok := FindChain(a.Tx, m.ChainId)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "the chain %.60q is not followed here", m.ChainId)
	case c.State == frozen:
		return act.Refuse(fault.ForeignFrozen, rule, "%s is frozen already", c.ChainId)
	}
	blocks, err := readAll(rule, c.ChainId, [][]byte{m.First, m.Second})
	if err != nil {
		return err
	}
	first, second := blocks[0], blocks[1]
	switch {
	case first.Height != second.Height || first.Hash == second.Hash:
		return act.Refuse(fault.CodeInconsistent, rule, "heights %d and %d: two different headers of one height are needed", first.Height, second.Height)
	case first.Height < c.RootHeight:
		return act.Refuse(fault.OutOfRange, rule, "height %d is before the root at %d", first.Height, c.RootHeight)
	}
	if err := equivocal(a, c, first, second); err != nil {
		return err
	}
	c.State = frozen
	c.Equivocation = &foreignv1.Equivocation{Height: first.Height, FirstHash: first.Hash[:], SecondHash: second.Hash[:], By: a.Signer(), AtMs: a.TimeMs}
	chains.Put(a.Tx, c.ChainId, c)
	a.Emit("foreign/freeze", "", ChainKey(c.ChainId))
	return nil
}

// equivocal holds both blocks against what is trusted.
func equivocal(a *act.Act, c *foreignv1.ForeignChain, first, second *step.Block) error {
	for _, b := range []*step.Block{first, second} {
		if err := b.Sign(); err != nil {
			return err
		}
	}
	level := step.Level(c.TrustLevel)
	kept, ok := findHeader(a.Tx, c.ChainId, first.Height)
	if !ok || !bytes.Equal(kept.Hash, first.Hash[:]) {
		if err := first.Vouched(trusted(c).Validators, level); err != nil {
			return err
		}
	}
	return second.Vouched(first.Validators, level)
}
