package sdjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"

	"mulian/internal/sm"
)

// Signer is a key that signs: [sm.PrivateKey], or one that stays in its hardware.
type Signer interface {
	Sign(msg []byte) ([]byte, error) // DER, as sm.PrivateKey does
	Public() sm.PublicKey
}

// Algorithm is the name of a signature algorithm in a JOSE header.
type Algorithm string

// The two algorithms that are understood; see the package comment.
const (
	ES256  Algorithm = "ES256"
	SM2SM3 Algorithm = "SM2-SM3"
)

// AlgorithmOf returns the one algorithm that belongs to a key.
func AlgorithmOf(key sm.PublicKey) (Algorithm, error) {
	switch key.Algorithm() {
	case sm.P256:
		return ES256, nil
	case sm.SM2:
		return SM2SM3, nil
	}
	return "", fmt.Errorf("a credential is signed by a key of P-256 or SM2, not of %s", key.Algorithm())
}

// HashName returns the name of the hash of the digests: "sha-256" or "sm3".
func (a Algorithm) HashName() string {
	if a == SM2SM3 {
		return "sm3"
	}
	return "sha-256"
}

// newHash returns the hash of a name, nil for one that is not understood.
func newHash(name string) hash.Hash {
	switch name {
	case "sha-256":
		return sha256.New()
	case "sm3":
		return sm.NewSM3()
	}
	return nil
}

// Digest returns the base64url of the hash of a text: of a disclosure, of a
// presentation (sd_hash), of an element of transaction_data. The empty text for a
// hash that is not understood.
func Digest(hashName, text string) string {
	h := newHash(hashName)
	if h == nil {
		return ""
	}
	h.Write([]byte(text))
	return Encode(h.Sum(nil))
}

// Encode writes base64url without padding (RFC 7515, section 2).
func Encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// Decode reads what [Encode] writes and nothing else: no padding, no line breaks
// (which the standard library would skip), no bits that are left over.
func Decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("a line break in base64url")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("not base64url: %w", err)
	}
	return raw, nil
}

// JWS is a compact JWS that was taken apart but not yet checked.
type JWS struct {
	Header    Object
	Payload   Object
	signed    string // "header.payload" as it came
	signature []byte
}

// ParseJWS takes a compact JWS apart. It accepts one of the two algorithms and no
// "crit": an extension that is not understood must be refused (RFC 7515, 4.1.11).
func ParseJWS(text string) (*JWS, error) { return ParseBoundedJWS(text, MaxText) }

// ParseBoundedJWS is [ParseJWS] with another bound of its bytes, for what is no
// credential: a status list.
func ParseBoundedJWS(text string, maxBytes int) (*JWS, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("a JWS of %d bytes: at most %d", len(text), maxBytes)
	}
	head, rest, ok := strings.Cut(text, ".")
	body, tail, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(tail, ".") {
		return nil, errors.New("a JWS has three parts")
	}
	if len(head) > MaxHeader {
		return nil, fmt.Errorf("a JWS header of %d bytes: at most %d", len(head), MaxHeader)
	}
	j := &JWS{signed: text[:len(head)+1+len(body)]}
	var err error
	if j.Header, err = parsePart(head); err != nil {
		return nil, fmt.Errorf("JWS header: %w", err)
	}
	if j.Payload, err = parsePart(body); err != nil {
		return nil, fmt.Errorf("JWS payload: %w", err)
	}
	if j.signature, err = Decode(tail); err != nil {
		return nil, fmt.Errorf("JWS signature: %w", err)
	}
	if _, critical := j.Header.Get("crit"); critical {
		return nil, errors.New("the header has critical extensions")
	}
	if a := j.Algorithm(); a != ES256 && a != SM2SM3 {
		return nil, fmt.Errorf("algorithm %.20q: known are ES256 and SM2-SM3", a)
	}
	return j, nil
}

func parsePart(text string) (Object, error) {
	raw, err := Decode(text)
	if err != nil {
		return nil, err
	}
	return parseObject(raw, len(raw))
}

// Algorithm returns what the header names.
func (j *JWS) Algorithm() Algorithm { return Algorithm(j.Header.Text("alg")) }

// Type returns the "typ" of the header.
func (j *JWS) Type() string { return j.Header.Text("typ") }

// Check verifies the signature. The algorithm must be the key's own.
func (j *JWS) Check(key sm.PublicKey) error {
	want, err := AlgorithmOf(key)
	if err != nil {
		return err
	}
	if got := j.Algorithm(); got != want {
		return fmt.Errorf("signed with %s by a key of %s", got, want)
	}
	der, err := sm.SignatureFromRaw(j.signature)
	if err != nil {
		return err
	}
	// Both twins of an ECDSA signature: other issuers write the high one, too.
	if !key.VerifyForeign([]byte(j.signed), der) {
		return errors.New("the signature does not belong to this key and text")
	}
	return nil
}

// SignJWS signs a payload. header gets "alg" in front; it must have none of its own.
func SignJWS(header, payload Object, key Signer) (string, error) {
	alg, err := AlgorithmOf(key.Public())
	if err != nil {
		return "", err
	}
	header = append(Object{{"alg", string(alg)}}, header...)
	text := Encode(AppendJSON(nil, header)) + "." + Encode(AppendJSON(nil, payload))
	der, err := key.Sign([]byte(text))
	if err != nil {
		return "", err
	}
	raw, err := sm.RawSignature(der)
	if err != nil {
		return "", err
	}
	return text + "." + Encode(raw), nil
}

// JWK returns the public key as a JWK (RFC 7517). The curve of an SM2 key has the
// private name "SM2".
func JWK(key sm.PublicKey) (Object, error) {
	curve := "P-256"
	switch key.Algorithm() {
	case sm.P256:
	case sm.SM2:
		curve = "SM2"
	default:
		return nil, fmt.Errorf("no JWK for a key of %s", key.Algorithm())
	}
	point := key.Bytes() // 04 || x || y
	return Object{{"kty", "EC"}, {"crv", curve}, {"x", Encode(point[1:33])}, {"y", Encode(point[33:])}}, nil
}

// ParseJWK reads a public key of the curves P-256 and SM2. Members that it does not
// know are ignored (RFC 7517, section 4), but a private key is refused: whoever
// sends one has lost it.
func ParseJWK(o Object) (sm.PublicKey, error) {
	if o.Text("kty") != "EC" {
		return sm.PublicKey{}, errors.New("JWK: want kty EC")
	}
	if _, private := o.Get("d"); private {
		return sm.PublicKey{}, errors.New("JWK: holds a private key")
	}
	var alg sm.Algorithm
	switch crv := o.Text("crv"); crv {
	case "P-256":
		alg = sm.P256
	case "SM2":
		alg = sm.SM2
	default:
		return sm.PublicKey{}, fmt.Errorf("JWK: curve %.20q: known are P-256 and SM2", crv)
	}
	x, errX := Decode(o.Text("x"))
	y, errY := Decode(o.Text("y"))
	if errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return sm.PublicKey{}, errors.New("JWK: x and y must be 32 bytes each")
	}
	return sm.ParsePublic(alg, append(append([]byte{4}, x...), y...))
}

// Thumbprint returns the name of a key by its content (RFC 7638, SHA-256): the
// "kid" of our issuers.
func Thumbprint(key sm.PublicKey) (string, error) {
	jwk, err := JWK(key)
	if err != nil {
		return "", err
	}
	sorted := Object{jwk[1], jwk[0], jwk[2], jwk[3]} // crv, kty, x, y
	return Digest("sha-256", string(AppendJSON(nil, sorted))), nil
}
