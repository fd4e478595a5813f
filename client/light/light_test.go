package light

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
)

// The JSON of the engine's own test vectors (informalsystems/tendermint-rs,
// model-based single steps).
type (
	vector struct {
		Initial struct {
			SignedHeader signedHeader `json:"signed_header"`
			Next         valset       `json:"next_validator_set"`
		}
		Input []struct {
			Block struct {
				SignedHeader signedHeader `json:"signed_header"`
				Set          valset       `json:"validator_set"`
				Next         valset       `json:"next_validator_set"`
			}
			Verdict string
		}
	}
	blockIDJSON struct {
		Hash  hexBytes
		Parts struct {
			Total uint32
			Hash  hexBytes
		} `json:"part_set_header"`
	}
	signedHeader struct {
		Header struct {
			Version            struct{ Block, App string }
			ChainID            string `json:"chain_id"`
			Height             string
			Time               time.Time
			LastBlockID        *blockIDJSON `json:"last_block_id"`
			LastCommitHash     hexBytes     `json:"last_commit_hash"`
			DataHash           hexBytes     `json:"data_hash"`
			ValidatorsHash     hexBytes     `json:"validators_hash"`
			NextValidatorsHash hexBytes     `json:"next_validators_hash"`
			ConsensusHash      hexBytes     `json:"consensus_hash"`
			AppHash            hexBytes     `json:"app_hash"`
			LastResultsHash    hexBytes     `json:"last_results_hash"`
			EvidenceHash       hexBytes     `json:"evidence_hash"`
			ProposerAddress    hexBytes     `json:"proposer_address"`
		}
		Commit struct {
			Height     string
			Round      int32
			BlockID    blockIDJSON `json:"block_id"`
			Signatures []struct {
				Flag      int32    `json:"block_id_flag"`
				Validator hexBytes `json:"validator_address"`
				Timestamp time.Time
				Signature string
			}
		}
	}
	valset struct {
		Validators []struct {
			PubKey struct{ Value string } `json:"pub_key"`
			Power  string                 `json:"voting_power"`
		}
	}
	hexBytes []byte
)

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	raw, err := hex.DecodeString(s)
	*h = raw
	return err
}

// TestEngineVectors runs the engine's single-step vectors. Two kinds are left
// out because we have no trusting period and no clock (see the package comment).
func TestEngineVectors(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sharedData(t), "vectors/cometbft-light/model_based/single_step/*.json"))
	if len(files) == 0 {
		t.Skip("SKIP no shared data: no light client vectors")
	}
	verdicts := map[string]int{}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if strings.Contains(name, "FromFuture") || strings.Contains(name, "TrustingPeriod") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			h := v.Initial.SignedHeader.proto(t).GetHeader()
			trust := &Trust{
				chainID: h.GetChainId(), last: Header{Height: h.GetHeight(), Hash: headerHash(h)},
				next: h.GetNextValidatorsHash(), set: v.Initial.Next.proto(t),
			}
			for i, in := range v.Input {
				b := &ledgerv1.LightBlock{SignedHeader: in.Block.SignedHeader.proto(t), ValidatorSet: &ledgerv1.ValidatorSet{Validators: in.Block.Set.proto(t)}}
				before := trust.last.Height
				_, err := trust.VerifyBlock(b)
				// The vectors refuse a height that is not newer; we answer it from the
				// set that we trust, and do not move.
				stale := b.GetSignedHeader().GetHeader().GetHeight() <= before
				if ok := in.Verdict == "SUCCESS"; !stale && (err == nil) != ok {
					t.Errorf("input %d: %v, want %s", i, err, in.Verdict)
				}
				if err == nil && trust.last.Height > before {
					trust.set = in.Block.Next.proto(t)
				}
				if stale && trust.last.Height != before {
					t.Errorf("input %d: the believed height moved from %d to %d", i, before, trust.last.Height)
				}
				verdicts[in.Verdict]++
			}
		})
	}
	if verdicts["SUCCESS"] < 20 || verdicts["INVALID"] < 4 || verdicts["NOT_ENOUGH_TRUST"] < 20 {
		t.Errorf("the vectors do not hold what they should: %v", verdicts)
	}
}

// TestMutations flips each byte of a header that is believed: none may be
// believed with another meaning.
func TestMutations(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sharedData(t), "vectors/cometbft-light/model_based/single_step/MC4_4_faulty_TestSuccess.json"))
	if len(files) != 1 {
		t.Skip("SKIP no shared data: no light client vectors")
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var v vector
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	first := v.Initial.SignedHeader.proto(t).GetHeader()
	in := v.Input[len(v.Input)-1].Block
	block := &ledgerv1.LightBlock{SignedHeader: in.SignedHeader.proto(t), ValidatorSet: &ledgerv1.ValidatorSet{Validators: in.Set.proto(t)}}
	wire, err := proto.Marshal(block)
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() *Trust {
		return &Trust{chainID: first.GetChainId(), last: Header{Height: 1, Hash: headerHash(first)}, set: in.Set.proto(t), next: first.GetNextValidatorsHash()}
	}
	want, err := fresh().Verify(wire)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range wire {
		for _, bit := range []byte{1, 0x80} {
			bad := append([]byte(nil), wire...)
			bad[i] ^= bit
			got, err := fresh().Verify(bad)
			switch {
			case err == nil && got != want:
				t.Errorf("byte %d ^ %#x: believed %+v", i, bit, got)
			case err != nil && !fault.Is(err, fault.VerificationFailed):
				t.Errorf("byte %d: code %v", i, fault.CodeOf(err))
			case err != nil:
				refused++
			}
		}
	}
	if refused < len(wire) {
		t.Errorf("only %d of %d mutations were refused", refused, 2*len(wire))
	}
}

func (s signedHeader) proto(t *testing.T) *ledgerv1.SignedHeader {
	t.Helper()
	h := s.Header
	out := &ledgerv1.SignedHeader{
		Header: &ledgerv1.Header{
			Version: &ledgerv1.ConsensusVersion{Block: uint64(number(t, h.Version.Block)), App: uint64(number(t, h.Version.App))},
			ChainId: h.ChainID, Height: number(t, h.Height), Time: timestamppb.New(h.Time), LastBlockId: h.LastBlockID.proto(),
			LastCommitHash: h.LastCommitHash, DataHash: h.DataHash, ValidatorsHash: h.ValidatorsHash, NextValidatorsHash: h.NextValidatorsHash,
			ConsensusHash: h.ConsensusHash, AppHash: h.AppHash, LastResultsHash: h.LastResultsHash, EvidenceHash: h.EvidenceHash, ProposerAddress: h.ProposerAddress,
		},
		Commit: &ledgerv1.Commit{Height: number(t, s.Commit.Height), Round: s.Commit.Round, BlockId: s.Commit.BlockID.proto()},
	}
	for _, sig := range s.Commit.Signatures {
		raw, _ := base64.StdEncoding.DecodeString(sig.Signature)
		out.Commit.Signatures = append(out.Commit.Signatures, &ledgerv1.CommitSig{
			BlockIdFlag: sig.Flag, ValidatorAddress: sig.Validator, Timestamp: timestamppb.New(sig.Timestamp), Signature: raw,
		})
	}
	return out
}

func (b *blockIDJSON) proto() *ledgerv1.BlockID {
	if b == nil {
		return nil
	}
	return &ledgerv1.BlockID{Hash: b.Hash, PartSetHeader: &ledgerv1.PartSetHeader{Total: b.Parts.Total, Hash: b.Parts.Hash}}
}

func (v valset) proto(t *testing.T) []*ledgerv1.ConsensusValidator {
	t.Helper()
	var out []*ledgerv1.ConsensusValidator
	for _, x := range v.Validators {
		key, err := base64.StdEncoding.DecodeString(x.PubKey.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &ledgerv1.ConsensusValidator{PubKey: &ledgerv1.ConsensusKey{Ed25519: key}, VotingPower: number(t, x.Power)})
	}
	// The vectors list a set in any order; the engine keeps it by power, then address.
	address := func(x *ledgerv1.ConsensusValidator) []byte {
		sum := sha256.Sum256(x.GetPubKey().GetEd25519())
		return sum[:20]
	}
	slices.SortFunc(out, func(a, b *ledgerv1.ConsensusValidator) int {
		return cmp.Or(cmp.Compare(b.GetVotingPower(), a.GetVotingPower()), bytes.Compare(address(a), address(b)))
	})
	return out
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// sharedData finds the shared test data beside the repository, or where
// MULIAN_SHARED says.
func sharedData(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("MULIAN_SHARED"); dir != "" {
		return filepath.Join(dir, "data")
	}
	return filepath.Join("..", "..", "..", "shared", "data")
}
