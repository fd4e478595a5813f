package owner

import (
	"context"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
)

// Survey is a look at a box from outside: nothing of it needs the vault to be open.
type Survey struct {
	Vault      *safeboxv1.Vault
	File       *safeboxv1.VaultFile
	Stored     int      // items that lie at the door
	Bytes      uint64   // of their ciphertext
	Stale      int      // of them, closed to earlier keys
	Unrecorded []string // at the door, not on the ledger: an upload that was cut off, or something offered
	Missing    []string // on the ledger, not at the door: lost there
	Damaged    []string // at the door, and not what an item is made of
	Incoming   []*safeboxv1.Transfer
	Outgoing   []*safeboxv1.Transfer
}

// Survey compares what the door has with what the ledger says.
func (b *Box) Survey(ctx context.Context) (*Survey, error) {
	s := &Survey{}
	var err error
	if s.File, s.Vault, err = b.File(ctx); err != nil {
		return nil, err
	}
	recorded, err := b.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	left := map[string]bool{}
	for _, it := range recorded {
		left[it.GetId()] = true
	}
	list, err := b.Door.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, it := range list {
		head, _, err := b.Door.Head(ctx, it.GetItem())
		if fault.Is(err, fault.NotFound) {
			continue // erased meanwhile
		}
		if unreadable(err) {
			s.Damaged = append(s.Damaged, it.GetItem())
			delete(left, it.GetItem())
			continue
		}
		if err != nil {
			return nil, err
		}
		s.Stored++
		s.Bytes += it.GetBodyBytes()
		if !left[it.GetItem()] {
			s.Unrecorded = append(s.Unrecorded, it.GetItem())
		}
		delete(left, it.GetItem())
		for _, w := range head.GetWraps() {
			if w.GetKeyVersion() != s.Vault.GetKeyVersion() {
				s.Stale++
				break
			}
		}
	}
	for _, it := range recorded {
		if left[it.GetId()] {
			s.Missing = append(s.Missing, it.GetId())
		}
	}
	if s.Incoming, err = b.Transfers(ctx, true); err != nil {
		return nil, err
	}
	s.Outgoing, err = b.Transfers(ctx, false)
	return s, err
}
