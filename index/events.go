package index

import (
	"context"
	"fmt"
	"strings"
)

// EventFilter says which events are wanted; zero values are no filter.
type EventFilter struct {
	Actor  string // account, or an organisation with all of its accounts
	Object string // state key that was touched
	FromMs int64  // not before, of block time
	ToMs   int64  // before
	Below  int64  // only those with a lower number
	// Without leaves out the events of one verb.
	Without string
	Limit   uint32 // default 50, at most 200
}

// Bounds of one answer; our own choice.
const (
	maxEvents    = 200
	maxEventLook = 20_000
)

// Events returns events, newest first, and below which number the next page begins; 0 at the
// end. At most 20,000 events are looked at for one page: next leads on.
func (x *Index) Events(ctx context.Context, f EventFilter) (steps []Step, next int64, err error) {
	limit := int(min(f.Limit, maxEvents))
	if limit == 0 {
		limit = defaultLimit
	}
	below := f.Below
	if below <= 0 {
		below = 1 << 62
	}
	query, args := "SELECT e.seq, e.raw FROM event e WHERE e.seq < ?", []any{}
	if f.Object != "" {
		query, args = "SELECT e.seq, e.raw FROM event_object t JOIN event e ON e.seq = t.seq WHERE t.object = ? AND t.seq < ?", []any{f.Object}
	}
	query += fmt.Sprintf(" ORDER BY e.seq DESC LIMIT %d", maxLimit)
	for looked := 0; looked < maxEventLook; looked += maxLimit {
		rows, err := x.read.QueryContext(ctx, query, append(args, below)...)
		if err != nil {
			return nil, 0, fmt.Errorf("index: events: %w", err)
		}
		page, err := scanSteps(rows)
		rows.Close()
		if err != nil {
			return nil, 0, err
		}
		for _, s := range page {
			at := s.Event.GetTimeMs()
			if f.FromMs > 0 && at < f.FromMs {
				return steps, 0, nil // the chain's time does not go back
			}
			if below = s.Seq; f.ToMs > 0 && at >= f.ToMs || !f.by(s.Event.GetActor()) || f.Without != "" && s.Event.GetVerb() == f.Without {
				continue
			}
			if steps = append(steps, s); len(steps) == limit {
				return steps, below, nil
			}
		}
		if len(page) < maxLimit {
			return steps, 0, nil
		}
	}
	return steps, below, nil
}

func (f *EventFilter) by(actor string) bool {
	return f.Actor == "" || actor == f.Actor || strings.HasPrefix(actor, f.Actor+"/")
}
