// Package consent is what an owner is asked, shown and signs, in one place: the ids and
// hashes of requests and grants, and the text of an authorisation. Client, console server
// and ledger call the same functions, so that the ledger can refuse a grant whose text
// was another one than the owner's device has to have shown.
//
// It is not the sheet of a transaction (client/sentence), and decides nothing.
//
// # Invariants
//
//  1. Equal input gives equal bytes on every machine: no clock, no locale, no map.
//  2. Everything that bounds the grant stands in the text: who, what for, which items, how,
//     how often, from when, until when, how long copies are kept, under which notice.
//  3. A commitment takes 16 bytes of salt or more before the value, so that it tells
//     nothing about a value that could be guessed.
//
// Sources: PIPL art. 14 and 17 (informed; what a notice has to say), GB/T 42574-2023,
// spec/safebox.md 3.1 (what you see), 3.4.
package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"google.golang.org/protobuf/proto"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/canon"
)

// SaltBytes is the length of a salt.
const SaltBytes = 16

// NonceBytes is the length of a request's nonce.
const NonceBytes = 16

// RequestID returns the id of the request that the organisation makes with that nonce: 32
// hex digits, 26 characters of base32 in a code.
func RequestID(org string, nonce []byte) string {
	sum := canon.Digest("mulian/grant/request-id/v1", []byte(org), nonce)
	return hex.EncodeToString(sum[:16])
}

// GrantID returns the id of what the owner gives upon the request.
func GrantID(request, owner string) string {
	sum := canon.Digest("mulian/grant/id/v1", []byte(request), []byte(owner))
	return hex.EncodeToString(sum[:16])
}

// RequestHash returns the hash of what the data user wrote: what an owner signs. It fails
// for text that is not UTF-8.
func RequestHash(r *grantv1.DataRequest) ([]byte, error) {
	c := proto.CloneOf(r)
	c.Id, c.State, c.CreatedMs, c.RequestedBy, c.DecidedMs, c.DecidedBy, c.Cause, c.Grant, c.Hash = "", 0, 0, "", 0, "", 0, "", nil
	raw, err := canon.Marshal(c)
	if err != nil {
		return nil, err
	}
	sum := canon.Digest("mulian/grant/request/v1", raw)
	return sum[:], nil
}

// TextHash returns what is signed of a text: its SHA-256.
func TextHash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// errSalt: see invariant 3.
var errSalt = errors.New("a commitment takes a salt of 16 bytes")

// RowKey commits to the key of the row that is read: SHA-256("mulian-rowkey-v1" 0x00 ||
// salt || key). The gateway that opens it has to compute the same.
func RowKey(salt []byte, key string) ([]byte, error) {
	return commit("mulian-rowkey-v1\x00", salt, key)
}

// Match commits to the two digits that the data user shows.
func Match(salt []byte, number string) ([]byte, error) {
	return commit("mulian-match-v1\x00", salt, number)
}

// Private commits to what only the parties know: a business reference, a row scope.
func Private(salt []byte, value string) ([]byte, error) {
	return commit("mulian-private-v1\x00", salt, value)
}

func commit(domain string, salt []byte, value string) ([]byte, error) {
	if len(salt) != SaltBytes {
		return nil, errSalt
	}
	sum := sha256.Sum256(append(append([]byte(domain), salt...), value...))
	return sum[:], nil
}

// Principal is the pairwise pseudonym of an owner towards a data user, for receipts.
func Principal(owner, grantee string) string {
	sum := canon.Digest("mulian/grant/principal/v1", []byte(owner), []byte(grantee))
	return hex.EncodeToString(sum[:])
}
