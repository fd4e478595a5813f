// Package machine is the contract between the ledger, which orders transactions,
// and the rules, which say what they do. Neither knows the other: package node
// brings them together.
//
//	admission           Check        may be wrong about the future, costs nobody else anything
//	block              (Apply)*      in order; each keeps or drops its own writes
//	end of the block    End          clocks that ran out, votes that ended, validators
//
// # Invariants
//
//  1. Genesis, Apply and End are functions of (state, Env, bytes) alone; every
//     validator gets the same writes, results and validators.
//  2. Apply never fails: what is wrong with a transaction is its Result.
//  3. Result.Data is canonical; Result.Text is not agreed and may differ.
package machine

import (
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state"
)

// Env is what a transition may know beside the state and the bytes.
type Env struct {
	ChainID string
	Height  int64 // of the block being made; of the next block at admission
	TimeMs  int64 // block time, Unix milliseconds; the node's clock at admission

	// Verify reports whether the signature holds. It is a pure function; the
	// ledger remembers its answers so that a signature is checked once.
	Verify func(public sm.PublicKey, message, signature []byte) bool

	// Room, at admission, refuses an account that has too much waiting; [Machine.Check]
	// asks it when it knows whose transaction it is and before it looks at the signature.
	// nil: nobody counts.
	Room func(account string) error

	// Misbehaviours are what the engine has proved of validators since the block
	// before; only [Machine.End] has them. The ledger gives them in the block's order,
	// the same on every validator.
	Misbehaviours []Misbehaviour

	// Seen says that [Machine.Check] has taken these bytes before, in this process: what
	// it found of the bytes alone, that they are in their one form, holds for ever.
	// Whatever depends on the state is checked again. A machine may disregard it.
	Seen bool
}

// Wrong is what a validator did.
type Wrong uint8

// What a validator can be proved to have done. The numbers are those of
// mulian.governance.v1.Wrong, and agreed.
const (
	DoubleSign        Wrong = 1 // two votes for one step of one height
	LightClientAttack Wrong = 2 // a header that the chain does not have
)

// Misbehaviour is one proof, in a block, that a validator signed what no honest one
// signs. The engine has checked it: the signatures are the validator's, and it had that
// power at that height.
type Misbehaviour struct {
	Address [20]byte // first bytes of SHA-256 of its Ed25519 key
	Wrong   Wrong
	Height  int64 // at which it did so
	TimeMs  int64 // of that height's block
	Power   int64 // that it had then
}

// Result of one transaction.
type Result struct {
	Code fault.Code
	Data []byte // mulian.tx.v1.Outcome, canonical: agreed
	Text string // for people, not agreed

	// Remember says that the transaction's id is spent: its signature held, so
	// whoever sends the same bytes again gets this result. An unsigned or forged
	// envelope must not spend the id of the true one.
	Remember bool
}

// Validator is a node's key and voting power; power 0 removes it.
type Validator struct {
	PublicKey [32]byte // Ed25519
	Power     int64
}

// Machine is the deterministic state machine.
type Machine interface {
	// Genesis writes the first state from the signed genesis file and returns the
	// validators. It refuses a file that is not signed by every founder.
	Genesis(tx *state.Tx, env Env, signedGenesis []byte) ([]Validator, error)

	// Check is asked before a transaction is admitted. It reads a committed state
	// and may run on many goroutines at once. The returned error is a *fault.Fault.
	Check(v state.View, env Env, raw []byte) error

	// Apply carries out one transaction in tx and answers whether its writes are
	// to be kept (OK) or dropped (anything else); the caller keeps or drops tx.
	// The id of a transaction with Result.Remember is kept by the ledger, also when
	// it was refused; the ledger calls Apply only with ids that it does not know.
	Apply(tx *state.Tx, env Env, raw []byte) Result

	// End runs what is due by itself, judges env.Misbehaviours, and returns changes of
	// the validator set.
	End(tx *state.Tx, env Env) []Validator

	// ID returns the transaction's id, or a Malformed fault.
	ID(raw []byte) ([32]byte, error)
}
