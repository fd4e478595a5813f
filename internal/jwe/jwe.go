// Package jwe closes a message to a P-256 key that was made for one request, in the one
// form that OpenID4VP's direct_post.jwt needs: compact JWE, ECDH-ES without key wrapping,
// AES-GCM.
//
// It is not how records travel between gateways (internal/seal). It says nothing of who
// closed the message: whoever knows the key can. No other algorithm, no compression, no
// critical header is understood.
//
//	Seal(public key, plaintext) ──▶ header..iv.ciphertext.tag ──Open(private key)──▶ plaintext
//
// # Invariants
//
//  1. Open returns the plaintext only if the tag holds over header and ciphertext.
//  2. A point that is not on the curve is refused before it is used.
//  3. The header is strict JSON: a name that comes twice, padding or stray bits refuse it.
//
// Sources: RFC 7516 (JWE), RFC 7518 sections 4.6 and 5.3 and appendix C (ECDH-ES, AES-GCM),
// NIST SP 800-56A section 5.8.1 (concatenation key derivation), OpenID4VP 1.0 section 8.3.
package jwe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"mulian/internal/sdjwt"
)

// MaxText bounds a message as it travels: presentations of MaxText bytes with their
// base64url fit.
const MaxText = 512 << 10

// ErrMessage says that a message cannot be opened: another form, another key, or changed.
var ErrMessage = errors.New("not a message that this key opens")

// Encryption is a content encryption algorithm.
type Encryption string

// The two that OpenID4VP asks for.
const (
	A128GCM Encryption = "A128GCM"
	A256GCM Encryption = "A256GCM"
)

func (e Encryption) keySize() int {
	switch e {
	case A128GCM:
		return 16
	case A256GCM:
		return 32
	}
	return 0
}

// derive is the concatenation key derivation of RFC 7518, 4.6.2, for one round of SHA-256.
func derive(secret []byte, e Encryption, apu, apv []byte) []byte {
	h := sha256.New()
	var n [4]byte
	number := func(v int) { binary.BigEndian.PutUint32(n[:], uint32(v)); h.Write(n[:]) }
	number(1)
	h.Write(secret)
	for _, part := range [][]byte{[]byte(e), apu, apv} {
		number(len(part))
		h.Write(part)
	}
	number(8 * e.keySize())
	return h.Sum(nil)[:e.keySize()]
}

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// JWK is the public key with the members of RFC 7517 that a sender needs.
func JWK(pub *ecdh.PublicKey, kid string) sdjwt.Object {
	o := point(pub)
	return append(o, sdjwt.Member{Name: "use", Value: "enc"}, sdjwt.Member{Name: "alg", Value: "ECDH-ES"}, sdjwt.Member{Name: "kid", Value: kid})
}

func point(pub *ecdh.PublicKey) sdjwt.Object {
	b := pub.Bytes() // 04 || x || y
	return sdjwt.Object{{Name: "kty", Value: "EC"}, {Name: "crv", Value: "P-256"}, {Name: "x", Value: sdjwt.Encode(b[1:33])}, {Name: "y", Value: sdjwt.Encode(b[33:])}}
}

// ParseJWK reads a P-256 key: ErrMessage.
func ParseJWK(o sdjwt.Object) (*ecdh.PublicKey, error) {
	x, errX := sdjwt.Decode(o.Text("x"))
	y, errY := sdjwt.Decode(o.Text("y"))
	if o.Text("kty") != "EC" || o.Text("crv") != "P-256" || errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return nil, fmt.Errorf("%w: not a key of P-256", ErrMessage)
	}
	pub, err := ecdh.P256().NewPublicKey(append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return pub, nil
}

// Seal closes plaintext to pub. kid names the key, as its JWK does; empty: not named.
func Seal(pub *ecdh.PublicKey, kid string, e Encryption, plaintext []byte) (string, error) {
	if e.keySize() == 0 {
		return "", fmt.Errorf("seal: no algorithm %q", e)
	}
	once, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	secret, err := once.ECDH(pub)
	if err != nil {
		return "", err
	}
	header := sdjwt.Object{{Name: "alg", Value: "ECDH-ES"}, {Name: "enc", Value: string(e)}}
	if kid != "" {
		header = append(header, sdjwt.Member{Name: "kid", Value: kid})
	}
	header = append(header, sdjwt.Member{Name: "epk", Value: point(once.PublicKey())})
	protected := sdjwt.Encode(sdjwt.AppendJSON(nil, header))
	box, err := aead(derive(secret, e, nil, nil))
	if err != nil {
		return "", err
	}
	iv := make([]byte, box.NonceSize())
	_, _ = rand.Read(iv) // never fails (crypto/rand)
	sealed := box.Seal(nil, iv, plaintext, []byte(protected))
	cut := len(sealed) - box.Overhead()
	return strings.Join([]string{protected, "", sdjwt.Encode(iv), sdjwt.Encode(sealed[:cut]), sdjwt.Encode(sealed[cut:])}, "."), nil
}

// KeyID returns the kid that a message names, unchecked: to find the key to open it with.
func KeyID(text string) string {
	protected, _, _ := strings.Cut(text, ".")
	raw, err := sdjwt.Decode(protected)
	if err != nil || len(text) > MaxText {
		return ""
	}
	header, err := sdjwt.ParseObject(raw)
	if err != nil {
		return ""
	}
	return header.Text("kid")
}

// Open returns what was sealed to priv: ErrMessage.
func Open(priv *ecdh.PrivateKey, text string) ([]byte, error) {
	parts := strings.Split(text, ".")
	if len(text) > MaxText || len(parts) != 5 || parts[1] != "" {
		return nil, fmt.Errorf("%w: not five parts with an empty key", ErrMessage)
	}
	raw := make([][]byte, 5)
	for i, p := range parts {
		var err error
		if raw[i], err = sdjwt.Decode(p); err != nil {
			return nil, fmt.Errorf("%w: part %d is no base64url", ErrMessage, i+1)
		}
	}
	header, err := sdjwt.ParseObject(raw[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	e := Encryption(header.Text("enc"))
	_, crit := header.Get("crit")
	_, zip := header.Get("zip")
	epk, _ := header.Get("epk")
	from, _ := epk.(sdjwt.Object)
	if header.Text("alg") != "ECDH-ES" || e.keySize() == 0 || crit || zip {
		return nil, fmt.Errorf("%w: alg %q, enc %q", ErrMessage, header.Text("alg"), e)
	}
	pub, err := ParseJWK(from)
	if err != nil {
		return nil, err
	}
	apu, errU := sdjwt.Decode(header.Text("apu"))
	apv, errV := sdjwt.Decode(header.Text("apv"))
	if errU != nil || errV != nil {
		return nil, fmt.Errorf("%w: apu or apv", ErrMessage)
	}
	secret, err := priv.ECDH(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	box, err := aead(derive(secret, e, apu, apv))
	if err != nil {
		return nil, err
	}
	if len(raw[2]) != box.NonceSize() || len(raw[4]) != box.Overhead() {
		return nil, fmt.Errorf("%w: iv of %d bytes, tag of %d", ErrMessage, len(raw[2]), len(raw[4]))
	}
	plain, err := box.Open(nil, raw[2], append(raw[3], raw[4]...), []byte(parts[0]))
	if err != nil {
		return nil, ErrMessage
	}
	return plain, nil
}
