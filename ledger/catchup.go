package ledger

import (
	"sync"
	"time"

	"github.com/cometbft/cometbft/blocksync"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	blockproto "github.com/cometbft/cometbft/proto/tendermint/blocksync"
)

const (
	// fetching is the engine's reactor under which it fetches the blocks that a node has missed.
	fetching = "BLOCKSYNC"

	// stillAfter without a block is when none is being checked or on its way.
	stillAfter = time.Second

	// askedTwice is how many of the next blocks the engine asks of two peers
	// (minBlocksForSingleRequest in blocksync/pool.go).
	askedTwice = 50
)

// catchUp stands before the engine's fetching of blocks and mends what becomes of it in CometBFT
// v0.40.0 when a peer goes. The engine drops at once what that peer has sent.
//
//   - If the block that it is just checking is among it, the process ends (blocksync/pool.go:296). So a
//     peer's going is told while a block is carried out: the engine does one after the other.
//   - If another peer was asked too, the engine waits 30 seconds for what that one has sent already, and
//     for ever if those have passed. So that peer is asked again when nothing comes.
//
// TestPeersGoWhileANodeCatchesUp without the first: the process ended in three of eight runs; without the
// second: it stood still in four of four; with both, neither in nine.
type catchUp struct {
	p2p.Reactor
	peers  func() []p2p.Peer
	height func() int64 // of the state

	mu    sync.Mutex
	gone  []departure // not told yet
	told  bool        // something, and nobody was asked again since
	block time.Time   // when one was carried out
}

type departure struct {
	peer   p2p.Peer
	reason any
}

// newCatchUp puts a catchUp before the reactor of a node that has not started.
func newCatchUp(n *node.Node, height func() int64) *catchUp {
	inner, _ := n.Switch().Reactor(fetching)
	c := &catchUp{Reactor: inner, peers: n.Switch().Peers().Copy, height: height}
	node.CustomReactors(map[string]p2p.Reactor{fetching: c})(n)
	return c
}

// RemovePeer keeps what has happened until it can be told.
func (c *catchUp) RemovePeer(peer p2p.Peer, reason any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = append(c.gone, departure{peer, reason})
}

// carrying says that a block is being carried out.
func (c *catchUp) carrying() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.block = time.Now()
	c.tell()
}

// attend does what no block has brought about, until closing.
func (c *catchUp) attend(closing <-chan struct{}) {
	tick := time.NewTicker(stillAfter)
	defer tick.Stop()
	for {
		select {
		case <-closing:
			return
		case <-tick.C:
			c.still()
		}
	}
}

func (c *catchUp) still() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.block) < stillAfter {
		return
	}
	if c.told {
		c.askAgain()
	}
	c.told = false
	c.tell()
}

func (c *catchUp) tell() {
	for _, d := range c.gone {
		c.Reactor.RemovePeer(d.peer, d.reason)
	}
	c.told = c.told || len(c.gone) > 0
	c.gone = nil
}

// askAgain has the engine ask for the next blocks anew, as if each peer had said that it lacks them.
func (c *catchUp) askAgain() {
	next := c.height() + 1
	for _, peer := range c.peers() {
		for h := next; h < next+askedTwice; h++ {
			c.Receive(p2p.Envelope{ChannelID: blocksync.BlocksyncChannel, Src: peer, Message: &blockproto.NoBlockResponse{Height: h}})
		}
	}
}
