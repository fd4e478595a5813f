package ur

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// chance is xoshiro256** seeded by a hash: not secret, the same on both sides.
type chance [4]uint64

func newChance(seed []byte) *chance {
	sum := sha256.Sum256(seed)
	var c chance
	for i := range c {
		c[i] = binary.BigEndian.Uint64(sum[8*i:])
	}
	return &c
}

func (c *chance) next() uint64 {
	out := bits.RotateLeft64(c[1]*5, 7) * 9
	t := c[1] << 17
	c[2] ^= c[0]
	c[3] ^= c[1]
	c[1] ^= c[2]
	c[0] ^= c[3]
	c[2] ^= t
	c[3] = bits.RotateLeft64(c[3], 45)
	return out
}

// double is in [0, 1); 1 comes out for the last 2^10 of 2^64 numbers, as with everybody
// who follows the guide.
func (c *chance) double() float64 { return float64(c.next()) / (1 << 64) }

// below returns a number from 0 to n-1.
func (c *chance) below(n int) int { return min(int(c.double()*float64(n)), n-1) }

// chosen returns which of n fragments part seq is the XOR of; seq counts from 1.
func chosen(seq uint32, n int, checksum uint32) []int {
	if uint64(seq) <= uint64(n) {
		return []int{int(seq) - 1}
	}
	seed := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, seq), checksum)
	c := newChance(seed)
	degree := degrees(n).draw(c) + 1
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	out := make([]int, 0, degree)
	for range degree { // the guide shuffles all; who comes after the first degree does not matter
		i := c.below(len(left))
		out = append(out, left[i])
		left = append(left[:i], left[i+1:]...)
	}
	return out
}

// alias draws i with a given probability in two draws (Vose's method, in the order of the
// guide: another order gives other draws).
type alias struct {
	keep []float64
	to   []int
}

// degrees draws d-1 with a probability in proportion to 1/d, d from 1 to n.
func degrees(n int) alias {
	p, sum := make([]float64, n), 0.0
	for i := range p {
		p[i] = 1 / float64(i+1)
		sum += p[i]
	}
	a := alias{keep: make([]float64, n), to: make([]int, n)}
	var small, large []int
	for i := n - 1; i >= 0; i-- {
		p[i] = p[i] * float64(n) / sum
		if p[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small, large = small[:len(small)-1], large[:len(large)-1]
		a.keep[s], a.to[s] = p[s], l
		if p[l] += p[s] - 1; p[l] < 1 {
			small = append(small, l)
		} else {
			large = append(large, l)
		}
	}
	for _, i := range append(large, small...) {
		a.keep[i] = 1
	}
	return a
}

func (a alias) draw(c *chance) int {
	r1, r2 := c.double(), c.double()
	i := min(int(float64(len(a.keep))*r1), len(a.keep)-1)
	if r2 < a.keep[i] {
		return i
	}
	return a.to[i]
}
