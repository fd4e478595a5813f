// Package deposit puts what a department makes for a person or firm into their safe box,
// while they are away: it seals it to the vault's keys, lays the ciphertext at the door that
// keeps the box, and records the deposit on the ledger.
//
// It is not the owner's side (mulian/safebox/owner) and not the door (mulian/server/boxdoor).
// It cannot read again what it has sealed: the item's key is closed to the owner alone, and
// no copy of it is kept.
//
//	content ──seal──▶ ticket (ciphertext, 0600) ──lay──▶ door ──Deposit──▶ ledger ──▶ ticket destroyed
//	                    │                                   │
//	                    └── killed anywhere: Resume ────────┘  the same item, once
//
//	Lay:  the caller puts the Deposit into a transaction of its own, with what it belongs to
//
// # Invariants
//
//  1. What Deposit has returned nil for is whole at the door, and on the ledger.
//  2. The ledger never has an item that is not whole at the door: it is recorded last.
//  3. A ticket holds ciphertext and handles, and is overwritten when it is destroyed.
//  4. A ticket is worked on by one process at a time; done twice, it is one item.
//  5. What was laid for a transaction of a caller's own is recorded with it or not at all: a
//     ticket whose transaction did not come is destroyed, and so is the ciphertext at the
//     door, when its time is over.
//
// Sources: spec/safebox.md 3.3 (department push), "Safe-box encryption" 2; decision 0041.
package deposit

import "time"

// Bounds. Our own choice.
const (
	maxSchema = 100 // as in the schema of a card
	maxTitle  = 200
	maxMedia  = 100
	maxEntry  = 200
	maxPlan   = 192 << 10 // a head of 128 KiB in base64, and the rest
	// attempts with an owner who changes his keys meanwhile.
	attempts = 3
	// lostAfter is when a transaction of a caller's own counts as never sent: an envelope
	// counts for 2 minutes, and a minute for clocks that differ.
	lostAfter = 3 * time.Minute
	// maxTickets bounds what Resume looks at.
	maxTickets = 100_000
)
