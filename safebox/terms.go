package safebox

import (
	"fmt"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
)

// Terms returns the commitment to the note of a copy that the ledger keeps with its offer:
// SHA-256 of frame "mulian/box/terms/v1": salt of the copy's card, CopyNote. Whoever opens the
// copy sees whether its note is the one that was signed.
func Terms(card *safeboxv1.ItemCard) ([]byte, error) {
	if card.GetCopy() == nil || len(card.GetSalt()) != 32 {
		return nil, fmt.Errorf("%w: not the card of a copy", ErrForm)
	}
	note, err := canon.Marshal(card.GetCopy())
	if err != nil {
		return nil, err
	}
	return digest("mulian/box/terms/v1", card.Salt, note), nil
}
