package signer_test

import (
	"context"
	"crypto/sha256"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/signer"
	"mulian/internal/sm"
)

// TestWhoseKeyCounts: a call is signed by a key that signs on the ledger by itself.
func TestWhoseKeyCounts(t *testing.T) {
	k, err := sm.FromSeed(sm.P256, sha256.Sum256([]byte("a phone")))
	if err != nil {
		t.Fatal(err)
	}
	other, err := sm.FromSeed(sm.P256, sha256.Sum256([]byte("another phone")))
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a call")
	signature, err := k.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		mar  func(*identityv1.Key)
		want fault.Code
	}{
		{"as it should be", func(*identityv1.Key) {}, fault.OK},
		{"revoked", func(k *identityv1.Key) { k.State = identityv1.KeyState_KEY_STATE_REVOKED }, fault.KeyRevoked},
		{"ended", func(k *identityv1.Key) { k.EndsMs = 5 }, fault.KeyRevoked},
		{"lost", func(k *identityv1.Key) { k.LostMs = 4 }, fault.KeyRevoked},
		{"suspended", func(k *identityv1.Key) { k.Suspended = true }, fault.Suspended},
		{"in custody", func(k *identityv1.Key) { k.Custodian = "c" }, fault.CustodyUnrecorded},
		{"a passkey", func(k *identityv1.Key) { k.Algorithm = identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN }, fault.NotWhitelisted},
		{"of another pair", func(k *identityv1.Key) { k.PublicKey = other.Public().Bytes() }, fault.BadAuthorisation},
		{"another's", func(k *identityv1.Key) { k.Id = "other" }, fault.NotWhitelisted},
	} {
		key := &identityv1.Key{
			Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm(k.Public().Algorithm()), PublicKey: k.Public().Bytes(),
			State: identityv1.KeyState_KEY_STATE_ACTIVE, Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE,
		}
		tt.mar(key)
		acc := &identityv1.Account{Id: "p-1", State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE, Keys: []*identityv1.Key{key}}
		if err := signer.Check(acc, k.Public().ID(), message, signature, 5); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// TestWhoMayAct: an account that is active, of an organisation that is.
func TestWhoMayAct(t *testing.T) {
	const active, suspended = identityv1.AccountState_ACCOUNT_STATE_ACTIVE, identityv1.AccountState_ACCOUNT_STATE_SUSPENDED
	for name, tt := range map[string]struct {
		acc, org identityv1.AccountState
		want     fault.Code
	}{
		"both":                         {active, active, fault.OK},
		"not known":                    {0, active, fault.NotWhitelisted},
		"frozen":                       {identityv1.AccountState_ACCOUNT_STATE_FROZEN, active, fault.AccountFrozen},
		"closed":                       {identityv1.AccountState_ACCOUNT_STATE_CLOSED, active, fault.Suspended},
		"suspended":                    {suspended, active, fault.Suspended},
		"of a suspended organisation":  {active, suspended, fault.Suspended},
		"of an organisation that left": {active, 0, fault.NotWhitelisted},
	} {
		acc, err := signer.Account(t.Context(), "o/p/1", func(_ context.Context, id string) (*identityv1.Account, error) {
			a := &identityv1.Account{Id: id, Org: "o", State: tt.acc}
			if id == "o" {
				a.State = tt.org
			}
			if a.State == 0 {
				return nil, nil
			}
			return a, nil
		})
		if fault.CodeOf(err) != tt.want || err == nil && acc.GetId() != "o/p/1" {
			t.Errorf("%s: %v, %v; want %s", name, acc, err, tt.want)
		}
	}
}
