package identity_test

import (
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
	"mulian/rules/rulestest"
)

// TestGolden pins the state after a fixed history that uses every verb. A change of
// it is a change of the chain: it needs a new state version and a note in
// docs/decisions.
func TestGolden(t *testing.T) {
	w := rulestest.New(t)
	tax := w.Org("税务局")
	gate := w.Gateway(tax, "main")
	post := w.Post(tax, "officer")
	w.Department(tax, "water")
	w.Person(1)
	w.Must(tax, &identityv1.UpdateOrg{Profile: rulestest.Profile("国家税务局"), Version: 1})
	p := w.GatewayMessage(tax, "main").Profile
	p.Url = "https://10.1.2.3"
	w.Must(gate, &identityv1.UpdateGateway{Gateway: gate, Profile: p, Version: 1})
	w.Must(tax, &identityv1.AddKey{Account: post, Key: key(t, sm.SM2, officer, "ukey")})
	w.Must(tax, &identityv1.RotateKey{Account: post, OldKey: key(t, sm.SM2, officer, "ukey").Id, NewKey: key(t, sm.P256, officer, "ukey 2")})
	w.Must(tax, &identityv1.RevokeKey{Account: post, Key: key(t, sm.P256, officer, "ukey 2").Id, Cause: "遗失"})
	w.Must(w.Authority, &identityv1.SuspendAccount{Account: gate, Cause: "日志中断"})
	w.Must(w.Authority, &identityv1.SuspendAccount{Account: post, Cause: "调查"})
	w.Must(w.Authority, &identityv1.ResumeAccount{Account: post})
	const want = "d514640951b36ef5e96cfa70db58e377fc988c82fe8d4e70e27589bde24d1a1a"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}
