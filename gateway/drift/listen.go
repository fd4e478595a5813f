package drift

import (
	"context"
	"errors"
	"slices"
	"time"

	"mulian/gateway/connect"
)

// How events of the database shorten the wait for the next look; our own choices.
const (
	// A look comes eventRest after the last event, so that a script of several statements is
	// seen as one change; but no later than eventPatience after the first.
	eventRest     = 150 * time.Millisecond
	eventPatience = 450 * time.Millisecond
	// A source that tells no events is asked again after noFeedPatience: the right may have
	// been granted meanwhile.
	noFeedPatience = 10 * time.Minute
)

// listen follows the database's own DDL events, where it tells any, until ctx ends. Each
// event that may concern us is a token in stirred, each new beginning (what came before was not heard)
// one in began. It never fails: without events the polling remains.
func (w *Watcher) listen(ctx context.Context, began, stirred chan<- struct{}) {
	feeder, ok := w.cfg.Source.(connect.Feeder)
	if !ok {
		return
	}
	patience := firstPatience
	for told := false; ; {
		err := feeder.Follow(ctx, nil, "", func(c connect.Change) error {
			patience, told = firstPatience, false
			switch {
			case c.DDL == nil:
				offer(began)
			case w.concerns(*c.DDL):
				offer(stirred)
			}
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		if !told {
			told = true
			w.cfg.Log.Info("no events of changes from the database; it is polled", "every", w.cfg.Interval.String(), "reason", whyNot(err))
		}
		if errors.Is(err, connect.ErrNoFeed) {
			patience = noFeedPatience
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(patience):
		}
		patience = min(2*patience, max(lastPatience, patience))
	}
}

// offer leaves a token; one that is there already is enough.
func offer(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func whyNot(err error) string {
	var no *connect.NoFeedError
	if errors.As(err, &no) {
		return no.Cause
	}
	return reasonOf(err)
}

// concerns tells whether an event can be about a watched table. One that names no
// table is about all.
func (w *Watcher) concerns(d connect.DDL) bool {
	if len(d.Tables) == 0 || len(w.cfg.Tables) == 0 {
		return true
	}
	return slices.ContainsFunc(d.Tables, func(n connect.TableName) bool { return slices.Contains(w.cfg.Tables, n) })
}

// stir is when the next look after an event is due.
type stir struct {
	first time.Time // event that no look has followed; zero: none
	due   time.Time
}

// event takes an event at now.
func (s *stir) event(now time.Time) {
	if s.first.IsZero() {
		s.first = now
	}
	s.due = now.Add(eventRest)
	if latest := s.first.Add(eventPatience); s.due.After(latest) {
		s.due = latest
	}
}
