// Package custodian is the program beside a custodian's hardware: it watches the ledger, makes
// the keys of accounts that two officers have vouched for, signs what two officers have put
// on the ledger, and opens a vault for the one receiver that a signed transaction names.
//
// It decides nothing and knows nobody. Whatever it does it reads from the ledger with a proof,
// so that a false server cannot make it sign or open anything.
//
//	ledger (proved)                      here                         ledger
//	custody VOUCHED ──────▶ two keys in the hardware ───────────▶ AcceptCustody
//	use CONFIRMED, in time ─▶ signature over its body, kept on disk ─▶ the transaction
//	unwrap ASKED ─▶ box (by HTTP) opened, sealed to the receiver, kept ─▶ CloseUnwrap ─▶ answer
//
// # Invariants
//
//  1. The hardware signs only a body that stands, confirmed and past its window, in a proved
//     record whose custodian we are; what it signed is on disk before it is sent, and is what
//     is sent after a crash: one use, one signature. (The power may fail between the
//     hardware's answer and the disk; then nobody has the first signature.)
//  2. A vault is opened only for an unwrap that is proved and not answered, from a box whose
//     hash is in it, bound to that account; the answer leaves after the ledger has its hash.
//  3. No seed, PIN or signature is in a log. Files are 0600 in a folder of 0700.
//
// Sources: spec/safebox.md, "Safe-box encryption" 6; docs/decisions/0043; RFC 9180.
package custodian
