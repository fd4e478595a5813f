package jwe

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"mulian/internal/sdjwt"
)

// TestVector is RFC 7518, appendix C: the key that Alice and Bob agree on.
func TestVector(t *testing.T) {
	raw := func(text string) []byte {
		b, err := sdjwt.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	alice, err := ecdh.P256().NewPrivateKey(raw("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo"))
	if err != nil {
		t.Fatal(err)
	}
	bob, err := ParseJWK(sdjwt.Object{{Name: "kty", Value: "EC"}, {Name: "crv", Value: "P-256"}, {Name: "x", Value: "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"}, {Name: "y", Value: "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := alice.ECDH(bob)
	if err != nil {
		t.Fatal(err)
	}
	if got := sdjwt.Encode(derive(secret, A128GCM, []byte("Alice"), []byte("Bob"))); got != "VqqN6vgjbSBcIijNcacQGg" {
		t.Errorf("the key is %s", got)
	}
}

func key(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestSealed is opened by its key only, and not changed in any letter.
func TestSealed(t *testing.T) {
	k := key(t)
	for _, e := range []Encryption{A128GCM, A256GCM} {
		for _, content := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("泉"), 5000)} {
			text, err := Seal(k.PublicKey(), "kid-1", e, content)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Open(k, text)
			if err != nil || !bytes.Equal(got, content) || KeyID(text) != "kid-1" {
				t.Errorf("%d bytes, %v, %s", len(got), err, KeyID(text))
			}
			if _, err := Open(key(t), text); !errors.Is(err, ErrMessage) {
				t.Errorf("another key: %v", err)
			}
		}
	}
	text, err := Seal(k.PublicKey(), "", A128GCM, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		bad := []byte(text)
		if bad[i]++; bad[i] == text[i] {
			continue
		}
		if _, err := Open(k, string(bad)); !errors.Is(err, ErrMessage) {
			t.Fatalf("letter %d changed: %v", i, err)
		}
	}
	if _, err := Seal(k.PublicKey(), "", "A128CBC-HS256", nil); err == nil {
		t.Error("another algorithm is used")
	}
}

// TestRefused: headers that would make an Open do something else.
func TestRefused(t *testing.T) {
	k := key(t)
	good, err := Seal(k.PublicKey(), "", A128GCM, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(good, ".")
	off := point(k.PublicKey())
	off[3].Value = sdjwt.Encode(make([]byte, 32))
	base := func() sdjwt.Object {
		return sdjwt.Object{{Name: "alg", Value: "ECDH-ES"}, {Name: "enc", Value: "A128GCM"}, {Name: "epk", Value: point(k.PublicKey())}}
	}
	for name, h := range map[string]sdjwt.Object{
		"alg dir":        {{Name: "alg", Value: "dir"}, {Name: "enc", Value: "A128GCM"}, {Name: "epk", Value: point(k.PublicKey())}},
		"enc none":       {{Name: "alg", Value: "ECDH-ES"}, {Name: "enc", Value: "none"}, {Name: "epk", Value: point(k.PublicKey())}},
		"no epk":         base()[:2],
		"off the curve":  {{Name: "alg", Value: "ECDH-ES"}, {Name: "enc", Value: "A128GCM"}, {Name: "epk", Value: off}},
		"crit":           append(base(), sdjwt.Member{Name: "crit", Value: sdjwt.Array{"x"}}),
		"zip":            append(base(), sdjwt.Member{Name: "zip", Value: "DEF"}),
		"apu not base64": append(base(), sdjwt.Member{Name: "apu", Value: "="}),
	} {
		if _, err := Open(k, sdjwt.Encode(sdjwt.AppendJSON(nil, h))+"."+rest); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "....", "a.b.c.d.e", good + ".", strings.Repeat("A", MaxText+1)} {
		if _, err := Open(k, bad); !errors.Is(err, ErrMessage) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// FuzzOpen: whatever comes, it is opened or refused.
func FuzzOpen(f *testing.F) {
	k, err := ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		f.Fatal(err)
	}
	text, err := Seal(k.PublicKey(), "kid", A256GCM, []byte("content"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("eyJhbGciOiJFQ0RILUVTIn0....")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Open(k, text); err != nil && !errors.Is(err, ErrMessage) {
			t.Fatal(err)
		}
		_ = KeyID(text)
	})
}
