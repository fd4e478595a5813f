package share

import (
	"slices"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
)

const (
	termsKind   = sharev1.AmendmentKind_AMENDMENT_KIND_TERMS
	renewalKind = sharev1.AmendmentKind_AMENDMENT_KIND_RENEWAL

	openAmendment = sharev1.AmendmentState_AMENDMENT_STATE_OPEN
)

// ProposeAmendment proposes other terms; it is the signature of the side that
// proposes, OFFICER. The terms that both have signed hold until the other side signs
// (art. 25: another scope of use, another user or a third party needs the provider;
// narrower terms need both as well). Provider, way of delivery and length of the term
// do not change: for those one asks anew, or renews.
//
// NotFound, Forbidden, Expired, IllegalTransition (not ACTIVE), VersionConflict,
// Missing, TooLong, Malformed (reason); then the terms as [checkTerms] says, NoDuty,
// NotYourDuty, FormatMethodMismatch, OutOfRange (another term), the catalogue as
// [judge] says, CodeInconsistent (another provider), ItemUnmapped, Duplicate (these
// terms hold already).
func ProposeAmendment(a *act.Act, m *sharev1.ProposeAmendment) error {
	const rule = "share/propose_amendment"
	g, err := proposable(a, rule, m.GetAgreement(), m.GetVersion(), m.GetReason(), amending)
	if err != nil {
		return err
	}
	terms, _, err := amendedTerms(a, rule, g, m.Terms)
	if err != nil {
		return err
	}
	propose(a, rule, g, &sharev1.Amendment{Kind: termsKind, Terms: terms, Reason: m.Reason, OfVersion: m.Version})
	return nil
}

// ProposeRenewal proposes that the agreement holds for so many days more, before its
// term is over. The rest is as in [ProposeAmendment].
//
// NotFound, Forbidden, Expired, IllegalTransition (not ACTIVE), VersionConflict,
// Missing, TooLong, Malformed (reason), OutOfRange (no days, or more than the longest
// term from now on).
func ProposeRenewal(a *act.Act, m *sharev1.ProposeRenewal) error {
	const rule = "share/propose_renewal"
	g, err := proposable(a, rule, m.GetAgreement(), m.GetVersion(), m.GetReason(), renewing)
	if err != nil {
		return err
	}
	if err := checkRenewal(a, rule, g, m.Days); err != nil {
		return err
	}
	propose(a, rule, g, &sharev1.Amendment{Kind: renewalKind, Days: m.Days, Reason: m.Reason, OfVersion: m.Version})
	return nil
}

// proposable returns the agreement if the signer may propose a change of it.
func proposable(a *act.Act, rule, id string, version uint64, reason string, to sharev1.AgreementState) (*sharev1.Agreement, error) {
	g, err := findAgreement(a, rule, id)
	if err != nil {
		return nil, err
	}
	if err := act.First(needParty(a, rule, g), leave(a, rule, g, to, active)); err != nil {
		return nil, err
	}
	if g.Version != version {
		return nil, act.Refuse(fault.VersionConflict, rule, "agreement %s is at version %d, not %d", g.Id, g.Version, version)
	}
	return g, act.Text(rule, "reason", reason, maxReason, true)
}

// needParty refuses with Forbidden unless the signer acts for one of the two parties,
// OFFICER.
func needParty(a *act.Act, rule string, g *sharev1.Agreement) error {
	if org := a.Org(); org == "" || org != g.Provider && org != g.Consumer {
		return act.Refuse(fault.Forbidden, rule, "%s is no party of agreement %s", a.Signer(), g.Id)
	}
	return a.Need(officer)
}

// amendedTerms looks at new terms of an agreement in full.
func amendedTerms(a *act.Act, rule string, g *sharev1.Agreement, terms *sharev1.Terms) (*sharev1.Terms, *offer, error) {
	if err := checkTerms(a.Tx, rule, terms); err != nil {
		return nil, nil, err
	}
	if err := checkDuty(a, rule, g.Consumer, terms.Duty); err != nil {
		return nil, nil, err
	}
	terms = proto.CloneOf(terms)
	if terms.Days == 0 {
		terms.Days = g.Terms.Days
	}
	switch {
	case terms.Method != g.Terms.Method:
		return nil, nil, act.Refuse(fault.FormatMethodMismatch, rule, "agreement %s is delivered by %s; for another way ask anew", g.Id, g.Terms.Method)
	case terms.Days != g.Terms.Days:
		return nil, nil, act.Refuse(fault.OutOfRange, rule, "agreement %s: its term is moved by a renewal", g.Id)
	}
	o, err := judge(a.Tx, rule, g.Consumer, terms)
	switch {
	case err != nil:
		return nil, nil, err
	case o.provider != g.Provider:
		return nil, nil, act.Refuse(fault.CodeInconsistent, rule, "agreement %s is with %s, the entries are of %s", g.Id, g.Provider, o.provider)
	case o.deliverable != nil:
		return nil, nil, o.deliverable
	case proto.Equal(terms, g.Terms):
		return nil, nil, act.Refuse(fault.Duplicate, rule, "agreement %s: these terms hold already", g.Id)
	}
	return terms, o, nil
}

func checkRenewal(a *act.Act, rule string, g *sharev1.Agreement, days uint32) error {
	longest := governance.Parameters(a.Tx).GetMaxAgreementDays()
	if days == 0 || days > longest || g.EndsMs+int64(days)*dayMs > a.TimeMs+int64(longest)*dayMs {
		return act.Refuse(fault.OutOfRange, rule, "agreement %s: %d days more; it may hold for %d days from now at most", g.Id, days, longest)
	}
	return nil
}

// propose stores an amendment that waits for the other side.
func propose(a *act.Act, rule string, g *sharev1.Agreement, m *sharev1.Amendment) {
	g.Amendments++
	g.Amendment = g.Amendments
	m.Agreement, m.Number, m.State = g.Id, g.Amendment, openAmendment
	m.ProposedBy, m.Account, m.CreatedMs = a.Org(), a.Signer(), a.TimeMs
	settle(a, rule, g, putAmendment(a, m))
}

// putAmendment stores an amendment and returns its key as events name it.
func putAmendment(a *act.Act, m *sharev1.Amendment) string {
	amendments.Put(a.Tx, numbered(m.Agreement, m.Number), m)
	return amendments.Name() + "/" + numbered(m.Agreement, m.Number)
}

// SignAmendment is the signature of the side that did not propose it, OFFICER. It is
// in force at once; what the catalogue says is looked at again.
//
// NotFound, Forbidden, Expired, IllegalTransition (it does not wait; the agreement is
// neither AMENDING nor RENEWING), then as the proposal.
func SignAmendment(a *act.Act, m *sharev1.SignAmendment) error {
	const rule = "share/sign_amendment"
	g, n, err := partOf(a, rule, "amendment", amendments, m.GetAgreement(), m.GetNumber())
	if err != nil {
		return err
	}
	if err := needParty(a, rule, g); err != nil {
		return err
	}
	if a.Org() == n.ProposedBy {
		return act.Refuse(fault.Forbidden, rule, "%s has signed amendment %d of agreement %s by proposing it", a.Org(), n.Number, g.Id)
	}
	if err := leave(a, rule, g, active, amending, renewing); err != nil {
		return err
	}
	if err := isOpen(rule, n); err != nil {
		return err
	}
	if n.Kind == renewalKind {
		if err := checkRenewal(a, rule, g, n.Days); err != nil {
			return err
		}
		g.EndsMs += int64(n.Days) * dayMs
		queue(a, g.EndsMs, dueTerm, g.Id)
	} else if err := takeEffect(a, rule, g, n); err != nil {
		return err
	}
	n.State, n.DecidedMs, n.DecidedBy = sharev1.AmendmentState_AMENDMENT_STATE_SIGNED, a.TimeMs, a.Signer()
	g.Amendment, g.Amended = 0, n.Number
	settle(a, rule, g, putAmendment(a, n))
	return nil
}

// takeEffect gives the agreement its new terms. Gateways that took part stay in it:
// they still have records of it to anchor.
func takeEffect(a *act.Act, rule string, g *sharev1.Agreement, n *sharev1.Amendment) error {
	terms, o, err := amendedTerms(a, rule, g, n.Terms)
	if err != nil {
		return err
	}
	all := append(slices.Clone(g.ProviderGateways), gateways(a.Tx, o)...)
	slices.Sort(all)
	all = slices.Compact(all)
	if err := act.AtMost(rule, "gateways", len(all), MaxGateways); err != nil {
		return err
	}
	n.Terms, g.Terms, g.StalenessSeconds, g.ProviderGateways = terms, terms, staleness(a.Tx, o), all
	if g.Given && terms.Method == byQuery {
		gave(a, g, entriesOf(terms)...)
	}
	return nil
}

func isOpen(rule string, n *sharev1.Amendment) error {
	if n.State != openAmendment {
		return illegal(rule, "amendment", numbered(n.Agreement, n.Number), n.State, sharev1.AmendmentState_AMENDMENT_STATE_SIGNED, nil)
	}
	return nil
}

// DropAmendment withdraws it (its proposer), declines it (the other side) or drops it
// (the AUTHORITY), OFFICER. The terms that hold go on.
//
// NotFound, Forbidden, IllegalTransition (it does not wait), Missing, TooLong,
// Malformed (reason).
func DropAmendment(a *act.Act, m *sharev1.DropAmendment) error {
	const rule = "share/drop_amendment"
	g, n, err := partOf(a, rule, "amendment", amendments, m.GetAgreement(), m.GetNumber())
	if err != nil {
		return err
	}
	party := needParty(a, rule, g)
	if party != nil && !a.Has(governancev1.Role_ROLE_AUTHORITY) {
		return party
	}
	if err := act.First(a.Need(officer), isOpen(rule, n), act.Text(rule, "reason", m.Reason, maxReason, true)); err != nil {
		return err
	}
	n.State = sharev1.AmendmentState_AMENDMENT_STATE_DECLINED
	if a.Org() == n.ProposedBy {
		n.State = sharev1.AmendmentState_AMENDMENT_STATE_WITHDRAWN
	}
	n.Cause, n.DecidedMs, n.DecidedBy = m.Reason, a.TimeMs, a.Signer()
	g.Amendment = 0
	settle(a, rule, g, putAmendment(a, n))
	return nil
}
