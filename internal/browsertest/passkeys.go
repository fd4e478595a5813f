package browsertest

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"mulian/internal/passkey"
)

// Page serves one page of the given HTML on http://localhost and returns its origin: a
// page at an IP address may not use passkeys.
func Page(t testing.TB, html string) (origin string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(html))
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + port
}

// Made is a passkey that the browser's authenticator has made.
type Made struct {
	ID          []byte // of the credential
	Attestation []byte // attestationObject
	ClientData  []byte // clientDataJSON
	PRF         bool   // it can make secrets for a vault
}

// Answer is an assertion.
type Answer struct {
	AuthenticatorData, ClientData, Signature, UserHandle []byte
	Secret                                               []byte // of the PRF extension, 32 bytes, if it was asked for
}

// binary is how bytes cross into JavaScript.
func binary(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

const codec = `const to = s => Uint8Array.from(atob(s), c => c.charCodeAt(0)); const from = b => b ? btoa(String.fromCharCode(...new Uint8Array(b))) : "";`

// Create makes a passkey on the page that is open.
func (b *Browser) Create(rpID string, challenge []byte) (Made, error) {
	b.t.Helper()
	var out Made
	err := b.Ask(&out, `async (rp, challenge) => { `+codec+`
		const c = await navigator.credentials.create({publicKey: {
			rp: {id: rp, name: "Mulian"}, challenge: to(challenge),
			user: {id: crypto.getRandomValues(new Uint8Array(16)), name: "owner", displayName: "owner"},
			pubKeyCredParams: [{type: "public-key", alg: -7}],
			authenticatorSelection: {residentKey: "required", userVerification: "required"},
			extensions: {prf: {}},
		}});
		return {ID: from(c.rawId), Attestation: from(c.response.attestationObject), ClientData: from(c.response.clientDataJSON),
			PRF: c.getClientExtensionResults().prf?.enabled === true};
	}`, rpID, binary(challenge))
	return out, err
}

// Get asks for an assertion of one of the passkeys, with the given user verification
// ("required", "discouraged") and, if prf is not empty, for the secret of that input.
func (b *Browser) Get(rpID string, challenge, credential []byte, verification string, prf []byte) (Answer, error) {
	b.t.Helper()
	var out Answer
	err := b.Ask(&out, `async (rp, challenge, id, uv, prf) => { `+codec+`
		const c = await navigator.credentials.get({publicKey: {
			rpId: rp, challenge: to(challenge), userVerification: uv,
			allowCredentials: [{type: "public-key", id: to(id)}],
			extensions: prf ? {prf: {eval: {first: to(prf)}}} : {},
		}});
		return {AuthenticatorData: from(c.response.authenticatorData), ClientData: from(c.response.clientDataJSON),
			Signature: from(c.response.signature), UserHandle: from(c.response.userHandle),
			Secret: from(c.getClientExtensionResults().prf?.results?.first)};
	}`, rpID, binary(challenge), binary(credential), verification, binary(prf))
	return out, err
}

// Phone is a passkey that a browser has made on one page, and signs with where it is.
type Phone struct {
	*Browser
	Origin string // of the page on which it was made
	ID     []byte // of the credential
	passkey.Registration
}

// NewPhone starts a browser with such a device on the page at origin, http://localhost:PORT,
// and makes the passkey.
func NewPhone(t testing.TB, origin string, d Device) *Phone {
	t.Helper()
	p := &Phone{Browser: Open(t), Origin: origin}
	p.Authenticator(d)
	p.Visit(origin)
	challenge := sha256.Sum256([]byte("enrolment"))
	made, err := p.Create("localhost", challenge[:])
	if err != nil {
		t.Fatal(err)
	}
	p.ID = made.ID
	expect := passkey.Expect{Challenge: challenge[:], RPIDHash: passkey.RPIDHash("localhost"), Origin: func(o string) bool { return o == origin }}
	if p.Registration, err = expect.ParseRegistration(made.Attestation, made.ClientData); err != nil {
		t.Fatalf("%v\nattestation %x\nclient data %s", err, made.Attestation, made.ClientData)
	}
	return p
}

// Sign has the browser sign a challenge, its user verified.
func (p *Phone) Sign(challenge [32]byte) passkey.Assertion {
	p.t.Helper()
	a, err := p.Get("localhost", challenge[:], p.ID, "required", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return passkey.Assertion{AuthenticatorData: a.AuthenticatorData, ClientDataJSON: a.ClientData, Signature: a.Signature}
}
