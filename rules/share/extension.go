package share

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
)

// AskExtension asks the authority for more time to answer, which is given once
// (art. 21). Signed by the provider, OFFICER.
//
// NotFound, Forbidden, IllegalTransition (not RECEIVED; being asked for, or given before),
// ClockNotRunning (past its end), ExtensionUnapproved (the clock has no extension),
// OutOfRange (days), Missing, TooLong (reason).
func AskExtension(a *act.Act, m *sharev1.AskExtension) error {
	const rule = "share/ask_extension"
	r, err := findRequest(a, rule, m.GetRequest(), (*sharev1.Request).GetProvider)
	if err != nil {
		return err
	}
	if err := in(rule, r, received); err != nil {
		return err
	}
	_, longest := governance.Limit(a.Tx, r.Clock.Clock)
	switch {
	case r.Clock.Extended || r.Clock.ExtensionAsked != "":
		return act.Refuse(fault.IllegalTransition, rule, "request %s: more time is asked for already, or was given (art. 21)", r.Id)
	case a.TimeMs >= r.Clock.DueMs:
		return act.Refuse(fault.ClockNotRunning, rule, "request %s: the time to answer is over", r.Id)
	case longest == 0:
		return act.Refuse(fault.ExtensionUnapproved, rule, "the clock profile knows no extension of %s", r.Clock.Clock)
	case m.Days == 0 || m.Days > longest:
		return act.Refuse(fault.OutOfRange, rule, "%d working days more: 1 to %d are possible", m.Days, longest)
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, true); err != nil {
		return err
	}
	r.Clock.ExtensionAsked, r.Clock.ExtensionDays = m.Reason, m.Days
	requests.Put(a.Tx, r.Id, r)
	emitRequest(a, rule, "asked", r)
	return nil
}

// DecideExtension approves or denies what AskExtension asked for. Signed by the
// AUTHORITY, OFFICER. The days are added to the end of the running period.
//
// NotFound, Forbidden, IllegalTransition (nothing is asked), ClockNotRunning (past
// its end), TooLong, Malformed (reason).
func DecideExtension(a *act.Act, m *sharev1.DecideExtension) error {
	const rule = "share/decide_extension"
	r, ok := requests.Get(a.Tx, m.GetRequest())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no request %.40q", m.GetRequest())
	}
	if err := a.NeedRole(governancev1.Role_ROLE_AUTHORITY, officer); err != nil {
		return err
	}
	switch {
	case r.State != received || r.Clock.ExtensionAsked == "":
		return act.Refuse(fault.IllegalTransition, rule, "request %s: no extension is asked for", r.Id)
	case a.TimeMs >= r.Clock.DueMs:
		return act.Refuse(fault.ClockNotRunning, rule, "request %s: the time to answer is over", r.Id)
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, false); err != nil {
		return err
	}
	note := "denied"
	r.Clock.ExtensionAsked = ""
	if m.Approve {
		note, r.Clock.Extended = "approved", true
		r.Clock.DueMs = governance.AddWorkingDays(a.Tx, r.Clock.DueMs-1, r.Clock.ExtensionDays)
		queue(a, r.Clock.DueMs, dueRequest, r.Id)
	} else {
		r.Clock.ExtensionDays = 0
	}
	requests.Put(a.Tx, r.Id, r)
	emitRequest(a, rule, note, r)
	return nil
}
