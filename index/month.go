package index

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// monthly are the verbs that are counted by month, and of which the note is kept: the state that
// was reached, or what ran out. Notes that are numbers are not.
var monthly = map[string]bool{
	"share/file_request": true, "share/answer": true, "share/silence": false, "share/withdraw_request": false, "share/urge_request": false, "share/overdue": true,
	"share/confirm_agreement": false, "share/suspend_agreement": false, "share/resume_agreement": false, "share/end_agreement": false, "share/expired": true,
	"share/complete_delivery": false, "share/fail_delivery": false, "share/record_use": false,
	"share/file_objection": false, "share/raise_dispute": false, "share/record_violation": false, "share/file_correction": false, "share/file_disposal": false,
	"catalogue/submit_entries": false, "catalogue/lock_entries": false, "catalogue/unlock_entry": false, "catalogue/withdraw_entry": false,
	"catalogue/report_drift": true, "catalogue/settle_drift": true,
	"governance/propose": false, "governance/cast_vote": true,
}

// monthKey is where an event is counted. org and peer are the subject's, as [row] has them, and
// do not change while it lives: a file that is made anew comes to the same.
type monthKey struct {
	month           int32 // since year 0, in Beijing
	verb, note      string
	org, peer, kind string // kind: the subject's table
}

// eastEight is the ledger's calendar: Beijing time.
var eastEight = time.FixedZone("+08:00", 8*3600)

// MonthOf is the month of a moment in Beijing: twelve times the year and the month from 0.
func MonthOf(ms int64) int32 {
	t := time.UnixMilli(ms).In(eastEight)
	return int32(12*t.Year()) + int32(t.Month()) - 1
}

// countMonth notes an event under the month of its block. The subject was read before.
func (b *batch) countMonth(seq int64, ev *tracev1.Event) {
	keep, counts := monthly[ev.GetVerb()]
	if !counts || len(ev.GetObjects()) == 0 {
		return
	}
	k := monthKey{month: MonthOf(ev.GetTimeMs()), verb: ev.GetVerb()}
	if keep {
		k.note = ev.GetNote()
	}
	subject := ev.GetObjects()[0]
	if c := b.changed[subject]; c != nil && c.m != nil {
		r := c.kind.file(c.m)
		k.org, k.peer, k.kind = r.org, r.peer, c.kind.prefix
		if q, ok := c.m.(*sharev1.Request); ok && ev.GetVerb() == "share/answer" {
			b.answers = append(b.answers, answer{k.month, k.org, q.GetId(), ev.GetTimeMs() - q.GetCreatedMs()})
		}
	}
	if k.org == "" || strings.HasPrefix(k.verb, "governance/") {
		k.org, _, _ = strings.Cut(ev.GetActor(), "/")
	}
	b.months[k] = append(b.months[k], seq)
}

// answer is how long a request waited for its answer.
type answer struct {
	month   int32
	org     string
	request string
	ms      int64
}

func (b *batch) writeMonths() error {
	keys := make([]monthKey, 0, len(b.months))
	for k := range b.months {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(p, q monthKey) int {
		return cmp.Or(cmp.Compare(p.month, q.month), cmp.Compare(p.org, q.org), cmp.Compare(p.verb, q.verb), cmp.Compare(p.note, q.note), cmp.Compare(p.peer, q.peer), cmp.Compare(p.kind, q.kind))
	})
	for _, k := range keys {
		var id int64 // the number of its first event: the same however the events come in batches
		if err := b.addMonth.QueryRow(b.months[k][0], k.month, k.org, k.verb, k.note, k.peer, k.kind, len(b.months[k])).Scan(&id); err != nil {
			return fmt.Errorf("index: month of %s: %w", k.org, err)
		}
		for _, seq := range b.months[k] {
			if _, err := b.putMonth.Exec(id, seq); err != nil {
				return fmt.Errorf("index: month of %s: %w", k.org, err)
			}
		}
	}
	for _, a := range b.answers {
		if _, err := b.putAnswer.Exec(a.month, a.org, a.request, a.ms); err != nil {
			return fmt.Errorf("index: answer to %s: %w", a.request, err)
		}
	}
	return nil
}

// Monthly is how often something happened in a month to what is an organisation's.
type Monthly struct {
	Verb, Note, Org, Peer string
	Kind                  string // table of what it happened to
	N                     int64
}

// Month calls fn with all that was counted in a month, by organisation.
func (x *Index) Month(ctx context.Context, month int32, fn func(Monthly)) error {
	return x.eachMonth(ctx, month, func(_ int64, m Monthly) { fn(m) })
}

func (x *Index) eachMonth(ctx context.Context, month int32, fn func(id int64, m Monthly)) error {
	rows, err := x.read.QueryContext(ctx, "SELECT id, verb, note, org, peer, kind, n FROM month WHERE month = ? ORDER BY org, verb, note, peer, kind", month)
	if err != nil {
		return fmt.Errorf("index: month: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var m Monthly
		if err := rows.Scan(&id, &m.Verb, &m.Note, &m.Org, &m.Peer, &m.Kind, &m.N); err != nil {
			return fmt.Errorf("index: month: %w", err)
		}
		fn(id, m)
	}
	return rows.Err()
}

// MonthEvents returns the events of a month that wanted says yes to, newest first, and below
// which number the next page begins; 0 at the end.
func (x *Index) MonthEvents(ctx context.Context, month int32, wanted func(Monthly) bool, below int64, limit int) (steps []Step, next int64, err error) {
	if limit = min(limit, maxEvents); limit <= 0 {
		limit = defaultLimit
	}
	if below <= 0 {
		below = 1 << 62
	}
	var counts []int64
	if err := x.eachMonth(ctx, month, func(id int64, m Monthly) {
		if wanted(m) {
			counts = append(counts, id)
		}
	}); err != nil {
		return nil, 0, err
	}
	// The newest of each count, of which the newest are the page: no count is read further.
	get, err := x.read.PrepareContext(ctx, "SELECT seq FROM month_event WHERE month = ? AND seq < ? ORDER BY seq DESC LIMIT ?")
	if err != nil {
		return nil, 0, fmt.Errorf("index: events of a month: %w", err)
	}
	defer get.Close()
	var seqs []int64
	for _, id := range counts {
		rows, err := get.QueryContext(ctx, id, below, limit+1)
		if err != nil {
			return nil, 0, fmt.Errorf("index: events of a month: %w", err)
		}
		for rows.Next() {
			var seq int64
			if err := rows.Scan(&seq); err != nil {
				rows.Close()
				return nil, 0, fmt.Errorf("index: events of a month: %w", err)
			}
			seqs = append(seqs, seq)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, 0, fmt.Errorf("index: events of a month: %w", err)
		}
	}
	slices.SortFunc(seqs, func(a, b int64) int { return cmp.Compare(b, a) })
	if len(seqs) > limit {
		seqs, next = seqs[:limit], seqs[limit-1]
	}
	for _, seq := range seqs {
		rows, err := x.read.QueryContext(ctx, "SELECT seq, raw FROM event WHERE seq = ?", seq)
		if err != nil {
			return nil, 0, fmt.Errorf("index: events of a month: %w", err)
		}
		step, err := scanSteps(rows)
		rows.Close()
		if err != nil {
			return nil, 0, err
		}
		steps = append(steps, step...)
	}
	return steps, next, nil
}

// AnswerTimes returns how long the requests that were answered in a month had waited, in
// milliseconds and ascending, by the organisation that answered.
func (x *Index) AnswerTimes(ctx context.Context, month int32) (map[string][]int64, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT org, ms FROM answer WHERE month = ? ORDER BY org, ms", month)
	if err != nil {
		return nil, fmt.Errorf("index: answers of a month: %w", err)
	}
	defer rows.Close()
	out := map[string][]int64{}
	for rows.Next() {
		var org string
		var ms int64
		if err := rows.Scan(&org, &ms); err != nil {
			return nil, fmt.Errorf("index: answers of a month: %w", err)
		}
		out[org] = append(out[org], ms)
	}
	return out, rows.Err()
}
