package ledger

import (
	"sync"

	"mulian/state"
)

// latest is the state after the last block, one view for all who admit transactions
// meanwhile. A view of his own costs each of them a snapshot of the store and, for the
// settings, accounts and keys that all of them ask for, some reads of it.
type latest struct {
	db *state.DB

	mu   sync.Mutex
	view *sharedView // guarded by mu; nil after close
}

// sharedView is a view that many read. It is closed when it is no longer the latest and
// the last of them has put it back.
type sharedView struct {
	*state.Snapshot
	users int // guarded by latest.mu; the latest itself is one

	mu    sync.RWMutex
	reads map[string][]byte // guarded by mu; nil for a key that is not there
	bytes int               // guarded by mu; of reads
}

// Bounds of what a shared view remembers: our own choice, for thousands of accounts.
const (
	sharedReadBytes  = 16 << 20
	sharedValueBytes = 64 << 10
)

func newLatest(db *state.DB) *latest {
	return &latest{db: db, view: newSharedView(db)}
}

func newSharedView(db *state.DB) *sharedView {
	return &sharedView{Snapshot: db.View(), users: 1, reads: map[string][]byte{}}
}

// get returns the view after the last block that anybody was told of, nil after close.
// The caller puts it back.
func (l *latest) get() *sharedView {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.view != nil {
		l.view.users++
	}
	return l.view
}

func (l *latest) put(v *sharedView) {
	l.mu.Lock()
	v.users--
	last := v.users == 0
	l.mu.Unlock()
	if last {
		v.Close()
	}
}

// renew takes over a new block.
func (l *latest) renew() {
	next := newSharedView(l.db)
	l.mu.Lock()
	was := l.view
	l.view = next
	l.mu.Unlock()
	l.put(was)
}

// close ends it, when nobody has a view any more and none will ask for one.
func (l *latest) close() {
	l.mu.Lock()
	was := l.view
	l.view = nil
	l.mu.Unlock()
	if was != nil {
		l.put(was)
	}
}

// Get implements [state.View].
func (v *sharedView) Get(key []byte) ([]byte, bool) {
	v.mu.RLock()
	value, known := v.reads[string(key)]
	v.mu.RUnlock()
	if known {
		return value, value != nil
	}
	value, ok := v.Snapshot.Get(key)
	if len(value) > sharedValueBytes {
		return value, ok
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bytes += len(key) + len(value); v.bytes <= sharedReadBytes {
		v.reads[string(key)] = value
	}
	return value, ok
}
