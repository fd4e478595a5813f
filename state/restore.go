package state

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"mulian/state/eventlog"
	"mulian/state/lattice"
	"mulian/state/proof"
	"mulian/state/tree"
)

// ErrForged: chunks that are not those of the state that they were given out for.
var ErrForged = errors.New("state: these are not the chunks of that state")

func forged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrForged, fmt.Errorf(format, args...))
}

// Restore builds a state from the chunks of another store, which it does not trust. The
// store has no head, and is none, until all of it has been compared with the head that it
// shall have:
//
//	NewRestore ─▶ Records ×n ─▶ Events ×n ─▶ Finish ─▶ a state like any other
//	                  │             │           │ ErrForged
//	                  └─────────────┴───────────┴─────▶ throw the store away
//
// It needs some 70 MiB of memory whatever the size of the state, and for 64 bytes a record
// room in a directory of its own.
type Restore struct {
	kv    *pebble.DB
	lay   layout
	head  Head
	dir   string
	last  []byte // key of the last record
	sum   lattice.Sum
	seal  []byte // as the state says
	parts [leafParts]*leafFile
	proud int64 // Proved records so far

	log    *eventlog.Log
	leaves []proof.Hash // of the events that are not in log yet
	run    run
	height int64 // of the last event
	queued bool  // whether events have begun
}

// leafParts is in how many files the leaves of the tree wait to be sorted, by the first
// byte of their key: at 10 million records, 2.5 MB each.
const leafParts = 256

// leafSpare is what a part may have above four times its share: where the keys are few
// chance may do so. More is somebody's work, who wants us to sort all at once.
const leafSpare = 1 << 16

type leafFile struct {
	f *os.File
	w *bufio.Writer
	n int64 // leaves
}

// NewRestore begins under prefix of kv, where nothing may be, with head, which the caller
// has from a header that he believes; Keys is not looked at. dir is an empty directory for
// what does not fit into the memory.
func NewRestore(kv *pebble.DB, prefix []byte, head Head, dir string) (*Restore, error) {
	r := &Restore{kv: kv, lay: layout{prefix: bytes.Clone(prefix)}, head: head, dir: dir}
	r.head.committed = true
	var err error
	if r.log, err = eventlog.Open(nil, 0); err != nil {
		return nil, err
	}
	return r, nil
}

// Close frees what Finish did not.
func (r *Restore) Close() error {
	var errs []error
	for i, p := range r.parts {
		if p != nil {
			errs = append(errs, p.f.Close())
			r.parts[i] = nil
		}
	}
	return errors.Join(errs...)
}

// Records takes over the next chunk of records. ErrForged if it cannot be one.
func (r *Restore) Records(chunk []byte) error {
	if r.queued {
		return forged("records after events")
	}
	batch := r.kv.NewBatch()
	defer batch.Close()
	rest := chunk
	var element []byte
	for len(rest) > 0 {
		auth := Auth(rest[0])
		key, after, ok := field(rest[1:], MaxKeyBytes)
		if !ok || len(key) == 0 || auth != Proved && auth != Plain {
			return forged("a record that cannot be read")
		}
		value, after, ok := field(after, MaxValueBytes)
		if !ok {
			return forged("record %.64q cannot be read", key)
		}
		if bytes.Compare(key, r.last) <= 0 {
			return forged("record %.64q is out of order", key)
		}
		r.last = append(r.last[:0], key...)
		rest = after
		if auth == Plain {
			element = plainElement(element, key, value)
			r.sum.Add(element)
		} else if err := r.leaf(key, value); err != nil {
			return err
		}
		if string(key) == sealKey {
			r.seal = bytes.Clone(value)
		}
		if err := batch.Set(r.lay.current(key), append([]byte{byte(auth)}, value...), nil); err != nil {
			return fmt.Errorf("state: restore: %w", err)
		}
	}
	return r.write(batch)
}

func (r *Restore) leaf(key, value []byte) error {
	k, v := sha256.Sum256(key), sha256.Sum256(value)
	r.proud++
	p := r.parts[k[0]]
	if p == nil {
		f, err := os.OpenFile(filepath.Join(r.dir, fmt.Sprintf("leaves-%02x", k[0])), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("state: restore: %w", err)
		}
		p = &leafFile{f: f, w: bufio.NewWriterSize(f, 16<<10)}
		r.parts[k[0]] = p
	}
	if p.n++; p.n > 4*r.proud/leafParts+leafSpare {
		return forged("%d of %d proved records have keys of one part in %d", p.n, r.proud, leafParts)
	}
	w := p.w
	if _, err := w.Write(k[:]); err != nil {
		return fmt.Errorf("state: restore: %w", err)
	}
	if _, err := w.Write(v[:]); err != nil {
		return fmt.Errorf("state: restore: %w", err)
	}
	return nil
}

func (r *Restore) write(batch *pebble.Batch) error {
	if err := batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("state: restore: %w", err)
	}
	return nil
}

// field reads a length of at most limit and what it counts.
func field(b []byte, limit uint64) (value, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > limit || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// Events takes over the next chunk of events. ErrForged if it cannot be one.
func (r *Restore) Events(chunk []byte) error {
	r.queued = true
	batch := r.kv.NewBatch()
	defer batch.Close()
	for rest := chunk; len(rest) > 0; {
		h, w := binary.Uvarint(rest)
		if w <= 0 || h > uint64(r.head.Height) || int64(h) < r.height {
			return forged("event %d is of no height of this chain", r.log.Size()+int64(len(r.leaves)))
		}
		event, after, ok := field(rest[w:], MaxEventBytes)
		if !ok {
			return forged("event %d cannot be read", r.log.Size()+int64(len(r.leaves)))
		}
		rest, r.height = after, int64(h)
		seq := r.log.Size() + int64(len(r.leaves))
		if seq >= r.head.LogSize {
			return forged("more than %d events", r.head.LogSize)
		}
		if err := batch.Set(r.lay.event(seq), append(be64(h), event...), nil); err != nil {
			return fmt.Errorf("state: restore: %w", err)
		}
		r.run.next(&r.sum, int64(h))
		if r.leaves = append(r.leaves, proof.EventLeaf(event)); len(r.leaves) == 4096 {
			if err := r.grow(batch); err != nil {
				return err
			}
		}
	}
	return r.write(batch)
}

// grow takes the waiting leaves into the log.
func (r *Restore) grow(batch *pebble.Batch) error {
	var tiles []eventlog.Tile
	r.log, tiles = r.log.Append(r.leaves)
	r.leaves = r.leaves[:0]
	for _, t := range tiles {
		if err := batch.Set(r.lay.tile(t.ID), t.Record, nil); err != nil {
			return fmt.Errorf("state: restore: %w", err)
		}
	}
	return nil
}

// Finish compares everything with the head and makes the state one. The records are not
// flushed to the disk: that is the caller's business, before he relies on it. ErrForged if
// anything is not as the head says: then nothing of it may be used.
func (r *Restore) Finish(ctx context.Context) error {
	batch := r.kv.NewBatch()
	defer batch.Close()
	if err := r.grow(batch); err != nil {
		return err
	}
	r.run.end(&r.sum)
	if r.log.Size() != r.head.LogSize || r.log.Root() != r.head.LogRoot {
		return forged("%d events with root %s, the log has %d and %s", r.log.Size(), r.log.Root(), r.head.LogSize, r.head.LogRoot)
	}
	root, keys, err := r.buildTree(ctx)
	if err != nil {
		return err
	}
	if root != r.head.TreeRoot || keys != r.proud {
		return forged("%d proved records with root %s, the tree has %s", keys, root, r.head.TreeRoot)
	}
	if digest := r.sum.Digest(); string(r.seal) != string(digest[:]) {
		return forged("the plain records or the heights of events are not those of the seal")
	}
	r.head.Keys = keys
	var errs errorList
	errs.add(batch.Set(r.lay.sum(), r.sum.Bytes(), nil))
	errs.add(batch.Set(r.lay.oldest(), be64(uint64(r.head.Height)), nil))
	errs.add(batch.Set(r.lay.block(r.head.Height), r.head.append(nil), nil))
	errs.add(batch.Set(r.lay.head(), r.head.append(nil), nil))
	errs.add(r.write(batch))
	errs.add(r.Close())
	return errs.first
}

// buildTree builds the tree part by part, from the lowest keys on: each part touches pages
// of its own and those above it.
func (r *Restore) buildTree(ctx context.Context) (root proof.Hash, keys int64, err error) {
	t := tree.New(pageReader(r.kv, r.lay), 10_000)
	for i, p := range r.parts {
		if err := ctx.Err(); err != nil {
			return root, 0, err
		}
		if p == nil {
			continue
		}
		changes, err := p.sorted()
		if err != nil {
			return root, 0, err
		}
		u, err := t.Update(changes, 1)
		if err != nil {
			return root, 0, fmt.Errorf("state: restore part %d of the tree: %w", i, err)
		}
		batch := r.kv.NewBatch()
		var errs errorList
		for _, page := range u.Pages {
			if page.Record == nil {
				errs.add(batch.Delete(r.lay.page(page.Path), nil))
			} else {
				errs.add(batch.Set(r.lay.page(page.Path), page.Record, nil))
			}
		}
		errs.add(r.write(batch))
		errs.add(batch.Close())
		if errs.first != nil {
			return root, 0, errs.first
		}
		t.Apply(u)
		root, keys = u.Root, u.Leaves
	}
	return root, keys, nil
}

// sorted reads the leaves back, in the order of their keys.
func (p *leafFile) sorted() ([]tree.Change, error) {
	if err := p.w.Flush(); err != nil {
		return nil, fmt.Errorf("state: restore: %w", err)
	}
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("state: restore: %w", err)
	}
	raw, err := io.ReadAll(p.f)
	if err != nil {
		return nil, fmt.Errorf("state: restore: %w", err)
	}
	changes := make([]tree.Change, 0, len(raw)/64)
	for ; len(raw) >= 64; raw = raw[64:] {
		changes = append(changes, tree.Change{Key: proof.Hash(raw[:32]), Value: proof.Hash(raw[32:64])})
	}
	slices.SortFunc(changes, tree.Change.Compare)
	return changes, nil
}
