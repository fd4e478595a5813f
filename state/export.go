package state

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A state is exported as chunks: first the records in the order of their keys, then the
// events in their order. Equal states have equal chunks, on every node and in every
// version of this package that writes [ExportVersion].
//
//	records   (kind byte, length of key, key, length of value, value)*
//	events    (height, length, event)*
//
// Lengths and heights are varints. A chunk ends with the first record or event that brings
// it to [chunkTarget]. So the chunks of events of a later state begin with all but the
// last one of an earlier state.

// ExportVersion is that of the form above.
const ExportVersion = 1

const (
	// chunkTarget is where a chunk ends. Small enough to be asked for again, large enough
	// that 1 GiB has 512 of them.
	chunkTarget = 2 << 20
	// MaxChunkBytes is the largest chunk: the target and one record.
	MaxChunkBytes = chunkTarget + MaxKeyBytes + MaxValueBytes + 32
)

// ExportRecords calls fn with the chunks of all records. The chunk is valid until fn returns.
func (s *Snapshot) ExportRecords(ctx context.Context, fn func(chunk []byte) error) error {
	if s.past {
		return fmt.Errorf("state: only the latest state has all its records")
	}
	c := cutter{ctx: ctx, fn: fn}
	return c.walk(s, s.lay.key(recCurrent), s.lay.until(recCurrent), func(dst, key, rec []byte) ([]byte, error) {
		if len(rec) == 0 || rec[0] != byte(Proved) && rec[0] != byte(Plain) {
			return nil, wrong("record of %.64q", key)
		}
		dst = binary.AppendUvarint(append(dst, rec[0]), uint64(len(key)))
		dst = binary.AppendUvarint(append(dst, key...), uint64(len(rec)-1))
		return append(dst, rec[1:]...), nil
	})
}

// ExportEvents calls fn with the chunks of all events. The chunk is valid until fn returns.
func (s *Snapshot) ExportEvents(ctx context.Context, fn func(chunk []byte) error) error {
	seq := int64(0)
	c := cutter{ctx: ctx, fn: fn}
	err := c.walk(s, s.lay.event(0), s.lay.until(recEvent), func(dst, _, rec []byte) ([]byte, error) {
		e, err := parseEvent(seq, rec)
		if err != nil {
			return nil, err
		}
		seq++
		dst = binary.AppendUvarint(dst, uint64(e.Height))
		dst = binary.AppendUvarint(dst, uint64(len(e.Bytes)))
		return append(dst, e.Bytes...), nil
	})
	if err == nil && seq != s.head.LogSize {
		err = wrong("%d events, the head says %d", seq, s.head.LogSize)
	}
	return err
}

// cutter makes chunks of what it walks over.
type cutter struct {
	ctx   context.Context // of the one call
	fn    func(chunk []byte) error
	chunk []byte
}

func (c *cutter) walk(s *Snapshot, lo, hi []byte, write func(dst, key, rec []byte) ([]byte, error)) error {
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return fmt.Errorf("state: export: %w", err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if c.chunk, err = write(c.chunk, s.lay.strip(it.Key()), it.Value()); err != nil {
			return err
		}
		if len(c.chunk) >= chunkTarget {
			if err := c.cut(); err != nil {
				return err
			}
		}
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("state: export: %w", err)
	}
	return c.cut()
}

func (c *cutter) cut() error {
	if len(c.chunk) == 0 {
		return nil
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	err := c.fn(c.chunk)
	c.chunk = c.chunk[:0]
	return err
}
