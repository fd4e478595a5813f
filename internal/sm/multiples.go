package sm

import (
	"sync"

	"github.com/emmansun/gmsm/sm2"
)

// An SM2 signature is checked by the point s·G + (r+s)·P. A library that sees the key P
// for the first time doubles and adds 256 times; most of the time of a busy ledger would
// go there, for the same few hundred keys of gateways. For a key that comes again and
// again its multiples are kept, and the same point is 86 additions: 18 µs instead of 73
// (BenchmarkHolds, in one run).
const (
	windowBits = 6                     // our own choice: 7 would be 74 additions instead of 86, and 151 KB instead of 88
	windows    = 256/windowBits + 1    // the last one takes the carry of the one below
	windowSize = 1 << (windowBits - 1) // multiples 1 to 32; the negative ones follow from them
)

// affine is a point that is not the point at infinity.
type affine struct{ x, y element }

// jacobian is the point (x/z², y/z³); infinity has z = 0.
type jacobian struct{ x, y, z element }

// multiples of a point: [i][j] is (j+1)·2^(6i) times it. 88 KB.
type multiples [windows][windowSize]affine

// baseMultiples are those of the curve's base point.
var baseMultiples = sync.OnceValue(func() *multiples {
	g := sm2.P256().Params()
	return newMultiples(affine{toField(bigToLimbs(g.Gx)), toField(bigToLimbs(g.Gy))})
})

// pointOf reads the one byte form of a key that was parsed.
func pointOf(raw string) affine {
	return affine{toField(readLimbs([]byte(raw[1:33]))), toField(readLimbs([]byte(raw[33:PointSize])))}
}

// newMultiples takes a point of the curve. It costs about 30 checks of signatures.
func newMultiples(p affine) *multiples {
	m := new(multiples)
	for i := range m {
		var row [windowSize]jacobian
		row[0] = jacobian{p.x, p.y, one}
		for j := 1; j < windowSize; j++ {
			row[j] = row[j-1]
			row[j].add(&p, false)
		}
		toAffine(m[i][:], row[:])
		if i < windows-1 {
			next := row[windowSize-1]
			next.double() // 64 times p
			var one [1]affine
			toAffine(one[:], []jacobian{next})
			p = one[0]
		}
	}
	return m
}

// toAffine brings points that are not infinity to z = 1, with one inversion for all.
func toAffine(out []affine, in []jacobian) {
	products := make([]element, len(in)) // of the z up to here
	products[0] = in[0].z
	for i := 1; i < len(in); i++ {
		products[i].mul(&products[i-1], &in[i].z)
	}
	var inverse element // of products[i]
	inverse.invert(&products[len(in)-1])
	for i := len(in) - 1; i >= 0; i-- {
		z := inverse
		if i > 0 {
			z.mul(&inverse, &products[i-1])
			inverse.mul(&inverse, &in[i].z)
		}
		var zz, zzz element
		zz.sqr(&z)
		zzz.mul(&zz, &z)
		out[i].x.mul(&in[i].x, &zz)
		out[i].y.mul(&in[i].y, &zzz)
	}
}

// double doubles p. The curve has a = -3: dbl-2001-b of the Explicit-Formulas Database.
// There is no point of order two, so that only infinity stays infinity.
func (p *jacobian) double() {
	var delta, gamma, beta, alpha, t, u element
	delta.sqr(&p.z)
	gamma.sqr(&p.y)
	beta.mul(&p.x, &gamma)
	t.sub(&p.x, &delta)
	u.add(&p.x, &delta)
	t.mul(&t, &u)
	alpha.add(&t, &t)
	alpha.add(&alpha, &t)
	// z = (y+z)² - gamma - delta
	t.add(&p.y, &p.z)
	t.sqr(&t)
	t.sub(&t, &gamma)
	p.z.sub(&t, &delta)
	// x = alpha² - 8 beta
	beta.add(&beta, &beta)
	beta.add(&beta, &beta) // 4 beta
	t.sqr(&alpha)
	t.sub(&t, &beta)
	p.x.sub(&t, &beta)
	// y = alpha (4 beta - x) - 8 gamma²
	t.sub(&beta, &p.x)
	t.mul(&alpha, &t)
	gamma.sqr(&gamma)
	gamma.add(&gamma, &gamma)
	gamma.add(&gamma, &gamma)
	gamma.add(&gamma, &gamma)
	p.y.sub(&t, &gamma)
}

// add adds q, or its negative, whatever p is: 8 multiplications and 3 squares.
func (p *jacobian) add(q *affine, negative bool) {
	y := q.y
	if negative {
		y.neg(&y)
	}
	if p.z.zero() {
		*p = jacobian{q.x, y, one}
		return
	}
	var zz, h, r, hh, hhh, v, t element
	zz.sqr(&p.z)
	h.mul(&q.x, &zz)
	h.sub(&h, &p.x)
	r.mul(&y, &zz)
	r.mul(&r, &p.z)
	r.sub(&r, &p.y)
	if h.zero() {
		if r.zero() {
			p.double()
		} else {
			*p = jacobian{}
		}
		return
	}
	hh.sqr(&h)
	hhh.mul(&hh, &h)
	v.mul(&p.x, &hh)
	// x = r² - hhh - 2v
	t.sqr(&r)
	t.sub(&t, &hhh)
	t.sub(&t, &v)
	p.x.sub(&t, &v)
	// y = r (v - x) - y·hhh
	t.sub(&v, &p.x)
	t.mul(&t, &r)
	hhh.mul(&hhh, &p.y)
	p.y.sub(&t, &hhh)
	p.z.mul(&p.z, &h)
}

// addTimes adds k times the point that m is of.
func (p *jacobian) addTimes(m *multiples, k [4]uint64) {
	carry := 0
	for i := range windows {
		at := i * windowBits
		digit := int(k[at/64] >> (at % 64))
		if at%64 > 64-windowBits && at/64 < 3 {
			digit |= int(k[at/64+1] << (64 - at%64))
		}
		digit = digit&(1<<windowBits-1) + carry
		carry = 0
		if digit > windowSize { // 64 - d times less, and one more of the next
			digit -= 1 << windowBits
			carry = 1
		}
		switch {
		case digit > 0:
			p.add(&m[i][digit-1], false)
		case digit < 0:
			p.add(&m[i][-digit-1], true)
		}
	}
}

// holds reports whether (r, s) is a signature of the hash e under the key whose
// multiples are given: GB/T 32918.2-2016, section 7. r, s and e are numbers of 256 bits.
func (m *multiples) holds(e, r, s [4]uint64) bool {
	if !inOrder(r) || !inOrder(s) {
		return false
	}
	t, over := addN(r, s)
	if less, borrow := subN(t, orderN); over == 1 || borrow == 0 {
		t = less
	}
	if t == ([4]uint64{}) {
		return false
	}
	var p jacobian
	p.addTimes(baseMultiples(), s)
	p.addTimes(m, t)
	if p.z.zero() {
		return false
	}
	// r = e + x mod n, with the x of the point: so x is r - e or, if that is still a
	// residue, n more.
	if less, borrow := subN(e, orderN); borrow == 0 {
		e = less
	}
	x, borrow := subN(r, e)
	if borrow == 1 {
		x, _ = addN(x, orderN)
	}
	if p.hasX(x) {
		return true
	}
	x, over = addN(x, orderN)
	return over == 0 && p.hasX(x)
}

// inOrder reports whether x is at least 1 and below n.
func inOrder(x [4]uint64) bool {
	_, borrow := subN(x, orderN)
	return borrow == 1 && x != [4]uint64{}
}

// hasX reports whether x is the affine coordinate of p, which is not infinity.
func (p *jacobian) hasX(x [4]uint64) bool {
	if _, borrow := subN(x, fieldP); borrow == 0 {
		return false
	}
	f := toField(x)
	var zz element
	zz.sqr(&p.z)
	f.mul(&f, &zz)
	return f == p.x
}
