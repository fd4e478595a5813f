package rules_test

import (
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/sm"
	"mulian/rules"
	"mulian/rules/rulestest"
	"mulian/state/machine"
)

// BenchmarkCheck measures what a transaction costs before its messages, with the
// signature's verdict known (the ledger remembers it) and without.
func BenchmarkCheck(b *testing.B) {
	w := rulestest.New(b)
	org := w.Org("税务局")
	raw := w.Seal(w.Body(org, w.GatewayMessage(org, "main")), w.Key(org, root))
	v := w.View()
	env := machine.Env{ChainID: rulestest.ChainID, Height: 2, TimeMs: w.Now}
	for name, verify := range map[string]func(sm.PublicKey, []byte, []byte) bool{
		"verdict known":   func(sm.PublicKey, []byte, []byte) bool { return true },
		"Ed25519 checked": func(k sm.PublicKey, msg, sig []byte) bool { return k.Verify(msg, sig) },
	} {
		b.Run(name, func(b *testing.B) {
			env.Verify = verify
			for b.Loop() {
				if err := rules.New().Check(v, env, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPasskey measures what a passkey's transaction costs the ledger: at its door,
// where the signature is checked, and in its block, where the verdict is remembered.
func BenchmarkPasskey(b *testing.B) {
	w := rulestest.New(b)
	w.Passkeys()
	device := passkeytest.New(rulestest.RPID, rulestest.Page, "phone")
	li := w.PasskeyPerson(1, device)
	raw := w.SealDevice(w.Body(li, &identityv1.FreezeAccount{Account: li}), device, nil)
	v := w.View()
	env := machine.Env{ChainID: rulestest.ChainID, Height: 2, TimeMs: w.Now}
	for name, verify := range map[string]func(sm.PublicKey, []byte, []byte) bool{
		"verdict known": func(sm.PublicKey, []byte, []byte) bool { return true },
		"checked":       func(k sm.PublicKey, msg, sig []byte) bool { return k.Verify(msg, sig) },
	} {
		b.Run(name, func(b *testing.B) {
			env.Verify = verify
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := rules.New().Check(v, env, raw); fault.CodeOf(err) != fault.OK {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}
