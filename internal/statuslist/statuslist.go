// Package statuslist writes and reads Token Status Lists: whether credentials still
// hold, two bits each, signed, for any verifier in the world.
//
// It is not the source of the bits (the ledger is), and fetches nothing: who has a URL
// gets the token himself, with [Verify] on what came.
//
//	pages of the ledger ──Encode──▶ lst ──Token.Sign──▶ statuslist+jwt ──Verify──▶ List ──At──▶ status
//
// # Invariants
//
//  1. Bits stand as the draft orders them: entry i of width w at bit i*w of the bytes,
//     from the least significant.
//  2. What is decompressed is bounded before it is read: a token of 1 MiB cannot become
//     memory of 1 GiB.
//  3. A list is believed for its own address only: sub must be the URI of the credential.
//
// Sources: draft-ietf-oauth-status-list-12, sections 4.1 (bits), 4.2 (JSON), 5.1 (JWT),
// 8 (validation); RFC 1950 (zlib).
package statuslist

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"time"

	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// Bounds and names.
const (
	Type        = "statuslist+jwt"             // of the JOSE header
	ContentType = "application/statuslist+jwt" // of the HTTP answer
	MaxBytes    = 4 << 20                      // of a list, unpacked: 16 million entries of two bits
	MaxToken    = 6 << 20                      // of a token's text
)

// List is the statuses of one list.
type List struct {
	Bits int    // width of an entry: 1, 2, 4 or 8
	Raw  []byte // unpacked
}

// At returns the status of an entry; ok is false beyond the end of the list.
func (l List) At(index int64) (status byte, ok bool) {
	if index < 0 || index >= int64(len(l.Raw))*8/int64(l.Bits) {
		return 0, false
	}
	bit := index * int64(l.Bits)
	return l.Raw[bit/8] >> (bit % 8) & byte(1<<l.Bits-1), true
}

// Encode packs a list into the "lst" of its JSON form.
func (l List) Encode() (string, error) {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(l.Raw); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return sdjwt.Encode(b.Bytes()), nil
}

// Decode unpacks the "lst" of a list of that width.
func Decode(bits int, lst string) (List, error) {
	if bits != 1 && bits != 2 && bits != 4 && bits != 8 {
		return List{}, fmt.Errorf("a status list with entries of %d bits", bits)
	}
	packed, err := sdjwt.Decode(lst)
	if err != nil {
		return List{}, fmt.Errorf("status list: %w", err)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return List{}, fmt.Errorf("status list: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	switch {
	case err != nil:
		return List{}, fmt.Errorf("status list: %w", err)
	case len(raw) > MaxBytes:
		return List{}, fmt.Errorf("a status list of more than %d bytes", MaxBytes)
	}
	return List{bits, raw}, nil
}

// Token is what a status list token says beside the list.
type Token struct {
	URI     string        // "sub": where it is fetched, as credentials name it
	KeyID   string        // "kid"
	Issued  time.Time     // "iat"
	Expires time.Time     // "exp"
	TTL     time.Duration // how long it may be kept
}

// Sign writes the signed token.
func (t Token) Sign(l List, key sdjwt.Signer) (string, error) {
	lst, err := l.Encode()
	if err != nil {
		return "", fmt.Errorf("pack status list: %w", err)
	}
	header := sdjwt.Object{{Name: "typ", Value: Type}, {Name: "kid", Value: t.KeyID}}
	return sdjwt.SignJWS(header, sdjwt.Object{
		{Name: "sub", Value: t.URI},
		{Name: "iat", Value: t.Issued.Unix()},
		{Name: "exp", Value: t.Expires.Unix()},
		{Name: "ttl", Value: int64(t.TTL / time.Second)},
		{Name: "status_list", Value: sdjwt.Object{{Name: "bits", Value: l.Bits}, {Name: "lst", Value: lst}}},
	}, key)
}

// Verify reads a token that was fetched from uri. keys gives the key for the "kid" of its
// header. At now it must not be past its end, nor issued more than a minute ahead.
func Verify(text, uri string, keys func(keyID string) (sm.PublicKey, error), now time.Time) (List, Token, error) {
	if len(text) > MaxToken {
		return List{}, Token{}, fmt.Errorf("a status list token of %d bytes: at most %d", len(text), MaxToken)
	}
	j, err := sdjwt.ParseBoundedJWS(text, MaxToken)
	if err != nil {
		return List{}, Token{}, err
	}
	if j.Type() != Type {
		return List{}, Token{}, fmt.Errorf("typ %.40q is no status list", j.Type())
	}
	key, err := keys(j.Header.Text("kid"))
	if err != nil {
		return List{}, Token{}, err
	}
	if err := j.Check(key); err != nil {
		return List{}, Token{}, fmt.Errorf("status list token: %w", err)
	}
	return read(j, uri, now)
}

func read(j *sdjwt.JWS, uri string, now time.Time) (List, Token, error) {
	iat, okIat := j.Payload.Whole("iat")
	exp, okExp := j.Payload.Whole("exp")
	ttl, _ := j.Payload.Whole("ttl")
	t := Token{URI: j.Payload.Text("sub"), KeyID: j.Header.Text("kid"), Issued: time.Unix(iat, 0), Expires: time.Unix(exp, 0), TTL: time.Duration(min(max(ttl, 0), 1<<31)) * time.Second}
	switch {
	case t.URI != uri:
		return List{}, Token{}, fmt.Errorf("the status list is that of %.200q, not of %.200q", t.URI, uri)
	case !okIat || t.Issued.After(now.Add(time.Minute)):
		return List{}, Token{}, errors.New("the status list has no time, or one that is yet to come")
	case okExp && now.After(t.Expires):
		return List{}, Token{}, fmt.Errorf("the status list ended on %s", t.Expires.UTC().Format(time.RFC3339))
	}
	v, _ := j.Payload.Get("status_list")
	o, _ := v.(sdjwt.Object)
	bits, _ := o.Whole("bits")
	l, err := Decode(int(bits), o.Text("lst"))
	return l, t, err
}
