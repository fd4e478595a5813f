// Package logbook keeps what operators do to a node or a gateway: started, stopped,
// configured, backed up, keys replaced, pruned, asked over the control socket; when, and as
// which user of the machine.
//
// It is not the access log (package gateway/receipt: who got which data, on the ledger), and
// not the program's log (slog, for troubleshooting, dropped after weeks). It is the record
// that an inspection of the machine asks for.
//
//	act ─▶ Write ─ lock, chain, fsync ─▶ HOME/logbook/acts.jsonl ─ 4 MiB ─▶ acts-000000000001.jsonl ─ 16 files ─▶ dropped, and that is written down
//
// # Invariants
//
//  1. A line holds the hash of the one before. Who changes, removes, adds or swaps a line
//     within the book is found by [Verify], and at which line.
//  2. When Write returns, the line survives a power failure. A line that was torn by one was
//     never acknowledged, is cut off, and the next line says so.
//  3. No secret stands in it: [Diff] names settings that may hold one, and not their value.
//  4. It takes at most [maxFiles] times [fileBytes], whatever happens.
//
// What it cannot show by itself: an operator who may write all files of the folder can make a
// whole new book. So each line is also handed to the program's log, from where it leaves the
// machine, and Verify takes a hash that somebody has noted elsewhere.
//
// If this part lies, an operator's act goes unseen; no right and no datum is given by it.
//
// Sources: GB/T 22239-2019 8.1.5.2 (audit management: records of operations are protected
// from deletion, change and overwriting); the chain as in RFC 6962's idea, without a tree:
// the book is short and read whole.
package logbook
