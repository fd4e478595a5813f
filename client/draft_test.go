package client_test

import (
	"testing"
	"time"

	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/sm"
)

// TestDraftIsSignedElsewhere: what a device signs for a draft is what the ledger checks of
// the envelope, whatever form its signature had, and a step-up goes with it.
func TestDraftIsSignedElsewhere(t *testing.T) {
	device := passkeytest.New("localhost", "http://localhost:8080", "draft")
	d, err := client.Prepare("dev-1", "p-00000000000000000000000000000001", time.Unix(1_800_000_000, 0), &identityv1.FreezeAccount{Account: "p-1"})
	if err != nil {
		t.Fatal(err)
	}
	d.StepUp = &identityv1.StepUp{Authority: "x"}
	for range 3 {
		device.HighS = !device.HighS
		env, err := d.WithPasskey(device.Key(0).Id, device.Sign(d.Challenge()))
		if err != nil {
			t.Fatal(err)
		}
		var e txv1.Envelope
		var m identityv1.PasskeyAssertion
		if err := canon.Check(env.Raw, &e); err != nil {
			t.Fatal(err)
		}
		if err := canon.Check(e.Signature.Signature, &m); err != nil {
			t.Fatal(err)
		}
		if client.ID(e.Body) != env.ID || e.StepUp.GetAuthority() != "x" || e.Signature.Key != device.Key(0).Id {
			t.Fatalf("the envelope is %v", &e)
		}
		challenge := passkey.Challenge(env.ID)
		expect := passkey.Expect{Challenge: challenge[:], RPIDHash: passkey.RPIDHash("localhost"), Origin: func(o string) bool { return o == device.Origin }}
		a := passkey.Assertion{AuthenticatorData: m.AuthenticatorData, ClientDataJSON: m.ClientDataJson, Signature: m.Signature}
		s, err := expect.Verify(device.Secret.Public(), a)
		if err != nil || string(s.Signature) != string(m.Signature) {
			t.Errorf("%v; the signature in its one form: %v", err, string(s.Signature) == string(m.Signature))
		}
	}
	if _, err := d.WithPasskey("k", passkey.Assertion{ClientDataJSON: make([]byte, 1025)}); !fault.Is(err, fault.TooLong) {
		t.Errorf("too large an answer: %v", err)
	}
}

// TestStepUpIsOfOneTransaction: what an identity authority signs begins with its domain and
// the transaction's id, then method and evidence, as the ledger checks it.
func TestStepUpIsOfOneTransaction(t *testing.T) {
	key, err := sm.FromSeed(sm.P256, [32]byte{31: 7})
	if err != nil {
		t.Fatal(err)
	}
	id, evidence := [32]byte{1}, make([]byte, 32)
	s, err := client.StepUpFor(client.Signer{Account: "11110000000021928Y", Key: key}, id, identityv1.ProofingMethod_PROOFING_METHOD_FACE, evidence)
	if err != nil {
		t.Fatal(err)
	}
	signed := append(append([]byte("mulian-step-up-v1\x00"), id[:]...), 0, 0, 0, 2)
	if !key.Public().Verify(append(signed, evidence...), s.Signature) || s.Authority != "11110000000021928Y" || s.Key != key.Public().ID() || s.Method != 2 {
		t.Errorf("the step-up is %v", s)
	}
}
