package deliver

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/view"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// Bounds of waiting for what only time, or another agreement, brings; our own choice.
const (
	// pauseLook is how often it is looked, in what this gateway has of the ledger, whether the
	// agreement, entry or table was changed.
	pauseLook = 2 * time.Second
	// pauseLongest ends any waiting: an asker that is wrong about its provider's day is a
	// refusal in the log of a day, no more.
	pauseLongest = 24 * time.Hour
	// afterMidnight is when the first request of a day goes out, dayBegins how long after
	// midnight a provider may still have the day of before, and dayAgain how often it is asked
	// then: its clock may be an hour behind.
	afterMidnight = 30 * time.Second
	dayBegins     = 2 * time.Hour
	dayAgain      = 15 * time.Minute
	// windowAgain is how often a provider is asked that says that a window is closed which is
	// open by our clock.
	windowAgain = time.Minute
	// windowDays is how far ahead the next opening is looked for: the longest holiday, and room.
	windowDays = 40
)

// pause is how a following waits.
type pause struct {
	state string
	until time.Time // when it is asked for again; zero: at pauseLongest
	deaf  bool      // a message of the provider changes nothing
}

// pauseFor tells how to wait after a refusal; wait is how long it would be tried again after
// anyhow.
func (x *Followings) pauseFor(ctx context.Context, f *following, err error, wait time.Duration, now time.Time) pause {
	switch fault.CodeOf(err) {
	case fault.DailyLimit:
		return pause{stateQuota, nextDay(now), true}
	case fault.TotalLimit:
		return pause{stateQuota, time.Time{}, true}
	case fault.OutsideWindow:
		g, _, err := view.Get(ctx, x.asker.cfg.View, "share/agreement/"+f.Agreement, newAgreement, view.NoAge)
		if err != nil {
			break
		}
		works := func(t time.Time) (bool, error) {
			year, _, err := view.Get(ctx, x.asker.cfg.View, "governance/calendar/"+strconv.Itoa(t.Year()), func() *governancev1.CalendarYear { return &governancev1.CalendarYear{} }, view.NoAge)
			return err == nil && worked(year, t), err
		}
		if opens, err := nextOpening(g.GetTerms().GetWindows(), now, works); err == nil {
			return pause{stateWindow, opens, true}
		}
	}
	return pause{stateWaiting, now.Add(wait), !passing(err)}
}

// nextDay is when calls and rows of a day may be there again: a day of Beijing.
func nextDay(now time.Time) time.Time {
	t := now.In(beijing)
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, beijing)
	if t.Sub(midnight) < dayBegins {
		return now.Add(dayAgain)
	}
	return midnight.AddDate(0, 0, 1).Add(afterMidnight)
}

// nextOpening is when the first of the windows opens after now; zero if none does within
// windowDays. One that is open by our clock is tried again soon.
func nextOpening(windows []*sharev1.Window, now time.Time, works func(time.Time) (bool, error)) (first time.Time, err error) {
	t := now.In(beijing)
	for _, w := range windows {
		in, err := within(w, t, func() (bool, error) { return works(t) })
		if err != nil || in {
			return now.Add(windowAgain), err
		}
		for days := range windowDays {
			opens := time.Date(t.Year(), t.Month(), t.Day()+days, 0, int(w.GetFromMinute()), 0, 0, beijing)
			if !opens.After(t) || !first.IsZero() && !opens.Before(first) {
				continue
			}
			in, err := within(w, opens, func() (bool, error) { return works(opens) })
			if err != nil {
				return time.Time{}, err
			}
			if in {
				first = opens
				break
			}
		}
	}
	return first, nil
}

// agreed is what a refusal rests on, as this gateway sees it.
type agreed struct {
	agreement *sharev1.Agreement
	entry     *cataloguev1.Entry
	table     *cataloguev1.Table
}

func (x *Followings) agreed(ctx context.Context, f *following) (out agreed) {
	v := x.asker.cfg.View
	var err error
	if out.agreement, _, err = view.Get(ctx, v, "share/agreement/"+f.Agreement, newAgreement, view.NoAge); err != nil {
		return agreed{}
	}
	if out.entry, _, err = view.Get(ctx, v, "catalogue/entry/"+f.Entry, newEntry, view.NoAge); err != nil {
		return agreed{}
	}
	if id := out.entry.GetTable(); id != "" {
		if out.table, _, err = view.Get(ctx, v, "catalogue/table/"+id, newTable, view.NoAge); err != nil {
			return agreed{}
		}
	}
	return out
}

// same tells whether nothing was changed; what cannot be seen was not.
func (a agreed) same(b agreed) bool {
	if a.agreement == nil || b.agreement == nil {
		return true
	}
	// Deliveries change an agreement too, but not what may be given.
	terms := a.agreement.GetState() == b.agreement.GetState() && a.agreement.GetEndsMs() == b.agreement.GetEndsMs() && proto.Equal(a.agreement.GetTerms(), b.agreement.GetTerms())
	return terms && proto.Equal(a.entry, b.entry) && proto.Equal(a.table, b.table)
}

// waitOut waits as long as a refusal demands: until its time, or until what it rests on is
// another, or, of what goes away by itself, until the provider tells.
func (x *Followings) waitOut(ctx context.Context, f *following, p pause, was agreed) {
	until := p.until
	if until.IsZero() {
		until = time.Now().Add(pauseLongest)
	}
	f.move(func(now *gatewayv1.Following) {
		now.State, now.UntilMs = p.state, 0
		if !p.until.IsZero() && p.state != stateWaiting {
			now.UntilMs = p.until.UnixMilli()
		}
	})
	for ctx.Err() == nil && time.Until(until) > 0 {
		// The time of day counts, and a machine may sleep: no timer for hours.
		timer := time.NewTimer(min(time.Until(until), pauseLook))
		select {
		case <-ctx.Done():
		case <-f.wake:
			if !p.deaf {
				until = time.Time{}
			}
		case <-timer.C:
		}
		timer.Stop()
		if p.deaf && !was.same(x.agreed(ctx, f)) {
			return
		}
	}
}
