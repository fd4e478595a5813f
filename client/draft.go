package client

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/internal/sm"
)

// StepUpDomain stands before what an identity authority signs of a step-up.
const StepUpDomain = "mulian-step-up-v1\x00"

// Draft is a transaction that nobody has signed yet: for signers that are elsewhere, a
// passkey in a browser or a token. What is shown to the signer is made from Body
// ([mulian/client/sentence.Body]); what he signs is Challenge, or [Signed] of ID.
//
//	Prepare ─▶ Draft ─ Challenge ─▶ device ─▶ assertion ─ WithPasskey ─▶ Envelope ─▶ Submit
type Draft struct {
	Body *txv1.Body
	Raw  []byte // of the body: these bytes are signed, by their id
	ID   [32]byte

	// StepUp is an identity authority's word for this transaction, nil if none is needed.
	// It is set before signing; the signature does not cover it.
	StepUp *identityv1.StepUp
}

// Prepare makes a draft that counts for [Lifetime] from now.
func Prepare(chainID, account string, now time.Time, messages ...proto.Message) (*Draft, error) {
	return PrepareUntil(chainID, account, now.Add(Lifetime), messages...)
}

// PrepareUntil makes a draft that counts until then. The ledger takes more than ten minutes
// ahead only for what a key in custody is to sign.
func PrepareUntil(chainID, account string, until time.Time, messages ...proto.Message) (*Draft, error) {
	body := &txv1.Body{ChainId: chainID, Account: account, ExpiresMs: until.UnixMilli(), Salt: make([]byte, 12)}
	if _, err := rand.Read(body.Salt); err != nil {
		return nil, fmt.Errorf("client: salt: %w", err)
	}
	for _, m := range messages {
		body.Messages = append(body.Messages, Msg(m))
	}
	return draft(body)
}

func draft(body *txv1.Body) (*Draft, error) {
	raw, err := canon.Marshal(body)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the transaction cannot be encoded")
	}
	return &Draft{Body: body, Raw: raw, ID: ID(raw)}, nil
}

// Challenge is what a passkey is given to sign, 32 bytes.
func (d *Draft) Challenge() [32]byte { return passkey.Challenge(d.ID) }

// Sign signs with a key that is here.
func (d *Draft) Sign(key sm.PrivateKey) (*Envelope, error) {
	sig, err := key.Sign(Signed(d.ID))
	if err != nil {
		return nil, fmt.Errorf("client: sign: %w", err)
	}
	return d.seal(key.Public().ID(), sig)
}

// WithSignature takes the signature of [Signed] of ID by the key of that id, from a token.
func (d *Draft) WithSignature(key string, sig []byte) (*Envelope, error) { return d.seal(key, sig) }

// WithPasskey takes what the device has answered to Challenge. Nothing of it is checked but
// its sizes: the ledger does. The signature is brought into its one form, s ≤ n/2, if it can
// be; a device's other form is no less valid.
func (d *Draft) WithPasskey(key string, a passkey.Assertion) (*Envelope, error) {
	m := &identityv1.PasskeyAssertion{AuthenticatorData: a.AuthenticatorData, ClientDataJson: a.ClientDataJSON, Signature: a.Signature}
	if len(m.AuthenticatorData) > passkey.MaxAuthenticatorData || len(m.ClientDataJson) > passkey.MaxClientData {
		return nil, fault.Newf(fault.TooLong, "the device answered %d and %d bytes", len(m.AuthenticatorData), len(m.ClientDataJson))
	}
	if low, err := sm.LowS(a.Signature); err == nil {
		m.Signature = low
	}
	raw, err := canon.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("client: assertion: %w", err)
	}
	return d.seal(key, raw)
}

func (d *Draft) seal(key string, signature []byte) (*Envelope, error) {
	env, err := canon.Marshal(&txv1.Envelope{Body: d.Raw, Signature: &txv1.Signature{Key: key, Signature: signature}, StepUp: d.StepUp})
	if err != nil {
		return nil, fmt.Errorf("client: envelope: %w", err)
	}
	if len(env) > MaxEnvelope {
		return nil, fault.Newf(fault.TooLong, "a transaction of %d bytes, at most %d: send it in several", len(env), MaxEnvelope)
	}
	return &Envelope{Raw: env, ID: d.ID, Body: d.Body}, nil
}

// StepUpFor is the word of an identity authority for the transaction of that id. evidence is
// a salted commitment to what it keeps of the check, 32 bytes or none.
func StepUpFor(authority Signer, id [32]byte, method identityv1.ProofingMethod, evidence []byte) (*identityv1.StepUp, error) {
	msg := append([]byte(StepUpDomain), id[:]...)
	msg = append(binary.BigEndian.AppendUint32(msg, uint32(method)), evidence...)
	sig, err := authority.Key.Sign(msg)
	if err != nil {
		return nil, fmt.Errorf("client: step-up: %w", err)
	}
	return &identityv1.StepUp{Authority: authority.Account, Key: authority.Key.Public().ID(), Method: method, Evidence: evidence, Signature: sig}, nil
}
