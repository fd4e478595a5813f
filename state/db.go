package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"mulian/state/eventlog"
	"mulian/state/lattice"
	"mulian/state/proof"
	"mulian/state/tree"
)

// Errors that a caller can tell apart with errors.Is.
var (
	// ErrPruned: the height was committed, but its values are no longer kept.
	ErrPruned = errors.New("state: the height is no longer kept")
	// ErrFuture: the height is not committed yet.
	ErrFuture = errors.New("state: the height is not committed yet")
	// ErrNoEvent: the log has no event at that place.
	ErrNoEvent = errors.New("state: the log has no such event")
	// ErrDamaged: what is on the disk is not what was written.
	ErrDamaged = errors.New("state: the store is damaged")
)

// Options of a store. The zero value works.
type Options struct {
	// KeepVersions is how many heights stay readable, the latest included. 0 keeps all.
	KeepVersions int64
	// CachePages is how many pages of the tree stay in memory, at about 1 KB each. 0
	// means 100,000, which is all of them up to a million keys. Less makes blocks
	// slower, not wrong.
	CachePages int
	// Parallel is how many goroutines hash one block. 0 means two, or one on a
	// machine with one processor. The result does not depend on it.
	Parallel int
	// Sync makes Commit durable when it returns. Without it a power failure may take
	// the last blocks, whole ones, and the engine replays them.
	Sync bool
}

// DB is one store. Its methods may be called from any goroutine; there is one
// Block at a time.
type DB struct {
	kv   *pebble.DB
	lay  layout
	opts Options

	write sync.Mutex           // held by Commit and Prune: who writes to kv
	last  atomic.Pointer[Head] // of the last committed block; set by Commit
	block atomic.Bool          // whether a Block is open

	tree *tree.Tree    // owned by the open Block
	log  *eventlog.Log // as of the last commit; owned by the open Block
	sum  *lattice.Sum  // as of the last commit, nil if the chain is not sealed; owned by the open Block
}

// Open opens the state under prefix, which no other user of kv may write to. kv
// stays the caller's, who closes it after the last use of the DB.
//
// It returns ErrDamaged if what is stored does not fit together. That is a check
// of the heads, not of all that is stored: see [DB.Check].
func Open(kv *pebble.DB, prefix []byte, opts Options) (*DB, error) {
	if opts.KeepVersions < 0 {
		return nil, fmt.Errorf("state: keep %d versions: 0 keeps all, 1 the latest", opts.KeepVersions)
	}
	if opts.CachePages == 0 {
		opts.CachePages = 100_000
	}
	if opts.Parallel == 0 {
		opts.Parallel = min(2, runtime.GOMAXPROCS(0))
	}
	db := &DB{kv: kv, lay: layout{prefix: append([]byte(nil), prefix...)}, opts: opts}
	head, err := readHead(kv, db.lay)
	if err != nil {
		return nil, err
	}
	if head == nil {
		head = &Head{LogRoot: proof.EmptyLog()}
	}
	db.tree = tree.New(pageReader(kv, db.lay), opts.CachePages)
	if root, leaves, err := db.tree.Root(); err != nil {
		return nil, fmt.Errorf("%w: tree: %w", ErrDamaged, err)
	} else if root != head.TreeRoot || leaves != head.Keys {
		return nil, fmt.Errorf("%w: the tree has root %s and %d keys, the head says %s and %d", ErrDamaged, root, leaves, head.TreeRoot, head.Keys)
	}
	if db.log, err = eventlog.Open(tileReader(kv, db.lay), head.LogSize); err != nil {
		return nil, fmt.Errorf("%w: log: %w", ErrDamaged, err)
	}
	if root := db.log.Root(); root != head.LogRoot {
		return nil, fmt.Errorf("%w: the log has root %s, the head says %s", ErrDamaged, root, head.LogRoot)
	}
	if db.sum, err = db.readSum(head); err != nil {
		return nil, err
	}
	db.last.Store(head)
	return db, nil
}

// Head is what one block left behind.
type Head struct {
	Height    int64
	UnixMs    int64 // block time
	TreeRoot  proof.Hash
	LogRoot   proof.Hash
	LogSize   int64 // events up to and with this block
	Keys      int64 // proved keys that exist
	committed bool  // false only before the first block
}

// AppHash returns what the validators agreed on after this block.
func (h Head) AppHash() [32]byte { return proof.AppHash(h.TreeRoot, h.LogRoot, h.LogSize) }

const headVersion, headLen = 1, 1 + 8 + 8 + 32 + 32 + 8 + 8

func (h *Head) append(b []byte) []byte {
	b = append(b, headVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Height))
	b = binary.BigEndian.AppendUint64(b, uint64(h.UnixMs))
	b = append(b, h.TreeRoot[:]...)
	b = append(b, h.LogRoot[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.LogSize))
	return binary.BigEndian.AppendUint64(b, uint64(h.Keys))
}

func parseHead(b []byte) (*Head, error) {
	if len(b) < headLen || b[0] != headVersion {
		return nil, fmt.Errorf("%w: head of %d bytes", ErrDamaged, len(b))
	}
	h := &Head{committed: true}
	h.Height = int64(binary.BigEndian.Uint64(b[1:]))
	h.UnixMs = int64(binary.BigEndian.Uint64(b[9:]))
	copy(h.TreeRoot[:], b[17:])
	copy(h.LogRoot[:], b[49:])
	h.LogSize = int64(binary.BigEndian.Uint64(b[81:]))
	h.Keys = int64(binary.BigEndian.Uint64(b[89:]))
	return h, nil
}

func readHead(r pebble.Reader, lay layout) (*Head, error) {
	b, err := get(r, lay.head())
	if err != nil || b == nil {
		return nil, err
	}
	return parseHead(b)
}

// get returns a copy of the record at k, or nil if there is none.
func get(r pebble.Reader, k []byte) ([]byte, error) {
	b, closer, err := r.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: read %x: %w", k, err)
	}
	out := append(make([]byte, 0, len(b)), b...)
	return out, closer.Close()
}

func pageReader(r pebble.Reader, lay layout) tree.Read {
	return func(path []byte) ([]byte, error) { return get(r, lay.page(path)) }
}

func tileReader(r pebble.Reader, lay layout) eventlog.Read {
	return func(id []byte) ([]byte, error) { return get(r, lay.tile(id)) }
}

// Head returns the head of the last committed block, all zero but the empty log's
// root before the first one.
func (db *DB) Head() Head { return *db.last.Load() }

// Height returns the height of the last committed block, 0 before the first one.
func (db *DB) Height() int64 { return db.last.Load().Height }

// AppHash returns the app hash of the last committed block.
func (db *DB) AppHash() [32]byte { return db.last.Load().AppHash() }

// Committed tells a store that holds a block, be it the genesis at height 0, from
// an empty one.
func (db *DB) Committed() bool { return db.last.Load().committed }

// HeadAt returns the head of the block at height, or of the last one before it if
// heights were left out. It returns ErrPruned or ErrFuture like [DB.At].
func (db *DB) HeadAt(height int64) (Head, error) {
	s, err := db.At(height)
	if err != nil {
		return Head{}, err
	}
	defer s.Close()
	return s.Head(), nil
}

// Checkpoint writes a complete copy of the database, the engine's part included,
// to a directory that must not exist. Files are linked where the file system can,
// so that it takes milliseconds and little room. It is durable when it returns.
func (db *DB) Checkpoint(dir string) error {
	if err := db.kv.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("state: checkpoint: %w", err)
	}
	return nil
}

// damaged ends the use of a store that cannot be trusted any more. It panics, for
// a validator that goes on would sign what it did not compute.
func damaged(format string, args ...any) {
	panic(fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...)))
}
