package sm

import (
	"encoding/hex"
	"errors"
	"slices"
)

// smallOrder lists y of the points of order 1, 2, 4 and 8 (little endian, the sign
// bit of x cleared): all reduced forms of the eight points. RFC 8032 has no such
// list; it is the one of libsodium's ge25519_has_small_order without the forms
// that are not reduced, which [checkEdwards] refuses before.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// checkEdwards refuses Ed25519 keys of the wrong length, with y ≥ 2^255-19, and of
// small order. That the bytes are a point on the curve at all is found by the
// first Verify, which then says no: the standard library exports no decoder.
func checkEdwards(raw []byte) error {
	if len(raw) != Ed25519Size {
		return errors.New("want 32 bytes")
	}
	y := slices.Clone(raw)
	y[31] &= 0x7f
	full := y[31] == 0x7f && y[0] >= 0xed
	for _, b := range y[1:31] {
		full = full && b == 0xff
	}
	if full {
		return errors.New("y is not reduced")
	}
	if slices.Contains(smallOrder, hex.EncodeToString(y)) {
		return errors.New("the point has a small order")
	}
	return nil
}
