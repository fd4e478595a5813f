package sdjwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Token is a credential or a presentation as it came: taken apart, not yet verified.
type Token struct {
	Issuer      *JWS         // the issuer-signed JWT
	Disclosures []Disclosure // in the order in which they came
	Binding     string       // the key binding JWT as it came, "" if there is none
	issued      string       // the text of the issuer-signed JWT
	hash        string       // of the digests
}

// Disclosure is one hidden value, opened.
type Disclosure struct {
	Text    string // base64url as it came: what the digest is made of
	Digest  string
	Element bool   // an element of an array, which has no name
	Name    string // of a member
	Value   any    // may hold digests of further disclosures
}

// Parse takes apart what an issuer or a holder sent, in compact form. It checks form
// and bounds, no signature and no digest.
func Parse(text string) (*Token, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("a token of %d bytes: at most %d", len(text), MaxText)
	}
	if strings.Count(text, "~") > MaxDisclosures+1 {
		return nil, fmt.Errorf("more than %d disclosures", MaxDisclosures)
	}
	parts := strings.Split(text, "~")
	if len(parts) < 2 {
		return nil, errors.New("an SD-JWT has a ~ behind the issuer-signed JWT")
	}
	t := &Token{issued: parts[0], Binding: parts[len(parts)-1]}
	var err error
	if t.Issuer, err = ParseJWS(t.issued); err != nil {
		return nil, fmt.Errorf("issuer-signed JWT: %w", err)
	}
	t.hash = "sha-256"
	if v, given := t.Issuer.Payload.Get("_sd_alg"); given {
		t.hash, _ = v.(string)
	}
	if t.hash != t.Issuer.Algorithm().HashName() {
		return nil, fmt.Errorf("_sd_alg %.20q does not belong to %s", t.hash, t.Issuer.Algorithm())
	}
	for i, part := range parts[1 : len(parts)-1] {
		d, err := parseDisclosure(part)
		if err != nil {
			return nil, fmt.Errorf("disclosure %d: %w", i+1, err)
		}
		d.Digest = Digest(t.hash, part)
		t.Disclosures = append(t.Disclosures, d)
	}
	return t, nil
}

func parseDisclosure(text string) (Disclosure, error) {
	raw, err := Decode(text)
	if err != nil {
		return Disclosure{}, err
	}
	v, err := ParseJSON(raw)
	if err != nil {
		return Disclosure{}, err
	}
	list, _ := v.(Array)
	if len(list) != 2 && len(list) != 3 {
		return Disclosure{}, errors.New("want an array of two or three elements")
	}
	if _, isText := list[0].(string); !isText {
		return Disclosure{}, errors.New("the salt is no string")
	}
	d := Disclosure{Text: text, Element: len(list) == 2, Value: list[len(list)-1]}
	if !d.Element {
		name, isText := list[1].(string)
		if !isText || name == "_sd" || name == "..." {
			return Disclosure{}, errors.New("the name is no string, or reserved")
		}
		d.Name = name
	}
	return d, nil
}

// Text returns the SD-JWT without key binding: what sd_hash is made of when all
// disclosures are shown.
func (t *Token) Text() string {
	texts := make([]string, len(t.Disclosures))
	for i, d := range t.Disclosures {
		texts[i] = d.Text
	}
	return join(t.issued, texts)
}

// HashName returns the hash of the digests and of sd_hash.
func (t *Token) HashName() string { return t.hash }

func join(issued string, disclosures []string) string {
	var b strings.Builder
	b.WriteString(issued)
	b.WriteByte('~')
	for _, d := range disclosures {
		b.WriteString(d)
		b.WriteByte('~')
	}
	return b.String()
}

func standardBase64(der []byte) string { return base64.StdEncoding.EncodeToString(der) }
