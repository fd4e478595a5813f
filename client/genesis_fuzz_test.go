package client_test

import (
	"bytes"
	"testing"
	"time"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// genesisFile is one of two founders, always the same but for its signatures.
func genesisFile(t testing.TB) []byte {
	t.Helper()
	var founders []*governancev1.Founder
	var signers []client.Signer
	for i, alg := range []sm.Algorithm{sm.SM2, sm.Ed25519} {
		key, err := sm.FromSeed(alg, [32]byte{byte(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		code := []string{bureau, "11110000MULN00020K"}[i]
		founders = append(founders, &governancev1.Founder{Code: code, Weight: 1, Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")}})
		signers = append(signers, client.Signer{Account: code, Key: key})
	}
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: "trial", TimeMs: time.Unix(1_700_000_000, 0).UnixMilli(), Founders: founders, Validators: []*governancev1.Validator{{PublicKey: make([]byte, 32), Power: 1}},
	}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// FuzzParseGenesis: no bytes crash it, every refusal has a code, and no other
// genesis passes for the one that its founders signed.
func FuzzParseGenesis(f *testing.F) {
	file := genesisFile(f)
	want, err := client.ParseGenesis(file)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{file, nil, {0x0a, 0x00}, file[:len(file)/2], append(bytes.Clone(file), 0), bytes.Repeat([]byte{0x0a, 0xff}, 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, err := client.ParseGenesis(raw)
		switch {
		case err == nil && g.GetChainId() == want.GetChainId() && g.Hash != want.Hash && bytes.Contains(raw, []byte(bureau)):
			t.Errorf("a changed genesis is believed: %x", raw)
		case err != nil && fault.CodeOf(err) == fault.Internal:
			t.Errorf("no code: %v", err)
		}
	})
}

// TestEveryBitOfAGenesisIsSigned changes each bit of the file in turn: none of them
// gives another genesis.
func TestEveryBitOfAGenesisIsSigned(t *testing.T) {
	file := genesisFile(t)
	want, err := client.ParseGenesis(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range file {
		for bit := range 8 {
			raw := bytes.Clone(file)
			raw[i] ^= 1 << bit
			g, err := client.ParseGenesis(raw)
			if err == nil && g.Hash != want.Hash {
				t.Fatalf("bit %d of byte %d gives a genesis that nobody signed", bit, i)
			}
			if c := fault.CodeOf(err); err != nil && c != fault.Malformed && c != fault.VerificationFailed && c != fault.Missing && c != fault.TooLong {
				t.Fatalf("bit %d of byte %d: %v %v", bit, i, c, err)
			}
		}
	}
}
