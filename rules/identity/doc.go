// Package identity is the part of the state machine that knows who can sign:
// organisations, their departments, posts and gateways, and persons and firms
// under random numbers.
//
// It does not decide what a signer may do: that is said by each verb, and roles
// are given by package governance. It is not authentication: package rules checks
// signatures against the keys that stand here. And it is no register of people:
// nothing about a person is on the ledger but a random number and public keys.
//
// The life of an account, and of each of its keys:
//
//	        RegisterOrg, RegisterUnit,          SuspendAccount
//	        RegisterGateway, OpenAccount      ┌────────────────▶
//	(none) ─────────────────────────▶ Active ─┤                  Suspended
//	                                          ◀────────────────┘
//	                                            ResumeAccount
//
//	        with the account,                   RevokeKey, RotateKey
//	        AddKey, RotateKey                 ┌────────────────▶ Revoked
//	(none) ─────────────────────────▶ Active ─┤
//	                                          └────────────────▶ ended (computed:
//	                                            block time ≥ ends_ms    not stored)
//
// A person's or firm's account can be frozen, by its holder with any key or for him by an
// identity authority; the holder ends it, seen by one (step-up). An identity authority
// records that it knows the holder: a salted commitment, never a number.
//
//	        FreezeAccount              RecordProofing        RevokeProofing, expires_ms
//	Active ─────────────────▶ Frozen   (none) ──────▶ Valid ─────────────────────────▶ Revoked, ended
//	       ◀─────────────────          each new one takes the place of the last
//	        UnfreezeAccount + step-up
//
// # Invariants
//
// At every height:
//
//  1. An account that has ROOT keys has one that is active and never ends: nobody
//     can lock himself out. Organisations, persons and firms have ROOT keys;
//     departments and posts have none (their organisation acts for them), nor have
//     gateways, whose keys are MACHINE.
//
//  2. A key is never deleted and no public key is twice in one account, though
//     the account record holds at most [MaxKeys]: the oldest revoked ones move
//     to a record of their own ([FindKey] finds both).
//
//  3. Key ids follow from algorithm and public key, and every public key is a
//     valid point.
//
//  4. No two organisations have the same name, compared by [code.Key].
//
//  5. No two gateways have the same log origin, and an origin never changes.
//
//  6. An account's version rises by one with each change of its record.
//
//  7. Only persons and firms have passkeys; the counter of one never falls, and whether it
//     can be backed up never changes.
//
// [Check] tests 1, 2 and 3 of one account; the histories test all.
//
// What this package cannot do: opening an account for a person or firm costs
// nothing and needs no leave, so only the door of a node ([machine.Machine]'s
// Check, and the server's own limits) stands against a flood of them.
//
// Sources: GB 32100-2015 (统一社会信用代码), GB/T 2260 (regions), order of the
// State Council No. 809, art. 9 (data sharing office of each organisation);
// Personal Information Protection Law, art. 6 (only what the purpose needs); W3C Web
// Authentication Level 3 (passkeys: see docs/decisions/0032);
// C2SP signed-note (names of logs).
package identity
