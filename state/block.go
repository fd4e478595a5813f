package state

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"mulian/state/eventlog"
	"mulian/state/lattice"
	"mulian/state/proof"
	"mulian/state/tree"
)

// Block collects the writes of one block. One goroutine makes it:
//
//	Begin ──▶ open ── Tx, Keep or Drop, any number ──▶ open
//	            │ Finish
//	            ▼
//	         finished ── Commit ──▶ committed: readers see it
//
//	Discard ends it at any point before Commit, and nothing remains.
type Block struct {
	db     *DB
	head   Head
	own    *overlay
	events [][]byte

	// What was read from below, so that it is read once. bytes is its size.
	reads map[string]change
	bytes int

	sum    *lattice.Sum // after Seal
	tx     bool         // a Tx is open
	done   bool         // committed or discarded
	result *finished
}

// finished is what Finish computed and Commit writes.
type finished struct {
	writes []write // in key order
	tree   *tree.Update
	log    *eventlog.Log
	tiles  []eventlog.Tile
}

// write is one record that really changes.
type write struct {
	key      string
	now, was change // value nil: not there
}

// Begin starts the block at height with that block time. The height must be above
// that of the last block; before the first one it may be 0, for a genesis.
//
// It panics if another block is open: there is one engine.
func (db *DB) Begin(height, unixMs int64) *Block {
	last := db.last.Load()
	if height < 0 || last.committed && height <= last.Height {
		panic(fmt.Sprintf("state: block %d after block %d", height, last.Height))
	}
	if !db.block.CompareAndSwap(false, true) {
		panic(fmt.Sprintf("state: block %d while another one is open", height))
	}
	return &Block{
		db: db, own: newOverlay(), reads: map[string]change{},
		head: Head{Height: height, UnixMs: unixMs, committed: true},
	}
}

// Tx starts a transaction. It panics if the one before was neither kept nor
// dropped, or after Finish.
func (b *Block) Tx() *Tx {
	b.open()
	if b.tx {
		panic("state: two transactions at once")
	}
	if b.sum != nil {
		panic("state: a transaction after Seal")
	}
	b.tx = true
	tx := &Tx{under: b, own: newOverlay()}
	tx.end = func(keep bool) {
		b.tx = false
		if !keep {
			return
		}
		for key, c := range tx.own.changes {
			b.own.put(key, c)
		}
		b.events = append(b.events, tx.events...)
	}
	return tx
}

func (b *Block) open() {
	if b.done || b.result != nil {
		panic("state: the block is finished")
	}
}

// Height implements [View]: the block itself shows what was kept so far.
func (b *Block) Height() int64 { return b.head.Height }

// UnixMs returns the block time.
func (b *Block) UnixMs() int64 { return b.head.UnixMs }

// Get implements [View].
func (b *Block) Get(key []byte) ([]byte, bool) {
	c, ok := b.lookup(key)
	return c.value, ok
}

func (b *Block) lookup(key []byte) (change, bool) {
	if c, ok := b.own.changes[string(key)]; ok {
		return c, c.value != nil
	}
	c := b.committed(string(key))
	return c, c.value != nil
}

// committed returns what the key holds before this block.
func (b *Block) committed(key string) change {
	if c, ok := b.reads[key]; ok {
		return c
	}
	c, _ := lookupCurrent(b.db.kv, b.db.lay, []byte(key))
	if b.bytes += len(key) + len(c.value); b.bytes <= maxReadCacheBytes {
		b.reads[key] = c
	}
	return c
}

// Range implements [View].
func (b *Block) Range(prefix, from []byte, fn func(key, value []byte) bool) {
	b.own.merge(prefix, from, func(fn func(key, value []byte) bool) {
		rangeCurrent(b.db.kv, b.db.lay, prefix, from, fn)
	}, fn)
}

// Finish computes the app hash after this block. It does not touch the disk and
// may be called again. After it no transaction can be started.
//
// It panics if a transaction is open, or if the store is damaged.
func (b *Block) Finish() (appHash [32]byte) {
	if b.result != nil {
		return b.head.AppHash()
	}
	b.open()
	if b.tx {
		panic("state: Finish while a transaction is open")
	}
	f := &finished{writes: b.effective()}
	var err error
	if f.tree, err = b.db.tree.Update(treeChanges(f.writes), b.db.opts.Parallel); err != nil {
		damaged("tree: %w", err)
	}
	leaves := make([]proof.Hash, len(b.events))
	for i, e := range b.events {
		leaves[i] = proof.EventLeaf(e)
	}
	f.log, f.tiles = b.db.log.Append(leaves)
	b.head.TreeRoot, b.head.Keys = f.tree.Root, f.tree.Leaves
	b.head.LogRoot, b.head.LogSize = f.log.Root(), f.log.Size()
	b.result = f
	return b.head.AppHash()
}

// effective returns the writes that change something, in key order.
func (b *Block) effective() []write {
	writes := make([]write, 0, len(b.own.changes))
	b.own.order.Ascend(func(key string) bool {
		w := write{key: key, now: b.own.changes[key], was: b.committed(key)}
		if (w.now.value == nil) != (w.was.value == nil) || string(w.now.value) != string(w.was.value) {
			writes = append(writes, w)
		}
		return true
	})
	return writes
}

func treeChanges(writes []write) []tree.Change {
	changes := make([]tree.Change, 0, len(writes))
	for _, w := range writes {
		if w.now.auth == Proved {
			changes = append(changes, tree.NewChange([]byte(w.key), w.now.value))
		}
	}
	slices.SortFunc(changes, tree.Change.Compare)
	return changes
}

// Commit makes the block the last one: one batch, all or nothing. What is lost if
// the power fails before the next fsync of the database is a whole block at the
// end, never a part of one.
//
// After an error the block is still open, and nothing of it was written.
func (b *Block) Commit() error {
	b.Finish()
	if b.done {
		panic("state: Commit of a block that has ended")
	}
	db := b.db
	db.write.Lock()
	defer db.write.Unlock()
	batch := db.kv.NewBatch()
	defer batch.Close()
	if err := b.fill(batch); err != nil {
		return fmt.Errorf("state: block %d: %w", b.head.Height, err)
	}
	sync := pebble.NoSync
	if db.opts.Sync {
		sync = pebble.Sync
	}
	if err := batch.Commit(sync); err != nil {
		return fmt.Errorf("state: block %d: %w", b.head.Height, err)
	}
	db.tree.Apply(b.result.tree)
	db.log = b.result.log
	db.sum = b.sum
	db.last.Store(&b.head)
	b.end()
	return nil
}

// Discard drops the block. After Commit it does nothing, so that it can be deferred.
func (b *Block) Discard() {
	if !b.done {
		b.end()
	}
}

func (b *Block) end() {
	b.done = true
	b.db.block.Store(false)
}
