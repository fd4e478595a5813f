// Package order gives the rows of a table that has no database behind it (a file,
// an interface) what a database gives: conditions, the order of a key, going on
// after a row, a limit, batches.
//
// It is no query engine: one table, the conditions of a connect.Selection and
// nothing else. It does not know where rows come from.
//
//	rows in any order ── Plan: Where, After ──> Sorter ── runs on disk, merged ──> Batches
//
// Invariants:
//
//  1. Memory is the Sorter's buffer and a batch, whatever the number of rows; the
//     rest lies in temporary files that have no name: they are removed while they are
//     open, so that a killed process leaves no row of a department behind.
//  2. The order of two values is that of their bytes in the key form (key.go): text
//     by its UTF-8 bytes, numbers by their value, points of time by time.
//  3. Rows with equal keys stay in the order in which they came.
package order
