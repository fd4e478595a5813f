package index

import (
	"context"
	"fmt"
	"time"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
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
	batchObjects = 4000
)

// Run takes events until ctx ends, and then returns nil. It returns an error only
// if the file cannot be written; a feed that fails is asked again.
func (x *Index) Run(ctx context.Context, feed Feed) error {
	for ctx.Err() == nil {
		moved, err := x.step(ctx, feed)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
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

// step takes one batch. A failing feed is no error of ours: it is tried again.
func (x *Index) step(ctx context.Context, feed Feed) (moved bool, err error) {
	from, height := x.Next()
	res, err := feed.Events(ctx, from, batchEvents)
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
		return true, nil
	}
	if len(res.GetEvents()) == 0 {
		return false, nil
	}
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("index: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	b, err := newBatch(tx, feed, x.last)
	if err != nil {
		return false, err
	}
	next := from
	for _, ev := range res.GetEvents() {
		if err := b.event(ctx, next, ev); err != nil {
			return false, err
		}
		height, next = ev.GetHeight(), next+1
		if len(b.changed) >= batchObjects {
			break // the rest is asked for again
		}
	}
	if err := b.write(); err != nil {
		return false, err
	}
	for name, v := range map[string]int64{"next": next, "height": height, "last": int64(b.last)} {
		if _, err := tx.Exec("INSERT INTO meta VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value", name, v); err != nil {
			return false, fmt.Errorf("index: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("index: %w", err)
	}
	x.board.apply(b.pins)
	x.last = b.last
	x.advance(next, height)
	return true, nil
}
