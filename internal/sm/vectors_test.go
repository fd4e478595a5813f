package sm

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
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

// botan reads a .vec file: blocks of "Name = value", with the lines of the curve
// above carried on.
func botan(t *testing.T, path string) []map[string]string {
	t.Helper()
	var all []map[string]string
	curve, block := map[string]string{}, map[string]string{}
	lines := bufio.NewScanner(shared(t, path))
	lines.Buffer(nil, 1<<20)
	for more := true; more; {
		more = lines.Scan()
		name, value, ok := strings.Cut(lines.Text(), "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); ok {
			if value = strings.TrimPrefix(value, "0x"); name == "Oid" || name == "P" {
				curve[name] = value
			}
			block[name] = value
			continue
		}
		if len(block) > 0 && !strings.HasPrefix(lines.Text(), "#") || !more {
			block["curve"] = curve["P"]
			all, block = append(all, block), map[string]string{}
		}
	}
	return all
}

const sm2Prime = "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF"

// TestBotanSM2Signatures: of the vectors those on the standard curve with SM3 are
// ours; they have a user id of their own.
func TestBotanSM2Signatures(t *testing.T) {
	used := 0
	for _, v := range botan(t, "vectors/sm/botan_sm2_sig.vec") {
		if v["curve"] != sm2Prime || v["Hash"] != "SM3" {
			continue
		}
		used++
		k, err := FromSeed(SM2, [32]byte(mustHex(t, v["x"])))
		if err != nil {
			t.Fatal(err)
		}
		za, err := sm2.CalculateZA(k.pub.k.ec, []byte(v["Ident"]))
		if err != nil {
			t.Fatal(err)
		}
		other := &parsed{alg: SM2, raw: k.pub.k.raw, ec: k.pub.k.ec, za: [32]byte(za)} // not the key in the cache
		raw := mustHex(t, v["Signature"])
		sig := der(t, new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:]))
		if err := (PublicKey{other}).Check(mustHex(t, v["Msg"]), sig); err != nil {
			t.Errorf("published signature with its user id: %v", err)
		}
		if k.Public().Verify(mustHex(t, v["Msg"]), sig) {
			t.Error("a signature for another user id is accepted")
		}
	}
	if used != 1 {
		t.Errorf("%d vectors on the standard curve with SM3, want 1", used)
	}
}

func TestBotanSM3(t *testing.T) {
	n := 0
	for _, v := range botan(t, "vectors/sm/botan_sm3.vec") {
		if v["Out"] == "" {
			continue
		}
		n++
		got := SM3(mustHex(t, v["In"]))
		running := NewSM3()
		running.Write(mustHex(t, v["In"]))
		if want := strings.ToLower(v["Out"]); hex.EncodeToString(got[:]) != want || hex.EncodeToString(running.Sum(nil)) != want {
			t.Errorf("SM3(%.40s…) = %x, want %s", v["In"], got, want)
		}
	}
	if n < 50 {
		t.Errorf("only %d vectors read", n)
	}
}

func TestBotanSM4(t *testing.T) {
	n := 0
	for _, v := range botan(t, "vectors/sm/botan_sm4.vec") {
		if v["Key"] == "" {
			continue
		}
		block, err := sm4.NewCipher(mustHex(t, v["Key"]))
		if err != nil {
			t.Fatal(err)
		}
		in, want := mustHex(t, v["In"]), mustHex(t, v["Out"])
		got := make([]byte, len(in))
		for i := 0; i < len(in); i += 16 {
			n++
			block.Encrypt(got[i:], in[i:])
		}
		if string(got) != string(want) {
			t.Errorf("SM4 under %s = %x, want %x", v["Key"], got, want)
		}
	}
	if n < 50 {
		t.Errorf("only %d blocks read", n)
	}
}

// wycheproof is the part of the test files that is used here.
type wycheproof struct {
	TestGroups []struct {
		PublicKey struct{ Uncompressed, PK string }
		IVSize    int
		TagSize   int
		Tests     []struct {
			TcID                        int
			Comment, Msg, Sig, Result   string
			Key, IV, AAD, CT, Tag, Flag string
		}
	}
}

func readWycheproof(t testing.TB, name string) (w wycheproof) {
	t.Helper()
	if err := json.NewDecoder(shared(t, "vectors/wycheproof/"+name)).Decode(&w); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWycheproofP256: a valid signature is accepted, but for the twin with s > n/2,
// which only VerifyForeign accepts; an invalid one never.
func TestWycheproofP256(t *testing.T) {
	accepted, twins, refused := 0, 0, 0
	for _, g := range readWycheproof(t, "ecdsa_secp256r1_sha256_test.json").TestGroups {
		p, err := ParsePublic(P256, mustHex(t, g.PublicKey.Uncompressed))
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range g.Tests {
			msg, sig := mustHex(t, tt.Msg), mustHex(t, tt.Sig)
			err, valid := p.Check(msg, sig), tt.Result == "valid"
			if p.VerifyForeign(msg, sig) != valid {
				t.Errorf("%d %s: VerifyForeign is not %v", tt.TcID, tt.Comment, valid)
			}
			switch {
			case err == nil && valid:
				accepted++
			case err == ErrHighS && valid:
				twins++
				if low, err := LowS(sig); err != nil || !p.Verify(msg, low) {
					t.Errorf("%d %s: LowS gives no valid twin: %v", tt.TcID, tt.Comment, err)
				}
			case err != nil && !valid:
				refused++
			default:
				t.Errorf("%d %s: %v, but the signature is %s", tt.TcID, tt.Comment, err, tt.Result)
			}
		}
	}
	if accepted+twins != 174 || refused != 310 || twins == 0 || accepted == 0 {
		t.Errorf("accepted %d, high s %d, refused %d; want 174 valid and 310 invalid", accepted, twins, refused)
	}
	t.Logf("accepted %d, high s %d, refused %d", accepted, twins, refused)
}

func TestWycheproofEd25519(t *testing.T) {
	valid, invalid := 0, 0
	for _, g := range readWycheproof(t, "ed25519_test.json").TestGroups {
		p, err := ParsePublic(Ed25519, mustHex(t, g.PublicKey.PK))
		if err != nil {
			t.Errorf("key %s: %v", g.PublicKey.PK, err)
			continue
		}
		for _, tt := range g.Tests {
			if got := p.Verify(mustHex(t, tt.Msg), mustHex(t, tt.Sig)); got != (tt.Result == "valid") {
				t.Errorf("%d %s: %v, but the signature is %s", tt.TcID, tt.Comment, got, tt.Result)
			} else if got {
				valid++
			} else {
				invalid++
			}
		}
	}
	if valid != 88 || invalid != 63 {
		t.Errorf("%d accepted, %d refused, want 88 and 63", valid, invalid)
	}
}

func TestWycheproofSM4GCM(t *testing.T) {
	used := 0
	for _, g := range readWycheproof(t, "sm4_gcm_test.json").TestGroups {
		if g.IVSize != 96 || g.TagSize != 128 {
			continue // NewSM4GCM has nonces of 12 and tags of 16 bytes only
		}
		for _, tt := range g.Tests {
			used++
			aead, err := NewSM4GCM(mustHex(t, tt.Key))
			if err != nil {
				t.Fatal(err)
			}
			iv, aad, msg, box := mustHex(t, tt.IV), mustHex(t, tt.AAD), mustHex(t, tt.Msg), mustHex(t, tt.CT+tt.Tag)
			got, err := aead.Open(nil, iv, box, aad)
			if (err == nil) != (tt.Result == "valid") {
				t.Errorf("%d %s: %v, but it is %s", tt.TcID, tt.Comment, err, tt.Result)
			}
			if err == nil && (string(got) != string(msg) || string(aead.Seal(nil, iv, msg, aad)) != string(box)) {
				t.Errorf("%d %s: other bytes", tt.TcID, tt.Comment)
			}
		}
	}
	if used < 60 {
		t.Errorf("only %d vectors fit", used)
	}
	t.Logf("%d of 104 vectors have a 12-byte nonce", used)
}

// TestStdlibAgrees signs with the standard library and reads with ours.
func TestStdlibAgrees(t *testing.T) {
	k, err := Generate(P256)
	if err != nil {
		t.Fatal(err)
	}
	twins := 0
	for range 64 {
		h := SHA256([]byte("m"))
		sig, err := ecdsa.SignASN1(rand.Reader, k.key.(*ecdsa.PrivateKey), h[:])
		if err == nil && !k.Public().Verify([]byte("m"), sig) {
			if twins++; k.Public().Check([]byte("m"), sig) != ErrHighS || !k.Public().VerifyForeign([]byte("m"), sig) {
				t.Error("a signature of the standard library is refused for another reason than high s")
			}
		}
		ours, err := k.Sign([]byte("m"))
		if err != nil || !ecdsa.VerifyASN1(k.pub.k.ec, h[:], ours) {
			t.Errorf("the standard library refuses our signature: %v", err)
		}
	}
	if k.pub.k.ec.Curve != elliptic.P256() {
		t.Error("another curve")
	}
}

func der(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	b, err := asn1.Marshal(pair{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
