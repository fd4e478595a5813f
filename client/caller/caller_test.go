package caller

import (
	"crypto/sha256"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// TestWhoseKeyCounts: a call is signed by a key that signs on the ledger by itself.
func TestWhoseKeyCounts(t *testing.T) {
	k, err := sm.FromSeed(sm.P256, sha256.Sum256([]byte("a phone")))
	if err != nil {
		t.Fatal(err)
	}
	c := &call{Body: []byte("{}"), Key: k.Public().ID()}
	if c.Signature, err = k.Sign(append([]byte(domain), c.Body...)); err != nil {
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
		{"another's", func(k *identityv1.Key) { k.Id = "other" }, fault.NotWhitelisted},
	} {
		key := &identityv1.Key{
			Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm(k.Public().Algorithm()), PublicKey: k.Public().Bytes(),
			State: identityv1.KeyState_KEY_STATE_ACTIVE, Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE,
		}
		tt.mar(key)
		acc := &identityv1.Account{Id: "p-1", State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE, Keys: []*identityv1.Key{key}}
		if err := signed(acc, c, 5); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
