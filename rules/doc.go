// Package rules is the deterministic state machine: it opens envelopes, finds out
// who signed them, and hands each message to the noun that it belongs to.
//
// It does not order transactions, keep ids that are spent, or store anything by
// itself: package ledger does that, which knows rules only as a [machine.Machine].
// It has no rule about any noun; those stand in identity, governance, catalogue,
// share, trace and evidence.
//
// The life of a transaction:
//
//	bytes ─ size ─ envelope ─ body ─ chain ─ expiry ─ account ─ key ─ signature ─ quota ─┐
//	          │ refused: the id is not spent, for nobody is known to have sent it        │
//	          ▼                                                                          ▼
//	        Result                                message 1 ─ message 2 ─ … ─ message n ─ Result
//	                                                   │ refused: nothing is written, the id is spent
//	                                                   ▼
//	                                                 Result
//
// # Invariants
//
//  1. The id is the hash of the bytes of the body as they came, after
//     "mulian-tx-v1" 0x00, and the id is what is signed; nothing is encoded again. A
//     body has one byte form, so nobody can make a second transaction of it.
//  2. The order of the checks is part of the protocol: the first that fails gives
//     the code. [order_test.go] walks it.
//  3. No message is carried out under a key or account that does not sign at that
//     point: a message that revokes the signing key ends its own transaction
//     for what follows.
//  4. Result.Data is the canonical Outcome, of refusals too.
//  5. A transaction is all or nothing: the caller drops the writes of a Result that
//     is not OK.
//  6. A panic of a rule is not caught. It is a broken invariant of ours, or a damaged
//     store. Were it turned into a result, the damage of one node would become a
//     result that the others do not have, and the chain would fork; as it is, that
//     node stops, and if the fault is in the rules all stop at the same block.
//
// Who may sign: a key of the account, that is active and has not ended, while
// neither the account nor its organisation is suspended. OpenAccount is signed by
// a key that it names itself, as the first message of its transaction.
//
// Sources: docs/spec (transactions); CometBFT v0.40 ABCI 2.0 (what FinalizeBlock
// has to be: a function of the state and the block).
package rules
