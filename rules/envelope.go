package rules

import (
	"crypto/sha256"
	"errors"

	"google.golang.org/protobuf/proto"

	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/rules/act"
	"mulian/rules/custody"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
	"mulian/state/machine"
)

// domain stands before the body in what is hashed to the id, and signDomain before the
// id in what is signed, so that a signature of a transaction is never one of something
// else. The id is signed, not the body, so that who signed can be shown without the
// body: docs/decisions/0020.
const (
	domain     = "mulian-tx-v1\x00"
	signDomain = "mulian-tx-sign-v1\x00"
)

// A transaction is an opened envelope whose signature holds.
type transaction struct {
	id      [32]byte
	body    *txv1.Body
	account *identityv1.Account // of the signer, as yet unsaved if it opens itself; nobody changes it
	key     *identityv1.Key
	perMin  uint32 // quota of one account; 0 = none

	device *passkey.Signed    // what a passkey has said; nil for other keys
	stepUp *identityv1.StepUp // that holds; nil if there is none
	use    uint64             // of a key in custody, its number; 0 = the key is its owner's
}

// open returns the transaction in raw, or the refusal of the first check that
// fails: size, envelope, body, expiry, account, key, signature, custody, step-up.
func open(v state.View, env machine.Env, raw []byte) (*transaction, error) {
	p := governance.Parameters(v)
	if len(raw) > int(p.MaxTxBytes) {
		return nil, act.Refuse(fault.TooLong, "tx/size", "%d bytes, at most %d", len(raw), p.MaxTxBytes)
	}
	check := canon.Check
	if env.Seen {
		check = canon.Again
	}
	e, err := openEnvelope(raw, check)
	if err != nil {
		return nil, err
	}
	t := &transaction{id: idOf(e.Body), body: new(txv1.Body), perMin: p.TxPerMinute}
	if err := check(e.Body, t.body); err != nil {
		return nil, act.Refuse(malformed(err), "tx/body", "%v", err)
	}
	if err := checkBody(t.body, env, int(p.MaxMessages)); err != nil {
		return nil, err
	}
	if lifetime := int64(p.TxLifetimeSeconds) * 1000; t.body.ExpiresMs <= env.TimeMs {
		return nil, act.Refuse(fault.Expired, "tx/expiry", "it counted until %d, and it is %d", t.body.ExpiresMs, env.TimeMs)
	} else if t.body.ExpiresMs-env.TimeMs > lifetime && !custody.Waits(v, t.id) {
		return nil, act.Refuse(fault.OutOfRange, "tx/expiry", "it expires at %d: at most %d ms from now, %d, are possible", t.body.ExpiresMs, lifetime, env.TimeMs)
	}
	if err := t.findSigner(v, env, e.Signature.GetKey()); err != nil {
		return nil, err
	}
	if env.Room != nil {
		if err := env.Room(t.account.Id); err != nil {
			return nil, err
		}
	}
	if t.key.Algorithm == identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
		err = t.checkAssertion(env, p, check, e.Signature.GetSignature())
	} else {
		err = t.checkSignature(env, e.Signature.GetSignature())
	}
	if err != nil {
		return nil, err
	}
	if t.key.Custodian != "" {
		if t.use, err = custody.Allowed(v, t.account.Id, t.id, env.TimeMs); err != nil {
			return nil, err
		}
	}
	return t, t.checkStepUp(v, env, e.StepUp)
}

// checkSignature refuses what the key has not signed.
func (t *transaction) checkSignature(env machine.Env, signature []byte) error {
	public, err := identity.ParseKey(t.key)
	if err != nil {
		panic("rules: key " + t.key.Id + " of " + t.account.Id + " is in the state and no key")
	}
	if !env.Verify(public, append([]byte(signDomain), t.id[:]...), signature) {
		return t.unsigned()
	}
	return nil
}

func (t *transaction) unsigned() error {
	return act.Refuse(fault.BadAuthorisation, "tx/signature", "the signature is not that of key %s of %s over this transaction", t.key.Id, t.account.Id)
}

// openEnvelope refuses with Malformed what is no envelope in its one byte form, as
// check finds it, and with Empty one without a body.
func openEnvelope(raw []byte, check func([]byte, proto.Message) error) (*txv1.Envelope, error) {
	e := new(txv1.Envelope)
	if err := check(raw, e); err != nil {
		return nil, act.Refuse(malformed(err), "tx/envelope", "%v", err)
	}
	if len(e.Body) == 0 {
		return nil, act.Refuse(fault.Empty, "tx/envelope", "there is no body")
	}
	return e, nil
}

// malformed is the code for what canon refuses.
func malformed(err error) fault.Code {
	if errors.Is(err, canon.ErrTooLarge) || errors.Is(err, canon.ErrTooMany) {
		return fault.TooLong
	}
	return fault.Malformed
}

// idOf hashes a body as it came.
func idOf(body []byte) [32]byte {
	return sha256.Sum256(append(append(make([]byte, 0, len(domain)+len(body)), domain...), body...))
}

// checkBody checks what needs no state: chain, salt, and that there are messages.
func checkBody(b *txv1.Body, env machine.Env, maxMessages int) error {
	switch {
	case b.ChainId != env.ChainID:
		return act.Refuse(fault.WrongChain, "tx/chain", "signed for %.60q, this is %s", b.ChainId, env.ChainID)
	case len(b.Salt) < minSalt || len(b.Salt) > maxSalt:
		return act.Refuse(fault.OutOfRange, "tx/salt", "%d bytes: %d to %d are possible", len(b.Salt), minSalt, maxSalt)
	case len(b.Messages) == 0:
		return act.Refuse(fault.Empty, "tx/messages", "there is no message")
	case len(b.Messages) > maxMessages:
		return act.Refuse(fault.TooLong, "tx/messages", "%d messages, at most %d", len(b.Messages), maxMessages)
	}
	for i, m := range b.Messages {
		if m.GetKind() == nil {
			return act.RefuseItem(fault.Missing, "tx/messages", i, "the message says nothing")
		}
	}
	return nil
}

// findSigner finds account and key. An account that opens itself is found in its
// own message; whether the key's holder is there is for the signature to show.
func (t *transaction) findSigner(v state.View, env machine.Env, keyID string) error {
	if opening := t.body.Messages[0].GetOpenAccount(); opening != nil && opening.Id == t.body.Account {
		acc, err := identity.Opening(v, opening, env.TimeMs)
		if err != nil {
			return err
		}
		t.account = acc
	} else if err := t.lookup(v, 0); err != nil {
		return err
	}
	return t.checkKey(v, env, keyID)
}

// lookup finds the account in the state, and refuses one that may not sign the message.
func (t *transaction) lookup(v state.View, message int) error {
	acc, ok := identity.Shared(v, t.body.Account)
	if !ok {
		return act.Refuse(fault.NotWhitelisted, "tx/account", "there is no account %.100q", t.body.Account)
	}
	if acc.State == identityv1.AccountState_ACCOUNT_STATE_FROZEN {
		if !whileFrozen(t.body.Messages[message]) {
			return act.Refuse(fault.AccountFrozen, "tx/account", "%s is frozen", acc.Id)
		}
	} else if identity.Suspended(v, acc) {
		return act.Refuse(fault.Suspended, "tx/account", "%s, or its organisation, is suspended", acc.Id)
	}
	t.account = acc
	return nil
}

// checkKey finds the key of the account, and refuses one that does not sign now.
func (t *transaction) checkKey(v state.View, env machine.Env, id string) error {
	k, ok := identity.FindKey(v, t.account, id)
	if !ok {
		return act.Refuse(fault.NotWhitelisted, "tx/key", "%s has no key %.40q", t.account.Id, id)
	}
	if k.Suspended {
		return act.Refuse(fault.Suspended, "tx/key", "key %s of %s is suspended by vote", k.Id, t.account.Id)
	}
	if !identity.Signs(k, env.TimeMs) {
		return act.Refuse(fault.KeyRevoked, "tx/key", "key %s of %s was revoked or has ended", k.Id, t.account.Id)
	}
	if k.LostMs != 0 && !onlyVeto(t.body) {
		return act.Refuse(fault.KeyRevoked, "tx/key", "key %s of %s was reported lost: all that it can do is veto a recovery", k.Id, t.account.Id)
	}
	t.key = k
	return nil
}

// onlyVeto reports whether all that a body says is a veto of a recovery.
func onlyVeto(b *txv1.Body) bool {
	for _, m := range b.Messages {
		if m.GetVetoRecovery() == nil {
			return false
		}
	}
	return true
}
