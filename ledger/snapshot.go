package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/state"
)

// A snapshot is the whole state after one block, as chunks that another node can fetch, and
// the block with which the engine goes on. It lies in files beside the store:
//
//	snapshots/000000010000.snapshot   ledgerv1.GetSnapshotResponse
//	snapshots/chunks/<SHA-256>        a chunk, zstd; those of events are shared by all snapshots
//
// It is made in the background from a view of the store: blocks go on meanwhile. All nodes
// make theirs at the same heights, and equal states have equal chunks, so that a new node
// takes them from several at once.

const (
	snapshotsDir   = "snapshots"
	chunksDir      = "chunks"
	snapshotSuffix = ".snapshot"
	// snapshotVersion is that of ledgerv1.Snapshot; it covers state.ExportVersion.
	snapshotVersion = state.ExportVersion
	// snapshotEvery is how many blocks lie between two snapshots; see [Config.SnapshotEvery].
	snapshotEvery = 10_000
	// snapshotsKept: the newest, and the one before it for those who are fetching it.
	snapshotsKept = 2
	// maxChunks bounds a snapshot to some 200 GB and its list to 4 MB.
	maxChunks = 100_000
	// maxSnapshotBytes bounds the file of a snapshot without its chunks: list, block, commit,
	// validators. It is also what one answer of the server may have.
	maxSnapshotBytes = 8 << 20
)

// snapshots are those of one node.
type snapshots struct {
	dir   string
	every int64      // 0 = none by itself
	one   sync.Mutex // held while a snapshot is made

	mu    sync.Mutex // guards sending to due, and ended
	due   chan *state.Snapshot
	ended bool
}

func newSnapshots(cfg *Config) *snapshots {
	s := &snapshots{dir: filepath.Join(cfg.Home, snapshotsDir), every: cfg.SnapshotEvery, due: make(chan *state.Snapshot, 1)}
	if s.every == 0 {
		s.every = snapshotEvery
		if cfg.KeepBlocks > 0 { // blocks after the newest snapshot are always there
			s.every = max(1, min(s.every, cfg.KeepBlocks/2))
		}
	}
	s.every = max(s.every, 0)
	return s
}

// committed is called within Commit: it takes a view, and does not wait.
func (s *snapshots) committed(db *state.DB, height int64) {
	if s.every == 0 || height%s.every != 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.due) == cap(s.due) { // or the last one is not ready yet
		return
	}
	s.due <- db.View()
}

// end gives back what nobody will make a snapshot of any more.
func (s *snapshots) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	select {
	case view := <-s.due:
		view.Close()
	default:
	}
}

// keepSnapshots makes the snapshots that are due until the ledger closes.
func (l *Ledger) keepSnapshots() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		<-l.closing
		stop()
	}()
	for {
		select {
		case <-l.closing:
			return
		case view := <-l.snapshots.due:
			begin := time.Now()
			height, err := l.makeSnapshot(ctx, view)
			view.Close()
			switch {
			case ctx.Err() != nil:
			case err != nil:
				l.log.Warn("no snapshot was made", "height", height, "cause", err.Error())
			default:
				l.log.Info("snapshot made", "height", height, "took", time.Since(begin).Round(time.Millisecond).String())
			}
		}
	}
}

// TakeSnapshot makes a snapshot of the last block now and returns its height: new nodes can
// begin with it when it returns. On a chain that sleeps it may be of the block before, if the
// last one has changed nothing. Unsupported states are Pruned (no block here to go on
// from) and NotFound (nothing has happened yet).
func (l *Ledger) TakeSnapshot(ctx context.Context) (int64, error) {
	if err := l.enter(); err != nil {
		return 0, err
	}
	defer l.leave()
	view := l.db.View()
	defer view.Close()
	return l.makeSnapshot(ctx, view)
}

// makeSnapshot writes the snapshot of a view. The list comes last: chunks without it are
// rubbish, which the next snapshot removes.
func (l *Ledger) makeSnapshot(ctx context.Context, view *state.Snapshot) (int64, error) {
	l.snapshots.one.Lock()
	defer l.snapshots.one.Unlock()
	height := l.headerBefore(view.Head())
	path := l.snapshots.path(height)
	if _, err := os.Stat(path); err == nil {
		return height, nil
	}
	if !view.Sealed() {
		return height, fault.Newf(fault.Damaged, "the state of this chain is not sealed: it began with a version that could not make snapshots")
	}
	res, err := l.seed(ctx, height)
	if err != nil {
		return height, err
	}
	chunks := filepath.Join(l.snapshots.dir, chunksDir)
	if err := durable.MkdirPrivate(chunks); err != nil {
		return height, storeFault(err, "make the directory of snapshots")
	}
	head := view.Head()
	list := &ledgerv1.Snapshot{
		Version: snapshotVersion, ChainId: l.cfg.ChainID, Height: height,
		TreeRoot: head.TreeRoot[:], LogRoot: head.LogRoot[:], LogSize: head.LogSize,
	}
	w, err := newChunkWriter(chunks)
	if err != nil {
		return height, err
	}
	add := func(to *[][]byte) func([]byte) error {
		return func(chunk []byte) error {
			hash, err := w.write(ctx, chunk)
			*to = append(*to, hash)
			if list.SizeBytes += int64(len(chunk)); len(list.Records)+len(list.Events) > maxChunks {
				return fault.Newf(fault.TooLong, "a state of more than %d chunks", maxChunks)
			}
			return err
		}
	}
	if err := view.ExportRecords(ctx, add(&list.Records)); err != nil {
		return height, storeFault(err, "write a snapshot of the records")
	}
	if err := view.ExportEvents(ctx, add(&list.Events)); err != nil {
		return height, storeFault(err, "write a snapshot of the events")
	}
	if res.Snapshot, err = canon.Marshal(list); err != nil {
		return height, err
	}
	raw, err := canon.Marshal(res)
	if err != nil {
		return height, err
	}
	if len(raw) > maxSnapshotBytes {
		return height, fault.Newf(fault.TooLong, "the list of the snapshot has %d bytes, at most %d", len(raw), maxSnapshotBytes)
	}
	if err := durable.ReplaceFile(path, raw, 0o600); err != nil {
		return height, storeFault(err, "write snapshot %d", height)
	}
	return height, l.snapshots.sweep()
}

// seed collects what the engine begins with after the block at height: the block itself, and
// the header after it, for which it waits.
func (l *Ledger) seed(ctx context.Context, height int64) (*ledgerv1.GetSnapshotResponse, error) {
	if height < 1 {
		return nil, fault.Newf(fault.NotFound, "the chain has only begun")
	}
	for l.Height() <= height {
		block := l.heights.wait()
		if l.Height() > height {
			break
		}
		select {
		case <-block:
		case <-l.failure.done:
			return nil, l.failure.cause()
		case <-ctx.Done():
			return nil, fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "wait for block %d", height+1)
		}
	}
	if err := l.kept(height); err != nil {
		return nil, err
	}
	blocks := l.node.BlockStore()
	block, extended := blocks.LoadBlock(height), blocks.LoadBlockExtendedCommit(height)
	if block == nil || extended == nil {
		return nil, fault.Newf(fault.Pruned, "block %d is not complete here: its certificate is missing", height)
	}
	res := &ledgerv1.GetSnapshotResponse{}
	pb, err := block.ToProto()
	if err == nil {
		res.Block, err = pb.Marshal()
	}
	if err == nil {
		res.ExtendedCommit, err = extended.ToProto().Marshal()
	}
	for h := height; h < height+3 && err == nil; h++ {
		var raw []byte
		if raw, err = l.validatorsAt(h); err == nil {
			res.Validators = append(res.Validators, raw)
		}
	}
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "read block %d", height)
	}
	next, err := l.Header(height + 1)
	if err != nil {
		return nil, err
	}
	res.LightBlock = next.LightBlock
	return res, nil
}

func (l *Ledger) validatorsAt(height int64) ([]byte, error) {
	set, err := l.engine.LoadValidators(height)
	if err != nil {
		return nil, err
	}
	pb, err := set.ToProto()
	if err != nil {
		return nil, err
	}
	return pb.Marshal()
}

// chunkWriter writes chunks under their hash, those that are not there yet.
type chunkWriter struct {
	dir  string
	zip  *zstd.Encoder
	room []byte
}

func newChunkWriter(dir string) (*chunkWriter, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return &chunkWriter{dir: dir, zip: zip}, nil
}

// write puts the chunk to the disk and then rests as long as that took: blocks come first.
func (w *chunkWriter) write(ctx context.Context, chunk []byte) ([]byte, error) {
	begin := time.Now()
	hash := sha256.Sum256(chunk)
	path := filepath.Join(w.dir, hex.EncodeToString(hash[:]))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		w.room = w.zip.EncodeAll(chunk, w.room[:0])
		if err := durable.ReplaceFile(path, w.room, 0o600); err != nil {
			return nil, err
		}
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(min(time.Since(begin), time.Second)):
	}
	return hash[:], nil
}

func (s *snapshots) path(height int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%012d%s", height, snapshotSuffix))
}

// heights returns those of the snapshots that are there, the newest first.
func (s *snapshots) heights() ([]int64, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, storeFault(err, "list the snapshots")
	}
	var heights []int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), snapshotSuffix)
		if h, err := strconv.ParseInt(name, 10, 64); ok && err == nil {
			heights = append(heights, h)
		}
	}
	slices.Sort(heights)
	slices.Reverse(heights)
	return heights, nil
}

// sweep removes the snapshots that are too many, and the chunks that no other one has.
func (s *snapshots) sweep() error {
	heights, err := s.heights()
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for i, h := range heights {
		if i >= snapshotsKept {
			if err := os.Remove(s.path(h)); err != nil {
				return storeFault(err, "remove snapshot %d", h)
			}
			continue
		}
		_, list, err := s.read(h)
		if err != nil {
			return err
		}
		for _, hash := range slices.Concat(list.GetRecords(), list.GetEvents()) {
			used[hex.EncodeToString(hash)] = true
		}
	}
	chunks := filepath.Join(s.dir, chunksDir)
	entries, err := os.ReadDir(chunks)
	if err != nil {
		return storeFault(err, "list the chunks")
	}
	for _, e := range entries {
		if !used[e.Name()] {
			if err := os.Remove(filepath.Join(chunks, e.Name())); err != nil {
				return storeFault(err, "remove a chunk")
			}
		}
	}
	return nil
}

func (s *snapshots) read(height int64) (*ledgerv1.GetSnapshotResponse, *ledgerv1.Snapshot, error) {
	raw, err := os.ReadFile(s.path(height))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fault.Newf(fault.NotFound, "there is no snapshot of height %d here", height)
	}
	if err != nil {
		return nil, nil, storeFault(err, "read snapshot %d", height)
	}
	res, list := &ledgerv1.GetSnapshotResponse{}, &ledgerv1.Snapshot{}
	if err := errors.Join(proto.Unmarshal(raw, res), proto.Unmarshal(res.GetSnapshot(), list)); err != nil {
		return nil, nil, fault.Wrap(fault.Damaged, err, "snapshot %d cannot be read", height)
	}
	return res, list, nil
}

// Snapshot returns the snapshot of that height, 0 = the newest one. NotFound.
func (l *Ledger) Snapshot(height int64) (*ledgerv1.GetSnapshotResponse, error) {
	if height == 0 {
		heights, err := l.snapshots.heights()
		if err != nil {
			return nil, err
		}
		if len(heights) == 0 {
			return nil, fault.Newf(fault.NotFound, "this node has no snapshot yet; it makes one every %d blocks (node.snapshot_every)", l.snapshots.every)
		}
		height = heights[0]
	}
	res, _, err := l.snapshots.read(height)
	return res, err
}

// SnapshotChunk returns a chunk of a snapshot that is kept, zstd. NotFound.
func (l *Ledger) SnapshotChunk(hash []byte) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(l.snapshots.dir, chunksDir, hex.EncodeToString(hash)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "the chunk %x is no longer kept here; begin with the newest snapshot", hash)
	}
	return b, storeFault(err, "read chunk %x", hash)
}
