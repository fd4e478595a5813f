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
// Agreement; that its term is over is computed from EndsMs and not stored:
//
//	ACCEPTED ──▶ OFFERED ── ConfirmAgreement ──▶ ACTIVE ◀── Suspend, Resume ──▶ SUSPENDED
//	                └───────────────┴── EndAgreement ──▶ ENDED ◀───────────────────┘
//
// Delivery of one batch:
//
//	StartDelivery ──▶ STARTED ── Complete ──▶ COMPLETED ── Confirm ──▶ CONFIRMED
//	                     └────── Fail ───────────┴───────▶ FAILED
//
// Clocks, in working days of the profile in force: ANSWER_UNCONDITIONAL or
// ANSWER_CONDITIONAL runs while a request is RECEIVED; COMPLETE while it is
// INCOMPLETE; DELIVER from the confirmation to the first delivery, and stands while
// the agreement is suspended. The first block at or after the due time marks the
// clock overdue. Silence is consent only if the profile says so.
//
// # Invariants
//
// At every height, for every agreement g:
//
//  1. g comes from exactly one request, which names it, and gives no more than was
//     asked for. Its terms and dates never change.
//  2. The numbers of its deliveries and uses have no gaps.
//  3. g.SuspendedBy is set exactly while it is suspended; nobody but that
//     organisation and the AUTHORITY can resume it.
//  4. Nothing is delivered before both have signed, and no use is accounted for
//     before a delivery was confirmed (QUERY agreements excepted).
//  5. No delivery starts while g is not active, out of term, its entry not in use,
//     or an agreed item frozen.
//  6. A confirmed delivery has the rows and the digest that both sides named.
//  7. A request is told once what is missing; it never goes back from a decision.
//
// [Check] tests 1 to 4 (the dates of 1 only as far as one state shows them), the
// histories test all.
//
// # Cost
//
// One authenticated write for each message, two where an agreement is made (request,
// agreement), a delivery begins (delivery, its number) or its first one ends
// (delivery, clock), or a use is recorded. Open requests and due times are derived.
//
// # Sources
//
// State Council order 809 (政务数据共享条例): art. 20 (five elements of a request), 21
// (1 and 10 working days; told once; refusal with reasons; extension), 22 (20
// working days to deliver; service interface, batch, file), 27 (ending needs
// consultation), 29 (records of use). spec/sharing.md 4.1 (clocks), 4.3, 4.4, 4.5.
package share
