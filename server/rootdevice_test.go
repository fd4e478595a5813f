package server_test

import (
	"testing"
	"time"

	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/passkey/passkeytest"
	"mulian/server"
)

// TestRootLinkGivesOneDevice: the link puts one passkey on the organisation's own account, with
// ROOT and an end, once; no other key, no other seat, not after its time. A later link revokes
// what has ended.
func TestRootLinkGivesOneDevice(t *testing.T) {
	m := start(t)
	ctx, now := t.Context(), time.Now()
	clock := func() time.Time { return now }
	for _, days := range []int{-1, 0, server.MaxRootDays + 1} {
		if _, _, err := server.NewRootSetup(m.client, m.signer, "测试局", days, clock); !fault.Is(err, fault.OutOfRange) {
			t.Errorf("%d days: %v", days, err)
		}
	}
	link, token, err := server.NewRootSetup(m.client, m.signer, "测试局", 7, clock)
	if err != nil {
		t.Fatal(err)
	}
	device := func(seed string) *identityv1.Key {
		return passkeytest.New("localhost", "http://localhost:8080", seed).Key(identityv1.KeyLevel_KEY_LEVEL_MACHINE)
	}
	take := func(s *server.RootSetup, token, seat string, k *identityv1.Key) (*consolev1.TakeSeatResponse, error) {
		return s.Take(ctx, &consolev1.TakeSeatRequest{Seat: seat, Token: token, Key: k})
	}
	account := func() (keys []*identityv1.Key) {
		org := &identityv1.Account{}
		if found, err := m.client.Get(ctx, "identity/account/"+m.code, org); err != nil || !found {
			t.Fatalf("%v, %v", found, err)
		}
		return org.GetKeys()
	}
	had := len(account())
	if seats, err := link.List(ctx, token+"A"); err != nil || len(seats) != 0 {
		t.Errorf("another token shows %v, %v", seats, err)
	}
	if _, err := take(link, token+"A", "root", device("one")); !fault.Is(err, fault.Forbidden) {
		t.Errorf("another token: %v", err)
	}
	if _, err := take(link, token, "operator", device("one")); !fault.Is(err, fault.Forbidden) {
		t.Errorf("another seat: %v", err)
	}
	plain := device("one")
	plain.Algorithm, plain.Passkey = identityv1.KeyAlgorithm_KEY_ALGORITHM_P256, nil
	if _, err := take(link, token, "root", plain); !fault.Is(err, fault.Malformed) {
		t.Errorf("a key that is no passkey: %v", err)
	}
	seats, err := link.List(ctx, token)
	if err != nil || len(seats) != 1 || seats[0].GetOrg() != m.code || seats[0].GetKeyDays() != 7 {
		t.Fatalf("seats %v, %v", seats, err)
	}
	got, err := take(link, token, "root", device("one"))
	if err != nil || got.GetAccount() != m.code {
		t.Fatalf("%v, %v", got, err)
	}
	if again, err := take(link, token, "root", device("one")); err != nil || again.GetEndsMs() != got.GetEndsMs() {
		t.Errorf("who did not get the answer asks again: %v, %v", again, err)
	}
	keys := account()
	k := keys[len(keys)-1]
	if len(keys) != had+1 || k.GetLevel() != identityv1.KeyLevel_KEY_LEVEL_ROOT || k.GetEndsMs() != now.AddDate(0, 0, 7).UnixMilli() || k.GetEndsMs() != got.GetEndsMs() {
		t.Errorf("the account has %v", keys)
	}
	if _, err := take(link, token, "root", device("two")); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a second device: %v", err)
	}

	// The clock of the next link is a week on: the first device's key has ended.
	now = now.AddDate(0, 0, 8)
	next, token, err := server.NewRootSetup(m.client, m.signer, "测试局", 7, clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take(next, token, "root", device("two")); err != nil {
		t.Fatal(err)
	}
	active := 0
	for _, k := range account() {
		if k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE {
			active++
		}
	}
	if active != had+1 {
		t.Errorf("%d keys are active, not %d: what has ended is revoked", active, had+1)
	}
	late, token, err := server.NewRootSetup(m.client, m.signer, "测试局", 7, clock)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(server.SetupLife)
	if _, err := take(late, token, "root", device("three")); !fault.Is(err, fault.Forbidden) {
		t.Errorf("after %s: %v", server.SetupLife, err)
	}
}
