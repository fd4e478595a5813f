// Package e2e holds the tests that the whole house has to pass on real parts: a
// node with its rules, the server, gateways, PostgreSQL and SQLite databases, rows
// as portals publish them, and processes that are killed.
//
// It is no code of the product and nothing imports it; it stands in city because
// that is the lowest floor that may know node, gateway and client at once. What a
// single package promises is tested there; here stand the promises that only hold
// if all of them keep theirs.
//
//	newTown ── genesis, member ──▶ departments ──▶ gateways ──▶ entries ──▶ agreements ──▶ deliveries
//	    ▲                                                                                   │
//	    └── the same folder, after kill -9, a full disk, a database's restart ──────────────┘
//
// # Invariants
//
//  1. Nothing is faked: no clock, no network, no database, no key.
//  2. A test says what it measured, with the machine's own time.
//  3. What is random is random by a seed that is printed (MULIAN_SEED gives it again).
//
// Sources: the issue "Foundation", "It is done when"; MISSION S1 and S2.
package e2e
