// Package receipt is a gateway's access log: what it released or refused, to whom,
// under which agreement, durable before the first byte leaves; and the receipts
// that both sides sign over its records.
//
// It is not the judge of a request (gateway/deliver), holds no value of the data,
// and cannot forget: there is no verb that changes or removes a record.
//
//	Append ──▶ journal (one write, one fsync for all that wait) ──▶ Append returns
//	               │ in order, at once after
//	               ▼
//	           tree (Tessera, tlog-tiles, signed checkpoint) ──▶ anyone's tools
//	               │ within seconds
//	               ▼
//	           Anchor: head, consistency proof and ranges on the ledger
//
// Tessera's POSIX driver writes a bundle, tiles and a state file for each batch,
// each with two fsyncs and after the batch's waiting time. The journal costs one
// fsync of a few hundred bytes (figures: BenchmarkAppend) and is replayed
// into the tree at the next start, so a record that Append has returned is in the
// log whatever happens after.
//
// # Invariants
//
//  1. When Append returns nil the record is on disk, and will be leaf Index of the
//     tree.
//
//  2. The decisions (GRANTED, REFUSED) under one agreement are numbered 1, 2, 3, …
//     without gaps, also over a restart; how a granted one ended (COMPLETED, FAILED)
//     stands under the same number. Each record names its own place in the log, and
//     each decision the place of the agreement's decision before it: a receipt
//     contradicts a log in which something else stands there.
//
//  3. The tree's leaves are the journal's records, in its order. Open proves it
//     by recomputing the root, and refuses a folder in which it does not hold.
//
//  4. After a failed write nothing is appended until the process has started
//     again: every later Append fails (fail closed).
//
//  5. A head that the ledger refuses as rewritten or with a gap stops the log for
//     good ([Anchor.Refused]); no error of the network does.
//
//  6. While an order of secrecy holds, the leaf of an access has no content, and what was
//     taken out of it is durable before it; number, place and times are as of any other.
//     Publish puts it into the log for everybody.
//
// A torn end of the journal is cut at Open: Append never returned its records. Of what
// else a power failure has torn, Open makes again what the rest proves: tiles, bundles
// and state from the journal, records of the journal from the bundles (mend.go). A
// loss that is more than that shows as Damaged, or LogRewritten (the ledger has more).
//
// Sources: C2SP tlog-tiles, tlog-checkpoint and signed-note; RFC 6962; spec
// sharing 4.6; DESIGN section 5.
package receipt
