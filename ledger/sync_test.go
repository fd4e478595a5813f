package ledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// headerHash is what a light client would have verified.
func headerHash(t testing.TB, l *ledger.Ledger, height int64) [32]byte {
	t.Helper()
	h, err := l.Header(height)
	if err != nil {
		t.Fatal(err)
	}
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(h.LightBlock); err != nil {
		t.Fatal(err)
	}
	b, err := types.LightBlockFromProto(&pb)
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(b.Hash())
}

// newcomer makes the home of one more node of the chain.
func newcomer(t testing.TB, chain *ledgertest.Chain) ledger.Config {
	t.Helper()
	cfg := chain.Configs[0]
	genesis, err := ledger.ReadGenesis(cfg.Home)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Home, cfg.Listen, cfg.Peers, cfg.KeepBlocks, cfg.SnapshotEvery = filepath.Join(t.TempDir(), "new"), "127.0.0.1:0", nil, 0, 0
	for i, c := range chain.Configs {
		cfg.Peers = append(cfg.Peers, chain.IDs[i].NodeID+"@"+c.Listen)
	}
	if _, err := ledger.InitHome(cfg.Home); err != nil {
		t.Fatal(err)
	}
	if err := ledger.InstallGenesis(cfg.Home, genesis); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// fetch takes all chunks over.
func fetch(t testing.TB, s *ledger.Sync, from *ledger.Ledger) {
	t.Helper()
	for _, hash := range s.Chunks() {
		if s.Has(hash) {
			continue
		}
		chunk, err := from.SnapshotChunk(hash)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(hash, chunk); err != nil {
			t.Fatal(err)
		}
	}
}

func quiet(int, int) {}

// TestANewNodeBeginsWithASnapshot: the blocks are gone, and a fifth node has the state all
// the same, goes on with the others, and knows what was long ago.
func TestANewNodeBeginsWithASnapshot(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 2)
	for i := range chain.Configs {
		chain.Configs[i].KeepBlocks, chain.Configs[i].SnapshotEvery = 30, 10
	}
	ls := openAll(t, chain)
	old := submit(t, ls[0], ledgertest.Tx(t, "first", "of all"))
	for i := range 60 {
		submit(t, ls[i%2], ledgertest.Tx(t, fmt.Sprintf("k/%d", i%7), fmt.Sprint(i)))
	}
	last := submit(t, ls[0], ledgertest.Tx(t, "before", "the snapshot"))
	height, err := ls[0].TakeSnapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if height < last.Height {
		t.Fatalf("snapshot of height %d, the last transaction is in block %d", height, last.Height)
	}
	res, err := ls[0].Snapshot(height)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		last = submit(t, ls[1], ledgertest.Tx(t, "after", "the snapshot"))
	}
	cfg := newcomer(t, chain)
	s, err := ledger.NewSync(cfg, res, headerHash(t, ls[1], height+1))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := ledger.NewSync(cfg, res, headerHash(t, ls[1], height+1)); !fault.Is(err, fault.Locked) {
		t.Errorf("a second one at the same time: %v, want Locked", err)
	}
	fetch(t, s, ls[0])
	if err := s.Install(context.Background(), quiet); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.NewSync(cfg, res, headerHash(t, ls[1], height+1)); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("again: %v, want AlreadyExists", err)
	}
	if r, err := ledger.ReadRestoration(cfg.Home); err != nil || r != nil {
		t.Errorf("a new validator has to wait as after a restore: %+v, %v", r, err)
	}
	for range 2 { // and once more, for what the first start leaves behind
		l, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{})
		if err != nil {
			t.Fatal(err)
		}
		agree(t, []*ledger.Ledger{ls[0], ls[1], l}, last.Height)
		if got, ok, err := l.Tx(old.ID); err != nil || !ok || got.Height != old.Height {
			t.Errorf("the first transaction: %+v, %v, %v", got, ok, err)
		}
		if _, err := l.ProveEvent(0, 0); err != nil {
			t.Errorf("the first event: %v", err)
		}
		if err := l.State().Check(context.Background()); err != nil {
			t.Error(err)
		}
		last = submit(t, ls[0], ledgertest.Tx(t, "later", "on"))
		agree(t, []*ledger.Ledger{ls[0], ls[1], l}, last.Height)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	made, err := ls[1].Snapshot(0)
	if err != nil {
		t.Fatalf("the other node has made none by itself: %v", err)
	}
	both := &ledgerv1.Snapshot{}
	if err := proto.Unmarshal(made.GetSnapshot(), both); err != nil {
		t.Fatal(err)
	}
	if own, err := ls[0].Snapshot(both.GetHeight()); err == nil && string(own.GetSnapshot()) != string(made.GetSnapshot()) {
		t.Errorf("two nodes have different snapshots of height %d", both.GetHeight())
	}
}

// TestKeysThatWereThereBeforeAbstainAfterASnapshot: what a validator has signed since the
// snapshot is not in it. So one whose key may have signed begins as after a restore.
func TestKeysThatWereThereBeforeAbstainAfterASnapshot(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := openAll(t, chain)
	for i := range 8 {
		submit(t, ls[i%4], ledgertest.Tx(t, fmt.Sprintf("k/%d", i), "1"))
	}
	height, err := ls[0].TakeSnapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	res, err := ls[0].Snapshot(height)
	if err != nil {
		t.Fatal(err)
	}
	last := submit(t, ls[1], ledgertest.Tx(t, "after", "1"))
	agree(t, ls, last.Height)
	trusted := headerHash(t, ls[1], height+1)
	begin := func(cfg ledger.Config) *ledger.Restoration {
		t.Helper()
		s, err := ledger.NewSync(cfg, res, trusted)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fetch(t, s, ls[0])
		if err := s.Install(context.Background(), quiet); err != nil {
			t.Fatal(err)
		}
		r, err := ledger.ReadRestoration(cfg.Home)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	// The store of a validator is lost, with the file of its last vote.
	if err := ls[3].Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"store", "validator_state.json"} {
		if err := os.RemoveAll(filepath.Join(chain.Configs[3].Home, name)); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().UnixMilli()
	if r := begin(chain.Configs[3]); r == nil || r.Height != height || r.AtMs < before || r.Newest != 0 {
		t.Fatalf("a validator that has voted would vote at once: %+v", r)
	}
	l := chain.Open(t, 3)
	last = submit(t, ls[0], ledgertest.Tx(t, "later", "1"))
	agree(t, []*ledger.Ledger{ls[0], ls[1], ls[2], l}, last.Height)
	if r, err := ledger.ReadRestoration(chain.Configs[3].Home); err != nil || r == nil {
		t.Errorf("it votes already, at height %d: %+v, %v", last.Height, r, err)
	}

	// Keys of another machine are put into a home that made keys of its own.
	cfg := newcomer(t, chain)
	key, err := os.ReadFile(filepath.Join(chain.Configs[2].Home, "validator.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Home, "validator.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if begin(cfg) == nil {
		t.Error("a key that was copied there counts as unused")
	}
}

// TestALyingServerIsFoundOut: whatever is changed in a snapshot, no store comes of it.
func TestALyingServerIsFoundOut(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 2)
	ls := openAll(t, chain)
	for i := range 8 {
		submit(t, ls[i%2], ledgertest.Tx(t, fmt.Sprintf("k/%d", i), fmt.Sprint(i)))
	}
	height, err := ls[0].TakeSnapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	good, err := ls[0].Snapshot(height)
	if err != nil {
		t.Fatal(err)
	}
	trusted := headerHash(t, ls[0], height+1)
	cfg := newcomer(t, chain)
	for name, lie := range lies(t, good) {
		t.Run(name, func(t *testing.T) {
			res := proto.CloneOf(good)
			lie(res)
			if _, err := ledger.NewSync(cfg, res, trusted); !fault.Is(err, fault.VerificationFailed) {
				t.Errorf("%v, want VerificationFailed", err)
			}
		})
	}
	if _, err := ledger.NewSync(cfg, good, headerHash(t, ls[0], height)); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("with another header: %v, want VerificationFailed", err)
	}
	foreign := cfg
	foreign.ChainID = "another-chain"
	if _, err := ledger.NewSync(foreign, good, trusted); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("for another chain: %v, want VerificationFailed", err)
	}

	t.Run("chunk", func(t *testing.T) { lyingChunks(t, cfg, good, trusted, ls[0]) })

	// After all that the truth is installed.
	s, err := ledger.NewSync(cfg, good, trusted)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fetch(t, s, ls[0])
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Install(ended, quiet); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if err := s.Install(context.Background(), quiet); err != nil {
		t.Fatal(err)
	}
}

// lies are changes of what comes before the chunks.
func lies(t *testing.T, good *ledgerv1.GetSnapshotResponse) map[string]func(*ledgerv1.GetSnapshotResponse) {
	list := func(change func(*ledgerv1.Snapshot)) func(*ledgerv1.GetSnapshotResponse) {
		return func(res *ledgerv1.GetSnapshotResponse) {
			m := &ledgerv1.Snapshot{}
			if err := proto.Unmarshal(res.GetSnapshot(), m); err != nil {
				t.Error(err)
			}
			change(m)
			res.Snapshot, _ = proto.Marshal(m)
		}
	}
	out := map[string]func(*ledgerv1.GetSnapshotResponse){
		"height":    list(func(m *ledgerv1.Snapshot) { m.Height++ }),
		"version":   list(func(m *ledgerv1.Snapshot) { m.Version = 2 }),
		"chain":     list(func(m *ledgerv1.Snapshot) { m.ChainId = "another" }),
		"tree root": list(func(m *ledgerv1.Snapshot) { m.TreeRoot[3] ^= 1 }),
		"log root":  list(func(m *ledgerv1.Snapshot) { m.LogRoot = m.LogRoot[1:] }),
		"log size":  list(func(m *ledgerv1.Snapshot) { m.LogSize-- }),
		"no chunks": list(func(m *ledgerv1.Snapshot) { m.Records = nil }),
		"hash":      list(func(m *ledgerv1.Snapshot) { m.Records[0] = m.Records[0][:31] }),
		"too many":  list(func(m *ledgerv1.Snapshot) { m.Events = slices.Repeat(m.Records[:1], 100_001) }),
		"no list":   func(res *ledgerv1.GetSnapshotResponse) { res.Snapshot = []byte("list") },
		"turn": func(res *ledgerv1.GetSnapshotResponse) {
			var set cmtproto.ValidatorSet
			if err := set.Unmarshal(res.Validators[1]); err != nil {
				t.Error(err)
			}
			for _, v := range set.Validators {
				if string(v.Address) != string(set.Proposer.Address) {
					set.Proposer = v
					break
				}
			}
			res.Validators[1], _ = set.Marshal()
		},
		"huge power": func(res *ledgerv1.GetSnapshotResponse) {
			var set cmtproto.ValidatorSet
			if err := set.Unmarshal(res.Validators[0]); err != nil {
				t.Error(err)
			}
			for _, v := range set.Validators {
				v.VotingPower = 1 << 62
			}
			res.Validators[0], _ = set.Marshal()
		},
		"sets in another order": func(res *ledgerv1.GetSnapshotResponse) { res.Validators = res.Validators[:2] },
		"nothing":               func(res *ledgerv1.GetSnapshotResponse) { proto.Reset(res) },
	}
	for field, bytes := range map[string]func(*ledgerv1.GetSnapshotResponse) *[]byte{
		"block":       func(r *ledgerv1.GetSnapshotResponse) *[]byte { return &r.Block },
		"certificate": func(r *ledgerv1.GetSnapshotResponse) *[]byte { return &r.ExtendedCommit },
		"header":      func(r *ledgerv1.GetSnapshotResponse) *[]byte { return &r.LightBlock },
	} {
		n := len(*bytes(good))
		// Not at every byte: a commit may name a round or leave a vote out as it likes, as
		// long as the power is enough.
		for _, at := range []int{n / 7, n / 3} {
			out[fmt.Sprintf("%s, byte %d", field, at)] = func(res *ledgerv1.GetSnapshotResponse) { (*bytes(res))[at] ^= 0x11 }
		}
		out[field+" cut"] = func(res *ledgerv1.GetSnapshotResponse) { *bytes(res) = (*bytes(res))[:n/2] }
		out[field+" missing"] = func(res *ledgerv1.GetSnapshotResponse) { *bytes(res) = nil }
	}
	return out
}

// lyingChunks gives chunks that are not those of the list, and a list that fits false chunks.
func lyingChunks(t *testing.T, cfg ledger.Config, good *ledgerv1.GetSnapshotResponse, trusted [32]byte, l *ledger.Ledger) {
	s, err := ledger.NewSync(cfg, good, trusted)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	hash := s.Chunks()[0]
	chunk, err := l.SnapshotChunk(hash)
	if err != nil {
		t.Fatal(err)
	}
	unzip, _ := zstd.NewReader(nil)
	defer unzip.Close()
	zip, _ := zstd.NewWriter(nil)
	defer zip.Close()
	plain, err := unzip.DecodeAll(chunk, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain[len(plain)/2] ^= 1
	for name, lie := range map[string][]byte{
		"flipped": zip.EncodeAll(plain, nil), "bomb": zip.EncodeAll(make([]byte, 64<<20), nil), "nothing": nil, "no zstd": []byte("text"), "cut": chunk[:len(chunk)/2],
	} {
		if err := s.Add(hash, lie); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("%s: %v, want VerificationFailed", name, err)
		}
	}
	if s.Has(hash) {
		t.Error("a false chunk was kept")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The server lists its false chunk.
	plain[len(plain)/2] ^= 1
	at := slices.Index(plain, 'k') // the value of a record: the chunk can be read as before
	for i := range plain {
		if string(plain[i:min(len(plain), i+4)]) == "k/0\x01" {
			at = i + 4
		}
	}
	plain[at] ^= 1
	res, list := proto.CloneOf(good), &ledgerv1.Snapshot{}
	if err := proto.Unmarshal(res.GetSnapshot(), list); err != nil {
		t.Fatal(err)
	}
	list.Records[0] = sum(plain)
	res.Snapshot, _ = proto.Marshal(list)
	s, err = ledger.NewSync(cfg, res, trusted)
	if err != nil {
		t.Fatal(err) // so far it cannot be known
	}
	defer s.Close()
	if err := s.Add(sum(plain), zip.EncodeAll(plain, nil)); err != nil {
		t.Fatal(err)
	}
	fetch(t, s, l)
	if err := s.Install(context.Background(), quiet); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a false state: %v, want VerificationFailed", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Home, "store")); err == nil {
		t.Error("a false state became the node's")
	}
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

// TestPeersGoWhileANodeCatchesUp: a peer goes, and then the node itself, while blocks are
// fetched; see catchUp for what the engine makes of it.
func TestPeersGoWhileANodeCatchesUp(t *testing.T) {
	const blocks, rounds = 400, 3
	chain := ledgertest.NewChain(t, t.TempDir(), 2)
	ls := openAll(t, chain)
	var last *ledger.Committed
	for i := range blocks {
		last = submit(t, ls[0], ledgertest.Tx(t, fmt.Sprintf("k/%d", i%7), fmt.Sprint(i)))
	}
	cfg := newcomer(t, chain)
	open := func(cfg ledger.Config) *ledger.Ledger {
		l, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	shut := func(l *ledger.Ledger) {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for round := range int64(rounds) {
		l := open(cfg)
		reach(t, l, last.Height*(2*round+1)/(2*rounds))
		shut(ls[1])
		reach(t, l, last.Height*(2*round+2)/(2*rounds)-1)
		shut(l)
		ls[1] = open(chain.Configs[1])
	}
	agree(t, []*ledger.Ledger{ls[0], ls[1], open(cfg)}, last.Height)
}
