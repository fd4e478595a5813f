package passkey_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"mulian/internal/passkey"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/sm"
)

// FuzzClientData: no client data make Check panic, and what it accepts is, where a JSON
// reader can read it, the answer to this challenge on this page in no foreign frame: the
// exact names that come first say so.
func FuzzClientData(f *testing.F) {
	d := passkeytest.New(rp, page, "phone")
	good := d.Sign(passkey.Challenge(txID))
	f.Add(good.ClientDataJSON)
	f.Add(replace(&good, "false}", `false,"other_keys_can_be_added_here":"do not compare clientDataJSON against a template"}`))
	f.Add(replace(&good, `"type":"webauthn.get"`, `"type":"webauthn.create","Type":"webauthn.get"`))
	f.Add(replace(&good, page, page+`","crossOrigin":true,"origin":"`+page))
	f.Add([]byte(`{"type":"webauthn.get"}`))
	f.Fuzz(func(t *testing.T, client []byte) {
		a := good
		a.ClientDataJSON = client
		s, err := expected(false).Check(a)
		if err != nil {
			return
		}
		if s.Origin != page || !strings.HasPrefix(string(client), `{"type":"webauthn.get","challenge":"`) {
			t.Fatalf("%q", client)
		}
		dec := json.NewDecoder(bytes.NewReader(client))
		for _, want := range []any{json.Delim('{'), "type", "webauthn.get", "challenge", nil, "origin", page, "crossOrigin", false} {
			got, err := dec.Token()
			if err != nil || want != nil && got != want {
				t.Fatalf("%q: %v, %v stands where %v has to", client, err, got, want)
			}
		}
	})
}

// FuzzAuthenticatorData: no authenticator data make Check panic, and what it accepts has
// the party and the flags.
func FuzzAuthenticatorData(f *testing.F) {
	d := passkeytest.New(rp, page, "phone")
	good := d.Sign(passkey.Challenge(txID))
	f.Add(good.AuthenticatorData)
	f.Add(append(bytes.Clone(good.AuthenticatorData), 0xa0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		a := good
		a.AuthenticatorData = data
		s, err := expected(false).Check(a)
		if err != nil {
			return
		}
		hash := passkey.RPIDHash(rp)
		if !bytes.HasPrefix(data, hash[:]) || data[32]&0x05 != 0x05 || data[32]&0x58 != 0 || len(s.Message) != len(data)+32 {
			t.Fatalf("%x", data)
		}
	})
}

// FuzzSignature: no bytes make Check panic, and what it returns is the one form: itself when
// it is given back.
func FuzzSignature(f *testing.F) {
	d := passkeytest.New(rp, page, "phone")
	good := d.Sign(passkey.Challenge(txID))
	f.Add(good.Signature)
	d.HighS, d.Raw = true, true
	f.Add(d.Sign(passkey.Challenge(txID)).Signature)
	f.Add(make([]byte, 64))
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, sig []byte) {
		a := good
		a.Signature = sig
		s, err := expected(false).Check(a)
		if err != nil {
			return
		}
		a.Signature = s.Signature
		again, err := expected(false).Check(a)
		if err != nil || !bytes.Equal(again.Signature, s.Signature) {
			t.Fatalf("%x becomes %x, and that %x: %v", sig, s.Signature, again.Signature, err)
		}
	})
}

// FuzzRegistration: no attestation object makes the reader panic, and what it accepts has a
// key of P-256 and a credential id within the bound.
func FuzzRegistration(f *testing.F) {
	d := passkeytest.Synced(rp, page, "cloud")
	object, client := d.Create(expected(true).Challenge)
	f.Add(object)
	f.Add(object[:len(object)/2])
	f.Add([]byte{0xa3, 0x63, 'f', 'm', 't', 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(bytes.Repeat([]byte{0x81}, 1000))
	f.Fuzz(func(t *testing.T, object []byte) {
		r, err := expected(true).ParseRegistration(object, client)
		if err == nil && (r.Public.Algorithm() != sm.P256 || len(r.CredentialID) == 0 || len(r.CredentialID) > passkey.MaxCredentialID) {
			t.Fatalf("%+v", r)
		}
	})
}

// FuzzCOSE: no bytes make the reader panic, and what it accepts is found in them.
func FuzzCOSE(f *testing.F) {
	point := passkeytest.New(rp, page, "phone").Secret.Public().Bytes()
	key := append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, point[1:33]...)
	f.Add(append(append(key, 0x22, 0x58, 32), point[33:]...))
	f.Add(key)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if k, err := passkey.ParseCOSE(raw); err == nil && (!bytes.Contains(raw, k.Bytes()[1:33]) || !bytes.Contains(raw, k.Bytes()[33:])) {
			t.Fatalf("%x", raw)
		}
	})
}

// BenchmarkCheck is all but the signature: what the ledger does each time it sees a
// transaction. BenchmarkVerify is the whole, once for each.
func BenchmarkCheck(b *testing.B) {
	d := passkeytest.New(rp, page, "phone")
	a, e := d.Sign(passkey.Challenge(txID)), expected(false)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Check(a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	d := passkeytest.New(rp, page, "phone")
	a, e, public := d.Sign(passkey.Challenge(txID)), expected(false), d.Secret.Public()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Verify(public, a); err != nil {
			b.Fatal(err)
		}
	}
}
