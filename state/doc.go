// Package state keeps what the chain knows: typed tables over one store that is
// versioned (what was it at height h?), committed (all of a block or nothing) and
// authenticated (anyone can check a value against the agreed app hash).
//
// It knows no noun of the city, no consensus engine and no network. It does not
// fsync by itself: the engine replays blocks that a power failure took.
//
//	          Begin(h)            Tx, Keep          Finish             Commit
//	committed ───────▶ Block ◀──────────────▶ Tx   ───────▶ app hash ────────▶ committed
//	h-1  ▲                                                               h  │
//	     └── View, At: readers, each with his own snapshot ◀────────────────┘
//
// A record is Proved (a fact: in the tree and in the history) or Plain (an index
// that follows from facts). Events go to a log that only grows. After each block
//
//	app hash = SHA-256("mulian-state-v1" | tree root | log root | log size, 8 bytes)
//
// # Invariants
//
//  1. The app hash depends on the Proved records and the events alone, not on
//     height, time, Plain records or the way the records came to be. A block that
//     changes nothing leaves it as it was. On a sealed chain ([Block.Seal]) one
//     Proved record stands for all Plain ones.
//  2. On disk, head, records, history, tree and log are those of one height: they
//     are written in one batch.
//  3. A dropped transaction leaves nothing, neither record nor event.
//  4. At(h) shows every Proved record as View did when h was the last block, for
//     every h from Oldest to Height.
//  5. An event, once committed, keeps its place and its bytes.
//
// [DB.Check] tests 2 and, with all that is stored, that the roots are right.
//
// What breaks if this package lies: nothing that a client checks with state/proof;
// everything that he believes unchecked.
//
// Sources: ICS 23 v1 SmtSpec (state/tree), RFC 6962 (state/eventlog). The app hash
// is our own form; what an update costs, BenchmarkUpdate tells.
package state
