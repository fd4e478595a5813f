package sm

import "testing"

func BenchmarkSign(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(alg.String(), func(b *testing.B) {
			k := fixed(b, alg)
			for b.Loop() {
				if _, err := k.Sign(make([]byte, 380)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify verifies as the chain does: the key comes as bytes each time.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range algorithms {
		b.Run(alg.String(), func(b *testing.B) {
			k := fixed(b, alg)
			msg, raw := make([]byte, 380), k.Public().Bytes()
			sig, err := k.Sign(msg)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if p, err := ParsePublic(alg, raw); err != nil || !p.Verify(msg, sig) {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHash(b *testing.B) {
	page := make([]byte, 1<<20)
	b.Run("SM3", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			SM3(page)
		}
	})
	b.Run("SHA-256", func(b *testing.B) {
		b.SetBytes(int64(len(page)))
		for b.Loop() {
			SHA256(page)
		}
	})
}

// BenchmarkHolds compares the check of an SM2 signature by the key's multiples with the
// library's, and says what making the multiples costs.
func BenchmarkHolds(b *testing.B) {
	k := fixed(b, SM2)
	var e [32]byte
	sig, err := k.Sign(e[:])
	if err != nil {
		b.Fatal(err)
	}
	r, s, _ := splitDER(sig)
	m := newMultiples(pointOf(k.pub.k.raw))
	b.Run("multiples", func(b *testing.B) {
		for b.Loop() {
			m.holds(readLimbs(e[:]), readLimbs(wide(r)), readLimbs(wide(s)))
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			slow(k.pub.k, e[:], sig)
		}
	})
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			newMultiples(pointOf(k.pub.k.raw))
		}
	})
	b.Run("mul", func(b *testing.B) {
		x, y := m[0][1].x, m[0][1].y
		for b.Loop() {
			x.mul(&x, &y)
		}
	})
}
