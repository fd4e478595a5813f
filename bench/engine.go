package bench

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	abci "github.com/cometbft/cometbft/abci/types"

	"mulian/internal/fault"
	"mulian/ledger"
)

// engineConfig is what the engine alone is told beside its home.
type engineConfig struct {
	Validators    [][]byte // Ed25519
	Size          int      // of a transaction
	First         int      // what this member's transactions are numbered from
	GenesisTimeMs int64
}

// engineTxSize is the bytes of a transaction of the engine's example beside its value.
const engineTxSize = 40

// engineAlone returns what the engine commits in a second for as many validators and
// callers as our own ledger has, each of whom waits, as ours do, until its transaction of
// the given size is committed.
func engineAlone(ctx context.Context, dir string, n, size, seconds int) (float64, error) {
	configs, validators, err := homes(filepath.Join(dir, "engine"), "node", n)
	if err != nil {
		return 0, err
	}
	now := time.Now().UnixMilli()
	for i := range configs {
		e := &engineConfig{Size: size, GenesisTimeMs: now, First: i * 1_000_000_000}
		for _, v := range validators {
			e.Validators = append(e.Validators, v.PublicKey)
		}
		configs[i].ChainID, configs[i].Engine = "engine-alone", e
	}
	c, err := startChain(ctx, configs)
	if err != nil {
		return 0, err
	}
	defer c.close()
	full, err := c.saturated(ctx, Options{}, seconds)
	if err != nil {
		return 0, err
	}
	return full.rate, c.close()
}

// engineMember is the engine with its own example.
type engineMember struct {
	alone   *ledger.Alone
	example *waited
	size    int
	next    int
}

func openEngine(ctx context.Context, cfg memberConfig) (source, error) {
	m := &engineMember{size: cfg.Engine.Size, next: cfg.Engine.First, example: &waited{Application: kvstore.NewInMemoryApplication(), waiting: map[string]chan struct{}{}}}
	var err error
	m.alone, err = ledger.OpenAlone(ctx, ledger.Config{
		Home: cfg.Home, ChainID: cfg.ChainID, Listen: cfg.Listen, Peers: cfg.Peers,
		GenesisTimeMs: cfg.Engine.GenesisTimeMs, Logger: slog.New(slog.DiscardHandler),
	}, m.example, cfg.Engine.Validators...)
	return m, err
}

func (m *engineMember) close() error { return m.alone.Close() }

func (m *engineMember) sign(_ context.Context, count int, _ signersFrom) ([][]byte, error) {
	value := bytes.Repeat([]byte{'v'}, max(m.size-engineTxSize, 1))
	txs := make([][]byte, count)
	for i := range txs {
		txs[i] = append(fmt.Appendf(make([]byte, 0, m.size), "%039d=", m.next), value...)
		m.next++
	}
	return txs, nil
}

func (m *engineMember) send(ctx context.Context, tx []byte) (refused int, err error) {
	done := m.example.join(tx)
	for err = m.alone.Submit(tx); fault.Is(err, fault.Busy) && ctx.Err() == nil; err = m.alone.Submit(tx) {
		refused++
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		return refused, err
	}
	select {
	case <-done:
		return refused, nil
	case <-ctx.Done():
		return refused, ctx.Err()
	}
}

// waited is the engine's example with those who wait for what it commits.
type waited struct {
	*kvstore.Application
	open [][]byte // the block being made; owned by the engine

	mu      sync.Mutex
	waiting map[string]chan struct{} // by transaction; guarded by mu
}

// FinalizeBlock implements abci.Application.
func (w *waited) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	w.open = req.Txs
	return w.Application.FinalizeBlock(ctx, req)
}

// Commit implements abci.Application.
func (w *waited) Commit(ctx context.Context, req *abci.RequestCommit) (*abci.ResponseCommit, error) {
	res, err := w.Application.Commit(ctx, req)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, tx := range w.open {
		if done, ok := w.waiting[string(tx)]; ok {
			delete(w.waiting, string(tx))
			close(done)
		}
	}
	return res, err
}

// join returns what is closed when the transaction is in a committed block.
func (w *waited) join(tx []byte) <-chan struct{} {
	done := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[string(tx)] = done
	return done
}
