package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"mulian/state/eventlog"
	"mulian/state/proof"
	"mulian/state/tree"
)

// Check reads all that is stored for the latest height and compares: every Proved
// record with its leaf in the tree, every page of the tree with the pages below,
// every event with its place in the log, the roots with the head, and on a sealed chain
// ([Block.Seal]) the Plain records with the seal. It works on
// a snapshot, beside everything else, at some 100,000 records in a second.
//
// It returns an error that is ErrDamaged and names the first thing that does not
// fit, or that of ctx.
func (db *DB) Check(ctx context.Context) error {
	s := db.View()
	defer s.Close()
	if err := s.checkTree(ctx); err != nil {
		return err
	}
	if err := s.checkRecords(ctx); err != nil {
		return err
	}
	if err := s.checkEvents(ctx); err != nil {
		return err
	}
	if err := s.checkSeal(ctx); err != nil {
		return err
	}
	return s.checkBlocks(ctx)
}

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// checkTree shows that the tree is one, and has the root and as many leaves as the
// head says. Which leaves is for checkRecords.
func (s *Snapshot) checkTree(ctx context.Context) error {
	root, keys, pages, err := tree.Check(ctx, pageReader(s.snap, s.lay), func(_, _ proof.Hash) error { return nil })
	if err != nil {
		return wrong("tree: %w", err)
	}
	if root != s.head.TreeRoot || keys != s.head.Keys {
		return wrong("the tree has root %s and %d keys, the head says %s and %d", root, keys, s.head.TreeRoot, s.head.Keys)
	}
	stored, err := s.each(ctx, recPage, func(_, _ []byte) error { return nil })
	if err == nil && stored != pages {
		err = wrong("%d pages of the tree, and %d belong to it", stored, pages)
	}
	return err
}

// checkRecords shows that each Proved record has a leaf. As there are as many of
// them as leaves, no leaf is without a record.
func (s *Snapshot) checkRecords(ctx context.Context) error {
	read, proved := pageReader(s.snap, s.lay), int64(0)
	_, err := s.each(ctx, recCurrent, func(key, rec []byte) error {
		if len(rec) == 0 || rec[0] != byte(Proved) && rec[0] != byte(Plain) {
			return wrong("record of %.64q", key)
		}
		if rec[0] == byte(Plain) {
			return nil
		}
		proved++
		value, ok, err := tree.Lookup(read, sha256.Sum256(key))
		if err != nil {
			return wrong("%.64q: %w", key, err)
		}
		if !ok || value != sha256.Sum256(rec[1:]) {
			return wrong("%.64q has another value than in the tree", key)
		}
		return nil
	})
	if err == nil && proved != s.head.Keys {
		err = wrong("%d records, the head says %d", proved, s.head.Keys)
	}
	return err
}

// checkEvents builds the log anew and compares its tiles and root.
func (s *Snapshot) checkEvents(ctx context.Context) error {
	log, err := eventlog.Open(nil, 0)
	if err != nil {
		return err
	}
	var piece []proof.Hash
	flush := func() error {
		var grown []eventlog.Tile
		if log, grown = log.Append(piece); len(grown) == 0 {
			return nil
		}
		piece = piece[:0]
		for _, t := range grown {
			stored, err := get(s.snap, s.lay.tile(t.ID))
			if err != nil {
				return err
			}
			// The stored tile may have grown beyond this piece.
			if !bytes.HasPrefix(stored, t.Record) {
				return wrong("tile %x of the log", t.ID)
			}
		}
		return nil
	}
	height := int64(0)
	n, err := s.each(ctx, recEvent, func(key, rec []byte) error {
		seq := log.Size() + int64(len(piece))
		e, err := parseEvent(seq, rec)
		if err != nil {
			return err
		}
		if !bytes.Equal(key, be64(uint64(seq))) || e.Height < height || e.Height > s.head.Height {
			return wrong("event %x of height %d where %d should be", key, e.Height, seq)
		}
		height = e.Height
		if piece = append(piece, proof.EventLeaf(e.Bytes)); len(piece) == 4096 {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return err
	}
	if n != s.head.LogSize || log.Root() != s.head.LogRoot {
		return wrong("the log has %d events and root %s, the head says %d and %s", n, log.Root(), s.head.LogSize, s.head.LogRoot)
	}
	return nil
}

// checkBlocks shows that the history has exactly the records that the blocks name.
func (s *Snapshot) checkBlocks(ctx context.Context) error {
	named, last := int64(0), []byte(nil)
	oldest, err := readOldest(s.snap, s.lay)
	if err != nil {
		return err
	}
	_, err = s.each(ctx, recBlock, func(key, rec []byte) error {
		keys, err := changedKeys(rec)
		if err != nil {
			return err
		}
		head, err := parseHead(rec)
		if err != nil {
			return err
		}
		named, last = named+int64(len(keys)), bytes.Clone(rec)
		if head.Height < oldest || !bytes.Equal(key, be64(uint64(head.Height))) {
			return wrong("block %x of height %d, the oldest is %d", key, head.Height, oldest)
		}
		for _, k := range keys {
			if was, err := get(s.snap, s.lay.history(k, head.Height)); err != nil || was == nil {
				return wrong("block %d changed %.64q, and the history does not say so (%v)", head.Height, k, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.head.committed && !bytes.HasPrefix(last, s.head.append(nil)) {
		return wrong("the last block is not the head")
	}
	n, err := s.each(ctx, recHistory, func(key, _ []byte) error {
		_, _, err := s.lay.splitHistory(append(s.lay.key(recHistory), key...))
		return err
	})
	if err == nil && n != named {
		err = wrong("%d records in the history, the blocks name %d", n, named)
	}
	return err
}

// each calls fn for all records of one kind, and returns their number.
func (s *Snapshot) each(ctx context.Context, rec byte, fn func(key, rec []byte) error) (n int64, err error) {
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: s.lay.key(rec), UpperBound: s.lay.until(rec)})
	if err != nil {
		return 0, fmt.Errorf("state: check: %w", err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return n, ctx.Err()
		}
		if err := fn(s.lay.strip(it.Key()), it.Value()); err != nil {
			return n, err
		}
	}
	return n, it.Error()
}
