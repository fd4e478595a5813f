package ledger

import (
	"slices"
	"testing"

	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/mock"
	blockproto "github.com/cometbft/cometbft/proto/tendermint/blocksync"
)

// heard is an engine's fetching that notes what reaches it.
type heard struct {
	p2p.Reactor
	gone  []p2p.ID
	lacks []int64 // heights that a peer is said to lack
}

func (h *heard) RemovePeer(peer p2p.Peer, _ any) { h.gone = append(h.gone, peer.ID()) }

func (h *heard) Receive(e p2p.Envelope) {
	h.lacks = append(h.lacks, e.Message.(*blockproto.NoBlockResponse).Height)
}

// TestAPeersGoingIsToldBetweenTwoChecks holds the order that TestPeersGoWhileANodeCatchesUp meets
// by chance only: nothing is told while a block may be checked.
func TestAPeersGoingIsToldBetweenTwoChecks(t *testing.T) {
	one, other := mock.NewPeer(nil), mock.NewPeer(nil)
	var engine heard
	c := &catchUp{Reactor: &engine, peers: func() []p2p.Peer { return []p2p.Peer{other} }, height: func() int64 { return 7 }}
	expect := func(when string, gone, asked int) {
		t.Helper()
		if len(engine.gone) != gone || len(engine.lacks) != asked {
			t.Errorf("%s: the engine has heard of %d that have gone and was told to ask for %d blocks, want %d and %d", when, len(engine.gone), len(engine.lacks), gone, asked)
		}
	}
	pause := func() { c.block = c.block.Add(-stillAfter) }

	c.carrying()
	c.RemovePeer(one, nil)
	expect("a peer has gone", 0, 0)
	c.still()
	expect("blocks come", 0, 0)
	c.carrying()
	expect("a block is carried out", 1, 0)
	c.carrying()
	c.still()
	expect("blocks still come", 1, 0)
	pause()
	c.still()
	expect("none has come for a while", 1, askedTwice)
	if want := []int64{8, 9, 10}; !slices.Equal(engine.lacks[:3], want) {
		t.Errorf("asked again from %v, want %v", engine.lacks[:3], want)
	}
	c.still()
	expect("nor after that", 1, askedTwice)
	c.RemovePeer(other, nil)
	c.still()
	expect("another goes when nothing comes", 2, askedTwice)
	c.still()
	expect("and nothing comes", 2, 2*askedTwice)
}
