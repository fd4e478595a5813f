// Package intake turns the lists that departments have into drafts for the ledger:
// catalogue entries, duties, matters, code tables and organisations, from any table,
// list of objects or graph of data sets (DCAT) that package intake/sheet can read.
//
// It is no reader of formats (that is sheet), it decides nothing that the ledger
// decides (a draft may still be refused), and it gives nobody anything silently:
// an owner that the file does not name, or names in a way that the ledger does not
// know, holds the entry back.
//
// The life of a file:
//
//	MakePlan ── pass 1: kind, spellings of owners
//	   │       pass 2: a verdict for each entry ──▶ Report       (no node needed)
//	   │                 accepted │ doubtful │ rejected │ duplicate
//	 Missing ─ what its source had and this file lacks: some │ so much that it is held
//	 Apply ─── pass 3: drafts ── Target: owner, duties, ids ──▶ held │ unchanged
//	             │ what the list states, laid over what the ledger has
//	             └─ batches, many organisations at once, each in order ── Sender ──▶ sent │ refused
//	                   └─ journal: an import that was stopped goes on
//
// What holds:
//
//  1. Nothing is dropped silently. Every row is blank or part of an entry, every
//     entry has exactly one verdict, and Accepted + Rejected + Doubtful +
//     Duplicates == Entries. Every draft of a plan is sent, unchanged, resumed,
//     held or refused. What a file has and the ledger has no place for is named.
//  2. Nothing is repaired silently. A value that had to be guessed makes the entry
//     doubtful, and the report says what was guessed, or proposes it and leaves
//     the field empty. Spellings of owners are never merged: a merge is proposed.
//  3. The same file gives the same ids and the same content, on every machine and
//     whenever it is imported: the local part of an id is the file's own code, or
//     is derived from the name as the ledger compares names. A second import
//     changes nothing.
//     An import changes only what the list states: the rest of an entry that is on
//     the ledger stays as it is (overlay.go). An export of ours that comes back
//     changes nothing, whatever its format cannot say.
//  4. Memory is bounded: three sums of 16 bytes and a line number for each entry
//     while it is judged, one byte after that; while it is sent the sum of each id, at
//     most 8,000 drafts that wait for their batch and 16 batches under way. 100,000
//     entries take 139 MiB, the program itself included (city/e2e).
//  5. A file that changed between plan and import is not imported.
//  6. No person is imported: names, e-mail addresses and telephone numbers of
//     contacts are counted, and left out; so are e-mail addresses in abstracts.
//     A number in the middle of a text is not recognised.
//
// Headers of the file find our fields through one table of synonyms (synonyms.go) and
// through --map; a table without a header is read by what its columns look like, and
// every entry of it is doubtful (headless.go). Words of code lists are read by internal/code.
//
// Sources: 政务信息资源目录编制指南 (发改高技〔2017〕1272号) for the fields of an entry;
// order of the State Council No. 809, articles 3, 13 and 14; docs/spec/sharing.md
// 4.3 and 4.8; DCAT-AP 3.0 and Project Open Data 1.1 for what portals publish; the
// published catalogues of Beijing, Guangxi, Taipei, Taichung, Taitung, data.gov.tw,
// Tokyo, Bremen, destatis, data.gouv.fr and six US agencies, the lists of powers of
// Huairou, the matters of Guang'an and the codes of China's divisions, on which the
// tests count.
package intake
