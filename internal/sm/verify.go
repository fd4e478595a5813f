package sm

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// Reasons for which [PublicKey.Check] refuses a signature.
var (
	ErrNoKey     = errors.New("there is no key to verify with")
	ErrEncoding  = errors.New("signature is not in its one byte form")
	ErrHighS     = errors.New("signature has s > n/2: the signer must replace s by n-s")
	ErrSignature = errors.New("signature does not belong to this key and message")
)

// Verify says that sig is the signature of msg by the holder of p. See the
// invariants of the package for what it refuses beside wrong ones.
func (p PublicKey) Verify(msg, sig []byte) bool { return p.Check(msg, sig) == nil }

// Check is Verify with the reason: [ErrNoKey], [ErrEncoding], [ErrHighS] or
// [ErrSignature], checked in this order.
func (p PublicKey) Check(msg, sig []byte) error { return p.check(msg, sig, false) }

// VerifyForeign is Verify for signatures of devices that nobody can teach to write
// s ≤ n/2: passkeys, and P-256 certificates of others. It accepts both twins
// (r, s) and (r, n-s), so the caller must not use the bytes of the signature, or a
// hash over them, as an identity or against replay.
func (p PublicKey) VerifyForeign(msg, sig []byte) bool { return p.check(msg, sig, true) == nil }

func (p PublicKey) check(msg, sig []byte, twin bool) error {
	if p.k == nil {
		return ErrNoKey
	}
	valid := false
	switch p.k.alg {
	case SM2:
		r, s, ok := splitDER(sig)
		if !ok {
			return ErrEncoding
		}
		h := sm3.New()
		h.Write(p.k.za[:])
		h.Write(msg)
		var e [32]byte
		h.Sum(e[:0])
		// A yes of the multiples stands: a wrong point that fits r by chance is a forgery.
		// A no is the library's to say, so that no mistake in our arithmetic can make
		// nodes differ which have different keys in their caches: docs/decisions/0012.
		m := p.k.multiples()
		valid = m != nil && len(r) <= 32 && len(s) <= 32 && m.holds(readLimbs(e[:]), readLimbs(wide(r)), readLimbs(wide(s))) ||
			sm2.VerifyASN1(p.k.ec, e[:], sig)
	case P256:
		_, s, ok := parseDER(sig)
		if !ok {
			return ErrEncoding
		}
		if !twin && s.Cmp(halfP256) > 0 {
			return ErrHighS
		}
		h := sha256.Sum256(msg)
		valid = ecdsa.VerifyASN1(p.k.ec, h[:], sig)
	case Ed25519:
		if len(sig) != ed25519.SignatureSize {
			return ErrEncoding
		}
		valid = ed25519.Verify(p.k.ed, msg, sig)
	}
	if !valid {
		return ErrSignature
	}
	return nil
}

var halfP256 = new(big.Int).Rsh(elliptic.P256().Params().N, 1)

// pair is Ecdsa-Sig-Value of RFC 3279 and SM2Signature of GB/T 35276: the same.
type pair struct{ R, S *big.Int }

// parseDER is splitDER with numbers.
func parseDER(sig []byte) (r, s *big.Int, ok bool) {
	rb, sb, ok := splitDER(sig)
	if !ok {
		return nil, nil, false
	}
	return new(big.Int).SetBytes(rb), new(big.Int).SetBytes(sb), true
}

// splitDER reads two positive integers and accepts only the bytes that encoding them
// again gives. It returns them without leading zeros, most significant byte first.
func splitDER(sig []byte) (r, s []byte, ok bool) {
	// At most MaxSignatureSize: so every length is one byte below 128.
	if len(sig) < 2 || len(sig) > MaxSignatureSize || sig[0] != 0x30 || int(sig[1]) != len(sig)-2 {
		return nil, nil, false
	}
	r, rest, ok := splitInteger(sig[2:])
	if !ok {
		return nil, nil, false
	}
	s, rest, ok = splitInteger(rest)
	return r, s, ok && len(rest) == 0
}

// splitInteger reads one positive INTEGER in its shortest form.
func splitInteger(b []byte) (n, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 2 || b[1] == 0 || int(b[1]) > len(b)-2 {
		return nil, nil, false
	}
	n, rest = b[2:2+b[1]], b[2+b[1]:]
	switch {
	case n[0] >= 0x80: // negative
		return nil, nil, false
	case n[0] == 0 && (len(n) == 1 || n[1] < 0x80): // zero, or longer than it has to be
		return nil, nil, false
	case n[0] == 0:
		n = n[1:]
	}
	return n, rest, true
}

// wide is n with leading zeros, 32 bytes.
func wide(n []byte) []byte {
	var b [32]byte
	copy(b[32-len(n):], n)
	return b[:]
}

// LowS returns the twin of a P-256 signature that [PublicKey.Verify] accepts. For
// callers who bring a signature from a foreign signer (a browser, a UKey) to the
// chain. A signature in another form than DER is [ErrEncoding].
func LowS(sig []byte) ([]byte, error) {
	r, s, ok := parseDER(sig)
	if !ok || s.Cmp(elliptic.P256().Params().N) >= 0 {
		return nil, ErrEncoding
	}
	if s.Cmp(halfP256) > 0 {
		s = new(big.Int).Sub(elliptic.P256().Params().N, s)
	}
	return asn1.Marshal(pair{r, s})
}
