package deliver

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
)

const (
	sensingFeed      = gatewayv1.Sensing_SENSING_FEED
	sensingWatermark = gatewayv1.Sensing_SENSING_WATERMARK
	sensingCompare   = gatewayv1.Sensing_SENSING_COMPARE
)

// sensor notices what changes in one source, for all subscriptions to its tables: one
// goroutine follows the source's feed, another looks at what has none.
//
//	no subscription ──▶ rests        a subscription to another table ──▶ follows anew, from the same position
type sensor struct {
	subs   *Subscriptions
	name   string
	source connect.Source
	wake   chan struct{} // somebody began or ended; holds one

	mu     sync.Mutex                      // guards the rest
	nofeed error                           // why the source tells no changes; nil: it does, or nobody has tried
	fallen map[connect.TableName]*fallback // tables that it does not tell, or did not
	marks  map[int64]map[string]string     // by subscription: key -> watermark, as of the last look
	sights map[int64]sight                 // by subscription, of what has no feed; and [bySource]
	watch  *RowWatch                       // beside the subscriptions; nil: nobody

	following []connect.TableName // whose changes are told now
}

func newSensor(x *Subscriptions, name string, source connect.Source) *sensor {
	return &sensor{subs: x, name: name, source: source, wake: make(chan struct{}, 1), sights: map[int64]sight{}}
}

func (n *sensor) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// run follows until ctx ends. What fails is tried again.
func (n *sensor) run(ctx context.Context) {
	for wait := feedRetry; ctx.Err() == nil; {
		began := time.Now()
		err := n.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil || errors.Is(err, errTablesChanged) {
			wait = feedRetry
			continue
		}
		n.blind(bySource, err)
		if time.Since(began) > time.Minute {
			wait = feedRetry
		}
		n.subs.cfg.Logger.Warn("the changes of a source are not followed", "source", n.name, "err", err)
		select {
		case <-ctx.Done():
		case <-n.wake:
		case <-time.After(wait):
		}
		wait = min(2*wait, feedRetryMost)
	}
}

// errTablesChanged ends a Follow that has to begin with other tables.
var errTablesChanged = errors.New("other tables are followed now")

// follow follows the feed of the tables that have subscriptions, or rests until there
// is one.
func (n *sensor) follow(ctx context.Context) error {
	tables, err := n.tables(ctx)
	if err != nil {
		return err
	}
	from, err := n.subs.book.position(ctx, n.name)
	if err != nil {
		return err
	}
	feeder, ok := n.source.(connect.Feeder)
	if len(tables) == 0 || !ok {
		if err := n.rest(ctx, from); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-n.wake:
		}
		return nil
	}
	followCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	var stands atomic.Bool // the feed has told from where on nothing is missed
	watching.Go(func() { n.watchTables(followCtx, cancel, tables, &stands) })
	err = feeder.Follow(followCtx, tables, from, func(c connect.Change) error {
		err := n.piece(followCtx, feeder, tables, c)
		if err != nil {
			return err
		}
		n.saw(bySource, seenUpTo(c, time.Now()))
		if !stands.Swap(true) {
			n.nudge() // for who began between the two
			n.follows(tables)
			n.tell(followCtx, nil)
		}
		if len(c.Rows) > 0 {
			n.tell(followCtx, c.Rows)
		}
		return nil
	})
	n.follows(nil)
	unfit := blamed(err, tables)
	switch {
	case errors.Is(context.Cause(followCtx), errTablesChanged):
		return errTablesChanged
	case len(unfit) > 0:
		return n.unfit(ctx, unfit, err)
	case errors.Is(err, connect.ErrPositionLost):
		return n.lost(ctx)
	case errors.Is(err, connect.ErrNoFeed), errors.Is(err, connect.ErrDenied):
		return n.without(ctx, err)
	}
	return err
}

// seenUpTo is up to when a piece of the feed shows what was changed: a feed that is behind
// tells of old transactions. What names no time (nothing more is there) shows it up to now.
func seenUpTo(c connect.Change, now time.Time) time.Time {
	if c.Committed.IsZero() || c.Committed.After(now) {
		return now
	}
	return c.Committed
}

// tables are those with a subscription that is sensed by the feed, but for those that fell back.
func (n *sensor) tables(ctx context.Context) (out []connect.TableName, err error) {
	all, err := n.subs.book.list(ctx, "source = ? AND sensing = ?", n.name, sensingFeed)
	seen := map[connect.TableName]bool{}
	for _, s := range all {
		if !seen[s.Table] && n.feeds(s.Table) {
			seen[s.Table] = true
			out = append(out, s.Table)
		}
	}
	for _, t := range n.watched() {
		if !seen[t] && n.feeds(t) {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out, err
}

// watchTables ends the Follow when other tables than these have subscriptions.
func (n *sensor) watchTables(ctx context.Context, cancel context.CancelCauseFunc, tables []connect.TableName, stands *atomic.Bool) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		now, err := n.tables(ctx)
		same := err == nil && len(now) == len(tables)
		for _, t := range now {
			same = same && slices.Contains(tables, t)
		}
		if !same {
			cancel(errTablesChanged)
			return
		}
		if !stands.Load() {
			continue // its first piece makes all ready that are there by then
		}
		// Another subscription to a table that is followed: it misses nothing from here on.
		if err := n.ready(ctx, tables, nil); err != nil && ctx.Err() == nil {
			n.subs.cfg.Logger.Warn("a subscription could not begin", "source", n.name, "err", err)
		}
	}
}

// ready notes that nothing is missed of the tables any more.
func (n *sensor) ready(ctx context.Context, tables []connect.TableName, also func(*sql.Tx) error) error {
	err := n.subs.book.within(ctx, func(tx *sql.Tx) error {
		for _, t := range tables {
			if _, err := tx.Exec("UPDATE subscription SET ready = 1 WHERE source = ? AND scheme = ? AND name = ? AND sensing = ?", n.name, t.Schema, t.Name, sensingFeed); err != nil {
				return err
			}
		}
		if also != nil {
			return also(tx)
		}
		return nil
	})
	n.subs.stirred()
	return err
}

// piece takes one piece of the feed: keys and position are one transaction.
func (n *sensor) piece(ctx context.Context, feeder connect.Feeder, tables []connect.TableName, c connect.Change) error {
	if c.Empty() {
		err := n.ready(ctx, tables, func(tx *sql.Tx) error { return n.subs.book.stand(tx, n.name, c.Position) })
		if err != nil {
			return err
		}
		return feeder.Acknowledge(ctx, c.Position)
	}
	all, err := n.subs.book.list(ctx, "source = ? AND sensing = ?", n.name, sensingFeed)
	if err != nil {
		return err
	}
	if c.DDL != nil {
		n.hurry(c.DDL)
		if err := n.retake(ctx, slices.DeleteFunc(slices.Clone(all), func(s *subscription) bool { return !touches(c.DDL, s.Table) })); err != nil {
			return err
		}
	}
	at := seenUpTo(c, time.Now()).UnixMilli()
	err = n.subs.book.within(ctx, func(tx *sql.Tx) error {
		for _, s := range all {
			keys, whole := keysOf(s.Table, c.Rows)
			if whole {
				if err := again(tx, "no = ?", s.no); err != nil {
					return err
				}
				continue
			}
			if err := n.subs.book.touch(tx, s, keys, at); err != nil {
				return err
			}
		}
		return n.subs.book.stand(tx, n.name, c.Position)
	})
	if err != nil {
		return err
	}
	n.subs.stirred()
	if !c.Last {
		return nil // the position is before this transaction
	}
	return feeder.Acknowledge(ctx, c.Position)
}

// keysOf are the keys that a piece touches in a table; whole if it was emptied.
func keysOf(table connect.TableName, rows []connect.RowChange) (keys []connect.Row, whole bool) {
	for _, r := range rows {
		switch {
		case r.Table != table:
		case r.Op == connect.RowTruncate:
			return nil, true
		default:
			if r.OldKey != nil {
				keys = append(keys, r.OldKey)
			}
			keys = append(keys, r.Key)
		}
	}
	return keys, false
}

// lost: the source no longer has what came after the position. Everybody takes the
// whole again.
func (n *sensor) lost(ctx context.Context) error {
	n.subs.cfg.Logger.Warn("a source has lost the place up to which its changes were read; its tables are taken whole again", "source", n.name)
	err := n.subs.book.within(ctx, func(tx *sql.Tx) error {
		if err := again(tx, "source = ? AND sensing = ?", n.name, sensingFeed); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM feed WHERE source = ?", n.name)
		return err
	})
	n.subs.stirred()
	return err
}
