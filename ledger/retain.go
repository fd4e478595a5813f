package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"mulian/internal/fault"
)

// A node that keeps N heights drops the blocks before them: their transactions, commits
// and validators. What a proof needs is not among them, but for one thing:
//
//	objects, their absence     the tree and the newest header
//	events, however old        the event log, which is kept for ever, and the newest header
//	what became of an id       kept for ever
//	that the newest header     the headers at which the validators changed: kept here,
//	is the consortium's        two for each change, some kilobytes
//	who signed an old act      the envelope, which is in the block: gone. An archive has it
//
// So before blocks go, the last header of one set of validators, which names the next
// one, and the first header of that are copied aside.
const keptPrefix = "mh/" // + height, 8 bytes -> light block

const (
	// pruneStep is how many heights go at most with one block: each costs the engine
	// some ten deletions and a look of ours, while consensus waits. A node that begins to
	// prune a long chain catches up with the blocks to come, 2,000 for each 64.
	pruneStep = 2000
	// reclaimEvery is the least number of dropped heights for which the store is
	// compacted; if more are kept, as many as that: a compaction rewrites what is kept.
	reclaimEvery = 4096
)

func keptKey(height int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(keptPrefix), uint64(height))
}

// retain answers from which height on the engine is to keep its blocks after the one at
// height, 0 = as before. It is called within Commit.
func (l *Ledger) retain(height int64) int64 {
	keep := l.keep.Load()
	if keep <= 0 || height <= keep || height%engineRetainEvery != 0 {
		return 0
	}
	base := l.node.BlockStore().Base()
	to := min(height-keep+1, base+pruneStep)
	if to <= base {
		return 0
	}
	if err := l.keepHeaders(base, to); err != nil {
		l.log.Warn("blocks are not pruned: the headers that proofs need cannot be kept", "cause", err.Error())
		return 0
	}
	if n := l.dropped.Add(to - base); n >= max(keep, l.every.Load()) {
		l.dropped.Store(0)
		select {
		case l.reclaims <- struct{}{}:
		default: // one is under way or asked for
		}
	}
	return to
}

// keepHeaders copies what proofs need of the blocks from one height to before another.
// The copies are in the same log of the store as the engine's deletions, before them.
func (l *Ledger) keepHeaders(from, to int64) error {
	blocks := l.node.BlockStore()
	for h := from; h < to; h++ {
		meta := blocks.LoadBlockMeta(h)
		if meta == nil {
			return fault.Newf(fault.Damaged, "the header of block %d is missing", h)
		}
		if bytes.Equal(meta.Header.ValidatorsHash, meta.Header.NextValidatorsHash) {
			continue
		}
		for _, at := range []int64{h, h + 1} {
			header, err := l.storedHeader(at)
			if err != nil {
				return err
			}
			if err := l.store.kv.Set(keptKey(at), header.LightBlock, pebble.NoSync); err != nil {
				return fmt.Errorf("ledger: keep header %d: %w", at, err)
			}
		}
	}
	return nil
}

// keptFrom returns the first header at or above a height that was copied aside, nil if
// there is none.
func (l *Ledger) keptFrom(height int64) (at int64, light []byte, err error) {
	it, err := l.store.kv.NewIter(&pebble.IterOptions{LowerBound: keptKey(height), UpperBound: []byte("mh0")})
	if err != nil {
		return 0, nil, storeFault(err, "read the kept headers")
	}
	defer it.Close()
	if !it.First() {
		return 0, nil, storeFault(it.Error(), "read the kept headers")
	}
	key := it.Key()
	if len(key) != len(keptPrefix)+8 {
		return 0, nil, fault.Newf(fault.Damaged, "a kept header has the key %x", key)
	}
	return int64(binary.BigEndian.Uint64(key[len(keptPrefix):])), bytes.Clone(it.Value()), nil
}

// reclaimer gives the room of dropped blocks back to the disk: what is deleted holds its
// place until a compaction reaches it (cometbft#1972). It runs beside everything.
type reclaimer struct {
	dropped  atomic.Int64  // heights since the last compaction was asked for
	every    atomic.Int64  // reclaimEvery; tests make it small
	reclaims chan struct{} // room for one
}

func (l *Ledger) reclaim() {
	for {
		select {
		case <-l.closing:
			return
		case <-l.reclaims:
		}
		began := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		go func() { // a compaction is not waited for when the node stops
			select {
			case <-l.closing:
			case <-ctx.Done():
			}
			cancel()
		}()
		err := l.compactDropped(ctx)
		stopped := ctx.Err() != nil
		cancel()
		if err != nil && !stopped {
			l.log.Warn("the room of pruned blocks could not be given back", "cause", err.Error())
			continue
		}
		l.log.Info("pruned", "oldest", l.node.BlockStore().Base(), "took", time.Since(began).Round(time.Millisecond).String())
	}
}

// compactDropped compacts what the engine deletes when it prunes. Our own history is
// small, and the store merges it by itself.
func (l *Ledger) compactDropped(ctx context.Context) error {
	for _, prefix := range []string{blocksPrefix, enginePrefix} {
		lo, hi := l.engineDB(prefix).bounds(nil, nil)
		if !l.store.enter() {
			return nil
		}
		err := l.store.kv.Compact(ctx, lo, hi, false)
		l.store.leave()
		if err != nil {
			return err
		}
	}
	return nil
}
