package client_test

import (
	"testing"

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
		list = append(list, &governancev1.Founder{Code: code, Weight: 1, Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")}})
		signers = append(signers, client.Signer{Account: code, Key: key})
	}
	return list, signers
}

func TestAGenesisIsSignedByAllItsFoundersOrByNone(t *testing.T) {
	list, signers := founders(t)
	g := &governancev1.Genesis{ChainId: "trial", TimeMs: 1_700_000_000_000, Founders: list, Validators: []*governancev1.Validator{{PublicKey: make([]byte, 32), Power: 1}}}
	file, err := client.SignGenesis(g, signers...)
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
	if _, err := client.SignGenesis(g, signers[:2]...); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("one founder has not signed: %v", err)
	}
	if _, err := client.SignGenesis(g, signers[0], signers[1], client.Signer{Account: signers[2].Account, Key: signers[0].Key}); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a founder's name with another's key: %v", err)
	}
}
