// Package postgres connects a gateway to PostgreSQL and to databases that speak
// its protocol. URLs: postgres://USER@HOST:PORT/NAME?passfile=FILE&sslmode=...
// with libpq's parameters; never with a password in them.
//
// It speaks the protocol through pgconn, the lowest layer of pgx: all values
// travel in PostgreSQL's own text form, which is exact for every type and, with
// the session settings below, the same on every server.
//
// What is particular here:
//
//  1. A Scan is one statement in one REPEATABLE READ READ ONLY transaction, read row by row
//     from the socket: a slow receiver slows the server down, and needs no cursor and no memory.
//  2. A Load is one transaction with one COPY, which takes rows while the next page is
//     decoded (copying.go): what the server has against a row may show some pages later. Replace deletes and does not truncate: readers are
//     not blocked and see the old rows until the commit.
//  3. Text keys are ordered with COLLATE "C". Where the column does not have that collation itself its
//     index does not help, and the server sorts; a delivery's order must not depend on the server's locale.
//  4. Loads into one table wait for each other (advisory lock); readers never wait.
//  5. A Query is a prepared statement of its connection. Where a pooler gives each
//     transaction another server process, statements are lost: the first that is turns them off.
//  6. Errors are retold without PostgreSQL's message where that may hold a value
//     (classes 22 and 23); the SQLSTATE, column and constraint stay.
//  7. An asker's own table may have narrower types than Load would choose. What PostgreSQL would
//     silently round or cut there is a *connect.ValueError (guard.go); what it only spells in another
//     way is let pass: numeric(10,2) prints 1.5 as 1.50, char(n) adds blanks, uuid becomes lower
//     case, jsonb orders its keys and keeps the last of equal ones.
//
// Needs version 11 or later (covering indexes, hashtextextended); a feed of rows 14 or later.
//
// # The feed (connect.Feeder)
//
//	publication (key columns) ─┐                          ┌─ reader ── pieces ──> fn
//	permanent logical slot ────┴── pgoutput, protocol 1 ──┤
//	event trigger ── message in the log ──┘               └─ answers: alive, acknowledged
//	          └──── NOTIFY ──> LISTEN (DDL alone; needs no slot and no right)
//
// It needs what SELECT does not give, so it is a choice of the department: Follow and FeedSQL print
// the statements. The account gets REPLICATION (and with it could read the log of every table and, unless
// pg_hba.conf forbids the pseudo-database "replication", copy the whole server: forbid it). What the gateway
// makes itself: its slot, one for each name (mulian_feed=NAME in the URL) and database; and the publication, if
// the account may. What it never does:
//
//   - It publishes no table without an immediate primary key: UPDATEs of such a table would fail.
//   - It makes no slot where max_slot_wal_keep_size is unlimited: the server gives up a slot that nobody reads
//     before its disk is full (ErrPositionLost, and a snapshot again). FeedLag warns from half of the bound on. A
//     slot also keeps dead rows of the system catalogue; DropFeed removes it, and the publication if it is our own, when
//     a source is given up or nobody has a subscription.
//   - It reads no columns but those of the key, from version 15 on: the publication names them. The price is that
//     PostgreSQL then refuses to change the type of a key's column, or to drop it, until the table has left the publication
//     (ALTER PUBLICATION ... DROP TABLE); and whoever drops the primary key of a published table cannot UPDATE it.
//
// What makes rows others without a change of rows (ALTER TABLE ... TYPE ... USING, a partition that comes or goes or is emptied,
// a renamed value of an enumeration, a policy) no feed tells. TableVersion tells that it happened, from the system catalogue;
// VACUUM FULL and CLUSTER look the same, and cost a snapshot.
//
// DDL events are told by an event trigger, which a superuser has to make. It fires for everybody's statements, in
// their transactions, with no rights of theirs; it swallows its own errors. LISTEN and pg_logical_emit_message
// work for any role. Without the trigger a change is only noticed with the next row of the table (Relation
// message, tag RELATION), and by polling.
//
// Structure is read from pg_catalog and not with ariga.io/atlas: Atlas v0.38.0 (open edition)
// returns no views, does not know which columns the account may read, and needs more rights
// than SELECT on what is shared; format_type prints exactly the type that a person declared.
package postgres
