package receipt

import (
	"context"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Size is how many durable records there are; the tree may be some behind.
func (l *Log) Size() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return uint64(len(l.offsets))
}

// Integrated is how many records are in the tree, and a channel that is closed
// when there are more.
func (l *Log) Integrated() (uint64, <-chan struct{}) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.integrated, l.grown
}

// Head returns size and RFC 6962 root of the tree.
func (l *Log) Head(ctx context.Context) (size uint64, root []byte, err error) {
	size, _ = l.Integrated()
	root, err = l.tree.root(ctx, size)
	return size, root, err
}

// Root returns the root of the first size records. NotFound if the tree has fewer.
func (l *Log) Root(ctx context.Context, size uint64) ([]byte, error) {
	if err := l.reaches(size); err != nil {
		return nil, err
	}
	return l.tree.root(ctx, size)
}

// Consistency proves that the tree of size begins with that of old.
func (l *Log) Consistency(ctx context.Context, old, size uint64) ([][]byte, error) {
	if err := l.reaches(size); err != nil {
		return nil, err
	}
	if old > size {
		return nil, fault.Newf(fault.OutOfRange, "no proof from %d to %d records", old, size)
	}
	return l.tree.consistency(ctx, old, size)
}

// Inclusion proves that record index is in the tree of size.
func (l *Log) Inclusion(ctx context.Context, index, size uint64) ([][]byte, error) {
	if err := l.reaches(size); err != nil {
		return nil, err
	}
	if index >= size {
		return nil, fault.Newf(fault.OutOfRange, "record %d is not among the first %d", index, size)
	}
	return l.tree.inclusion(ctx, index, size)
}

func (l *Log) reaches(size uint64) error {
	if have, _ := l.Integrated(); size > have {
		return fault.Newf(fault.NotFound, "the log's tree has %d records, not %d", have, size)
	}
	return nil
}

// Record returns a record, a sealed one with its content. NotFound if there is none.
func (l *Log) Record(index uint64) (Entry, error) {
	e, err := l.leaf(index)
	if err != nil {
		return Entry{}, err
	}
	if e.Record.GetSealed() != nil && e.Record.Outcome != opened {
		whole, opening, err := l.openingOf(index+1, e.Record)
		if err != nil {
			return Entry{}, err
		}
		if whole != nil {
			e.Record, e.Opening = whole, opening
		}
	}
	return e, nil
}

// leaf returns a record as everybody sees it.
func (l *Log) leaf(index uint64) (Entry, error) {
	l.mu.RLock()
	if index >= uint64(len(l.offsets)) {
		l.mu.RUnlock()
		return Entry{}, fault.Newf(fault.NotFound, "the log has no record %d", index)
	}
	offset := l.offsets[index]
	l.mu.RUnlock()
	raw, err := l.journal.read(offset)
	if err != nil {
		return Entry{}, fault.Wrap(fault.Damaged, err, "access log: record %d", index)
	}
	e := Entry{Index: index, Raw: raw, Record: &tracev1.AccessRecord{}}
	if err := proto.Unmarshal(raw, e.Record); err != nil {
		return Entry{}, fault.Wrap(fault.Damaged, err, "access log: record %d", index)
	}
	return e, nil
}

// Each calls fn for the records from index on that are there now, until it returns
// false.
func (l *Log) Each(from uint64, fn func(Entry) bool) error {
	for i, end := from, l.Size(); i < end; i++ {
		e, err := l.Record(i)
		if err != nil {
			return err
		}
		if !fn(e) {
			return nil
		}
	}
	return nil
}

// Of calls fn for the records of an agreement in their order until it returns false.
func (l *Log) Of(agreement string, fn func(Entry) bool) error {
	l.mu.RLock()
	at := l.of[agreement].at // only ever grows: this much of it stays as it is
	l.mu.RUnlock()
	for _, i := range at {
		e, err := l.Record(i)
		if err != nil {
			return err
		}
		if !fn(e) {
			return nil
		}
	}
	return nil
}

// Last is the number of an agreement's latest decision; 0 if there was none.
func (l *Log) Last(agreement string) uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.of[agreement].last
}

// TilesDir is the folder of checkpoint and tiles, to be served to anyone.
func (l *Log) TilesDir() string { return filepath.Join(l.cfg.Dir, "tiles") }
