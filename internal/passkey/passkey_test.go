package passkey_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"mulian/internal/passkey"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/sm"
)

const (
	rp   = "box.example.cn"
	page = "https://box.example.cn"
)

var txID = [32]byte{1, 2, 3}

func expected(eligible bool) passkey.Expect {
	challenge := passkey.Challenge(txID)
	return passkey.Expect{
		Challenge: challenge[:], RPIDHash: passkey.RPIDHash(rp), BackupEligible: eligible,
		Origin: func(o string) bool { return o == page },
	}
}

// TestRefusals walks what an assertion must not be, each alone.
func TestRefusals(t *testing.T) {
	type device = passkeytest.Authenticator
	for name, tt := range map[string]struct {
		want  error
		make  func(*device)
		after func(*passkey.Assertion)
	}{
		"another page":      {passkey.ErrOrigin, func(d *device) { d.Origin = "https://box.example.cn.evil.cn" }, nil},
		"no page":           {passkey.ErrOrigin, func(d *device) { d.Origin = "" }, nil},
		"a page, escaped":   {passkey.ErrClientData, func(d *device) { d.Origin = `https://box.example.cn\u0000` }, nil},
		"foreign frame":     {passkey.ErrClientData, func(d *device) { d.CrossOrigin = true }, nil},
		"another party":     {passkey.ErrRPID, func(d *device) { d.RPID = "evil.cn" }, nil},
		"nobody there":      {passkey.ErrUser, func(d *device) { d.Absent = true }, nil},
		"user not verified": {passkey.ErrUser, func(d *device) { d.Unverified = true }, nil},
		"backed up, not BE": {passkey.ErrBackup, func(d *device) { d.BackedUp = true }, nil},
		"BE appears":        {passkey.ErrBackupChanged, func(d *device) { d.BackupEligible = true }, nil},
		"data without flag": {passkey.ErrFlags, nil, func(a *passkey.Assertion) { a.AuthenticatorData = append(a.AuthenticatorData, 0xa0) }},
		"flag without data": {passkey.ErrFlags, nil, func(a *passkey.Assertion) { a.AuthenticatorData[32] |= 0x80 }},
		"a new credential":  {passkey.ErrFlags, nil, func(a *passkey.Assertion) { a.AuthenticatorData[32] |= 0x40 }},
		"short data":        {passkey.ErrSize, nil, func(a *passkey.Assertion) { a.AuthenticatorData = a.AuthenticatorData[:36] }},
		"long data":         {passkey.ErrSize, nil, func(a *passkey.Assertion) { a.AuthenticatorData = make([]byte, 513) }},
		"long client data":  {passkey.ErrSize, func(d *device) { d.Extra = `,"x":"` + strings.Repeat("x", 1024) + `"` }, nil},
		"a registration":    {passkey.ErrClientData, nil, func(a *passkey.Assertion) { a.ClientDataJSON = replace(a, "webauthn.get", "webauthn.create") }},
		"type in other case": {passkey.ErrClientData, nil, func(a *passkey.Assertion) {
			a.ClientDataJSON = replace(a, `"type":"webauthn.get"`, `"type":"webauthn.create","Type":"webauthn.get"`)
		}},
		"blank in between":  {passkey.ErrClientData, nil, func(a *passkey.Assertion) { a.ClientDataJSON = replace(a, `","challenge"`, `", "challenge"`) }},
		"no end":            {passkey.ErrClientData, nil, func(a *passkey.Assertion) { a.ClientDataJSON = a.ClientDataJSON[:len(a.ClientDataJSON)-1] }},
		"false goes on":     {passkey.ErrClientData, nil, func(a *passkey.Assertion) { a.ClientDataJSON = replace(a, "false}", "falsehood}") }},
		"another id":        {passkey.ErrClientData, nil, func(a *passkey.Assertion) { *a = passkeytest.New(rp, page, "x").Sign(passkey.Challenge([32]byte{})) }},
		"an earlier member": {passkey.ErrSignature, nil, func(a *passkey.Assertion) { a.ClientDataJSON = replace(a, "false}", `false,"a":1}`) }},
		"another counter":   {passkey.ErrSignature, nil, func(a *passkey.Assertion) { a.AuthenticatorData[36]++ }},
		"no signature":      {passkey.ErrForm, nil, func(a *passkey.Assertion) { a.Signature = nil }},
		"zeros":             {passkey.ErrForm, nil, func(a *passkey.Assertion) { a.Signature = make([]byte, 64) }},
		"ones":              {passkey.ErrForm, nil, func(a *passkey.Assertion) { a.Signature = bytes.Repeat([]byte{0xff}, 64) }},
		"DER with a tail":   {passkey.ErrForm, nil, func(a *passkey.Assertion) { a.Signature = append(a.Signature, 0) }},
	} {
		d := passkeytest.New(rp, page, "phone")
		if tt.make != nil {
			tt.make(d)
		}
		a := d.Sign(passkey.Challenge(txID))
		if tt.after != nil {
			tt.after(&a)
		}
		if _, err := expected(false).Verify(d.Secret.Public(), a); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func replace(a *passkey.Assertion, from, to string) []byte {
	return bytes.Replace(a.ClientDataJSON, []byte(from), []byte(to), 1)
}

// TestOneForm: whatever form a device writes, the signature that comes out is the same, and
// another key's does not hold.
func TestOneForm(t *testing.T) {
	d := passkeytest.New(rp, page, "phone")
	d.Counts = false
	a := d.Sign(passkey.Challenge(txID))
	first, err := expected(false).Verify(d.Secret.Public(), a)
	if err != nil {
		t.Fatal(err)
	}
	r, s := split(t, first.Signature)
	for _, sig := range [][]byte{append(bytes.Clone(r), s...), append(bytes.Clone(r), minus(s)...)} {
		a.Signature = sig
		again, err := expected(false).Verify(d.Secret.Public(), a)
		if err != nil || !bytes.Equal(again.Signature, first.Signature) {
			t.Errorf("%v: %x, want %x", err, again.Signature, first.Signature)
		}
	}
	if _, err := expected(false).Verify(passkeytest.New(rp, page, "another").Secret.Public(), a); !errors.Is(err, passkey.ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	if _, err := expected(false).Verify(sm.PublicKey{}, a); !errors.Is(err, passkey.ErrSignature) {
		t.Errorf("no key: %v", err)
	}
}

// TestRegistration: what an authenticator says of its new passkey is read, and nothing else.
func TestRegistration(t *testing.T) {
	d := passkeytest.Synced(rp, page, "cloud")
	d.Extensions = []byte{0xa1, 0x6b, 'h', 'm', 'a', 'c', '-', 's', 'e', 'c', 'r', 'e', 't', 0xf5}
	object, client := d.Create(expected(true).Challenge)
	r, err := expected(true).ParseRegistration(object, client)
	if err != nil || !r.Public.Equal(d.Secret.Public()) || !r.BackupEligible || !r.BackedUp || !bytes.Equal(r.CredentialID, d.CredentialID()) || r.Format != "none" {
		t.Fatalf("%+v, %v", r, err)
	}
	if k := d.Key(3); k.Id != passkey.KeyID(r.Public.Bytes()) || k.Id == r.Public.ID() {
		t.Errorf("the id of the key is %s", k.Id)
	}
	for i := range object {
		if _, err := expected(true).ParseRegistration(object[:i], client); err == nil {
			t.Fatalf("cut at %d it is taken", i)
		}
	}
	if _, err := expected(true).ParseRegistration(append(object, 0), client); !errors.Is(err, passkey.ErrRegistration) {
		t.Errorf("with a tail: %v", err)
	}
	for want, change := range map[error]func(){
		passkey.ErrUser:   func() { d.Unverified = true },
		passkey.ErrRPID:   func() { d.Unverified, d.RPID = false, "evil.cn" },
		passkey.ErrOrigin: func() { d.Origin = "https://evil.cn" },
	} {
		*d = *passkeytest.Synced(rp, page, "cloud")
		change()
		object, client := d.Create(expected(true).Challenge)
		if _, err := expected(true).ParseRegistration(object, client); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}
