package bench

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	abci "github.com/cometbft/cometbft/abci/types"

	"mulian/internal/fault"
	"mulian/ledger"
)

// counting is the engine's example with a count of what is committed, and with those
// who wait for it.
type counting struct {
	*kvstore.Application
	open      [][]byte // the block being made; owned by the engine
	committed atomic.Int64

	mu      sync.Mutex
	waiting map[string]chan struct{} // by transaction; guarded by mu
}

// FinalizeBlock implements abci.Application.
func (c *counting) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	c.open = req.Txs
	return c.Application.FinalizeBlock(ctx, req)
}

// Commit implements abci.Application.
func (c *counting) Commit(ctx context.Context, req *abci.RequestCommit) (*abci.ResponseCommit, error) {
	res, err := c.Application.Commit(ctx, req)
	c.committed.Add(int64(len(c.open)))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tx := range c.open {
		if done, ok := c.waiting[string(tx)]; ok {
			delete(c.waiting, string(tx))
			close(done)
		}
	}
	return res, err
}

// join returns what is closed when the transaction is in a committed block.
func (c *counting) join(tx []byte) <-chan struct{} {
	done := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[string(tx)] = done
	return done
}

// engineAlone returns what the engine commits in a second for as many callers as our
// own ledger has, each of whom waits, as ours do, until its transaction of the given
// size is committed.
func engineAlone(ctx context.Context, dir string, size, seconds int) (float64, error) {
	home, err := below(dir, "engine")
	if err != nil {
		return 0, err
	}
	if _, err := ledger.InitHome(home); err != nil {
		return 0, err
	}
	example := &counting{Application: kvstore.NewInMemoryApplication(), waiting: make(map[string]chan struct{})}
	alone, err := ledger.OpenAlone(ctx, ledger.Config{
		Home: home, ChainID: "engine-alone", GenesisTimeMs: time.Now().UnixMilli(), Logger: slog.New(slog.DiscardHandler),
	}, example)
	if err != nil {
		return 0, err
	}
	value := strings.Repeat("v", max(size-engineTxSize, 1))
	feeding, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	var next atomic.Int64
	var failed firstError
	for range inFlight {
		all.Go(func() {
			for feeding.Err() == nil && !failed.there() {
				tx := fmt.Appendf(nil, "%039d=%s", next.Add(1), value)
				done := example.join(tx)
				err := alone.Submit(tx)
				for fault.Is(err, fault.Busy) && feeding.Err() == nil {
					time.Sleep(time.Millisecond)
					err = alone.Submit(tx)
				}
				if err != nil && !fault.Is(err, fault.Busy) {
					failed.set(err)
					return
				}
				select {
				case <-done:
				case <-feeding.Done():
				}
			}
		})
	}
	wait := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	wait(warmSeconds * time.Second)
	m, before := Start(), example.committed.Load()
	wait(time.Duration(seconds) * time.Second)
	n := example.committed.Load() - before
	m.Stop()
	cancel()
	all.Wait()
	if err := alone.Close(); err != nil {
		failed.set(err)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return m.PerSecond(int(n)), failed.get()
}
