package sm

import (
	"bytes"
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var algorithms = []Algorithm{SM2, P256, Ed25519}

// fixed is the key of a seed of equal bytes, the same in each run.
func fixed(t testing.TB, alg Algorithm) PrivateKey {
	t.Helper()
	var seed [32]byte
	for i := range seed {
		seed[i] = 0x42
	}
	k, err := FromSeed(alg, seed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Error(err)
	}
	broken := vectors[0]
	broken.msg += "!"
	if broken.run() == nil {
		t.Error("the self-test cannot fail")
	}
}

// TestSignature: for each kind, what the holder signed is accepted, and nothing
// that differs in message, key, kind or a single bit of the signature.
func TestSignature(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(alg.String(), func(t *testing.T) {
			k := fixed(t, alg)
			stranger, err := Generate(alg)
			if err != nil {
				t.Fatal(err)
			}
			for _, msg := range [][]byte{nil, []byte("m"), bytes.Repeat([]byte("授权"), 5000)} {
				sig, err := k.Sign(msg)
				if err != nil {
					t.Fatal(err)
				}
				if err := k.Public().Check(msg, sig); err != nil {
					t.Fatalf("own signature of %d bytes: %v", len(msg), err)
				}
				if k.Public().Verify(append(msg, 0), sig) || stranger.Public().Verify(msg, sig) {
					t.Error("accepted for another message or key")
				}
				for bit := range len(sig) * 8 {
					bad := bytes.Clone(sig)
					bad[bit/8] ^= 1 << (bit % 8)
					if k.Public().Verify(msg, bad) {
						t.Errorf("accepted with bit %d changed", bit)
					}
				}
				for _, bad := range [][]byte{nil, sig[:len(sig)-1], append(bytes.Clone(sig), 0), append([]byte{0}, sig...)} {
					if k.Public().Verify(msg, bad) {
						t.Errorf("accepted with %d instead of %d bytes", len(bad), len(sig))
					}
				}
				for _, other := range algorithms {
					if other != alg && fixed(t, other).Public().Verify(msg, sig) {
						t.Errorf("accepted under a key of %s", other)
					}
				}
			}
		})
	}
	if (PublicKey{}).Verify(nil, nil) || (PublicKey{}).Check(nil, nil) != ErrNoKey {
		t.Error("no key verifies something")
	}
	if _, err := (PrivateKey{}).Sign(nil); err == nil {
		t.Error("no key signs something")
	}
}

// TestOneByteForm holds invariant 2: other encodings of the same (r, s) and the
// twin (r, n-s) are refused, each for its reason.
func TestOneByteForm(t *testing.T) {
	for _, alg := range []Algorithm{SM2, P256} {
		k := fixed(t, alg)
		sig, err := k.Sign([]byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		r, s, ok := parseDER(sig)
		if !ok {
			t.Fatal("own signature is not DER")
		}
		rb, sb := r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))
		padded := func(prefix []byte) []byte { // long form of length, or integers with needless zeros
			body := append(append([]byte{2, byte(len(rb) + len(prefix))}, append(bytes.Clone(prefix), rb...)...), append([]byte{2, 32}, sb...)...)
			return append([]byte{0x30, byte(len(body))}, body...)
		}
		n := elliptic.P256().Params().N
		if alg == SM2 {
			n, _ = new(big.Int).SetString("FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123", 16)
		}
		tests := []struct {
			name string
			sig  []byte
			want error
		}{
			{"r || s", append(bytes.Clone(rb), sb...), ErrEncoding},
			{"needless zeros", padded([]byte{0, 0}), ErrEncoding},
			{"long form of the length", append([]byte{0x30, 0x81, sig[1]}, sig[2:]...), ErrEncoding},
			{"indefinite length", append(append([]byte{0x30, 0x80}, sig[2:]...), 0, 0), ErrEncoding},
			{"bytes behind", append(bytes.Clone(sig), 0), ErrEncoding},
			{"negative s", der(t, r, new(big.Int).Neg(s)), ErrEncoding},
			{"s is 0", der(t, r, new(big.Int)), ErrEncoding},
			{"s + n", der(t, r, new(big.Int).Add(s, n)), ErrSignature},
			{"n - s", der(t, r, new(big.Int).Sub(n, s)), ErrSignature},
		}
		if alg == P256 {
			tests[7].want, tests[8].want = ErrHighS, ErrHighS
		}
		for _, tt := range tests {
			if err := k.Public().Check([]byte("m"), tt.sig); !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: %v, want %v", alg, tt.name, err, tt.want)
			}
		}
	}
}

// TestParsePublic refuses every byte form but one, and points off the curve.
func TestParsePublic(t *testing.T) {
	sm2Key, p256 := fixed(t, SM2).Public().Bytes(), fixed(t, P256).Public().Bytes()
	compressed := append([]byte{2 + p256[64]&1}, p256[1:33]...)
	hybrid := append([]byte{6 + p256[64]&1}, p256[1:]...)
	off := bytes.Clone(p256)
	off[64] ^= 1
	notReduced, _ := hex.DecodeString("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
	tests := []struct {
		name string
		alg  Algorithm
		raw  []byte
	}{
		{"nothing", SM2, nil},
		{"no algorithm", 0, p256},
		{"webauthn has a type of its own", 4, p256},
		{"point of another curve", SM2, p256},
		{"point of another curve", P256, sm2Key},
		{"compressed", P256, compressed},
		{"hybrid", P256, hybrid},
		{"infinity", P256, []byte{0}},
		{"infinity, long", SM2, make([]byte, 65)},
		{"off the curve", P256, off},
		{"a byte behind", SM2, append(bytes.Clone(sm2Key), 0)},
		{"ed25519, too short", Ed25519, make([]byte, 31)},
		{"ed25519, off the curve", Ed25519, append([]byte{2}, make([]byte, 31)...)},
		{"ed25519, y not reduced", Ed25519, notReduced},
		{"ed25519, neutral point", Ed25519, append([]byte{1}, make([]byte, 31)...)},
		{"ed25519, neutral point, sign set", Ed25519, append(append([]byte{1}, make([]byte, 30)...), 0x80)},
	}
	for _, tt := range tests {
		for range 2 { // the second time must not come from the cache
			if p, err := ParsePublic(tt.alg, tt.raw); !errors.Is(err, ErrKey) || !p.IsZero() {
				t.Errorf("%s as %s: %v, want ErrKey", tt.name, tt.alg, err)
			}
		}
	}
	for _, y := range smallOrder {
		raw, _ := hex.DecodeString(y)
		if _, err := ParsePublic(Ed25519, raw); err == nil {
			t.Errorf("the point of small order %s is accepted", y)
		}
	}
}

// TestEdwardsAgrees: every second y is on the curve, and every key of the standard
// library is.
func TestEdwardsAgrees(t *testing.T) {
	on := 0
	for i := range 2000 {
		y := SHA256([]byte{byte(i), byte(i >> 8)})
		y[31] &= 0x7f
		if checkEdwards(y[:]) == nil {
			on++
		}
		if k, err := FromSeed(Ed25519, y); err != nil || k.IsZero() {
			t.Fatalf("a key of the standard library: %v", err)
		}
	}
	if on < 900 || on > 1100 {
		t.Errorf("%d of 2000 random y are on the curve", on)
	}
}

// TestGolden pins what is stored on the chain: bytes, ids and text forms.
func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		alg      Algorithm
		id, text string
	}{
		{SM2, "3e4267660d03af87", "sm2:042908fb5d2ac605b8c88c4f22f07b19a02f4a286aefb5a0a4fbd704ebab033be4750066c05e2b5b201d2524db8bc51e99385213083fd17d0c477e8141be9943ca"},
		{P256, "a5f3f5962f6d504b", "p256:043ad3861a95621392516bb593ef05583ed2e5866f5cb6260a3017237fd89b90afd0961c7e37075a6791a39c61f56295b02b6d26567b615e60aa41ee1c8e83388d"},
		{Ed25519, "80ae7e4729eabaf1", "ed25519:2152f8d19b791d24453242e15f2eab6cb7cffa7b6a5ed30097960e069881db12"},
	} {
		p := fixed(t, tt.alg).Public()
		if p.ID() != tt.id || p.String() != tt.text {
			t.Errorf("%s: id %s, text %s; want %s, %s…", tt.alg, p.ID(), p, tt.id, tt.text)
		}
		q, err := ParseText(p.String())
		if err != nil || !q.Equal(p) || !bytes.Equal(q.Bytes(), p.Bytes()) {
			t.Errorf("%s does not come back from its text: %v", p, err)
		}
		b, err := json.Marshal(map[string]PublicKey{"key": p, "none": {}})
		var back map[string]PublicKey
		if err != nil || json.Unmarshal(b, &back) != nil || !back["key"].Equal(p) || !back["none"].IsZero() {
			t.Errorf("JSON %s: %v", b, err)
		}
	}
}

// TestSecretsStaySecret prints a key in every way a careless line could.
func TestSecretsStaySecret(t *testing.T) {
	for _, alg := range algorithms {
		k := fixed(t, alg)
		pem, err := k.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n"+verb+"\n", k, &k)
			fmt.Fprintf(&out, verb+"\n", struct{ Key PrivateKey }{k})
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("signed", "key", k)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("signed", "key", k, "keys", []PrivateKey{k})
		//lint:ignore SA9005 that nothing comes out is what is tested
		j, _ := json.Marshal(k)
		out.Write(j)
		secret := strings.Split(string(pem), "\n")[1]
		for _, bad := range []string{"424242", strings.Repeat("B", 8), "66 66", "6666", secret[20:40]} {
			if strings.Contains(out.String(), bad) {
				t.Errorf("%s: the output shows %q:\n%s", alg, bad, out.String())
			}
		}
		if !strings.Contains(out.String(), k.Public().ID()) {
			t.Errorf("%s: the output does not name the key", alg)
		}
	}
}

// TestOpenSSL reads keys, signatures and a ciphertext that openssl 3.0.19 made
// (genpkey; pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:1234567812345678;
// dgst -sha256 -sign; pkeyutl -encrypt).
func TestOpenSSL(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", "openssl", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, alg := range algorithms {
		k, err := ParsePrivate(read(alg.String() + ".pem"))
		if err != nil || k.Algorithm() != alg {
			t.Fatalf("%s.pem: %v, %v", alg, k, err)
		}
		sig := read(alg.String() + ".sig")
		if !k.Public().VerifyForeign(read("msg"), sig) {
			t.Errorf("%s: the signature of openssl is refused", alg)
		}
		if alg == P256 {
			if sig, err = LowS(sig); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Public().Check(read("msg"), sig); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		text, err := k.Marshal()
		if err != nil || !bytes.Equal(text, read(alg.String()+".pem")) {
			t.Errorf("%s: we write another key file than openssl: %v", alg, err)
		}
		if alg == SM2 {
			if got, err := k.DecryptSM2(read("sm2.box")); err != nil || string(got) != "0123456789abcdef" {
				t.Errorf("decrypt what openssl encrypted: %q, %v", got, err)
			}
		}
	}
}

// TestKeyFiles: a key comes back from its file; a file that others can reach, or
// that is no single key, is refused; no file is ever replaced.
func TestKeyFiles(t *testing.T) {
	for _, alg := range algorithms {
		dir := t.TempDir()
		path := filepath.Join(dir, "key.pem")
		k := fixed(t, alg)
		if err := SavePrivate(path, k); err != nil {
			t.Fatal(err)
		}
		if st, _ := os.Stat(path); st.Mode() != 0o600 {
			t.Errorf("mode %v, want 0600", st.Mode())
		}
		got, err := LoadPrivate(path)
		if err != nil || !got.Public().Equal(k.Public()) {
			t.Errorf("%s did not come back: %v, %v", alg, got, err)
		}
		other, err := Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		if err := SavePrivate(path, other); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a second save: %v, want that the file exists", err)
		}
		if got, err := LoadPrivate(path); err != nil || !got.Public().Equal(k.Public()) {
			t.Errorf("the second save changed the key: %v", err)
		}
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o644, 0o660, 0o601} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadPrivate(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
				t.Errorf("mode %o: %v, want a refusal with the fix", mode, err)
			}
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("temporary files are left: %v", entries)
		}
	}
	if _, err := LoadPrivate(t.TempDir()); err == nil {
		t.Error("a directory is read as a key")
	}
	if _, err := LoadPrivate(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestParsePrivateRefuses(t *testing.T) {
	pem, err := fixed(t, SM2).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":     "",
		"two keys":    string(pem) + string(pem),
		"text behind": string(pem) + "x",
		"other type":  strings.ReplaceAll(string(pem), "PRIVATE KEY", "EC PRIVATE KEY"),
		"encrypted":   strings.ReplaceAll(string(pem), "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
		"too long":    string(pem) + strings.Repeat("\n", MaxKeyFileSize),
		"cut":         string(pem[:60]) + "\n-----END PRIVATE KEY-----\n",
	} {
		if k, err := ParsePrivate([]byte(text)); err == nil || !k.IsZero() {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestCache: the cache is bounded, keeps keys that are used, and gives to many
// goroutines what parsing gives.
func TestCache(t *testing.T) {
	var c cache
	hot := &parsed{id: "hot"}
	c.put("hot", hot)
	for i := range 3 * parsedKeys {
		c.put(fmt.Sprint(i), &parsed{})
		if i%1000 == 0 && c.get("hot") != hot {
			t.Fatalf("a key in use is forgotten after %d others", i)
		}
		if n := len(c.young) + len(c.older); n > 2*parsedKeys {
			t.Fatalf("%d keys are kept", n)
		}
	}
	if c.get("0") != nil {
		t.Error("a key that was not used is kept for ever")
	}
	k := fixed(t, SM2)
	sig, err := k.Sign([]byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				p, err := ParsePublic(SM2, k.Public().Bytes())
				if err != nil || !p.Verify([]byte("m"), sig) {
					t.Errorf("from the cache: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// TestSM2EncryptionBounds: only SM2 keys, only short secrets, only ASN.1.
func TestSM2EncryptionBounds(t *testing.T) {
	k := fixed(t, SM2)
	for _, n := range []int{0, MaxWrapSize + 1} {
		if _, err := k.Public().EncryptSM2(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are encrypted", n)
		}
	}
	box, err := k.Public().EncryptSM2(make([]byte, MaxWrapSize))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.DecryptSM2(box); err != nil || len(got) != MaxWrapSize {
		t.Errorf("the longest secret does not come back: %v", err)
	}
	for bit := range 8 * min(len(box), 120) {
		bad := bytes.Clone(box)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := k.DecryptSM2(bad); err == nil {
			t.Errorf("bit %d changed: still opened", bit)
		}
	}
	if _, err := fixed(t, P256).Public().EncryptSM2([]byte("x")); err == nil {
		t.Error("a P-256 key encrypts with SM2")
	}
	if _, err := fixed(t, Ed25519).Public().KeyExchange(); err == nil {
		t.Error("an Ed25519 key does ECDH")
	}
}
