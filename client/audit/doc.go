// Package audit holds what a gateway says against what it said before, against the
// ledger, and against what its askers have in hand, and keeps what does not fit as
// evidence: one file for each finding (client/prooffile) that a stranger checks offline.
//
// It is not a judge: a finding says what was signed or anchored and cannot both be so.
// It sees no data, only records of access, and trusts neither the gateway nor the server
// that it asks; it cannot see an access that neither was logged nor has a receipt.
//
//	remembered checkpoint ─┐
//	others' checkpoints ───┼── one log? ──▶ forked, rewritten, rewound
//	ledger's head ─────────┘                  │
//	                                          ▼ the anchored records, from where we were
//	receipts ──▶ same bytes at that place?   misplaced, gap, twice, outside, revoked, counts
//	             contradicted, unanchored     │
//	                                          ▼ numbers per agreement = the ledger's sequence
//	                                        memory: checkpoint, how far, numbers
//
// A record under an owner's grant is held against the grant and against the use that the
// ledger has to have counted before it ([Auditor.Grant] does that for one owner).
//
// # Invariants
//
//  1. Records are read as leaves of the tree whose root the ledger has: what the log
//     serves to this reader alone is not taken for the log.
//  2. What is remembered of a gateway is replaced only by a state that contains it: a
//     rewind stays a finding until the log is whole again.
//  3. A file of evidence was verified before it was written; a finding without a file
//     says so, and why.
//  4. Memory grows with the number of agreements, and of records that are secret for now,
//     not of records.
//
// Sources: spec sharing 4.6; docs/spec/proof.md; C2SP tlog-tiles and tlog-checkpoint.
package audit
