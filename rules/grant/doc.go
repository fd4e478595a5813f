// Package grant is the part of the state machine by which owners allow the use of what
// the city knows of them: a data user registers once what it may ask for, asks an owner,
// the owner says yes with his own key, and a provider's gateway records each use here
// before it releases anything.
//
// It is not the release: gateways read, seal and hand over. It knows no value and no
// person: owners are random accounts, and what would tell more is a salted commitment.
//
// Request and grant:
//
//	            RequestData                     GiveGrant
//	(none) ───────────────────▶ REQUESTED ───────────────────▶ GRANTED
//	                             │   │  └─ DeclineRequest ───▶ DECLINED
//	        WithdrawDataRequest  │   └──── its last moment ──▶ EXPIRED
//	                             ▼
//	                          WITHDRAWN
//
//	GiveGrant ──▶ COOLING (standing) ── clock ──▶ ACTIVE ◀── Pause, Resume ──▶ PAUSED
//	GiveGrant ──▶ ACTIVE (once); RequestData of basis DUTY likewise
//	   COOLING, ACTIVE, PAUSED ── RevokeGrant ──▶ REVOKED     the last use ──▶ EXHAUSTED
//	                           ── VoidGrant ────▶ VOIDED      its end ───────▶ EXPIRED
//	EXHAUSTED ── its use was closed as EMPTY or FAILED ──▶ ACTIVE
//	EXHAUSTED, EXPIRED with copies that are still kept ── RevokeGrant ──▶ REVOKED
//
// Deletion duty of one delivered use (PIPL art. 47):
//
//	RecordGrantUse ──▶ RUNNING ── its day, or revoked ──▶ DUE ── days of grace ──▶ OVERDUE ──▶ REPORTED
//	any of these ── AttestDeletion ──▶ ATTESTED
//	any of these ── ExemptDeletion ──▶ EXEMPTED ── its day ──▶ DUE
//
// # Invariants
//
// At every height, for every grant g:
//
//  1. g comes from one request, that request makes no other, and g gives no item, day or
//     use more than was asked; the request asks no more than its registered use, that no
//     more than the entry's version. Sets of items are compared as bitmaps.
//  2. The numbers of its uses are 1 to g.sequence without gaps. g.uses of them count, and
//     never more than max_uses.
//  3. No use is recorded at or above the height at which g was revoked or voided, while it
//     is paused or cooling, before it begins, after it ends. Within one block the order of
//     the transactions decides, so a use before the revocation in the same block stands:
//     its number is below or at the sequence that the revocation froze.
//  4. A grant of a standing or sensitive kind was signed at level 3, one with sensitive
//     items under separate or written consent, and each under the text of internal/consent.
//  5. A grant over basis DUTY has no consent, cannot be revoked by the owner, and was told
//     to him when it was made.
//  6. Each use with mode DELIVER that was not closed as EMPTY or FAILED has one deletion
//     duty; g.duties_open counts those neither attested nor exempted.
//  7. The numbers of an owner's feed have no gaps, and each step of his requests, grants,
//     uses and duties has one.
//  8. No object is stuck: a clock leads out of every state that is not the last.
//
// [Check] tests 1, 2, 4 and 6 as far as one state shows them, the histories all but 8.
//
// # Cost
//
// Authenticated writes: a request 2 (request, feed), a grant 3 (request, grant, feed), a
// use 3 (use, grant, feed) and 1 more with mode DELIVER. Clocks, 200 in a block, write their
// object and the feed.
//
// # Sources
//
// PIPL (个人信息保护法) art. 14-17, 23, 29, 34, 35, 47; GB/T 42574-2023;
// spec/safebox.md 3.4, 3.8, 4.2, 4.3; docs/decisions/0035, 0045. docs/spec/grant.md lists each
// refusal of 4.2 with its code and the test that shows it.
package grant
