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

// FuzzHeader goes past the tag: a sender who knows the key writes any header. It is opened to
// what was sealed, or refused; no change of one letter is opened.
func FuzzHeader(f *testing.F) {
	to, err := ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		f.Fatal(err)
	}
	once, err := ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		f.Fatal(err)
	}
	secret, err := once.ECDH(to.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"alg":"ECDH-ES","enc":"A128GCM","apu":"QWxpY2U","apv":"Qm9i","kid":"k"}`), []byte("content"), uint16(3))
	f.Add([]byte(`{"alg":"ECDH-ES","enc":"A256GCM","zip":"DEF"}`), []byte{}, uint16(0))
	f.Add([]byte(`{"alg":"ECDH-ES+A128KW","enc":"A128CBC-HS256","crit":[]}`), []byte("x"), uint16(9))
	f.Fuzz(func(t *testing.T, raw, content []byte, changed uint16) {
		header, err := sdjwt.ParseObject(raw)
		if err != nil {
			return
		}
		if _, given := header.Get("epk"); !given {
			header = append(header, sdjwt.Member{Name: "epk", Value: point(once.PublicKey())})
		}
		e := Encryption(header.Text("enc"))
		apu, _ := sdjwt.Decode(header.Text("apu"))
		apv, _ := sdjwt.Decode(header.Text("apv"))
		if e.keySize() == 0 {
			e = A128GCM // it is refused for its header
		}
		box, err := aead(derive(secret, e, apu, apv))
		if err != nil {
			t.Fatal(err)
		}
		protected, iv := sdjwt.Encode(sdjwt.AppendJSON(nil, header)), make([]byte, box.NonceSize())
		sealed := box.Seal(nil, iv, content, []byte(protected))
		cut := len(sealed) - box.Overhead()
		text := strings.Join([]string{protected, "", sdjwt.Encode(iv), sdjwt.Encode(sealed[:cut]), sdjwt.Encode(sealed[cut:])}, ".")
		got, err := Open(to, text)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(got, content) || KeyID(text) != header.Text("kid") {
			t.Fatalf("%x was sealed, %x opened", content, got)
		}
		other := []byte(text)
		if at := int(changed) % len(other); other[at] != '.' {
			other[at] ^= 1
			if _, err := Open(to, string(other)); err == nil {
				t.Fatalf("opened with letter %d changed", at)
			}
		}
	})
}
