package share

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
)

const (
	openViolation     = sharev1.ViolationState_VIOLATION_STATE_OPEN
	reportedViolation = sharev1.ViolationState_VIOLATION_STATE_REPORTED
)

// afterViolation lists the states that can follow each one.
var afterViolation = [...][]sharev1.ViolationState{
	openViolation: {
		reportedViolation, sharev1.ViolationState_VIOLATION_STATE_ACCEPTED, sharev1.ViolationState_VIOLATION_STATE_TERMINATED,
		sharev1.ViolationState_VIOLATION_STATE_LAPSED,
	},
	reportedViolation: {
		sharev1.ViolationState_VIOLATION_STATE_ACCEPTED, sharev1.ViolationState_VIOLATION_STATE_TERMINATED,
		sharev1.ViolationState_VIOLATION_STATE_LAPSED,
	},
	sharev1.ViolationState_VIOLATION_STATE_LAPSED: nil,
}

// RecordViolation records that the consumer used data against the agreement: nothing
// is released until it is made good, for which it has so many working days. Signed by
// the provider or the AUTHORITY, OFFICER.
//
// NotFound, Forbidden, Expired, IllegalTransition (not confirmed, over, or one is not
// settled), Missing, TooLong, Malformed (finding, evidence), OutOfRange (days).
func RecordViolation(a *act.Act, m *sharev1.RecordViolation) error {
	const rule = "share/record_violation"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := act.First(
		partyOrAuthority(a, rule, g.Provider),
		leave(a, rule, g, rectifying, active, amending, renewing, ending, suspended),
		act.Text(rule, "finding", m.Finding, maxStatement, true),
		act.Hash(rule, "evidence_hash", m.EvidenceHash, false),
	); err != nil {
		return err
	}
	if longest, _ := governance.Limit(a.Tx, governancev1.Clock_CLOCK_RECTIFY); m.Days == 0 || m.Days > longest {
		return act.Refuse(fault.OutOfRange, rule, "%d working days to make it good: 1 to %d are possible", m.Days, longest)
	}
	g.Violations++
	g.Violation = g.Violations
	x := &sharev1.Violation{
		Agreement: g.Id, Number: g.Violation, State: openViolation, Finding: m.Finding, EvidenceHash: m.EvidenceHash,
		FoundBy: onBehalf(a), FoundMs: a.TimeMs,
	}
	x.Clock = beginDays(a, governancev1.Clock_CLOCK_RECTIFY, m.Days, dueViolation, numbered(g.Id, x.Number))
	standing := note(a, g.Consumer, func(s *sharev1.Standing) { s.Violations++ })
	settle(a, rule, g, putViolation(a, x), standing)
	return nil
}

// onBehalf is the organisation of the signer, or the signer if it has none.
func onBehalf(a *act.Act) string {
	if a.Org() != "" {
		return a.Org()
	}
	return a.Signer()
}

func putViolation(a *act.Act, x *sharev1.Violation) string {
	violations.Put(a.Tx, numbered(x.Agreement, x.Number), x)
	return violations.Name() + "/" + numbered(x.Agreement, x.Number)
}

func illegalViolation(rule string, x *sharev1.Violation, to sharev1.ViolationState) error {
	var can []sharev1.ViolationState
	if int(x.State) < len(afterViolation) {
		can = afterViolation[x.State]
	}
	return illegal(rule, "violation", numbered(x.Agreement, x.Number), x.State, to, can)
}

// RectifyViolation says what the consumer has done to make it good, OFFICER. Late is
// possible; the clock keeps that it was. Whoever found it decides.
//
// NotFound, Forbidden, IllegalTransition (not OPEN), Missing, TooLong, Malformed
// (measures).
func RectifyViolation(a *act.Act, m *sharev1.RectifyViolation) error {
	const rule = "share/rectify_violation"
	g, x, err := partOf(a, rule, "violation", violations, m.GetAgreement(), m.GetNumber())
	if err != nil {
		return err
	}
	if err := a.NeedOrg(g.Consumer, officer); err != nil {
		return err
	}
	if x.State != openViolation {
		return illegalViolation(rule, x, reportedViolation)
	}
	if err := act.First(
		act.Text(rule, "measures", m.Measures, maxStatement, true),
		act.Hash(rule, "measures_hash", m.MeasuresHash, false),
	); err != nil {
		return err
	}
	stop(a, x.Clock)
	x.State, x.Measures, x.MeasuresHash, x.ReportedMs = reportedViolation, m.Measures, m.MeasuresHash, a.TimeMs
	a.Emit(rule, "reported", putViolation(a, x), agreementKey(g.Id))
	return nil
}

// SettleViolation accepts that it was made good, and the agreement goes on; or ends
// the agreement. Signed by whoever found it, or the AUTHORITY, OFFICER. The finder
// ends it only when the consumer has reported, or its time is over; the provider needs
// the filing number of the consultation (art. 27).
//
// NotFound, Forbidden, IllegalTransition (settled, or too early to end it),
// RefusalNeedsReason, TooLong, Malformed (decision), Missing (filing).
func SettleViolation(a *act.Act, m *sharev1.SettleViolation) error {
	const rule = "share/settle_violation"
	g, x, err := partOf(a, rule, "violation", violations, m.GetAgreement(), m.GetNumber())
	if err != nil {
		return err
	}
	if err := partyOrAuthority(a, rule, x.FoundBy); err != nil {
		return err
	}
	to := sharev1.ViolationState_VIOLATION_STATE_TERMINATED
	if m.Accept {
		to = sharev1.ViolationState_VIOLATION_STATE_ACCEPTED
	}
	authority := a.Has(governancev1.Role_ROLE_AUTHORITY)
	early := x.State == openViolation && a.TimeMs < x.Clock.GetDueMs() && !m.Accept && !authority
	switch {
	case x.State != openViolation && x.State != reportedViolation:
		return illegalViolation(rule, x, to)
	case early:
		return act.Refuse(fault.IllegalTransition, rule, "violation %s: the consumer has time to make it good", numbered(g.Id, x.Number))
	case !m.Accept && m.Decision == "":
		return act.Refuse(fault.RefusalNeedsReason, rule, "an agreement is ended with a reason")
	}
	if err := act.First(
		act.Text(rule, "decision", m.Decision, maxStatement, false),
		act.Line(rule, "filing", m.Filing, maxFiling, !m.Accept && !authority),
	); err != nil {
		return err
	}
	stop(a, x.Clock)
	x.State, x.Decision, x.DecidedMs, x.DecidedBy = to, m.Decision, a.TimeMs, a.Signer()
	g.Violation = 0
	if m.Accept {
		settle(a, rule, g, putViolation(a, x))
		return nil
	}
	g.EndReason, g.Filing = m.Decision, m.Filing
	finish(a, rule, "", g, a.TimeMs, putViolation(a, x))
	return nil
}

// violationDue marks a violation that was not made good in time.
func violationDue(a *act.Act, due, id string) {
	x, ok := violations.Get(a.Tx, id)
	if !ok || !ranOut(x.Clock, due) {
		return
	}
	g, _ := agreements.Get(a.Tx, x.Agreement)
	standing := note(a, g.GetConsumer(), func(s *sharev1.Standing) { s.LateRectifications++ })
	a.Emit("share/overdue", clockName(x.Clock), putViolation(a, x), agreementKey(x.Agreement), standing)
}
