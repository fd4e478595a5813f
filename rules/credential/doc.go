// Package credential is the part of the state machine that keeps what credentials 凭证
// there are: types in versions, who is known as issuer, the anchor of each issued
// credential, and two bits that say whether it still holds.
//
// It never sees a credential, its holder or any of its claims. It has a commitment to
// what the issuer signed, and HMACs of licence identifier and source row under a key that
// only the issuer has. It makes no index: the issuer draws one at random and signs it into
// the credential before it is anchored, because a ledger has no chance of its own
// (docs/decisions/0038).
//
//	(none) ── IssueCredentials ──▶ VALID ── SetCredentialStatus, ReportSourceChange ──▶ SUSPENDED
//	                                │ ▲                                                   │
//	                                │ └──────────────── SetCredentialStatus ──────────────┤
//	                                ├── SetCredentialStatus ──▶ REVOKED ◀─────────────────┤
//	                                └── IssueCredentials ─────▶ SUPERSEDED ◀──────────────┘
//
//	annotated copy 加注件: (none) ── RecordCopies ──▶ MADE ── EndCopies ──▶ ENDED; 30 days after its end: (none)
//
//	suspended by its source ── 24 hours, neither issued anew nor revoked nor resumed ──▶ credential/overdue
//
// # Invariants
//
// At every height:
//
//  1. A version of a type never changes but for being retired; versions have no gaps.
//  2. Each anchored credential has one index of one list of its issuer, and no index has two.
//  3. The bits of an index are those of its credential's state: VALID 0, REVOKED and
//     SUPERSEDED 1, SUSPENDED 2. They are 0 where no credential is.
//  4. At most one credential of an issuer, type and licence is VALID or SUSPENDED.
//  5. REVOKED and SUPERSEDED are for ever.
//  6. A list counts the indexes that are taken, at most [MaxTaken].
//  7. What is here of an annotated copy tells nobody who has not the copy of which credential
//     it is, or for whom: all of it is made with a code that stands on the copy alone.
//
// [Check] tests 2 to 4 and 6, the histories test all.
//
// # Cost
//
// An issued credential: three authenticated writes (anchor, page, list) and one event. A
// change of status: the same.
//
// # Sources
//
// draft-ietf-oauth-status-list (two bits, order of bits); EU ARF 3.0 (suspended at once when
// the source changes, settled in 24 hours); GB/T 36904-2018 (licence identifiers);
// GB/T 36903-2018, 36905-2018 (annotated copies); docs/decisions/0038-credentials.md,
// 0044-annotated-copies.md.
package credential
