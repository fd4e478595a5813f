package node

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	"mulian/internal/fault"
)

// liar is a server that passes on what another one says, changed.
type liar struct {
	ledgerv1connect.UnimplementedLedgerServiceHandler
	truth    *client.Client
	snapshot func(*ledgerv1.GetSnapshotResponse)
	chunk    func([]byte) []byte
}

func (l liar) GetSnapshot(ctx context.Context, req *connect.Request[ledgerv1.GetSnapshotRequest]) (*connect.Response[ledgerv1.GetSnapshotResponse], error) {
	res, err := l.truth.Ledger.GetSnapshot(ctx, connect.NewRequest(req.Msg))
	if err == nil && l.snapshot != nil {
		l.snapshot(res.Msg)
	}
	return res, err
}

func (l liar) GetSnapshotChunk(ctx context.Context, req *connect.Request[ledgerv1.GetSnapshotChunkRequest]) (*connect.Response[ledgerv1.GetSnapshotChunkResponse], error) {
	res, err := l.truth.Ledger.GetSnapshotChunk(ctx, connect.NewRequest(req.Msg))
	if err == nil && l.chunk != nil {
		res.Msg.Chunk = l.chunk(res.Msg.GetChunk())
	}
	return res, err
}

func (l liar) GetHeader(ctx context.Context, req *connect.Request[ledgerv1.GetHeaderRequest]) (*connect.Response[ledgerv1.GetHeaderResponse], error) {
	return l.truth.Ledger.GetHeader(ctx, connect.NewRequest(req.Msg))
}

func (l liar) serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(l))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// TestANewMemberBeginsAmongLiars: two of four servers lie and one is away. The new member has
// the state all the same, says who lied, catches up, and its index has all that ever
// happened, though no block of that time is left.
func TestANewMemberBeginsAmongLiars(t *testing.T) {
	if testing.Short() {
		t.Skip("a consortium: not beside the race detector's")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := gather(ctx, t)
	for range 30 {
		c.duty(ctx)
	}
	height, err := c.members[0].Node.Ledger().TakeSnapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.duty(ctx)
	}
	good := c.members[0].URL()
	truth := client.New(good)
	flipped := liar{truth: truth, chunk: func(b []byte) []byte { b = slices.Clone(b); b[len(b)/2] ^= 1; return b }}.serve(t)
	listed := liar{truth: truth, snapshot: func(res *ledgerv1.GetSnapshotResponse) {
		m := &ledgerv1.Snapshot{}
		if proto.Unmarshal(res.GetSnapshot(), m) == nil {
			_, _ = rand.Read(m.GetRecords()[0])
			res.Snapshot, _ = proto.Marshal(m)
		}
	}}.serve(t)
	cfg := c.configs[2]
	away := "http://" + freeAddress(t)
	c.refused(ctx, t, cfg.Home, flipped, listed, away)

	out, err := Sync(ctx, SyncConfig{Home: cfg.Home, Servers: []string{listed, flipped, away, good}, Logger: cfg.Logger})
	if err != nil {
		t.Fatal(err)
	}
	if out.Height != height {
		t.Errorf("height %d, the snapshot has %d", out.Height, height)
	}
	said := map[string]fault.Code{}
	for _, l := range out.Refused {
		said[l.Server] = fault.CodeOf(l.Err)
	}
	if said[away] != fault.Unreachable || said[good] != 0 {
		t.Errorf("refused: %v", said)
	}
	if _, err := Sync(ctx, SyncConfig{Home: cfg.Home, Servers: []string{good}}); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("again: %v, want AlreadyExists", err)
	}
	m := c.run(ctx, t, cfg)
	c.alike(ctx, t, m)
}

// refused tries what must not give a store.
func (c *crowd) refused(ctx context.Context, t *testing.T, home, flipped, listed, away string) {
	t.Helper()
	truth := client.New(c.members[0].URL())
	forged := liar{truth: truth, snapshot: func(res *ledgerv1.GetSnapshotResponse) {
		b := &ledgerv1.LightBlock{}
		if proto.Unmarshal(res.GetLightBlock(), b) == nil {
			b.GetSignedHeader().GetHeader().AppHash[0] ^= 1
			res.LightBlock, _ = proto.Marshal(b)
		}
	}}.serve(t)
	for name, try := range map[string]struct {
		servers []string
		trust   int64
		hash    [32]byte
		want    fault.Code
	}{
		"a flipped bit":          {servers: []string{flipped}, want: fault.VerificationFailed},
		"a false list":           {servers: []string{listed}, want: fault.Unreachable}, // it has no such chunk
		"a forged header":        {servers: []string{forged}, want: fault.VerificationFailed},
		"only liars":             {servers: []string{flipped, listed, forged, away}, want: fault.VerificationFailed},
		"nobody":                 {servers: []string{away}, want: fault.Unreachable},
		"no servers":             {want: fault.Usage},
		"another checkpoint":     {servers: []string{c.members[0].URL()}, trust: c.tip(ctx) - 1, hash: [32]byte{1}, want: fault.VerificationFailed},
		"a checkpoint behind it": {servers: []string{c.members[0].URL()}, trust: c.tip(ctx), hash: c.hash(ctx, c.tip(ctx)), want: fault.VerificationFailed},
	} {
		_, err := Sync(ctx, SyncConfig{Home: home, Servers: try.servers, TrustHeight: try.trust, TrustHash: try.hash, Logger: c.configs[0].Logger})
		if !fault.Is(err, try.want) {
			t.Errorf("%s: %v, want %v", name, err, try.want)
		}
		if there, _ := filepath.Glob(filepath.Join(home, "store")); len(there) > 0 {
			t.Fatalf("%s: a store came of it", name)
		}
	}
}

// crowd is two members that validate, and the directory of a third.
type crowd struct {
	*council
	configs []Config
}

func gather(ctx context.Context, t *testing.T) *crowd {
	t.Helper()
	configs, w, g := found(t, 3, 2)
	c := &crowd{council: &council{t: t, town: w, founded: g, org: w.Authority}, configs: configs}
	for i := range 2 {
		configs[i].KeepBlocks, configs[i].SnapshotEvery = 20, -1
		m := c.run(ctx, t, configs[i])
		c.members, c.api = append(c.members, m), append(c.api, client.New(m.URL()))
	}
	return c
}

// run starts a member until the test ends.
func (c *crowd) run(ctx context.Context, t *testing.T, cfg Config) *Member {
	t.Helper()
	m, err := OpenMember(ctx, MemberConfig{Node: cfg, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(run) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m
}

func (c *crowd) tip(ctx context.Context) int64 {
	s, err := c.api[0].Status(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.GetHeight()
}

func (c *crowd) hash(ctx context.Context, height int64) [32]byte {
	b, err := lightBlock(ctx, c.api[0], height)
	if err != nil {
		c.t.Fatal(err)
	}
	return light.HeaderHash(b.GetSignedHeader().GetHeader())
}

// alike waits until the new member is where the others are, and compares what they tell.
func (c *crowd) alike(ctx context.Context, t *testing.T, m *Member) {
	t.Helper()
	own := client.New(m.URL())
	last := c.duty(ctx)
	for {
		a, err := c.api[0].Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		b, err := own.Status(ctx)
		if err == nil && b.GetHeight() == a.GetHeight() && b.GetIndexed() == b.GetEvents() {
			if string(a.GetAppHash()) != string(b.GetAppHash()) || a.GetEvents() != b.GetEvents() {
				t.Fatalf("%v, and the new member %v", a, b)
			}
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the new member does not catch up: %v, %v", b, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	for from := int64(0); ; {
		req := &ledgerv1.ListEventsRequest{From: from, Limit: 100}
		a, err := c.api[0].Ledger.ListEvents(ctx, connect.NewRequest(req))
		if err != nil {
			t.Fatal(err)
		}
		b, err := own.Ledger.ListEvents(ctx, connect.NewRequest(req))
		if err != nil || !proto.Equal(a.Msg, b.Msg) {
			t.Fatalf("events from %d: %v", from, err)
		}
		if from = a.Msg.GetNext(); from == a.Msg.GetSize() {
			break
		}
	}
	read := own.Verify(&client.Genesis{Genesis: c.founded})
	for _, id := range []string{c.org + ":1", last} {
		var any ledgerv1.Object // the proof is what counts
		if found, _, err := read.Get(ctx, "catalogue/duty/"+id, &any); !found || err != nil {
			t.Errorf("duty %s: %v, %v", id, found, err)
		}
	}
}
