// Package share is the part of the state machine by which one department asks
// another for data that its duty needs, and accounts for the use: apply, authorise,
// confirm, share, use (order 809, articles 20-29).
//
// It is not the delivery itself: data moves between gateways, and what happens here
// is what they have to ask before and to say after. It knows nothing of persons.
//
// Request; the ledger may answer in the block that brings it:
//
//	         FileRequest              Answer, or the provider's standing order
//	(none) ─────────────▶ RECEIVED ───────────────────────────────▶ ACCEPTED | REFUSED
//	                       │  ▲  └──── WithdrawRequest ──▶ WITHDRAWN
//	               AskMore │  │ Supplement
//	                       ▼  │
//	                     INCOMPLETE ── time to supplement is over: Answer ──▶ REFUSED
//
// UrgeRequest leaves a RECEIVED request that is overdue where it is, and says so.
//
// Agreement. Suspension, violation, notice of its end and amendment are facts of their
// own; while several hold, the strongest is the state, in this order: over, RECTIFYING,
// SUSPENDED, ENDING, AMENDING or RENEWING, ACTIVE.
//
//	ACCEPTED ──▶ OFFERED ── ConfirmAgreement ──▶ ACTIVE ◀──── SignAmendment, DropAmendment ────┐
//	                │                            │ ▲ ▲ └── ProposeAmendment, ProposeRenewal ──▶ AMENDING | RENEWING
//	                │                   Suspend  │ │ │      the terms that both have signed go on
//	                │                  SUSPENDED ◀─┘ │
//	                │                    RECTIFYING ◀┘  RecordViolation; SettleViolation accepts
//	                │        ENDING ◀── EndAgreement with a day: it holds until then
//	                └───┬── EndAgreement, SettleViolation not accepted, or its term is over
//	                    ▼
//	  nothing was given ──▶ ENDED ── a receipt that came late ──▶ DISPOSING
//	  something was ──▶ DISPOSING ── FileDisposal ──▶ DISPOSED
//
// Data is released in ACTIVE, AMENDING, RENEWING and ENDING, within the term.
//
// Correction 校核, objection 异议 and dispute 争议:
//
//	FILED ─▶ ACKNOWLEDGED ─▶ CONFIRMED ─▶ CORRECTED ─ the ledger tells each holder ─▶ FANNED_OUT ─▶ CLOSED
//	  └──────────┴──▶ REJECTED ──────────────────────────────────────────────────────────────────────┘
//	FILED ─▶ ANSWERED ─▶ CLOSED
//	NEGOTIATE ─▶ AUTHORITY ─▶ COMMON_SUPERIOR ─▶ GOVERNMENT, each OPEN ─▶ DECIDED ─▶ SETTLED or the next
//
// Delivery of one batch:
//
//	StartDelivery ──▶ STARTED ── Complete ──▶ COMPLETED ── Confirm ──▶ CONFIRMED
//	                     └────── Fail ───────────┴───────▶ FAILED
//
// Clocks, in working days of the profile in force: ANSWER_UNCONDITIONAL or
// ANSWER_CONDITIONAL runs while a request is RECEIVED; COMPLETE while it is
// INCOMPLETE; DELIVER from the confirmation to the first delivery, and stands while
// nothing may be released. DISPOSE runs from the end of an agreement to the
// certificate, or to the end of the last copy's agreed life; CORRECTION to the answer,
// and again for each holder; OBJECTION, DISPUTE and a violation's own days likewise.
// The first block at or after the due time marks the clock overdue, and the standing of
// whoever was late. Silence is consent only if the profile says so.
//
// # Invariants
//
// At every height, for every agreement g:
//
//  1. g comes from exactly one request, which names it, and gives no more than was
//     asked for, unless both have signed an amendment. Its terms change by nothing
//     else, its end only by a signed renewal or a notice.
//  2. The numbers of its deliveries, uses, amendments, violations and disposals have
//     no gaps.
//  3. The state of g is the strongest of what holds. Nobody but the organisation that
//     suspended it and the AUTHORITY can resume it.
//  4. Nothing is delivered before both have signed, and no use is accounted for
//     before a delivery was confirmed (QUERY agreements excepted).
//  5. No delivery starts while g does not hold, is out of term, its entry not in use,
//     an agreed item frozen, or a copy of it has outlived its agreed life.
//  6. A confirmed delivery has the rows and the digest that both sides named.
//  7. A request is told once what is missing; it never goes back from a decision.
//  8. Something was given under g exactly if it ends in DISPOSING or DISPOSED.
//  9. No object is stuck: the clock or the AUTHORITY leads out of every state that is
//     not the last.
//
// [Check] tests 1 to 4 and 8 (the dates of 1 only as far as one state shows them), the
// histories test all but 9, which has its own test.
//
// # Cost
//
// One authenticated write for each message, two where an agreement is made (request,
// agreement), a delivery begins (delivery, its number) or its first one ends
// (delivery, clock), or a use is recorded; each step of an amendment, violation or
// disposal writes itself and the agreement, a late clock the standing as well. Telling
// the holders of a correction writes one object for each, MaxToldPerBlock in a block.
// Open requests, due times and holders of an entry are derived.
//
// # Sources
//
// State Council order 809 (政务数据共享条例): art. 20 (five elements of a request), 21
// (1 and 10 working days; told once; refusal with reasons; extension), 22 (20
// working days to deliver; service interface, batch, file), 25 (another scope or a third
// party), 26 (corrections, 10 working days), 27 (ending needs consultation; disputes), 29
// (records of use). spec/sharing.md 4.1 (clocks), 4.3, 4.4, 4.5.
package share
