package deliver

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"mulian/gateway/connect"
)

// How soon what has no feed is tried again; our own choices.
const (
	// A table that fell back is asked after within feedAgain, then twice as late each time
	// up to feedAgainMost: its administrator mends it once. One that falls back again and again
	// waits longer, for each time the whole is taken twice.
	feedAgain      = 10 * time.Second
	feedAgainMost  = 5 * time.Minute
	feedFailsAgain = 6 * time.Hour
	// versionEvery is how often it is asked whether a table was written anew behind its feed.
	versionEvery = 5 * time.Second
)

// fallback is what a sensor knows of a table that its feed does not tell, or did not.
//
//	followed ──▶ unfit: who is subscribed is told to begin anew, by watermark or comparison
//	   ▲           │ asked at due
//	   └── fit ◀───┘ he is told again, and begins anew by the feed
type fallback struct {
	fit  bool
	at   time.Time // when it last became fit or unfit
	due  time.Time // of the next question
	wait time.Duration
}

// feeds tells whether a table of the source may have a feed.
func (n *sensor) feeds(table connect.TableName) bool {
	_, ok := n.source.(connect.Feeder)
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.fallen[table]
	return ok && n.nofeed == nil && (f == nil || f.fit)
}

// followable is feeds, and asks the source if that would be the first of its table: who began
// by a feed that there is not would have to take everything twice.
func (n *sensor) followable(ctx context.Context, table connect.TableName) bool {
	if !n.feeds(table) {
		return false
	}
	err := n.source.(connect.Feeder).Followable(ctx, []connect.TableName{table})
	var no *connect.NoFeedError
	if !errors.As(err, &no) {
		return true // the follower finds out
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(no.Tables) == 0 {
		n.nofeed = err
		return false
	}
	if n.fallen == nil {
		n.fallen = map[connect.TableName]*fallback{}
	}
	now := time.Now()
	n.fallen[table] = &fallback{at: now, wait: feedAgain, due: now.Add(feedAgain)}
	return false
}

// unfit lets tables fall back, and nothing else: the others are followed on from where they are.
func (n *sensor) unfit(ctx context.Context, tables []connect.TableName, cause error) error {
	now := time.Now()
	n.mu.Lock()
	if n.fallen == nil || len(n.fallen) > connect.MaxTables {
		n.fallen = map[connect.TableName]*fallback{}
	}
	for _, t := range tables {
		wait := feedAgain
		if was := n.fallen[t]; was != nil && was.fit && now.Sub(was.at) < feedFailsAgain {
			wait = min(2*was.wait, feedFailsAgain)
		}
		n.fallen[t] = &fallback{at: now, wait: wait, due: now.Add(wait)}
	}
	n.mu.Unlock()
	n.subs.cfg.Logger.Warn("tables of a source tell no changes; they are looked at instead", "source", n.name, "tables", tables, "err", cause)
	err := n.subs.book.within(ctx, func(tx *sql.Tx) error {
		for _, t := range tables {
			if err := again(tx, "source = ? AND scheme = ? AND name = ? AND sensing = ?", n.name, t.Schema, t.Name, sensingFeed); err != nil {
				return err
			}
		}
		return nil
	})
	n.subs.stirred()
	return err
}

// blamed are the followed tables of which an error says that they alone are unfit.
func blamed(err error, followed []connect.TableName) (out []connect.TableName) {
	var no *connect.NoFeedError
	var value *connect.ValueError
	switch {
	case errors.As(err, &no):
		out = slices.Clone(no.Tables)
	case errors.As(err, &value): // a key that cannot be carried
		out = []connect.TableName{value.Table}
	}
	return slices.DeleteFunc(out, func(t connect.TableName) bool { return !slices.Contains(followed, t) })
}

// without: the source tells no changes at all.
func (n *sensor) without(ctx context.Context, cause error) error {
	n.mu.Lock()
	n.nofeed = cause
	n.mu.Unlock()
	n.subs.cfg.Logger.Warn("a source tells no changes; it is looked at instead", "source", n.name, "err", cause)
	err := n.subs.book.within(ctx, func(tx *sql.Tx) error {
		return again(tx, "source = ? AND sensing = ?", n.name, sensingFeed)
	})
	n.subs.stirred()
	return err
}

// guard looks behind the backs of the feed and of watermarks, until ctx ends: for tables that
// were written anew, and for those that have a feed again.
func (n *sensor) guard(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var versions time.Time // when they may be asked again
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		all, err := n.subs.book.list(ctx, "source = ? AND again = 0", n.name)
		if began := time.Now(); err == nil && !began.Before(versions) {
			err = n.retake(ctx, all)
			versions = time.Now().Add(max(versionEvery, lookShare*time.Since(began)))
		}
		if err == nil {
			err = n.mend(ctx, all)
		}
		if err != nil && ctx.Err() == nil {
			n.subs.cfg.Logger.Warn("subscriptions cannot be read", "source", n.name, "err", err)
		}
	}
}

// mend asks, of the tables that fell back, those whose time has come. What is fit again
// is begun anew by the feed.
func (n *sensor) mend(ctx context.Context, all []*subscription) error {
	feeder, ok := n.source.(connect.Feeder)
	for _, s := range all {
		if !ok || s.Sensing == sensingFeed || !s.Reading.Fallback || !n.askedNow(s.Table) {
			continue
		}
		err := feeder.Followable(ctx, []connect.TableName{s.Table})
		if n.answered(s.Table, err); err != nil {
			continue
		}
		n.subs.cfg.Logger.Info("a table tells its changes again", "source", n.name, "table", s.Table.String())
		err = n.subs.book.within(ctx, func(tx *sql.Tx) error {
			for _, same := range all {
				if same.Table != s.Table || same.Sensing == sensingFeed || !same.Reading.Fallback {
					continue
				}
				if err := again(tx, "no = ?", same.no); err != nil {
					return err
				}
			}
			return nil
		})
		if n.subs.stirred(); err != nil {
			return err
		}
	}
	return nil
}

// askedNow tells whether a table that fell back is to be asked now.
func (n *sensor) askedNow(t connect.TableName) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.fallen[t]
	if f == nil { // with its whole source, or before a restart
		if n.fallen == nil {
			n.fallen = map[connect.TableName]*fallback{}
		}
		f = &fallback{at: time.Now(), wait: feedAgain, due: time.Now().Add(feedAgain)}
		n.fallen[t] = f
	}
	return !f.fit && !time.Now().Before(f.due)
}

// answered takes what a table said.
func (n *sensor) answered(t connect.TableName, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.fallen[t]
	if f == nil { // forgotten while it was asked: too many have fallen back
		f = &fallback{wait: feedAgain}
		if n.fallen == nil {
			n.fallen = map[connect.TableName]*fallback{}
		}
		n.fallen[t] = f
	}
	if err == nil {
		n.nofeed, f.fit, f.at = nil, true, time.Now()
		return
	}
	f.wait = max(f.wait, min(2*f.wait, feedAgainMost))
	f.due = time.Now().Add(f.wait)
}

// hurry has the tables that a DDL event may have mended asked at the next look.
func (n *sensor) hurry(d *connect.DDL) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for t, f := range n.fallen {
		if touches(d, t) && f.wait <= feedAgainMost {
			f.due = time.Now()
		}
	}
}

func touches(d *connect.DDL, t connect.TableName) bool {
	return len(d.Tables) == 0 || slices.Contains(d.Tables, t)
}

// version is the table's; "" where the source tells none, or not now.
func (n *sensor) version(ctx context.Context, t connect.TableName) string {
	f, ok := n.source.(connect.Feeder)
	if !ok {
		return ""
	}
	v, err := f.TableVersion(ctx, t)
	if err != nil || len(v) > connect.MaxVersionBytes {
		return "" // it is asked again; a table that is gone is drift
	}
	return v
}

// rewritten finds the subscriptions whose rows became others without a change of rows. Who
// compares sees it by himself.
func (n *sensor) rewritten(ctx context.Context, all []*subscription) (out []*subscription) {
	known := map[connect.TableName]string{}
	for _, s := range all {
		if s.Sensing == sensingCompare || s.Again {
			continue
		}
		v, asked := known[s.Table]
		if !asked {
			v = n.version(ctx, s.Table)
			known[s.Table] = v
		}
		if v != "" && v != s.Reading.Version {
			out = append(out, s)
		}
	}
	return out
}

// retake has those take the whole again whose tables were written anew.
func (n *sensor) retake(ctx context.Context, all []*subscription) error {
	out := n.rewritten(ctx, all)
	if len(out) == 0 {
		return nil
	}
	err := n.subs.book.within(ctx, func(tx *sql.Tx) error {
		for _, s := range out {
			if err := again(tx, "no = ?", s.no); err != nil {
				return err
			}
		}
		return nil
	})
	for _, s := range out {
		s.Again = true
		n.subs.cfg.Logger.Info("a table was written anew without a change of rows; it is taken whole again", "source", n.name, "table", s.Table.String())
	}
	n.subs.stirred()
	return err
}

// rest gives the feed up that nobody needs any more: the server would keep its log for it.
// Who comes next begins anew.
func (n *sensor) rest(ctx context.Context, from connect.Position) error {
	if from == "" {
		return nil
	}
	if keeper, ok := n.source.(connect.FeedKeeper); ok {
		if err := keeper.DropFeed(ctx); err != nil {
			return err
		}
	}
	return n.subs.book.within(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM feed WHERE source = ?", n.name)
		return err
	})
}
