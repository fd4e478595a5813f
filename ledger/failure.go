package ledger

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"

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

// background takes what the store could not do behind its writers' backs. It tries again
// by itself and lets writers wait meanwhile; on a full disk they would wait without a
// word until somebody makes room, so the node says so and stops.
func (f *failure) background(err error) {
	f.noteDisk(err)
	if noRoom(err) {
		f.stop(err)
	}
}

// noRoom says that the disk, or a quota on it, is full.
func noRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

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
	if f.err = unmade(cause, time.Now()); f.err == nil {
		f.err = storeFault(cause, "the node has stopped")
	}
	close(f.done)
	f.log.Error("the node has stopped", "code", fault.CodeOf(f.err).String(), "cause", f.err.Error())
}

func (f *failure) cause() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// damagedStore, deferred, turns the panic with which the state says that its store is
// damaged into the fault. Any other panic goes on.
func damagedStore(err *error, home string) {
	p := recover()
	if p == nil {
		return
	}
	if cause, ok := p.(error); ok && errors.Is(cause, state.ErrDamaged) {
		*err = fault.Wrap(fault.Damaged, cause, "the store in %s is damaged: restore it, or make it empty and let the node follow the others", home)
		return
	}
	panic(p)
}

// storeFault gives an error of disk or store its code: DiskFull, Damaged, Locked or
// Internal. nil stays nil.
func storeFault(err error, format string, args ...any) error {
	code := fault.Internal
	switch {
	case err == nil:
		return nil
	case noRoom(err):
		code = fault.DiskFull
	case errors.Is(err, state.ErrDamaged), errors.Is(err, pebble.ErrCorruption), errors.Is(err, fs.ErrInvalid),
		errors.Is(err, record.ErrUnexpectedEOF), errors.Is(err, record.ErrInvalidChunk): // a log that is torn before its end
		code = fault.Damaged
	case errors.Is(err, durable.ErrHeld), errors.Is(err, syscall.EAGAIN):
		code = fault.Locked
	}
	return fault.Wrap(code, err, format, args...)
}
