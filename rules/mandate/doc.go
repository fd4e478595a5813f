// Package mandate is the part of the state machine that knows who may act for whom: an
// agent by power of attorney, the legal representative and the operators of a firm, the
// guardian of a minor or of an adult, an heir.
//
// It carries out nothing for anybody: the noun that is acted on asks [Acting] before it
// does what an agent signs, names the mandate in its own object, so that whoever is asked
// sees it, and counts with [Used]. It does not read registers: the office that keeps one
// signs, and says when its record has changed.
//
//	         ProposeMandate             AnswerMandate                 max_uses
//	(none) ────────────────▶ Proposed ────────────────▶ Active ────────────────▶ Exhausted
//	                          │   │ WitnessMandate       ▲  │ until_ms
//	             the agent's no   │ (at a counter)       │  ├───────────▶ Expired
//	                          ▼   ▼                      │  │ RevokeMandate
//	                     Declined, Expired  ResumeMandate│  ├───────────▶ Revoked
//	                                                     │  ▼
//	                                                   Suspended: the source has changed,
//	                                                   or one side's account was recovered
//
// # Invariants
//
// At every height:
//
//  1. A mandate that is or was Active was signed for the principal (by himself, by his
//     firm's legal representative, or by an office with the role for its kind) and accepted
//     by the agent.
//  2. No agent makes a mandate of his own for his principal, but the legal representative
//     of a firm names its operators, within his own scope and term.
//  3. A mandate gives no act, entry, matter, level or day beyond what it says, and of a
//     person no more than the level of the key that gave it.
//  4. A firm has at most one legal representative that stands; principal, agent and kind
//     have at most one mandate that stands.
//  5. Whoever has a guardian gives no mandate himself.
//  6. What was signed with keys that a recovery has replaced does not count until its
//     signer has said yes again: from the block of the execution on, whatever the mandate's
//     record still says (see [Acting]).
//  7. Nobody acts for another towards himself as the asker.
//
// # Cost
//
// One proved record for each step. After a recovery the mandates of both sides are marked,
// at most [MaxMarkedPerBlock] in a block.
//
// Sources: Civil Code art. 27-39 (guardians), 61 (legal representative), 161-173 (agency;
// 165 power of attorney, 168 no self-dealing, 169 sub-agency, 173 its end); Personal
// Information Protection Law art. 31 (under 14), 49 (the deceased); spec/safebox.md 3.6, 4.6.
package mandate
