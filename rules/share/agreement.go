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
// NotFound, Forbidden, IllegalTransition (not OFFERED), VersionConflict, Expired.
func ConfirmAgreement(a *act.Act, m *sharev1.ConfirmAgreement) error {
	const rule = "share/confirm_agreement"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := a.NeedOrg(g.Consumer, officer); err != nil {
		return err
	}
	switch {
	case g.State != offered:
		return act.Refuse(fault.IllegalTransition, rule, "agreement %s is %s", g.Id, g.State)
	case g.Version != m.Version:
		return act.Refuse(fault.VersionConflict, rule, "agreement %s is at version %d, not %d", g.Id, g.Version, m.Version)
	case Expired(g, a.TimeMs):
		return act.Refuse(fault.Expired, rule, "agreement %s: its term is over", g.Id)
	}
	g.Clock = begin(a, governancev1.Clock_CLOCK_DELIVER, dueAgreement, g.Id)
	move(a, rule, g, active)
	return nil
}

// SuspendAgreement stops deliveries and queries within the block; the clock to
// deliver stands. Signed by the provider or the AUTHORITY, OFFICER.
//
// NotFound, Forbidden, IllegalTransition (not ACTIVE), Expired, Missing, TooLong
// (cause).
func SuspendAgreement(a *act.Act, m *sharev1.SuspendAgreement) error {
	const rule = "share/suspend_agreement"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := partyOrAuthority(a, rule, g.Provider); err != nil {
		return err
	}
	switch {
	case g.State != active:
		return act.Refuse(fault.IllegalTransition, rule, "agreement %s is %s", g.Id, g.State)
	case Expired(g, a.TimeMs):
		return act.Refuse(fault.Expired, rule, "agreement %s: its term is over", g.Id)
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, true); err != nil {
		return err
	}
	pause(a, g.Clock)
	g.SuspendedBy, g.SuspendedCause = a.Org(), m.Cause
	if g.SuspendedBy == "" {
		g.SuspendedBy = a.Signer() // an authority without organisation
	}
	move(a, rule, g, suspended)
	return nil
}

// ResumeAgreement ends a suspension; a clock that stood goes on. Signed by whoever
// suspended it, or the AUTHORITY, OFFICER.
//
// NotFound, Forbidden, IllegalTransition (not SUSPENDED), Expired.
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
	if err := partyOrAuthority(a, rule, by); err != nil {
		return err
	}
	switch {
	case g.State != suspended:
		return act.Refuse(fault.IllegalTransition, rule, "agreement %s is %s", g.Id, g.State)
	case Expired(g, a.TimeMs):
		return act.Refuse(fault.Expired, rule, "agreement %s: its term is over", g.Id)
	}
	if paused(g.Clock) {
		goOn(a, g.Clock, dueAgreement, g.Id)
	}
	g.SuspendedBy, g.SuspendedCause = "", ""
	move(a, rule, g, active)
	return nil
}

// EndAgreement ends it for good: by the consumer at any time, by the AUTHORITY, by
// the provider only with the filing number of the consultation (art. 27). OFFICER.
//
// NotFound, Forbidden, IllegalTransition (ended before), Expired,
// RefusalNeedsReason, TooLong, Malformed (reason, filing), Missing (the provider's
// filing).
func EndAgreement(a *act.Act, m *sharev1.EndAgreement) error {
	const rule = "share/end_agreement"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	authority := a.Has(governancev1.Role_ROLE_AUTHORITY)
	if a.Org() != g.Consumer && a.Org() != g.Provider && !authority {
		return act.Refuse(fault.Forbidden, rule, "%s is no party of agreement %s", a.Signer(), g.Id)
	}
	if err := a.Need(officer); err != nil {
		return err
	}
	switch {
	case g.State == ended:
		return act.Refuse(fault.IllegalTransition, rule, "agreement %s is ended", g.Id)
	case Expired(g, a.TimeMs):
		return act.Refuse(fault.Expired, rule, "agreement %s: its term is over", g.Id)
	case m.Reason == "":
		return act.Refuse(fault.RefusalNeedsReason, rule, "an agreement is ended with a reason")
	}
	if err := act.First(
		act.Text(rule, "reason", m.Reason, maxReason, true),
		act.Line(rule, "filing", m.Filing, maxFiling, a.Org() == g.Provider && !authority),
	); err != nil {
		return err
	}
	stop(a, g.Clock)
	g.EndReason, g.EndedMs = m.Reason, a.TimeMs
	g.SuspendedBy, g.SuspendedCause = "", ""
	move(a, rule, g, ended)
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

// move stores the next state of an agreement as a new version of it.
func move(a *act.Act, verb string, g *sharev1.Agreement, s sharev1.AgreementState) {
	g.State = s
	g.Version++
	agreements.Put(a.Tx, g.Id, g)
	objects := []string{agreementKey(g.Id), requestKey(g.Request)}
	a.Emit(verb, stateName(s), append(objects, entryKeys(g.Terms)...)...)
}

func stateName(s sharev1.AgreementState) string {
	switch s {
	case offered:
		return "offered"
	case active:
		return "active"
	case suspended:
		return "suspended"
	}
	return "ended"
}

// usable refuses what an agreement allows unless it is active and within its term:
// AgreementSuspended, then Expired.
func usable(a *act.Act, rule string, g *sharev1.Agreement) error {
	switch {
	case g.State != active:
		return act.Refuse(fault.AgreementSuspended, rule, "agreement %s is %s", g.Id, g.State)
	case Expired(g, a.TimeMs):
		return act.Refuse(fault.Expired, rule, "agreement %s: its term is over", g.Id)
	}
	return nil
}
