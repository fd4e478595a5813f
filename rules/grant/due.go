package grant

import (
	"strings"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/rules/act"
	"mulian/state"
)

// Kinds in dueIndex.
const (
	dueRequest  = "request"  // the last moment of a request
	dueCooling  = "cooling"  // a standing grant begins
	dueTerm     = "term"     // the end of a grant
	dueShorten  = "shorten"  // duties have to be brought forward
	dueDeletion = "deletion" // a copy has to be deleted
	dueOverdue  = "overdue"  // it is not
	dueReport   = "report"   // it still is not
	dueExempted = "exempted" // an exemption ends
)

// End does what is due with this block, at most MaxDuePerBlock of it, the oldest first:
// requests and grants run out ("grant/request_expired", "grant/expired"), standing grants
// begin ("grant/active"), copies fall due for deletion ("grant/deletion_due"), are overdue
// and are reported to the authority ("grant/deletion_overdue", "grant/deletion_reported").
func End(a *act.Act) {
	budget := MaxShortenedPerBlock
	for key, cursor := range a.Due(dueIndex, MaxDuePerBlock) {
		part := strings.Split(key, "\x00")
		atDue, kind, id := part[0], part[1], part[2]
		if kind == dueShorten {
			budget -= shorten(a, key, id, cursor, budget)
			continue
		}
		fallDue(a, atDue, kind, id)
	}
}

func fallDue(a *act.Act, atDue, kind, id string) {
	switch kind {
	case dueRequest:
		requestDue(a, id)
	case dueCooling:
		coolingDue(a, id)
	case dueTerm:
		termDue(a, id)
	default:
		dutyDue(a, atDue, kind, id)
	}
}

func requestDue(a *act.Act, id string) {
	r, ok := requests.Get(a.Tx, id)
	if !ok || r.State != requested {
		return
	}
	r.State, r.DecidedMs = requestExpired, a.TimeMs
	requests.Put(a.Tx, id, r)
	a.Emit("grant/request_expired", "expired", ofRequest(a, r)...)
}

func coolingDue(a *act.Act, id string) {
	g, ok := grants.Get(a.Tx, id)
	if !ok || g.State != cooling || a.TimeMs < g.CoolingUntilMs {
		return
	}
	g.State = active
	grants.Put(a.Tx, id, g)
	a.Emit("grant/active", "active", ofGrant(a, g)...)
}

func termDue(a *act.Act, id string) {
	g, ok := grants.Get(a.Tx, id)
	if !ok || over(g.State) {
		return
	}
	end(a, g, expired, "")
	a.Emit("grant/expired", "expired", ofGrant(a, g)...)
}

// shorten brings forward the duties of a grant that was revoked, from the cursor on, at
// most budget of them, and returns how many it wrote. What is left waits for the next
// block.
func shorten(a *act.Act, again, id, cursor string, budget int) int {
	g, ok := grants.Get(a.Tx, id)
	if !ok {
		return 0
	}
	if budget <= 0 {
		dueIndex.Put(a.Tx, again, cursor)
		return 0
	}
	var todo []*grantv1.DeletionDuty
	rest := ""
	duties.Range(a.Tx, id+"/", cursor, func(k string, d *grantv1.DeletionDuty) bool {
		if d.State != running || d.DueMs <= g.DeleteByMs {
			return true
		}
		if len(todo) == budget {
			rest = k
			return false
		}
		todo = append(todo, d)
		return true
	})
	for _, d := range todo {
		dueAt(a, d, g.DeleteByMs)
		duties.Put(a.Tx, numbered(id, d.Number), d)
	}
	if rest != "" {
		dueIndex.Put(a.Tx, again, rest)
	}
	return len(todo)
}

// dutyDue moves a duty on if it is this moment that it waits for.
func dutyDue(a *act.Act, atDue, kind, id string) {
	d, ok := duties.Get(a.Tx, id)
	if !ok {
		return
	}
	g, ok := grants.Get(a.Tx, d.Grant)
	if !ok {
		return
	}
	waits := func(s grantv1.DeletionDutyState, atMs int64) bool {
		return d.State == s && state.Ordered(atMs) == atDue
	}
	subject := dutyKey(d.Grant, d.Number)
	switch {
	case kind == dueDeletion && waits(running, d.DueMs):
		fallsDue(a, d)
		a.Emit("grant/deletion_due", "due", ofGrant(a, g, subject)...)
	case kind == dueExempted && waits(exempted, d.UntilMs):
		d.DueMs, d.OverdueMs = d.UntilMs, d.UntilMs+graceMs
		fallsDue(a, d)
		g.DutiesOpen++
		grants.Put(a.Tx, g.Id, g)
		a.Emit("grant/deletion_due", "exemption over", ofGrant(a, g, subject)...)
	case kind == dueOverdue && waits(due, d.OverdueMs):
		d.State = overdue
		note(a, d.Grantee, func(s *grantv1.GranteeStanding) { s.OverdueDuties++ })
		queue(a, d.OverdueMs+reportMs, dueReport, id)
		a.Emit("grant/deletion_overdue", "overdue", ofGrant(a, g, subject)...)
	case kind == dueReport && waits(overdue, d.OverdueMs+reportMs):
		d.State = reported
		a.Emit("grant/deletion_reported", "reported", ofGrant(a, g, subject)...)
	default:
		return
	}
	duties.Put(a.Tx, id, d)
}

// fallsDue marks a duty and starts the days of grace.
func fallsDue(a *act.Act, d *grantv1.DeletionDuty) {
	d.State = due
	queue(a, d.OverdueMs, dueOverdue, numbered(d.Grant, d.Number))
}
