package ledger

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/state"
)

// failure keeps the first reason why the node cannot go on.
type failure struct {
	log  *slog.Logger
	mu   sync.Mutex
	err  error         // guarded by mu
	disk error         // guarded by mu: the last error of the disk, fatal or not
	done chan struct{} // closed when err is set

	ending atomic.Bool // Close has begun: what the engine complains of now is no news
}

func newFailure(log *slog.Logger) *failure { return &failure{log: log, done: make(chan struct{})} }

// noteDisk remembers an error of the store: it is the likely cause if the engine
// stops next.
func (f *failure) noteDisk(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.disk = err
}

// stop makes the node refuse all further work.
func (f *failure) stop(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	if f.disk != nil {
		cause = f.disk
	}
	f.err = storeFault(cause, "the node has stopped")
	close(f.done)
	f.log.Error("the node has stopped", "code", fault.CodeOf(f.err).String(), "cause", cause.Error())
}

func (f *failure) cause() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// storeFault gives an error of disk or store its code: DiskFull, Damaged, Locked or
// Internal. nil stays nil.
func storeFault(err error, format string, args ...any) error {
	code := fault.Internal
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		code = fault.DiskFull
	case errors.Is(err, state.ErrDamaged), errors.Is(err, pebble.ErrCorruption), errors.Is(err, fs.ErrInvalid):
		code = fault.Damaged
	case errors.Is(err, durable.ErrHeld), errors.Is(err, syscall.EAGAIN):
		code = fault.Locked
	}
	return fault.Wrap(code, err, format, args...)
}
