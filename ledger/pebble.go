package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	dbm "github.com/cometbft/cometbft-db"
)

// shared is the database that the engine's stores and ours are parts of. The
// engine's gossip goroutines go on for up to two seconds after it has stopped: then
// they find nothing instead of a closed database.
type shared struct {
	kv     *pebble.DB
	broken func(error) // told of every error of the disk
	before func()      // done before the database is closed, when nobody is in it; nil = nothing

	users  atomic.Int64
	closed atomic.Bool
}

// enter reports whether the database may be used, until leave. It may be nested.
func (s *shared) enter() bool {
	s.users.Add(1)
	if s.closed.Load() {
		s.users.Add(-1)
		return false
	}
	return true
}

func (s *shared) leave() { s.users.Add(-1) }

// close closes the database once nobody is in it.
func (s *shared) close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for until := time.Now().Add(stopWait); s.users.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			return errors.New("ledger: the store is still in use")
		}
	}
	if s.before != nil {
		s.before()
	}
	return s.kv.Close()
}

// engineDB is one of CometBFT's stores: the keys under a prefix. Durability is as
// the engine asks: Set and Write without, SetSync and WriteSync with fsync.
type engineDB struct {
	*shared
	prefix []byte
}

var (
	errEmptyKey = errors.New("ledger: empty key")
	errNilValue = errors.New("ledger: nil value")
	errEnded    = errors.New("ledger: batch is closed")
	errClosed   = errors.New("ledger: the store is closed")
)

func (d *engineDB) key(k []byte) []byte {
	return append(append(make([]byte, 0, len(d.prefix)+len(k)), d.prefix...), k...)
}

func (d *engineDB) note(err error) error {
	if err != nil {
		d.broken(err)
	}
	return err
}

// Get returns the value, nil if there is none.
func (d *engineDB) Get(k []byte) ([]byte, error) {
	if len(k) == 0 {
		return nil, errEmptyKey
	}
	if !d.enter() {
		return nil, nil
	}
	defer d.leave()
	v, closer, err := d.kv.Get(d.key(k))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, d.note(err)
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, d.note(closer.Close())
}

// Has reports whether the key is there.
func (d *engineDB) Has(k []byte) (bool, error) {
	v, err := d.Get(k)
	return v != nil, err
}

func (d *engineDB) set(k, v []byte, o *pebble.WriteOptions) error {
	if len(k) == 0 {
		return errEmptyKey
	}
	if v == nil {
		return errNilValue
	}
	if !d.enter() {
		return errClosed
	}
	defer d.leave()
	return d.note(d.kv.Set(d.key(k), v, o))
}

func (d *engineDB) delete(k []byte, o *pebble.WriteOptions) error {
	if len(k) == 0 {
		return errEmptyKey
	}
	if !d.enter() {
		return errClosed
	}
	defer d.leave()
	return d.note(d.kv.Delete(d.key(k), o))
}

// Set, SetSync, Delete and DeleteSync write one key.
func (d *engineDB) Set(k, v []byte) error     { return d.set(k, v, pebble.NoSync) }
func (d *engineDB) SetSync(k, v []byte) error { return d.set(k, v, pebble.Sync) }

// Delete removes one key; DeleteSync durably.
func (d *engineDB) Delete(k []byte) error     { return d.delete(k, pebble.NoSync) }
func (d *engineDB) DeleteSync(k []byte) error { return d.delete(k, pebble.Sync) }

// Close leaves the store open: it is shared.
func (d *engineDB) Close() error { return nil }

// Print does nothing: this process prints nothing of its store.
func (d *engineDB) Print() error { return nil }

// Stats tells nothing; see [Ledger.Status].
func (d *engineDB) Stats() map[string]string { return map[string]string{} }

// Compact gives back the room of deleted keys between start and end; nil means
// from the first, to the last.
func (d *engineDB) Compact(start, end []byte) error {
	lo, hi := d.bounds(start, end)
	if !d.enter() {
		return errClosed
	}
	defer d.leave()
	return d.note(d.kv.Compact(context.Background(), lo, hi, false))
}

func (d *engineDB) bounds(start, end []byte) (lo, hi []byte) {
	lo, hi = d.key(start), d.key(end)
	if end == nil {
		hi[len(hi)-1]++ // a prefix ends in '/', never 0xff
	}
	return lo, hi
}

// Iterator walks [start, end) upwards.
func (d *engineDB) Iterator(start, end []byte) (dbm.Iterator, error) {
	return d.iterate(start, end, false)
}

// ReverseIterator walks [start, end) downwards.
func (d *engineDB) ReverseIterator(start, end []byte) (dbm.Iterator, error) {
	return d.iterate(start, end, true)
}

func (d *engineDB) iterate(start, end []byte, down bool) (dbm.Iterator, error) {
	if start != nil && len(start) == 0 || end != nil && len(end) == 0 {
		return nil, errEmptyKey
	}
	lo, hi := d.bounds(start, end)
	if !d.enter() {
		return nil, errClosed
	}
	defer d.leave()
	it, err := d.kv.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return nil, d.note(err)
	}
	if down {
		it.Last()
	} else {
		it.First()
	}
	return &engineIterator{db: d, it: it, start: start, end: end, down: down}, nil
}

type engineIterator struct {
	db         *engineDB
	it         *pebble.Iterator
	start, end []byte
	down       bool
}

// Domain returns the bounds that the iterator was made with.
func (i *engineIterator) Domain() (start, end []byte) { return i.start, i.end }

// Valid reports whether the iterator stands on a key.
func (i *engineIterator) Valid() bool { return i.it.Valid() }

// Next moves on in the iterator's direction.
func (i *engineIterator) Next() {
	i.must()
	if i.down {
		i.it.Prev()
	} else {
		i.it.Next()
	}
}

// Key and Value return what the iterator stands on; the caller may keep them.
func (i *engineIterator) Key() []byte {
	i.must()
	return bytes.Clone(i.it.Key()[len(i.db.prefix):])
}

// Value returns a copy of the value.
func (i *engineIterator) Value() []byte {
	i.must()
	return bytes.Clone(i.it.Value())
}

func (i *engineIterator) must() {
	if !i.it.Valid() {
		panic("ledger: iterator is past its end")
	}
}

// Error returns what stopped the iterator, nil at a regular end.
func (i *engineIterator) Error() error { return i.db.note(i.it.Error()) }

// Close frees the iterator.
func (i *engineIterator) Close() error { return i.it.Close() }

// NewBatch starts an atomic write.
func (d *engineDB) NewBatch() dbm.Batch {
	if !d.enter() {
		return &engineBatch{db: d}
	}
	defer d.leave()
	return &engineBatch{db: d, batch: d.kv.NewBatch()}
}

type engineBatch struct {
	db    *engineDB
	batch *pebble.Batch // nil once written or closed
}

// Set adds a write to the batch.
func (b *engineBatch) Set(k, v []byte) error {
	switch {
	case len(k) == 0:
		return errEmptyKey
	case v == nil:
		return errNilValue
	case b.batch == nil:
		return errEnded
	}
	return b.batch.Set(b.db.key(k), v, nil)
}

// Delete adds the removal of a key to the batch.
func (b *engineBatch) Delete(k []byte) error {
	switch {
	case len(k) == 0:
		return errEmptyKey
	case b.batch == nil:
		return errEnded
	}
	return b.batch.Delete(b.db.key(k), nil)
}

// Write makes the batch visible; WriteSync also durable.
func (b *engineBatch) Write() error     { return b.commit(pebble.NoSync) }
func (b *engineBatch) WriteSync() error { return b.commit(pebble.Sync) }

func (b *engineBatch) commit(o *pebble.WriteOptions) error {
	if b.batch == nil {
		return errEnded
	}
	if !b.db.enter() {
		return errClosed
	}
	defer b.db.leave()
	if err := b.batch.Commit(o); err != nil {
		return b.db.note(fmt.Errorf("ledger: write: %w", err))
	}
	return b.Close()
}

// Close drops what was not written. It may be called again.
func (b *engineBatch) Close() error {
	if b.batch == nil {
		return nil
	}
	batch := b.batch
	b.batch = nil
	return batch.Close()
}
