// Package tracepack makes and checks trace packs: one zip that holds the trace of an object
// (duty, entry, lock, request, agreement, delivery, use), each step with a proof file that a
// stranger checks offline, who signed it, and the headers of the blocks.
//
// It is not the proof: each step is checked by its own file (client/prooffile), with nothing
// but the hash of the genesis. That a step was left out the pack cannot show: it says what
// the server told of the object, and proves each thing that it tells.
//
//	Trace of a server ──▶ steps ──Event──▶ proof file of each ─┐
//	object ──Object──▶ proof file ─────────────────────────────┼──▶ headers, certificates ──▶ manifest ──▶ zip
//	genesis ───────────────────────────────────────────────────┘
//	zip ──Check──▶ each hash ──▶ genesis ──▶ each proof ──▶ each step = its act ──▶ headers, certificates
//
// # Invariants
//
//  1. [Make] returns no pack that [Check] refuses, whatever the server answers.
//  2. What trace.json says of a step, but its sentences, is what its proof file proves.
//  3. A changed byte of any file is found by its hash; one that was changed together with the
//     manifest, by the proofs. The sentences and README are for people, and bound by hash alone.
//  4. No input makes Check panic, or unpack more than its bounds.
//
// Sources: spec/console.md 4.2 (f); docs/spec/proof.md; docs/decisions/0053.
package tracepack
