package index

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// flowHours is how long flows are kept by the hour, in the ledger's own time: a quarter.
// Our own choice; what was given in all stands in the sequences for ever.
const flowHours = 92 * 24

// flowKey is where an access is counted.
type flowKey struct {
	hour           int64 // since 1970, of the block that anchored it
	right, gateway string
}

// passed is how many accesses were given and refused.
type passed struct{ granted, refused int64 }

// measure notes what a change adds to the figures of a period: accesses that a gateway has
// anchored, and when an agreement came into force. was is the object as an earlier event
// of the batch left it.
func (b *batch) measure(c *change, was proto.Message, ev *tracev1.Event) error {
	switch now := c.m.(type) {
	case *sharev1.Agreement:
		if now.GetState() == sharev1.AgreementState_AGREEMENT_STATE_ACTIVE && now.GetStartsMs() > 0 {
			if _, err := b.putBegan.Exec(now.GetId(), now.GetStartsMs()); err != nil {
				return fmt.Errorf("index: %s: %w", c.key, err)
			}
		}
	case *tracev1.Sequence:
		before, ok := was.(*tracev1.Sequence)
		if !ok {
			before = &tracev1.Sequence{}
			var value []byte
			switch err := b.getValue.QueryRow(c.key).Scan(&value); err {
			case nil:
				if err := proto.Unmarshal(value, before); err != nil {
					return fmt.Errorf("index: %s: %w", c.key, err)
				}
			case sql.ErrNoRows:
			default:
				return fmt.Errorf("index: %s: %w", c.key, err)
			}
		}
		k := flowKey{ev.GetTimeMs() / time.Hour.Milliseconds(), now.GetAgreement(), now.GetGateway()}
		n := b.flows[k]
		if n == nil {
			n = &passed{}
			b.flows[k] = n
		}
		// Where old states are no longer kept a later one was read before: it counts nothing twice.
		n.granted += max(0, int64(now.GetGranted())-int64(before.GetGranted()))
		n.refused += max(0, int64(now.GetRefused())-int64(before.GetRefused()))
	}
	return nil
}

// writeFlows adds what the batch has counted, and forgets what is too old.
func (b *batch) writeFlows() error {
	latest := int64(0)
	for k, n := range b.flows {
		latest = max(latest, k.hour)
		if n.granted+n.refused == 0 {
			continue
		}
		if _, err := b.addFlow.Exec(k.hour, k.right, k.gateway, n.granted, n.refused); err != nil {
			return fmt.Errorf("index: flow of %s: %w", k.right, err)
		}
	}
	if latest == 0 {
		return nil
	}
	_, err := b.dropFlow.Exec(latest - flowHours)
	if err != nil {
		return fmt.Errorf("index: old flows: %w", err)
	}
	return nil
}

// Flow is how often data was given under one right within a period: an agreement, or the
// grant of an owner. It is counted from what gateways have anchored.
type Flow struct {
	Right            string // id of the agreement or grant
	Granted, Refused int64
	LastHour         int64 // in which there was something, since 1970
}

// Flows returns the rights with the most accesses since an hour, most first.
func (x *Index) Flows(ctx context.Context, fromHour int64, limit uint32) ([]Flow, error) {
	rows, err := x.read.QueryContext(ctx, fmt.Sprintf(`SELECT under, SUM(granted) AS n, SUM(refused), MAX(hour) FROM flow WHERE hour >= ?
		GROUP BY under ORDER BY n DESC, under LIMIT %d`, Filter{Limit: limit}.limit()), fromHour)
	if err != nil {
		return nil, fmt.Errorf("index: flows: %w", err)
	}
	defer rows.Close()
	var out []Flow
	for rows.Next() {
		var f Flow
		if err := rows.Scan(&f.Right, &f.Granted, &f.Refused, &f.LastHour); err != nil {
			return nil, fmt.Errorf("index: flows: %w", err)
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// FlowTotal is what was given in a period over all rights.
type FlowTotal struct{ Rights, Granted, Refused int64 }

// TotalFlow counts the accesses since an hour.
func (x *Index) TotalFlow(ctx context.Context, fromHour int64) (t FlowTotal, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT COUNT(DISTINCT under), COALESCE(SUM(granted), 0), COALESCE(SUM(refused), 0) FROM flow WHERE hour >= ?", fromHour).Scan(&t.Rights, &t.Granted, &t.Refused)
	if err != nil {
		return t, fmt.Errorf("index: flows: %w", err)
	}
	return t, nil
}

// FlowsByHour returns how often each gateway gave something, by the hour of the day in a
// time zone that is so many hours ahead of UTC.
func (x *Index) FlowsByHour(ctx context.Context, fromHour, ahead int64) (map[string]*[24]int64, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT gateway, (hour + ?) % 24, SUM(granted) FROM flow WHERE hour >= ? GROUP BY 1, 2", ahead, fromHour)
	if err != nil {
		return nil, fmt.Errorf("index: flows by hour: %w", err)
	}
	defer rows.Close()
	out := map[string]*[24]int64{}
	for rows.Next() {
		var gateway string
		var hour, n int64
		if err := rows.Scan(&gateway, &hour, &n); err != nil {
			return nil, fmt.Errorf("index: flows by hour: %w", err)
		}
		if out[gateway] == nil {
			out[gateway] = &[24]int64{}
		}
		out[gateway][hour] = n
	}
	return out, rows.Err()
}

// Began returns the ids of agreements that came into force since a moment, latest first,
// and how many there are.
func (x *Index) Began(ctx context.Context, fromMs int64, limit uint32) (ids []string, total int64, err error) {
	if err := x.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM began WHERE at_ms >= ?", fromMs).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("index: agreements in force: %w", err)
	}
	ids, err = x.column(ctx, fmt.Sprintf("SELECT agreement FROM began WHERE at_ms >= ? ORDER BY at_ms DESC, agreement LIMIT %d", Filter{Limit: limit}.limit()), []any{fromMs})
	return ids, total, err
}

// Covered is how the duties of one kind of power of an organisation stand in the catalogue.
type Covered struct {
	Org     string
	Power   int32 // catalogue.v1.PowerType
	Duties  int64
	Missing int64 // duties without an entry
	Entries int64 // one that hangs on two of the duties counts with each
	Locked  int64 // of the entries, and not drifted
	Drifted int64
}

// Coverage counts duties and their entries by organisation and kind of power, at most 200
// organisations. drifted and withdrawn are the entries' states. It reads keys and links
// of what is locked, drifted or withdrawn, and no entry.
func (x *Index) Coverage(ctx context.Context, drifted, withdrawn int32) ([]Covered, error) {
	const linked = "SELECT parent, COUNT(*) FROM link WHERE parent >= 'catalogue/duty/' AND parent < 'catalogue/duty0' AND child >= 'catalogue/entry/' AND child < 'catalogue/entry0' GROUP BY parent"
	const with = "SELECT l.parent, COUNT(*) FROM object e CROSS JOIN link l ON l.child = e.key WHERE e.kind = 'catalogue/entry/' AND l.parent >= 'catalogue/duty/' AND l.parent < 'catalogue/duty0' AND "
	var all, gone, apart, locked, lockedGone, lockedApart map[string]int64
	for _, q := range []struct {
		into  *map[string]int64
		query string
		args  []any
	}{
		{&all, linked, nil},
		{&gone, with + "e.state = ? GROUP BY l.parent", []any{withdrawn}},
		{&apart, with + "e.state = ? GROUP BY l.parent", []any{drifted}},
		{&locked, with + "e.flag = 1 GROUP BY l.parent", nil},
		{&lockedGone, with + "e.state = ? AND +e.flag = 1 GROUP BY l.parent", []any{withdrawn}},
		{&lockedApart, with + "e.state = ? AND +e.flag = 1 GROUP BY l.parent", []any{drifted}},
	} {
		var err error
		if *q.into, err = x.counts(ctx, q.query, q.args...); err != nil {
			return nil, err
		}
	}
	rows, err := x.read.QueryContext(ctx, "SELECT key, org, class FROM object WHERE kind = 'catalogue/duty/' AND flag = 0")
	if err != nil {
		return nil, fmt.Errorf("index: coverage: %w", err)
	}
	defer rows.Close()
	by, out := map[Covered]int{}, []Covered(nil)
	for rows.Next() {
		var key string
		var cell Covered
		if err := rows.Scan(&key, &cell.Org, &cell.Power); err != nil {
			return nil, fmt.Errorf("index: coverage: %w", err)
		}
		at, ok := by[cell]
		if !ok {
			at = len(out)
			by[cell], out = at, append(out, cell)
		}
		c, n := &out[at], all[key]-gone[key]
		c.Duties++
		if n == 0 {
			c.Missing++
		}
		c.Entries += n
		c.Drifted += apart[key]
		c.Locked += locked[key] - lockedGone[key] - lockedApart[key]
	}
	slices.SortFunc(out, func(a, b Covered) int { return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Power, b.Power)) })
	return out[:min(len(out), maxCells)], rows.Err()
}

// maxCells bounds a coverage: 200 organisations with all kinds of power.
const maxCells = 2600

// counts reads keys with a number each.
func (x *Index) counts(ctx context.Context, query string, args ...any) (map[string]int64, error) {
	rows, err := x.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("index: coverage: %w", err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var key string
		var n int64
		if err := rows.Scan(&key, &n); err != nil {
			return nil, fmt.Errorf("index: coverage: %w", err)
		}
		out[key] = n
	}
	return out, rows.Err()
}
