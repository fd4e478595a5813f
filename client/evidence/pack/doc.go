// Package pack fills an evidence folder with what a stranger needs who was never here:
// the proof of the evidence, of who anchored it, and of his organisation, the genesis,
// the certificate, a page that checks all of it offline in a browser, and a manifest that
// binds every file by its hash.
//
// It is not the proof: each part is checked by what it rests on. The paper, the page and
// the manifest follow from the opening, the proofs and the genesis alone, so they are
// made again and compared when the folder is checked.
//
//	opening ──┐
//	proofs ───┼──▶ Pack ──Files──▶ certificate.pdf, verify.html, README.txt ──┐
//	genesis ──┘ verified                                                      ├──▶ manifest.json
//	                └─────────────────────────────────────────────────────────┘
//	folder ──Check──▶ each hash ──▶ made again ──▶ the same bytes
//
// # Invariants
//
//  1. The same opening, proofs and genesis give the same files, on every machine.
//  2. Whatever the paper says of the ledger, and of who anchored the file, a proof in the
//     folder says, too.
//  3. A changed byte of any file of the folder is found by [Check]; a file that was
//     changed together with the manifest, by the program that made them.
//  4. The folder's name says nothing: it may be renamed and moved.
//
// Sources: spec/safebox.md 3.8; 人民法院在线诉讼规则 art. 16-19.
package pack
