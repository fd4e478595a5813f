package trial

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/node"
)

// TestADoubleSignerIsProvedAndLosesItsPower: somebody runs a second process with the key of
// one validator. The two sign different things at one height; the others keep both
// signatures, a block brings them to the rules, and the validator is one no more. The
// three go on, and the proof is on the ledger.
func TestADoubleSignerIsProvedAndLosesItsPower(t *testing.T) {
	g := newGround(t, needs{twin: true})
	guilty := 1 + g.rand.IntN(4)
	honest := others(guilty)
	twin := g.twin(guilty)
	var proof governancev1.Misbehaviour
	g.load.run()
	began := time.Now()
	p := g.launch(twin)
	defer p.Kill()
	g.until("the misbehaviour is on the ledger", func() bool {
		res, err := g.client(honest[0]).Ledger.ListObjects(g.Context(), connect.NewRequest(&ledgerv1.ListObjectsRequest{Prefix: "governance/misbehaviour/"}))
		if err != nil || len(res.Msg.GetObjects()) == 0 {
			return false
		}
		if err := proto.Unmarshal(res.Msg.GetObjects()[0].GetValue(), &proof); err != nil {
			t.Fatal(err)
		}
		return true
	})
	t.Logf("member %d signed twice at height %d, proved at %d, %s after its twin was started", guilty, proof.GetHeight(), proof.GetProvedHeight(), time.Since(began).Round(10*time.Millisecond))
	if proof.GetOrg() != g.net.Members[guilty-1].Org || proof.GetWrong() != governancev1.Wrong_WRONG_DOUBLE_SIGN || proof.GetConsequence() != governancev1.Consequence_CONSEQUENCE_REMOVED {
		t.Errorf("on the ledger: %v", &proof)
	}
	g.until("three validators are left", func() bool {
		s, err := g.client(honest[0]).Status(g.Context())
		return err == nil && s.GetValidators() == 3
	})
	p.Kill()
	g.advance(5, 1, 2, 3, 4)
	g.alive()
	g.load.stop()
	g.check()
	for _, m := range honest {
		res, err := g.client(m).Governance.GetConsortium(g.Context(), connect.NewRequest(&governancev1.GetConsortiumRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Msg.GetMisbehaviours()) == 0 || len(res.Msg.GetValidators()) != 3 || len(res.Msg.GetMembers()) != 4 {
			t.Errorf("member %d shows %d misbehaviours, %d validators, %d members", m, len(res.Msg.GetMisbehaviours()), len(res.Msg.GetValidators()), len(res.Msg.GetMembers()))
		}
	}
}

// twin makes a home for a second process with the keys of a member's validator, a node of
// its own, and no memory of what was signed.
func (g *ground) twin(m int) Member {
	g.Helper()
	like := g.net.Members[m-1]
	twin := Member{Number: 5, Org: like.Org, Home: filepath.Join(filepath.Dir(like.Home), "twin")}
	dir := filepath.Join(twin.Home, nodeDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		g.Fatal(err)
	}
	for _, key := range []string{"validator.pem", "sm2.pem"} {
		raw, err := os.ReadFile(filepath.Join(g.node(m), key))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, key), raw, 0o600)
		}
		if err != nil {
			g.Fatal(err)
		}
	}
	genesis, err := os.ReadFile(filepath.Join(like.Home, genesisFile))
	if err != nil {
		g.Fatal(err)
	}
	id, err := node.Init(dir, genesis)
	if err != nil {
		g.Fatal(err)
	}
	place := g.lines.places()[4]
	twin.URL, twin.Node = "http://"+place.Server, id.NodeID+"@"+place.Node
	var c memberConfig
	c.Listen, c.Node.Listen = place.Server, place.Node
	for _, other := range others(m) {
		name, _, _ := strings.Cut(g.net.Members[other-1].Node, "@")
		c.Node.Peers = append(c.Node.Peers, name+"@"+g.lines.via(5, other))
	}
	raw, err := yaml.Marshal(&c)
	if err != nil {
		g.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(twin.Home, configFile), raw, 0o600); err != nil {
		g.Fatal(err)
	}
	return twin
}
