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
		if _, _, ok := parseDER(sig); !ok {
			return ErrEncoding
		}
		h := sm3.New()
		h.Write(p.k.za[:])
		h.Write(msg)
		valid = sm2.VerifyASN1(p.k.ec, h.Sum(nil), sig)
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

// parseDER reads two positive integers and accepts only the bytes that encoding
// them again gives.
func parseDER(sig []byte) (r, s *big.Int, ok bool) {
	if len(sig) > MaxSignatureSize {
		return nil, nil, false
	}
	var p pair
	rest, err := asn1.Unmarshal(sig, &p)
	if err != nil || len(rest) != 0 || p.R.Sign() <= 0 || p.S.Sign() <= 0 {
		return nil, nil, false
	}
	again, err := asn1.Marshal(p)
	return p.R, p.S, err == nil && string(again) == string(sig)
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
