package prooffile

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"mulian/internal/fault"
)

// Checkpoint reads the log's signed checkpoint as it is now, and what it says. Its
// signature is not looked at.
func (t *Tiles) Checkpoint(ctx context.Context) (note []byte, size uint64, root []byte, err error) {
	if note, err = t.get(ctx, "checkpoint"); err != nil {
		return nil, 0, nil, err
	}
	if size, root, err = ReadNote(note); err != nil {
		return nil, 0, nil, err
	}
	t.mu.Lock()
	t.known = max(t.known, size)
	t.mu.Unlock()
	return note, size, root, nil
}

// ReadNote tells what a checkpoint says, without looking at its signature. Malformed if
// it is none.
func ReadNote(note []byte) (size uint64, root []byte, err error) {
	lines := strings.SplitN(string(note), "\n", 4)
	if len(lines) < 4 || len(note) > maxNote {
		return 0, nil, fault.Newf(fault.Malformed, "the log's checkpoint is none")
	}
	size, err = strconv.ParseUint(lines[1], 10, 64)
	root, rootErr := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || rootErr != nil || size > maxLogSize || len(root) != 32 {
		return 0, nil, fault.Newf(fault.Malformed, "the log's checkpoint has the size %.30q and the root %.60q", lines[1], lines[2])
	}
	return size, root, nil
}

// Consistency returns the proof that leads from the root of the first old records to that
// of the first size (RFC 6962 section 2.1.2), of which the log has published at least so many.
func (t *Tiles) Consistency(ctx context.Context, old, size uint64) ([][]byte, error) {
	if old == size {
		return nil, nil
	}
	nodes, err := proof.Consistency(old, size)
	if err != nil {
		return nil, fmt.Errorf("from %d to %d records: %w", old, size, err)
	}
	return t.gather(ctx, nodes, size)
}

// gather fetches the hashes of a proof in the tree of size.
func (t *Tiles) gather(ctx context.Context, nodes proof.Nodes, size uint64) ([][]byte, error) {
	have, err := t.size(ctx, size)
	if err != nil {
		return nil, err
	}
	if size > have {
		return nil, fault.Newf(fault.NotFound, "the log has %d records, not %d", have, size)
	}
	tiles := map[string][]byte{}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		if hashes[i], err = t.node(ctx, tiles, id.Level, id.Index, have); err != nil {
			return nil, err
		}
	}
	return nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
}

// Root returns the root of the first size records, as the tiles have it. NotFound if
// there are fewer.
func (t *Tiles) Root(ctx context.Context, size uint64) ([]byte, error) {
	if size == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	have, err := t.size(ctx, size)
	if err != nil {
		return nil, err
	}
	if size > have {
		return nil, fault.Newf(fault.NotFound, "the log has %d records, not %d", have, size)
	}
	tiles := map[string][]byte{}
	var root []byte
	ids := compact.RangeNodes(0, size, nil)
	for i := len(ids) - 1; i >= 0; i-- {
		h, err := t.node(ctx, tiles, ids[i].Level, ids[i].Index, have)
		switch {
		case err != nil:
			return nil, err
		case root == nil:
			root = h
		default:
			root = rfc6962.DefaultHasher.HashChildren(h, root)
		}
	}
	return root, nil
}

// Bundle returns the records from index on that stand in one file of the log: up to 256.
func (t *Tiles) Bundle(ctx context.Context, index uint64) ([][]byte, error) {
	size, err := t.size(ctx, index+1)
	if err != nil {
		return nil, err
	}
	if index >= size {
		return nil, fault.Newf(fault.NotFound, "the log has %d records, the first is number 0", size)
	}
	raw, err := t.get(ctx, tilePath("entries", index/tileWidth, size))
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for i := index - index%tileWidth; len(raw) >= 2; i++ {
		n := 2 + (int(raw[0])<<8 | int(raw[1]))
		if len(raw) < n {
			break
		}
		if i >= index {
			out = append(out, raw[2:n])
		}
		raw = raw[n:]
	}
	if len(out) == 0 || len(raw) > 0 {
		return nil, fault.Newf(fault.Malformed, "the log's bundle of record %d is cut", index)
	}
	return out, nil
}
