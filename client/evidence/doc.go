// Package evidence anchors files on the ledger and checks them offline: it makes the
// commitment that goes on the chain, keeps its opening in a folder beside the file,
// and tells whether a file, an opening and a commitment belong together.
//
// The ledger sees the commitment, the size and the path before the chain
// (provenance). Name, hashes, note and salt stay in the folder: without the salt
// nobody can tell from the ledger which file it was. Whoever has the opening can
// show the file to anyone; who lost it has lost the proof.
//
// It does not judge whether a file is true, keeps no copy of it, and makes no PDF
// (package certificate does). What it measures it measures: a clock that nothing
// disciplines is "unknown", never guessed.
//
//	file ──hash──▶ opening, pending ──(folder is durable)──▶ sent ──▶ anchored
//	  │                 │ stopped here: the same opening is sent again
//	  │                 └──────────────────────────────────▶ the ledger knows it, or takes it
//	  └─ changed later: a new opening that supersedes the old one, which stays
//
// # Invariants
//
//  1. An opening is durable before its commitment is sent: no commitment of ours is
//     on the ledger without its salt in the folder.
//  2. A file that did not change is anchored once by one account, however often it is
//     asked for.
//  3. A file that changes while it is read is not anchored.
//  4. A salt is 32 random bytes, used for one commitment.
//  5. Memory does not grow with a file: it is read in pieces.
//  6. The folder is 0700 and what is in it 0600: it holds the salt.
//
// The commitment, byte by byte (|| puts together; numbers are big endian):
//
//	SHA-256("mulian-evidence-v1" 0x00 || salt, 32 || SHA-256 of the file || SM3 of the file || metadata hash)
//	metadata hash = SHA-256("mulian-evidence-metadata-v1" 0x00 || size, 8 bytes ||
//	                 for name, media type, note, modified: length, 4 bytes || UTF-8)
//
// Sources: proto/mulian/evidence/v1 (what the ledger keeps); 人民法院在线诉讼规则 art.
// 16-19; GB/T 32905-2016 (SM3); spec/safebox.md 3.8.
package evidence
