package certificate

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/client/evidence"
	"mulian/client/prooffile"
)

// sample is a certificate of made-up evidence with everything that one can have.
func sample() *Certificate {
	fill := func(b byte) evidence.Hex { return bytes.Repeat([]byte{b}, 32) }
	o := &evidence.Opening{
		Format: evidence.Format, ID: strings.Repeat("5a", 16), Commitment: fill(0x5a), Salt: fill(1),
		Digests:  evidence.Digests{SHA256: fill(0xab), SM3: fill(0xcd)},
		Metadata: evidence.Metadata{Name: "不动产登记结果（2026年3月）.pdf", Bytes: 1_073_741_824, MediaType: "application/pdf", Modified: "2026-03-02T01:00:00Z", Note: "供法院调取 / for the court"},
		Provenance: evidence.Provenance{
			Capture: "delivery", Gateway: "11110000000021928Y/g/main", Source: "0123456789abcdef/1", CapturedMs: 1_772_413_200_123,
			Software: "mulian 0.3.0", SoftwareHash: fill(0xef), ClockSource: "ntp chrony 203.107.6.88", ClockOffsetMs: -3, ClockErrorMs: 12,
		},
		Chain: "beijing-1", Genesis: fill(0x77), Account: "11110000000021928Y", Height: 4711, AtMs: 1_772_413_201_456,
	}
	return &Certificate{Opening: o, Org: "北京市不动产登记中心", Proof: &prooffile.Report{
		OK: true, Power: "3 of 4", SM2: "3 of 4", Height: 4712, Chain: "beijing-1",
		Signers:   []prooffile.Signer{{Account: o.Account, Key: "0123456789abcdef", Algorithm: "sm2", State: "active"}},
		Statement: []byte(`{"acts":[{"verb":"evidence/anchor","transaction":"` + strings.Repeat("99", 32) + `"}]}`),
	}}
}

func set(t testing.TB, c *Certificate) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, c); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("MULIAN_KEEP_PDF"); dir != "" { // for a person to look at
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".pdf"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestTheSamePaper: the same certificate gives the same bytes.
func TestTheSamePaper(t *testing.T) {
	first := set(t, sample())
	for range 5 {
		if !bytes.Equal(first, set(t, sample())) {
			t.Fatal("two papers of one certificate differ")
		}
	}
	if len(first) > 300<<10 {
		t.Errorf("%d KiB", len(first)>>10)
	}
}
