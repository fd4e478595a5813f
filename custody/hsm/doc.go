// Package hsm is the door to a hardware security module by PKCS#11: keys of people without
// a device are made in it, sign in it, and never leave it.
//
// It does not decide who may use a key: its caller, the custodian, does that, and has to have
// the use on the ledger first. It does not keep a list of keys: a key is found by its id, which
// is that of its public key on the ledger.
//
//	Open ── Generate ──▶ key in the module ── Sign ──▶ signature
//	  │     GenerateOpening ──▶ another ── Opening ──▶ what HPKE opens with
//	  │        └─▶ public key, to be registered on the ledger
//	  └─ a program built without cgo: [ErrNoModule], in words
//
// # Invariants
//
//  1. A private key is made inside, sensitive and not extractable: no call returns it, and
//     none is brought in from outside.
//  2. A signature is P-256 with SHA-256 in the one byte form of package sm (low s), and was
//     checked with the public key before it is given out.
//  3. The PIN comes from a file that only its owner can read, and is in no log and no error.
//  4. One session is used by one call at a time.
//
// # What it is not yet
//
// SM2 in a module: SoftHSM2 and most modules abroad have no mechanism for it; modules with a
// commercial cryptography certificate speak GM/T 0018 (SDF) instead of PKCS#11.
//
// # Sources
//
// OASIS PKCS #11 Cryptographic Token Interface Base Specification 2.40; SoftHSM 2.6.1, with
// which the tests run; spec/safebox.md 3.1 (sm2-custody), safe-box encryption 6 (custody).
package hsm
