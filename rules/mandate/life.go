package mandate

import (
	"slices"

	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/recovery"
)

// WitnessMandate is the second officer's signature on what was given at a counter. The
// mandate counts 24 hours later at the earliest.
//
// NotFound; Forbidden (no role, no desk; the desk of the first); IllegalTransition (not
// proposed at a counter, or witnessed already); OutOfRange (it ends before it could begin).
func WitnessMandate(a *act.Act, p *mandatev1.WitnessMandate) error {
	const rule = "mandate/witness_mandate"
	m, err := find(a.Tx, rule, p.Mandate)
	if err != nil {
		return err
	}
	desk, err := recovery.NeedDesk(a, rule)
	if err != nil {
		return err
	}
	if desk == m.OfficeDesk {
		return act.Refuse(fault.Forbidden, rule, "the desk %s has signed already: it takes an officer of another one", desk)
	}
	if m.State != proposed || m.OfficeDesk == "" || m.WitnessBy != "" {
		return wrongState(rule, m)
	}
	m.WitnessBy, m.FromMs = a.Signer(), max(m.FromMs, a.TimeMs+undoHours*hourMs)
	if m.UntilMs <= m.FromMs {
		return act.Refuse(fault.OutOfRange, rule, "mandate %s would end before it counts", m.Id)
	}
	keep(a, rule, m)
	return nil
}

// AnswerMandate is the agent's yes or no.
//
// NotFound; Forbidden; IllegalTransition (not proposed, or it waits for the second
// officer); TooLong, Malformed (cause); Deceased, PrincipalIncapable (since it was proposed).
func AnswerMandate(a *act.Act, p *mandatev1.AnswerMandate) error {
	const rule = "mandate/answer_mandate"
	m, err := find(a.Tx, rule, p.Mandate)
	if err != nil {
		return err
	}
	if err := needSide(a, rule, m.Agent); err != nil {
		return err
	}
	if m.State != proposed || m.OfficeDesk != "" && m.WitnessBy == "" {
		return wrongState(rule, m)
	}
	if err := act.Text(rule, "cause", p.Cause, maxCause, false); err != nil {
		return err
	}
	m.Cause = p.Cause
	if !p.Accept {
		finish(a, rule, m, declined)
		return nil
	}
	if err := checkPrincipal(a, rule, m); err != nil {
		return err
	}
	m.State, m.AcceptedMs, m.AgentRecoveries = active, a.TimeMs, recovery.Count(a.Tx, m.Agent)
	if staleOf(a.Tx, m, ofPrincipal) {
		suspend(m, ofPrincipal)
	}
	due(a, m, m.UntilMs)
	keep(a, rule, m)
	return nil
}

// needSide refuses with Forbidden unless the signer is that account, or acts for that
// organisation; OFFICER.
func needSide(a *act.Act, rule, account string) error {
	if a.Signer() != account && (a.Org() == "" || a.Org() != account) {
		return act.Refuse(fault.Forbidden, rule, "%s has to sign, not %s", account, a.Signer())
	}
	return a.Need(officer)
}

// RevokeMandate ends a mandate for good: the principal, unless an office gave it; the
// agent; the office that signed it; and who is named in it.
//
// NotFound; Forbidden; IllegalTransition (over); TooLong, Malformed (cause).
func RevokeMandate(a *act.Act, p *mandatev1.RevokeMandate) error {
	const rule = "mandate/revoke_mandate"
	m, err := find(a.Tx, rule, p.Mandate)
	if err != nil {
		return err
	}
	side := m.Agent
	switch own := m.Kind == agency || m.Kind == operator; {
	case own && a.Signer() == m.Principal:
		side = m.Principal
	case m.Office != "" && a.Org() == m.Office:
		side = m.Office
	case slices.Contains(m.RevocableBy, a.Signer()):
		side = a.Signer()
	case m.Kind == operator && m.PrincipalBy == a.Signer(): // the legal representative who named him
		side = a.Signer()
	}
	if err := needSide(a, rule, side); err != nil {
		return err
	}
	if !stands(m.State) {
		return wrongState(rule, m)
	}
	if err := act.Text(rule, "cause", p.Cause, maxCause, false); err != nil {
		return err
	}
	m.Cause = p.Cause
	finish(a, rule, m, revoked)
	return nil
}

// SuspendMandate says that the register's record from which a mandate follows has changed.
// A gateway of the office does it by itself, MACHINE.
//
// NotFound; Forbidden (another office; none); IllegalTransition (not active, or said
// already); TooLong, Malformed (cause).
func SuspendMandate(a *act.Act, p *mandatev1.SuspendMandate) error {
	const rule = "mandate/suspend_mandate"
	m, err := find(a.Tx, rule, p.Mandate)
	if err != nil {
		return err
	}
	if m.Office == "" {
		return act.Refuse(fault.Forbidden, rule, "mandate %s follows from no register", m.Id)
	}
	if err := a.NeedOrg(m.Office, machine); err != nil {
		return err
	}
	if m.State != active && m.State != suspended || slices.Contains(m.Suspensions, ofSource) {
		return wrongState(rule, m)
	}
	if err := act.Text(rule, "cause", p.Cause, maxCause, false); err != nil {
		return err
	}
	m.Cause = p.Cause
	suspend(m, ofSource)
	keep(a, rule, m)
	return nil
}

// ResumeMandate ends one cause of suspension: the office that of its source, who was
// recovered that of his recovery.
//
// NotFound; OutOfRange (cause); Forbidden; IllegalTransition (it is not suspended for that).
func ResumeMandate(a *act.Act, p *mandatev1.ResumeMandate) error {
	const rule = "mandate/resume_mandate"
	m, err := find(a.Tx, rule, p.Mandate)
	if err != nil {
		return err
	}
	switch p.Cause {
	case ofSource:
		if m.Office == "" {
			return act.Refuse(fault.Forbidden, rule, "mandate %s follows from no register", m.Id)
		}
		err = a.NeedOrg(m.Office, officer)
	case ofPrincipal:
		err = act.First(needSide(a, rule, m.Principal), a.Need(root))
	case ofAgent:
		err = act.First(needSide(a, rule, m.Agent), a.Need(root))
	default:
		err = act.Refuse(fault.OutOfRange, rule, "cause %d is not in its list", p.Cause)
	}
	if err != nil {
		return err
	}
	at, has := slices.BinarySearch(m.Suspensions, p.Cause)
	stale := m.State == active && p.Cause != ofSource && staleOf(a.Tx, m, p.Cause) // not marked yet
	if m.State != suspended && !stale || !has && !stale {
		return wrongState(rule, m)
	}
	if has {
		m.Suspensions = slices.Delete(m.Suspensions, at, at+1)
	}
	switch p.Cause {
	case ofPrincipal:
		m.PrincipalRecoveries = recovery.Count(a.Tx, m.Principal)
	case ofAgent:
		m.AgentRecoveries = recovery.Count(a.Tx, m.Agent)
	}
	if len(m.Suspensions) == 0 {
		m.State = active
	}
	keep(a, rule, m)
	return nil
}
