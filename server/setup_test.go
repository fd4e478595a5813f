package server_test

import (
	"context"
	"testing"
	"time"

	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/server"
)

// TestSetupLinkIsUsedOnce: a wrong token sees nothing and takes nothing; the right one gives
// one post on the ledger, once, and not after its time.
func TestSetupLinkIsUsedOnce(t *testing.T) {
	m := start(t)
	ctx, now := t.Context(), time.Now()
	clock := func() time.Time { return now }
	setup, token := server.NewSetup(m.client, m.signer, "测试局", clock)
	key := func() *identityv1.Key {
		k, err := sm.Generate(sm.P256)
		if err != nil {
			t.Fatal(err)
		}
		return &identityv1.Key{Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_P256, PublicKey: k.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_ROOT}
	}
	for _, wrong := range []string{"", "AAAAAAA", token + "A"} {
		if seats, err := setup.List(ctx, wrong); err != nil || len(seats) != 0 {
			t.Errorf("token %q shows %v, %v", wrong, seats, err)
		}
		if _, err := setup.Take(ctx, &consolev1.TakeSeatRequest{Seat: "operator", Token: wrong, Key: key()}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("token %q: %v", wrong, err)
		}
	}
	seats, err := setup.List(ctx, token)
	if err != nil || len(seats) != 1 || seats[0].Org != m.code {
		t.Fatalf("seats %v, %v", seats, err)
	}
	bad := key()
	bad.Id = "0000000000000000"
	if _, err := setup.Take(ctx, &consolev1.TakeSeatRequest{Seat: "operator", Token: token, Key: bad}); !fault.Is(err, fault.CodeInconsistent) {
		t.Errorf("a key with another's id: %v", err)
	}
	gone, leave := context.WithCancel(ctx)
	leave() // the browser is closed while the key is on its way
	mine, device := key(), key()
	got, err := setup.Take(gone, &consolev1.TakeSeatRequest{Seat: "operator", Token: token, Key: mine, Device: device})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := setup.Take(ctx, &consolev1.TakeSeatRequest{Seat: "operator", Token: token, Key: mine, Device: device}); err != nil || again.Account != got.Account {
		t.Errorf("who did not get the answer asks again: %v, %v", again, err)
	}
	post := &identityv1.Account{}
	if found, err := m.client.Get(ctx, "identity/account/"+got.Account, post); err != nil || !found || len(post.Keys) != 2 ||
		post.Keys[0].Level != identityv1.KeyLevel_KEY_LEVEL_OFFICER || post.Keys[1].Level != identityv1.KeyLevel_KEY_LEVEL_MACHINE {
		t.Errorf("the post is %v, %v: whatever level was asked for, it is OFFICER, and MACHINE the browser's own", post, err)
	}
	if _, err := setup.Take(ctx, &consolev1.TakeSeatRequest{Seat: "operator", Token: token, Key: key()}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a second time: %v", err)
	}
	late, token := server.NewSetup(m.client, m.signer, "测试局", clock)
	now = now.Add(server.SetupLife)
	if _, err := late.Take(ctx, &consolev1.TakeSeatRequest{Seat: "operator", Token: token, Key: key()}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("after %s: %v", server.SetupLife, err)
	}
}
