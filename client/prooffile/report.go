package prooffile

import (
	"encoding/json"
	"fmt"

	"mulian/internal/fault"
)

// Report is what a verification came to. Its JSON keys are a contract, and the
// same in every verifier. What a file claims stands in it only if all of it holds.
type Report struct {
	OK     bool       `json:"ok"`
	Code   fault.Code `json:"code"`   // 0, or why it does not hold
	Reason string     `json:"reason"` // for people; empty if it holds
	// Step is the check that failed (one of those in docs/spec/proof.md, section 4),
	// Field the place in the file at which it did.
	Step         string  `json:"step,omitempty"`
	Field        string  `json:"field,omitempty"`
	Milliseconds float64 `json:"milliseconds"`

	Kind    string   `json:"kind,omitempty"`    // object, absence, event, transaction, access, finding, split
	Object  string   `json:"object,omitempty"`  // state key, number of the event, id of the transaction, "gateway:leaf"
	Chain   string   `json:"chain,omitempty"`   // chain id
	Genesis string   `json:"genesis,omitempty"` // hash
	Height  int64    `json:"height,omitempty"`  // of the state in which it is so
	Time    string   `json:"time,omitempty"`    // of the block that carries the state's hash
	Power   string   `json:"power,omitempty"`   // "3 of 4": of the validators that signed this block
	SM2     string   `json:"sm2,omitempty"`     // the same of those that signed with their pinned SM2 key; "none"
	Signers []Signer `json:"signers,omitempty"`
	// Checkpoint is the height from which the reader trusted the chain; 0: the genesis.
	Checkpoint int64 `json:"checkpoint,omitempty"`
	// Checks are the steps that held, in their order.
	Checks []Check `json:"checks,omitempty"`
	// Statement is what the file says, all of it derived from what is proved.
	Statement json.RawMessage `json:"statement,omitempty"`

	// Value is the proved object of kind object: the message's canonical bytes.
	Value []byte `json:"-"`
	// Validators are those of the last block, in the engine's order.
	Validators []Validator `json:"-"`

	why phrase // of Reason
}

// Validator is one of the last block's, and whether its votes are in the file.
type Validator struct {
	PublicKey   []byte // Ed25519
	Power       int64
	Signed, SM2 bool
}

// Signer is one signature that holds.
type Signer struct {
	Account   string `json:"account"`
	As        string `json:"as"` // provider, consumer, or the verb of the act
	Key       string `json:"key"`
	Algorithm string `json:"algorithm"`
	State     string `json:"state"` // "active", or when the key was revoked
}

// Check is one step that held.
type Check struct {
	Step string `json:"step"`
	Says string `json:"says"`

	phrase
}

// phrase is a sentence before its words stand in it, so that it can be said in Chinese.
type phrase struct {
	format string
	args   []any
}

// The steps, in the order in which they are taken.
const (
	stepForm        = "form"
	stepGenesis     = "genesis"
	stepHeader      = "header"
	stepValidators  = "validators"
	stepCommit      = "commit"
	stepTrust       = "trust"
	stepSM2         = "sm2"
	stepState       = "state"
	stepObject      = "object"
	stepEvent       = "event"
	stepTransaction = "transaction"
	stepRecord      = "record"
	stepLog         = "log"
	stepFinding     = "finding"
	stepKey         = "key"
	stepSignature   = "signature"
	stepStatement   = "statement"
)

// refusal is the first check that did not hold.
type refusal struct {
	code        fault.Code
	step, field string
	text        string
	phrase
}

// Error is a method of error.
func (r *refusal) Error() string { return fmt.Sprintf("%s: %s: %s", r.step, r.field, r.text) }

func refuse(step, field, format string, args ...any) *refusal {
	return &refusal{fault.VerificationFailed, step, field, fmt.Sprintf(format, args...), phrase{format, args}}
}

// as gives the refusal another code.
func (r *refusal) as(c fault.Code) *refusal {
	r.code = c
	return r
}

// Fault returns why the file does not hold, nil if it does.
func (r *Report) Fault() error {
	if r.OK {
		return nil
	}
	return fault.Newf(r.Code, "%s, %s: %s", r.Step, r.Field, r.Reason)
}
