// Package safebox is the part of the state machine that knows whose box holds which
// item: public keys of vaults, numbered deposits, erasures, and transfers (copy-share,
// hand-over).
//
// It never sees content, a name, a kind of datum or a key: an item is a salted commitment.
// It stores no ciphertext (mulian/safebox/store does) and cannot see whether the store
// destroyed what is recorded as erased.
//
// Vault:
//
//	        RegisterVault              ChangeVault (unlockers; or keys as well)
//	(none) ──────────────▶ version 1 ──────────────▶ version 2 …
//	                                                 a recovery of the account: rewrap_ms, until the next change
//
// Item; each has exactly one owner:
//
//	Deposit, SelfDeposit, an accepted copy            EraseItems
//	────────────────────────────────────────▶ HELD ─────────────▶ ERASED
//	                                          ▲  │
//	                                          └──┘ an accepted hand-over: another owner, another number
//
// Transfer:
//
//	OfferTransfer ──▶ OFFERED ─┬─ AcceptTransfer ──▶ ACCEPTED
//	                           ├─ DeclineTransfer ─▶ DECLINED   (receiver)
//	                           ├─ CancelTransfer ──▶ CANCELLED  (offerer)
//	                           └─ its end ─────────▶ EXPIRED    (ledger)
//
// # Invariants
//
// At every height:
//
//  1. An item has one owner, who has a vault, and stands in that box under one number
//     that nothing else ever had there; the numbers of a box have no gaps.
//  2. An item is never removed; ERASED is for good.
//  3. An item with an open hand-over is neither erased, nor offered to anybody else; an
//     erased item has no open transfer.
//  4. A single item is never copied.
//  5. While a box holds items that only their owner could get again, its vault has
//     unlockers of two kinds.
//  6. Each open transfer stands at its item; the others at none.
//
// [Check] tests what one state shows of them, the histories test all.
//
// # Cost
//
// Two authenticated writes for a deposited item (item, vault once per box and message), two
// to four for a step of a transfer.
//
// # Sources
//
// spec/safebox.md 3.7 (transfer), 4.7 (its states and errors), "Safe-box encryption" (2, 3
// and "Erasure"). PIPL art. 45, 47. EDPB Guidelines 02/2025 on blockchains: a salted
// commitment on the chain, personal data off it.
package safebox
