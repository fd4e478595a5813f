package index

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
)

// maxRelated bounds the objects of one trace: a duty with thousands of entries is
// traced by its nearest ones.
const maxRelated = 2000

// maxResolved bounds the ids that are looked up at once; our own choice.
const maxResolved = 16

// Step is one event of a trace.
type Step struct {
	Seq   int64
	Event *tracev1.Event
}

// resolved are the tables in which an id is looked for, the first that has it wins.
var resolved = []string{"", Request, Agreement, Entry, Duty, Table, Drift, System, Proposal, Account, Pending, Matter, CodeTable, Code, Evidence}

// Resolve finds the state key for an id as people write it: a key itself, or the
// id of a request, agreement, entry, duty, table, drift, proposal, account, matter,
// code table, code or piece of evidence.
// NotFound if nothing has it.
func (x *Index) Resolve(ctx context.Context, id string) (string, error) {
	keys, err := x.ResolveAll(ctx, id)
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		return "", errNone("object", id)
	}
	return keys[0], nil
}

// ResolveAll is [Index.Resolve] for several ids by one query: the keys of those that
// something has, in their order. At most 16 ids.
func (x *Index) ResolveAll(ctx context.Context, ids ...string) (keys []string, err error) {
	ids = ids[:min(len(ids), maxResolved)]
	asked := make([]string, 0, len(ids)*len(resolved))
	for _, id := range ids {
		for _, prefix := range resolved {
			asked = append(asked, prefix+id)
		}
	}
	in, args := marks(asked)
	found, err := x.column(ctx, "SELECT key FROM object WHERE key IN ("+in+")", args)
	if err != nil {
		return nil, err
	}
	for i := range ids {
		for _, key := range asked[i*len(resolved) : (i+1)*len(resolved)] {
			if slices.Contains(found, key) {
				keys = append(keys, key)
				break
			}
		}
	}
	return keys, nil
}

// Trace returns the events that touch an object and those that it hangs on or
// that hang on it, in the ledger's order: duty, entry, lock, request, agreement,
// delivery, use. direct restricts it to the object itself. id may also be a
// transaction's id (64 hex digits). next is what to give as after for the next page, -1 at the
// end: 0 is the number of an event.
func (x *Index) Trace(ctx context.Context, id string, direct bool, after int64, limit uint32) (steps []Step, keys []string, next int64, err error) {
	n := Filter{Limit: limit}.limit()
	key, err := x.Resolve(ctx, id)
	if err != nil {
		if tx, bad := hex.DecodeString(id); bad == nil && len(tx) == 32 {
			return x.byTx(ctx, tx)
		}
		return nil, nil, 0, err
	}
	keys = []string{key}
	if !direct {
		if keys, err = x.related(ctx, key); err != nil {
			return nil, nil, 0, err
		}
	}
	// Each object's events are read in their order and no further than the page needs: an
	// entry that has been used for years has a hundred thousand, and so has no page. Of the
	// others only what is told of them: see [told].
	seqs, err := x.seqs(ctx, fmt.Sprintf("SELECT seq FROM event_object WHERE object = ? AND seq > ? ORDER BY seq LIMIT %d", n+1), key, after)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("index: trace of %s: %w", key, err)
	}
	if len(keys) > 1 {
		end := int64(math.MaxInt64)
		if len(seqs) > n {
			end = seqs[n]
		}
		of, args := values(keys)
		around, err := x.seqs(ctx, fmt.Sprintf(`WITH k(object) AS (VALUES %s) SELECT DISTINCT t.seq FROM k CROSS JOIN event_told t ON t.object = k.object AND t.seq > ?
			AND t.seq <= MIN(?, COALESCE((SELECT u.seq FROM event_told u WHERE u.object = k.object AND u.seq > ? ORDER BY u.seq LIMIT 1 OFFSET %d), ?))
			ORDER BY t.seq LIMIT %d`, of, n, n+1), append(args, after, end, after, end)...)
		if err != nil {
			return nil, nil, 0, fmt.Errorf("index: trace of %s: %w", key, err)
		}
		seqs = append(seqs, around...)
	}
	slices.Sort(seqs)
	if seqs = slices.Compact(seqs); len(seqs) > n {
		seqs = seqs[:n+1]
	}
	if steps, err = x.steps(ctx, seqs); err != nil {
		return nil, nil, 0, err
	}
	if len(steps) > n {
		return steps[:n], keys, steps[n-1].Seq, nil
	}
	return steps, keys, -1, nil
}

// told says whether an event that touches an object belongs to the trace of what is around
// that object. An event of sharing belongs to the trace of its subject only: another
// request for the same entry is another story. So is another entry, or matter, on
// the same duty, table or system: of what many things hang on, only what was done
// to it itself, and the drifts of a table. It is filed with the event: most of what touches
// an entry is use of it, and is not to be read for every trace that the entry is in.
func told(object, subject string) bool {
	switch {
	case object == subject:
		return true
	case strings.HasPrefix(subject, "share/"):
		return false
	case strings.HasPrefix(object, Duty):
		return strings.HasPrefix(subject, Duty)
	case strings.HasPrefix(object, System):
		return strings.HasPrefix(subject, System)
	case strings.HasPrefix(object, Table):
		return strings.HasPrefix(subject, Table) || strings.HasPrefix(subject, Drift)
	}
	return true
}

// seqs are the numbers that a query finds.
func (x *Index) seqs(ctx context.Context, query string, args ...any) (out []int64, err error) {
	rows, err := x.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		out = append(out, seq)
	}
	return out, rows.Err()
}

// values are the rows of VALUES, one for each text.
func values(texts []string) (string, []any) {
	_, args := marks(texts)
	return strings.TrimSuffix(strings.Repeat("(?),", len(texts)), ","), args
}

// steps reads events by their numbers, in their order.
func (x *Index) steps(ctx context.Context, seqs []int64) ([]Step, error) {
	args := make([]any, len(seqs))
	for i, s := range seqs {
		args[i] = s
	}
	rows, err := x.read.QueryContext(ctx, "SELECT seq, raw FROM event WHERE seq IN ("+strings.TrimSuffix(strings.Repeat("?,", len(seqs)), ",")+") ORDER BY seq", args...)
	if err != nil {
		return nil, fmt.Errorf("index: events: %w", err)
	}
	defer rows.Close()
	return scanSteps(rows)
}

// OfTx returns the first events of a transaction, none if it has changed nothing.
func (x *Index) OfTx(ctx context.Context, id []byte, most int) ([]Step, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT seq, raw FROM event WHERE tx = ? ORDER BY seq LIMIT ?", id, most)
	if err != nil {
		return nil, fmt.Errorf("index: events of a transaction: %w", err)
	}
	defer rows.Close()
	return scanSteps(rows)
}

// byTx returns the events of one transaction.
func (x *Index) byTx(ctx context.Context, id []byte) ([]Step, []string, int64, error) {
	steps, err := x.OfTx(ctx, id, maxLimit)
	if err != nil {
		return nil, nil, 0, err
	}
	if len(steps) == 0 {
		return nil, nil, 0, errNone("transaction", hex.EncodeToString(id))
	}
	return steps, nil, -1, nil
}

// related returns the object, what it hangs on and what hangs on it, each level
// up to maxRelated in all.
func (x *Index) related(ctx context.Context, key string) ([]string, error) {
	if strings.HasPrefix(key, Delivery) || strings.HasPrefix(key, Use) || strings.HasPrefix(key, Sequence) {
		// What happened under an agreement is told together: start at the agreement.
		up, err := x.column(ctx, "SELECT parent FROM link WHERE child = ?", []any{key})
		if err != nil {
			return nil, err
		}
		if len(up) == 1 {
			key = up[0]
		}
	}
	seen := map[string]bool{key: true}
	walk := func(query string, starts []string) error {
		for level := starts; len(level) > 0; {
			in, args := marks(level)
			found, err := x.column(ctx, fmt.Sprintf(query, in), args)
			if err != nil {
				return err
			}
			level = level[:0:0]
			for _, k := range found {
				if len(seen) < maxRelated && !seen[k] && !strings.HasPrefix(k, Account) && !strings.HasPrefix(k, needs) {
					seen[k] = true
					level = append(level, k)
				}
			}
		}
		return nil
	}
	if err := walk("SELECT DISTINCT child FROM link WHERE parent IN (%s) LIMIT 2000", []string{key}); err != nil {
		return nil, err
	}
	var below []string
	for k := range seen {
		below = append(below, k)
	}
	slices.Sort(below)
	// Upwards from the object and from what hangs on it: a use leads to its
	// agreement, that to its request, that to the duty of the asker.
	if err := walk("SELECT DISTINCT parent FROM link WHERE child IN (%s) LIMIT 2000", below); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	slices.Sort(out)
	return out, nil
}

func (x *Index) column(ctx context.Context, query string, args []any) ([]string, error) {
	rows, err := x.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("index: trace: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("index: trace: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func marks(keys []string) (string, []any) {
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	return strings.TrimSuffix(strings.Repeat("?,", len(keys)), ","), args
}

// Latest returns the newest n events, newest first, leaving out those with a verb.
func (x *Index) Latest(ctx context.Context, n int, without string) ([]Step, error) {
	// Looking at the last 50 n keeps the page fast when most are left out.
	rows, err := x.read.QueryContext(ctx, "SELECT seq, raw FROM event ORDER BY seq DESC LIMIT ?", 50*n)
	if err != nil {
		return nil, fmt.Errorf("index: latest events: %w", err)
	}
	defer rows.Close()
	steps, err := scanSteps(rows)
	steps = slices.DeleteFunc(steps, func(s Step) bool { return s.Event.GetVerb() == without })
	return steps[:min(n, len(steps))], err
}

func scanSteps(rows *sql.Rows) ([]Step, error) {
	var steps []Step
	for rows.Next() {
		s := Step{Event: &tracev1.Event{}}
		var raw []byte
		if err := rows.Scan(&s.Seq, &raw); err != nil {
			return nil, fmt.Errorf("index: events: %w", err)
		}
		if err := proto.Unmarshal(raw, s.Event); err != nil {
			return nil, fmt.Errorf("index: event %d: %w", s.Seq, err)
		}
		steps = append(steps, s)
	}
	return steps, rows.Err()
}
