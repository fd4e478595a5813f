package sdjwt

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"mulian/internal/sm"
)

// Status is an entry of a status list: two bits.
type Status uint8

// The values of draft-ietf-oauth-status-list, section 7.1.
const (
	Valid       Status = 0
	Invalid     Status = 1
	Suspended   Status = 2
	Application Status = 3 // ours: replaced by a newer credential
)

// StatusAt says where the status of a credential stands.
type StatusAt struct {
	URI   string
	Index int64
}

// Signature is what the issuer of a credential says of himself, before anybody
// knows that it is true: enough to look his key up.
type Signature struct {
	Issuer    string // "iss"
	KeyID     string // "kid"
	Algorithm Algorithm
	Type      string   // "vct"
	Chain     [][]byte // "x5c" in DER; an x5c that is no list of certificates is refused before
	IssuedAt  int64    // "iat", 0 without
}

// Policy is what a verifier asks of a presentation. Keys is required; whatever else
// is zero is not asked for, except what its comment says.
type Policy struct {
	Keys    func(Signature) (sm.PublicKey, error) // the key of an issuer; an error is [UnknownIssuer]
	Now     time.Time                             // zero: no claim of time is looked at
	Leeway  time.Duration                         // for clocks that differ; zero: one minute
	Types   []string                              // accepted header types; nil: dc+sd-jwt
	Accept  []string                              // accepted vct; nil: any, but one must be there when the type is dc+sd-jwt
	Holder  bool                                  // a key binding must be there, and [Policy.Request] is checked against it
	Request Request                               // what the holder had to bind to
	MaxAge  time.Duration                         // of the key binding; zero: five minutes
	Require []Path                                // must be there
	Allow   []Path                                // what may be disclosed, with Require; nil: anything
	Status  func(context.Context, StatusAt) (Status, error)
	Lenient bool // a status that cannot be asked does not refuse; [Verified.StatusKnown] says so
}

// Verified is what a verifier may rely on.
type Verified struct {
	Signature   Signature
	Claims      Object // with the shown values in their places
	Shown       []Shown
	Key         sm.PublicKey // the issuer's
	Holder      sm.PublicKey // of cnf; zero if the credential has none
	Bound       bool         // the holder proved his key for this request
	StatusAt    *StatusAt    // nil if the credential has none
	Status      Status
	StatusKnown bool
	Expires     time.Time // zero if it does not
}

// Verify checks a presentation, or a credential where the policy asks for no holder.
// It refuses with a [*Refusal]; the order of the reasons is that of their list.
func Verify(ctx context.Context, text string, p Policy) (*Verified, error) {
	t, err := Parse(text)
	if err != nil {
		return nil, &Refusal{Malformed, err}
	}
	v := &Verified{}
	if err := v.issuer(t, p); err != nil {
		return nil, err
	}
	if v.Claims, v.Shown, err = t.Expand(); err != nil {
		if errors.Is(err, ErrDuplicateDigest) {
			return nil, &Refusal{DuplicateDigest, err}
		}
		return nil, &Refusal{BadDisclosure, err}
	}
	for _, s := range v.Shown {
		if name, _ := s.Path[0].(string); len(s.Path) == 1 && slices.Contains(alwaysVisible, name) {
			return nil, refuse(BadDisclosure, "the claim %s stands in a disclosure", name)
		}
	}
	if err := v.validity(t, p); err != nil {
		return nil, err
	}
	if err := v.holding(t, text, p); err != nil {
		return nil, err
	}
	if err := v.selection(p); err != nil {
		return nil, err
	}
	if err := v.status(ctx, p); err != nil {
		return nil, err
	}
	return v, nil
}

// issuer checks header, key and signature.
func (v *Verified) issuer(t *Token, p Policy) error {
	types := p.Types
	if types == nil {
		types = []string{TypeCredential}
	}
	if !slices.Contains(types, t.Issuer.Type()) {
		return refuse(BadType, "typ %.40q", t.Issuer.Type())
	}
	chain, err := chainOf(t.Issuer.Header)
	if err != nil {
		return &Refusal{Malformed, err}
	}
	issuedAt, _ := t.Issuer.Payload.Whole("iat")
	v.Signature = Signature{
		Issuer: t.Issuer.Payload.Text("iss"), KeyID: t.Issuer.Header.Text("kid"), Algorithm: t.Issuer.Algorithm(),
		Type: t.Issuer.Payload.Text("vct"), Chain: chain, IssuedAt: issuedAt,
	}
	if p.Keys == nil {
		return refuse(UnknownIssuer, "the policy knows no keys")
	}
	if v.Key, err = p.Keys(v.Signature); err != nil {
		return &Refusal{UnknownIssuer, err}
	}
	if err := t.Issuer.Check(v.Key); err != nil {
		return &Refusal{BadSignature, err}
	}
	return nil
}

func chainOf(header Object) ([][]byte, error) {
	x5c, given := header.Get("x5c")
	if !given {
		return nil, nil
	}
	list, ok := x5c.(Array)
	if !ok || len(list) == 0 || len(list) > 8 {
		return nil, errors.New("x5c is no list of one to eight certificates")
	}
	var chain [][]byte
	for _, e := range list {
		text, _ := e.(string)
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(der) == 0 {
			return nil, errors.New("x5c: not base64")
		}
		chain = append(chain, der)
	}
	return chain, nil
}

// validity checks type and time.
func (v *Verified) validity(t *Token, p Policy) error {
	strict := t.Issuer.Type() == TypeCredential
	if strict && v.Signature.Type == "" || p.Accept != nil && !slices.Contains(p.Accept, v.Signature.Type) {
		return refuse(BadCredentialType, "vct %.200q", v.Signature.Type)
	}
	exp, hasEnd, err := seconds(v.Claims, "exp")
	if err != nil {
		return &Refusal{Expired, err}
	}
	nbf, hasStart, err := seconds(v.Claims, "nbf")
	if err != nil {
		return &Refusal{NotYet, err}
	}
	iat, hasIssue, err := seconds(v.Claims, "iat")
	if err != nil {
		return &Refusal{NotYet, err}
	}
	_, hasStatus := v.Claims.Get("status")
	if strict && !hasEnd && !hasStatus {
		return refuse(Expired, "it has neither an end nor a status")
	}
	if hasEnd {
		v.Expires = exp
	}
	if p.Now.IsZero() {
		return nil
	}
	leeway := p.leeway()
	switch {
	case hasEnd && !p.Now.Before(exp.Add(leeway)):
		return refuse(Expired, "it ended on %s", exp.UTC().Format(time.RFC3339))
	case hasStart && p.Now.Add(leeway).Before(nbf):
		return refuse(NotYet, "it begins on %s", nbf.UTC().Format(time.RFC3339))
	case hasIssue && p.Now.Add(leeway).Before(iat):
		return refuse(NotYet, "it was issued in the future, on %s", iat.UTC().Format(time.RFC3339))
	}
	return nil
}

func (p Policy) leeway() time.Duration {
	if p.Leeway == 0 {
		return time.Minute
	}
	return p.Leeway
}

// seconds reads a NumericDate. Ours and those of the examples are whole; a fraction
// is refused rather than rounded.
func seconds(o Object, name string) (t time.Time, has bool, err error) {
	if _, has = o.Get(name); !has {
		return t, false, nil
	}
	n, ok := o.Whole(name)
	if !ok || n < 0 {
		return t, true, fmt.Errorf("%s is no whole number of seconds", name)
	}
	return time.Unix(n, 0), true, nil
}

// holder returns the key of cnf; the zero key where there is none.
func (t *Token) holder() (sm.PublicKey, error) {
	v, given := t.Issuer.Payload.Get("cnf")
	if !given {
		return sm.PublicKey{}, nil
	}
	cnf, _ := v.(Object)
	jwk, _ := cnf.Get("jwk")
	o, ok := jwk.(Object)
	if !ok {
		return sm.PublicKey{}, errors.New("cnf has no jwk")
	}
	return ParseJWK(o)
}

// holding checks the proof of the holder.
func (v *Verified) holding(t *Token, text string, p Policy) error {
	holder, err := t.holder()
	if err != nil {
		return refuse(NoKeyBinding, "cnf: %w", err)
	}
	v.Holder = holder
	switch {
	case !p.Holder:
		return nil // the decision is the policy's, not the holder's (RFC 9901, section 7.3)
	case t.Binding == "":
		return refuse(NoKeyBinding, "there is no key binding JWT")
	case holder.IsZero():
		return refuse(NoKeyBinding, "the credential names no key of its holder")
	}
	j, err := ParseJWS(t.Binding)
	if err != nil {
		return refuse(Malformed, "key binding: %w", err)
	}
	if j.Type() != TypeBinding {
		return refuse(BadType, "key binding: typ %.40q", j.Type())
	}
	if err := j.Check(holder); err != nil {
		return refuse(BadSignature, "key binding: %w", err)
	}
	if err := p.fresh(j); err != nil {
		return err
	}
	if !same(j.Payload.Text("aud"), p.Request.Audience) {
		return refuse(BadAudience, "bound to %.100q", j.Payload.Text("aud"))
	}
	if !same(j.Payload.Text("nonce"), p.Request.Nonce) {
		return refuse(BadNonce, "bound to another nonce")
	}
	if !same(j.Payload.Text("sd_hash"), Digest(t.hash, text[:len(text)-len(t.Binding)])) {
		return refuse(BadHash, "bound to other disclosures")
	}
	if err := p.transaction(j.Payload); err != nil {
		return err
	}
	v.Bound = true
	return nil
}

// fresh checks the time of the proof: it must be given.
func (p Policy) fresh(j *JWS) error {
	iat, has, err := seconds(j.Payload, "iat")
	maxAge := p.MaxAge
	if maxAge == 0 {
		maxAge = 5 * time.Minute
	}
	switch {
	case err != nil || !has:
		return refuse(NotYet, "key binding: no iat")
	case p.Now.IsZero():
	case p.Now.Add(p.leeway()).Before(iat):
		return refuse(NotYet, "key binding: made in the future")
	case p.Now.After(iat.Add(maxAge + p.leeway())):
		return refuse(Expired, "key binding: older than %s", maxAge)
	}
	return nil
}

// same compares two texts that must not be empty, in a time that does not tell where
// they differ.
func same(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// transaction checks that the proof covers each element of transaction_data, in the
// order of the request, and nothing else.
func (p Policy) transaction(payload Object) error {
	v, given := payload.Get("transaction_data_hashes")
	list, _ := v.(Array)
	switch {
	case !given && len(p.Request.Transaction) == 0:
		return nil
	case len(list) != len(p.Request.Transaction) || len(list) > MaxTransaction:
		return refuse(NoTransaction, "%d hashes for %d elements", len(list), len(p.Request.Transaction))
	}
	name := "sha-256"
	if v, given := payload.Get("transaction_data_hashes_alg"); given {
		name, _ = v.(string)
	}
	for i, d := range p.Request.Transaction {
		got, _ := list[i].(string)
		if !same(got, Digest(name, d)) {
			return refuse(NoTransaction, "element %d is not covered", i+1)
		}
	}
	return nil
}

// selection checks that what was asked for is shown, and nothing else.
func (v *Verified) selection(p Policy) error {
	for _, path := range p.Require {
		if len(path.At(v.Claims)) == 0 {
			return refuse(Undisclosed, "nothing at %v", []any(path))
		}
	}
	if p.Allow == nil {
		return nil
	}
	for _, s := range v.Shown {
		allowed := func(path Path) bool { return path.meets(s.Path) }
		if !slices.ContainsFunc(p.Allow, allowed) && !slices.ContainsFunc(p.Require, allowed) {
			return refuse(ExtraDisclosure, "%v was not asked for", []any(s.Path))
		}
	}
	return nil
}

// status asks for the status where the credential has one.
func (v *Verified) status(ctx context.Context, p Policy) error {
	raw, given := v.Claims.Get("status")
	if !given {
		return nil
	}
	status, _ := raw.(Object)
	listed, _ := status.Get("status_list")
	list, _ := listed.(Object)
	index, ok := list.Whole("idx")
	if uri := list.Text("uri"); !ok || index < 0 || uri == "" || len(uri) > 1024 {
		return refuse(Malformed, "status is no status_list with idx and uri")
	} else {
		v.StatusAt = &StatusAt{uri, index}
	}
	if p.Status == nil {
		return nil
	}
	s, err := p.Status(ctx, *v.StatusAt)
	if err != nil {
		if p.Lenient {
			return nil
		}
		return &Refusal{StatusUnreachable, err}
	}
	v.Status, v.StatusKnown = s, true
	switch s {
	case Valid:
		return nil
	case Suspended:
		return refuse(StatusSuspended, "suspended by its issuer")
	}
	return refuse(StatusInvalid, "status %d", s)
}
