// Package files connects a gateway to a folder of tables: csv and tsv (also .gz), xlsx
// and parquet. URLs: files:FOLDER to read; csv:FOLDER and parquet:FOLDER to
// read and to be loaded into. ?temp=FOLDER is where rows are sorted (default: the
// system's), ?cache=FOLDER where what was inferred is kept over a restart.
//
// It is no file server: files that are no tables are not seen. It never writes into a
// folder that is only read.
//
//	firm.csv                        the table firm
//	firm.schema.json                what is promised about it (type Declared); optional
//	permits.xlsx                    the table permits, or permits!SHEET where it has more than one
//	visits/2024-01.csv 2024-02.csv  the table visits: parts with the same columns, in their order
//	mulian_delivery.jsonl           of a folder that is loaded into: a line for each delivery
//
//	list ─> open all parts once ─> shape (declared, or inferred from all values; remembered)
//	     ─> rows ─> order.Plan ─> batches      a part that changed meanwhile: ErrChanged
//
//	Begin: lock, end what a killed load began ─> rows sorted by key ─> files without names,
//	fsync ─> a line in mulian_delivery.jsonl, fsync: THE COMMIT ─> files get their names
//
// Invariants, beside those of connect:
//
//  1. A file is opened once for a scan and is checked at its end. With a key no
//     row is handed out before all were read; without one a scan that ends with ErrChanged has
//     handed out rows that do not count.
//  2. What is inferred is inferred from every value, and what is uncertain is text: 007 is
//     text, 1,234 is text, 12 and 12.5 together are decimals. Nothing is cut or rounded.
//  3. Nothing outside the folder is reached: no name, no link leaves it (os.Root). Pipes
//     and devices are not opened.
//  4. NULL is a field with nothing in it and no quotes; quotes with nothing between are an
//     empty text.
//  5. Of two deliveries with one id the second changes nothing; after a kill at any moment
//     a reader of this package sees all of a delivery or nothing.
//
// A folder cannot promise a key by itself: who declares one promises that it is unique, and a
// scan finds out if it is not. A foreign program that reads the folder in the moment between the
// commit and the renaming sees the old file, never a part of the new one.
//
// Sources: RFC 4180; GB 18030-2022; ECMA-376 part 1 (workbooks) sections 18.3, 18.4, 18.8, 18.17;
// the Apache Parquet format, LogicalTypes.md; DuckDB for the infinities of dates in parquet.
package files
