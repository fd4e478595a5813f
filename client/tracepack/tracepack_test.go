package tracepack

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/internal/fault"
)

// testdata/trace.zip is a pack that a demo city has made.
func sample(t testing.TB) (raw []byte, hash [32]byte) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "trace.zip"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "genesis-hash.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hex.Decode(hash[:], bytes.TrimSpace(text)); err != nil {
		t.Fatal(err)
	}
	return raw, hash
}

// TestAPackHolds: and says what it is of.
func TestAPackHolds(t *testing.T) {
	raw, hash := sample(t)
	r := Check(raw, hash)
	if !r.OK || r.Kind != "trace" || r.Steps != 8 || !r.Complete || r.Power != "1 of 1" || r.SM2 != "1 of 1" || len(r.Signers) == 0 || len(r.Checks) != 6 {
		t.Fatalf("%+v", r)
	}
	if hash[0] ^= 1; Check(raw, hash).Code != fault.WrongChain {
		t.Error("a pack of another chain holds")
	}
}

// rezip writes the files of a pack anew after a change; with hashes that fit, if told so.
func rezip(t testing.TB, raw []byte, change func(map[string][]byte), rehash bool) []byte {
	t.Helper()
	files, err := unzipped(raw)
	if err != nil {
		t.Fatal(err)
	}
	change(files)
	if rehash {
		m := &Manifest{}
		if err := json.Unmarshal(files[ManifestFile], m); err != nil {
			t.Fatal(err)
		}
		for i, f := range m.Files {
			sum := sha256.Sum256(files[f.Name])
			m.Files[i] = File{f.Name, len(files[f.Name]), sum[:]}
		}
		if files[ManifestFile], err = marshal(m); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, body := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAPackIsRefused: each thing that somebody can change is found, by its hash; and if he
// makes the manifest fit, by the proofs. The console's verifier has the same table.
func TestAPackIsRefused(t *testing.T) {
	raw, hash := sample(t)
	swap := func(name, from, to string) func(map[string][]byte) {
		return func(f map[string][]byte) {
			was := string(f[name])
			if !strings.Contains(was, from) {
				t.Fatalf("%q is not in %s", from, name)
			}
			f[name] = []byte(strings.Replace(was, from, to, 1))
		}
	}
	const proof = "proofs/82.mulian-proof.json"
	for _, tt := range []struct {
		name   string
		change func(map[string][]byte)
		rehash bool
		step   string
	}{
		{"a file too many", func(f map[string][]byte) { f["more.txt"] = []byte("x") }, false, "manifest"},
		{"a file left out", func(f map[string][]byte) { delete(f, ReadMeFile) }, false, "manifest"},
		{"no manifest", func(f map[string][]byte) { delete(f, ManifestFile) }, false, "manifest"},
		{"a changed step", swap(TraceFile, "catalogue/put_duties", "catalogue/put_dutiez"), false, "manifest"},
		{"a changed step that is hashed", swap(TraceFile, "catalogue/put_duties", "catalogue/put_dutiez"), true, "trace"},
		{"a step left out", func(f map[string][]byte) {
			var told trail
			if err := json.Unmarshal(f[TraceFile], &told); err != nil {
				t.Fatal(err)
			}
			told.Steps = told.Steps[1:]
			f[TraceFile], _ = marshal(told)
		}, true, "trace"},
		{"a changed proof", swap(proof, `"power": "1 of 1"`, `"power": "4 of 4"`), true, "proofs"},
		{"a proof of another step", func(f map[string][]byte) { f[proof] = f["proofs/106.mulian-proof.json"] }, true, "proofs"},
		{"a changed header", swap(HeadersFile, `"power": "1 of 1"`, `"power": "4 of 4"`), true, "headers"},
		{"another key", swap(CertificatesFile, `"algorithm": "sm2"`, `"algorithm": "p256"`), true, "certificates"},
		{"another chain's name", swap(ManifestFile, `"mulian-demo"`, `"mulian-real"`), false, "manifest"},
		{"a genesis that nobody signed", func(f map[string][]byte) { f[GenesisFile][len(f[GenesisFile])-5] ^= 1 }, true, "genesis"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Check(rezip(t, raw, tt.change, tt.rehash), hash)
			if r.OK || r.Step != tt.step || r.Reason == "" {
				t.Errorf("%+v", r)
			}
		})
	}
	for n := range 40 {
		if r := Check(raw[:len(raw)*n/40], hash); r.OK || r.Step != "zip" {
			t.Errorf("%d of %d bytes: %+v", len(raw)*n/40, len(raw), r)
		}
	}
}

// FuzzCheck: no file makes the check fall over, and none but the pack itself holds.
func FuzzCheck(f *testing.F) {
	raw, hash := sample(f)
	f.Add(raw)
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Check(b, hash)
		if r.OK && r.Object != "share/agreement/2e6a67576b2622ce" {
			t.Errorf("%+v", r)
		}
	})
}
