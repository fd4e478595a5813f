package state

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The history holds, for each block and each Proved key that it changed, what the
// key held before: a byte for whether it was there, then the value. The value at a
// height is thus in the first history record above it, or the current one.
const (
	wasAbsent  = 0
	wasPresent = 1
)

// fill writes the whole block into the batch.
func (b *Block) fill(batch *pebble.Batch) error {
	lay, f := b.db.lay, b.result
	record := b.head.append(nil)
	var errs errorList
	for _, w := range f.writes {
		key := []byte(w.key)
		if w.now.value == nil {
			errs.add(batch.Delete(lay.current(key), nil))
		} else {
			errs.add(batch.Set(lay.current(key), append([]byte{byte(w.now.auth)}, w.now.value...), nil))
		}
		if w.now.auth != Proved {
			continue
		}
		was := []byte{wasAbsent}
		if w.was.value != nil {
			was = append([]byte{wasPresent}, w.was.value...)
		}
		errs.add(batch.Set(lay.history(key, b.head.Height), was, nil))
		record = append(binary.AppendUvarint(record, uint64(len(key))), key...)
	}
	for _, p := range f.tree.Pages {
		if p.Record == nil {
			errs.add(batch.Delete(lay.page(p.Path), nil))
		} else {
			errs.add(batch.Set(lay.page(p.Path), p.Record, nil))
		}
	}
	for _, t := range f.tiles {
		errs.add(batch.Set(lay.tile(t.ID), t.Record, nil))
	}
	first := f.log.Size() - int64(len(b.events))
	for i, e := range b.events {
		errs.add(batch.Set(lay.event(first+int64(i)), append(be64(uint64(b.head.Height)), e...), nil))
	}
	switch {
	case b.sum != nil:
		errs.add(batch.Set(lay.sum(), b.sum.Bytes(), nil))
	case b.db.sum != nil:
		errs.add(batch.Delete(lay.sum(), nil))
	}
	errs.add(batch.Set(lay.block(b.head.Height), record, nil))
	errs.add(batch.Set(lay.head(), b.head.append(nil), nil))
	if keep := b.db.opts.KeepVersions; keep > 0 {
		// Twice what the block itself added, so that pruning catches up.
		_, err := b.db.prune(batch, b.head.Height-keep+1, 1024+2*len(f.writes))
		errs.add(err)
	}
	return errs.first
}

// errorList keeps the first error of many steps, none of which matters alone.
type errorList struct{ first error }

func (l *errorList) add(err error) {
	if l.first == nil {
		l.first = err
	}
}

// Oldest returns the oldest height that can be read.
func (db *DB) Oldest() (int64, error) { return readOldest(db.kv, db.lay) }

// Prune drops values that only reads below keepFrom need. One call does a bounded
// piece of work; call again while [DB.Oldest] is below keepFrom. A keepFrom above
// the last block means the last block. It may run beside a Block and readers.
func (db *DB) Prune(keepFrom int64) error {
	db.write.Lock()
	defer db.write.Unlock()
	batch := db.kv.NewBatch()
	defer batch.Close()
	did, err := db.prune(batch, min(keepFrom, db.Height()), pruneKeysPerCall)
	if err != nil || !did {
		return err
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("state: prune: %w", err)
	}
	return nil
}

// prune writes to the batch what drops the heights below keepFrom, whole heights
// until about budget keys are reached, and reports whether it wrote anything.
func (db *DB) prune(batch *pebble.Batch, keepFrom int64, budget int) (bool, error) {
	oldest, err := readOldest(db.kv, db.lay)
	if err != nil || keepFrom <= oldest {
		return false, err
	}
	it, err := db.kv.NewIter(&pebble.IterOptions{LowerBound: db.lay.block(oldest), UpperBound: db.lay.block(keepFrom)})
	if err != nil {
		return false, fmt.Errorf("state: prune: %w", err)
	}
	defer it.Close()
	reached := keepFrom
	var errs errorList
	for it.First(); it.Valid(); it.Next() {
		height := int64(binary.BigEndian.Uint64(db.lay.strip(it.Key())))
		if budget <= 0 {
			reached = height
			break
		}
		keys, err := changedKeys(it.Value())
		if err != nil {
			return false, err
		}
		for _, key := range keys {
			errs.add(batch.Delete(db.lay.history(key, height), nil))
		}
		errs.add(batch.Delete(bytes.Clone(it.Key()), nil))
		budget -= 1 + len(keys)
	}
	errs.add(it.Error())
	errs.add(batch.Set(db.lay.oldest(), be64(uint64(reached)), nil))
	return true, errs.first
}

// changedKeys reads the keys that follow the head in a block's record.
func changedKeys(record []byte) ([][]byte, error) {
	if len(record) < headLen {
		return nil, fmt.Errorf("%w: block record of %d bytes", ErrDamaged, len(record))
	}
	var keys [][]byte
	for b := record[headLen:]; len(b) > 0; {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return nil, fmt.Errorf("%w: keys of a block record", ErrDamaged)
		}
		keys = append(keys, b[w:w+int(n)])
		b = b[w+int(n):]
	}
	return keys, nil
}

func splitHistoryValue(key, rec []byte) change {
	switch {
	case len(rec) == 1 && rec[0] == wasAbsent:
		return change{}
	case len(rec) >= 1 && rec[0] == wasPresent:
		return change{value: bytes.Clone(rec[1:]), auth: Proved}
	}
	damaged("history of %.64q", key)
	return change{}
}

func (s *Snapshot) lookupPast(key []byte) (change, bool) {
	prefix := s.lay.historyOf(key)
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		damaged("history of %.64q: %w", key, err)
	}
	defer it.Close()
	if it.SeekGE(s.lay.history(key, s.height+1)) {
		c := splitHistoryValue(key, it.Value())
		return c, c.auth != 0
	}
	if err := it.Error(); err != nil {
		damaged("history of %.64q: %w", key, err)
	}
	if c, ok := lookupCurrent(s.snap, s.lay, key); ok && c.auth == Proved {
		return c, true
	}
	return change{}, false
}

// rangePast walks the current records and the history side by side: a key that was
// deleted since is only in the history.
func (s *Snapshot) rangePast(prefix, from []byte, fn func(key, value []byte) bool) {
	lo, hi := s.lay.currentRange(prefix, from)
	if bytes.Compare(lo, hi) >= 0 {
		return
	}
	now, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		damaged("range %.64q: %w", prefix, err)
	}
	defer now.Close()
	past, err := s.newPastCursor(lo, hi)
	if err != nil {
		damaged("history of %.64q: %w", prefix, err)
	}
	defer past.it.Close()
	for now.First(); now.Valid() || past.key != nil; {
		order := -1 // the current record comes first
		if !now.Valid() {
			order = 1
		} else if past.key != nil {
			order = bytes.Compare(s.lay.strip(now.Key()), past.key)
		}
		var key []byte
		var c change
		if order < 0 {
			key = s.lay.strip(now.Key())
			c = splitCurrent(key, now.Value())
		} else {
			key, c = past.key, past.value
		}
		if c.auth == Proved && !fn(key, c.value) {
			return
		}
		if order <= 0 {
			now.Next()
		}
		if order >= 0 {
			past.next()
		}
	}
	if err := now.Error(); err != nil {
		damaged("range %.64q: %w", prefix, err)
	}
}

// pastCursor walks the keys that changed after a height, with what they held then.
type pastCursor struct {
	s     *Snapshot
	it    *pebble.Iterator
	key   []byte // nil at the end
	value change
}

// newPastCursor covers the keys of the current records from lo to hi.
func (s *Snapshot) newPastCursor(lo, hi []byte) (*pastCursor, error) {
	bound := func(current []byte) []byte {
		if current[len(s.lay.prefix)] != recCurrent { // hi is the end of all
			return s.lay.until(recHistory)
		}
		k := s.lay.historyOf(s.lay.strip(current))
		return k[:len(k)-2] // without the end mark: before the key and all that it begins
	}
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: bound(lo), UpperBound: bound(hi)})
	if err != nil {
		return nil, err
	}
	c := &pastCursor{s: s, it: it}
	it.First()
	c.settle()
	return c, nil
}

func (c *pastCursor) next() {
	c.it.SeekGE(prefixEnd(c.s.lay.historyOf(c.key)))
	c.settle()
}

// settle moves to the first record that is above the height, of the first key
// that has one.
func (c *pastCursor) settle() {
	c.key = nil
	for c.it.Valid() {
		key, height, err := c.s.lay.splitHistory(c.it.Key())
		if err != nil {
			damaged("%w", err)
		}
		if height > c.s.height {
			c.key, c.value = key, splitHistoryValue(key, c.it.Value())
			return
		}
		c.it.SeekGE(c.s.lay.history(key, c.s.height+1))
	}
	if err := c.it.Error(); err != nil {
		damaged("history: %w", err)
	}
}
