// Package evidence is the part of the state machine that keeps evidence 存证: that a
// file existed, with whom, and how it came to be, before any dispute about it.
//
// It never sees the file, its name or its hash. It keeps a commitment, which nobody
// can open without the salt that stays with the file, and the path before the
// chain (Provenance) as the signer states it. It does not judge whether a file
// is true, and does not measure a clock: it writes down what was said, by whom, and
// when the block was made.
//
//	        AnchorEvidence, by any active account
//	(none) ────────────────────────────────────────▶ anchored, for ever
//	                                                    │ the same account, the same commitment:
//	                                                    └── no change
//
//	a later state of the same thing is evidence of its own, which supersedes the earlier:
//
//	anchored ◀── supersedes ── anchored ◀── supersedes ── anchored
//
// # Invariants
//
// At every height:
//
//  1. Evidence is never changed and never removed.
//  2. Its id is the first 16 bytes of its commitment, in hex.
//  3. Its account, time and height are those of the transaction that anchored it.
//  4. What it supersedes was anchored before it, by the same account.
//  5. A gateway, a delivery that it names was there, and the signer had to do with
//     it: the gateway is his organisation's own, the delivery was made to him.
//
// [Check] tests 2 and 4, the histories test all.
//
// # Cost
//
// One authenticated write and one event for each file.
//
// # Sources
//
// 人民法院在线诉讼规则 (Rules of Online Litigation of the People's Courts), art. 16-19:
// what is on a chain is presumed not to have been changed after it came there (16);
// the court looks at the process of anchoring (17) and separately at what was before
// it (18). spec/safebox.md 3.8 (evidence pack). EDPB Guidelines 02/2025: personal
// data off chain, a salted commitment on it.
package evidence
