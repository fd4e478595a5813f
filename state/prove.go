package state

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"mulian/state/eventlog"
	"mulian/state/proof"
	"mulian/state/tree"
)

// ErrPast: only the latest state has a tree to prove from. For what was before,
// the events prove it.
var ErrPast = errors.New("state: keys are proved for the latest height only")

// Prove returns the proof of what key holds, or of its absence, in the state after
// the last committed block. A Plain key is proved absent: it is not in the tree.
func (db *DB) Prove(key []byte) (*proof.Key, error) {
	s := db.View()
	defer s.Close()
	return s.Prove(key)
}

// Prove is [DB.Prove] for the snapshot. It returns ErrPast if the snapshot shows
// another height than the last one at the time when it was taken.
func (s *Snapshot) Prove(key []byte) (*proof.Key, error) {
	if s.past {
		return nil, fmt.Errorf("%w: asked for %d", ErrPast, s.height)
	}
	way, err := tree.Prove(pageReader(s.snap, s.lay), sha256.Sum256(key))
	if err != nil {
		return nil, fmt.Errorf("state: prove %.64q: %w", key, err)
	}
	p := &proof.Key{
		Height: s.head.Height, TreeRoot: s.head.TreeRoot, LogRoot: s.head.LogRoot, LogSize: s.head.LogSize,
		Key: append(proof.Bytes{}, key...), Exists: way.Exists,
		Depth: way.Depth, Bitmap: way.Bitmap, Siblings: way.Siblings, Other: way.Other,
	}
	if way.Exists {
		value, ok := s.Get(key)
		if !ok {
			return nil, fmt.Errorf("%w: %.64q is in the tree only", ErrDamaged, key)
		}
		p.Value = value
	}
	return p, nil
}

// Event is one entry of the log.
type Event struct {
	Seq    int64 // place in the log, from 0
	Height int64 // block that it was emitted in
	Bytes  []byte
}

// Events returns the size of the log after the last committed block.
func (db *DB) Events() int64 { return db.last.Load().LogSize }

// Event returns the event at seq, or ErrNoEvent.
func (db *DB) Event(seq int64) (Event, error) {
	if seq < 0 || seq >= db.Events() {
		return Event{}, fmt.Errorf("%w: %d of %d", ErrNoEvent, seq, db.Events())
	}
	b, err := get(db.kv, db.lay.event(seq))
	if err != nil {
		return Event{}, err
	}
	return parseEvent(seq, b)
}

func parseEvent(seq int64, rec []byte) (Event, error) {
	if len(rec) < 8 {
		return Event{}, fmt.Errorf("%w: event %d", ErrDamaged, seq)
	}
	return Event{Seq: seq, Height: int64(binary.BigEndian.Uint64(rec)), Bytes: rec[8:]}, nil
}

// EventRange returns up to n events from seq on, fewer at the end of the log or if
// they are many or large: ask again behind the last one. None means the end.
func (db *DB) EventRange(from int64, n int) ([]Event, error) {
	end := db.Events()
	if from < 0 || from > end {
		return nil, fmt.Errorf("%w: %d of %d", ErrNoEvent, from, end)
	}
	end = min(end, from+int64(max(0, min(n, maxEventsPerRead))))
	it, err := db.kv.NewIter(&pebble.IterOptions{LowerBound: db.lay.event(from), UpperBound: db.lay.event(end)})
	if err != nil {
		return nil, fmt.Errorf("state: events: %w", err)
	}
	defer it.Close()
	var events []Event
	for size, ok := 0, it.First(); ok && size < maxEventBytesPerRead; ok = it.Next() {
		e, err := parseEvent(from+int64(len(events)), append([]byte(nil), it.Value()...))
		if err != nil {
			return nil, err
		}
		events = append(events, e)
		size += len(e.Bytes)
	}
	if err := it.Error(); err != nil {
		return nil, fmt.Errorf("state: events: %w", err)
	}
	return events, nil
}

// ProveEvent returns the proof that the event at seq is in the log of the first
// size events; size 0 means all. If the last block ended at that size, the proof
// also leads to its app hash; else it leads to the log root only.
func (db *DB) ProveEvent(seq, size int64) (*proof.Event, error) {
	s := db.View()
	defer s.Close()
	if size == 0 {
		size = s.head.LogSize
	}
	p, err := s.proveEvent(seq, size)
	if err == nil && size == s.head.LogSize {
		p.Height, p.TreeRoot = s.head.Height, s.head.TreeRoot
	}
	return p, err
}

// ProveEventAt returns the proof that the event at seq was in the log after the
// block at height. It leads to that block's app hash. The height must be kept.
func (db *DB) ProveEventAt(seq, height int64) (*proof.Event, error) {
	s, err := db.At(height)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	p, err := s.proveEvent(seq, s.head.LogSize)
	if err == nil {
		p.Height, p.TreeRoot = s.head.Height, s.head.TreeRoot
	}
	return p, err
}

func (s *Snapshot) proveEvent(seq, size int64) (*proof.Event, error) {
	if seq < 0 || seq >= size || size > s.head.LogSize {
		return nil, fmt.Errorf("%w: %d of %d", ErrNoEvent, seq, size)
	}
	path, err := eventlog.Inclusion(tileReader(s.snap, s.lay), seq, size)
	if err != nil {
		return nil, fmt.Errorf("state: prove event %d: %w", seq, err)
	}
	b, err := get(s.snap, s.lay.event(seq))
	if err != nil {
		return nil, err
	}
	e, err := parseEvent(seq, b)
	return &proof.Event{Seq: seq, Size: size, Event: e.Bytes, Path: path}, err
}

// ConsistencyProof returns the proof that the log of the first oldSize events is
// the beginning of that of the first newSize. oldSize is at least 1.
func (db *DB) ConsistencyProof(oldSize, newSize int64) (*proof.Consistency, error) {
	if oldSize < 1 || oldSize > newSize || newSize > db.Events() {
		return nil, fmt.Errorf("%w: sizes %d and %d of %d", ErrNoEvent, oldSize, newSize, db.Events())
	}
	path, err := eventlog.Consistency(tileReader(db.kv, db.lay), oldSize, newSize)
	if err != nil {
		return nil, fmt.Errorf("state: consistency of %d and %d: %w", oldSize, newSize, err)
	}
	return &proof.Consistency{OldSize: oldSize, NewSize: newSize, Path: path}, nil
}
