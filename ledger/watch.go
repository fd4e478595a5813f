package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"mulian/internal/fault"
	"mulian/state"
)

// heights tells whoever wants to know that there is a new block.
type heights struct {
	mu   sync.Mutex
	next chan struct{} // guarded by mu; closed at the next block
}

func newHeights() heights { return heights{next: make(chan struct{})} }

func (h *heights) announce(int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.next)
	h.next = make(chan struct{})
}

func (h *heights) wait() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next
}

// Watcher reads the event log from one place on. It pulls from the store, so that a
// slow reader costs nobody else anything and loses nothing. One goroutine uses it;
// it holds no resources.
type Watcher struct {
	l    *Ledger
	next int64
}

// Watch returns a watcher that begins with the event of number from; a negative
// number means with those to come. A number behind the end waits until it is
// reached.
func (l *Ledger) Watch(from int64) *Watcher {
	if from < 0 {
		from = l.db.Events()
	}
	return &Watcher{l: l, next: from}
}

// Position returns the number of the event that comes next.
func (w *Watcher) Position() int64 { return w.next }

// Next returns the next events, at most n and at least one; it waits for them. After
// sign, if it is above zero, it returns none and no error: a sign of life.
//
// Errors: Cancelled or Timeout of ctx, Unreachable when the node stops, the cause
// when it has failed.
func (w *Watcher) Next(ctx context.Context, n int, sign time.Duration) ([]state.Event, error) {
	var alarm <-chan time.Time
	if sign > 0 {
		t := time.NewTimer(sign)
		defer t.Stop()
		alarm = t.C
	}
	for {
		block := w.l.heights.wait() // before looking, so that no block slips between
		if w.next < w.l.db.Events() {
			events, err := w.l.Events(w.next, n)
			w.next += int64(len(events))
			if err != nil || len(events) > 0 {
				return events, err
			}
		}
		select {
		case <-block:
		case <-alarm:
			return nil, nil
		case <-ctx.Done():
			return nil, fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "watch ended")
		case <-w.l.closing:
			return nil, fault.Newf(fault.Unreachable, "the node is stopping")
		case <-w.l.failure.done:
			return nil, w.l.failure.cause()
		}
	}
}

// Events returns at most n events (and at most [MaxEventsPerRead]) from the number
// on; none at the end of the log. NotFound behind the end.
func (l *Ledger) Events(from int64, n int) ([]state.Event, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	events, err := l.db.EventRange(from, min(max(n, 1), MaxEventsPerRead))
	if errors.Is(err, state.ErrNoEvent) {
		return nil, fault.Newf(fault.NotFound, "the log has no event %d; it has %d", from, l.db.Events())
	}
	return events, storeFault(err, "read events from %d", from)
}

// NewBlock returns a channel that is closed when the next block is committed. Ask
// for it before looking at the state.
func (l *Ledger) NewBlock() <-chan struct{} { return l.heights.wait() }
