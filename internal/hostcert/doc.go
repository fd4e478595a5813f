// Package hostcert gives a member's server its certificates: browsers give passkeys only to
// https pages under a name (and to http://localhost), so every member needs both.
//
// A certificate comes from the consortium's or a public authority as two files, or from an
// authority of this member's own, which is made at the first start and can speak for nothing
// but the configured names. It is no part of what the ledger trusts: no rule, no gateway and
// no light client looks at it.
//
//	names ─▶ own authority (10 years, bound to the names) ─▶ certificate (90 days)
//	                                                            │ 30 days before its end
//	                                                            ▼
//	                                                         the next one, while it serves
//
// # Invariants
//
//  1. An authority of ours is bound to its names (RFC 5280, 4.2.1.10, critical), and to no
//     address: who trusts it trusts it for these hosts alone.
//  2. Keys are in files of mode 0600 in a folder of mode 0700, each with its certificate in
//     one file: a crash leaves the old pair or the new one.
//  3. A certificate that cannot be renewed is served to its end, and the log says so.
//
// If this part lies, a page may come from somebody else, who can show a person other texts
// than those that he signs; passkeys of the name would then sign for him (docs/trust.md).
//
// Sources: RFC 5280; CA/Browser Forum Baseline Requirements 7.1 (profile); W3C WebAuthn
// Level 3, 5.1.3 (rp ids are domains, never addresses).
package hostcert
