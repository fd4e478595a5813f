package rules_test

import (
	"google.golang.org/protobuf/proto"

	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/passkey/passkeytest"
	"mulian/rules/rulestest"
)

// owner is a person of the histories with a passkey, and who identifies her.
type owner struct {
	police, person string
	device         *passkeytest.Authenticator
}

// newOwner lets her open an account, be identified, freeze it, and end that.
func newOwner(w *rulestest.World) owner {
	w.TB.Helper()
	w.Passkeys()
	o := owner{police: w.IdentityAuthority("公安局"), device: bound()}
	o.person = w.PasskeyPerson(2, o.device)
	w.Must(o.police, o.proofing(w))
	w.DoDevice(o.person, o.device, &identityv1.FreezeAccount{Account: o.person, Cause: "手机被盗"})
	w.DoSeen(o.person, o.device, o.police, &identityv1.UnfreezeAccount{Account: o.person})
	return o
}

func (o owner) proofing(w *rulestest.World) *identityv1.RecordProofing {
	return &identityv1.RecordProofing{
		Account: o.person, Commitment: make([]byte, 32), ExpiresMs: w.Now + rulestest.Day,
		Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER, Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH,
	}
}

// seal signs with the passkey, whose counter may go back, mostly with a step-up.
func (o owner) seal(h *historian, b *txv1.Body) []byte {
	o.device.Counter = h.rand.Uint32N(1000)
	if h.rand.IntN(4) == 0 {
		return h.w.SealDevice(b, o.device, nil)
	}
	return h.w.SealDevice(b, o.device, h.w.StepUp(b, o.police))
}

// act is what she or the police may do, unless something has happened before.
func (o owner) act(h *historian) (account string, verb proto.Message) {
	switch h.rand.IntN(5) {
	case 0:
		return o.police, o.proofing(h.w.World)
	case 1:
		return o.police, &identityv1.RevokeProofing{Account: o.person, Cause: "误登"}
	case 2:
		return o.person, &identityv1.FreezeAccount{Account: o.person}
	case 3:
		return o.person, &identityv1.UnfreezeAccount{Account: o.person}
	}
	return o.person, &identityv1.RotateKey{Account: o.person, OldKey: o.device.Key(0).Id, NewKey: passkeytest.New(rulestest.RPID, rulestest.Page, "next").Key(officer)}
}
