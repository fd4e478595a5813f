// Package ranges finds out whether two tables hold the same rows, and where they do not,
// without showing a row: level L4 of sensing change.
//
// What it is: keyed digests of ranges of the primary key. Whoever has the agreement's key can
// compute them over his own rows and compare; whoever has not learns nothing, not even by guessing
// rows. Compare narrows a difference down to ranges of some rows.
//
// What it is not: it carries nothing (the caller brings the other side's sums), corrects
// nothing, and tells not who is right. It proves nothing to a third party: both sides have the key.
//
//	asker's copy                          provider's table
//	Sums(all) ───────── equal? ─────────── Sums(all)          one pass of each, and mostly the end
//	Split: 32 keys of his own
//	Sums(33 ranges) ── which differ? ───── Sums(33 ranges)    again in those that differ ...
//	   ... until a range has 16 rows ─────────> Difference: after this key, up to that one
//
// Invariants:
//
//  1. Ranges are bounded by keys that the asker has already: no key of a row that he was not
//     given comes to him, and the provider learns only keys that he gave.
//  2. Ranges are narrowed to Grain rows of the asker's on average, no further: a digest of one row would let him try out
//     values for it.
//  3. Memory does not grow with the tables: one row, one digest and at most MaxBounds keys for a
//     range, MaxDifferences ranges. A table is read in the order of its key, a few times at most: a part
//     that is equal is never read again.
//  4. Rows that come in another order than that of their keys are an error, never a difference.
//  5. What was only different because it changed between the two looks is asked again before
//     it is told.
//
// Sources: the sharing specification's detection ladder, L4; RFC 2104 with GB/T 32905 (HMAC-SM3).
package ranges
