// Package node is one running member of the chain: the ledger that orders, the
// rules that decide, and the answers of mulian.ledger.v1 over both.
//
// It is the only package that knows both. A [Node] serves no network but that of the
// chain; a [Member] adds the index, which reads its events, and the server, which
// forwards to it.
//
//	Init ─▶ home directory ─▶ Open ─▶ Submit, Object, Watch, ... ─▶ Close
//
// # Invariants
//
//  1. Every error that a method returns carries a code of package fault.
//  2. An answer is read from one committed height, which it names.
//  3. No answer is larger than [maxAnswerBytes], but for a single object, block or
//     envelope that is.
package node
