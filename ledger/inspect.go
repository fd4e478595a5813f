package ledger

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	cmtstate "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/state"
)

// Stored is what a store holds that no node uses.
type Stored struct {
	Height     int64 // of the state
	Blocks     int64 // newest block: the height, or one more
	Oldest     int64 // oldest block
	TimeMs     int64
	AppHash    [32]byte
	Events     int64
	Validators int
}

// openStopped opens the store in a directory that no node uses.
func openStopped(dir string, readOnly bool) (*pebble.DB, error) {
	opts := state.StoreOptions(16 << 20)
	opts.ReadOnly, opts.ErrorIfNotExists = readOnly, true
	log := slog.New(slog.DiscardHandler)
	opts.Logger = storeLog{quiet{log: log, failure: newFailure(log)}}
	kv, err := pebble.Open(dir, opts)
	switch {
	case errors.Is(err, pebble.ErrDBDoesNotExist), errors.Is(err, fs.ErrNotExist):
		return nil, fault.Newf(fault.NotFound, "there is no store in %s", dir)
	case err != nil && !noRoom(err):
		return nil, fault.Wrap(fault.Damaged, err, "open the store in %s", dir)
	}
	return kv, storeFault(err, "open the store in %s", dir)
}

// CheckpointStopped is [Ledger.Checkpoint] of a home whose node does not run: Locked
// while it does, NotFound if it has no store.
func CheckpointStopped(home, dir string) error {
	lock, err := durable.LockDir(home, "mulian node")
	if err != nil {
		return storeFault(err, "open the node's directory %s", home)
	}
	defer lock.Unlock()
	kv, err := openStopped(filepath.Join(home, storeDir), false)
	if err != nil {
		return err
	}
	return storeFault(errors.Join(kv.Checkpoint(dir, pebble.WithFlushedWAL()), kv.Close()), "write a checkpoint to %s", dir)
}

// Inspect reads what a store holds, which stays as it is, and compares it with the genesis
// that it should have begun with (WrongChain): the state with the newest header, and that
// with the signatures of the validators that the store names (Damaged). With deep it
// compares every record, tree page and event, too, at some 100,000 in a second. It
// trusts the validators of the store: a whole store that somebody has invented is found
// when the node meets the others.
func Inspect(ctx context.Context, dir string, cfg Config, signedGenesis []byte, deep bool) (_ *Stored, err error) {
	kv, err := openStopped(dir, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, kv.Close()) }()
	db, err := state.Open(kv, []byte(statePrefix), state.Options{})
	if err != nil {
		return nil, storeFault(err, "open the state in %s", dir)
	}
	cfg.Home = dir
	l := &Ledger{cfg: cfg, genesis: signedGenesis, db: db, store: &shared{kv: kv, broken: func(error) {}}}
	if !db.Committed() || db.Height() == 0 {
		return nil, fault.Newf(fault.NotFound, "the store in %s has no block yet", dir)
	}
	if err := l.checkGenesis(); err != nil {
		return nil, err
	}
	if err := l.checkNewest(); err != nil {
		return nil, err
	}
	if deep {
		if err := db.Check(ctx); err != nil {
			return nil, storeFault(err, "check the store in %s", dir)
		}
	}
	head, blocks := db.Head(), store.NewBlockStore(l.engineDB(blocksPrefix))
	view := db.View()
	defer view.Close()
	return &Stored{
		Height: head.Height, Blocks: blocks.Height(), Oldest: blocks.Base(), TimeMs: head.UnixMs, AppHash: head.AppHash(),
		Events: head.LogSize, Validators: len(readValidators(view)),
	}, nil
}

// checkNewest compares the state with the newest block, and that with its signatures.
func (l *Ledger) checkNewest() error {
	head, blocks := l.db.Head(), store.NewBlockStore(l.engineDB(blocksPrefix))
	last := blocks.Height()
	meta, commit := blocks.LoadBlockMeta(last), blocks.LoadSeenCommit(last)
	engine := cmtstate.NewStore(l.engineDB(enginePrefix), cmtstate.StoreOptions{DiscardABCIResponses: true})
	validators, err := engine.LoadValidators(last)
	if meta == nil || commit == nil || err != nil || last < head.Height {
		return fault.Wrap(fault.Damaged, errors.Join(err, errIncomplete), "the store has the state of height %d and the blocks up to %d", head.Height, last)
	}
	if err := validators.VerifyCommitLight(l.cfg.ChainID, meta.BlockID, last, commit); err != nil {
		return fault.Wrap(fault.Damaged, err, "block %d is not signed by the validators of the store", last)
	}
	if err := (&types.SignedHeader{Header: &meta.Header, Commit: commit}).ValidateBasic(l.cfg.ChainID); err != nil {
		return fault.Wrap(fault.Damaged, err, "block %d", last)
	}
	hash := head.AppHash()
	if last > head.Height && string(meta.Header.AppHash) != string(hash[:]) {
		return fault.Newf(fault.Damaged, "header %d says that the state of height %d is %x, the store has %x", last, head.Height, meta.Header.AppHash, hash)
	}
	return nil
}
