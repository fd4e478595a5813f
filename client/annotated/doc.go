// Package annotated makes and checks annotated copies 加注件 of credentials: a copy for one
// recipient, for one cause, until one day, which anybody who gets it can check.
//
// A copy is a presentation that does not need the phone of its holder: the chosen fields of
// the credential with the issuer's signature, bound by the holder's key to the recipient and
// to this copy. It is a file (copy.json) and a paper with a watermark and a code. It is no
// new credential: it ends when the credential does, or is suspended with it.
//
//	credential, fields, recipient, cause, end ──Make──▶ Copy ──▶ copy.json, Paper (PDF)
//	                                                     └─Record──▶ RecordCopies on the ledger
//	file ──Check──▶ code, annotations, recipient, end, presentation, status
//	code of the paper ──CheckCode──▶ code, recipient, end; then the credential's status
//
// # Invariants
//
//  1. The code stands on the copy and nowhere else. The ledger has hashes that are made with
//     it: who has no copy learns from it neither the credential nor the recipient.
//  2. A copy that is shown by somebody else than its recipient is refused: the recipient is
//     in the record, in the annotations and in the holder's signature.
//  3. A changed annotation gives other letters behind the code and another commitment.
//  4. What is not among the fields that its holder chose is not in the copy.
//
// What a paper alone can show: that this copy was recorded, by whom, for whom, until when,
// and that the credential holds. That the values on the paper are those of the credential
// shows the file: the letters behind the code are made of all that stands in it.
//
// Sources: GB/T 36903-2018, 36905-2018 (加注件: 制作时间, 制作者, 制作事由, 有效期截至时间);
// spec/safebox.md 3.5, 3.7; docs/decisions/0044-annotated-copies.md.
package annotated
