package ledger

import "time"

// What all nodes of a chain must have in common. They are consensus parameters in
// the first block; to change one needs an upgrade height.
const (
	// MaxTxBytes is the largest envelope (mulian.ledger.v1.SubmitRequest).
	MaxTxBytes = 1 << 20
	// maxBlockBytes: one proof of a transaction has to load its block; blocks of
	// 4 MB took 86 ms, so at most 2 MiB.
	maxBlockBytes = 2 << 20
	// evidence of a validator that signed twice is taken for so long.
	evidenceMaxAge    = 48 * time.Hour
	evidenceMaxBlocks = 100_000
	evidenceMaxBytes  = 64 << 10
	// voteExtensionHeight is the first block that every validator also signs with
	// its SM2 key.
	voteExtensionHeight = 1
)

// Bounds of one node. Our own choice where nothing else is said.
const (
	// maxPending is how many transactions wait for a block; the next one is Busy.
	// Half a second at 10,000 tx/s.
	maxPending = 5_000
	// maxPendingBytes bounds the memory of the same.
	maxPendingBytes = 64 << 20
	// engineCache is how many transactions the engine remembers to have seen.
	engineCache = 4 * maxPending
	// verdictsKept is how many good signatures are remembered, at about 80 bytes.
	verdictsKept = 1 << 17
	// admittedKept is how many admitted transactions are remembered.
	admittedKept = 4 * maxPending
	// staleAfter is the age of a block time at which a proposer makes an empty
	// block first (see the package comment). It is far below the 10 minutes of a
	// transaction's life and far above the pace of a busy chain.
	staleAfter = 2 * time.Second
	// maxClockSkew is how far the time of a proposed block with transactions may be
	// from the clock of a validator that votes for it. Above staleAfter by what
	// clocks and a slow round may differ.
	maxClockSkew = 5 * time.Second
	// engineRetainEvery: how many blocks pass between two prunings.
	engineRetainEvery = 64
	// MaxEventsPerRead is the longest list that Events returns.
	MaxEventsPerRead = 1000
	// remindAfter is how long transactions wait without a block before the peers are
	// sent some again, then twice as long each time, at most remindMost. Well above a
	// block's time; below what a person at a counter waits.
	remindAfter = time.Second
	remindMost  = 8 * time.Second
	// remindTxs is how many are sent at most: one that is admitted wakes the chain.
	remindTxs = 16
	// stalledAfter is how long transactions wait without a block until the node says that
	// the chain stands still: some rounds with a silent proposer.
	stalledAfter = 5 * time.Second
	// stopWait is how long Close waits for the engine.
	stopWait = 10 * time.Second
)

// appVersion is the version of what FinalizeBlock does; it is in every header.
const appVersion = 1
