package qr

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// Short is what a short code names: 120 bits that nobody guesses, written as 24 letters
// and 2 that check them.
type Short [15]byte

// NewShort draws one.
func NewShort() (s Short) {
	_, _ = rand.Read(s[:]) // never fails (crypto/rand)
	return s
}

// ShortLetters is the length of a short code.
const ShortLetters = 26

// letters are those of base 32 without I, L, O and U.
const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// power[i] is a^i in GF(32) with a^5 = a^2 + 1; index is its inverse.
var power, index = func() (p [62]byte, x [32]int) {
	for i, v := 0, 1; i < 31; i++ {
		p[i], p[i+31], x[v] = byte(v), byte(v), i
		if v <<= 1; v >= 32 {
			v ^= 0b100101
		}
	}
	return p, x
}()

func times(a, b byte) byte {
	if a == 0 || b == 0 {
		return 0
	}
	return power[index[a]+index[b]]
}

// checks are the two Reed-Solomon symbols of a kind and 24 letters: with them the word,
// of length 27, has distance 3, so that every one or two wrong letters show.
func checks(kind Kind, symbols []byte) (byte, byte) {
	// Division by (x - a)(x - a^2) = x^2 + g1 x + g0.
	g1, g0 := power[1]^power[2], power[3]
	var r1, r0 byte
	for _, s := range append([]byte{byte(strings.IndexByte(letters, byte(kind)))}, symbols...) {
		lead := s ^ r1
		r1, r0 = r0^times(lead, g1), times(lead, g0)
	}
	return r1, r0
}

// MacOf writes the first 40 bits of a sum of at least 5 bytes as the letters behind the code of
// an annotated copy.
func MacOf(sum []byte) string {
	out := make([]byte, MacLetters)
	v := uint64(sum[0])<<32 | uint64(sum[1])<<24 | uint64(sum[2])<<16 | uint64(sum[3])<<8 | uint64(sum[4])
	for i := range out {
		out[i] = letters[v>>(35-5*i)&31]
	}
	return string(out)
}

// symbols cuts bytes into groups of five bits; 15 bytes are 24 of them.
func (s Short) symbols() []byte {
	out := make([]byte, 0, ShortLetters)
	for i := 0; i < len(s); i += 5 {
		v := uint64(s[i])<<32 | uint64(s[i+1])<<24 | uint64(s[i+2])<<16 | uint64(s[i+3])<<8 | uint64(s[i+4])
		for shift := 35; shift >= 0; shift -= 5 {
			out = append(out, byte(v>>shift&31))
		}
	}
	return out
}

// spell writes the 26 letters of s as the code of a kind.
func (s Short) spell(kind Kind) string {
	v := s.symbols()
	c1, c0 := checks(kind, v)
	v = append(v, c1, c0)
	for i := range v {
		v[i] = letters[v[i]]
	}
	return string(v)
}

// unspell reads 26 letters, in upper case.
func unspell(kind Kind, text string) (s Short, err error) {
	if len(text) != ShortLetters {
		return s, fmt.Errorf("%w: %d letters, not %d", ErrPayload, len(text), ShortLetters)
	}
	v := make([]byte, ShortLetters)
	for i := range v {
		at := strings.IndexByte(letters, text[i])
		if at < 0 {
			return s, fmt.Errorf("%w: no letter of a code is %q", ErrPayload, text[i:i+1])
		}
		v[i] = byte(at)
	}
	if c1, c0 := checks(kind, v[:24]); c1 != v[24] || c0 != v[25] {
		return s, fmt.Errorf("%w: the code is mistyped, or of another kind", ErrPayload)
	}
	for i := 0; i < 24; i += 8 {
		var n uint64
		for _, five := range v[i : i+8] {
			n = n<<5 | uint64(five)
		}
		for j := range 5 {
			s[i/8*5+j] = byte(n >> (32 - 8*j))
		}
	}
	return s, nil
}
