package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2"
	abci "github.com/cometbft/cometbft/abci/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"

	"mulian/internal/fault"
	"mulian/state"
)

// Alone is the engine with somebody else's application: the settings, the store and
// the disk are those of [Open], state and rules are missing. It is what a measurement
// of the ledger is compared with, and of no other use: it guards nothing.
type Alone struct {
	node    *node.Node
	store   *shared
	failure *failure
}

// OpenAlone starts a node in cfg.Home, a home of [InitHome] that no ledger has used, of a
// chain with these validators (Ed25519, equal powers); none: the node is the whole chain.
func OpenAlone(ctx context.Context, cfg Config, application abci.Application, validators ...[]byte) (_ *Alone, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	secrets, err := loadKeys(cfg.Home)
	if err != nil {
		return nil, err
	}
	engine, err := cfg.engine()
	if err != nil {
		return nil, err
	}
	a := &Alone{failure: newFailure(cfg.Logger)}
	logger := quiet{log: cfg.Logger, failure: a.failure}
	opts := state.StoreOptions(cfg.CacheBytes)
	opts.Logger = storeLog{logger}
	kv, err := pebble.Open(filepath.Join(cfg.Home, storeDir), opts)
	if err != nil {
		return nil, storeFault(err, "open the store in %s", cfg.Home)
	}
	a.store = &shared{kv: kv, broken: a.failure.noteDisk}
	l := &Ledger{cfg: cfg, store: a.store}
	genesis := func() (*types.GenesisDoc, error) {
		doc, err := l.genesisDoc()
		if err == nil {
			doc.Validators = nil
			if len(validators) == 0 {
				validators = [][]byte{secrets.validator.PubKey().Bytes()}
			}
			for _, key := range validators {
				doc.Validators = append(doc.Validators, types.GenesisValidator{PubKey: cmted25519.PubKey(key), Power: 1})
			}
		}
		return doc, err
	}
	voter := privval.NewFilePV(secrets.validator, "", filepath.Join(cfg.Home, validatorStateFile))
	a.node, err = node.NewNodeWithContext(ctx, engine, voter, &secrets.node, proxy.NewConnSyncLocalClientCreator(application),
		genesis, l.provideDB, node.DefaultMetricsProvider(engine.Instrumentation), logger)
	if err == nil {
		err = a.node.Start()
	}
	if err != nil {
		return nil, fault.Wrap(fault.CodeOf(err), errors.Join(err, a.store.close()), "start the engine alone in %s", cfg.Home)
	}
	return a, nil
}

// Submit puts a transaction before the consensus and does not wait for its block. Busy
// when too many wait.
func (a *Alone) Submit(tx []byte) error {
	if err := a.failure.cause(); err != nil {
		return err
	}
	pool := a.node.Mempool()
	if pool.Size() >= maxPending { // as in Ledger.full
		return busy()
	}
	err := pool.CheckTx(tx, nil, mempool.TxInfo{})
	if full := (mempool.ErrMempoolIsFull{}); errors.As(err, &full) {
		return busy()
	}
	return err
}

// Close stops the engine and closes its store.
func (a *Alone) Close() error {
	a.failure.ending.Store(true)
	err := a.node.Stop()
	ended := make(chan struct{})
	go func() {
		a.node.ConsensusReactor().Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(stopWait):
		return fault.Newf(fault.Internal, "the engine has not stopped within %s", stopWait)
	}
	return errors.Join(err, a.store.close())
}
