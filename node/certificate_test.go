package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client/light"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/rules/rulestest"
	"mulian/state/proof"
)

// TestSM2CertificateOfFourValidators: a reader who has the genesis and no Ed25519 at
// all can tell that more than 2/3 of the power signed a block, from one answer of one
// node; and the pinned keys are themselves proved objects.
func TestSM2CertificateOfFourValidators(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	nodes, w, genesis := four(t)
	sent, err := nodes[0].Submit(ctx, w.duties("1", "企业登记"))
	if err != nil || sent.GetOutcome().GetCode() != 0 {
		t.Fatalf("submit: %v, %v", sent, err)
	}
	height := sent.GetOutcome().GetHeight()
	var set []light.Validator
	for _, v := range genesis.GetValidators() {
		set = append(set, light.Validator{PublicKey: ed25519.PublicKey(v.GetPublicKey()), Power: int64(v.GetPower())})
	}
	for i, n := range nodes {
		res := header(ctx, t, n, height)
		h, err := light.New(rulestest.ChainID, set).Verify(res.GetLightBlock())
		if err != nil {
			t.Fatal(err)
		}
		if len(res.GetSm2Votes()) == 0 && i > 0 {
			continue // it took the block over from the others
		}
		signed, err := light.VerifySM2(rulestest.ChainID, h, res.GetSm2Votes(), genesis.GetValidators())
		if err != nil || signed < 30 {
			t.Errorf("node %d: %d of 40, %v", i, signed, err)
		}
		forged := proto.CloneOf(genesis.GetValidators()[0])
		forged.Sm2Key = genesis.GetValidators()[1].GetSm2Key()
		if _, err := light.VerifySM2(rulestest.ChainID, h, res.GetSm2Votes(), append([]*governancev1.Validator{forged}, genesis.GetValidators()[1:2]...)); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("node %d: with another key pinned: %v", i, err)
		}
	}
	v := genesis.GetValidators()[2]
	key := fmt.Sprintf("governance/validator/%x", v.GetPublicKey())
	got, err := nodes[0].Object(ctx, key, 0, true)
	if err != nil || !got.GetFound() {
		t.Fatalf("%s: %v, %v", key, got, err)
	}
	p, err := proof.FromWire(got.GetProof(), []byte(key), got.GetValue())
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.VerifyKey(proof.Hash(header(ctx, t, nodes[0], got.GetHeight()+1).GetAppHash()), []byte(key), got.GetValue(), p); err != nil {
		t.Error(err)
	}
	pinned := new(governancev1.Validator)
	if err := proto.Unmarshal(got.GetValue(), pinned); err != nil || !bytes.Equal(pinned.GetSm2Key(), v.GetSm2Key()) {
		t.Errorf("pinned: %v, %v", pinned, err)
	}
}

// four starts four validators of one consortium on loopback, with their SM2 keys in
// the genesis.
func four(t *testing.T) ([]*Node, *town, *governancev1.Genesis) {
	t.Helper()
	configs, w, g := found(t, 4, 4)
	nodes := make([]*Node, len(configs))
	for i := range nodes {
		n, err := Open(context.Background(), configs[i])
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = n
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return nodes, w, g
}

// found makes the directories of so many nodes of one consortium on loopback; the
// first ones are its validators, with their SM2 keys in the genesis, and have a
// founder each. They never make a block for which nobody waits.
func found(t *testing.T, all, validators int) ([]Config, *town, *governancev1.Genesis) {
	t.Helper()
	dir := t.TempDir()
	ids, configs := make([]ledger.Identity, all), make([]Config, all)
	for i := range ids {
		configs[i] = Config{
			Home: filepath.Join(dir, fmt.Sprintf("n%d", i), "node"), Listen: freeAddress(t), Heartbeat: -1,
			Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
		}
		var err error
		if ids[i], err = Keys(configs[i].Home); err != nil {
			t.Fatal(err)
		}
	}
	var g *governancev1.Genesis
	weights := make([]uint32, validators)
	for i := range weights {
		weights[i] = 100 / uint32(validators)
	}
	w := &town{World: rulestest.FoundWith(t, func(made *governancev1.Genesis) {
		made.TimeMs = time.Now().Add(-time.Minute).UnixMilli()
		for i, v := range made.Validators {
			v.PublicKey, v.Sm2Key = ids[i].Validator[:], ids[i].SM2.Bytes()
		}
		g = made
	}, weights...)}
	w.Now = time.Now().UnixMilli()
	file := w.SignGenesis(g)
	w.genesis = file
	for i := range configs {
		for j, id := range ids {
			if j != i {
				configs[i].Peers = append(configs[i].Peers, id.NodeID+"@"+configs[j].Listen)
			}
		}
		if _, err := Init(configs[i].Home, file); err != nil {
			t.Fatal(err)
		}
	}
	return configs, w, g
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
