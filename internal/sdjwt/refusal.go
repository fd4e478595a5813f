package sdjwt

import (
	"fmt"

	"mulian/internal/fault"
)

// Reason is why [Verify] refuses, by the names of the specification (4.8).
type Reason string

// The reasons, in the order in which they are looked for.
const (
	Malformed         Reason = "malformed"            // cannot be read as an SD-JWT, or over a bound
	BadType           Reason = "typ"                  // the header's typ is not the one that was asked for
	UnknownIssuer     Reason = "issuer"               // no key of this issuer is known
	BadSignature      Reason = "sig"                  // the issuer's or the holder's signature does not hold
	DuplicateDigest   Reason = "duplicate_digest"     // a digest comes twice
	BadDisclosure     Reason = "disclosure"           // a disclosure belongs to no digest, or takes a name that is there
	BadCredentialType Reason = "vct"                  // another type of credential
	Expired           Reason = "exp"                  // after its end, or without end and status
	NotYet            Reason = "nbf"                  // before its beginning
	NoKeyBinding      Reason = "key_binding_missing"  // the holder did not prove that it is his
	BadAudience       Reason = "aud"                  // shown to another verifier
	BadNonce          Reason = "nonce"                // not for this request
	BadHash           Reason = "sd_hash"              // the proof belongs to other disclosures
	NoTransaction     Reason = "td_hash_missing"      // the proof does not cover the transaction
	Undisclosed       Reason = "undisclosed_required" // what was asked for is not shown
	ExtraDisclosure   Reason = "extra_disclosure"     // more is shown than was asked for
	StatusInvalid     Reason = "status_invalid"       // revoked
	StatusSuspended   Reason = "status_suspended"     // suspended
	StatusUnreachable Reason = "status_unreachable"   // the status could not be asked
	SessionMismatch   Reason = "session_mismatch"     // for verifiers: an answer to another session
)

// Fault returns the code by which the reason crosses a border.
func (r Reason) Fault() fault.Code {
	if c, ok := codes[r]; ok {
		return c
	}
	return fault.Malformed
}

var codes = map[Reason]fault.Code{
	BadType: fault.PresentationType, UnknownIssuer: fault.IssuerNotAuthorised, BadSignature: fault.PresentationSignature,
	DuplicateDigest: fault.DuplicateDigest, BadDisclosure: fault.Malformed, BadCredentialType: fault.PresentationVct,
	Expired: fault.PresentationExpired, NotYet: fault.PresentationNotYet, NoKeyBinding: fault.KeyBindingMissing,
	BadAudience: fault.PresentationAudience, BadNonce: fault.PresentationNonce, BadHash: fault.PresentationHash,
	NoTransaction: fault.TransactionHashMissing, Undisclosed: fault.UndisclosedRequired, ExtraDisclosure: fault.ExtraDisclosure,
	StatusInvalid: fault.StatusInvalid, StatusSuspended: fault.StatusSuspended, StatusUnreachable: fault.StatusUnreachable,
	SessionMismatch: fault.SessionMismatch,
}

// Refusal is the error of [Verify].
type Refusal struct {
	Reason Reason
	Err    error // what was found; holds no claim of the credential
}

// Error names the reason and what was found.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %v", r.Reason, r.Err) }

// Unwrap returns what was found.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(r Reason, format string, args ...any) error {
	return &Refusal{r, fmt.Errorf(format, args...)}
}
