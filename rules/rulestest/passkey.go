package rulestest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/standard"
)

// The relying party and the page on which passkeys of a [World] sign, once
// [World.Passkeys] has been called.
const (
	RPID = "box.example.cn"
	Page = "https://box.example.cn"
)

// Passkeys lets the consortium accept passkeys of [RPID] on [Page].
func (w *World) Passkeys() {
	w.TB.Helper()
	p := standard.Parameters()
	p.PasskeyRpIds, p.PasskeyOrigins = []string{RPID}, []string{Page}
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}})
}

// PasskeyPerson opens an account for the n-th person, whose ROOT key is that passkey.
func (w *World) PasskeyPerson(n int, device *passkeytest.Authenticator) string {
	w.TB.Helper()
	id := fmt.Sprintf("p-%032x", n)
	root := identityv1.KeyLevel_KEY_LEVEL_ROOT
	code := w.DoDevice(id, device, &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: id, Keys: []*identityv1.Key{device.Key(root)}})
	if code != fault.OK {
		w.TB.Fatalf("open the account of person %d: %s (%s: %s)", n, code, w.Outcome.Rule, w.Text)
	}
	return id
}

// DoDevice is [World.Do] with a passkey.
func (w *World) DoDevice(account string, device *passkeytest.Authenticator, messages ...proto.Message) fault.Code {
	w.TB.Helper()
	return w.Send(w.SealDevice(w.Body(account, messages...), device, nil))
}

// DoSeen is [World.DoDevice] by somebody whom the authority sees.
func (w *World) DoSeen(account string, device *passkeytest.Authenticator, authority string, messages ...proto.Message) fault.Code {
	w.TB.Helper()
	b := w.Body(account, messages...)
	return w.Send(w.SealDevice(b, device, w.StepUp(b, authority)))
}

// SealDevice signs a body with a passkey and returns the envelope, with the step-up if
// there is one.
func (w *World) SealDevice(b *txv1.Body, device *passkeytest.Authenticator, stepUp *identityv1.StepUp) []byte {
	w.TB.Helper()
	raw := w.encode(b)
	signature := &txv1.Signature{Key: device.Key(0).Id, Signature: device.SignTx(idOf(raw))}
	return w.encode(&txv1.Envelope{Body: raw, Signature: signature, StepUp: stepUp})
}

// StepUp is the word of an identity authority, by its MACHINE key, that it has seen the
// signer of the body.
func (w *World) StepUp(b *txv1.Body, authority string) *identityv1.StepUp {
	w.TB.Helper()
	key := w.Key(authority, identityv1.KeyLevel_KEY_LEVEL_MACHINE)
	s := &identityv1.StepUp{Authority: authority, Key: key.Public().ID(), Method: identityv1.ProofingMethod_PROOFING_METHOD_FACE}
	id := idOf(w.encode(b))
	msg := append([]byte("mulian-step-up-v1\x00"), id[:]...)
	s.Signature = w.sign(key, append(binary.BigEndian.AppendUint32(msg, uint32(s.Method)), s.Evidence...))
	return s
}

// IdentityAuthority registers an organisation of that name that holds the role IDENTITY.
func (w *World) IdentityAuthority(name string) string {
	w.TB.Helper()
	org := w.Org(name)
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: &governancev1.RoleGrant{Role: governancev1.Role_ROLE_IDENTITY, Account: org}}})
	return org
}

func idOf(body []byte) [32]byte {
	return sha256.Sum256(append([]byte("mulian-tx-v1\x00"), body...))
}
