// Package foreign is the part of the state machine that keeps what other consortia's
// chains 对端链 have proved here: their trust roots, which come by vote, their headers,
// which anybody brings, and the objects that were proved under these.
//
// It does not speak to another chain, and believes no one who does: each header is checked
// by package step, each object by package proof. It does not act on what is proved: a rule
// that wants to know whether a foreign agreement runs asks [FindReference] and decides how
// old an answer it takes.
//
//	          vote                UpdateForeignHeaders
//	(none) ─────────▶ ACTIVE ──────────────────────────▶ ACTIVE, newer header
//	                   ▲  │ FreezeForeignChain: two headers of one height
//	              vote │  ▼
//	                  FROZEN ── no header, no proof ── vote ──▶ (none); references stay
//
//	AcceptForeignProof (ACTIVE, header kept and not too old) ──▶ reference, later ones replace it
//
// # Invariants
//
// At every height:
//
//  1. A chain's newest header rises, but for a vote.
//  2. Each kept header was voted, or signed by more than 2/3 of its own validators and
//     vouched for by those before (package step); at most [MaxKept] are kept, and the
//     chain's record says how many.
//  3. A chain that is FROZEN gets no header and no reference until a vote gives it
//     another root.
//  4. A reference was proved under a header that was kept then, and its time never falls
//     under one root.
//  5. Nothing of this chain is changed by another one but these records.
//
// [Check] tests 1 and 2 as far as the state shows them, the histories test all.
//
// # Why it freezes at once and thaws by vote
//
// Two headers of one height, each signed by more than 2/3, mean that at least 1/3 of the
// other consortium's power lied: no rule can say which of the two is true, so none is. The
// members look at it, speak with the other consortium, and vote on a root; until then
// what was proved before stays as it was, with the number of its root.
//
// # Cost
//
// One signature check for each validator, at most 200 in a message; two authenticated
// writes and one event for each header, one each for a reference.
//
// # Sources
//
// ICS 02 (client semantics: header, misbehaviour, frozen), ICS 07 (trust level, trusting
// period, clock drift); MISSION.md S30; docs/decisions/0030-foreign-chains.md.
package foreign
