package ledger_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtlight "github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"

	lightclient "mulian/client/light"
	"mulian/ledger"
)

// The engine's own light client is the second opinion on ours: whatever block is put
// before both, they say the same. Two things are asked of the engine beside light.Verify,
// because ours does them too: that the block is well formed, and that every signature holds
// (the engine's light client stops reading at 2/3). A clock and a trusting period are not:
// ours has none, so the engine gets a century and the year 2100.
func engineVerdict(chain string, trusted, target *cmtproto.LightBlock) error {
	t, err := types.LightBlockFromProto(trusted)
	if err != nil {
		return fmt.Errorf("the trusted block: %w", err)
	}
	b, err := types.LightBlockFromProto(target)
	if err != nil {
		return err
	}
	if err := b.ValidateBasic(chain); err != nil {
		return err
	}
	now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := cmtlight.Verify(t.SignedHeader, t.ValidatorSet, b.SignedHeader, b.ValidatorSet, 100*365*24*time.Hour, now, time.Second, cmtlight.DefaultTrustLevel); err != nil {
		return err
	}
	return types.VerifyCommitLightAllSignatures(chain, b.ValidatorSet, b.Commit.BlockID, b.Height, b.Commit)
}

// ourVerdict is that of client/light, which trusts the same block as a checkpoint.
func ourVerdict(t testing.TB, chain string, trusted, target *cmtproto.LightBlock) error {
	t.Helper()
	h := trusted.SignedHeader.Header
	b, err := types.LightBlockFromProto(trusted)
	if err != nil {
		t.Fatal(err)
	}
	trust := lightclient.At(chain, h.Height, [32]byte(b.Header.Hash()), [32]byte(h.ValidatorsHash))
	if _, err := trust.Verify(wired(t, trusted)); err != nil {
		t.Fatalf("the trusted block: %v", err)
	}
	_, err = trust.Verify(wired(t, target))
	return err
}

func wired(t testing.TB, b *cmtproto.LightBlock) []byte {
	t.Helper()
	raw, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func cloned(t testing.TB, b *cmtproto.LightBlock) *cmtproto.LightBlock {
	t.Helper()
	out := &cmtproto.LightBlock{}
	if err := out.Unmarshal(wired(t, b)); err != nil {
		t.Fatal(err)
	}
	return out
}

// A spoiler changes a block. What nobody signs and ours does not read (addresses and
// proposer in the set, sums of power) stays as it is.
type spoiler struct {
	name string
	do   func(rng *rand.Rand, b *cmtproto.LightBlock, others []*cmtproto.LightBlock)
}

func flip(rng *rand.Rand, b []byte) {
	if len(b) > 0 {
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	}
}

var spoilers = []spoiler{
	{"nothing", func(*rand.Rand, *cmtproto.LightBlock, []*cmtproto.LightBlock) {}},
	{"a signature", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		s := b.SignedHeader.Commit.Signatures
		flip(rng, s[rng.IntN(len(s))].Signature)
	}},
	{"absent votes", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		s := b.SignedHeader.Commit.Signatures
		for range 1 + rng.IntN(len(s)) {
			s[rng.IntN(len(s))] = cmtproto.CommitSig{BlockIdFlag: cmtproto.BlockIDFlagAbsent}
		}
	}},
	{"a vote for nothing", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		s := b.SignedHeader.Commit.Signatures
		if i := rng.IntN(len(s)); s[i].BlockIdFlag == cmtproto.BlockIDFlagCommit {
			s[i].BlockIdFlag = cmtproto.BlockIDFlagNil
		}
	}},
	{"two votes change places", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		s := b.SignedHeader.Commit.Signatures
		i, j := rng.IntN(len(s)), rng.IntN(len(s))
		s[i], s[j] = s[j], s[i]
	}},
	{"one vote twice", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		s := b.SignedHeader.Commit.Signatures
		s[rng.IntN(len(s))] = s[rng.IntN(len(s))]
	}},
	{"the time of a vote", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		s := b.SignedHeader.Commit.Signatures
		i := rng.IntN(len(s))
		s[i].Timestamp = s[i].Timestamp.Add(time.Nanosecond)
	}},
	{"a field of the header", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		h := b.SignedHeader.Header
		fields := [][]byte{h.LastCommitHash, h.DataHash, h.ValidatorsHash, h.NextValidatorsHash, h.ConsensusHash, h.AppHash, h.LastResultsHash, h.EvidenceHash, h.ProposerAddress, h.LastBlockId.Hash}
		flip(rng, fields[rng.IntN(len(fields))])
	}},
	{"the time of the header", func(_ *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		b.SignedHeader.Header.Time = b.SignedHeader.Header.Time.Add(time.Nanosecond)
	}},
	{"the chain", func(_ *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		b.SignedHeader.Header.ChainID += "x"
	}},
	{"the height", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		b.SignedHeader.Header.Height += int64(rng.IntN(3)) - 1
	}},
	{"height and commit", func(_ *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		b.SignedHeader.Header.Height++
		b.SignedHeader.Commit.Height++
	}},
	{"the round", func(_ *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) { b.SignedHeader.Commit.Round++ }},
	{"the block of the commit", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		id := &b.SignedHeader.Commit.BlockID
		flip(rng, [][]byte{id.Hash, id.PartSetHeader.Hash}[rng.IntN(2)])
	}},
	{"the power of a validator", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		set := b.ValidatorSet.Validators
		set[rng.IntN(len(set))].VotingPower += 1 + int64(rng.IntN(100))
	}},
	{"another block's validators", func(rng *rand.Rand, b *cmtproto.LightBlock, others []*cmtproto.LightBlock) {
		b.ValidatorSet = others[rng.IntN(len(others))].ValidatorSet
	}},
	{"another block's commit", func(rng *rand.Rand, b *cmtproto.LightBlock, others []*cmtproto.LightBlock) {
		b.SignedHeader.Commit = others[rng.IntN(len(others))].SignedHeader.Commit
	}},
	{"another block's header", func(rng *rand.Rand, b *cmtproto.LightBlock, others []*cmtproto.LightBlock) {
		b.SignedHeader.Header = others[rng.IntN(len(others))].SignedHeader.Header
	}},
	{"a validator less", func(rng *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		if i := rng.IntN(len(b.ValidatorSet.Validators)); len(b.ValidatorSet.Validators) > 1 {
			b.ValidatorSet.Validators = slices.Delete(b.ValidatorSet.Validators, i, i+1)
			b.SignedHeader.Commit.Signatures = slices.Delete(b.SignedHeader.Commit.Signatures, i, i+1)
		}
	}},
	{"a vote less", func(_ *rand.Rand, b *cmtproto.LightBlock, _ []*cmtproto.LightBlock) {
		s := b.SignedHeader.Commit.Signatures
		b.SignedHeader.Commit.Signatures = s[:len(s)-1]
	}},
}

// bothAgree puts spoiled blocks of a chain before both and counts what they say.
func bothAgree(t *testing.T, seed uint64, chain string, blocks []*cmtproto.LightBlock, cases int) (accepted, refused int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	for n := range cases {
		i := rng.IntN(len(blocks) - 1)
		j := i + 1 + rng.IntN(len(blocks)-1-i)
		if rng.IntN(4) == 0 {
			j = i + 1 // the next one is judged by another rule
		}
		s := spoilers[rng.IntN(len(spoilers))]
		bad := cloned(t, blocks[j])
		s.do(rng, bad, blocks)
		if h := bad.SignedHeader.Header.Height; h <= blocks[i].SignedHeader.Header.Height {
			continue // the engine asks for a higher one; ours answers, and does not move
		}
		engine, ours := engineVerdict(chain, blocks[i], bad), ourVerdict(t, chain, blocks[i], bad)
		if (engine == nil) != (ours == nil) {
			t.Errorf("seed %d, case %d, from %d to %d, %s:\n engine %v\n ours   %v", seed, n, blocks[i].SignedHeader.Header.Height, blocks[j].SignedHeader.Header.Height, s.name, engine, ours)
		}
		if engine == nil {
			accepted++
		} else {
			refused++
		}
	}
	return accepted, refused
}

// A notary holds the keys of every validator of a chain that is made by hand, so that it
// can also sign what no consortium would.
type notary struct {
	keys  map[string]ed25519.PrivKey // by address
	chain string
	rng   *rand.Rand
}

func (n *notary) validator(i int, power int64) *types.Validator {
	key := ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "light %d", i))
	n.keys[string(key.PubKey().Address())] = key
	return types.NewValidator(key.PubKey(), power)
}

// sign is the block with votes of each validator, but for those that chance leaves out.
func (n *notary) sign(t testing.TB, h *types.Header, set *types.ValidatorSet, absent float64) *cmtproto.LightBlock {
	t.Helper()
	h.ValidatorsHash = set.Hash()
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: bytes.Repeat([]byte{7}, 32)}}
	c := &types.Commit{Height: h.Height, Round: int32(n.rng.IntN(3)), BlockID: id}
	for i, v := range set.Validators {
		if n.rng.Float64() < absent {
			c.Signatures = append(c.Signatures, types.NewCommitSigAbsent())
			continue
		}
		c.Signatures = append(c.Signatures, types.CommitSig{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: h.Time.Add(time.Duration(i) * time.Millisecond)})
		sig, err := n.keys[string(v.Address)].Sign(c.VoteSignBytes(n.chain, int32(i)))
		if err != nil {
			t.Fatal(err)
		}
		c.Signatures[i].Signature = sig
	}
	pb, err := (&types.LightBlock{SignedHeader: &types.SignedHeader{Header: h, Commit: c}, ValidatorSet: set}).ToProto()
	if err != nil {
		t.Fatal(err)
	}
	return pb
}

// madeChain is a chain of blocks whose validators come, go and change their power at
// random. Of some blocks too few have signed, of some the next set is a lie, and some go
// back in time: both clients have to see it.
func madeChain(t testing.TB, seed uint64, length int) (string, []*cmtproto.LightBlock) {
	n := &notary{keys: map[string]ed25519.PrivKey{}, chain: "light-made", rng: rand.New(rand.NewPCG(seed, 1))}
	var set []*types.Validator
	next := 0
	for ; next < 4+n.rng.IntN(3); next++ {
		set = append(set, n.validator(next, 5+int64(n.rng.IntN(10))))
	}
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	other := bytes.Repeat([]byte{9}, 32)
	var blocks []*cmtproto.LightBlock
	for h := int64(1); len(blocks) < length; h++ {
		following := slices.Clone(set)
		switch n.rng.IntN(3) {
		case 0: // one is replaced
			following[n.rng.IntN(len(set))] = n.validator(next, 5+int64(n.rng.IntN(10)))
			next++
		case 1:
			i := n.rng.IntN(len(set))
			following[i] = types.NewValidator(set[i].PubKey, 5+int64(n.rng.IntN(10)))
		}
		at = at.Add(time.Second + time.Duration(n.rng.IntN(1e9)))
		header := &types.Header{
			Version: cmtVersion, ChainID: n.chain, Height: h, Time: at, LastBlockID: types.BlockID{Hash: other, PartSetHeader: types.PartSetHeader{Total: 1, Hash: other}},
			LastCommitHash: other, DataHash: other, NextValidatorsHash: types.NewValidatorSet(following).Hash(), ConsensusHash: other, AppHash: other, LastResultsHash: other, EvidenceHash: other,
			ProposerAddress: set[0].Address,
		}
		absent := 0.1
		switch n.rng.IntN(12) {
		case 0:
			absent = 0.6
		case 1:
			header.NextValidatorsHash = other
		case 2:
			header.Time = at.Add(-time.Hour)
		}
		b := n.sign(t, header, types.NewValidatorSet(set), absent)
		lb, err := types.LightBlockFromProto(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := types.VerifyCommitLight(n.chain, lb.ValidatorSet, lb.Commit.BlockID, lb.Height, lb.Commit); err == nil || len(blocks) > 0 {
			blocks = append(blocks, b)
		}
		set = following
	}
	return n.chain, blocks
}

var cmtVersion = cmtversion.Consensus{Block: 11, App: 1}

// TestOurLightClientSaysWhatTheEnginesSays of 12 made chains, 60 blocks of each, spoiled
// and not.
func TestOurLightClientSaysWhatTheEnginesSays(t *testing.T) {
	accepted, refused := 0, 0
	for seed := range uint64(12) {
		chain, blocks := madeChain(t, seed, 25)
		// Only blocks that hold by themselves can be trusted.
		trusted := slices.DeleteFunc(slices.Clone(blocks), func(b *cmtproto.LightBlock) bool {
			lb, err := types.LightBlockFromProto(b)
			return err != nil || types.VerifyCommitLight(chain, lb.ValidatorSet, lb.Commit.BlockID, lb.Height, lb.Commit) != nil
		})
		yes, no := bothAgree(t, seed, chain, trusted, 60)
		accepted, refused = accepted+yes, refused+no
		// Too few votes: from each trusted block to each other one.
		for _, from := range trusted[:2] {
			for _, to := range blocks {
				if to.SignedHeader.Header.Height <= from.SignedHeader.Header.Height {
					continue
				}
				engine, ours := engineVerdict(chain, from, to), ourVerdict(t, chain, from, to)
				if (engine == nil) != (ours == nil) {
					t.Errorf("seed %d, from %d to %d:\n engine %v\n ours   %v", seed, from.SignedHeader.Header.Height, to.SignedHeader.Header.Height, engine, ours)
				}
				if engine == nil {
					accepted++
				} else {
					refused++
				}
			}
		}
	}
	t.Logf("%d accepted, %d refused by both", accepted, refused)
	if accepted < 200 || refused < 600 {
		t.Errorf("%d accepted, %d refused: both kinds should be tested", accepted, refused)
	}
}

// lightBlocks reads the headers of a real chain.
func lightBlocks(t testing.TB, l *ledger.Ledger) (out []*cmtproto.LightBlock) {
	t.Helper()
	for h := int64(1); h <= l.Height(); h++ {
		got, err := l.Header(h)
		if err != nil {
			t.Fatal(err)
		}
		b := &cmtproto.LightBlock{}
		if err := b.Unmarshal(got.LightBlock); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}
