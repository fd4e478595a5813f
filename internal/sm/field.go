package sm

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// element is a residue modulo the prime of the SM2 curve,
//
//	p = 2^256 - 2^224 - 2^96 + 2^64 - 1   (GB/T 32918.5-2017)
//
// as x·2^256 mod p (Montgomery's form), four limbs, the least first, always below p.
// Everything here is public (keys and signatures to be checked), so nothing takes care
// to need equal time for different values: it must not be used to sign.
type element [4]uint64

// The limbs of p.
const (
	fieldP0 = 0xffffffffffffffff
	fieldP1 = 0xffffffff00000000
	fieldP2 = 0xffffffffffffffff
	fieldP3 = 0xfffffffeffffffff
)

var (
	fieldP = element{fieldP0, fieldP1, fieldP2, fieldP3}
	// orderN is the order of the curve's base point.
	orderN = [4]uint64{0x53bbf40939d54123, 0x7203df6b21c6052b, 0xffffffffffffffff, 0xfffffffeffffffff}

	bigP = limbsToBig(fieldP)
	// square turns a residue into Montgomery's form: 2^512 mod p.
	square = bigToLimbs(new(big.Int).Mod(new(big.Int).Lsh(big.NewInt(1), 512), bigP))
	// one is 1 in Montgomery's form.
	one = bigToLimbs(new(big.Int).Mod(new(big.Int).Lsh(big.NewInt(1), 256), bigP))
)

func limbsToBig(x [4]uint64) *big.Int {
	var b [32]byte
	for i, l := range x {
		binary.BigEndian.PutUint64(b[24-8*i:], l)
	}
	return new(big.Int).SetBytes(b[:])
}

func bigToLimbs(x *big.Int) [4]uint64 {
	var b [32]byte
	return readLimbs(x.FillBytes(b[:]))
}

// readLimbs reads 32 bytes, the most significant first.
func readLimbs(b []byte) (x [4]uint64) {
	for i := range x {
		x[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return x
}

// toField brings a residue below p into Montgomery's form.
func toField(x [4]uint64) (e element) {
	a, s := element(x), element(square)
	e.mul(&a, &s)
	return e
}

func (e *element) zero() bool { return e[0]|e[1]|e[2]|e[3] == 0 }

// subN returns x - y, and 1 if that is below zero.
func subN(x, y [4]uint64) (z [4]uint64, borrow uint64) {
	z[0], borrow = bits.Sub64(x[0], y[0], 0)
	z[1], borrow = bits.Sub64(x[1], y[1], borrow)
	z[2], borrow = bits.Sub64(x[2], y[2], borrow)
	z[3], borrow = bits.Sub64(x[3], y[3], borrow)
	return z, borrow
}

// addN returns x + y, and 1 if that is 2^256 or more.
func addN(x, y [4]uint64) (z [4]uint64, carry uint64) {
	z[0], carry = bits.Add64(x[0], y[0], 0)
	z[1], carry = bits.Add64(x[1], y[1], carry)
	z[2], carry = bits.Add64(x[2], y[2], carry)
	z[3], carry = bits.Add64(x[3], y[3], carry)
	return z, carry
}

// add sets e to a + b. Neither it nor sub branches: a branch would be guessed wrongly
// half of the time.
func (e *element) add(a, b *element) {
	t0, c := bits.Add64(a[0], b[0], 0)
	t1, c := bits.Add64(a[1], b[1], c)
	t2, c := bits.Add64(a[2], b[2], c)
	t3, c := bits.Add64(a[3], b[3], c)
	v0, d := bits.Sub64(t0, fieldP0, 0)
	v1, d := bits.Sub64(t1, fieldP1, d)
	v2, d := bits.Sub64(t2, fieldP2, d)
	v3, d := bits.Sub64(t3, fieldP3, d)
	_, d = bits.Sub64(c, 0, d)
	keep := -d
	e[0], e[1], e[2], e[3] = v0^keep&(v0^t0), v1^keep&(v1^t1), v2^keep&(v2^t2), v3^keep&(v3^t3)
}

func (e *element) sub(a, b *element) {
	t0, d := bits.Sub64(a[0], b[0], 0)
	t1, d := bits.Sub64(a[1], b[1], d)
	t2, d := bits.Sub64(a[2], b[2], d)
	t3, d := bits.Sub64(a[3], b[3], d)
	below := -d
	var c uint64
	e[0], c = bits.Add64(t0, below&fieldP0, 0)
	e[1], c = bits.Add64(t1, below&fieldP1, c)
	e[2], c = bits.Add64(t2, below&fieldP2, c)
	e[3], _ = bits.Add64(t3, below&fieldP3, c)
}

func (e *element) neg(a *element) {
	var zero element
	e.sub(&zero, a)
}

// mul sets e to a·b/2^256 mod p. It is written out: the compiler does not take a call
// with nine results inline, and this is where the time of a check goes.
func (e *element) mul(a, b *element) {
	a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
	var c, h0, h1, h2, h3, l0, l1, l2, l3 uint64
	// a·b[0]
	y := b[0]
	h0, t0 := bits.Mul64(a0, y)
	h1, l1 = bits.Mul64(a1, y)
	h2, l2 = bits.Mul64(a2, y)
	h3, l3 = bits.Mul64(a3, y)
	t1, c := bits.Add64(l1, h0, 0)
	t2, c := bits.Add64(l2, h1, c)
	t3, c := bits.Add64(l3, h2, c)
	t4 := h3 + c
	// + a·b[1]·2^64
	y = b[1]
	h0, l0 = bits.Mul64(a0, y)
	h1, l1 = bits.Mul64(a1, y)
	h2, l2 = bits.Mul64(a2, y)
	h3, l3 = bits.Mul64(a3, y)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	t1, c = bits.Add64(t1, l0, 0)
	t2, c = bits.Add64(t2, l1, c)
	t3, c = bits.Add64(t3, l2, c)
	t4, c = bits.Add64(t4, l3, c)
	t5 := h3 + c
	// + a·b[2]·2^128
	y = b[2]
	h0, l0 = bits.Mul64(a0, y)
	h1, l1 = bits.Mul64(a1, y)
	h2, l2 = bits.Mul64(a2, y)
	h3, l3 = bits.Mul64(a3, y)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	t2, c = bits.Add64(t2, l0, 0)
	t3, c = bits.Add64(t3, l1, c)
	t4, c = bits.Add64(t4, l2, c)
	t5, c = bits.Add64(t5, l3, c)
	t6 := h3 + c
	// + a·b[3]·2^192
	y = b[3]
	h0, l0 = bits.Mul64(a0, y)
	h1, l1 = bits.Mul64(a1, y)
	h2, l2 = bits.Mul64(a2, y)
	h3, l3 = bits.Mul64(a3, y)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	t3, c = bits.Add64(t3, l0, 0)
	t4, c = bits.Add64(t4, l1, c)
	t5, c = bits.Add64(t5, l2, c)
	t6, c = bits.Add64(t6, l3, c)
	t7 := h3 + c
	e.montgomery(t0, t1, t2, t3, t4, t5, t6, t7)
}

// sqr sets e to a·a/2^256 mod p: each product of two limbs is taken once and doubled.
func (e *element) sqr(a *element) {
	a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
	var c uint64
	t2, t1 := bits.Mul64(a0, a1)
	t3, l := bits.Mul64(a0, a2)
	t2, c = bits.Add64(t2, l, 0)
	t4, l := bits.Mul64(a0, a3)
	t3, c = bits.Add64(t3, l, c)
	t4 += c
	h, l := bits.Mul64(a1, a2)
	t3, c = bits.Add64(t3, l, 0)
	t4, c = bits.Add64(t4, h, c)
	t5 := c
	h, l = bits.Mul64(a1, a3)
	t4, c = bits.Add64(t4, l, 0)
	t5, _ = bits.Add64(t5, h, c)
	t6, l := bits.Mul64(a2, a3)
	t5, c = bits.Add64(t5, l, 0)
	t6 += c
	// twice
	t7 := t6 >> 63
	t6 = t6<<1 | t5>>63
	t5 = t5<<1 | t4>>63
	t4 = t4<<1 | t3>>63
	t3 = t3<<1 | t2>>63
	t2 = t2<<1 | t1>>63
	t1 <<= 1
	// + the squares of the limbs
	h, t0 := bits.Mul64(a0, a0)
	t1, c = bits.Add64(t1, h, 0)
	h, l = bits.Mul64(a1, a1)
	t2, c = bits.Add64(t2, l, c)
	t3, c = bits.Add64(t3, h, c)
	h, l = bits.Mul64(a2, a2)
	t4, c = bits.Add64(t4, l, c)
	t5, c = bits.Add64(t5, h, c)
	h, l = bits.Mul64(a3, a3)
	t6, c = bits.Add64(t6, l, c)
	t7, _ = bits.Add64(t7, h, c)
	e.montgomery(t0, t1, t2, t3, t4, t5, t6, t7)
}

// montgomery sets e to t/2^256 mod p, for t below p². Four rounds divide the lower half
// by 2^64 each: r = (t + m·p)/2^64 for the m that makes this whole, which is the lowest
// limb itself, for p is -1 modulo 2^64. What is added above that limb is
// m·(p+1)/2^64 = m·(2^192 - 2^160 - 2^32 + 1): shifts of m. r fits in four limbs; the
// upper half is below p.
func (e *element) montgomery(t0, t1, t2, t3, t4, t5, t6, t7 uint64) {
	var b, c, v0, v1, v2, v3 uint64
	for range 4 {
		v0, b = bits.Sub64(t0, t0<<32, 0)
		v1, b = bits.Sub64(0, t0>>32, b)
		v2, b = bits.Sub64(0, t0<<32, b)
		v3, _ = bits.Sub64(t0, t0>>32, b)
		t0, c = bits.Add64(t1, v0, 0)
		t1, c = bits.Add64(t2, v1, c)
		t2, c = bits.Add64(t3, v2, c)
		t3, _ = bits.Add64(0, v3, c)
	}
	t0, c = bits.Add64(t0, t4, 0)
	t1, c = bits.Add64(t1, t5, c)
	t2, c = bits.Add64(t2, t6, c)
	t3, c = bits.Add64(t3, t7, c)
	// less p, unless that is below zero
	v0, b = bits.Sub64(t0, fieldP0, 0)
	v1, b = bits.Sub64(t1, fieldP1, b)
	v2, b = bits.Sub64(t2, fieldP2, b)
	v3, b = bits.Sub64(t3, fieldP3, b)
	_, b = bits.Sub64(c, 0, b)
	keep := -b // all ones if it is
	e[0], e[1], e[2], e[3] = v0^keep&(v0^t0), v1^keep&(v1^t1), v2^keep&(v2^t2), v3^keep&(v3^t3)
}

// invert sets e to 2^512/a mod p: the inverse in Montgomery's form. It is for tables, not
// for every signature. a must not be zero.
func (e *element) invert(a *element) {
	x := new(big.Int).ModInverse(limbsToBig(*a), bigP) // of a·2^256
	f := element(bigToLimbs(x))
	s := element(square)
	f.mul(&f, &s) // 1/(a·2^256)·2^256
	e.mul(&f, &s) // ·2^256 again
}
