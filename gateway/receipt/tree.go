package receipt

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api/layout"
	tiles "github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"k8s.io/klog/v2"

	"mulian/internal/fault"
)

// tree is the public form of the log: a folder of tiles that Tessera keeps.
type tree struct {
	dir    string
	add    tessera.AddFn
	read   tessera.LogReader
	finish func(context.Context) error
	cancel context.CancelFunc
}

// quietTessera sends what Tessera logs to ours: it would write on stderr itself.
var quietTessera sync.Once

func openTree(dir string, signers []*checkpointSigner, log *slog.Logger) (*tree, error) {
	quietTessera.Do(func() { klog.SetSlogLogger(log.With("part", "tessera")) })
	ctx, cancel := context.WithCancel(context.Background()) // Tessera's own goroutines; ended by close
	driver, err := posix.New(ctx, posix.Config{Path: dir, HTTPClient: http.DefaultClient})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open tree: %w", err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signers[0])
	if len(signers) > 1 { // while one follows the other, both sign
		opts = opts.WithCheckpointSigner(signers[0], signers[1])
	}
	opts = opts.
		WithBatching(treeBatch, treeAge).
		WithCheckpointInterval(checkpointEvery)
	a, finish, read, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open tree: %w", err)
	}
	return &tree{dir: dir, add: a.Add, read: read, finish: finish, cancel: cancel}, nil
}

// grow adds leaves that belong at first, first+1, … and returns when they are in
// the tree.
//
// Tessera's queue can swap two of its batches if the second is full, or of age, before the
// first was handed over (storage/internal/queue.go: what is taken out under the lock is
// sent after it). So one batch at a time is in it, of half its size.
func (t *tree) grow(ctx context.Context, first uint64, leaves [][]byte) error {
	for len(leaves) > treeBatch/2 {
		if err := t.growOnce(ctx, first, leaves[:treeBatch/2]); err != nil {
			return err
		}
		first, leaves = first+treeBatch/2, leaves[treeBatch/2:]
	}
	return t.growOnce(ctx, first, leaves)
}

func (t *tree) growOnce(ctx context.Context, first uint64, leaves [][]byte) error {
	entries := make([]*tessera.Entry, len(leaves)) // before the first is added: this takes time
	for i, l := range leaves {
		entries[i] = tessera.NewEntry(l)
	}
	var waits []tessera.IndexFuture
	for _, e := range entries {
		waits = append(waits, t.add(ctx, e))
	}
	for i, wait := range waits {
		at, err := wait()
		if err != nil {
			return fmt.Errorf("tree: leaf %d: %w", first+uint64(i), err)
		}
		if at.Index != first+uint64(i) {
			return fault.Newf(fault.Damaged, "tree: leaf %d of the journal became leaf %d of the tree", first+uint64(i), at.Index)
		}
	}
	return nil
}

func (t *tree) size(ctx context.Context) (uint64, error) { return t.read.IntegratedSize(ctx) }

// tile reads tiles as they stood at any size up to the tree's own: Tessera writes
// a partial tile only for the sizes at which a batch ended, and a longer one begins
// with the shorter.
func (t *tree) tile(ctx context.Context, level, index uint64, p uint8) ([]byte, error) {
	if p == 0 {
		return t.read.ReadTile(ctx, level, index, p)
	}
	// The tree may grow between the two reads; the file of the older size stays.
	size, err := t.size(ctx)
	if err != nil {
		return nil, err
	}
	b, err := t.read.ReadTile(ctx, level, index, layout.PartialTileSize(level, index, size))
	if err != nil {
		return nil, err
	}
	if len(b) < int(p)*rfc6962.DefaultHasher.Size() {
		return nil, fault.Newf(fault.Damaged, "tree: tile %d/%d has %d bytes, want %d hashes", level, index, len(b), p)
	}
	return b[:int(p)*rfc6962.DefaultHasher.Size()], nil
}

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// root returns the RFC 6962 root of the first size leaves.
func (t *tree) root(ctx context.Context, size uint64) ([]byte, error) {
	if size == 0 {
		return rfc6962.DefaultHasher.EmptyRoot(), nil
	}
	nodes, err := tiles.FetchRangeNodes(ctx, size, t.tile)
	if err != nil {
		return nil, fmt.Errorf("tree: root of %d: %w", size, err)
	}
	r, err := ranges.NewRange(0, size, nodes)
	if err != nil {
		return nil, fmt.Errorf("tree: root of %d: %w", size, err)
	}
	return r.GetRootHash(nil)
}

func (t *tree) consistency(ctx context.Context, old, size uint64) ([][]byte, error) {
	if old == 0 || old == size {
		return nil, nil
	}
	b, err := tiles.NewProofBuilder(ctx, size, t.tile)
	if err != nil {
		return nil, fmt.Errorf("tree: proof from %d to %d: %w", old, size, err)
	}
	return b.ConsistencyProof(ctx, old, size)
}

func (t *tree) inclusion(ctx context.Context, index, size uint64) ([][]byte, error) {
	b, err := tiles.NewProofBuilder(ctx, size, t.tile)
	if err != nil {
		return nil, fmt.Errorf("tree: proof of %d in %d: %w", index, size, err)
	}
	return b.InclusionProof(ctx, index)
}

// matches tells whether the tree's first leaves are those of the journal.
func (t *tree) matches(ctx context.Context, size uint64, journalRoot []byte) error {
	root, err := t.root(ctx, size)
	if err != nil {
		return err
	}
	if !bytes.Equal(root, journalRoot) {
		return fault.Newf(fault.Damaged, "access log: tree and journal differ within the first %d records", size)
	}
	return nil
}

// closeWait bounds the last checkpoint at the end.
const closeWait = 5 * time.Second

func (t *tree) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	defer t.cancel()
	return t.finish(ctx)
}
