package fiscal

import (
	"encoding/binary"
	"fmt"
)

// Bounds of sums; part of the chain.
const (
	// MaxFen is the largest amount of a receipt: a thousand million yuan, far above any
	// receipt of a person, and small enough for every scale. Our own choice.
	MaxFen = 100_000_000_000
	// MaxParts is how many reimbursements and flushes a receipt can have together: the
	// noise of all of them stays below one fen.
	MaxParts = 16
	// MinScaled and MaxScaled bound every scaled amount: one fen under the smallest scale,
	// MaxFen under the largest.
	MinScaled = 1 << 10
	MaxScaled = 1 << 61

	minBits = 10
	maxBits = 23
	noise   = 2 * MaxParts // a part's noise is below scale/noise
)

// scale returns the factor of the receipt's sums, 2^10 to 2^24 with evenly spread magnitude,
// so that a scaled sum does not tell even the order of the amount.
func (s Secret) scale() uint64 {
	sum := mac(s[:], domainScale, "scale")
	bits := minBits + binary.BigEndian.Uint64(sum[:8])%(maxBits-minBits+1)
	return 1<<bits + binary.BigEndian.Uint64(sum[8:16])%(1<<bits)
}

// Amount returns the scaled amount of a receipt over that many fen, 1 to [MaxFen].
func (s Secret) Amount(fen int64) (uint64, error) {
	if fen < 1 || fen > MaxFen {
		return 0, fmt.Errorf("%d fen: 1 to %d", fen, int64(MaxFen))
	}
	k := s.scale()
	sum := mac(s[:], domainScale, "amount")
	return uint64(fen)*k + binary.BigEndian.Uint64(sum[:8])%(k/2), nil
}

// Part returns a part of the receipt's amount in its scale. Parts of one receipt differ in
// their numbers, 0 to [MaxParts]-1, so that equal parts do not look equal.
func (s Secret) Part(fen int64, number int) (uint64, error) {
	if fen < 1 || fen > MaxFen || number < 0 || number >= MaxParts {
		return 0, fmt.Errorf("part %d of %d fen: 1 to %d fen, at most %d parts", number, fen, int64(MaxFen), MaxParts)
	}
	k := s.scale()
	sum := mac(s[:], domainScale, "part", string(rune(number)))
	return uint64(fen)*k - binary.BigEndian.Uint64(sum[:8])%(k/noise), nil
}

// Fen returns the fen of a scaled amount, or of what is left of one.
func (s Secret) Fen(scaled uint64) int64 { return int64(scaled / s.scale()) }

// PartFen returns the fen of a scaled part.
func (s Secret) PartFen(scaled uint64) int64 {
	k := s.scale()
	return int64((scaled + k - 1) / k)
}
