package foreign

import (
	"bytes"
	"testing"

	"mulian/client/light/step"
	"mulian/client/light/steptest"
	"mulian/internal/fault"
)

const now = 1_772_413_200_000

// TestFit: one signature that does not hold would have the ledger refuse the whole block;
// the relayer leaves it out, and what is left is believed.
func TestFit(t *testing.T) {
	c := steptest.New(t, "city-a", 4, now)
	b := c.Make()
	b.SignedHeader.Commit.Signatures[2].Signature[7] ^= 1
	raw := steptest.Raw(t, b)
	sign := func(raw []byte) error {
		read, err := step.Read(c.ID, raw)
		if err != nil {
			return err
		}
		return read.Sign()
	}
	if err := sign(raw); !fault.Is(err, fault.VerificationFailed) {
		t.Fatalf("%v", err)
	}
	fit, err := Fit(raw)
	if err != nil || sign(fit) != nil {
		t.Fatalf("%v, %v", err, sign(fit))
	}
	again, err := Fit(fit)
	if err != nil || !bytes.Equal(again, fit) {
		t.Errorf("it is not the same when it is done again: %v", err)
	}
	for name, bad := range map[string][]byte{"none": nil, "bytes": {1, 2, 3}} {
		if _, err := Fit(bad); !fault.Is(err, fault.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPack: each message has at most 8 headers and 200 signatures, and none is lost.
func TestPack(t *testing.T) {
	for _, tt := range []struct{ validators, blocks, messages int }{{1, 8, 1}, {1, 9, 2}, {90, 5, 3}, {100, 2, 1}, {1, 0, 0}} {
		c := steptest.New(t, "city-a", tt.validators, now)
		var path [][]byte
		for range tt.blocks {
			path = append(path, steptest.Raw(t, c.Make()))
		}
		out, err := pack(c.ID, path)
		if err != nil {
			t.Fatal(err)
		}
		var all [][]byte
		for _, m := range out {
			all = append(all, m.LightBlocks...)
			if n := len(m.LightBlocks); n > maxHeaders || n*tt.validators > maxSignatures {
				t.Errorf("%d validators: %d headers in a message", tt.validators, n)
			}
		}
		if len(out) != tt.messages || !bytes.Equal(bytes.Join(all, nil), bytes.Join(path, nil)) {
			t.Errorf("%d validators, %d blocks: %d messages, want %d", tt.validators, tt.blocks, len(out), tt.messages)
		}
	}
}

// TestDiffer: only two headers of one height are evidence.
func TestDiffer(t *testing.T) {
	c := steptest.New(t, "city-a", 1, now)
	first, second := steptest.Raw(t, c.Make()), steptest.Raw(t, c.Make())
	if two, err := differ(c.ID, first, first); two || err != nil {
		t.Errorf("one header twice: %v, %v", two, err)
	}
	if two, err := differ(c.ID, first, second); two || err == nil {
		t.Errorf("two heights: %v, %v", two, err)
	}
}
