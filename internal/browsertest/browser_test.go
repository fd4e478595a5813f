package browsertest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestPasskeyInChromium: the browser makes a passkey and signs with it, for its own origin
// alone, and a PRF gives the same secret again.
func TestPasskeyInChromium(t *testing.T) {
	b := Open(t)
	b.Authenticator(Device{})
	origin := Page(t, "<!doctype html><title>passkeys</title>")
	b.Visit(origin)
	made, err := b.Create("localhost", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if !made.PRF {
		t.Error("the passkey makes no secrets")
	}
	var said struct{ Type, Origin string }
	if err := json.Unmarshal(made.ClientData, &said); err != nil || said.Origin != origin || said.Type != "webauthn.create" {
		t.Errorf("client data %s: %v", made.ClientData, err)
	}
	one, err := b.Get("localhost", []byte("another challenge of 32 bytes ..."), made.ID, "required", []byte("vault"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Get("localhost", []byte("a third challenge of some length"), made.ID, "required", []byte("vault"))
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Secret) != 32 || !bytes.Equal(one.Secret, two.Secret) {
		t.Errorf("secrets %x, %x", one.Secret, two.Secret)
	}
	if bytes.Equal(one.Signature, two.Signature) || len(one.AuthenticatorData) < 37 {
		t.Errorf("signatures %x, %x over %x", one.Signature, two.Signature, one.AuthenticatorData)
	}
	if _, err := b.Get("example.org", []byte("a fourth challenge of some length"), made.ID, "required", nil); err == nil || !strings.Contains(err.Error(), "SecurityError") {
		t.Errorf("another site's passkey: %v", err)
	}
}

// TestConsoleErrorsAreHeard: a page that fails fails its test.
func TestConsoleErrorsAreHeard(t *testing.T) {
	b := Open(t)
	b.ExpectErrors()
	b.Visit(Page(t, `<!doctype html><title>x</title><script>setInterval(() => console.error("planted"), 20)</script>`))
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		said := strings.Join(b.Errors(), " ")
		if strings.Contains(said, "planted") {
			break
		}
		if time.Since(began) > startWait {
			t.Fatalf("the page's error was not heard: %q", said)
		}
	}
}
