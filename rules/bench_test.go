package rules_test

import (
	"testing"

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
