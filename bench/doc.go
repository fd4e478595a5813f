// Package bench measures Mulian. What docs/performance.md says of its speed is the
// output of one of these functions, and each runs beside its bare counterpart (the
// engine with its own example, a plain COPY, direct SQL) in the same process and
// minute: on a slow or busy machine both are slow, and their ratio still tells what
// Mulian costs.
//
// It is not a test: nothing fails because it is slow. It measures the real thing,
// over the doors that the server uses, with real keys and disks, and no part of it
// is known to the rest of the house but to the command line.
//
//	Options ──▶ Ledger, State, Catalogue, Search, Deliver, Query, Drift, Revoke, Grant, Proof, LongChain ──▶ Result
//	               folder of its own · warm-up · measure · bare counterpart · removed
//	                                                                  │
//	                                     table for people ◀───────────┴──▶ JSON, last line: the figures
//
// # Invariants
//
//  1. What is prepared (keys, signatures, rows) is ready before the clock starts; what
//     is measured is measured from the caller's side, waiting included.
//  2. A run writes only into a folder that it has made itself, below [Options.Dir], and
//     removes it, also when ctx ends.
//  3. A figure is named with its unit and has one meaning: name and order of those in
//     the last line of JSON are a contract with scripts.
//  4. CPU is of the whole process, load generator included, unless the figure says
//     otherwise: it is the figure that a busy machine falsifies least.
//
// Sources: the goals are those of MISSION S27 and S31; percentiles are of the sorted
// list of all measured times (no sampling), nearest rank.
package bench
