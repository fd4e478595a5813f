package share

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/state"
)

// Kinds in dueIndex.
const (
	dueRequest   = "request"   // the clock of a request runs out
	dueAgreement = "agreement" // the clock of an agreement runs out
	dueTerm      = "term"      // the term of an agreement ends

	dueViolation  = "violation"  // a violation has to be made good
	dueDisposal   = "disposal"   // the certificate of destruction is due
	dueCopy       = "copy"       // the life of a delivered copy is over
	dueCorrection = "correction" // a correction has to be made or rejected
	dueHolders    = "holders"    // holders have to be told of a correction
	dueHolder     = "holder"     // a holder has to have applied a correction
	dueObjection  = "objection"  // an objection has to be answered
	dueDispute    = "dispute"    // a level has to decide, or its decision is final
)

// Every due time that a clock ever had is in dueIndex; End asks the object whether
// the one that it finds still holds. So a clock that stops, or gets another due
// time, has nothing to look for and delete.

// begin starts a statutory period for an object.
func begin(a *act.Act, clock governancev1.Clock, kind, id string) *sharev1.ClockRun {
	days, _ := governance.Limit(a.Tx, clock)
	return beginDays(a, clock, days, kind, id)
}

// beginDays is begin with a number of working days that somebody has set.
func beginDays(a *act.Act, clock governancev1.Clock, days uint32, kind, id string) *sharev1.ClockRun {
	c := &sharev1.ClockRun{Clock: clock, StartedMs: a.TimeMs, DueMs: governance.AddWorkingDays(a.Tx, a.TimeMs, days)}
	queue(a, c.DueMs, kind, id)
	return c
}

// pause stops a period and notes the working days that are left of it, at least
// one: nobody can act on a day that is over. A period that has run out is not
// paused; it stays overdue.
func pause(a *act.Act, c *sharev1.ClockRun) {
	if !running(c) || c.Overdue || a.TimeMs >= c.DueMs {
		return
	}
	c.StoppedMs = a.TimeMs
	c.LeftDays = uint32(max(1, governance.WorkingDaysLeft(a.Tx, a.TimeMs, c.DueMs)))
}

// paused reports whether the period was paused and can go on.
func paused(c *sharev1.ClockRun) bool { return c != nil && c.StoppedMs != 0 && c.LeftDays != 0 }

// goOn starts a period with the working days that were left of it, at least one.
func goOn(a *act.Act, c *sharev1.ClockRun, kind, id string) {
	c.StartedMs, c.StoppedMs = a.TimeMs, 0
	c.DueMs = governance.AddWorkingDays(a.Tx, a.TimeMs, max(1, c.LeftDays))
	c.LeftDays = 0
	queue(a, c.DueMs, kind, id)
}

// stop ends a period for good: what it was for has happened.
func stop(a *act.Act, c *sharev1.ClockRun) {
	if running(c) {
		c.StoppedMs = a.TimeMs
	}
}

func running(c *sharev1.ClockRun) bool { return c != nil && c.StoppedMs == 0 }

func queue(a *act.Act, atMs int64, kind, id string) {
	dueIndex.Put(a.Tx, key(state.Ordered(atMs), kind, id), "")
}
