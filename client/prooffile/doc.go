// Package prooffile makes and checks proof files: one file, *.mulian-proof.json,
// that shows a stranger, years later and without any server, that something stands
// on the ledger or in a gateway's access log, who signed it, and that the consortium
// committed it. All that he needs beside the file is the hash of the genesis.
//
// It is not a reader of live chains (client.Verified) and no archive: what a file
// proves was so at its height. That nothing came after, it cannot show.
//
//	record ──path──▶ root of the gateway's log ──in──▶ object trace/head/<gateway>
//	  ▲ provider, consumer                                │
//	key ◀──in── object identity/account/<account>         │ siblings
//	  ▼ signs                                             ▼
//	transaction ──id──▶ event ──path──▶ log root ───▶ app hash ◀── tree root
//	                                                     │ in
//	                                                   header ◀── > 2/3 of its validators
//	                                                                 ▲ > 1/3 of those trusted, block by block
//	genesis hash ──▶ genesis ──▶ first validators ───────────────────┘
//
// # Invariants
//
//  1. [Verify] says ok only if every byte of the file follows from what is proved or
//     is checked against it: a file with one other byte says not ok, or is the proof
//     of something else that holds.
//  2. A file has one byte form; what is in it twice is compared.
//  3. A statement that holds is about one subject, on one chain.
//  4. [Maker] never returns a file that Verify refuses, whatever the server answers.
//  5. No input makes Verify panic, or work longer than its size allows.
//
// Sources: docs/spec/proof.md, which is complete without this code; RFC 6962; ICS 23
// SmtSpec; CometBFT v0.40.0 light client; C2SP tlog-tiles.
package prooffile
