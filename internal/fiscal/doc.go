// Package fiscal knows the document of a fiscal e-receipt 财政电子票据: its XML with two
// detached signatures, and what unit, finance bureau and payers compute from it for the ledger
// (rules/ereceipt), which never sees the document.
//
// It holds no state, speaks to nobody and decides nothing: who may sign, lock or pay is
// rules/ereceipt.
//
//	range key ── HMAC-SM3(code, number) ──▶ secret of the receipt, in its Header
//	                                          ├─ code, number ──▶ handle      the ledger's key
//	                                          ├─▶ holding key                 signs locks
//	                                          ├─ payer, check code ──▶ commitments
//	                                          └─▶ scale: fen ──▶ scaled sums
//	Header, EInvoiceData ── SM3 ──▶ content ── unit signs ──▶ bureau signs content and signature
//
// # Invariants
//
//  1. A number of a range has one secret, and so one handle, holding key and scale.
//  2. Without the secret nothing here can be computed from code, number, payer or amount, and
//     the other way round.
//  3. For amounts of 1 to [MaxFen] and at most [MaxParts] parts: the sum of scaled parts is at
//     most the scaled amount exactly if the sum of the parts is at most the amount.
//  4. [Parse] takes the one byte form that [Document.Encode] writes, and no other: what is
//     signed cannot be read in two ways.
//
// # Sources
//
// 财综〔2017〕32号 and its annex (Header, EInvoiceData, EInvoiceSignature with two detached
// signatures and what each covers); which names of elements were found where, and which are
// ours, says docs/fiscal-e-receipts.md. GB/T 32905 (SM3), GB/T 32918 (SM2);
// spec/safebox.md 4.5; docs/decisions/0040-e-receipts.md.
package fiscal
