package safebox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/seal"
	"mulian/internal/sm"
)

// Why something of a box cannot be made or opened.
var (
	ErrOpen  = errors.New("it cannot be opened: other key, other context, or changed on the way")
	ErrForm  = errors.New("not the form of a box's file")
	ErrBound = errors.New("over a bound of the safe box")
	ErrSuite = errors.New("the vault has no key of this suite")
)

// The suites, as the ledger counts them.
const (
	SM     = safeboxv1.SealSuite_SEAL_SUITE_SM
	P256   = safeboxv1.SealSuite_SEAL_SUITE_P256
	Hybrid = safeboxv1.SealSuite_SEAL_SUITE_HYBRID
)

// suiteName stands in the derivation of a suite's private key.
var suiteName = map[safeboxv1.SealSuite]string{SM: "sm2", P256: "p256", Hybrid: "mlkem768-p256"}

// kem returns the KEM of a suite of HPKE, nil for others.
func kem(s safeboxv1.SealSuite) hpke.KEM {
	switch s {
	case P256:
		return hpke.DHKEM(ecdh.P256())
	case Hybrid:
		return hpke.MLKEM768P256()
	}
	return nil
}

// keyBytes returns the length of an item's key in the suite, 0 for an unknown one.
func keyBytes(s safeboxv1.SealSuite) int {
	switch s {
	case SM:
		return sm.SM4KeySize
	case P256, Hybrid:
		return 32
	}
	return 0
}

// newAEAD returns the cipher of the suite's content.
func newAEAD(s safeboxv1.SealSuite, key []byte) (cipher.AEAD, error) {
	if n := keyBytes(s); n == 0 || len(key) != n {
		return nil, fmt.Errorf("%w: a key of %d bytes for suite %d", ErrForm, len(key), s)
	}
	if s == SM {
		return sm.NewSM4GCM(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// privateKey is one of a vault.
type privateKey struct {
	suite safeboxv1.SealSuite
	sm2   sm.PrivateKey
	hpke  hpke.PrivateKey
}

// derive makes the suite's private key of a seed.
func derive(seed [32]byte, s safeboxv1.SealSuite) (privateKey, error) {
	name, ok := suiteName[s]
	if !ok {
		return privateKey{}, fmt.Errorf("%w: %d", ErrSuite, s)
	}
	n := 32
	if s == SM {
		n = 40 // 64 bits more than n has: what is left of the bias is below 2^-64
	}
	ikm, err := hkdf.Key(sha256.New, seed[:], []byte("mulian/vault/v1"), name, n)
	if err != nil {
		return privateKey{}, err
	}
	if s == SM {
		k, err := sm.FromSeed(sm.SM2, scalarOfSM2(ikm))
		return privateKey{suite: s, sm2: k}, err
	}
	k, err := kem(s).DeriveKeyPair(ikm)
	return privateKey{suite: s, hpke: k}, err
}

// orderOfSM2 is the order n of SM2's group less one (GB/T 32918.5-2017).
var orderOfSM2, _ = new(big.Int).SetString("FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54122", 16)

// scalarOfSM2 makes of bytes a number from 1 to n-2, which is what SM2 wants of a key.
func scalarOfSM2(ikm []byte) (d [32]byte) {
	bound := new(big.Int).Sub(orderOfSM2, big.NewInt(1))
	k := new(big.Int).SetBytes(ikm)
	k.Add(k.Mod(k, bound), big.NewInt(1)).FillBytes(d[:])
	return d
}

func (k privateKey) public() *safeboxv1.VaultKey {
	if k.suite == SM {
		return &safeboxv1.VaultKey{Suite: SM, PublicKey: k.sm2.Public().Bytes()}
	}
	return &safeboxv1.VaultKey{Suite: k.suite, PublicKey: k.hpke.PublicKey().Bytes()}
}

// closeTo closes a short secret to a public key; info is bound, not sent.
func closeTo(k *safeboxv1.VaultKey, info, secret []byte) ([]byte, error) {
	if k.GetSuite() == SM {
		pub, err := sm.ParsePublic(sm.SM2, k.PublicKey)
		if err != nil {
			return nil, err
		}
		return seal.Seal(pub, info, secret)
	}
	m := kem(k.GetSuite())
	if m == nil {
		return nil, fmt.Errorf("%w: %d", ErrSuite, k.GetSuite())
	}
	pub, err := m.NewPublicKey(k.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	return hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info, secret)
}

// open opens what closeTo closed.
func (k privateKey) open(info, box []byte) ([]byte, error) {
	var out []byte
	var err error
	if k.suite == SM {
		out, err = seal.Open(k.sm2, info, box)
	} else {
		out, err = hpke.Open(k.hpke, hpke.HKDFSHA256(), hpke.AES256GCM(), info, box)
	}
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

// random returns n fresh bytes. crypto/rand ends the process rather than fail.
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// digest is SHA-256 of a frame, as a slice.
func digest(domain string, parts ...[]byte) []byte {
	d := canon.Digest(domain, parts...)
	return d[:]
}
