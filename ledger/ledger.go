package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	dbm "github.com/cometbft/cometbft-db"
	cmtconfig "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	cmtstate "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/state"
	"mulian/state/machine"
)

// The parts of the one Pebble database. They are in the files of running nodes.
const (
	blocksPrefix   = "cb/" // the engine's blocks
	enginePrefix   = "cs/" // the engine's own state
	evidencePrefix = "ce/" // evidence of validators that signed twice
	statePrefix    = "m/"  // ours
)

// Ledger is one running node. Its methods may be called from any goroutine.
type Ledger struct {
	cfg     Config
	log     *slog.Logger
	id      Identity
	genesis []byte
	started time.Time
	failure *failure

	lock    *durable.Lock
	store   *shared
	db      *state.DB
	app     *app
	machine machine.Machine
	node    *node.Node
	engine  cmtstate.Store
	rounds  *consensus.State // of the engine; read only

	restored *restoredVoter              // nil but on a node that was restored and has not voted since
	heard    *atomic.Pointer[types.Vote] // the last own vote that others repeated; nil but while listening

	snapshots *snapshots

	waiting  waiting
	gossip   *gossip    // nil: this node is the whole chain
	queueing sync.Mutex // held over a look into the mempool and the adding to it
	heights  heights
	keep     atomic.Int64
	reclaimer
	figures *figures

	closing chan struct{}  // closed when Close begins
	running sync.WaitGroup // our goroutines; Close waits for them
	once    sync.Once
}

// Open starts the node in cfg.Home, which [InitHome] and [InstallGenesis] have made.
// It brings the state up to the last block that was saved before it returns; other
// nodes' later blocks come afterwards ([Status].CatchingUp).
//
// Faults: NotFound (no keys, no genesis), Locked (another process), WrongChain (the
// store began with another genesis), Damaged, DiskFull, Usage. ctx bounds the start
// only; the node runs until Close.
//
// A node that was restored from a backup while the others cannot go on first listens to
// them (see [Restoration]): for that long Open does not return.
func Open(ctx context.Context, cfg Config, m machine.Machine) (*Ledger, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r, err := ReadRestoration(cfg.Home)
	if err == nil && r != nil && r.Newest > 0 {
		err = listen(ctx, cfg, m, r)
	}
	if err != nil {
		return nil, err
	}
	return open(ctx, cfg, m)
}

func open(ctx context.Context, cfg Config, m machine.Machine) (_ *Ledger, err error) {
	l := &Ledger{
		cfg: cfg, log: cfg.Logger, machine: m, started: time.Now(), failure: newFailure(cfg.Logger),
		waiting: newWaiting(), heights: newHeights(), closing: make(chan struct{}),
		reclaimer: reclaimer{reclaims: make(chan struct{}, 1)},
	}
	l.keep.Store(cfg.KeepBlocks)
	l.snapshots = newSnapshots(&cfg)
	l.every.Store(reclaimEvery)
	if l.lock, err = durable.LockDir(cfg.Home, "mulian node"); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "there is no node in %s; make one with mulian node init", cfg.Home)
	} else if err != nil {
		return nil, storeFault(err, "open the node's directory %s", cfg.Home)
	}
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	secrets, err := loadKeys(cfg.Home)
	if err != nil {
		return nil, err
	}
	l.id = secrets.identity()
	if l.genesis, err = ReadGenesis(cfg.Home); err != nil {
		return nil, err
	}
	if err := l.openStore(); err != nil {
		return nil, err
	}
	if err := l.checkProgram(); err != nil {
		return nil, err
	}
	if err := markUsed(cfg.Home); err != nil {
		return nil, err
	}
	if err := l.startEngine(ctx, secrets); err != nil {
		return nil, err
	}
	if err := l.firstBlock(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.log.Info("ledger started", "chain", cfg.ChainID, "height", l.db.Height(), "node", l.id.NodeID, "took", time.Since(l.started).Round(time.Millisecond).String())
	return l, nil
}

func (l *Ledger) openStore() (err error) {
	defer damagedStore(&err, l.cfg.Home)
	opts := state.StoreOptions(l.cfg.CacheBytes)
	logger := storeLog{quiet{log: l.log, failure: l.failure}}
	opts.Logger = logger
	opts.FS = yielding{vfs.Default}
	if l.cfg.disk != nil {
		opts.FS = yielding{l.cfg.disk}
	}
	opts.EventListener = &pebble.EventListener{
		BackgroundError: l.failure.background,
		DataCorruption: func(c pebble.DataCorruptionInfo) {
			l.failure.noteDisk(fmt.Errorf("%w: file %s: %w", state.ErrDamaged, c.Path, c.Details))
		},
	}
	kv, err := pebble.Open(filepath.Join(l.cfg.Home, storeDir), opts)
	if err != nil {
		return storeFault(err, "open the store in %s", l.cfg.Home)
	}
	l.store = &shared{kv: kv, broken: l.failure.noteDisk}
	l.db, err = state.Open(kv, []byte(statePrefix), state.Options{KeepVersions: l.cfg.KeepBlocks})
	if err != nil {
		return storeFault(err, "open the state in %s", l.cfg.Home)
	}
	return l.checkGenesis()
}

// checkProgram refuses a store whose next block this program may not make.
func (l *Ledger) checkProgram() error {
	if l.cfg.Ready == nil || !l.db.Committed() {
		return nil
	}
	view := l.db.View()
	defer view.Close()
	return l.cfg.Ready(view)
}

// checkGenesis refuses a store that began otherwise than the configuration says. The
// engine would go on with what it has stored, without a word.
func (l *Ledger) checkGenesis() error {
	if !l.db.Committed() {
		return nil
	}
	view := l.db.View()
	defer view.Close()
	want := genesisID(l.cfg.ChainID, l.cfg.GenesisTimeMs, l.genesis)
	if have, _ := view.Get([]byte(genesisKey)); string(have) != string(want[:]) {
		return fault.Newf(fault.WrongChain, "the store in %s began with another genesis, chain id or time; a node belongs to one chain", l.cfg.Home)
	}
	return nil
}

// startEngine makes and starts CometBFT. It panics over what it cannot repair; that
// becomes a Damaged fault.
func (l *Ledger) startEngine(ctx context.Context, secrets keys) (err error) {
	defer func() {
		if p := recover(); p != nil {
			cause, ok := p.(error)
			if !ok {
				cause = fmt.Errorf("%v", p)
			}
			err = fault.Wrap(fault.Damaged, cause, "the stores in %s do not fit together; restore them from a checkpoint or from another node", l.cfg.Home)
		}
	}()
	cfg, err := l.cfg.engine()
	if err != nil {
		return err
	}
	l.figures = newFigures(l.cfg.Metrics, l)
	views := newLatest(l.db)
	l.store.before = views.close
	l.app = &app{
		chainID: l.cfg.ChainID, genesis: l.genesis, machine: l.machine, db: l.db, log: l.log, sm2: secrets.sm2,
		verdicts: newVerdicts(runtime.GOMAXPROCS(0)), admitted: newRecent(admittedKept), shares: newShares(time.Now), latest: views, keep: &l.keep,
		figures: l.figures, pace: newPace(secrets.validator.PubKey().Address()), committed: l.committedBlock,
	}
	l.app.outdated = &outdated{ready: l.cfg.Ready, failure: l.failure, closing: l.closing}
	l.app.woke.Store(-1) // 0 would stand for the block before the first one
	if l.cfg.Closed {
		l.app.door.only = []string{}
		for _, p := range l.cfg.Peers {
			l.app.door.only = append(l.app.door.only, peerID(p))
		}
	}
	if l.db.Committed() {
		view := l.db.View()
		l.app.voters.Store(int64(len(readValidators(view))))
		view.Close()
	}
	l.engine = cmtstate.NewStore(l.engineDB(enginePrefix), cmtstate.StoreOptions{DiscardABCIResponses: true})
	voter, err := l.loadVoter(secrets)
	if err != nil {
		return err
	}
	logger := quiet{log: l.log, failure: l.failure}
	var options []node.Option
	if l.cfg.Listen != "" {
		l.gossip = newGossip(l.app, secrets.node.ID())
		options = append(options, node.CustomReactors(map[string]p2p.Reactor{"MEMPOOL": l.gossip}))
	}
	l.node, err = node.NewNodeWithContext(ctx, cfg, voter, &secrets.node,
		proxy.NewConnSyncLocalClientCreator(l.cfg.application(l.app)), l.genesisDoc, l.provideDB,
		node.DefaultMetricsProvider(cfg.Instrumentation), logger, options...)
	if err != nil && l.app.outdated.refuses() {
		return l.failure.cause() // it came to that block among those that were saved
	}
	if err != nil {
		return storeFault(err, "start the ledger in %s", l.cfg.Home)
	}
	if err := l.findRounds(); err != nil {
		return err
	}
	l.app.waiting = l.node.Mempool().Size // before the consensus goroutine starts
	if l.gossip != nil {
		l.gossip.pool, l.gossip.wait = l.node.Mempool(), l.node.ConsensusReactor().WaitSync
		l.app.gossip = l.gossip
		l.app.catchUp = newCatchUp(l.node, l.db.Height)
	}
	l.app.outdated.syncing = l.node.ConsensusReactor().WaitSync
	l.app.retain = l.retain
	if err := l.figures.open(); err != nil {
		return err
	}
	if l.restored != nil && l.restored.wait.Newest > 0 {
		if err := l.hear(); err != nil {
			return err
		}
	}
	if err := l.awaitGenesis(ctx); err != nil {
		return err
	}
	if err := l.node.Start(); err != nil {
		return fault.Wrap(fault.Unreachable, err, "start the ledger on %q", l.cfg.Listen)
	}
	if len(l.cfg.Peers) > 0 {
		l.running.Go(l.keepPeers)
	}
	if l.cfg.Listen != "" {
		l.running.Go(l.remind)
		l.running.Go(func() { l.app.catchUp.attend(l.closing) })
	}
	l.running.Go(l.keepSnapshots)
	l.running.Go(l.reclaim)
	return nil
}

// firstBlock waits for block 1 where this node makes it alone: so that there is a
// header from the start.
func (l *Ledger) firstBlock(ctx context.Context) error {
	view := l.db.View()
	set := readValidators(view)
	view.Close()
	if len(set) != 1 || set[l.id.Validator] == 0 {
		return nil
	}
	for {
		block := l.heights.wait()
		if l.db.Height() > 0 {
			return nil
		}
		select {
		case <-block:
		case <-l.failure.done:
			return l.failure.cause()
		case <-ctx.Done():
			return fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "the first block was not made in time")
		}
	}
}

func (l *Ledger) engineDB(prefix string) *engineDB {
	return &engineDB{shared: l.store, prefix: []byte(prefix)}
}

func (l *Ledger) provideDB(c *cmtconfig.DBContext) (dbm.DB, error) {
	prefix, ok := map[string]string{"blockstore": blocksPrefix, "state": enginePrefix, "evidence": evidencePrefix}[c.ID]
	if !ok {
		return nil, fmt.Errorf("ledger: the engine asks for an unknown store %q", c.ID)
	}
	return l.engineDB(prefix), nil
}

// genesisDoc is the engine's part of the genesis: name, time, the hash of the signed
// file, and the parameters that all nodes have in common. The validators come from
// the rules.
func (l *Ledger) genesisDoc() (*types.GenesisDoc, error) {
	sum := sha256.Sum256(l.genesis)
	appState, err := json.Marshal(hex.EncodeToString(sum[:]))
	if err != nil {
		return nil, err
	}
	p := types.DefaultConsensusParams()
	p.Block.MaxBytes, p.Block.MaxGas = maxBlockBytes, -1
	p.Evidence.MaxAgeDuration, p.Evidence.MaxAgeNumBlocks, p.Evidence.MaxBytes = evidenceMaxAge, evidenceMaxBlocks, evidenceMaxBytes
	p.ABCI.VoteExtensionsEnableHeight = voteExtensionHeight
	p.Version.App = appVersion
	return &types.GenesisDoc{
		ChainID: l.cfg.ChainID, GenesisTime: time.UnixMilli(l.cfg.GenesisTimeMs).UTC(), InitialHeight: 1,
		ConsensusParams: p, AppState: appState,
	}, nil
}

// committedBlock is called by the app, within Commit: it must not wait for anybody.
func (l *Ledger) committedBlock(height int64, done []doneTx) {
	l.waiting.answer(done)
	l.snapshots.committed(l.db, height)
	l.heights.announce(height)
}

// Failed is closed when the node cannot go on; [Ledger.Err] then tells why.
func (l *Ledger) Failed() <-chan struct{} { return l.failure.done }

// Err returns why the node cannot go on, nil while it can.
func (l *Ledger) Err() error { return l.failure.cause() }

// Identity returns who this node is.
func (l *Ledger) Identity() Identity { return l.id }

// Genesis returns the signed genesis, as it was installed.
func (l *Ledger) Genesis() []byte { return l.genesis }

// Close stops the node and waits until nothing of it runs. Submits that wait get
// Timeout: the outcome is unknown.
func (l *Ledger) Close() error {
	var err error
	l.once.Do(func() {
		close(l.closing)
		l.running.Wait()
		err = l.stop()
	})
	return err
}

func (l *Ledger) stop() error {
	var errs []error
	l.failure.ending.Store(true)
	l.app.door.closed.Store(true)
	ended := make(chan struct{})
	go func() { // waited for below; if the engine hangs the process has to end to get rid of it
		defer close(ended)
		if err := l.node.Stop(); err != nil {
			errs = append(errs, err)
		}
		l.node.ConsensusReactor().Wait()
	}()
	select {
	case <-ended:
	case <-time.After(stopWait):
		return fault.Newf(fault.Internal, "the engine has not stopped within %s; end the process, nothing acknowledged is lost", stopWait)
	}
	return errors.Join(append(errs, l.release())...)
}

// release closes what Open has opened, in reverse. Again it does nothing.
func (l *Ledger) release() error {
	if l.lock == nil {
		return nil
	}
	var errs []error
	if l.figures != nil {
		l.figures.close()
	}
	if l.app != nil && l.app.open != nil {
		l.app.open.Discard()
	}
	if l.snapshots != nil {
		l.snapshots.end()
	}
	if l.store != nil {
		errs = append(errs, l.store.close())
	}
	errs = append(errs, l.lock.Unlock())
	l.lock = nil
	return errors.Join(errs...)
}

// loadVoter returns who signs votes with the validator's key.
func (l *Ledger) loadVoter(secrets keys) (types.PrivValidator, error) {
	path := filepath.Join(l.cfg.Home, validatorStateFile)
	pv := privval.NewFilePV(secrets.validator, "", path)
	if err := readLastVote(path, &pv.LastSignState); err != nil {
		return nil, err
	}
	wait, err := ReadRestoration(l.cfg.Home)
	if err != nil {
		return nil, err
	}
	alone, err := l.guardRestored(pv)
	switch {
	case err != nil || wait == nil:
		return pv, err
	case alone:
		return pv, l.released()
	}
	l.restored = &restoredVoter{FilePV: pv, ledger: l, wait: wait, log: l.log}
	return l.restored, nil
}
