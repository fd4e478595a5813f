package sdjwt

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Hidden marks a value of a template that the holder may show or keep: the value of
// a [Member], or an element of an [Array]. Its value may hold further ones.
type Hidden struct{ Value any }

// Decoy stands where a digest shall be that belongs to nothing, so that nobody can
// count what is hidden (RFC 9901, section 4.2.5): as an element of an array, or as
// the value of a member whose name is not used.
type Decoy struct{}

// Header is what an issuer says beside the algorithm.
type Header struct {
	Type  string   // empty: [TypeCredential]
	KeyID string   // "kid", may be empty
	Chain [][]byte // "x5c": certificates in DER, the signer's first; may be empty
}

// Draft is a template whose salts are drawn: each signature over it makes a twin
// with the same salts and values.
type Draft struct{ root Object }

// salted takes the place of Hidden in a draft, and with no value that of Decoy.
type salted struct {
	salt  string
	value any
	decoy bool
}

// Issued is one signed credential.
type Issued struct {
	Text        string   // <issuer-signed JWT>~<disclosure>~...~: to be stored and passed on as it is
	Disclosures []string // in the order in which the template has them
}

// alwaysVisible must not be in a disclosure at the top (invariant 4). "sub" and "iat"
// may (SD-JWT VC, section 3.2.2.2).
var alwaysVisible = []string{"iss", "nbf", "exp", "aud", "cnf", "vct", "vct#integrity", "status"}

// Prepare checks a template and draws a salt of 128 bits from random for each hidden
// value and each decoy. random is crypto/rand.Reader but in tests.
func Prepare(template Object, random io.Reader) (*Draft, error) {
	for _, m := range template {
		if _, hidden := m.Value.(Hidden); hidden && slices.Contains(alwaysVisible, m.Name) {
			return nil, fmt.Errorf("the claim %s must be visible", m.Name)
		}
		if m.Name == "_sd_alg" {
			return nil, errors.New("_sd_alg is set by the signature")
		}
	}
	s := salter{random: random}
	root, err := s.object(template, 1)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return &Draft{root}, nil
}

type salter struct {
	random  io.Reader
	digests int
}

func (s *salter) salt() (string, error) {
	if s.digests++; s.digests > MaxDisclosures {
		return "", fmt.Errorf("more than %d hidden values", MaxDisclosures)
	}
	raw := make([]byte, SaltSize)
	if _, err := io.ReadFull(s.random, raw); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	return Encode(raw), nil
}

func (s *salter) object(o Object, depth int) (Object, error) {
	out := make(Object, 0, len(o))
	seen := map[string]bool{}
	for _, m := range o {
		_, decoy := m.Value.(Decoy)
		switch {
		case m.Name == "_sd" || m.Name == "...":
			return nil, fmt.Errorf("the name %s is reserved", m.Name)
		case seen[m.Name] && !decoy:
			return nil, fmt.Errorf("the name %.40q comes twice", m.Name)
		}
		seen[m.Name] = seen[m.Name] || !decoy
		v, err := s.value(m.Value, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, Member{m.Name, v})
	}
	return out, nil
}

func (s *salter) value(v any, depth int) (any, error) {
	if depth > MaxDepth-2 { // a level for the array of the disclosure, one for the digest
		return nil, fmt.Errorf("more than %d levels", MaxDepth-2)
	}
	switch v := v.(type) {
	case nil, bool, int, int64, Number, string:
		return v, nil
	case Object:
		return s.object(v, depth)
	case Array:
		out := make(Array, 0, len(v))
		for _, e := range v {
			e, err := s.value(e, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		return out, nil
	case Decoy:
		salt, err := s.salt()
		return salted{salt: salt, decoy: true}, err
	case Hidden:
		if _, twice := v.Value.(Hidden); twice {
			return nil, errors.New("a value is hidden twice")
		}
		salt, err := s.salt()
		if err != nil {
			return nil, err
		}
		inner, err := s.value(v.Value, depth+1)
		return salted{salt: salt, value: inner}, err
	}
	return nil, fmt.Errorf("%T is no value of a template", v)
}

// Sign writes the credential with the algorithm and the hash of the key.
func (d *Draft) Sign(h Header, key Signer) (*Issued, error) {
	alg, err := AlgorithmOf(key.Public())
	if err != nil {
		return nil, err
	}
	w := writer{hash: alg.HashName()}
	payload := w.object(d.root)
	if w.digests > 0 {
		payload = append(payload, Member{"_sd_alg", w.hash})
	}
	head := Object{{"typ", TypeCredential}}
	if h.Type != "" {
		head[0].Value = h.Type
	}
	if h.KeyID != "" {
		head = append(head, Member{"kid", h.KeyID})
	}
	if len(h.Chain) > 0 {
		var chain Array
		for _, der := range h.Chain {
			chain = append(chain, standardBase64(der))
		}
		head = append(head, Member{"x5c", chain})
	}
	text, err := SignJWS(head, payload, key)
	if err != nil {
		return nil, fmt.Errorf("sign credential: %w", err)
	}
	return &Issued{join(text, w.disclosures), w.disclosures}, nil
}

// writer puts digests in the place of what is hidden.
type writer struct {
	hash        string
	disclosures []string
	digests     int
}

func (w *writer) object(o Object) Object {
	out := make(Object, 0, len(o)+1)
	var digests []string
	for _, m := range o {
		s, hidden := m.Value.(salted)
		switch {
		case hidden && s.decoy:
			digests = append(digests, w.decoy(s))
		case hidden:
			digests = append(digests, w.disclose(func(v any) Array { return Array{s.salt, m.Name, v} }, s.value))
		default:
			out = append(out, Member{m.Name, w.value(m.Value)})
		}
	}
	if len(digests) == 0 {
		return out
	}
	slices.Sort(digests) // their order must not tell which is which (RFC 9901, section 4.2.4.1)
	list := make(Array, len(digests))
	for i, d := range digests {
		list[i] = d
	}
	return append(out, Member{"_sd", list})
}

func (w *writer) value(v any) any {
	switch v := v.(type) {
	case Object:
		return w.object(v)
	case Array:
		out := make(Array, 0, len(v))
		for _, e := range v {
			s, hidden := e.(salted)
			switch {
			case hidden && s.decoy:
				out = append(out, Object{{"...", w.decoy(s)}})
			case hidden:
				out = append(out, Object{{"...", w.disclose(func(v any) Array { return Array{s.salt, v} }, s.value)}})
			default:
				out = append(out, w.value(e))
			}
		}
		return out
	}
	return v
}

// disclose writes one disclosure and returns its digest. Those within it come first.
func (w *writer) disclose(form func(any) Array, v any) string {
	text := Encode(AppendJSON(nil, form(w.value(v))))
	w.disclosures = append(w.disclosures, text)
	w.digests++
	return Digest(w.hash, text)
}

func (w *writer) decoy(s salted) string {
	w.digests++
	return Digest(w.hash, s.salt)
}
