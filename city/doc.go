// Package city is the demo city: 53 departments, their databases and gateways and a
// chain of one validator in one process, and the story of one share told as it
// happens. It is the first thing that a newcomer runs (mulian demo).
//
// It is no simulation: it uses the same node, server, gateways and client as a
// consortium, over the same network interfaces, with real keys and real rows. It is
// not a consortium either: one process holds all keys, so nobody here is protected
// from anybody. Departments' names and duties are facts; firms, projects and rows
// are invented by a fixed seed.
//
//	Open ── keys, genesis, databases ──▶ node + index + server ──▶ gateways ──▶ catalogue
//	  │        (each only if it is not there: a second start continues)
//	  ▼
//	Tell ── import ─ lock ─ request ─ answer ─ confirm ─ deliver ─ use ─ query ─ trace ─ verify
//	  │
//	  ▼
//	Live ── small acts of departments every few seconds ──▶ Close
//
// # Invariants
//
//  1. Every step of the bring-up asks what is there before it makes anything: a kill
//     at any moment, and the next start goes on.
//  2. A database has its name only when it is whole, and the same seed gives the
//     same rows.
//  3. The city speaks to the chain through package client alone. It has no door that
//     a department would not have.
//  4. The story ends well only if the rows in the receiver's database are, one by
//     one, those of the provider's.
//
// Sources: MISSION S1 and S2; DESIGN section 7; order 809 art. 17, 20-22, 29.
package city
