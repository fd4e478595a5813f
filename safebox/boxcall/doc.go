// Package boxcall speaks with the boxes' door: it signs one call after the other for an
// account, lays items down in parts, and reads them again.
//
// It sees ciphertext and handles. It opens no vault and knows no content (package safebox,
// and mulian/safebox/owner for a person's whole side); the door decides what is allowed
// (mulian/server/boxdoor).
//
//	order ──sign──▶ BoxCall ──▶ door ──▶ BoxAnswer
//	Lay:  Start ──▶ parts that are missing, each with its hash ──▶ Finish ──▶ visible to the owner
//	Body: part 0, part 1, …, as somebody reads
//
// # Invariants
//
//  1. A signed body is sent once: a call that is made again has an id of its own.
//  2. What Lay has returned nil for is whole in the box, under the head that was given.
//  3. At most one part of an item is in memory.
//
// Sources: proto mulian/safebox/v1/door.proto; docs/decisions/0037.
package boxcall

import "time"

// Domain is what stands before a call's body when it is signed.
const Domain = "mulian-box-call-v1\x00"

// Bounds. Our own choice.
const (
	life     = 45 * time.Second // of a call; the door takes at most 60 s and 5 s of clocks that differ
	patience = 60 * time.Second // for an answer
	maxItems = 100_000          // that one box lists: what it may ever hold (mulian/rules/safebox)
	rounds   = 4                // times that the door may ask for parts again
)
