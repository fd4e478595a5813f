package ledger

import (
	"runtime"
	"sync/atomic"

	"mulian/internal/fault"
	"mulian/state"
)

// outdated tells whether this program may make the next block: the members may have
// decided that it is made by rules that only a newer program knows. It stops the node
// after the block before, with nothing lost: the newer program goes on from there.
//
//	Commit(h-1) ─▶ ready? ─no─▶ the node fails ─▶ its owner closes it
//	FinalizeBlock(h), if the engine comes to it first: waits for the closing and gives up
type outdated struct {
	ready   func(state.View) error // nil = always
	failure *failure
	closing <-chan struct{}
	syncing func() bool // whether the engine takes old blocks from others; nil while it replays its own

	cause atomic.Pointer[error]
}

// check asks of a committed state. It returns why the next block is not for this
// program, and stops the node then.
func (o *outdated) check(v state.View) error {
	if o == nil || o.ready == nil {
		return nil
	}
	err := o.ready(v)
	if err != nil {
		o.cause.Store(&err)
		o.failure.end(err)
	}
	return err
}

// refuses reports whether the node has stopped for that reason.
func (o *outdated) refuses() bool { return o != nil && o.cause.Load() != nil }

// beforeBlock returns nil if the program may make the block. Else it waits until the node
// is closed, so that the engine makes no noise about what is no fault of its own. Where
// it takes blocks from others an error would end the process; there its goroutine ends
// instead, which the engine waits for when it stops.
func (o *outdated) beforeBlock() error {
	if !o.refuses() {
		return nil
	}
	cause := o.cause.Load()
	if o.syncing != nil {
		<-o.closing
		if o.syncing() {
			runtime.Goexit()
		}
	}
	return *cause
}

// end makes the node refuse all further work for a reason that is no failure.
func (f *failure) end(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	f.err = cause
	close(f.done)
	f.log.Warn("the node ends here", "code", fault.CodeOf(cause).String(), "cause", cause.Error())
}
