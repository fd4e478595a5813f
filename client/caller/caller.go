// Package caller signs calls of accounts to doors that know no session, as a gateway's for
// receipts and codes, and checks them at the door.
//
// It is no log-in: a call is one question of one account to one door, within a minute, once.
//
//	Sign(account's key, door, question) ──JSON──▶ Door.Admit: chain, door, in time, key of the ledger, once ──▶ account, question
//
// # Invariants
//
//  1. A call to one door, or for one thing, is no call to another.
//  2. What was signed is what came over the wire.
//  3. A call is carried out once by a door that was not restarted; after a restart an old one
//     may be repeated until its minute is over, which lets nobody do what its signer did not ask for.
//
// Sources: server/boxdoor, whose calls are of the same kind.
package caller

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/replay"
	"mulian/internal/signer"
)

// Bounds of a call. Our own choice.
const (
	MaxCall = 64 << 10
	life    = time.Minute
	skew    = 5 * time.Second
)

const domain = "mulian-call-v1\x00"

// order is what is signed.
type order struct {
	Chain     string          `json:"chain"`
	To        string          `json:"to"`   // the door
	What      string          `json:"what"` // which of its questions
	From      string          `json:"from"` // account
	ID        string          `json:"id"`
	ExpiresMs int64           `json:"expires_ms"`
	Ask       json.RawMessage `json:"ask"`
}

// call is what is sent.
type call struct {
	Body      []byte `json:"body"` // order; base64, as JSON has bytes
	Key       string `json:"key"`
	Signature []byte `json:"signature"`
}

// Sign makes a call of an account to a door: what names the question, ask is its content.
func Sign(s client.Signer, chain, to, what string, ask any, now time.Time) ([]byte, error) {
	raw, err := json.Marshal(ask)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the question")
	}
	id := make([]byte, 16)
	rand.Read(id)
	body, err := json.Marshal(order{Chain: chain, To: to, What: what, From: s.Account, ID: hex.EncodeToString(id), ExpiresMs: now.Add(life).UnixMilli(), Ask: raw})
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the call")
	}
	signature, err := s.Key.Sign(append([]byte(domain), body...))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "sign the call")
	}
	return json.Marshal(call{body, s.Key.Public().ID(), signature})
}

// Door checks calls. Safe for concurrent use.
type Door struct {
	Chain string
	Name  string
	// Account reads an account of the ledger, with proof; nil if there is none.
	Account func(ctx context.Context, id string) (*identityv1.Account, error)
	Now     func() time.Time // nil: time.Now

	once replay.Guard
}

// Admit tells who calls, and reads what he asks into ask. Malformed, TooLong, WrongChain,
// NotWhitelisted (another door or question, no such account or key), Expired, OutOfRange
// (expiry), Suspended, KeyRevoked, BadAuthorisation, Replayed, Busy.
func (d *Door) Admit(ctx context.Context, what string, raw []byte, ask any) (*identityv1.Account, error) {
	if len(raw) > MaxCall {
		return nil, fault.Newf(fault.TooLong, "a call of more than %d bytes", MaxCall)
	}
	var c call
	var o order
	if err := strict(raw, &c); err != nil {
		return nil, err
	}
	if err := strict(c.Body, &o); err != nil {
		return nil, err
	}
	now := time.Now()
	if d.Now != nil {
		now = d.Now()
	}
	left := time.UnixMilli(o.ExpiresMs).Sub(now)
	switch {
	case o.Chain != d.Chain:
		return nil, fault.Newf(fault.WrongChain, "the call is for chain %.60q", o.Chain)
	case o.To != d.Name || o.What != what:
		return nil, fault.Newf(fault.NotWhitelisted, "the call is for %.100q, %.40q", o.To, o.What)
	case len(o.ID) < 16 || len(o.ID) > 64 || len(o.From) > 100:
		return nil, fault.Newf(fault.Malformed, "a call has an id of 16 to 64 letters and an account")
	case left <= 0:
		return nil, fault.Newf(fault.Expired, "the call has run out, by this door's clock")
	case left > life+skew:
		return nil, fault.Newf(fault.OutOfRange, "the call counts for %s, at most %s", left.Round(time.Second), life)
	}
	acc, err := signer.Account(ctx, o.From, d.Account)
	if err != nil {
		return nil, err
	}
	if err := signer.Check(acc, c.Key, append([]byte(domain), c.Body...), c.Signature, now.UnixMilli()); err != nil {
		return nil, err
	}
	if err := strict(o.Ask, ask); err != nil {
		return nil, err
	}
	return acc, d.once.Take(o.From+"\x00"+o.ID, o.ExpiresMs, now.UnixMilli())
}

// strict reads JSON without names that nobody knows.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault.Newf(fault.Malformed, "the call cannot be read: %v", err)
	}
	return nil
}
