package sm

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/emmansun/gmsm/sm2"
)

// slow is the library's answer, without our multiples.
func slow(k *parsed, e, sig []byte) bool { return sm2.VerifyASN1(k.ec, e, sig) }

func fast(m *multiples, e []byte, r, s *big.Int) bool {
	return m.holds(readLimbs(e), bigToLimbs(r), bigToLimbs(s))
}

// keyOf returns the key with that private number, and its multiples.
func keyOf(t testing.TB, d *big.Int) (*parsed, *multiples) {
	t.Helper()
	raw := keyRaw(t, d)
	k := &parsed{alg: SM2, raw: string(raw)} // not the key in the cache
	if err := k.parse(raw); err != nil {
		t.Fatal(err)
	}
	return k, newMultiples(pointOf(k.raw))
}

func keyRaw(t testing.TB, d *big.Int) []byte {
	t.Helper()
	private, err := FromSeed(SM2, [32]byte(d.FillBytes(make([]byte, 32))))
	if err != nil {
		t.Fatal(err)
	}
	return private.Public().Bytes()
}

// xTimes returns the x of that many times the base point.
func xTimes(t testing.TB, n *big.Int) *big.Int {
	t.Helper()
	if n.Cmp(new(big.Int).Sub(bigN, big.NewInt(1))) == 0 { // no private key, but the point of 1 with the other y
		n = big.NewInt(1)
	}
	return new(big.Int).SetBytes(keyRaw(t, n)[1:33])
}

var bigN = limbsToBig(orderN)

// TestFieldIsThatOfTheCurve compares with big.Int, at the edges and at random.
func TestFieldIsThatOfTheCurve(t *testing.T) {
	c := sm2.P256().Params()
	if bigP.Cmp(c.P) != 0 || bigN.Cmp(c.N) != 0 {
		t.Fatal("p or n is not that of the library")
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	values := []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(bigP, big.NewInt(1)), new(big.Int).Sub(bigP, big.NewInt(2))}
	for range 60 {
		var b [32]byte
		for i := range 4 {
			switch rnd.IntN(4) {
			case 0: // a limb of zeros
			case 1:
				binary.BigEndian.PutUint64(b[8*i:], ^uint64(0))
			default:
				binary.BigEndian.PutUint64(b[8*i:], rnd.Uint64())
			}
		}
		values = append(values, new(big.Int).Mod(new(big.Int).SetBytes(b[:]), bigP))
	}
	inverse := new(big.Int).ModInverse(new(big.Int).Lsh(big.NewInt(1), 256), bigP)
	check := func(name string, got element, want *big.Int) {
		t.Helper()
		if limbsToBig(got).Cmp(want.Mod(want, bigP)) != 0 {
			t.Fatalf("%s: %x, want %x", name, limbsToBig(got), want)
		}
	}
	for _, x := range values {
		for _, y := range values {
			a, b := element(bigToLimbs(x)), element(bigToLimbs(y))
			var e element
			e.mul(&a, &b)
			check("mul", e, new(big.Int).Mul(new(big.Int).Mul(x, y), inverse))
			e.add(&a, &b)
			check("add", e, new(big.Int).Add(x, y))
			e.sub(&a, &b)
			check("sub", e, new(big.Int).Sub(x, y))
		}
		if x.Sign() != 0 {
			a := toField(bigToLimbs(x))
			var e element
			e.invert(&a)
			e.mul(&e, &a)
			check("inverse", e, limbsToBig(one))
		}
	}
}

// TestMultiplesAgreeWithTheLibrary: good signatures, and all that is near one.
func TestMultiplesAgreeWithTheLibrary(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	random := func() *big.Int {
		var b [40]byte
		for i := range 5 {
			binary.BigEndian.PutUint64(b[8*i:], rnd.Uint64())
		}
		return new(big.Int).Mod(new(big.Int).SetBytes(b[:]), bigN)
	}
	privates := []*big.Int{big.NewInt(1), big.NewInt(2), big.NewInt(64), new(big.Int).Sub(bigN, big.NewInt(2)), random(), random()}
	good := 0
	for _, d := range privates {
		k, m := keyOf(t, d)
		for range 40 {
			e, nonce := random(), random()
			hash := e.FillBytes(make([]byte, 32))
			x := xTimes(t, nonce)
			r := new(big.Int).Add(e, x)
			r.Mod(r, bigN)
			s := new(big.Int).Sub(nonce, new(big.Int).Mul(r, d))
			s.Mul(s, new(big.Int).ModInverse(new(big.Int).Add(d, big.NewInt(1)), bigN)).Mod(s, bigN)
			for _, change := range [][2]*big.Int{{r, s}, {s, r}, {r, new(big.Int).Sub(bigN, s)}, {new(big.Int).Add(r, big.NewInt(1)), s}, {r, new(big.Int).Xor(s, new(big.Int).Lsh(big.NewInt(1), uint(rnd.IntN(256))))}} {
				if change[0].BitLen() > 256 || change[1].BitLen() > 256 || change[0].Sign() == 0 || change[1].Sign() == 0 {
					continue
				}
				want := slow(k, hash, der(t, change[0], change[1]))
				if got := fast(m, hash, change[0], change[1]); got != want {
					t.Fatalf("d=%x e=%x r=%x s=%x: %v, the library says %v", d, e, change[0], change[1], got, want)
				}
				if want {
					good++
				}
			}
		}
	}
	if good < 200 {
		t.Fatalf("only %d good signatures", good)
	}
}

// TestMultiplesAtTheEdges: numbers out of range, sums that are infinity or need a
// doubling, and an x between n and p.
func TestMultiplesAtTheEdges(t *testing.T) {
	small := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), big.NewInt(31), big.NewInt(32), big.NewInt(33), big.NewInt(63), big.NewInt(64)}
	for _, v := range slicesOf(small) {
		small = append(small, new(big.Int).Sub(bigN, v))
	}
	small = append(small, new(big.Int).Add(bigN, big.NewInt(1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)), bigP)
	hashes := [][]byte{make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), bigN.Bytes(), bigP.Bytes()}
	for _, d := range []*big.Int{big.NewInt(1), big.NewInt(2), new(big.Int).Rsh(bigN, 1), new(big.Int).Sub(bigN, big.NewInt(2))} {
		k, m := keyOf(t, d)
		for _, r := range small {
			for _, s := range small {
				for _, e := range hashes {
					want := r.Sign() > 0 && s.Sign() > 0 && slow(k, e, der(t, r, s))
					if got := fast(m, e, r, s); got != want {
						t.Fatalf("d=%x e=%x r=%x s=%x: %v, the library says %v", d, e, r, s, got, want)
					}
				}
				// The hash that makes it good, whatever r and s are.
				if e := hashFor(t, d, r, s); e != nil {
					want := slow(k, e, der(t, r, s))
					if got := fast(m, e, r, s); got != want || !want {
						t.Fatalf("d=%x e=%x r=%x s=%x: %v, the library says %v", d, e, r, s, got, want)
					}
				}
			}
		}
	}
}

func slicesOf(s []*big.Int) []*big.Int { return append([]*big.Int(nil), s...) }

// hashFor returns the e for which (r, s) is a signature of the key d; nil if none is.
func hashFor(t testing.TB, d, r, s *big.Int) []byte {
	t.Helper()
	if r.Sign() == 0 || s.Sign() == 0 || r.Cmp(bigN) >= 0 || s.Cmp(bigN) >= 0 {
		return nil
	}
	sum := new(big.Int).Add(r, s)
	if sum.Mod(sum, bigN).Sign() == 0 {
		return nil
	}
	nonce := sum.Mul(sum, d)
	nonce.Add(nonce, s).Mod(nonce, bigN)
	if nonce.Sign() == 0 {
		return nil
	}
	x := xTimes(t, nonce)
	e := new(big.Int).Sub(r, x)
	return e.Mod(e, bigN).FillBytes(make([]byte, 32))
}

// TestAKeyIsCheckedAlikeEarlyAndLate: the answers do not change when the multiples come,
// and when they go again.
func TestAKeyIsCheckedAlikeEarlyAndLate(t *testing.T) {
	key := fixed(t, SM2)
	public := key.Public()
	for i := range 3 * manyChecks {
		msg := sha256.Sum256([]byte{byte(i)})
		sig, err := key.Sign(msg[:])
		if err != nil {
			t.Fatal(err)
		}
		if !public.Verify(msg[:], sig) {
			t.Fatalf("signature %d is refused", i)
		}
		sig[len(sig)-1] ^= 1
		if public.Verify(msg[:], sig) {
			t.Fatalf("signature %d is accepted with a bit changed", i)
		}
	}
	if public.k.often.table.Load() == nil {
		t.Fatal("the key has come often and has no multiples")
	}
}

// TestRingForgetsIdleKeys: the bound holds, and a key that is busy keeps its place.
func TestRingForgetsIdleKeys(t *testing.T) {
	var r ring
	keys := make([]*parsed, 2*keysWithMultiples)
	for i := range keys {
		keys[i] = &parsed{}
		keys[i].often.table.Store(new(multiples))
		r.join(keys[i])
		keys[0].often.checks.Add(3 * manyChecks)
	}
	with := 0
	for _, k := range keys {
		if k.often.table.Load() != nil {
			with++
		}
	}
	if with != keysWithMultiples || keys[0].often.table.Load() == nil || keys[len(keys)-1].often.table.Load() == nil {
		t.Errorf("%d keys have multiples, the busy one %v", with, keys[0].often.table.Load() != nil)
	}
}

// FuzzSplitDER: it takes what the standard library reads and writes in the same way.
func FuzzSplitDER(f *testing.F) {
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Add([]byte{0x30, 7, 2, 2, 0, 0x80, 2, 1, 1})
	f.Add([]byte{0x30, 6, 2, 1, 0, 2, 1, 1})
	f.Add([]byte{0x30, 8, 2, 1, 1, 2, 1, 1, 5, 0})
	f.Fuzz(func(t *testing.T, sig []byte) {
		var p pair
		rest, err := asn1.Unmarshal(sig, &p)
		want := len(sig) <= MaxSignatureSize && err == nil && len(rest) == 0 && p.R.Sign() > 0 && p.S.Sign() > 0
		if want {
			want = bytes.Equal(der(t, p.R, p.S), sig)
		}
		r, s, ok := parseDER(sig)
		if ok != want || ok && (r.Cmp(p.R) != 0 || s.Cmp(p.S) != 0) {
			t.Errorf("%x: %v %x %x, want %v", sig, ok, r, s, want)
		}
	})
}

// FuzzMultiples: whatever the signature and the hash, both ways answer alike.
func FuzzMultiples(f *testing.F) {
	k, m := keyOf(f, big.NewInt(123456789))
	f.Add(make([]byte, 32), []byte{1}, []byte{1})
	f.Fuzz(func(t *testing.T, e, r, s []byte) {
		if len(e) != 32 || len(r) > 32 || len(s) > 32 {
			return
		}
		rn, sn := new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)
		want := rn.Sign() > 0 && sn.Sign() > 0 && slow(k, e, der(t, rn, sn))
		if got := fast(m, e, rn, sn); got != want {
			t.Errorf("%v, the library says %v", got, want)
		}
		if good := hashFor(t, big.NewInt(123456789), rn, sn); good != nil && !fast(m, good, rn, sn) {
			t.Error("the good signature is refused")
		}
	})
}
