package index

import (
	"context"
	"fmt"
	"time"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Feed is where events and objects come from: a node, or any server's API.
type Feed interface {
	// Events returns up to limit events from a sequence number on.
	Events(ctx context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error)
	// Object returns an object as it was after a height; height 0 = now.
	Object(ctx context.Context, key string, height int64, prove bool) (*ledgerv1.GetObjectResponse, error)
	// Watch calls fn when there is something new from a sequence number on, and
	// at least every few seconds, until fn fails or ctx ends.
	Watch(ctx context.Context, from int64, fn func(*ledgerv1.WatchResponse) error) error
}

// Bounds of one batch: large enough that its cost is spread, small enough that lists
// follow within a second. Our own choice; an import brings up to 200 objects an event.
const (
	batchEvents  = 500
	batchObjects = 8000
)

// Run takes events until ctx ends, and then returns nil. It returns an error only
// if the file cannot be written (DiskFull, Inaccessible); a feed that fails is asked again.
func (x *Index) Run(ctx context.Context, feed Feed) error {
	for ctx.Err() == nil {
		moved, err := x.step(ctx, feed)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return unwritten(err)
		case moved:
			continue
		}
		next, _ := x.Next()
		_ = feed.Watch(ctx, next, func(u *ledgerv1.WatchResponse) error {
			if u.GetNext() > next || len(u.GetEvents()) > 0 {
				return errMoved
			}
			return nil
		})
	}
	return nil
}

var errMoved = fault.Newf(fault.Cancelled, "there is something new")

// step asks once for events and takes them, batch by batch. A feed that cannot be
// reached is no error of ours: it is asked again.
func (x *Index) step(ctx context.Context, feed Feed) (moved bool, err error) {
	from, _ := x.Next()
	res, err := feed.Events(ctx, from, batchEvents)
	if err != nil {
		return true, pause(ctx)
	}
	for events := res.GetEvents(); len(events) > 0; moved = true {
		n, err := x.take(ctx, feed, events)
		switch fault.CodeOf(err) {
		case fault.OK:
		case fault.Unreachable, fault.Timeout, fault.Busy, fault.Cancelled:
			return true, pause(ctx)
		default:
			return false, err
		}
		events = events[n:]
	}
	return moved, nil
}

// pause waits a moment before a feed is asked again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
	return nil
}

// take writes one batch: as many of the events, which follow those that were taken, as
// fit. It returns how many.
func (x *Index) take(ctx context.Context, feed Feed, events []*tracev1.Event) (n int, err error) {
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("index: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	b, err := newBatch(tx, feed, x.last)
	if err != nil {
		return 0, err
	}
	next, height := x.Next()
	for n < len(events) && len(b.changed) < batchObjects {
		if err := b.event(ctx, next, events[n]); err != nil {
			return 0, err
		}
		height, next, n = events[n].GetHeight(), next+1, n+1
	}
	if err := b.write(); err != nil {
		return 0, err
	}
	for name, v := range map[string]int64{"next": next, "height": height, "last": int64(b.last)} {
		if _, err := tx.Exec("INSERT INTO meta VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value", name, v); err != nil {
			return 0, fmt.Errorf("index: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("index: %w", err)
	}
	x.board.apply(b.pins)
	x.last = b.last
	x.advance(next, height)
	return n, nil
}
