package sm

import (
	"encoding/hex"
	"errors"
	"math/big"
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

// The curve -x² + y² = 1 + d·x²·y² over the integers mod p = 2^255 - 19, with
// d = -121665/121666 (RFC 8032, section 5.1).
var (
	edwardsP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	edwardsD = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), edwardsP)
		d.Mul(d, big.NewInt(-121665))
		return d.Mod(d, edwardsP)
	}()
)

// checkEdwards refuses Ed25519 keys of the wrong length, with y ≥ p, of small order,
// and off the curve. The standard library decodes a key only inside Verify; here
// the key is public and the result cached, so big.Int is good enough.
func checkEdwards(raw []byte) error {
	if len(raw) != Ed25519Size {
		return errors.New("want 32 bytes")
	}
	little := slices.Clone(raw)
	little[31] &= 0x7f // the sign of x; x = 0 only for points of small order
	if slices.Contains(smallOrder, hex.EncodeToString(little)) {
		return errors.New("the point has a small order")
	}
	slices.Reverse(little)
	y := new(big.Int).SetBytes(little)
	if y.Cmp(edwardsP) >= 0 {
		return errors.New("y is not reduced")
	}
	y2 := y.Mul(y, y)
	under := new(big.Int).Mul(edwardsD, y2)
	under.Add(under, big.NewInt(1)).Mod(under, edwardsP) // never 0, for -1/d is no square
	x2 := new(big.Int).ModInverse(under, edwardsP)
	x2.Mul(x2, y2.Sub(y2, big.NewInt(1))).Mod(x2, edwardsP)
	if big.Jacobi(x2, edwardsP) != 1 {
		return errors.New("the point is not on the curve")
	}
	return nil
}
