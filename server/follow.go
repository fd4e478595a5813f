package server

import (
	"context"
	"sync"
	"time"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/tracing"
)

// maxFollowed bounds the traced transactions whose way into the index is awaited.
const maxFollowed = 1024

// follow adds the last step to the trace of a transaction: that the index has taken its
// events. It comes about when the sender is answered, before or after; nobody waits for it.
// Nothing is kept while nothing is traced.
type follow struct {
	mu    sync.Mutex // guards the rest
	wait  map[string]tracing.Span
	early map[string][2]time.Time // taken before anybody expected it
}

// expect waits for the events of the transaction that the span of ctx is about.
func (f *follow) expect(ctx context.Context, tx []byte) {
	s := tracing.Of(ctx)
	if !s.On() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.early[string(tx)]; ok {
		s.Past("index/take", at[0], at[1])
		return
	}
	if f.wait == nil || len(f.wait) >= maxFollowed {
		f.wait = map[string]tracing.Span{} // those that nobody indexes
	}
	f.wait[string(tx)] = s
}

func (f *follow) taken(tx []byte, from, to time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.wait[string(tx)]; ok {
		delete(f.wait, string(tx))
		s.Past("index/take", from, to)
		return
	}
	if f.early == nil || len(f.early) >= maxFollowed {
		f.early = map[string][2]time.Time{}
	}
	f.early[string(tx)] = [2]time.Time{from, to}
}

// Followed is the chain as the index reads it, so that traces end with the index. The
// batch that was given last is taken when the next one is asked for.
func (s *Server) Followed(c Chain) Chain {
	if s.opts.Tracer == nil {
		return c
	}
	return &followed{Chain: c, f: &s.follow}
}

type followed struct {
	Chain
	f *follow

	mu   sync.Mutex // guards the rest
	last *ledgerv1.ListEventsResponse
	at   time.Time
}

// Events notes that what it gave before is taken.
func (x *followed) Events(ctx context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error) {
	x.settle(from)
	res, err := x.Chain.Events(ctx, from, limit)
	if err == nil && len(res.GetEvents()) > 0 {
		x.mu.Lock()
		x.last, x.at = res, time.Now()
		x.mu.Unlock()
	}
	return res, err
}

// Watch is asked when everything is taken.
func (x *followed) Watch(ctx context.Context, from int64, fn func(*ledgerv1.WatchResponse) error) error {
	x.settle(from)
	return x.Chain.Watch(ctx, from, fn)
}

func (x *followed) settle(from int64) {
	x.mu.Lock()
	last, at := x.last, x.at
	if last != nil && from >= last.GetNext() {
		x.last = nil
	} else {
		last = nil
	}
	x.mu.Unlock()
	if last == nil {
		return
	}
	now := time.Now()
	for _, e := range last.GetEvents() {
		if len(e.GetTxId()) > 0 {
			x.f.taken(e.GetTxId(), at, now)
		}
	}
}
