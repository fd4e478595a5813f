// Package catalogue is the part of the state machine that keeps what a department
// must do, what it therefore knows, and where that lies: duty 职责, entry 数据目录,
// system 系统, table 库表. Entries are public metadata, in full and with versions.
// Beside them it keeps what they refer to: the matters 事项 that people come for, and
// code tables 代码表, each code an object of its own.
//
// It is not the data and not a search index: it answers by id. What is asked for and
// agreed on an entry is package share's, which calls down into this one.
//
//	         review                                  SettleDrift, or signed
//	        ┌───────▶ RETURNED ─┐              ┌───────────────────────────┐
//	        │                   │ SubmitEntries▼   ReportDrift, breaking   │
//	(none) ─┴─▶ SUBMITTED ──────┴─────▶ PUBLISHED ─────────────────────▶ DRIFTED
//	  └──────── no review ─────────────▶ │  ▲  ▲ │
//	             a change that waits     │  │  │ │ SuspendEntry
//	                UPDATING ◀───────────┘  │  │ └─────▶ SUSPENDED
//	                   └── all signed ──────┘  └── resume ──┘
//	any of them, unless locked ── WithdrawEntry ──▶ WITHDRAWN, for good
//
// While several hold, the strongest is the state: suspended, drifted, updating,
// published. A table's drift is open until it is settled, and several can be:
//
//	ReportDrift ──▶ open ── SettleDrift ──▶ UPDATED | ROLLED_BACK | FALSE_ALARM
//	     └── compatible, none open ───────▶ UPDATED at once
//
// # Invariants
//
// At every height:
//
//  1. An entry's content hash is that of its content; its version rises by one with
//     each change of content and with nothing else.
//  2. No two entries of one provider that are not withdrawn have the same name
//     (NFKC, blanks removed), changes that wait included.
//  3. Only an entry in force has a change that waits, and at most one.
//  4. An item is at least as frozen as the open drifts of its table say. It thaws
//     when none says so, but for a locked entry only when its counter-signers have
//     signed the schema that its table has now.
//  5. The state of an entry in force is the strongest of what holds.
//  6. A locked entry's content and schema change with all signatures only, each over
//     the hash of the very change that takes effect. Exception: a change of its table
//     that touches no item of it.
//  7. Every published entry rested on a duty of its provider when it was submitted.
//  8. A table's numbers of drifts have no gaps.
//  9. A code table counts its codes that are not retired. No code is ever removed.
//
// [Check] tests 1 to 5 (the hash of 1), [CheckCodes] 9, the histories test all.
//
// # Cost
//
// One authenticated write for each element that changes; two for a change that
// waits (the change, the entry's state); a drift writes itself and each entry whose
// items change state; codes write their table once for each message. Names, entries
// of a table, open drifts and deadlines are derived indexes.
//
// # Sources
//
// State Council order 809 (政务数据共享条例): art. 3 (secrets are outside), 13
// (what a catalogue says, and that it rests on duties), 14 (share types; denial only with law),
// 17 (10 working days to update, 2 to review). 京政数发〔2025〕12号 art. 8 (the
// catalogue on a chain, locked). spec/sharing.md 4.3 (fields), 4.4 (states), 4.5
// (codes), 4.7 (drift classes).
package catalogue
