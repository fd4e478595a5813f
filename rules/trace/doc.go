// Package trace is the part of the state machine that keeps the heads of the
// gateways' access logs, so that nothing in a log can be hidden or changed later
// without the ledger, and with it everybody, knowing.
//
// It is not the log: the records stay at the gateway. It does not see what was
// released, only that the log of who was given how many numbers has grown and was
// not rewritten. A gateway that never logs an access is found by the other side's
// receipt, not here.
//
//	         AnchorHead                AnchorHead, the new tree contains the old one
//	(none) ─────────────▶ Head size n ────────────────────────────────▶ Head size m ≥ n
//	                          └── same size, same root: sign of life
//
//	Secrecy (agreement):  OrderSecrecy ──▶ order n ── until: seals ── unseal: open ──▶ counted
//	                          └─ order n+1 that extends it; LiftSecrecy: open now
//
//	Sequence (agreement, gateway):  0 ── range 1..k ──▶ k ── range k+1..l ──▶ l
//
// # Invariants
//
// For every gateway, at every height:
//
//  1. Head.Size never falls, and the tree of each head contains that of the one
//     before (RFC 6962 consistency).
//  2. Sequence.Last never falls and leaves no number out:
//     Granted + Refused = Last.
//  3. The numbers anchored for a gateway are together no more than its log has
//     leaves: each stands on one.
//  4. A gateway has numbers only in agreements and grants that name it as the provider's.
//  5. Records count as sealed only under an order of secrecy that the ledger has, and
//     never more as opened than as sealed. No party of an agreement orders secrecy for it,
//     and no order says that something never opens.
//
// # Cost
//
// One authenticated write for the head, one for each agreement in it; one more,
// once, for a QUERY agreement whose first answer was released.
//
// # Sources
//
// Criminal Procedure Law (2018) art. 151: an approval holds three months, an extension
// as long. State Council order 809 art. 29 (records of use). RFC 6962 section 2.1.
// spec/sharing.md 4.6: one sequence for each agreement and gateway, so that a
// missing number is provable; heads every few seconds.
package trace
