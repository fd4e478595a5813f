package index

import (
	"context"
	"fmt"
	"slices"
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
	source, err := x.eventsOf(ctx, &f)
	if err != nil {
		return nil, 0, err
	}
	// Most pages are full with what comes first: the rest is not even decoded.
	batch := limit
	for looked := 0; looked < maxEventLook; looked, batch = looked+batch, min(2*batch, maxLimit) {
		query, args := source(below, batch)
		rows, err := x.read.QueryContext(ctx, query, args...)
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
		if len(page) < batch {
			return steps, 0, nil
		}
	}
	return steps, below, nil
}

// maxActors bounds the accounts of an organisation whose events are read by account.
const maxActors = 5000

// eventsOf is the query of the newest events below a number that may be wanted.
func (x *Index) eventsOf(ctx context.Context, f *EventFilter) (func(below int64, limit int) (string, []any), error) {
	if f.Object != "" {
		return func(below int64, limit int) (string, []any) {
			return "SELECT e.seq, e.raw FROM event_object t CROSS JOIN event e ON e.seq = t.seq WHERE t.object = ? AND t.seq < ? ORDER BY t.seq DESC LIMIT ?", []any{f.Object, below, limit}
		}, nil
	}
	if f.Actor != "" {
		// From one account that did anything to the next: '0' follows '/'.
		actors, err := x.column(ctx, fmt.Sprintf(`WITH RECURSIVE a(actor) AS (SELECT MIN(actor) FROM event_actor WHERE actor >= ?1 AND actor < ?2
			UNION ALL SELECT (SELECT MIN(actor) FROM event_actor WHERE actor > a.actor AND actor < ?2) FROM a WHERE a.actor IS NOT NULL)
			SELECT actor FROM a WHERE actor IS NOT NULL UNION SELECT ?3 LIMIT %d`, maxActors), []any{f.Actor + "/", f.Actor + "0", f.Actor})
		if err != nil {
			return nil, err
		}
		if len(actors) < maxActors {
			of, names := values(actors)
			return func(below int64, limit int) (string, []any) {
				return fmt.Sprintf(`WITH k(actor) AS (VALUES %s), found(seq) AS (SELECT t.seq FROM k CROSS JOIN event_actor t ON t.actor = k.actor AND t.seq < ?
					AND t.seq >= COALESCE((SELECT u.seq FROM event_actor u WHERE u.actor = k.actor AND u.seq < ? ORDER BY u.seq DESC LIMIT 1 OFFSET ?), -1)
					ORDER BY t.seq DESC LIMIT ?)
					SELECT e.seq, e.raw FROM found CROSS JOIN event e ON e.seq = found.seq ORDER BY e.seq DESC`, of), append(slices.Clone(names), below, below, limit-1, limit)
			}, nil
		}
	}
	return func(below int64, limit int) (string, []any) {
		return "SELECT e.seq, e.raw FROM event e WHERE e.seq < ? ORDER BY e.seq DESC LIMIT ?", []any{below, limit}
	}, nil
}

func (f *EventFilter) by(actor string) bool {
	return f.Actor == "" || actor == f.Actor || strings.HasPrefix(actor, f.Actor+"/")
}
