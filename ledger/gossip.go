package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/p2p"
	protomem "github.com/cometbft/cometbft/proto/tendermint/mempool"
)

// How transactions travel between nodes; our own choices.
const (
	// gossipBytes and gossipTxs bound one message, gossipEvery is the least time between
	// two to one peer: what comes meanwhile goes together. The engine's connections
	// write every 2 ms anyway.
	gossipBytes = 64 << 10
	gossipTxs   = 256
	gossipEvery = 3 * time.Millisecond
	// gossipKept bounds what waits for one peer; the oldest go first: it is slow, or gone.
	gossipKept = 4 * maxPending
	// againAfter is how long a transaction waits until it is sent again, the oldest
	// remindTxs of them each time; well above what one waits on a busy chain.
	againAfter = 4 * time.Second
	// gossipQueue is how many messages wait to be checked; then the connection waits.
	gossipQueue = 64
	// heardBytes is how much of a peer's id stands in a message, maxHeard how many do.
	heardBytes = 8
	maxHeard   = 512
)

// heardMark begins the first element of a message; no transaction begins so.
var heardMark = []byte("\x00heard\x00")

// gossip brings transactions to the peers, in the place of the engine's own way, which
// sends each by itself to everybody and gets it back from everybody: with four nodes on two
// processors this took a third of all the time (docs/performance.md). Here
//
//   - what waits goes together in one message;
//   - the message says to whom it goes, so that none of these sends it on to another of them;
//     where not all nodes are connected with each other, it goes on to those who are missing;
//   - signatures are looked at beside the connection, which also carries votes, on all
//     processors.
//
// A node that says it sent something and did not harms nobody but who sends through it: a
// validator that has a transaction proposes it when its turn comes, and [Ledger.remind]
// sends again when no blocks come.
type gossip struct {
	p2p.BaseReactor
	app  *app
	pool mempool.Mempool // set before the node starts
	wait func() bool     // the node is still catching up; set likewise
	self string          // heard of this node

	work chan received

	came, twice atomic.Int64 // transactions of peers; those that were here already

	mu    sync.Mutex
	items map[[32]byte]*item   // what waits, by SHA-256; guarded by mu, as all below
	order []*item              // the same, as they came, with some that are gone
	peers map[p2p.ID]*outgoing // who is connected
	all   *names               // of peers; nil when they have changed
}

// names are the nodes that have a transaction, or are being sent it by somebody. They are
// shared by many items, never changed, and the same only if they are one.
type names struct{ set map[string]bool }

// item is a transaction that waits for a block.
type item struct {
	raw   []byte
	sum   [32]byte
	heard *names
	since time.Time // when it came, or was sent again
	gone  bool      // in a block, or dropped
}

// outgoing is what one peer will be sent.
type outgoing struct {
	peer  p2p.Peer
	name  string
	items []*item       // guarded by gossip.mu
	wake  chan struct{} // one place
}

// received is a message that waits to be checked.
type received struct {
	txs   [][]byte
	heard []string
}

func newGossip(a *app, self p2p.ID) *gossip {
	g := &gossip{app: a, self: heardOf(self), work: make(chan received, gossipQueue), items: map[[32]byte]*item{}, peers: map[p2p.ID]*outgoing{}}
	g.BaseReactor = *p2p.NewBaseReactor("Gossip", g)
	return g
}

// heardOf is what stands for a node in a message.
func heardOf(id p2p.ID) string {
	b, err := hex.DecodeString(string(id))
	if err != nil || len(b) < heardBytes {
		return string(id)
	}
	return string(b[:heardBytes])
}

// OnStart implements p2p.Reactor.
func (g *gossip) OnStart() error {
	go g.check()
	return nil
}

// GetChannels implements p2p.Reactor: the engine's own channel and message.
func (g *gossip) GetChannels() []*p2p.ChannelDescriptor {
	return []*p2p.ChannelDescriptor{{
		ID: mempool.MempoolChannel, Priority: 5, RecvMessageCapacity: MaxTxBytes + gossipBytes + 1024, MessageType: &protomem.Message{},
	}}
}

// AddPeer implements p2p.Reactor: a new peer gets all that waits.
func (g *gossip) AddPeer(peer p2p.Peer) {
	o := &outgoing{peer: peer, name: heardOf(peer.ID()), wake: make(chan struct{}, 1)}
	g.mu.Lock()
	g.peers[peer.ID()], g.all = o, nil
	for _, it := range g.order {
		if !it.gone {
			o.items = append(o.items, it)
		}
	}
	g.mu.Unlock()
	o.signal()
	go g.send(o)
}

// RemovePeer implements p2p.Reactor.
func (g *gossip) RemovePeer(peer p2p.Peer, _ any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o := g.peers[peer.ID()]; o != nil && o.peer == peer {
		delete(g.peers, peer.ID())
		g.all = nil
	}
}

// Receive implements p2p.Reactor.
func (g *gossip) Receive(e p2p.Envelope) {
	msg, ok := e.Message.(*protomem.Txs)
	if !ok || g.wait() {
		return
	}
	r := received{txs: msg.GetTxs(), heard: []string{heardOf(e.Src.ID())}}
	if len(r.txs) > 0 && bytes.HasPrefix(r.txs[0], heardMark) {
		names := r.txs[0][len(heardMark):]
		for r.txs = r.txs[1:]; len(names) >= heardBytes && len(r.heard) < maxHeard; names = names[heardBytes:] {
			r.heard = append(r.heard, string(names[:heardBytes]))
		}
	}
	if len(r.txs) == 0 || len(r.txs) > gossipTxs {
		return
	}
	select {
	case g.work <- r:
	case <-g.Quit():
	}
}

// check looks at what was received and sends it on.
func (g *gossip) check() {
	for {
		select {
		case r := <-g.work:
			g.take(r)
		case <-g.Quit():
			return
		}
	}
}

// take checks signatures on all processors, then hands the transactions to the mempool in
// their order.
func (g *gossip) take(r received) {
	sums := make([][32]byte, len(r.txs))
	var fresh []int
	g.came.Add(int64(len(r.txs)))
	for i, tx := range r.txs {
		sums[i] = sha256.Sum256(tx)
		if !g.app.admitted.has(sums[i]) {
			fresh = append(fresh, i)
		}
	}
	bad := make([]bool, len(r.txs))
	var all sync.WaitGroup
	for part := range slices.Chunk(fresh, max(1, (len(fresh)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))) {
		all.Go(func() {
			for _, i := range part {
				id, err := g.app.machine.ID(r.txs[i])
				if err == nil {
					err = g.app.admit(r.txs[i], sums[i], id, g.app.verdicts.check, peerShare)
				}
				bad[i] = err != nil
			}
		})
	}
	all.Wait()
	var heard *names
	for i, tx := range r.txs {
		if bad[i] {
			continue
		}
		if heard == nil {
			heard = g.with(r.heard)
		}
		it := g.hold(tx, sums[i], heard)
		if it == nil {
			g.twice.Add(1)
			continue
		}
		taken := false // set before CheckTx returns: the app is in this process
		err := g.pool.CheckTx(tx, func(res *abci.ResponseCheckTx) { taken = res.Code == abci.CodeTypeOK }, mempool.TxInfo{})
		if err != nil || !taken { // there is no room, or it is in a block
			g.drop(it)
			g.app.shares.give(sums[i])
			continue
		}
		g.pass(it, r.heard)
	}
}

// with returns all peers and those who were named.
func (g *gossip) with(heard []string) *names {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = &names{map[string]bool{}}
		for _, o := range g.peers {
			g.all.set[o.name] = true
		}
	}
	missing := func(name string) bool { return !g.all.set[name] && name != g.self }
	if !slices.ContainsFunc(heard, missing) {
		return g.all
	}
	both := &names{maps.Clone(g.all.set)}
	for _, name := range heard {
		if len(both.set) < maxHeard {
			both.set[name] = true
		}
	}
	return both
}

// hold notes a transaction that goes into the mempool now, before a block can have it. nil:
// it is here already. heard is who has it when it was passed on ([gossip.with]).
func (g *gossip) hold(raw []byte, sum [32]byte, heard *names) *item {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.items[sum] != nil {
		return nil
	}
	it := &item{raw: raw, sum: sum, heard: heard, since: time.Now()}
	g.items[sum] = it
	g.order = append(g.order, it)
	return it
}

// drop forgets what did not come into the mempool.
func (g *gossip) drop(it *item) {
	g.mu.Lock()
	defer g.mu.Unlock()
	it.gone = true
	if g.items[it.sum] == it {
		delete(g.items, it.sum)
	}
}

// pass sends what is in the mempool to those peers of whom had does not say that they have
// it.
func (g *gossip) pass(it *item, had []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if it.gone { // in a block since
		return
	}
	for _, o := range g.peers {
		if !slices.Contains(had, o.name) {
			o.add(it)
		}
	}
}

// add queues an item for the peer. The caller holds gossip.mu.
func (o *outgoing) add(it *item) {
	if len(o.items) >= gossipKept {
		o.items = o.items[1:]
	}
	o.items = append(o.items, it)
	o.signal()
}

// again sends everybody the oldest of what has waited for long: a peer that was full, or a
// block behind, has dropped it, and no block comes with it if none that has it proposes one.
func (g *gossip) again() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, sent := time.Now(), 0
	for _, it := range g.order {
		if it.gone || now.Sub(it.since) < againAfter {
			continue
		}
		it.since = now
		for _, o := range g.peers {
			o.add(it)
		}
		if sent++; sent >= remindTxs {
			return
		}
	}
}

func (o *outgoing) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// done forgets what is in a block. If no more than these have waited it forgets all: also
// what the engine has dropped without a word.
func (g *gossip) done(block []doneTx, waited int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range block {
		if it := g.items[block[i].raw]; it != nil {
			it.gone = true
			delete(g.items, block[i].raw)
		}
	}
	if waited <= len(block) {
		clear(g.items)
		g.order = nil
		return
	}
	for len(g.order) > 0 && g.order[0].gone {
		g.order = g.order[1:]
	}
	if len(g.order) > 2*len(g.items)+gossipTxs {
		g.order = slices.DeleteFunc(slices.Clone(g.order), func(it *item) bool { return it.gone })
	}
}

// send brings one peer what waits for it until it is gone.
func (g *gossip) send(o *outgoing) {
	for {
		select {
		case <-o.wake:
		case <-o.peer.Quit():
			return
		case <-g.Quit():
			return
		}
		for msg := g.next(o); msg != nil; msg = g.next(o) {
			for !o.peer.Send(p2p.Envelope{ChannelID: mempool.MempoolChannel, Message: msg}) {
				if !o.peer.IsRunning() || !g.IsRunning() {
					return
				}
				time.Sleep(gossipEvery)
			}
			time.Sleep(gossipEvery)
		}
	}
}

// next makes the next message for the peer; nil if there is nothing. All of its
// transactions were heard by the same.
func (g *gossip) next(o *outgoing) *protomem.Txs {
	g.mu.Lock()
	defer g.mu.Unlock()
	txs := [][]byte{nil}
	var heard *names
	size, n := 0, 0
	for _, it := range o.items {
		if it.gone {
			n++
			continue
		}
		if len(txs) > 1 && (size+len(it.raw) > gossipBytes || len(txs) >= gossipTxs || heard != it.heard) {
			break
		}
		heard = it.heard
		txs, size, n = append(txs, it.raw), size+len(it.raw), n+1
	}
	if o.items = o.items[n:]; len(o.items) == 0 {
		o.items = nil
	}
	if len(txs) == 1 {
		return nil
	}
	first := append(make([]byte, 0, len(heardMark)+(len(heard.set)+1)*heardBytes), heardMark...)
	first = append(first, g.self...)
	for name := range heard.set {
		if len(name) == heardBytes && name != g.self {
			first = append(first, name...)
		}
	}
	txs[0] = first
	return &protomem.Txs{Txs: txs}
}
