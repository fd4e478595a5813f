package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Appender adds records to the end of a file. Each Append that returned nil is
// durable. Use by many goroutines is safe, and calls that wait for the disk
// together share one fsync.
type Appender struct {
	path string

	mu      sync.Mutex // guards the fields below; not held during fsync
	synced  sync.Cond  // of mu; a sync ended
	file    *os.File
	written int64 // length of the file as written
	durable int64 // length that an fsync has covered
	syncing bool  // one goroutine is in fsync
	err     error // the first failure; after it nothing is accepted
}

// OpenAppend opens the file at path for appending and creates it with the given
// mode if there is none. It starts behind whatever is there: the owner first
// cuts off a torn tail.
func OpenAppend(path string, mode fs.FileMode) (*Appender, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
	if err != nil {
		return nil, fmt.Errorf("open for append: %w", err)
	}
	st, err := f.Stat()
	if err == nil {
		err = errors.Join(f.Sync(), SyncDir(filepath.Dir(path)))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open for append: %w", err)
	}
	a := &Appender{path: path, file: f, written: st.Size(), durable: st.Size()}
	a.synced.L = &a.mu
	return a, nil
}

// Append writes record in one write and returns the offset of its first byte when
// it is durable. After a failure the file may end in a part of the record, and
// every later Append fails too: the process must restart and look at the tail.
func (a *Appender) Append(record []byte) (offset int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return 0, a.err
	}
	offset = a.written
	if _, err := a.file.Write(record); err != nil {
		a.err = fmt.Errorf("append to %s: %w", a.path, err)
		a.synced.Broadcast()
		return 0, a.err
	}
	a.written += int64(len(record))
	for end := a.written; a.durable < end; {
		if a.err != nil {
			return 0, a.err
		}
		if a.syncing {
			a.synced.Wait()
			continue
		}
		a.sync()
	}
	return offset, nil
}

// sync is called with mu held, and gives it up while the disk works.
func (a *Appender) sync() {
	a.syncing = true
	covered := a.written
	a.mu.Unlock()
	err := a.file.Sync()
	a.mu.Lock()
	a.syncing = false
	if err != nil && a.err == nil {
		// An fsync that failed may have dropped the pages: trying again would lie.
		a.err = fmt.Errorf("append to %s: %w", a.path, err)
	} else if err == nil {
		a.durable = max(a.durable, covered)
	}
	a.synced.Broadcast()
}

// Err tells why nothing is accepted any more; nil if it is.
func (a *Appender) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// Size returns the length of the file up to which all is durable.
func (a *Appender) Size() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.durable
}

// Close closes the file after a running fsync. Appends then fail with [fs.ErrClosed].
func (a *Appender) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.syncing {
		a.synced.Wait()
	}
	if a.err == nil {
		a.err = fmt.Errorf("append to %s: %w", a.path, fs.ErrClosed)
	}
	return a.file.Close()
}
