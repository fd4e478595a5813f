// Package drift notices that a department's database is no longer what the
// catalogue says, and tells how bad that is.
//
// What it is: Compare, which sorts the differences of two structures into the
// three classes of the sharing specification; Lateness, which does the same for
// content that is not refreshed; and Watcher, which looks every few seconds and
// reports each change until the report is accepted.
//
// What it is not: it freezes nothing itself (the rules on the chain do, on the
// report), reads no rows, and does not guess that a column was renamed: it
// asks a person.
//
//	DDL event ──> (150 ms of rest) ──> look at once, and what it sees needs no second look
//
//	         differs                same again             accepted
//	Inspect ────────> candidate ────────────────> pending ──────────> baseline was moved when
//	   │ same            │ same as before             │ refused       the event became pending
//	   └─> nothing       └─> nothing (a restore       └─> offered again, later
//	                          in the middle)
//	   no answer ──> unreachable ──answer──> reachable     (never drift)
//
// Invariants:
//
//  1. Two structures with different hashes differ in one Change at least, and
//     equal hashes in none: no silent drift, no noise.
//  2. A database that does not answer, restarts or answers only once differently
//     is not drift, unless it said itself that its structure was changed.
//  3. An event is on disk before it is offered, and stays until it was accepted:
//     a restart of the gateway loses none. Offered twice (power failed between
//     the acceptance and our note of it) it has the same ID both times.
//  4. A report that hangs does not stop the watch.
//  5. Events only make looks earlier. That none came proves nothing: polling goes on.
//
// Sources: order 809 art. 17 (10 working days to update the catalogue);
// the sharing specification 4.7 (classes) and its detection ladder, levels L0 (looks),
// L1 (DDL events), L2 (watermarks) and L4 (keyed digests of ranges, package ranges).
package drift
