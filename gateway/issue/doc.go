// Package issue makes credentials of a department's rows: it reads the row, writes the
// SD-JWT VC and its SM2 twin, anchors both with one commitment, remembers which row each
// rests on, and says so on the ledger when that row is another one.
//
// It is not OpenID (which speaks with wallets), not a safe box (which keeps credentials for
// their owners), and holds no copy of a credential: what it signed it hands over and forgets.
//
//	type, entry, table ◀── ledger
//	row ──read──▶ template ──sign twice──▶ twins ──read again: the same?──▶ IssueCredentials ──▶ handed over
//	                                                                           │
//	records (row key, salt, fingerprint; 0600) ◀────────────────────────────────┘
//	     │ Sweep: is the row still what it was?
//	     └── no, or gone ──▶ ReportSourceChange ──▶ SUSPENDED in that block
//
// # Invariants
//
//  1. Nothing is handed over that is not anchored, and what is anchored is remembered first:
//     after a crash between the two the credential is on the ledger, with nobody who has it,
//     and its row is watched.
//  2. The row was the same before and after signing (source_changed_during_issue).
//  3. No claim leaves this package but in the credential: records have fingerprints, keyed with
//     a secret of this gateway; the ledger has HMACs under the same secret.
//
// Sources: docs/decisions/0038-credentials.md; EU ARF 3.0 (suspended when an attribute changed).
package issue
