package share

import (
	"strings"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/state"
)

// End does what is due with this block, at most MaxDuePerBlock of it, the oldest
// first: it marks clocks that ran out as overdue ("share/overdue"), answers for a
// provider that was silent if the clock profile says so ("share/silence"), and logs
// the end of an agreement's term ("share/expired"), which is computed and not stored.
func End(a *act.Act) {
	var at []string
	end := state.Ordered(a.TimeMs)
	dueIndex.Range(a.Tx, "", "", func(k, _ string) bool {
		if due, _, _ := strings.Cut(k, "\x00"); due > end || len(at) == MaxDuePerBlock {
			return false
		}
		at = append(at, k)
		return true
	})
	for _, k := range at {
		dueIndex.Delete(a.Tx, k)
		part := strings.Split(k, "\x00")
		switch due, kind, id := part[0], part[1], part[2]; kind {
		case dueRequest:
			requestDue(a, due, id)
		case dueAgreement:
			agreementDue(a, due, id)
		case dueTerm:
			if g, ok := agreements.Get(a.Tx, id); ok && g.State != ended {
				a.Emit("share/expired", stateName(g.State), agreementKey(id), requestKey(g.Request))
			}
		}
	}
}

// ranOut reports whether it is this due time of the clock that was found, and the
// clock still runs; it then marks the clock.
func ranOut(c *sharev1.ClockRun, due string) bool {
	if !running(c) || c.Overdue || state.Ordered(c.DueMs) != due {
		return false
	}
	c.Overdue = true
	return true
}

func requestDue(a *act.Act, due, id string) {
	r, ok := requests.Get(a.Tx, id)
	if !ok || !ranOut(r.Clock, due) {
		return
	}
	if r.State == received && governance.Clocks(a.Tx).GetSilenceIsConsent() {
		// What cannot be agreed to (denied or frozen meanwhile, no table) is overdue only.
		if o, err := judge(a.Tx, "share/silence", r.Requester, r.Terms); err == nil && o.deliverable == nil {
			g := accept(a, r, r.Terms, o, silence)
			emitRequest(a, "share/silence", "accepted", r, agreementKey(g.Id))
			return
		}
	}
	requests.Put(a.Tx, id, r)
	emitRequest(a, "share/overdue", clockName(r.Clock), r)
}

func agreementDue(a *act.Act, due, id string) {
	g, ok := agreements.Get(a.Tx, id)
	if !ok || Expired(g, a.TimeMs) || !ranOut(g.Clock, due) {
		return
	}
	agreements.Put(a.Tx, id, g)
	a.Emit("share/overdue", clockName(g.Clock), agreementKey(id), requestKey(g.Request))
}

// clockName is "answer_conditional".
func clockName(c *sharev1.ClockRun) string {
	return strings.ToLower(strings.TrimPrefix(c.Clock.String(), "CLOCK_"))
}
