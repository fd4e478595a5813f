// Package connect is the contract between a gateway and a department's database.
//
// What it is: two small interfaces (Source, the provider's database, only ever
// read; Sink, the asker's own database, loaded), one canonical form for values
// of every database, one row codec and digest for what travels between them,
// and one document that describes a database's structure.
//
// What it is not: it does not decide who may read what (gateway/deliver does),
// does not seal, does not log, and never speaks SQL to its callers. It is no
// ORM: there are no queries but "these columns of this table".
//
//	department's database                                asker's database
//	Inspect ──> Schema ──> Hash (catalogue, drift)
//	Query  ──┐                                        ┌──> Begin
//	Scan   ──┴─> Row ─ Packer ═ sealed page ═ DecodePage ─> Page ─ Append ... Commit
//	              └──────────── Digest ── equal? ── Digest ───────────┘
//
// Invariants, held by the suite in connect/connecttest for every database:
//
//  1. A Source never writes, and needs no right but SELECT on what it is to read.
//  2. A value that cannot be carried exactly is an error that names its column
//     and row; it is never rounded, cut or replaced.
//  3. A Scan sees one state of the table, however long it takes.
//  4. After a Load, whatever happened, the table holds the whole delivery or
//     nothing of it; the same delivery id never counts twice.
//  5. Memory does not grow with the number of rows (limits.go).
//  6. No error text holds a value, a password or a row: they end in logs.
//
// Databases are added by a subpackage that calls Register in its init; a program
// imports the ones it wants, or connect/all for all of them.
//
// Sources: order 809 art. 22 (service interface, batch exchange, file download),
// NDI-TR-2025-06 for the fields of a table; DESIGN section 5.
package connect
