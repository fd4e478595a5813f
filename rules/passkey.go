package rules

import (
	"encoding/binary"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
	"mulian/state/machine"
)

// stepUpDomain stands before what an identity authority signs of a step-up.
const stepUpDomain = "mulian-step-up-v1\x00"

// checkAssertion refuses what the passkey has not signed for this transaction: Malformed
// for bytes that are no assertion, the codes of [assertionCode] for one that says something
// else, BadAuthorisation if the signature does not hold.
func (t *transaction) checkAssertion(env machine.Env, p *governancev1.Parameters, check func([]byte, proto.Message) error, raw []byte) error {
	const rule = "tx/signature"
	m := new(identityv1.PasskeyAssertion)
	if err := check(raw, m); err != nil {
		return act.Refuse(malformed(err), rule, "%v", err)
	}
	known := t.key.GetPasskey()
	if !knownSite(p, env.ChainID, known.GetRpIdHash()) {
		return act.Refuse(fault.RpIdUnknown, rule, "key %s is of a relying party that the consortium does not name any more", t.key.Id)
	}
	challenge := passkey.Challenge(t.id)
	expect := passkey.Expect{
		Challenge: challenge[:], RPIDHash: [32]byte(known.RpIdHash), BackupEligible: known.BackupEligible,
		Origin: func(origin string) bool { return standard.PasskeyOrigin(p, env.ChainID, origin) },
	}
	s, err := expect.Check(passkey.Assertion{AuthenticatorData: m.AuthenticatorData, ClientDataJSON: m.ClientDataJson, Signature: m.Signature})
	if err != nil {
		return act.Refuse(assertionCode(err), rule, "key %s: %v", t.key.Id, err)
	}
	public, err := identity.ParsePasskey(t.key)
	if err != nil {
		panic("rules: passkey " + t.key.Id + " of " + t.account.Id + " is in the state and no key")
	}
	if !env.Verify(public, s.Message, s.Signature) {
		return t.unsigned()
	}
	t.device = &s
	return nil
}

// assertionCode is the code for what package passkey refuses.
func assertionCode(err error) fault.Code {
	for _, c := range []struct {
		err  error
		code fault.Code
	}{
		{passkey.ErrSize, fault.Malformed},
		{passkey.ErrForm, fault.Malformed},
		{passkey.ErrFlags, fault.Malformed},
		{passkey.ErrBackup, fault.Malformed},
		{passkey.ErrOrigin, fault.OriginUnknown},
		{passkey.ErrRPID, fault.RpIdUnknown},
		{passkey.ErrUser, fault.UvMissing},
		{passkey.ErrBackupChanged, fault.KeyBackupChanged},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return fault.BadAuthorisation // signed something else than this transaction
}

// knownSite reports whether passkeys of the relying party with that hash are accepted.
func knownSite(p *governancev1.Parameters, chainID string, rpIDHash []byte) bool {
	return slices.ContainsFunc(standard.PasskeyRPIDs(p, chainID), func(id string) bool {
		hash := passkey.RPIDHash(id)
		return string(hash[:]) == string(rpIDHash)
	})
}

// enrol carries out a verb that brings keys, and refuses with RpIdUnknown a passkey that
// could sign nothing.
func enrol[M any](a *act.Act, m M, verb func(*act.Act, M) error, keys ...*identityv1.Key) error {
	for i, k := range keys {
		hash := k.GetPasskey().GetRpIdHash()
		if len(hash) == act.HashBytes && !knownSite(governance.Parameters(a.Tx), a.ChainID, hash) {
			return act.RefuseItem(fault.RpIdUnknown, "", i, "passkey %.20q is of a relying party that the consortium does not name", k.GetId())
		}
	}
	return verb(a, m)
}

// checkStepUp refuses with StepUpBad a step-up that nobody gave who may, or that is not of
// this transaction. Only persons and firms are stepped up.
func (t *transaction) checkStepUp(v state.View, env machine.Env, s *identityv1.StepUp) error {
	const rule = "tx/step_up"
	if s == nil {
		return nil
	}
	authority, ok := identity.Shared(v, s.Authority)
	switch {
	case !identity.Owner(t.account.Kind):
		return act.Refuse(fault.StepUpBad, rule, "%s is no person's or firm's", t.account.Id)
	case !ok || identity.Suspended(v, authority) || !act.Holds(v, authority, governancev1.Role_ROLE_IDENTITY):
		return act.Refuse(fault.StepUpBad, rule, "%.100q is no identity authority", s.Authority)
	case s.Method <= 0 || act.Listed(rule, "method", s.Method) != nil || act.Hash(rule, "evidence", s.Evidence, false) != nil:
		return act.Refuse(fault.StepUpBad, rule, "method %d, evidence of %d bytes", s.Method, len(s.Evidence))
	}
	k, ok := identity.FindKey(v, authority, s.Key)
	if !ok || !identity.Signs(k, env.TimeMs) {
		return act.Refuse(fault.StepUpBad, rule, "%s has no key %.40q that signs now", authority.Id, s.Key)
	}
	public, err := identity.ParseKey(k)
	if err != nil || !env.Verify(public, stepUpBytes(t.id, s), s.Signature) {
		return act.Refuse(fault.StepUpBad, rule, "the step-up is not signed by key %s of %s for this transaction", s.Key, authority.Id)
	}
	t.stepUp = s
	return nil
}

// stepUpBytes is what an identity authority signs.
func stepUpBytes(id [32]byte, s *identityv1.StepUp) []byte {
	b := append([]byte(stepUpDomain), id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Method))
	return append(b, s.Evidence...)
}

// remember keeps what the device and the identity authority have said, after the last
// message of a transaction, a, was carried out.
func (t *transaction) remember(a *act.Act) {
	if t.device != nil {
		identity.Observe(a, t.key.Id, t.device.Counter, t.device.BackedUp)
	}
	if t.stepUp != nil {
		identity.SteppedUp(a, t.key.Id, t.stepUp)
	}
}
