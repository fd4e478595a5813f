package prooffile

import (
	"bufio"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/sm"
	"mulian/state/proof"
)

// shared is a file or folder of the published vectors, beside the repository or
// where MULIAN_SHARED says.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("MULIAN_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(dir, "data", "vectors", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("SKIP no shared data: " + name)
	}
	return path
}

func load(t testing.TB, path string, into any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *second) signed(alg, key, message, sig string) (ok bool) {
	s.t.Helper()
	s.ask(map[string]any{"ask": "check", "algorithm": alg, "key": key, "message": message, "signature": sig}, &ok)
	return ok
}

// TestWycheproof: Ed25519 and ECDSA on P-256. Of two twins (r, s) and (r, n-s) we
// take the one with the lower s only, as package sm does.
func TestWycheproof(t *testing.T) {
	js := startSecond(t)
	for file, alg := range map[string]sm.Algorithm{"ed25519_test.json": sm.Ed25519, "ecdsa_secp256r1_sha256_test.json": sm.P256} {
		var v struct {
			TestGroups []struct {
				PublicKey struct{ Pk, Uncompressed string }
				Tests     []struct {
					TcID             int
					Msg, Sig, Result string
				}
			}
		}
		load(t, filepath.Join(shared(t, "wycheproof"), file), &v)
		n, held := 0, 0
		for _, g := range v.TestGroups {
			raw := g.PublicKey.Pk + g.PublicKey.Uncompressed
			key, keyErr := sm.ParsePublic(alg, unhex(t, raw))
			for _, c := range g.Tests {
				first := keyErr == nil && key.Verify(unhex(t, c.Msg), unhex(t, c.Sig))
				got := js.signed(alg.String(), raw, c.Msg, c.Sig)
				if got != first && keyErr == nil || got && c.Result == "invalid" {
					t.Errorf("%s %d: js %t, go %t, %s", file, c.TcID, got, first, c.Result)
				}
				n++
				if got {
					held++
				}
			}
		}
		if n < 100 || held < 40 {
			t.Errorf("%s: %d cases, %d hold", file, n, held)
		}
	}
}

// TestSM2Published: the signature on the standard curve that Botan publishes, which
// has a user id of its own.
func TestSM2Published(t *testing.T) {
	js := startSecond(t)
	f, err := os.Open(shared(t, "sm/botan_sm2_sig.vec"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, used := map[string]string{}, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " = ")
		if !ok {
			continue
		}
		v[name] = value
		if name != "Signature" || v["P"] != "0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF" || v["Hash"] != "SM3" {
			continue
		}
		k, err := sm.FromSeed(sm.SM2, [32]byte(unhex(t, strings.TrimPrefix(v["x"], "0x"))))
		if err != nil {
			t.Fatal(err)
		}
		raw := unhex(t, value)
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
		if err != nil {
			t.Fatal(err)
		}
		for user, want := range map[string]bool{v["Ident"]: true, "1234567812345678": false} {
			var got bool
			js.ask(map[string]any{
				"ask": "check", "algorithm": "sm2", "user": user, "key": hex.EncodeToString(k.Public().Bytes()), "message": strings.ToLower(v["Msg"]), "signature": hex.EncodeToString(der),
			}, &got)
			if got != want {
				t.Errorf("user %s: %t", user, got)
			}
		}
		used++
	}
	if used != 1 {
		t.Errorf("%d signatures on the standard curve, want 1", used)
	}
}

// TestInclusionsPublished: the inclusion proofs of RFC 6962 of the
// transparency-dev project, valid and not.
func TestInclusionsPublished(t *testing.T) {
	js, n, held := startSecond(t), 0, 0
	err := filepath.WalkDir(shared(t, "rfc6962/inclusion"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		var v struct {
			LeafIdx, TreeSize json.Number
			Root, LeafHash    []byte
			Proof             [][]byte
			WantErr           bool
		}
		load(t, path, &v)
		index, tooFar := v.LeafIdx.Int64()
		size, tooLarge := v.TreeSize.Int64()
		ways := make([]string, len(v.Proof))
		hashes := make([]proof.Hash, len(v.Proof))
		whole := len(v.Root) == 32 && len(v.LeafHash) == 32
		for i, p := range v.Proof {
			ways[i] = hex.EncodeToString(p)
			if whole = whole && len(p) == 32; whole {
				hashes[i] = proof.Hash(p)
			}
		}
		if !whole || tooFar != nil || tooLarge != nil || index < 0 || size < 0 || size > maxNumber || index > maxNumber { // a file cannot say such things
			return nil
		}
		var got bool
		js.ask(map[string]any{
			"ask": "inclusion", "leaf": hex.EncodeToString(v.LeafHash), "index": index, "size": size, "path": ways, "root": hex.EncodeToString(v.Root),
		}, &got)
		root, err := proof.RootFromPath(proof.Hash(v.LeafHash), index, size, hashes)
		first := err == nil && root == proof.Hash(v.Root)
		if got == v.WantErr || got != first {
			t.Errorf("%s: js %t, go %t, want error %t", path, got, first, v.WantErr)
		}
		n++
		if got {
			held++
		}
		return nil
	})
	if err != nil || n < 50 || held < 5 {
		t.Errorf("%d cases, %d hold: %v", n, held, err)
	}
}

// TestLightPublished: the engine's own single steps of the light client, of which
// those that need a clock or a trusting period are left out (package light).
func TestLightPublished(t *testing.T) {
	js := startSecond(t)
	files, _ := filepath.Glob(filepath.Join(shared(t, "cometbft-light/model_based/single_step"), "*.json"))
	verdicts := map[string]int{}
	for _, f := range files {
		if strings.Contains(f, "FromFuture") || strings.Contains(f, "TrustingPeriod") {
			continue
		}
		var v lightVector
		load(t, f, &v)
		height := v.Initial.SignedHeader.Header.Height
		set, next := v.Initial.NextValidatorSet, v.Initial.SignedHeader.Header.NextValidatorsHash
		for i, in := range v.Input {
			h := in.Block.SignedHeader.Header
			if atoi(t, h.Height) <= atoi(t, height) || len(in.Block.SignedHeader.Commit.Signatures) != len(in.Block.ValidatorSet.Validators) {
				continue // no file can say it: blocks ascend, and each validator has one vote
			}
			b := in.Block.block(t)
			var step string
			js.ask(map[string]any{
				"ask": "block", "chain": h.ChainID, "height": atoi(t, height), "next": strings.ToLower(next), "set": set.plain(t),
				"block": base64.StdEncoding.EncodeToString(b.node().bytes()),
			}, &step)
			if (step == "") != (in.Verdict == "SUCCESS") || in.Verdict == "NOT_ENOUGH_TRUST" && step != "trust" {
				t.Errorf("%s, input %d: %q, want %s", filepath.Base(f), i, step, in.Verdict)
			}
			verdicts[in.Verdict]++
			if step == "" {
				height, set, next = h.Height, in.Block.NextValidatorSet, h.NextValidatorsHash
			}
		}
	}
	if verdicts["SUCCESS"] < 20 || verdicts["NOT_ENOUGH_TRUST"] < 20 || verdicts["INVALID"] < 1 {
		t.Errorf("the vectors do not hold what they should: %v", verdicts)
	}
}

// The JSON of the vectors (informalsystems/tendermint-rs, model based).
type (
	lightVector struct {
		Initial struct {
			SignedHeader     lightHeader `json:"signed_header"`
			NextValidatorSet lightSet    `json:"next_validator_set"`
		}
		Input []struct {
			Block   lightBlock
			Verdict string
		}
	}
	lightBlock struct {
		SignedHeader     lightHeader `json:"signed_header"`
		ValidatorSet     lightSet    `json:"validator_set"`
		NextValidatorSet lightSet    `json:"next_validator_set"`
	}
	lightID struct {
		Hash  string
		Parts struct {
			Total uint32
			Hash  string
		} `json:"part_set_header"`
	}
	lightHeader struct {
		Header struct {
			Version            struct{ Block, App string }
			ChainID            string `json:"chain_id"`
			Height             string
			Time               time.Time
			LastBlockID        *lightID `json:"last_block_id"`
			LastCommitHash     string   `json:"last_commit_hash"`
			DataHash           string   `json:"data_hash"`
			ValidatorsHash     string   `json:"validators_hash"`
			NextValidatorsHash string   `json:"next_validators_hash"`
			ConsensusHash      string   `json:"consensus_hash"`
			AppHash            string   `json:"app_hash"`
			LastResultsHash    string   `json:"last_results_hash"`
			EvidenceHash       string   `json:"evidence_hash"`
			ProposerAddress    string   `json:"proposer_address"`
		}
		Commit struct {
			Round      int32
			BlockID    lightID `json:"block_id"`
			Signatures []struct {
				Flag      int32  `json:"block_id_flag"`
				Address   string `json:"validator_address"`
				Timestamp time.Time
				Signature []byte
			}
		}
	}
	lightSet struct {
		Validators []struct {
			PubKey struct{ Value []byte } `json:"pub_key"`
			Power  string                 `json:"voting_power"`
		}
	}
)

func atoi(t testing.TB, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && s != "" {
		t.Fatal(err)
	}
	return n
}

func (s lightSet) plain(t testing.TB) []map[string]any {
	out := []map[string]any{}
	for _, v := range s.Validators {
		out = append(out, map[string]any{"key": hex.EncodeToString(v.PubKey.Value), "power": atoi(t, v.Power)})
	}
	return out
}

// block is the vector's block as a proof file has it. The vectors list a set in
// any order; the engine hashes it by power and address, and the votes go along.
func (b lightBlock) block(t testing.TB) *block {
	h, c := b.SignedHeader.Header, b.SignedHeader.Commit
	id := func(x *lightID) *ledgerv1.BlockID {
		if x == nil {
			return &ledgerv1.BlockID{PartSetHeader: &ledgerv1.PartSetHeader{}}
		}
		return &ledgerv1.BlockID{Hash: unhex(t, x.Hash), PartSetHeader: &ledgerv1.PartSetHeader{Total: x.Parts.Total, Hash: unhex(t, x.Parts.Hash)}}
	}
	out := &block{
		header: &ledgerv1.Header{
			Version: &ledgerv1.ConsensusVersion{Block: uint64(atoi(t, h.Version.Block)), App: uint64(atoi(t, h.Version.App))},
			ChainId: h.ChainID, Height: atoi(t, h.Height), Time: timestamppb.New(h.Time), LastBlockId: id(h.LastBlockID),
			LastCommitHash: unhex(t, h.LastCommitHash), DataHash: unhex(t, h.DataHash), ValidatorsHash: unhex(t, h.ValidatorsHash),
			NextValidatorsHash: unhex(t, h.NextValidatorsHash), ConsensusHash: unhex(t, h.ConsensusHash), AppHash: unhex(t, h.AppHash),
			LastResultsHash: unhex(t, h.LastResultsHash), EvidenceHash: unhex(t, h.EvidenceHash), ProposerAddress: unhex(t, h.ProposerAddress),
		},
		hash: unhex(t, c.BlockID.Hash), round: uint64(c.Round), parts: id(&c.BlockID).PartSetHeader,
	}
	by := map[string]*voter{}
	for _, s := range c.Signatures {
		if s.Flag == flagCommit {
			by[strings.ToLower(s.Address)] = &voter{at: timestamppb.New(s.Timestamp), sig: s.Signature}
		}
	}
	var set []*ledgerv1.ConsensusValidator
	for _, v := range b.ValidatorSet.Validators {
		set = append(set, &ledgerv1.ConsensusValidator{PubKey: &ledgerv1.ConsensusKey{Ed25519: v.PubKey.Value}, VotingPower: atoi(t, v.Power), Address: address(v.PubKey.Value)})
	}
	sortSet(set)
	if got := light.SetHash(set); hex.EncodeToString(got[:]) != strings.ToLower(h.ValidatorsHash) {
		t.Logf("another set than the header names: %s", h.Height)
	}
	for _, v := range set {
		x := &voter{key: v.GetPubKey().GetEd25519(), vote: v.GetVotingPower()}
		if s := by[hex.EncodeToString(v.GetAddress())]; s != nil {
			x.at, x.sig = s.at, s.sig
		}
		out.voters = append(out.voters, x)
	}
	return out
}
