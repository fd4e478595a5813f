// Package recovery is the part of the state machine that gives an account of a person or
// firm a new key when the old ones are lost, after a time in which every key that is left
// can say no.
//
// It does not know who anybody is: officers of an identity authority compare the person
// with their file, guardians know their friend, and the ledger counts signatures and
// hours. It opens no safe box: whoever holds copies of a vault's key gives them to the new
// one off the ledger, when he sees the event "recovery/executed".
//
//	          OpenRecovery          enough have vouched             End: the lock is over
//	(none) ───────────────▶ Open ──────────────────────▶ Locked ────────────────────────▶ Executed
//	                         │                           │  ▲  │
//	     too few in time     ├──▶ Expired                │  │  └─ VetoRecovery ─▶ Vetoed
//	     CancelRecovery      ├──▶ Cancelled ◀────────────┤  │
//	     VetoRecovery        ├──▶ Vetoed                 │  │ two reviewers: go on
//	     ... by a lost key   └──────────────▶ Review ◀───┘  │
//	                                           └────────────┴─ two reviewers: Vetoed; nobody: Expired
//
// # Invariants
//
// At every height:
//
//  1. An account has at most one attempt that is Open, Locked or in Review.
//  2. An attempt is Locked only with the approvals that its path needs: of a counter two
//     officers of different desks, of guardians as many of the roster as its threshold
//     says, each once, of a code the account's own key and the code's.
//  3. It is executed at the end of its lock and not before; the lock is no shorter than
//     the parameters and the holder's policy said when it began.
//  4. While an attempt runs the roster does not change. A change of a roster waits as long
//     as a lock of guardians, and any key of the account drops it.
//  5. After an execution the new key is the account's only active one.
//  6. An account in Review signs nothing, and none has two reviewers of one desk or one who
//     has vouched before.
//  7. A holder who has died recovers nothing.
//
// # Cost
//
// One proved record for each step; an execution writes four. At most [MaxDuePerBlock]
// attempts end in one block, the oldest first.
//
// Sources: spec/safebox.md 4.4; Personal Information Protection Law art. 49 (rights of the
// deceased) and 51 (security); Civil Code art. 15 (date of death by certificate).
package recovery
