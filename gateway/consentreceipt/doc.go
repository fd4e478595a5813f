// Package consentreceipt gives owners a signed receipt 授权回执 of whatever happens to their
// grants at this gateway: given, used, changed, revoked, over, deleted.
//
// It decides nothing and holds no data: a receipt has the names of items, never a value, and
// its principal is a pairwise pseudonym. The ledger says what happened; the receipt is the
// gateway's own word for it, which its owner can show to a stranger without the ledger.
//
//	event of the ledger ──▶ grant, use, entry, proved ──▶ content ──sign twice──▶ SD-JWT VC and its SM2 twin ──▶ file (durable)
//	owner ──signed call──▶ List ──▶ his receipts, each with the proof file of its grant
//
// # Invariants
//
//  1. A receipt is made of what was proved to this gateway, not of what a server says: an event
//     only tells when to look.
//  2. A receipt has the number of its event in the owner's feed: which are missing is seen.
//  3. Only the owner of a grant gets its receipts.
//  4. After a crash events are looked at again from the last that was kept; a number that is
//     kept already stays as it is.
//
// Sources: spec/safebox.md 3.8; ISO/IEC TS 27560:2023; PIPL art. 44, 45; proto
// mulian/grant/v1/receipt.proto.
package consentreceipt
