package sm

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/emmansun/gmsm/sm2"
)

// Algorithm says what kind of key one is. The numbers are part of the chain.
type Algorithm uint8

// The kinds of keys. Number 4 is WebAuthn, which is a P-256 key inside an
// envelope of its own: its check lives with the identity rules.
const (
	SM2     Algorithm = 1 // SM2 with SM3 and the default user id, signature in DER
	P256    Algorithm = 2 // ECDSA on P-256 with SHA-256, signature in DER, s ≤ n/2
	Ed25519 Algorithm = 3 // pure Ed25519, signature of 64 bytes
)

// String returns the name in text forms of keys: "sm2", "p256", "ed25519".
func (a Algorithm) String() string {
	switch a {
	case SM2:
		return "sm2"
	case P256:
		return "p256"
	case Ed25519:
		return "ed25519"
	}
	return fmt.Sprintf("algorithm(%d)", uint8(a))
}

// ParseAlgorithm is the reverse of [Algorithm.String].
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range []Algorithm{SM2, P256, Ed25519} {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("key algorithm %.20q: known are sm2, p256 and ed25519", name)
}

// ErrKey is returned for bytes that are no public key in the one form that
// invariant 3 names.
var ErrKey = errors.New("not a public key")

// PublicKey is a verified public key. The zero value is no key: it verifies
// nothing. Values may be copied and used by many goroutines.
type PublicKey struct {
	k *parsed // nil: no key; never changed after parsing
}

// parsed is what the cache keeps of one key.
type parsed struct {
	alg Algorithm
	raw string           // the one byte form
	ec  *ecdsa.PublicKey // SM2, P-256
	ed  ed25519.PublicKey
	za  [32]byte // SM2: the hash of user id, curve and key that each signature begins with
	id  string

	often frequent // SM2: its multiples, if it comes often
}

// ParsePublic returns the key with the given bytes, or an error that wraps
// [ErrKey]. It does not keep raw.
func ParsePublic(alg Algorithm, raw []byte) (PublicKey, error) {
	if len(raw) > PointSize {
		return PublicKey{}, fmt.Errorf("%w: %d bytes", ErrKey, len(raw))
	}
	name := string(append([]byte{byte(alg)}, raw...))
	if k := keyCache.get(name); k != nil {
		return PublicKey{k}, nil
	}
	k := &parsed{alg: alg, raw: name[1:]}
	if err := k.parse(raw); err != nil {
		return PublicKey{}, fmt.Errorf("%w: %s: %w", ErrKey, alg, err)
	}
	k.id = keyID(alg, raw)
	keyCache.put(name, k)
	return PublicKey{k}, nil
}

func (k *parsed) parse(raw []byte) (err error) {
	switch k.alg {
	case SM2:
		if err := uncompressed(raw); err != nil {
			return err
		}
		if k.ec, err = sm2.NewPublicKey(raw); err != nil {
			return err
		}
		za, err := sm2.CalculateZA(k.ec, []byte(DefaultUserID))
		copy(k.za[:], za)
		return err
	case P256:
		if err := uncompressed(raw); err != nil {
			return err
		}
		k.ec, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
		return err
	case Ed25519:
		k.ed = ed25519.PublicKey(k.raw)
		return checkEdwards(raw)
	}
	return errors.New("unknown algorithm")
}

// uncompressed refuses the other forms of a point (compressed, hybrid, infinity),
// so that a key has one byte form whatever the libraries accept.
func uncompressed(raw []byte) error {
	if len(raw) != PointSize || raw[0] != 4 {
		return fmt.Errorf("want a point of %d bytes that begins with 04", PointSize)
	}
	return nil
}

// IsZero says that there is no key.
func (p PublicKey) IsZero() bool { return p.k == nil }

// Algorithm returns the kind of the key, 0 for the zero value.
func (p PublicKey) Algorithm() Algorithm {
	if p.k == nil {
		return 0
	}
	return p.k.alg
}

// Bytes returns a fresh copy of the one byte form of the key.
func (p PublicKey) Bytes() []byte {
	if p.k == nil {
		return nil
	}
	return []byte(p.k.raw)
}

// Equal says that the two are the same key, or both none.
func (p PublicKey) Equal(q PublicKey) bool {
	return p.Algorithm() == q.Algorithm() && (p.k == nil || p.k.raw == q.k.raw)
}

// ID returns the 16 hex digits by which people and logs name the key: the first 8
// bytes of the hash (SM3 for SM2, else SHA-256) of algorithm || bytes. Two keys of
// one id can be made with some 2^32 trials: look a key up by id only among the
// keys of one account, and where it must be certain use Bytes.
func (p PublicKey) ID() string {
	if p.k == nil {
		return ""
	}
	return p.k.id
}

func keyID(alg Algorithm, raw []byte) string {
	msg := append([]byte{byte(alg)}, raw...)
	h := SHA256(msg)
	if alg == SM2 {
		h = SM3(msg)
	}
	return hex.EncodeToString(h[:8])
}

// String returns the text form that [ParseText] reads: "sm2:04…", in lower-case hex.
func (p PublicKey) String() string {
	if p.k == nil {
		return ""
	}
	return p.k.alg.String() + ":" + hex.EncodeToString([]byte(p.k.raw))
}

// ParseText reads the text form of a key as [PublicKey.String] writes it.
func ParseText(text string) (PublicKey, error) {
	if len(text) > 16+2*PointSize {
		return PublicKey{}, fmt.Errorf("%w: text of %d bytes", ErrKey, len(text))
	}
	name, digits, ok := strings.Cut(text, ":")
	if !ok {
		return PublicKey{}, fmt.Errorf("%w: want ALGORITHM:HEX", ErrKey)
	}
	alg, err := ParseAlgorithm(name)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return ParsePublic(alg, raw)
}

// MarshalText and UnmarshalText let a key stand in JSON and YAML in its text form.
func (p PublicKey) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote; the empty text is no key.
func (p *PublicKey) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = PublicKey{}
		return nil
	}
	q, err := ParseText(string(text))
	if err == nil {
		*p = q
	}
	return err
}

// KeyExchange returns the P-256 key for use with HPKE; other kinds are refused.
func (p PublicKey) KeyExchange() (*ecdh.PublicKey, error) {
	if p.Algorithm() != P256 {
		return nil, fmt.Errorf("a key of kind %s cannot do ECDH on P-256", p.Algorithm())
	}
	return p.k.ec.ECDH()
}

// EncryptSM2 encrypts a short secret of at most [MaxWrapSize] bytes to an SM2 key,
// in the ASN.1 form of GB/T 35276-2017 (x, y, hash, cipher).
func (p PublicKey) EncryptSM2(secret []byte) ([]byte, error) {
	switch {
	case p.Algorithm() != SM2:
		return nil, fmt.Errorf("a key of kind %s cannot encrypt with SM2", p.Algorithm())
	case len(secret) == 0 || len(secret) > MaxWrapSize:
		return nil, fmt.Errorf("SM2 encrypts 1 to %d bytes, not %d", MaxWrapSize, len(secret))
	}
	return sm2.EncryptASN1(rand.Reader, p.k.ec, secret)
}
