// Package ledger orders transactions. It runs one node of the chain in this
// process: CometBFT, its stores and the state in one Pebble database, and the
// [machine.Machine] that says what a transaction does.
//
// It is not the rules: it does not know a noun, a key level or a quota. It is not
// an API: what it returns are Go values for package node. It is the only package
// that imports CometBFT.
//
//	Submit ─ Check, signature ─▶ mempool ─▶ proposal ─▶ vote ─▶ block saved, fsync
//	   ▲                                                              │
//	   │                                        Apply ×n, End, app hash
//	   └───────────── answer ◀── watchers woken ◀── state committed ──┘
//
// # Invariants
//
//  1. A transaction that Submit has answered is in a block that survives a power
//     failure: the engine fsyncs the block before the state is changed. The
//     state itself is not fsynced; after a crash the engine replays the block.
//  2. A transaction id is carried out at most once ([Ledger.Tx] knows it for ever).
//  3. Every signature is checked once per process, outside the order of blocks
//     where possible; the remembered answer is the answer of a pure function.
//  4. The app hash changes only when the state does. Otherwise the engine would
//     make blocks for ever (tendermint#2487).
//  5. A watcher sees every event once, in order, and slows down nobody.
//  6. A node that cannot go on says so: [Ledger.Failed], and every call returns
//     the cause. It never answers from a state that it does not trust.
//
// # Block time
//
// The engine's block time is the median of the votes for the block before. A chain
// without empty blocks that has slept for an hour would put its next transaction
// into a block that is one hour old, and its expiry would be judged by that. So a
// proposer whose block time is older than [staleAfter] proposes an empty block
// first; the votes for it bring the time forward, and the transactions follow in
// the block after.
//
// Sources: CometBFT v0.40.0, ABCI 2.0 specification; measurements and the traps
// with their sources are in docs/decisions.
package ledger
