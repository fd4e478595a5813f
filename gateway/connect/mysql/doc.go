// Package mysql connects a gateway to MySQL, MariaDB and databases that speak their
// protocol. URLs:
//
//	mysql://USER@HOST:PORT/NAME?passfile=FILE&sslmode=verify-full&sslrootcert=FILE&sslcert=FILE&sslkey=FILE
//	mysql://USER@/NAME?socket=PATH          with connect_timeout=SECONDS
//
// The first line of passfile is the password; the file must be unreadable for others
// and is read again for each connection. Without sslmode a server on this machine is
// spoken to in plain text and any other must prove its name. mariadb:, oceanbase: and tidb:
// are the same.
//
// Tested against MariaDB. For MySQL 8, OceanBase and TiDB it keeps to what their manuals
// have in common: a setting that one does not know is left out.
//
// What is particular here:
//
//  1. All statements are prepared: the server prints nothing and rounds nothing on the
//     way (in its text protocol a float has six digits), and no value is ever part of SQL.
//
//  2. A Scan is one statement in one START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY, read
//     from the socket row by row. Tables of MyISAM and Aria have no snapshots: there the
//     statement's own lock makes it one state, and writers wait. While a scan runs, ALTER TABLE
//     of its table waits for its end, and everybody behind it.
//
//  3. A Source's sessions are READ ONLY on the server, whatever the account may do.
//
//  4. Text keys are ordered by their UTF-8 bytes. Where the column's own collation is not
//     that (all but _nopad_bin and _0900_bin), its index does not help and the server sorts.
//     A query uses the index and then compares byte for byte: "A" does not find "a".
//
//  5. Zero dates (0000-00-00, 2024-00-15) are no dates: a *connect.ValueError. Share a view
//     that makes NULL of them (NULLIF).
//
//  6. tinyint(1) and bit(1) are Boolean; a tinyint(1) with another number is carried as that
//     Integer. bit(n) is the Integer of its bits, year an Integer, time, enum and set the Text
//     that MySQL prints, geometry its stored Bytes.
//
//  7. What MySQL has no exact type for, a Load stores as text or datetime in UTC, with a mark in
//     the column's comment (create.go): decimals of any scale, moments, JSON. Infinite days
//     and floats are refused by column and row. An asker's own table may have narrower types; what
//     MySQL would silently round, cut or take for something else there is a *connect.ValueError (guard.go).
//
//  8. MySQL ends a transaction with each CREATE. So the tables come first, and the rows and the
//     delivery's id in one transaction after them:
//
//     lock ─> control table ─> CREATE target, empty ─> START TRANSACTION ─> id ─> rows ─> COMMIT
//     power fails here:             an empty table that no delivery names      all or nothing
//
//     Such an empty table of ours is dropped by the Rollback, or by the next Begin.
//
//  9. Rows are loaded by multi-row INSERT and not by LOAD DATA LOCAL, which turns errors into
//     warnings (insert.go).
//
//  10. A Source is a connect.Feeder on MariaDB 10.5 or later with log_bin, binlog_format=ROW,
//     binlog_row_image=FULL or NOBLOB and binlog_row_metadata=FULL (the log then names its
//     columns, so that a row is never read by the order of a later table), for tables whose key the log tells
//     as it is (no enum, time, float; text in UTF-8) and that no foreign key changes behind the
//     log's back. A change is told when a snapshot shows it (feed.go). What goes without a change of rows
//     (a statement that was logged as text, XA) is connect.ErrPositionLost; a table that is dropped, recreated or
//     loses a partition is named by a connect.NoFeedError. The time of creation, which each
//     ALTER TABLE sets anew, is the table's version.
//     The server keeps its log by its own rules; the account reads all of it, see grant.go.
//
//  11. Errors are retold without the server's message where that may hold a value or the account.
//
// Structure is read from information_schema and not with ariga.io/atlas, for the reasons
// that package postgres gives; the width of integers, which newer servers do not print, is left out.
package mysql
