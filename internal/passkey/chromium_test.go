package passkey_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"mulian/internal/browsertest"
	"mulian/internal/passkey"
)

// chromium is a page in a real browser with a device of that kind, and a passkey that it
// made, as the ledger would know it.
type chromium struct {
	*browsertest.Browser
	t      *testing.T
	origin string
	id     []byte // of the credential
	passkey.Registration
}

func inChromium(t *testing.T, device browsertest.Device) *chromium {
	t.Helper()
	c := &chromium{Browser: browsertest.Open(t), t: t, origin: browsertest.Page(t, "<!doctype html><title>box</title>")}
	c.Authenticator(device)
	c.Visit(c.origin)
	challenge := sha256.Sum256([]byte("enrolment"))
	made, err := c.Create("localhost", challenge[:])
	if err != nil {
		t.Fatal(err)
	}
	c.id = made.ID
	if c.Registration, err = c.expect(challenge[:], false).ParseRegistration(made.Attestation, made.ClientData); err != nil {
		t.Fatalf("%v\nattestation %x\nclient data %s", err, made.Attestation, made.ClientData)
	}
	return c
}

func (c *chromium) expect(challenge []byte, synced bool) passkey.Expect {
	return passkey.Expect{
		Challenge: challenge, RPIDHash: passkey.RPIDHash("localhost"), BackupEligible: synced,
		Origin: func(o string) bool { return o == c.origin },
	}
}

// sign has the browser sign for a transaction.
func (c *chromium) sign(challenge [32]byte, verification string) passkey.Assertion {
	c.t.Helper()
	a, err := c.Get("localhost", challenge[:], c.id, verification, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return passkey.Assertion{AuthenticatorData: a.AuthenticatorData, ClientDataJSON: a.ClientData, Signature: a.Signature}
}

// TestChromiumSigns: what a real browser signs holds under our verification, again and
// again (half of all signatures have a high s), for that challenge, page and key alone.
func TestChromiumSigns(t *testing.T) {
	for _, synced := range []bool{false, true} {
		c := inChromium(t, browsertest.Device{Synced: synced})
		if c.BackupEligible != synced || c.BackedUp != synced || c.RPIDHash != passkey.RPIDHash("localhost") || !bytes.Equal(c.CredentialID, c.id) {
			t.Errorf("registration %+v", c.Registration)
		}
		last := uint32(0)
		for i := range 8 {
			challenge := passkey.Challenge(sha256.Sum256([]byte{byte(i)}))
			a := c.sign(challenge, "required")
			signed, err := c.expect(challenge[:], synced).Check(a)
			if err != nil {
				t.Fatalf("%v\nclient data %s\nauthenticator data %x", err, a.ClientDataJSON, a.AuthenticatorData)
			}
			if !c.Public.Verify(signed.Message, signed.Signature) {
				t.Fatal("the signature does not hold")
			}
			if signed.Origin != c.origin || signed.BackedUp != synced || (signed.Counter <= last && signed.Counter != 0) {
				t.Errorf("signed %+v after counter %d", signed, last)
			}
			last = signed.Counter
			a.ClientDataJSON = bytes.Replace(a.ClientDataJSON, []byte(`"crossOrigin":false`), []byte(`"crossOrigin":true `), 1)
			if _, err := c.expect(challenge[:], synced).Check(a); err == nil {
				t.Error("a frame of another page was taken")
			}
		}
	}
}

// TestChromiumRefused: another transaction, another page, a device that does not know its
// user, one that says it can be copied all at once.
func TestChromiumRefused(t *testing.T) {
	c := inChromium(t, browsertest.Device{})
	challenge := passkey.Challenge(sha256.Sum256([]byte("this one")))
	a := c.sign(challenge, "required")
	other := passkey.Challenge(sha256.Sum256([]byte("another")))
	page := c.expect(challenge[:], false)
	page.Origin = func(o string) bool { return o == "http://localhost:1" }
	rp := c.expect(challenge[:], false)
	rp.RPIDHash = passkey.RPIDHash("box.example.cn")
	unverified := a
	unverified.AuthenticatorData = bytes.Clone(a.AuthenticatorData)
	unverified.AuthenticatorData[32] &^= 1 << 2
	for _, refused := range []struct {
		name   string
		expect passkey.Expect
		a      passkey.Assertion
		want   error
	}{
		{"another transaction", c.expect(other[:], false), a, passkey.ErrClientData},
		{"another page", page, a, passkey.ErrOrigin},
		{"another relying party", rp, a, passkey.ErrRPID},
		{"user not verified", c.expect(challenge[:], false), unverified, passkey.ErrUser},
		{"backup flag changed", c.expect(challenge[:], true), a, passkey.ErrBackupChanged},
	} {
		if _, err := refused.expect.Check(refused.a); !errors.Is(err, refused.want) {
			t.Errorf("%s: %v, want %v", refused.name, err, refused.want)
		}
	}
	signed, err := c.expect(challenge[:], false).Check(a)
	if err != nil {
		t.Fatal(err)
	}
	signed.Message[len(signed.Message)-1] ^= 1
	if c.Public.Verify(signed.Message, signed.Signature) {
		t.Error("a signature over something else holds")
	}
}
