// Package view is what a gateway knows of the ledger: objects read with proof, and
// how old that knowledge can be at most.
//
// It is not a copy of the ledger and not an index: it holds what was asked for. It
// trusts no server: a value counts because the consortium's validators signed its
// state, and its age because that state holds an anchor that we ourselves signed at
// a known moment. A server that keeps old state back is found out by age alone.
//
//	receipt.Anchor ── "anchor 17, sent at 12:00:03" ──▶ committed in block 210
//	                                                        │ proved
//	     Mark{Height 210, Sent 12:00:03} ◀──────────────────┘
//	                  │
//	Read ──▶ cache ──▶│ object proved at height ≥ 210: at least as new as 12:00:03
//	           ▲      │ object proved at height < 210: as new as the mark before
//	           │      ▼
//	           └── proved read ◀── too old, or an event touched the key
//	                   │ no answer
//	                   ▼
//	           the old object, with its age: the caller refuses with StaleHeight
//
// The chain makes no empty blocks, so block times say nothing about freshness while
// nothing happens. Our own anchors do: they are sent every few seconds while the
// gateway serves, and at once when a request finds the view too old.
//
// # Invariants
//
//  1. Every object came with a proof from a header that the genesis leads to.
//  2. An object whose age is given as d had this value, or got it, at most d before
//     now by this machine's monotonic clock. No other clock is asked.
//  3. An event on the ledger that touches a key makes the next Read of it go to the
//     ledger. If the server hides the event, invariant 2 still holds.
//
// Sources: proto trace.v1.AnchorHead; DESIGN section 5, step 1.
package view
