// Package ereceipt is the part of the state machine that knows fiscal e-receipts 财政电子票据:
// which numbers a unit may use, which receipts carry both signatures, and which organisation
// may reckon with one of them now. A lock is one compare-and-set in the agreed state, so no
// receipt is locked by two or paid beyond its amount, whatever they send and when.
//
// It never sees the document, and does not know code, number, payer or amount of a receipt:
// these are bound by handle, commitments and scaled sums (internal/fiscal). It cannot tell
// whether a handle was computed from a number of the range: the finance bureau sees that when
// it signs, and every holder of the document can see it afterwards.
//
//	(none) ─ issue ─▶ ISSUED ─ supervise ─▶ SUPERVISED ─ deliver ─▶ DELIVERED
//	                                            └───────┬───────────────┘
//	                                  lock ▼           ▲ release, until is past
//	                                     LOCKED ───────┘◀─────────────┐ lock
//	                                       │ reimburse, rest open ──▶ PARTLY_REIMBURSED
//	                                       └ reimburse ──▶ REIMBURSED
//	not LOCKED ─ flush all ─▶ RED_FLUSHED, or if somebody has paid
//	             RED_FLUSH_PENDING ─ everybody returned ─▶ RED_FLUSHED
//	not LOCKED ─ flush a part ─▶ as before, with less rest
//
// # Invariants
//
// At every height, for every receipt:
//
//  1. A handle is issued once, within the number of receipts that its range can hold.
//  2. There is one lock at most, and only in LOCKED. What was LOCKED carried both signatures.
//  3. The scaled rest and all scaled reimbursements and partial flushes add up to the scaled
//     amount: nobody pays what is not there.
//  4. REIMBURSED and RED_FLUSHED are never locked again. RED_FLUSHED has no reimbursement that
//     was not returned.
//  5. Ranges of one code do not overlap.
//  6. A red receipt names one receipt that it cancels, and is never locked or flushed.
//
// [Check] tests 2, 3, 4 and 6 of a receipt; the histories test all.
//
// # Cost
//
// One authenticated write and one event for each receipt; one signature check for each receipt
// issued, supervised or locked.
//
// # Sources
//
// 财综〔2017〕32号 (two signatures, 票段); spec/safebox.md 4.5 (states and errors; the states of a
// card invoice, INIT, LOCK, CLOSURE, CANCEL, and all-or-nothing batches, are those of
// practice); docs/decisions/0040-e-receipts.md.
package ereceipt
