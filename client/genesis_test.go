package client_test

import (
	"slices"
	"testing"
	"time"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// founders are three organisations with one ROOT key each.
func founders(t *testing.T) (list []*governancev1.Founder, signers []client.Signer) {
	t.Helper()
	for i, code := range []string{"11110000MULN00010A", "11110000MULN00020B", "11110000MULN00030C"} {
		key, err := sm.FromSeed(sm.SM2, [32]byte{byte(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, &governancev1.Founder{Code: code, Weight: 1, Keys: []*identityv1.Key{client.Key(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")}})
		signers = append(signers, client.Signer{Account: code, Key: key})
	}
	return list, signers
}

func TestAGenesisIsJoinedFromItsFoundersSignatures(t *testing.T) {
	list, signers := founders(t)
	g := client.NewGenesis("trial", time.UnixMilli(1_700_000_000_000), list, []*governancev1.Validator{{PublicKey: make([]byte, 32), Power: 1}})
	raw, err := client.GenesisBytes(g)
	if err != nil {
		t.Fatal(err)
	}
	var signatures []*governancev1.FounderSignature
	for _, s := range signers {
		one, err := client.SignFounder(raw, s)
		if err != nil {
			t.Fatal(err)
		}
		signatures = append(signatures, one)
	}
	slices.Reverse(signatures) // they come in as the mail brings them
	file, err := client.JoinGenesis(raw, signatures...)
	if err != nil {
		t.Fatal(err)
	}
	read, err := client.ParseGenesis(file)
	if err != nil {
		t.Fatal(err)
	}
	if read.GetChainId() != "trial" || len(read.GetFounders()) != 3 {
		t.Errorf("read %s with %d founders", read.GetChainId(), len(read.GetFounders()))
	}

	if _, err := client.JoinGenesis(raw, signatures[:2]...); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a genesis that one founder has not signed: %v", err)
	}
	signatures[0].Signature[10] ^= 1
	if _, err := client.JoinGenesis(raw, signatures...); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a genesis with a wrong signature: %v", err)
	}
	if _, err := client.JoinGenesis(raw[1:], signatures...); !fault.Is(err, fault.Malformed) {
		t.Errorf("bytes that are no genesis: %v", err)
	}
}
