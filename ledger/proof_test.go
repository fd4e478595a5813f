package ledger_test

import (
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"mulian/ledger"
	"mulian/ledger/ledgertest"
	"mulian/state/proof"
)

// light reads a header as a stranger would and checks its signatures against the
// validators of the genesis.
func light(t *testing.T, l *ledger.Ledger, height int64, validators ...[32]byte) *types.LightBlock {
	t.Helper()
	h, err := l.Header(height)
	if err != nil {
		t.Fatal(err)
	}
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(h.LightBlock); err != nil {
		t.Fatal(err)
	}
	lb, err := types.LightBlockFromProto(&pb)
	if err != nil {
		t.Fatal(err)
	}
	if err := lb.ValidateBasic(ledgertest.ChainID); err != nil {
		t.Fatal(err)
	}
	for _, v := range validators {
		if !lb.ValidatorSet.HasAddress(types.Address(addressOf(v))) {
			t.Fatalf("validator %x is not in the set", v)
		}
	}
	if err := types.VerifyCommitLight(ledgertest.ChainID, lb.ValidatorSet, lb.Commit.BlockID, lb.Height, lb.Commit); err != nil {
		t.Fatal(err)
	}
	return lb
}

func TestProofHangsOnASignedHeader(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	l := c.Open(t, 0)
	submit(t, l, ledgertest.Tx(t, "p/a", "1"))
	done := submit(t, l, ledgertest.Tx(t, "p/b", "2"))
	check := func(when string) {
		t.Helper()
		for key, want := range map[string][]byte{"p/a": []byte("1"), "p/b": []byte("2"), "p/none": nil, "count/p/a": nil} {
			p, err := l.ProveKey([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			reach(t, l, p.Height+1) // the header comes by itself
			lb := light(t, l, p.Height+1, c.IDs[0].Validator)
			if err := proof.VerifyKey(proof.Hash(lb.AppHash), []byte(key), want, p); err != nil {
				t.Errorf("%s: %s: %v", when, key, err)
			}
			if err := proof.VerifyKey(proof.Hash(lb.AppHash), []byte(key), []byte("3"), p); err == nil {
				t.Errorf("%s: %s: a false value was proved", when, key)
			}
		}
		e, err := l.ProveEvent(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		reach(t, l, e.Height+1)
		if err := proof.VerifyEvent(proof.Hash(light(t, l, e.Height+1).AppHash), e.Event, e); err != nil {
			t.Errorf("%s: event: %v", when, err)
		}
	}
	check("at once")
	reach(t, l, done.Height+1) // the empty block that carries the app hash
	check("with the chain asleep")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = c.Open(t, 0)
	check("after a restart")
	if votes, err := l.SM2Certificate(done.Height); err != nil || len(votes) != 1 || !votes[0].Key.Equal(c.IDs[0].SM2) {
		t.Errorf("SM2 certificate %v, %v", votes, err)
	}
}
