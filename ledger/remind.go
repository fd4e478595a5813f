package ledger

import (
	"slices"
	"time"

	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/p2p"
	protomem "github.com/cometbft/cometbft/proto/tendermint/mempool"
)

// remind sends the transactions that wait here to the peers again when no block has
// come for a while, until the ledger closes.
//
// The engine sends each of them once to each peer, and a chain that makes no empty
// blocks goes on only when more than 2/3 of the power know of one. A peer that is
// still catching up ignores it, one that is a block behind may refuse it, one that is
// full drops it; so that it would lie here until this node has its turn as proposer,
// which on a chain that sleeps is one heartbeat per validator away.
func (l *Ledger) remind() {
	tick := time.NewTicker(remindAfter / 4)
	defer tick.Stop()
	height, since, wait := int64(-1), time.Now(), remindAfter
	for turn := 0; ; {
		select {
		case <-l.closing:
			return
		case <-tick.C:
		}
		if l.gossip != nil {
			l.gossip.again()
		}
		if h := l.Height(); h != height || l.node.Mempool().Size() == 0 {
			height, since, wait = h, time.Now(), remindAfter
			continue
		}
		if time.Since(since) < wait {
			continue
		}
		l.sendAgain(turn)
		turn++
		since, wait = time.Now(), min(2*wait, remindMost)
	}
}

// sendAgain sends a few of the oldest transactions to each peer, as many as it takes
// without waiting; a peer that has them ignores them. turn moves on which comes first:
// one that all others refuse must not stand before the rest.
func (l *Ledger) sendAgain(turn int) {
	txs := l.node.Mempool().ReapMaxTxs(remindTxs)
	if len(txs) == 0 {
		return
	}
	first := turn % len(txs)
	txs = slices.Concat(txs[first:], txs[:first])
	for _, peer := range l.node.Switch().Peers().Copy() {
		for _, tx := range txs {
			if !peer.TrySend(p2p.Envelope{ChannelID: mempool.MempoolChannel, Message: &protomem.Txs{Txs: [][]byte{tx}}}) {
				break
			}
		}
	}
	l.log.Debug("no block comes; the peers are sent again what waits here", "height", l.Height(), "waiting", len(txs))
}
