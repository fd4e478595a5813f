package deliver

import (
	"math"
	"sync"
	"time"

	"mulian/gateway/receipt"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// beijing is the zone in which a day of a quota begins.
var beijing = time.FixedZone("UTC+8", 8*60*60)

func day(ms int64) int64 {
	t := time.UnixMilli(ms).In(beijing)
	return int64(t.Year())*1000 + int64(t.YearDay())
}

// quotas counts the calls, rows and bytes of each agreement and the answers of each
// predicate. It is the log, summed: a call is a GRANTED record, rows and bytes are those
// of COMPLETED ones, and of FAILED ones what had left by then; and what is about to be.
type quotas struct {
	mu      sync.Mutex
	of      map[string]used
	answers map[asked]uint64 // of today
	day     int64            // of answers
}

// used is what one agreement has had.
type used struct {
	total       uint64 // calls
	day         int64
	today       uint64 // calls
	rows, bytes uint64
	rowsToday   uint64
	heldRows    uint64 // read, and not logged yet
	heldBytes   uint64
}

// asked is one predicate about one subject; without a subject about all of them.
type asked struct{ agreement, predicate, subject string }

// maxAnswers bounds the subjects that are counted in a day; then none is answered about.
const maxAnswers = 2_000_000

func (q *quotas) restore(log *receipt.Log) error {
	return log.Each(0, func(e receipt.Entry) bool {
		r := e.Record
		switch today := day(r.GetAtMs()); r.GetOutcome() {
		case tracev1.Outcome_OUTCOME_GRANTED:
			q.add(r.GetAgreement(), today)
			if r.GetPredicate() != "" {
				q.note(r.GetAgreement(), r.GetPredicate(), string(r.GetSubject()), today)
			}
		case tracev1.Outcome_OUTCOME_COMPLETED, tracev1.Outcome_OUTCOME_FAILED:
			q.addRows(r.GetAgreement(), r.GetRows(), r.GetBytes(), today)
		}
		return true
	})
}

func (q *quotas) on(agreement string, day int64) used {
	u := q.of[agreement]
	if u.day != day {
		u.day, u.today, u.rowsToday = day, 0, 0
	}
	return u
}

func (q *quotas) add(agreement string, day int64) {
	u := q.on(agreement, day)
	u.total++
	u.today++
	q.of[agreement] = u
}

func (q *quotas) addRows(agreement string, rows, bytes uint64, day int64) {
	u := q.on(agreement, day)
	u.rows, u.rowsToday, u.bytes = u.rows+rows, u.rowsToday+rows, u.bytes+bytes
	q.of[agreement] = u
}

// take counts a call at nowMs, or refuses it: DailyLimit, TotalLimit. give takes it
// back if it could not be logged.
func (q *quotas) take(g *sharev1.Agreement, nowMs int64) (give func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	today, t := day(nowMs), g.GetTerms()
	u := q.on(g.GetId(), today)
	switch {
	case t.GetMaxCallsPerDay() != 0 && u.today >= uint64(t.GetMaxCallsPerDay()):
		return nil, ruled("quota", fault.DailyLimit, "agreement %s: all %d calls of today are used", g.GetId(), t.GetMaxCallsPerDay())
	case t.GetMaxCalls() != 0 && u.total >= t.GetMaxCalls():
		return nil, ruled("quota", fault.TotalLimit, "agreement %s: all %d calls are used", g.GetId(), t.GetMaxCalls())
	}
	if err := u.room(g, 1, 1); err != nil {
		return nil, err
	}
	q.add(g.GetId(), today)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		u := q.of[g.GetId()]
		u.total--
		if u.day == today {
			u.today--
		}
		q.of[g.GetId()] = u
	}, nil
}

// room tells whether so many rows and bytes more may be given.
func (u used) room(g *sharev1.Agreement, rows, bytes uint64) error {
	t := g.GetTerms()
	switch {
	case t.GetMaxRows() != 0 && u.rows+u.heldRows+rows > t.GetMaxRows():
		return ruled("quota", fault.TotalLimit, "agreement %s: %d of its %d rows have been given", g.GetId(), u.rows, t.GetMaxRows())
	case t.GetMaxRowsPerDay() != 0 && u.rowsToday+u.heldRows+rows > t.GetMaxRowsPerDay():
		return ruled("quota", fault.DailyLimit, "agreement %s: %d of the %d rows of a day have been given", g.GetId(), u.rowsToday, t.GetMaxRowsPerDay())
	case t.GetMaxBytes() != 0 && u.bytes+u.heldBytes+bytes > t.GetMaxBytes():
		return ruled("quota", fault.TotalLimit, "agreement %s: %d of its %d bytes have been given", g.GetId(), u.bytes, t.GetMaxBytes())
	}
	return nil
}

// left is how many rows may still be given today; what is held for others counts as given.
func (q *quotas) left(g *sharev1.Agreement, nowMs int64) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	u, t, left := q.on(g.GetId(), day(nowMs)), g.GetTerms(), uint64(math.MaxInt64)
	if n := t.GetMaxRows(); n != 0 {
		left = min(left, n-min(n, u.rows+u.heldRows))
	}
	if n := t.GetMaxRowsPerDay(); n != 0 {
		left = min(left, n-min(n, u.rowsToday+u.heldRows))
	}
	return left
}

// quota tells whether a refusal is one by quota.
func quota(err error) bool { return fault.Is(err, fault.DailyLimit) || fault.Is(err, fault.TotalLimit) }

// hold keeps rows and bytes for a release that is about to be, or refuses them:
// TotalLimit, DailyLimit. What is held is spent, or given back with drop.
func (q *quotas) hold(g *sharev1.Agreement, rows, bytes uint64, nowMs int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.on(g.GetId(), day(nowMs))
	if err := u.room(g, rows, bytes); err != nil {
		return err
	}
	u.heldRows, u.heldBytes = u.heldRows+rows, u.heldBytes+bytes
	q.of[g.GetId()] = u
	return nil
}

// keep is hold for what an earlier process held.
func (q *quotas) keep(agreement string, rows, bytes uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.of[agreement]
	u.heldRows, u.heldBytes = u.heldRows+rows, u.heldBytes+bytes
	q.of[agreement] = u
}

// drop gives back what was held.
func (q *quotas) drop(agreement string, rows, bytes uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.of[agreement]
	u.heldRows, u.heldBytes = u.heldRows-min(rows, u.heldRows), u.heldBytes-min(bytes, u.heldBytes)
	q.of[agreement] = u
}

// spend counts what was held as given; a COMPLETED record of it is in the log.
func (q *quotas) spend(agreement string, rows, bytes uint64, nowMs int64) {
	q.drop(agreement, rows, bytes)
	q.count(agreement, rows, bytes, nowMs)
}

// count counts what is not held any more as given.
func (q *quotas) count(agreement string, rows, bytes uint64, nowMs int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.addRows(agreement, rows, bytes, day(nowMs))
}

// perSubject is how often a predicate is answered about one subject in a day where the
// terms do not say: too seldom to find a number by halving. Our own choice.
const perSubject = 10

// answer counts an answer of a predicate, or refuses it: DailyLimit. give takes it back.
func (q *quotas) answer(g *sharev1.Agreement, p *sharev1.Predicate, subject string, nowMs int64) (give func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	today := day(nowMs)
	if q.day != today {
		q.day, q.answers = today, map[asked]uint64{}
	}
	most := uint64(p.GetMaxPerSubject())
	if most == 0 {
		most = perSubject
	}
	all, one := asked{g.GetId(), p.GetName(), ""}, asked{g.GetId(), p.GetName(), subject}
	switch {
	case p.GetMaxPerDay() != 0 && q.answers[all] >= uint64(p.GetMaxPerDay()):
		return nil, ruled("quota", fault.DailyLimit, "predicate %s: all %d answers of today are given", p.GetName(), p.GetMaxPerDay())
	case q.answers[one] >= most, len(q.answers) >= maxAnswers:
		return nil, ruled("quota", fault.DailyLimit, "predicate %s: all %d answers of today about this subject are given", p.GetName(), most)
	}
	q.note(g.GetId(), p.GetName(), subject, today)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.day == today {
			q.answers[all]--
			q.answers[one]--
		}
	}, nil
}

func (q *quotas) note(agreement, predicate, subject string, today int64) {
	if q.day != today || q.answers == nil {
		if today < q.day {
			return
		}
		q.day, q.answers = today, map[asked]uint64{}
	}
	q.answers[asked{agreement, predicate, ""}]++
	q.answers[asked{agreement, predicate, subject}]++
}

// ruled is a refusal with the name of the rule that refused.
func ruled(rule string, c fault.Code, format string, args ...any) error {
	f := fault.Newf(c, format, args...)
	f.Rule = "gateway/" + rule
	return f
}
