package deliver

import (
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

// quotas counts the calls of each agreement. It is the log, summed: a call is a
// GRANTED record.
type quotas struct {
	mu sync.Mutex
	of map[string]calls
}

type calls struct {
	total uint64
	day   int64
	today uint64
}

func (q *quotas) restore(log *receipt.Log) error {
	return log.Each(0, func(e receipt.Entry) bool {
		if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED {
			q.add(e.Record.GetAgreement(), day(e.Record.GetAtMs()))
		}
		return true
	})
}

func (q *quotas) add(agreement string, day int64) {
	c := q.of[agreement]
	if c.day != day {
		c.day, c.today = day, 0
	}
	c.total++
	c.today++
	q.of[agreement] = c
}

// take counts a call at nowMs, or refuses it: DailyLimit, TotalLimit. give takes it
// back if it could not be logged.
func (q *quotas) take(g *sharev1.Agreement, nowMs int64) (give func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c, today, t := q.of[g.GetId()], day(nowMs), g.GetTerms()
	switch {
	case t.GetMaxCallsPerDay() != 0 && c.day == today && c.today >= uint64(t.GetMaxCallsPerDay()):
		return nil, fault.Newf(fault.DailyLimit, "agreement %s: all %d calls of today are used", g.GetId(), t.GetMaxCallsPerDay())
	case t.GetMaxCalls() != 0 && c.total >= t.GetMaxCalls():
		return nil, fault.Newf(fault.TotalLimit, "agreement %s: all %d calls are used", g.GetId(), t.GetMaxCalls())
	}
	q.add(g.GetId(), today)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		c := q.of[g.GetId()]
		c.total--
		if c.day == today {
			c.today--
		}
		q.of[g.GetId()] = c
	}, nil
}
