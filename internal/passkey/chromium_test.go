package passkey_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"mulian/internal/browsertest"
	"mulian/internal/passkey"
)

// chromium is a passkey in a real browser.
type chromium struct{ *browsertest.Phone }

func inChromium(t *testing.T, device browsertest.Device) chromium {
	t.Helper()
	return chromium{browsertest.NewPhone(t, browsertest.Page(t, "<!doctype html><title>box</title>"), device)}
}

func (c chromium) expect(challenge []byte, synced bool) passkey.Expect {
	return passkey.Expect{
		Challenge: challenge, RPIDHash: passkey.RPIDHash("localhost"), BackupEligible: synced,
		Origin: func(o string) bool { return o == c.Origin },
	}
}

// TestChromiumSigns: what a real browser signs holds under our verification, again and
// again (half of all signatures have a high s), for that challenge, page and key alone.
func TestChromiumSigns(t *testing.T) {
	for _, synced := range []bool{false, true} {
		c := inChromium(t, browsertest.Device{Synced: synced})
		if c.BackupEligible != synced || c.BackedUp != synced || c.RPIDHash != passkey.RPIDHash("localhost") || !bytes.Equal(c.CredentialID, c.ID) {
			t.Errorf("registration %+v", c.Registration)
		}
		last := uint32(0)
		for i := range 8 {
			challenge := passkey.Challenge(sha256.Sum256([]byte{byte(i)}))
			a := c.Sign(challenge)
			signed, err := c.expect(challenge[:], synced).Check(a)
			if err != nil {
				t.Fatalf("%v\nclient data %s\nauthenticator data %x", err, a.ClientDataJSON, a.AuthenticatorData)
			}
			if !c.Public.Verify(signed.Message, signed.Signature) {
				t.Fatal("the signature does not hold")
			}
			if signed.Origin != c.Origin || signed.BackedUp != synced || (signed.Counter <= last && signed.Counter != 0) {
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
	a := c.Sign(challenge)
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
