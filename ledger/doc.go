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
// # Traps of the engine, and where each is met
//
//	empty blocks for ever if the app hash moves (tendermint#2487)   state/proof.AppHash has neither height nor time
//	recheck stalls blocks (left-curve#2200)                         off; FinalizeBlock judges again
//	mempool type "app" never wakes a chain without empty blocks     type "flood"
//	spam of invalid transactions (cometbft#3468)                    Check before the mempool, its size bounded, named peers, no pex
//	sending from within Commit or CheckTx blocks (tendermint#3536)  answers go to channels with room
//	reads wait for the ABCI mutex (cometbft#88)                     reads use snapshots of the store
//	a full mempool drops what it has reported as taken              Ledger.queue
//	one mutex for all connections                                   NewConnSyncLocalClientCreator
//	a third of the power down stops the chain (tendermint#4742)     not ours to mend: four validators or more; Status tells
//	a silent proposer holds every height                            timeouts of 400 and 250 ms instead of 3 s and 1 s
//	clocks of a third steer the block time (tendermint#2840)        ProcessProposal, beside the engine's own 60 s
//	block time stands still while the chain sleeps                  PrepareProposal, staleAfter
//	a proposer without the transaction waits, the others for him    remind, Config.Heartbeat
//	a peer that catches up ignores transactions, sent only once     remind
//	lost peers are given up after hours of longer waits             keepPeers
//	a connection accepted while stopping stays open                 door.closed
//	gossip reads the store for 2 s after Stop                       shared.enter
//	consensus dies and the process goes on                          quiet.Error, failure
//	an impossible validator set stops every node                    applyUpdates
//	a panic over one transaction stops every node                   app.apply
//	InitChain again after a crash before block 1                    app.InitChain
//	only validator stuck after a restore                            guardRestored
//	evidence from before the snapshot that a node began with        unmade: told; begin again with a later one
//	a clock that is behind stops consensus without a word           unmade, awaitGenesis
//	1 GB of write-ahead log, not configurable (cometbft#1233)       budget it: home.go
//	room of pruned blocks does not come back (cometbft#1972)        Prune compacts
//	block sync drops peers over long runs of tiny blocks (#5135)    no empty blocks; a new node begins with a snapshot (Sync)
//	a go get without version takes v1.0.1, unmaintained             go.mod pins v0.40.0
//
// Sources: CometBFT v0.40.0, ABCI 2.0 specification; the figures beside the settings
// in config.go and limits.go were measured on two cores with a throwaway prototype of
// this package, BenchmarkPaced and BenchmarkSaturated measure this one.
package ledger
