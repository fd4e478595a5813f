package deliver

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"sync"
	"time"

	"mulian/gateway/connect"
)

// looked is a look that has ended.
type looked struct {
	no   int64
	wait time.Duration // until the next one
}

// look polls what has no feed, until ctx ends. A table that takes long does not hold the
// others up.
func (n *sensor) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var looking sync.WaitGroup
	defer looking.Wait()
	due, done := map[int64]time.Time{}, make(chan looked, maxLooks)
	under := map[int64]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-done:
			delete(under, l.no)
			due[l.no] = time.Now().Add(l.wait)
			continue
		case <-tick.C:
		}
		all, err := n.subs.book.list(ctx, "source = ? AND sensing <> ? AND again = 0", n.name, sensingFeed)
		if err != nil {
			if ctx.Err() == nil {
				n.subs.cfg.Logger.Warn("subscriptions cannot be read", "source", n.name, "err", err)
			}
			continue
		}
		n.forgetOthers(all, due)
		slices.SortFunc(all, func(a, b *subscription) int { return due[a.no].Compare(due[b.no]) }) // who waits longest
		for _, s := range all {
			if under[s.no] || len(under) == maxLooks || time.Now().Before(due[s.no]) {
				continue
			}
			under[s.no] = true
			looking.Go(func() {
				wait, err := n.lookAt(ctx, s)
				if err != nil && ctx.Err() == nil {
					n.blind(s.no, err)
					n.subs.cfg.Logger.Info("a table could not be looked at", "source", n.name, "entry", s.Entry, "err", err)
				}
				done <- looked{s.no, wait} // there is room for all
			})
		}
	}
}

// lookAt looks once, at most for about lookWait, and tells how long to wait until the next
// time: a large table is not read all the time.
func (n *sensor) lookAt(ctx context.Context, s *subscription) (wait time.Duration, err error) {
	began := time.Now()
	if s.Sensing == sensingCompare {
		return n.compare(ctx, s)
	}
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	if err = n.after(ctx, s); err == nil {
		n.saw(s.no, began)
	}
	return max(lookEvery, lookShare*time.Since(began)), err
}

// after notes the rows whose watermark is greater than it was. A row that was written
// before the greatest one and committed after it is found by looking back a little: what was
// seen there already is remembered.
func (n *sensor) after(ctx context.Context, s *subscription) error {
	column := s.Reading.Watermark
	if !s.Ready {
		fresh, err := n.source.Freshness(ctx, s.Table, column)
		if err == nil {
			err = n.subs.book.set(ctx, s.no, "mark_kind = ?, mark = ?, ready = 1", fresh.Watermark.Kind, fresh.Watermark.Text)
			n.subs.stirred()
		}
		return err
	}
	from, ok := lookBack(s.Mark, time.Now())
	sel := connect.Selection{Table: s.Table, Columns: append(slices.Clone(s.Reading.Key), column)}
	if ok {
		sel.Where = []connect.Condition{{Column: column, Op: connect.OpAfter, Values: []connect.Value{from}}}
	}
	n.mu.Lock()
	was := n.marks[s.no]
	n.mu.Unlock()
	is, mark, any := map[string]string{}, s.Mark, false
	var keys []connect.Row
	note := func() error {
		if len(keys) == 0 {
			return nil
		}
		any = true
		err := n.subs.book.within(ctx, func(tx *sql.Tx) error { return n.subs.book.touch(tx, s, keys, time.Now().UnixMilli()) })
		keys = nil
		return err
	}
	err := n.source.Scan(ctx, sel, func(b connect.Batch) error {
		for _, row := range b.Rows {
			at := row[len(row)-1]
			if at.IsNull() {
				continue
			}
			if mark.IsNull() || later(at, mark) {
				mark = at
			}
			raw, err := connect.EncodeRows(len(s.Reading.Key), []connect.Row{row[:len(s.Reading.Key)]})
			if err != nil {
				return err
			}
			if len(is) < maxTouched {
				is[string(raw)] = at.Text
			}
			if was[string(raw)] != at.Text {
				keys = append(keys, row[:len(s.Reading.Key)])
			}
		}
		return note()
	})
	if err != nil {
		return err
	}
	if mark != s.Mark {
		if err := n.subs.book.set(ctx, s.no, "mark_kind = ?, mark = ?", mark.Kind, mark.Text); err != nil {
			return err
		}
	}
	n.mu.Lock()
	if n.marks == nil || len(n.marks) > maxSubscriptions {
		n.marks = map[int64]map[string]string{}
	}
	n.marks[s.no] = is
	n.mu.Unlock()
	if any {
		n.subs.stirred()
	}
	return nil
}

// lookBack is a value somewhat before a watermark, and not in the future; not ok: everything has
// to be read.
func lookBack(mark connect.Value, now time.Time) (from connect.Value, ok bool) {
	future := now.UTC().Add(lookAhead)
	earlier := func(t time.Time) time.Time {
		if t.After(future) {
			return future
		}
		return t
	}
	switch mark.Kind {
	case connect.Integer:
		if x, err := strconv.ParseInt(mark.Text, 10, 64); err == nil {
			return connect.IntegerValue(x - lookBackNumber), true
		}
	case connect.Timestamp, connect.Instant:
		form := "2006-01-02T15:04:05.999999999"
		if mark.Kind == connect.Instant {
			form += "Z"
		}
		if t, err := time.Parse(form, mark.Text); err == nil {
			return connect.Value{Kind: mark.Kind, Text: earlier(t).Add(-lookBackTime).Format(form)}, true
		}
	case connect.Date:
		if t, err := time.Parse(time.DateOnly, mark.Text); err == nil {
			return connect.Value{Kind: mark.Kind, Text: earlier(t).AddDate(0, 0, -1).Format(time.DateOnly)}, true
		}
	}
	return connect.Null, false
}

// later compares two watermarks of one kind.
func later(a, b connect.Value) bool {
	if a.Kind == connect.Integer && b.Kind == connect.Integer {
		x, errX := strconv.ParseInt(a.Text, 10, 64)
		y, errY := strconv.ParseInt(b.Text, 10, 64)
		return errX == nil && errY == nil && x > y
	}
	return a.Text > b.Text
}
