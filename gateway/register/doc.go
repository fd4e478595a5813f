// Package register watches the rows of a department's register from which mandates follow: the
// legal representative of a firm, the guardian of a minor, an heir. When such a row is another
// one, or gone, the mandate that rests on it is suspended.
//
// It is not drift (which looks at a database's structure and lets mandates be: a renamed column
// has changed nobody's rights), and it ends no mandate: that, or that the mandate holds all the
// same, an officer of the register says.
//
//	row ──Read──▶ commitment ──Remember──▶ kept (key, salt; 0600) ──▶ ProposeMandate{basis.record}
//	                                          │ Sweep: is the row what it was?
//	                                          └── no, or gone ──▶ SuspendMandate ──▶ SUSPENDED in that block
//	                                                                 │ the office: lift, or revoke
//	                                                                 └─ lifted: what the row is now is what counts
//
// # Invariants
//
//  1. A row is remembered before its mandate is proposed: no mandate of this gateway stands whose
//     row nobody watches.
//  2. A database that does not answer suspends nothing; nor does a change of its structure, nor a
//     row that is absent at one look only.
//  3. What has changed while a mandate was suspended suspends it once more when it is lifted: who
//     lifted it had perhaps not seen that.
//  4. No value leaves this package: the ledger has salted hashes, the kept rows keys and salts.
//
// Sources: spec/safebox.md 3.6 (a legal representative's mandate is suspended by change
// detection); docs/decisions/0034-recovery-and-mandates.md; Company Registration Regulations
// (市场主体登记管理条例), art. 24 (changes are registered within 30 days).
package register
