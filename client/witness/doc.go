// Package witness shows the ledger's log of events to people outside, so that nobody can
// be shown another one: validators sign checkpoints of it, witnesses that belong to
// nobody of the consortium remember the last one and cosign only what continues it.
//
// It is not a part of consensus, and a witness keeps no events: it knows size and root of
// the last checkpoint of each log. That a checkpoint is what the consortium committed, it
// does not know; client/prooffile shows that.
//
//	events ─RFC 6962─▶ root, size ──in──▶ app hash ──▶ header, signed by > 2/3
//	                      │ signed by a validator
//	                      ▼
//	                  checkpoint ──add-checkpoint, with the way from the last size──▶ Witness
//	                      ▲                                                            │ continues it
//	                      └───────────────────── cosignature ◀─────────────────────────┘
//	                                                                                   │ does not
//	  two checkpoints that cannot be of one log ──▶ prooffile.Split ◀── refused, kept ◀┘
//
// # Invariants
//
//  1. A [Witness] never cosigns a checkpoint that is smaller than one that it has cosigned,
//     or that does not contain it: across restarts, for what it answers is on disk before.
//  2. It answers for a log only if a key that it was given for this log has signed.
//  3. A witness whose memory is gone does not begin again with the same key.
//  4. What was signed and is refused is kept, up to a bound: it may be what convicts.
//  5. [Push] reports success only with a cosignature that holds for exactly this checkpoint.
//
// Sources: C2SP signed-note, tlog-checkpoint, tlog-cosignature (v1, Ed25519) and
// tlog-witness (add-checkpoint); RFC 6962, section 2.1.
package witness
