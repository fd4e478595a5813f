// Package rowkey is how an owner tells a provider's gateway which row his grant is about,
// through hands that must not learn it: the ledger has a commitment, the asker carries
// sealed bytes, the gateway opens both and reads that row.
//
// It is no authority: whether the grant holds is the ledger's word, and whether the row
// is the owner's is what the gateway compares with his proofing (gateway/deliver).
//
//	owner's program                 ledger                asker            provider's gateway
//	New(where, owner) ── Commitment ──▶ Grant.row_key_commitment ─────────▶ compare ◀─┐
//	      └── Seal(gateway's key, context) ── bytes ─────▶ GrantBody.row_key ──▶ Open ─┘
//
// # Invariants
//
//  1. A key that opens under a context was sealed for this grant, this gateway and this
//     owner: what was overheard of one grant is of no use for another.
//  2. Nobody who has the commitment alone can test a guess: 16 random bytes stand before it.
//  3. One condition has one text ([Text]): two keys with one commitment name one row.
//
// Sources: spec safebox 3.4, 4.2 (row_scope) and the threat model ("RP after delivery",
// "honest-but-curious operator"); docs/decisions/0036.
package rowkey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/seal"
	"mulian/internal/sm"
)

// Domain stands before salt and text in what a commitment is the SHA-256 of.
const Domain = "mulian-rowkey-v1\x00"

// proofingDomain stands before salt and number in what a proofing's commitment is the
// SHA-256 of.
const proofingDomain = "mulian-proofing-v1\x00"

// Proofing is the commitment to an owner's number that an identity authority records
// (proto identity.v1 RecordProofing): salt of 32 random bytes, number as on the document.
func Proofing(salt []byte, number string) [sha256.Size]byte {
	return sha256.Sum256(append(append([]byte(proofingDomain), salt...), number...))
}

// sealDomain keeps what is sealed here apart from everything else that is sealed.
const sealDomain = "mulian/rowkey/seal/v1"

// Bounds. Our own choice.
const (
	SaltBytes = 16
	ownerSalt = 32   // bytes at most: of the proofing's commitment
	MaxWhere  = 8    // conditions; a key of a table has fewer columns
	maxItem   = 256  // bytes of an item's code
	maxValue  = 512  // bytes of a value
	maxOwner  = 64   // bytes of the owner's number
	MaxSealed = 4096 // bytes of a sealed key (proto gateway.v1)
)

// Context is for what a key is sealed.
type Context struct {
	Grant    string // id
	Provider string // account of the gateway that opens it
	Subject  string // account of the owner
}

func (c Context) aad() []byte {
	return canon.Frame(sealDomain, []byte(c.Grant), []byte(c.Provider), []byte(c.Subject))
}

// New makes the key of a row with a new salt. owner is the owner's number as it was proofed
// and proofingSalt what opens the commitment of that proofing. Malformed, TooLong as [Check].
func New(where []*gatewayv1.KeyValue, owner string, proofingSalt []byte) (*gatewayv1.RowKey, error) {
	k := &gatewayv1.RowKey{Salt: make([]byte, SaltBytes), Where: where, Owner: owner, OwnerSalt: proofingSalt}
	rand.Read(k.Salt) // never fails: crypto/rand ends the process instead
	return k, Check(k)
}

// Check refuses what is no row key: Malformed (salts, items that do not ascend, control
// characters), TooLong.
func Check(k *gatewayv1.RowKey) error {
	switch n := len(k.GetWhere()); {
	case len(k.GetSalt()) != SaltBytes || len(k.GetOwnerSalt()) > ownerSalt:
		return fault.Newf(fault.Malformed, "the row key's salts have %d and %d bytes", len(k.GetSalt()), len(k.GetOwnerSalt()))
	case n == 0 || n > MaxWhere:
		return fault.Newf(fault.Malformed, "a row key of %d conditions, 1 to %d are possible", n, MaxWhere)
	case len(k.GetOwner()) > maxOwner || strings.ContainsFunc(k.GetOwner(), control):
		return fault.Newf(fault.Malformed, "the owner's number has %d bytes, or control characters", len(k.GetOwner()))
	}
	last := ""
	for _, w := range k.GetWhere() {
		switch {
		case len(w.GetItem()) > maxItem || len(w.GetValue()) > maxValue:
			return fault.Newf(fault.TooLong, "a condition of the row key: %d and %d bytes", len(w.GetItem()), len(w.GetValue()))
		case w.GetItem() <= last:
			return fault.Newf(fault.Malformed, "the row key's items have to ascend, each once")
		case strings.ContainsFunc(w.GetItem(), control) || strings.Contains(w.GetItem(), "=") || strings.ContainsFunc(w.GetValue(), control):
			return fault.Newf(fault.Malformed, "a condition of the row key has characters that cannot be there")
		}
		last = w.GetItem()
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// Text is the one text of a key's conditions: a line "item=value" for each.
func Text(k *gatewayv1.RowKey) string {
	lines := make([]string, len(k.GetWhere()))
	for i, w := range k.GetWhere() {
		lines[i] = w.GetItem() + "=" + w.GetValue()
	}
	return strings.Join(lines, "\n")
}

// Commitment is what the ledger has of a key: SHA-256(Domain || salt || text), as
// internal/consent.RowKey of the text.
func Commitment(k *gatewayv1.RowKey) []byte {
	h := sha256.New()
	h.Write([]byte(Domain))
	h.Write(k.GetSalt())
	h.Write([]byte(Text(k)))
	return h.Sum(nil)
}

// Seal closes a key for a gateway.
func Seal(to sm.PublicKey, c Context, k *gatewayv1.RowKey) ([]byte, error) {
	if err := Check(k); err != nil {
		return nil, err
	}
	raw, err := canon.Marshal(k)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the row key")
	}
	sealed, err := seal.Seal(to, c.aad(), raw)
	if err == nil && len(sealed) > MaxSealed {
		err = fault.Newf(fault.TooLong, "a sealed row key of %d bytes, at most %d", len(sealed), MaxSealed)
	}
	return sealed, err
}

// Open opens what [Seal] closed with the first of the keys that does, and compares it with
// the ledger's commitment. VerificationFailed: it was sealed for something else, changed on
// the way, or is another key; Malformed, TooLong: it is none.
func Open(keys []sm.PrivateKey, c Context, commitment, sealed []byte) (*gatewayv1.RowKey, error) {
	if len(sealed) > MaxSealed {
		return nil, fault.Newf(fault.TooLong, "a sealed row key of %d bytes, at most %d", len(sealed), MaxSealed)
	}
	var raw []byte
	err := error(seal.ErrOpen)
	for _, key := range keys {
		if raw, err = seal.Open(key, c.aad(), sealed); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fault.Wrap(fault.VerificationFailed, err, "the row key")
	}
	k := &gatewayv1.RowKey{}
	if err := (canon.Limits{Bytes: MaxSealed, Elements: 4 * MaxWhere}).Check(raw, k); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the row key")
	}
	if err := Check(k); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(Commitment(k), commitment) != 1 {
		return nil, fault.Newf(fault.VerificationFailed, "the row key is not the one that the owner has granted")
	}
	return k, nil
}
