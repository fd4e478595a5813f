// Package sqlite connects a gateway to SQLite files. URLs: sqlite:PATH,
// sqlite://PATH, and sqlite:PATH?immutable=1 for a file that nobody writes (read
// without locks; wrong answers if somebody does).
//
// It is not the store of any part of Mulian itself: it reads a department's
// file and loads an asker's.
//
// What is particular here:
//
//  1. SQLite columns hold values of any type. A value that does not fit its
//     column's kind is carried as what it is (an integer in a text column stays an integer;
//     "unknown" in a date column is text); the asker's side refuses it by column and row.
//  2. A file has no account: a Source opens it read only (mode=ro and query_only).
//  3. Snapshot: a scan is one statement in one read transaction. In WAL mode
//     writers go on; in the older journal modes a writer's commit waits for the
//     end of the scan.
//  4. If the file was replaced by another under the same path, the next call
//     opens the new one; if it is gone, calls fail with connect.ErrUnreachable.
//  5. Points of time are compared after bringing them into one text form in SQL; those
//     with an offset other than UTC are delivered rightly but compare as text.
//
// Structure is read from SQLite's own pragmas and not with ariga.io/atlas:
// measured with v0.38.0, Atlas saw no views in its open edition and took
// varchar(18) and varchar(20) for the same type.
package sqlite
