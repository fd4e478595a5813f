package rules_test

import (
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/passkey/passkeytest"
	"mulian/rules/rulestest"
)

// holder is a world with an identity authority and a person with one passkey.
type holder struct {
	*rulestest.World
	police, person string
	device         *passkeytest.Authenticator
}

func newHolder(t *testing.T, device *passkeytest.Authenticator) *holder {
	t.Helper()
	w := rulestest.New(t)
	w.Passkeys()
	return &holder{World: w, police: w.IdentityAuthority("公安局"), person: w.PasskeyPerson(1, device), device: device}
}

func bound() *passkeytest.Authenticator {
	return passkeytest.New(rulestest.RPID, rulestest.Page, "phone")
}

func synced() *passkeytest.Authenticator {
	return passkeytest.Synced(rulestest.RPID, rulestest.Page, "cloud")
}

// addKey is an act that needs ROOT.
func (h *holder) addKey(name string) *identityv1.AddKey {
	return &identityv1.AddKey{Account: h.person, Key: rulestest.PublicKey(h.Named(h.person, officer, name).Public(), officer)}
}

// TestPasskeySigns: a device-bound passkey does what a ROOT key may, in each form that a
// device writes signatures in.
func TestPasskeySigns(t *testing.T) {
	h := newHolder(t, bound())
	for _, form := range []struct {
		name  string
		as    func(*passkeytest.Authenticator)
		extra string
	}{
		{"low s", func(*passkeytest.Authenticator) {}, ""},
		{"high s", func(a *passkeytest.Authenticator) { a.HighS = true }, ""},
		{"r and s", func(a *passkeytest.Authenticator) { a.HighS, a.Raw = false, true }, ""},
		{"a member behind", func(a *passkeytest.Authenticator) {
			a.Extra = `,"other_keys_can_be_added_here":"do not compare clientDataJSON against a template. See https://goo.gl/yabPex"`
		}, ""},
		{"extension data", func(a *passkeytest.Authenticator) { a.Extensions = []byte{0xa1, 0x61, 'x', 1} }, ""},
	} {
		form.as(h.device)
		if code := h.DoDevice(h.person, h.device, h.addKey(form.name)); code != fault.OK {
			t.Errorf("%s: %s (%s: %s)", form.name, code, h.Outcome.Rule, h.Text)
		}
	}
}
