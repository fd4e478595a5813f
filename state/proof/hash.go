// Package proof checks, without a database, that a key has a value, that a key is
// absent, or that an event was logged, in the state that one app hash commits to.
// It is what a stranger's verifier needs and no more: no I/O, no store, no chain.
// Whether the app hash itself is the agreed one is the business of the header and
// its signatures, which is not in this package.
//
//	header (signed by the validators)
//	   └─ app hash = SHA-256("mulian-state-v1" | tree root | log root | log size)
//	          ├─ tree root ── siblings ── leaf(SHA-256(key), SHA-256(value))
//	          └─ log root ─── path ────── leaf(event)
//
// Invariants:
//
//  1. A proof that verifies shows what the tree or log with that hash really holds,
//     as long as SHA-256 has no collisions.
//  2. Each statement has exactly one accepted proof: bitmap, order and number of
//     hashes are checked, so that a proof cannot be changed and still be accepted.
//     Only [Key].Height and [Event].Height are not bound: they say where to look
//     for the header.
//  3. No input makes a verification panic, or work longer than its size.
//
// Sources: ICS 23 (vector commitments) v1 SmtSpec for the hashing of leaves and
// inner nodes; RFC 6962 sections 2.1.1 and 2.1.2 for the log.
package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// appHashDomain separates our app hash from every other SHA-256 value.
const appHashDomain = "mulian-state-v1"

// Hash is a SHA-256 value. In JSON it is 64 hexadecimal digits.
type Hash [sha256.Size]byte

// MarshalText writes h in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads exactly 64 hexadecimal digits.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("hash of %d hexadecimal digits, want %d", len(text), hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// String returns h in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Bytes is a byte string that is hexadecimal in JSON.
type Bytes []byte

// MarshalText writes b in hexadecimal.
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText reads hexadecimal digits.
func (b *Bytes) UnmarshalText(text []byte) error {
	out, err := hex.AppendDecode([]byte{}, text)
	*b = out
	return err
}

// Empty is the hash of a part of the tree that holds no key.
var Empty Hash

// Leaf returns the hash of one key of the tree: SHA-256(00 | SHA-256(key) | SHA-256(value)).
func Leaf(keyHash, valueHash Hash) Hash { return node(0, &keyHash, &valueHash) }

// Inner returns the hash of a part of the tree that holds two keys or more.
func Inner(left, right Hash) Hash { return node(1, &left, &right) }

func node(domain byte, l, r *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = domain
	copy(b[1:], l[:])
	copy(b[1+sha256.Size:], r[:])
	return sha256.Sum256(b[:])
}

// AppHash returns what the validators agree on: the hash over the tree of all
// current keys and the log of all events. It holds neither height nor time, so
// that a block in which nothing changes leaves it as it was.
func AppHash(treeRoot, logRoot Hash, logSize int64) Hash {
	b := make([]byte, 0, len(appHashDomain)+2*sha256.Size+8)
	b = append(b, appHashDomain...)
	b = append(b, treeRoot[:]...)
	b = append(b, logRoot[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(logSize))
	return sha256.Sum256(b)
}
