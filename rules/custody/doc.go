// Package custody is the part of the state machine that lets people without a device act: the
// key of such an account is in the hardware of a custodian, and counts only under a use that
// two officers of different desks have put on the ledger before it signs.
//
// It does not sign and does not know who anybody is. The custodian's program
// (mulian/custody/custodian) has the key; officers compare the person with their file; the
// ledger holds that neither can do anything without the other, nor in secret.
//
//	       OpenCustody       ConfirmCustody          AcceptCustody
//	(none) ───────────▶ Open ──────────────▶ Vouched ─────────────▶ Active
//	                      └── too late ─────────┴──▶ Expired
//
//	       RecordCustodyUse      ConfirmCustodyUse             the transaction itself
//	(none) ────────────────▶ Open ────────────────▶ Confirmed ────────────────────────▶ Executed
//	                           │                        │ ONCE: now, STANDING: after 24 h
//	                           ├── UndoCustodyUse ──────┼──▶ Undone
//	                           └── end of the body ─────┴──▶ Expired
//
//	       UnwrapVault         CloseUnwrap
//	(none) ───────────▶ Asked ─────────────▶ Given | Failed      an hour: Expired
//
// # Invariants
//
// At every height:
//
//  1. A transaction signed by a key in custody is carried out only under a confirmed use of
//     exactly these bytes, once, not before effective_ms and not after the body's end.
//  2. A use is confirmed by two officers of identity authorities, of different desks, whose
//     organisation is not the custodian.
//  3. The word that the person was there is signed for that transaction, and what it rests on
//     counts for one use only.
//  4. An act that goes on, or cannot be taken back, waits 24 hours in which it can be undone.
//     An act is of that kind unless it is in the list of those that are not ([kindOf]).
//  5. A vault is opened only for who has asked by such a transaction, within an hour, once,
//     and the ledger knows it before the custodian gives anything away.
//  6. Numbers of uses and unwraps have no gaps. Each step is in the person's feed.
//
// # What it cannot do
//
// Two officers of different desks who lie together with somebody who signs for the face can
// do what they like for a day, in sight of everybody whom the person asks to look; and with the
// custodian they can read a vault. That is said in docs/threat-model.md.
//
// # Cost
//
// One proved record for each step; at most [MaxDuePerBlock] things run out in one block.
//
// Sources: spec/safebox.md 3.6 (last sentence), 4.4, "Safe-box encryption" 6, threat model;
// docs/decisions/0043.
package custody
