package sm

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"
)

// PrivateKey signs and, for SM2 and P-256, opens what was sealed to it. The zero
// value is no key. Values may be copied and used by many goroutines.
type PrivateKey struct {
	pub PublicKey
	key any // *sm2.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey
}

// Generate makes a new key from the randomness of the operating system.
func Generate(alg Algorithm) (PrivateKey, error) {
	switch alg {
	case SM2:
		key, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			return PrivateKey{}, fmt.Errorf("generate SM2 key: %w", err)
		}
		return wrap(key)
	case P256:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return PrivateKey{}, fmt.Errorf("generate P-256 key: %w", err)
		}
		return wrap(key)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return PrivateKey{}, fmt.Errorf("generate Ed25519 key: %w", err)
		}
		return wrap(key)
	}
	return PrivateKey{}, fmt.Errorf("cannot generate a key of %s", alg)
}

// FromSeed returns the key that 32 bytes stand for: the scalar of SM2 and P-256,
// the seed of Ed25519. It is for test vectors and for the demo city, whose people
// have the same keys in each run; a real key comes from [Generate].
func FromSeed(alg Algorithm, seed [32]byte) (PrivateKey, error) {
	switch alg {
	case SM2:
		key, err := sm2.NewPrivateKey(seed[:])
		if err != nil {
			return PrivateKey{}, fmt.Errorf("SM2 key from seed: %w", err)
		}
		return wrap(key)
	case P256:
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
		if err != nil {
			return PrivateKey{}, fmt.Errorf("P-256 key from seed: %w", err)
		}
		return wrap(key)
	case Ed25519:
		return wrap(ed25519.NewKeyFromSeed(seed[:]))
	}
	return PrivateKey{}, fmt.Errorf("cannot make a key of %s", alg)
}

func wrap(key any) (PrivateKey, error) {
	var alg Algorithm
	var raw []byte
	var err error
	switch key := key.(type) {
	case *sm2.PrivateKey:
		alg = SM2
		//lint:ignore SA1019 the standard library has no other way for a curve of others
		raw = elliptic.Marshal(key.Curve, key.X, key.Y)
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() {
			return PrivateKey{}, fmt.Errorf("the curve %s is not supported, only P-256 and SM2", key.Params().Name)
		}
		alg = P256
		if raw, err = key.PublicKey.Bytes(); err != nil {
			return PrivateKey{}, err
		}
	case ed25519.PrivateKey:
		alg, raw = Ed25519, key.Public().(ed25519.PublicKey)
	default:
		return PrivateKey{}, fmt.Errorf("a key of type %T is not supported: want SM2, P-256 or Ed25519", key)
	}
	pub, err := ParsePublic(alg, raw)
	if err != nil {
		return PrivateKey{}, err
	}
	return PrivateKey{pub: pub, key: key}, nil
}

// IsZero says that there is no key.
func (k PrivateKey) IsZero() bool { return k.key == nil }

// Algorithm returns the kind of the key, 0 for the zero value.
func (k PrivateKey) Algorithm() Algorithm { return k.pub.Algorithm() }

// Public returns the public half.
func (k PrivateKey) Public() PublicKey { return k.pub }

// Sign returns a signature of msg (not of a hash) that Public().Verify accepts.
// SM2 and P-256 signatures differ from call to call, in 68 to 72 bytes mostly.
func (k PrivateKey) Sign(msg []byte) ([]byte, error) {
	switch key := k.key.(type) {
	case *sm2.PrivateKey:
		h := sm3.New()
		h.Write(k.pub.k.za[:])
		h.Write(msg)
		sig, err := sm2.SignASN1(rand.Reader, key, h.Sum(nil), nil)
		if err != nil {
			return nil, fmt.Errorf("sign with SM2 key %s: %w", k.pub.ID(), err)
		}
		return sig, nil
	case *ecdsa.PrivateKey:
		h := sha256.Sum256(msg)
		sig, err := ecdsa.SignASN1(rand.Reader, key, h[:])
		if err != nil {
			return nil, fmt.Errorf("sign with P-256 key %s: %w", k.pub.ID(), err)
		}
		return LowS(sig)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, msg), nil
	}
	return nil, errors.New("sign: there is no key")
}

// KeyExchange returns the P-256 key for use with HPKE; other kinds are refused.
func (k PrivateKey) KeyExchange() (*ecdh.PrivateKey, error) {
	key, ok := k.key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of kind %s cannot do ECDH on P-256", k.Algorithm())
	}
	return key.ECDH()
}

// DecryptSM2 opens what [PublicKey.EncryptSM2] made, in ASN.1 form only.
func (k PrivateKey) DecryptSM2(box []byte) ([]byte, error) {
	key, ok := k.key.(*sm2.PrivateKey)
	switch {
	case !ok:
		return nil, fmt.Errorf("a key of kind %s cannot decrypt with SM2", k.Algorithm())
	case len(box) > MaxWrapSize+128 || len(box) == 0 || box[0] != 0x30:
		return nil, errors.New("not an SM2 ciphertext in ASN.1 form")
	}
	secret, err := key.Decrypt(nil, box, sm2.ASN1DecrypterOpts)
	if err != nil {
		return nil, fmt.Errorf("decrypt with SM2 key %s: %w", k.pub.ID(), err)
	}
	return secret, nil
}

const pemType = "PRIVATE KEY"

// Marshal returns the key as PKCS#8 in PEM, the form of key files and of openssl.
// The result is the secret.
func (k PrivateKey) Marshal() ([]byte, error) {
	if k.key == nil {
		return nil, errors.New("marshal private key: there is no key")
	}
	var der []byte
	var err error
	if key, ok := k.key.(*sm2.PrivateKey); ok {
		der, err = smx509.MarshalPKCS8PrivateKey(key)
	} else {
		der, err = x509.MarshalPKCS8PrivateKey(k.key)
	}
	if err != nil {
		return nil, fmt.Errorf("marshal private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// ParsePrivate reads one unencrypted PKCS#8 key in PEM, with nothing before or
// behind it but white space.
func ParsePrivate(text []byte) (PrivateKey, error) {
	if len(text) > MaxKeyFileSize {
		return PrivateKey{}, fmt.Errorf("private key of %d bytes: at most %d", len(text), MaxKeyFileSize)
	}
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return PrivateKey{}, errors.New("no PEM block: want -----BEGIN PRIVATE KEY-----")
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return PrivateKey{}, errors.New("the private key is encrypted: decrypt it with openssl pkcs8 into a file of mode 0600")
	case block.Type != pemType:
		return PrivateKey{}, fmt.Errorf("PEM block %.40q: want PRIVATE KEY (PKCS#8); openssl pkcs8 -topk8 -nocrypt converts", block.Type)
	case len(trimSpace(rest)) != 0:
		return PrivateKey{}, errors.New("something follows the private key: one file holds one key")
	}
	key, err := smx509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("private key: %w", err)
	}
	return wrap(key)
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\r' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// String names the key without telling it.
func (k PrivateKey) String() string {
	if k.key == nil {
		return "no private key"
	}
	return "private key " + k.pub.ID() + " (" + k.Algorithm().String() + ")"
}

// GoString is String: %#v must not print the fields.
func (k PrivateKey) GoString() string { return k.String() }

// Format is String for every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue is String: a log never holds a key.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
