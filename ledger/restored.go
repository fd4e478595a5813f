package ledger

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/consensus"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/store"

	"mulian/internal/fault"
)

// readLastVote reads what the validator signed last. No file: it has signed nothing.
func readLastVote(path string, into *privval.FilePVLastSignState) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return storeFault(err, "read %s", path)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return storeFault(err, "read %s", path)
	}
	var last privval.FilePVLastSignState
	if err := cmtjson.Unmarshal(b, &last); err != nil {
		return fault.Wrap(fault.Damaged, err, "%s cannot be read; without it the validator could sign two blocks of one height: restore it", path)
	}
	into.Height, into.Round, into.Step = last.Height, last.Round, last.Step
	into.Signature, into.SignBytes = last.Signature, last.SignBytes
	return nil
}

// guardRestored lets a chain with one validator go on after a restore from backup.
// There the file of the last vote is ahead of the blocks and the log that would
// explain it is missing; the validator would refuse to sign, and nobody else can:
// the chain would stand still without a word. Alone, there is nobody who could have
// been told two different things, but for nodes that only follow; they must be made
// anew from the same backup. With more validators the file is never touched: see
// [Restoration]. It reports whether the validator is the only one.
func (l *Ledger) guardRestored(pv *privval.FilePV) (alone bool, err error) {
	engine, err := l.engine.Load()
	if err != nil {
		return false, storeFault(err, "read the engine's state")
	}
	alone = !engine.IsEmpty() && engine.Validators.Size() == 1 && engine.Validators.HasAddress(pv.GetAddress())
	return alone, l.guardAlone(pv, alone, engine.IsEmpty())
}

func (l *Ledger) guardAlone(pv *privval.FilePV, alone, empty bool) error {
	last := &pv.LastSignState
	if last.Height == 0 {
		return nil
	}
	blocks := store.NewBlockStore(l.engineDB(blocksPrefix)).Height()
	if empty {
		alone = true // no block and no validators yet: the store is new, the vote is of an old one
	}
	if !alone || last.Height <= blocks {
		return nil
	}
	if last.Height == blocks+1 {
		explained, err := l.logReaches(blocks)
		if err != nil || explained {
			return err
		}
	}
	if empty {
		// With others the node may be made anew: they give it the blocks, and the file of the
		// last vote keeps it from signing anything twice. A validator that began alone would
		// make a second first block.
		first, err := Rehearse(l.machine, l.cfg.ChainID, l.cfg.GenesisTimeMs, l.genesis)
		if err != nil {
			return err
		}
		if len(first) > 1 {
			l.log.Info("the store is empty and the validator has voted before: it follows the others, and signs from there on", "vote", last.Height)
			return nil
		}
		return fault.Newf(fault.Damaged, "the validator has voted for block %d and the store is empty; restore the store, or start with new keys", last.Height)
	}
	l.log.Warn("restored from a backup: the only validator's last vote is ahead of its blocks and is forgotten; nodes that follow this one must be restored from the same backup",
		"vote", last.Height, "blocks", blocks)
	last.Height, last.Round, last.Step, last.Signature, last.SignBytes = blocks, 0, 0, nil, nil
	last.Save()
	return nil
}

// logReaches reports whether the engine's log says how the block at height ended: then
// it replays the votes for the next one from it.
func (l *Ledger) logReaches(height int64) (bool, error) {
	path := filepath.Join(l.cfg.Home, walDir, "wal")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	wal, err := consensus.NewWAL(path)
	if err != nil {
		return false, storeFault(err, "open the engine's log")
	}
	defer wal.Group().Close()
	r, found, err := wal.SearchForEndHeight(height, &consensus.WALSearchOptions{IgnoreDataCorruptionErrors: true})
	if err != nil {
		return false, storeFault(err, "search the engine's log")
	}
	if r != nil {
		r.Close()
	}
	return found, nil
}
