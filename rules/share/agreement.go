package share

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// ConfirmAgreement is the consumer's signature, OFFICER, over the version that it
// saw: the agreement is active, and the provider has 20 working days to deliver
// (art. 22). They count from here, not from the offer: before it, delivery is not
// possible.
//
// NotFound, Forbidden, Expired, IllegalTransition (not OFFERED), VersionConflict.
func ConfirmAgreement(a *act.Act, m *sharev1.ConfirmAgreement) error {
	const rule = "share/confirm_agreement"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := a.NeedOrg(g.Consumer, officer); err != nil {
		return err
	}
	if err := leave(a, rule, g, active, offered); err != nil {
		return err
	}
	if g.Version != m.Version {
		return act.Refuse(fault.VersionConflict, rule, "agreement %s is at version %d, not %d", g.Id, g.Version, m.Version)
	}
	g.Clock = begin(a, governancev1.Clock_CLOCK_DELIVER, dueAgreement, g.Id)
	move(a, rule, g, active)
	return nil
}

// SuspendAgreement stops deliveries and queries within the block; the clock to
// deliver stands. Signed by the provider or the AUTHORITY, OFFICER. What waits for a
// signature, a notice and a violation go on waiting.
//
// NotFound, Forbidden, Expired, IllegalTransition (not confirmed, suspended already,
// over), Missing, TooLong (cause).
func SuspendAgreement(a *act.Act, m *sharev1.SuspendAgreement) error {
	const rule = "share/suspend_agreement"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := act.First(
		partyOrAuthority(a, rule, g.Provider),
		leave(a, rule, g, suspended, active, amending, renewing, ending, rectifying),
	); err != nil {
		return err
	}
	if g.SuspendedBy != "" { // and has a violation to make good
		return illegal(rule, "agreement", g.Id, g.State, suspended, After(suspended))
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, true); err != nil {
		return err
	}
	g.SuspendedBy, g.SuspendedCause = onBehalf(a), m.Cause
	settle(a, rule, g)
	return nil
}

// ResumeAgreement ends a suspension; a clock that stood goes on, unless a violation
// has to be made good first. Signed by whoever suspended it, or the AUTHORITY, OFFICER.
//
// NotFound, Forbidden, Expired, IllegalTransition (not suspended).
func ResumeAgreement(a *act.Act, m *sharev1.ResumeAgreement) error {
	const rule = "share/resume_agreement"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	by := g.SuspendedBy
	if by == "" {
		by = g.Provider // not suspended: refused below, with a better reason for the provider
	}
	if err := act.First(partyOrAuthority(a, rule, by), leave(a, rule, g, active, suspended, rectifying)); err != nil {
		return err
	}
	if g.SuspendedBy == "" {
		return illegal(rule, "agreement", g.Id, g.State, active, After(g.State))
	}
	g.SuspendedBy, g.SuspendedCause = "", ""
	settle(a, rule, g)
	return nil
}

// EndAgreement ends it for good, or gives notice that it ends on a day before its
// term is over: by the consumer at any time, by the AUTHORITY, by the provider only
// with the filing number of the consultation (art. 27). OFFICER. Until the day of a
// notice it holds. If something was given under it, the consumer has to destroy it
// then: DISPOSING.
//
// NotFound, Forbidden, Expired, IllegalTransition (over; notice before confirmation,
// or after another), RefusalNeedsReason, TooLong, Malformed (reason, filing), Missing
// (the provider's filing), OutOfRange (the day).
func EndAgreement(a *act.Act, m *sharev1.EndAgreement) error {
	const rule = "share/end_agreement"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	authority := a.Has(governancev1.Role_ROLE_AUTHORITY)
	party := needParty(a, rule, g)
	if party != nil && !authority {
		return party
	}
	if err := a.Need(officer); err != nil {
		return err
	}
	from, to := []sharev1.AgreementState{active, amending, renewing, suspended, rectifying}, ending
	if m.EndsMs == 0 {
		from, to = append(from, offered, ending), ended
	}
	if err := leave(a, rule, g, to, from...); err != nil {
		return err
	}
	if g.NoticeMs != 0 && m.EndsMs != 0 {
		return illegal(rule, "agreement", g.Id, g.State, to, After(g.State))
	}
	if m.Reason == "" {
		return act.Refuse(fault.RefusalNeedsReason, rule, "an agreement is ended with a reason")
	}
	if err := act.First(
		act.Text(rule, "reason", m.Reason, maxReason, true),
		act.Line(rule, "filing", m.Filing, maxFiling, a.Org() == g.Provider && !authority),
	); err != nil {
		return err
	}
	if m.EndsMs == 0 {
		g.EndReason, g.Filing = m.Reason, m.Filing
		finish(a, rule, "", g, a.TimeMs)
		return nil
	}
	if m.EndsMs <= a.TimeMs || m.EndsMs >= g.EndsMs {
		return act.Refuse(fault.OutOfRange, rule, "agreement %s: the day of its end lies between now and %d", g.Id, g.EndsMs)
	}
	g.EndReason, g.Filing, g.NoticeMs, g.EndsMs = m.Reason, m.Filing, a.TimeMs, m.EndsMs
	queue(a, g.EndsMs, dueTerm, g.Id)
	settle(a, rule, g, lapseAmendment(a, g)...)
	return nil
}

// findAgreement returns the agreement, or NotFound.
func findAgreement(a *act.Act, rule, id string) (*sharev1.Agreement, error) {
	g, ok := agreements.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no agreement %.40q", id)
	}
	return g, nil
}

// partyOrAuthority refuses with Forbidden unless the signer acts for org or holds
// the role AUTHORITY, with an OFFICER's key.
func partyOrAuthority(a *act.Act, rule, org string) error {
	if a.Org() != org && !a.Has(governancev1.Role_ROLE_AUTHORITY) {
		return act.Refuse(fault.Forbidden, rule, "%s is neither %s nor the authority", a.Signer(), org)
	}
	return a.Need(officer)
}
