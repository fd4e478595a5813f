package sdjwt

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Present returns the SD-JWT with those disclosures only that the paths need: the
// hidden values on the way to each path, and all that is hidden below it. A path
// that leads to nothing is an error, a path to a visible claim needs nothing.
// The result has no key binding: see [Bind].
func (t *Token) Present(paths ...Path) (string, error) {
	claims, shown, err := t.Expand()
	if err != nil {
		return "", err
	}
	keep := make([]bool, len(t.Disclosures))
	for _, p := range paths {
		found := len(p.At(claims)) > 0
		for _, s := range shown {
			if p.meets(s.Path) {
				keep[s.Disclosure] = true
				found = found || p.covers(s.Path)
			}
		}
		if !found {
			return "", fmt.Errorf("the credential has nothing at %v", []any(p))
		}
	}
	return t.only(shown, keep), nil
}

// PresentOnly is Present without what is hidden below a path: exactly the values
// that the paths name, with those on the way to them.
func (t *Token) PresentOnly(paths ...Path) (string, error) {
	_, shown, err := t.Expand()
	if err != nil {
		return "", err
	}
	keep := make([]bool, len(t.Disclosures))
	for _, s := range shown {
		keep[s.Disclosure] = slices.ContainsFunc(paths, func(p Path) bool { return s.Path.covers(p) || len(s.Path) == len(p) && p.covers(s.Path) })
	}
	return t.only(shown, keep), nil
}

// only joins the disclosures that are kept, and those in which they stand.
func (t *Token) only(shown []Shown, keep []bool) string {
	within := make([]int, len(t.Disclosures))
	for _, s := range shown {
		within[s.Disclosure] = s.Within
	}
	for i := range keep {
		for up := i; keep[i] && up >= 0; up = within[up] {
			keep[up] = true
		}
	}
	var texts []string
	for i, d := range t.Disclosures {
		if keep[i] {
			texts = append(texts, d.Text)
		}
	}
	return join(t.issued, texts)
}

// Request is what a verifier gave the holder to bind his presentation to.
type Request struct {
	Audience    string   // "aud": the verifier
	Nonce       string   // the verifier's, fresh
	Transaction []string // elements of transaction_data as they stood in the request
}

// Bind appends a key binding JWT to an SD-JWT (RFC 9901, section 4.3), signed by the
// key of the credential's cnf. The result is the presentation.
func Bind(text string, r Request, key Signer, now time.Time) (string, error) {
	t, err := Parse(text)
	switch {
	case err != nil:
		return "", err
	case t.Binding != "":
		return "", errors.New("the presentation is bound already")
	case r.Audience == "" || r.Nonce == "":
		return "", errors.New("a presentation is bound to an audience and a nonce")
	case len(r.Transaction) > MaxTransaction:
		return "", fmt.Errorf("at most %d elements of transaction_data", MaxTransaction)
	}
	holder, err := t.holder()
	if err != nil {
		return "", err
	}
	if !holder.Equal(key.Public()) {
		return "", errors.New("the credential is bound to another key")
	}
	payload := Object{
		{"iat", now.Unix()},
		{"aud", r.Audience},
		{"nonce", r.Nonce},
		{"sd_hash", Digest(t.hash, text)},
	}
	if len(r.Transaction) > 0 {
		list := make(Array, len(r.Transaction))
		for i, d := range r.Transaction {
			list[i] = Digest(t.hash, d)
		}
		payload = append(payload, Member{"transaction_data_hashes", list}, Member{"transaction_data_hashes_alg", t.hash})
	}
	binding, err := SignJWS(Object{{"typ", TypeBinding}}, payload, key)
	if err != nil {
		return "", fmt.Errorf("sign key binding: %w", err)
	}
	return text + binding, nil
}
