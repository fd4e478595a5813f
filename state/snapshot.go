package state

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Snapshot is the state after one block. It does not change while later blocks
// are committed, and any goroutine may use it. It holds resources of the database
// until Close, so do not keep one for longer than an answer takes.
type Snapshot struct {
	lay    layout
	snap   *pebble.Snapshot
	height int64 // asked for; the head's own if it is the latest
	head   Head  // of the block at height, or the last one before it
	past   bool  // later blocks exist in snap: values come through the history
}

// View returns the state after the last committed block.
func (db *DB) View() *Snapshot {
	s := &Snapshot{lay: db.lay, snap: db.kv.NewSnapshot()}
	// The head is read from the snapshot, for the one in memory may be older.
	head, err := readHead(s.snap, s.lay)
	if err != nil {
		damaged("head: %w", err)
	}
	if head == nil {
		head = &Head{LogRoot: db.last.Load().LogRoot}
	}
	s.head, s.height = *head, head.Height
	return s
}

// At returns the state after the block at height: its Proved records, with the
// values of that time. Plain records have no history and are not in it, unless
// height is that of the last block.
//
// It returns an error that is ErrFuture or ErrPruned.
func (db *DB) At(height int64) (*Snapshot, error) {
	s := db.View()
	err := s.goTo(height)
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) goTo(height int64) error {
	if height == s.head.Height && s.head.committed {
		return nil
	}
	if height > s.head.Height || !s.head.committed {
		return fmt.Errorf("%w: %d, the last one is %d", ErrFuture, height, s.head.Height)
	}
	oldest, err := readOldest(s.snap, s.lay)
	if err != nil {
		return err
	}
	if height < oldest || height < 0 {
		return fmt.Errorf("%w: %d, the oldest one is %d", ErrPruned, height, oldest)
	}
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: s.lay.key(recBlock), UpperBound: s.lay.until(recBlock)})
	if err != nil {
		return fmt.Errorf("state: heads: %w", err)
	}
	defer it.Close()
	if !it.SeekLT(s.lay.block(height + 1)) {
		return fmt.Errorf("%w: %d, before the first block", ErrPruned, height)
	}
	head, err := parseHead(it.Value())
	if err != nil {
		return err
	}
	s.head, s.height, s.past = *head, height, true
	return nil
}

// Close frees the snapshot. Every use after it panics.
func (s *Snapshot) Close() {
	if err := s.snap.Close(); err != nil {
		damaged("close snapshot: %w", err)
	}
}

// Height implements [View].
func (s *Snapshot) Height() int64 { return s.height }

// UnixMs returns the time of the block.
func (s *Snapshot) UnixMs() int64 { return s.head.UnixMs }

// Head returns what the block left behind. Its Height is below that of the
// snapshot if the height asked for was left out.
func (s *Snapshot) Head() Head { return s.head }

// AppHash returns the app hash after the block.
func (s *Snapshot) AppHash() [32]byte { return s.head.AppHash() }

// Get implements [View].
func (s *Snapshot) Get(key []byte) ([]byte, bool) {
	c, ok := s.lookup(key)
	return c.value, ok
}

func (s *Snapshot) lookup(key []byte) (change, bool) {
	if s.past {
		return s.lookupPast(key)
	}
	return lookupCurrent(s.snap, s.lay, key)
}

// Range implements [View].
func (s *Snapshot) Range(prefix, from []byte, fn func(key, value []byte) bool) {
	if s.past {
		s.rangePast(prefix, from, fn)
		return
	}
	rangeCurrent(s.snap, s.lay, prefix, from, fn)
}

// Scratch returns a transaction over the snapshot that can only be dropped: to try
// what a message would do. Keep panics.
func (s *Snapshot) Scratch() *Tx {
	return &Tx{under: s, own: newOverlay(), end: func(keep bool) {
		if keep {
			panic("state: Keep of a scratch transaction")
		}
	}}
}

func lookupCurrent(r pebble.Reader, lay layout, key []byte) (change, bool) {
	b, err := get(r, lay.current(key))
	if err != nil {
		damaged("%.64q: %w", key, err)
	}
	if b == nil {
		return change{}, false
	}
	return splitCurrent(key, b), true
}

// splitCurrent reads a current record: the kind, then the value.
func splitCurrent(key, rec []byte) change {
	if len(rec) == 0 || rec[0] != byte(Proved) && rec[0] != byte(Plain) {
		damaged("record of %.64q", key)
	}
	return change{value: rec[1:], auth: Auth(rec[0])}
}

func rangeCurrent(r pebble.Reader, lay layout, prefix, from []byte, fn func(key, value []byte) bool) {
	lo, hi := lay.currentRange(prefix, from)
	if bytes.Compare(lo, hi) >= 0 {
		return
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		damaged("range %.64q: %w", prefix, err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		key := lay.strip(it.Key())
		if !fn(key, splitCurrent(key, it.Value()).value) {
			return
		}
	}
	if err := it.Error(); err != nil {
		damaged("range %.64q: %w", prefix, err)
	}
}

func readOldest(r pebble.Reader, lay layout) (int64, error) {
	b, err := get(r, lay.oldest())
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: oldest height of %d bytes", ErrDamaged, len(b))
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}
