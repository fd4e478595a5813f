package ledger

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"mulian/internal/fault"
)

// redialEvery is how often a missing peer is dialled. The engine tries for two
// minutes, then waits longer and longer, up to sixteen hours, and gives up: after a
// long cut of the line a chain would stand still.
const redialEvery = 5 * time.Second

// door decides who may connect.
type door struct {
	closed atomic.Bool // nobody any more: the node is stopping
	only   []string    // node ids; nil = whoever has the same genesis
}

// Query answers the engine's questions about connections; the engine's own reading
// of the state is not used, for it would wait for the blocks.
func (a *app) Query(_ context.Context, req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	id, asksID := strings.CutPrefix(req.Path, "/p2p/filter/id/")
	switch {
	case !strings.HasPrefix(req.Path, "/p2p/filter/"):
		return &abci.ResponseQuery{Code: uint32(fault.NotFound), Log: "reads go to the ledger's API"}, nil
	case a.door.closed.Load():
		// A connection that is accepted while the engine stops is never closed again.
		return &abci.ResponseQuery{Code: uint32(fault.Unreachable), Log: "the node is stopping"}, nil
	case asksID && a.door.only != nil && !slices.Contains(a.door.only, id):
		return &abci.ResponseQuery{Code: uint32(fault.NotWhitelisted), Log: "this node takes only the peers that it names"}, nil
	}
	return &abci.ResponseQuery{}, nil
}

// keepPeers dials the peers of the configuration that are not connected, until the
// ledger closes.
func (l *Ledger) keepPeers() {
	tick := time.NewTicker(redialEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.closing:
			return
		case <-tick.C:
		}
		connected := map[string]bool{}
		for _, p := range l.node.Switch().Peers().Copy() {
			connected[string(p.ID())] = true
		}
		var missing []string
		for _, p := range l.cfg.Peers {
			if !connected[peerID(p)] {
				missing = append(missing, p)
			}
		}
		if len(missing) == 0 {
			continue
		}
		if err := l.node.Switch().DialPeersAsync(missing); err != nil {
			l.log.Warn("a peer's address cannot be used", "peers", missing, "cause", err.Error())
		}
	}
}

func peerID(address string) string {
	id, _, _ := strings.Cut(address, "@")
	return id
}
