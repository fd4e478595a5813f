package statuslist

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// vector returns the JSON of an example of the draft, with the line breaks within "lst"
// taken out.
func vector(t testing.TB, name string) (bits int, lst string) {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	for dir := "."; root == ""; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(dir, "..", "shared")
		} else if len(dir) > 60 {
			t.Fatal("no go.mod above this package")
		}
	}
	raw, err := os.ReadFile(filepath.Join(root, "data/vectors/status-list", name))
	if err != nil {
		t.Skipf("SKIP no shared data: %s", name)
	}
	m := regexp.MustCompile(`"bits": (\d),\s*"lst": "([^"]*)"`).FindSubmatch(raw)
	if m == nil {
		t.Fatalf("%s: %s", name, raw)
	}
	return int(m[1][0] - '0'), strings.Join(strings.Fields(string(m[2])), "")
}

// TestTheExamplesOfTheDraft: section 4.1 and appendix C.
func TestTheExamplesOfTheDraft(t *testing.T) {
	for _, tt := range []struct {
		file string
		raw  []byte // nil: only the entries are named
		size int64
		want map[int64]byte
	}{
		{"status_list_encoding_json.md", []byte{0xb9, 0xa3}, 16, map[int64]byte{0: 1, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 6: 0, 7: 1, 8: 1, 9: 1, 10: 0, 15: 1}},
		{"status_list_encoding2_json.md", []byte{0xc9, 0x44, 0xf9}, 12, map[int64]byte{0: 1, 1: 2, 2: 0, 3: 3, 4: 0, 5: 1, 6: 0, 7: 1, 8: 1, 9: 2, 10: 3, 11: 3}},
		{"status_list_encoding1_long_json.md", nil, 1 << 20, map[int64]byte{0: 1, 1993: 1, 25460: 1, 159495: 1, 495669: 1, 554353: 1, 645645: 1, 723232: 1, 854545: 1, 934534: 1, 1000345: 1, 1: 0, 1000346: 0}},
		{"status_list_encoding2_long_json.md", nil, 1 << 20, map[int64]byte{0: 1, 1993: 2, 25460: 1, 159495: 3, 495669: 1, 554353: 1, 645645: 2, 723232: 1, 854545: 1, 934534: 2, 1000345: 3, 2: 0}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			bits, lst := vector(t, tt.file)
			l, err := Decode(bits, lst)
			if err != nil {
				t.Fatal(err)
			}
			if tt.raw != nil && !bytes.Equal(l.Raw, tt.raw) {
				t.Errorf("unpacked: %x", l.Raw)
			}
			for i, want := range tt.want {
				if got, ok := l.At(i); !ok || got != want {
					t.Errorf("entry %d: %d, want %d", i, got, want)
				}
			}
			if _, ok := l.At(tt.size); ok {
				t.Errorf("there is an entry %d", tt.size)
			}
			again, err := l.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := Decode(bits, again); err != nil || !bytes.Equal(back.Raw, l.Raw) {
				t.Errorf("packed again it is another list: %v", err)
			}
		})
	}
}

func TestATokenIsThatOfItsAddress(t *testing.T) {
	key, err := sm.FromSeed(sm.P256, [32]byte{31: 5})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1790000000, 0)
	token := Token{URI: "https://chain.gov.example/st/o/0", KeyID: "k", Issued: now, Expires: now.Add(time.Hour), TTL: 5 * time.Minute}
	list := List{2, make([]byte, 32<<10)}
	list.Raw[103] = 2
	text, err := token.Sign(list, key)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(string) (sm.PublicKey, error) { return key.Public(), nil }
	got, read, err := Verify(text, token.URI, keys, now)
	if s, _ := got.At(412); err != nil || s != 2 || read.TTL != token.TTL || read.KeyID != "k" {
		t.Fatalf("%v, status %d", err, s)
	}
	if len(text) > 500 {
		t.Errorf("a list of one suspended credential takes %d bytes", len(text))
	}
	other, err := sm.FromSeed(sm.P256, [32]byte{31: 6})
	if err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func() error{
		"another address": func() error { _, _, err := Verify(text, token.URI+"1", keys, now); return err },
		"another key": func() error {
			_, _, err := Verify(text, token.URI, func(string) (sm.PublicKey, error) { return other.Public(), nil }, now)
			return err
		},
		"past its end": func() error { _, _, err := Verify(text, token.URI, keys, now.Add(2*time.Hour)); return err },
		"yet to come":  func() error { _, _, err := Verify(text, token.URI, keys, now.Add(-time.Hour)); return err },
		"a byte less":  func() error { _, _, err := Verify(text[:len(text)-1], token.URI, keys, now); return err },
	} {
		if check() == nil {
			t.Errorf("%s is believed", name)
		}
	}
}

// TestABombDoesNotGoOff: what packs well may unpack to anything.
func TestABombDoesNotGoOff(t *testing.T) {
	lst, err := List{2, make([]byte, MaxBytes+1)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(2, lst); err == nil {
		t.Error("it is unpacked")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiIsImtpZCI6IjEyIiwidHlwIjoic3RhdHVzbGlzdCtqd3QifQ.eyJzdWIiOiJ1IiwiaWF0IjoxfQ.AA", "eNo76fITAAPfAgc")
	key, err := sm.FromSeed(sm.P256, [32]byte{31: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, lst string) {
		if _, _, err := Verify(text, "u", func(string) (sm.PublicKey, error) { return key.Public(), nil }, time.Unix(2, 0)); err == nil {
			t.Fatal("a token that nobody signed is believed")
		}
		if l, err := Decode(2, lst); err == nil {
			l.At(int64(len(l.Raw)) * 4)
		}
	})
}

// FuzzList: a list comes back as it was signed, and each entry is read as the bits stand.
func FuzzList(f *testing.F) {
	key, err := sm.FromSeed(sm.P256, [32]byte{31: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{0xb9, 0xa3}, uint8(0), int64(3))
	f.Add([]byte{}, uint8(1), int64(0))
	f.Add([]byte{1}, uint8(3), int64(-1))
	f.Add([]byte{1}, uint8(3), int64(1)<<62)
	f.Fuzz(func(t *testing.T, raw []byte, width uint8, index int64) {
		l := List{1 << (width % 4), raw}
		text, err := Token{URI: "u", KeyID: "k", Issued: time.Unix(1, 0), Expires: time.Unix(3, 0)}.Sign(l, key)
		if err != nil {
			t.Fatal(err)
		}
		back, token, err := Verify(text, "u", func(string) (sm.PublicKey, error) { return key.Public(), nil }, time.Unix(2, 0))
		if err != nil || back.Bits != l.Bits || !bytes.Equal(back.Raw, raw) || token.KeyID != "k" {
			t.Fatalf("%d bytes come back as %d: %v", len(raw), len(back.Raw), err)
		}
		status, ok := back.At(index)
		if inside := index >= 0 && index < int64(len(raw)*8/l.Bits); ok != inside {
			t.Fatalf("entry %d of %d bytes of width %d: %v", index, len(raw), l.Bits, ok)
		}
		for i := range l.Bits { // the lowest bit of an entry is the lowest of its byte
			if at := int(index)*l.Bits + i; ok && raw[at/8]>>(at%8)&1 != status>>i&1 {
				t.Fatalf("entry %d is %d", index, status)
			}
		}
	})
}

// FuzzClaims goes past the signature: whatever the issuer signs is in its bounds and of this
// address, or refused.
func FuzzClaims(f *testing.F) {
	key, err := sm.FromSeed(sm.P256, [32]byte{31: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"sub":"u","iat":1,"exp":3,"ttl":-1,"status_list":{"bits":2,"lst":"eNo76fITAAPfAgc"}}`))
	f.Add([]byte(`{"sub":"u","iat":1,"ttl":99999999999999,"status_list":{"bits":3,"lst":"eNo76fITAAPfAgc"}}`))
	f.Add([]byte(`{"sub":"v","iat":1}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		o, err := sdjwt.ParseObject(payload)
		if err != nil {
			return
		}
		text, err := sdjwt.SignJWS(sdjwt.Object{{Name: "typ", Value: Type}}, o, key)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(2, 0)
		l, token, err := Verify(text, "u", func(string) (sm.PublicKey, error) { return key.Public(), nil }, at)
		if err != nil {
			return
		}
		_, ends := o.Whole("exp")
		if token.URI != "u" || token.TTL < 0 || len(l.Raw) > MaxBytes || token.Issued.After(at.Add(time.Minute)) || ends && at.After(token.Expires) {
			t.Fatalf("%+v with %d bytes", token, len(l.Raw))
		}
	})
}

var _ sdjwt.Signer = sm.PrivateKey{}
