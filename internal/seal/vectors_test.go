package seal

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mulian/internal/sm"
)

// shared opens a file of the shared data set, or skips the test.
func shared(t testing.TB, path string) *os.File {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	for dir := "."; root == ""; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(dir, "..", "shared")
		} else if len(dir) > 60 {
			t.Fatal("no go.mod above this package")
		}
	}
	f, err := os.Open(filepath.Join(root, "data", path))
	if err != nil {
		t.Skipf("SKIP no shared data: %s", path)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestRFC9180 runs the vectors of the suite that we use on the library that we use:
// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The file keeps only a SHAKE128
// over 1000 exported secrets of growing length, whose contexts (a byte of length
// and that many bytes) are read from another SHAKE128.
func TestRFC9180(t *testing.T) {
	var all []struct {
		KEM  uint16 `json:"kem_id"`
		KDF  uint16 `json:"kdf_id"`
		AEAD uint16 `json:"aead_id"`
		Info string `json:"info"`
		Enc  string `json:"enc"`
		SkRm string `json:"skRm"`
		PkRm string `json:"pkRm"`
		Exps string `json:"exports_accumulated"`
	}
	if err := json.NewDecoder(shared(t, "vectors/hpke/rfc9180.json")).Decode(&all); err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, v := range all {
		if v.KEM != 0x10 || v.KDF != 1 || v.AEAD != 2 {
			continue
		}
		used++
		ec, err := ecdh.P256().NewPrivateKey(unhex(t, v.SkRm))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(ec.PublicKey().Bytes()); got != v.PkRm {
			t.Errorf("public key %s, want %s", got, v.PkRm)
		}
		sk, err := hpke.NewDHKEMPrivateKey(ec)
		if err != nil {
			t.Fatal(err)
		}
		r, err := hpke.NewRecipient(unhex(t, v.Enc), sk, hpke.HKDFSHA256(), hpke.AES256GCM(), unhex(t, v.Info))
		if err != nil {
			t.Fatal(err)
		}
		source, sink := sha3.NewSHAKE128(), sha3.NewSHAKE128()
		for l := range 1000 {
			size := make([]byte, 1)
			io.ReadFull(source, size)
			context := make([]byte, size[0])
			io.ReadFull(source, context)
			value, err := r.Export(string(context), l)
			if err != nil {
				t.Fatal(err)
			}
			sink.Write(value)
		}
		sum := make([]byte, 16)
		sink.Read(sum)
		if got := hex.EncodeToString(sum); got != v.Exps {
			t.Errorf("exports %s, want %s", got, v.Exps)
		}
	}
	if used != 1 {
		t.Errorf("%d vectors of our suite, want 1", used)
	}
}

// TestWycheproofAESGCM holds the page cipher of suite 2 to the vectors with keys of
// 32, nonces of 12 and tags of 16 bytes. Those of SM4-GCM run in package sm.
func TestWycheproofAESGCM(t *testing.T) {
	var file struct {
		TestGroups []struct {
			IVSize, KeySize, TagSize int
			Tests                    []struct {
				TcID                               int
				Key, IV, AAD, Msg, CT, Tag, Result string
			}
		}
	}
	if err := json.NewDecoder(shared(t, "vectors/wycheproof/aes_gcm_test.json")).Decode(&file); err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, g := range file.TestGroups {
		if g.IVSize != 96 || g.KeySize != 256 || g.TagSize != 128 {
			continue
		}
		for _, tt := range g.Tests {
			used++
			aead, err := newAESGCM(unhex(t, tt.Key))
			if err != nil {
				t.Fatal(err)
			}
			got, err := aead.Open(nil, unhex(t, tt.IV), unhex(t, tt.CT+tt.Tag), unhex(t, tt.AAD))
			if (err == nil) != (tt.Result == "valid") || err == nil && hex.EncodeToString(got) != tt.Msg {
				t.Errorf("%d: %x, %v, but it is %s", tt.TcID, got, err, tt.Result)
			}
		}
	}
	if used < 60 {
		t.Errorf("only %d vectors fit", used)
	}
}

// TestGolden opens content that was sealed once, so that what lies in stores today
// opens tomorrow. The receiver's key is FromSeed(alg, 0x42 times 32).
func TestGolden(t *testing.T) {
	if len(golden) != len(kinds) {
		t.Fatalf("%d sessions for %d kinds of keys", len(golden), len(kinds))
	}
	for _, v := range golden {
		var seed [32]byte
		for i := range seed {
			seed[i] = 0x42
		}
		k, err := sm.FromSeed(v.alg, seed)
		if err != nil {
			t.Fatal(err)
		}
		o, err := NewOpener(k, unhex(t, v.header), []byte("agreement 7"))
		if err != nil {
			t.Fatal(err)
		}
		for i, box := range v.boxes {
			got, err := o.Open(uint32(i), unhex(t, box), i == len(v.boxes)-1)
			if want := []string{"第一页", "第二页"}[i]; err != nil || string(got) != want {
				t.Errorf("%s: page %d is %q, %v", v.alg, i, got, err)
			}
		}
		if err := o.Complete(); err != nil {
			t.Error(err)
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkSeal(b *testing.B) {
	for _, alg := range kinds {
		b.Run(alg.String(), func(b *testing.B) {
			s, _, err := NewSealer(generate(b, alg).Public(), nil)
			if err != nil {
				b.Fatal(err)
			}
			page := make([]byte, 1<<20)
			b.SetBytes(int64(len(page)))
			for b.Loop() {
				if _, err := s.Seal(page, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, alg := range kinds {
		b.Run(alg.String(), func(b *testing.B) {
			k := generate(b, alg)
			header, boxes := session(b, k, nil, string(make([]byte, 1<<20)), "")
			o := opener(b, k, header, nil)
			b.SetBytes(1 << 20)
			for b.Loop() {
				o.s.next = 0
				if _, err := o.Open(0, boxes[0], false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOneRecord is one small record sealed and opened: the gateway's hot path.
func BenchmarkOneRecord(b *testing.B) {
	for _, alg := range kinds {
		k := generate(b, alg)
		record := make([]byte, 400)
		sealed, err := Seal(k.Public(), nil, record)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(alg.String()+"/seal", func(b *testing.B) {
			for b.Loop() {
				if _, err := Seal(k.Public(), nil, record); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg.String()+"/open", func(b *testing.B) {
			for b.Loop() {
				if _, err := Open(k, nil, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
