package share

import (
	"strings"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/state"
)

// End does what is due with this block, at most MaxDuePerBlock of it, the oldest
// first: it marks clocks that ran out as overdue ("share/overdue", which the authority
// sees, and which counts in the standing of whoever was late), answers for a provider
// that was silent if the clock profile says so ("share/silence"), ends agreements
// whose term is over ("share/expired"), tells holders of corrections
// ("share/fan_out"), and closes disputes that nobody took higher.
func End(a *act.Act) {
	budget := MaxToldPerBlock
	for key, cursor := range a.Due(dueIndex, MaxDuePerBlock) {
		part := strings.Split(key, "\x00")
		due, kind, id := part[0], part[1], part[2]
		if kind == dueHolders {
			budget -= tellHolders(a, due, id, cursor, budget)
			continue
		}
		fallDue(a, due, kind, id)
	}
}

// fallDue does what is due of one object.
func fallDue(a *act.Act, due, kind, id string) {
	switch kind {
	case dueRequest:
		requestDue(a, due, id)
	case dueAgreement:
		agreementDue(a, due, id)
	case dueTerm:
		termOver(a, due, id)
	case dueViolation:
		violationDue(a, due, id)
	case dueDisposal:
		disposalDue(a, due, id)
	case dueCopy:
		copyDue(a, id)
	case dueCorrection:
		correctionDue(a, due, id)
	case dueHolder:
		holderDue(a, due, id)
	case dueObjection:
		objectionDue(a, due, id)
	case dueDispute:
		disputeDue(a, due, id)
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
	standing := note(a, late(r), func(s *sharev1.Standing) {
		if r.State == received {
			s.LateAnswers++
		} else {
			s.LateSupplements++
		}
	})
	if r.State == received && governance.Clocks(a.Tx).GetSilenceIsConsent() {
		// What cannot be agreed to (denied or frozen meanwhile, no table) is overdue only.
		if o, err := judge(a.Tx, "share/silence", r.Requester, r.Terms); err == nil && o.deliverable == nil {
			g := accept(a, r, r.Terms, o, silence)
			emitRequest(a, "share/silence", "accepted", r, agreementKey(g.Id), standing)
			return
		}
	}
	requests.Put(a.Tx, id, r)
	emitRequest(a, "share/overdue", clockName(r.Clock), r, standing)
}

// late is whose clock it is that runs for a request.
func late(r *sharev1.Request) string {
	if r.State == incomplete {
		return r.Requester
	}
	return r.Provider
}

func agreementDue(a *act.Act, due, id string) {
	g, ok := agreements.Get(a.Tx, id)
	if !ok || Expired(g, a.TimeMs) || !ranOut(g.Clock, due) {
		return
	}
	agreements.Put(a.Tx, id, g)
	standing := note(a, g.Provider, func(s *sharev1.Standing) { s.LateDeliveries++ })
	a.Emit("share/overdue", clockName(g.Clock), agreementKey(id), requestKey(g.Request), standing)
}

// clockName is "answer_conditional".
func clockName(c *sharev1.ClockRun) string {
	return strings.ToLower(strings.TrimPrefix(c.Clock.String(), "CLOCK_"))
}
