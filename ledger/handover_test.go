package ledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/client/prooffile"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/gen/mulian/trace/v1/tracev1connect"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
	"mulian/state"
	"mulian/state/machine"
	"mulian/state/proof"
)

// A signedMachine begins with a genesis that founders have signed, as a real chain does,
// so that files of it can be verified; else it is that of ledgertest.
type signedMachine struct{ ledgertest.Machine }

func (signedMachine) Genesis(tx *state.Tx, _ machine.Env, signed []byte) ([]machine.Validator, error) {
	g, err := client.ParseGenesis(signed)
	if err != nil {
		return nil, err
	}
	tx.Put([]byte("begun"), []byte("yes"), state.Proved)
	var out []machine.Validator
	for _, v := range g.GetValidators() {
		out = append(out, machine.Validator{PublicKey: [32]byte(v.GetPublicKey()), Power: int64(v.GetPower())})
	}
	return out, nil
}

// handover is a chain of real nodes, of which the first few are its first validators.
type handover struct {
	nodes   []*ledger.Ledger
	ids     []ledger.Identity
	genesis []byte
}

func newHandover(t *testing.T, first, all int) *handover {
	t.Helper()
	h := &handover{}
	began := time.Now().Add(-time.Minute).UnixMilli()
	var configs []ledger.Config
	for i := range all {
		home := filepath.Join(t.TempDir(), fmt.Sprintf("node%d", i))
		id, err := ledger.InitHome(home)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		h.ids = append(h.ids, id)
		configs = append(configs, ledger.Config{
			Home: home, ChainID: ledgertest.ChainID, GenesisTimeMs: began, Listen: l.Addr().String(), Heartbeat: 2 * time.Second,
			Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})).With("node", i),
		})
	}
	h.genesis = signedGenesis(t, h.ids[:first], began)
	for i := range configs {
		if err := ledger.InstallGenesis(configs[i].Home, h.genesis); err != nil {
			t.Fatal(err)
		}
		for j, c := range configs {
			if j != i {
				configs[i].Peers = append(configs[i].Peers, h.ids[j].NodeID+"@"+c.Listen)
			}
		}
		n, err := ledger.Open(context.Background(), configs[i], signedMachine{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		h.nodes = append(h.nodes, n)
	}
	return h
}

func signedGenesis(t *testing.T, ids []ledger.Identity, began int64) []byte {
	t.Helper()
	const founder = "11110000MULN00010J"
	root, err := sm.FromSeed(sm.SM2, sha256.Sum256([]byte(founder)))
	if err != nil {
		t.Fatal(err)
	}
	g := &governancev1.Genesis{ChainId: ledgertest.ChainID, TimeMs: began, Founders: []*governancev1.Founder{{
		Code: founder, Weight: 1, Profile: &identityv1.OrgProfile{Name: "演示市数据局"},
		Keys: []*identityv1.Key{client.PublicKey(root.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
	}}}
	for i, id := range ids {
		g.Validators = append(g.Validators, &governancev1.Validator{PublicKey: id.Validator[:], Power: 10, Org: founder, Name: fmt.Sprint(i), Sm2Key: id.SM2.Bytes()})
	}
	file, err := client.SignGenesis(g, client.Signer{Account: founder, Key: root})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// vote changes a validator's power and waits until the new set has made a block.
func (h *handover) vote(t *testing.T, who int, power int64) {
	t.Helper()
	c := submit(t, h.nodes[who], ledgertest.Tx(t, "vote", fmt.Sprintf("validator %x %d", h.ids[who].Validator, power)))
	for range 3 { // in force two blocks later
		c = submit(t, h.nodes[who], ledgertest.Tx(t, "filler", hex.EncodeToString(h.ids[who].Validator[:4])))
	}
	for _, n := range h.nodes {
		reach(t, n, c.Height)
	}
}

// serve is the little of the HTTP door that a maker of proof files needs.
type serve struct {
	ledgerv1connect.UnimplementedLedgerServiceHandler
	tracev1connect.UnimplementedTraceServiceHandler
	l *ledger.Ledger
}

func (s serve) GetObject(_ context.Context, r *connect.Request[ledgerv1.GetObjectRequest]) (*connect.Response[ledgerv1.GetObjectResponse], error) {
	p, err := s.l.ProveKey([]byte(r.Msg.GetKey()))
	if err != nil {
		return nil, err
	}
	out := &ledgerv1.GetObjectResponse{Value: p.Value, Found: p.Exists, Height: p.Height, Proof: &ledgerv1.StateProof{
		Height: p.Height, TreeRoot: p.TreeRoot[:], LogRoot: p.LogRoot[:], LogSize: p.LogSize, Exists: p.Exists, Depth: uint32(p.Depth), Bitmap: p.Bitmap,
	}}
	for _, x := range p.Siblings {
		out.Proof.Siblings = append(out.Proof.Siblings, x[:])
	}
	if p.Other != nil {
		out.Proof.OtherKeyHash, out.Proof.OtherValueHash = p.Other.KeyHash[:], p.Other.ValueHash[:]
	}
	return connect.NewResponse(out), nil
}

func (s serve) GetHeader(_ context.Context, r *connect.Request[ledgerv1.GetHeaderRequest]) (*connect.Response[ledgerv1.GetHeaderResponse], error) {
	h, err := s.l.Header(r.Msg.GetHeight())
	if fault.Is(err, fault.NotFound) {
		return nil, connect.NewError(connect.CodeNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&ledgerv1.GetHeaderResponse{LightBlock: h.LightBlock, Height: h.Height}), nil
}

func (s serve) GetStatus(context.Context, *connect.Request[ledgerv1.GetStatusRequest]) (*connect.Response[ledgerv1.GetStatusResponse], error) {
	return connect.NewResponse(&ledgerv1.GetStatusResponse{ChainId: ledgertest.ChainID, Height: s.l.Height()}), nil
}

func (s serve) ProveEvent(_ context.Context, r *connect.Request[ledgerv1.ProveEventRequest]) (*connect.Response[ledgerv1.ProveEventResponse], error) {
	p, err := s.l.ProveEvent(r.Msg.GetSeq(), r.Msg.GetSize())
	if err != nil {
		return nil, err
	}
	root, err := proof.RootFromPath(proof.EventLeaf(p.Event), p.Seq, p.Size, p.Path)
	if err != nil {
		return nil, err
	}
	out := &ledgerv1.ProveEventResponse{Event: p.Event, Seq: p.Seq, Size: p.Size, Height: p.Height, TreeRoot: p.TreeRoot[:], LogRoot: root[:]}
	for _, h := range p.Path {
		out.Hashes = append(out.Hashes, h[:])
	}
	return connect.NewResponse(out), nil
}

func (serve) Trace(context.Context, *connect.Request[tracev1.TraceRequest]) (*connect.Response[tracev1.TraceResponse], error) {
	return nil, connect.NewError(connect.CodeNotFound, fault.Newf(fault.NotFound, "this node keeps no index"))
}

func (h *handover) maker(t *testing.T) *prooffile.Maker {
	t.Helper()
	mux := http.NewServeMux()
	s := serve{l: h.nodes[len(h.nodes)-1]}
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(s))
	mux.Handle(tracev1connect.NewTraceServiceHandler(s))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m, err := prooffile.NewMaker(client.New(server.URL), h.genesis)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestProofsOutliveTheFirstValidators: real nodes replace each other one by one until none
// of the first is left. What was written before is proved from the genesis and from a
// checkpoint of each step; and of every block the engine's light client says the same as ours.
func TestProofsOutliveTheFirstValidators(t *testing.T) {
	const first, all = 2, 4
	h := newHandover(t, first, all)
	agreed := submit(t, h.nodes[0], ledgertest.Tx(t, "share/agreement/1", "agreed"))
	reach(t, h.nodes[all-1], agreed.Height) // who is asked for proofs
	m := h.maker(t)
	ctx := context.Background()
	points := []prooffile.Checkpoint{point(t, m)}
	for i := range first { // one comes, one goes
		h.vote(t, first+i, 10)
		h.vote(t, i, 0)
		points = append(points, point(t, m))
	}
	last := lightBlocks(t, h.nodes[all-1])
	for _, v := range last[len(last)-1].ValidatorSet.Validators {
		for _, id := range h.ids[:first] {
			if string(v.Address) == string(addressOf(id.Validator)) {
				t.Fatal("one of the first validators is still there")
			}
		}
	}
	for key, kind := range map[string]string{"share/agreement/1": "object", "share/agreement/2": "absence"} {
		file, err := m.State(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		r := m.Verify(file)
		if !r.OK || r.Kind != kind || r.Object != key {
			t.Errorf("%s from the genesis: %+v", key, r)
		}
		t.Logf("%s from the genesis: %d bytes", kind, len(file))
		for _, c := range points {
			from, err := m.From(c)
			if err != nil {
				t.Fatal(err)
			}
			if file, err = from.State(ctx, key); err != nil {
				t.Fatal(err)
			}
			if r := prooffile.VerifyFrom(file, c); !r.OK || r.Kind != kind {
				t.Errorf("%s from the checkpoint of %d: %+v", key, c.Height, r)
			}
		}
	}
	accepted, refused := bothAgree(t, 20261122, ledgertest.ChainID, last, 300)
	t.Logf("%d blocks of a real chain: %d accepted, %d refused by both light clients", len(last), accepted, refused)
	if accepted < 5 || refused < 100 {
		t.Errorf("%d accepted, %d refused", accepted, refused)
	}
}

func point(t *testing.T, m *prooffile.Maker) prooffile.Checkpoint {
	t.Helper()
	c, err := m.Checkpoint(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
