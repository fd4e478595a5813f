package ledger

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"mulian/client/light/step"
	"mulian/client/light/steptest"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// engineBlock reads a block with the engine's own types and checks.
func engineBlock(chainID string, raw []byte) (*types.LightBlock, error) {
	p := &cmtproto.LightBlock{}
	if err := p.Unmarshal(raw); err != nil {
		return nil, err
	}
	p.ValidatorSet.Proposer = p.ValidatorSet.Validators[0] // whose turn it was is not hashed
	b, err := types.LightBlockFromProto(p)
	if err != nil {
		return nil, err
	}
	return b, b.ValidateBasic(chainID)
}

// TestStepsAsTheEngineTakesThem holds what the rules believe of a foreign chain against the
// engine's light client, over chains whose validators change at random and whose commits
// lack votes: whatever step believes, the engine believes.
//
// The engine compares a skipped header with the trusted header's next validators, we with
// its own: the two are given the same set, so that all else is compared.
func TestStepsAsTheEngineTakesThem(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	believed, refused := 0, 0
	for round := range 60 {
		now := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		c := steptest.New(t, fmt.Sprintf("chain-%d", round), 1+r.Intn(6), now.UnixMilli())
		at := steptest.Raw(t, c.Make())
		for range 6 {
			var next []*steptest.Node
			for i := range 9 {
				if r.Intn(3) > 0 {
					next = append(next, c.Node(i))
				}
			}
			if len(next) > 0 && r.Intn(2) == 0 {
				c.Elect(next...)
			}
			b := c.Skip(1 + r.Intn(3))
			thin(r, b)
			raw := steptest.Raw(t, b)
			ours, engines := ourStep(t, c.ID, at, raw), engineStep(t, c.ID, at, raw)
			if (ours == nil) != (engines == nil) {
				t.Fatalf("round %d, height %d: step says %v, the engine %v", round, b.SignedHeader.Header.Height, ours, engines)
			}
			if ours != nil {
				refused++
				continue
			}
			believed, at = believed+1, raw
		}
	}
	if believed < 50 || refused < 30 {
		t.Errorf("%d believed, %d refused: the chains do not try both", believed, refused)
	}
}

// thin takes some votes away.
func thin(r *rand.Rand, b *ledgerv1.LightBlock) {
	for i := range b.SignedHeader.Commit.Signatures {
		if r.Intn(6) == 0 {
			b.SignedHeader.Commit.Signatures[i] = &ledgerv1.CommitSig{BlockIdFlag: 1}
		}
	}
}

func ourStep(t *testing.T, chainID string, at, raw []byte) error {
	t.Helper()
	from, err := step.Read(chainID, at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := step.Read(chainID, raw)
	if err != nil {
		return err
	}
	_, err = from.Trusted().Follow(b, step.OneThird)
	return err
}

func engineStep(t *testing.T, chainID string, at, raw []byte) error {
	t.Helper()
	from, err := engineBlock(chainID, at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := engineBlock(chainID, raw)
	if err != nil {
		return err
	}
	const period, drift = 24 * time.Hour, time.Hour
	if b.Height == from.Height+1 {
		return light.VerifyAdjacent(from.SignedHeader, b.SignedHeader, b.ValidatorSet, period, time.Now(), drift)
	}
	return light.VerifyNonAdjacent(from.SignedHeader, from.ValidatorSet, b.SignedHeader, b.ValidatorSet, period, time.Now(), drift, light.DefaultTrustLevel)
}
