// Package governance is the part of the state machine in which the consortium
// decides about itself: who has a vote, who holds which role, which periods and
// working days count, which nodes validate, and the settings of the ledger.
//
// It does not run a clock of a request (package share does, with the periods that
// stand here), and it does not replace programs: it says from which height on which
// protocol is in force, and a node whose program does not know it stops by itself.
//
// The life of a proposal:
//
//	        Propose            yes ≥ the share of its kind
//	(none) ─────────▶ Open ─────────────────────────────────────▶ Accepted, carried out
//	                   │  the weights that are left cannot decide it any more,
//	                   │  or it can no longer be carried out
//	                   ├────────────────────────────────────────▶ Rejected
//	                   │  block time ≥ ends_ms
//	                   ├────────────────────────────────────────▶ Expired
//	                   │  WithdrawProposal
//	                   └────────────────────────────────────────▶ Withdrawn
//
// # Invariants
//
// At every height:
//
//  1. There is a member and a validator, and every validator is run by a member.
//  2. A proposal is decided once. What it does is done in the block in which it is
//     accepted, or not at all.
//  3. A member has one ballot in a proposal. It counts with the member's weight at
//     the time of the decision, and not at all if it is no member then. When
//     members or the share that decides change, every open proposal is counted
//     again at the end of the block (or of a later one, see [End]).
//  4. No proposal is open for ever, whoever is gone: each ends at ends_ms. The
//     work at the end of one block is bounded ([MaxExpired], [MaxOpen]).
//  5. The parameters in force pass their own check, and name a clock profile that
//     is there. None is looser than order 809.
//  6. The engine is told each change of a validator once, and never to remove one
//     that it does not know.
//  7. No two validators have the same SM2 key. A validator's SM2 key is pinned by the
//     genesis or a vote, and replaced by a vote only. It may have none: then it
//     counts for nothing in an SM2 certificate.
//  8. A validator that is proved to have signed two things has no power after the block
//     that proves it, unless it holds a third of all power or more; the proof is on
//     record for ever either way ([Misbehave]).
//  9. A change of shares needs the highest share in force. Silencing a member wins no
//     vote: its weight stays in every total. An emergency suspension ends by itself,
//     silences no half of all weights, nobody for longer than one lasts and then not for as
//     long, and moves no power of consensus. At most one
//     upgrade waits, and the protocol in force never falls.
//
// The life of a suspension, of an account or of one of its keys:
//
//	        suspend (suspension_percent)           confirm_suspension
//	(none) ────────────────────────────▶ Emergency ───────────────────▶ Confirmed
//	                                        │ ends_ms, lift_suspension      │ lift_suspension
//	                                        ▼ (suspension_percent)          ▼
//	                                      Ended, not again for as long    Ended
//
// What the votes cannot prevent: members that together hold more than the share
// that does not decide (34 % by default) can, by being gone for ever, keep the others
// from deciding anything until they are removed as absent ([lastVerdict]). Where two
// thirds of all weights are gone a way out would be a new chain: docs/decisions/0025.
//
// Sources: State Council order No. 809, art. 17, 21, 22, 26 (periods); General
// Principles of the Civil Law, 民法典 art. 201 and 203 (the day of the event does
// not count; a period ends at 24:00 of its last day, or of the next working day);
// Beijing time is UTC+8 without summer time since 1992.
package governance
