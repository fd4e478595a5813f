package mandate

import (
	"slices"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/identity"
	"mulian/rules/recovery"
)

// ProposeMandate makes a mandate that waits for its agent.
//
// In this order: OutOfRange (kind); NotFound, OutOfRange, CodeInconsistent (the two
// accounts); who may sign, see sign; Deceased, PrincipalIncapable; what is wrong with
// basis, scope, level, term and revocable_by; ScopeExceedsPrincipal; OverlapConflict;
// TooLong (mandates that stand).
func ProposeMandate(a *act.Act, p *mandatev1.ProposeMandate) error {
	const rule = "mandate/propose_mandate"
	if err := act.Listed(rule, "kind", p.Kind); err != nil || p.Kind == 0 {
		return act.First(err, act.Refuse(fault.OutOfRange, rule, "kind is not stated"))
	}
	if err := checkParties(a, rule, p); err != nil {
		return err
	}
	m := &mandatev1.Mandate{
		Principal: p.Principal, Agent: p.Agent, Kind: p.Kind, Basis: p.Basis, Scope: p.Scope, MaxLevel: p.MaxLevel, FromMs: max(p.FromMs, a.TimeMs),
		UntilMs: p.UntilMs, MaxUses: p.MaxUses, RevocableBy: p.RevocableBy, SelfActs: p.SelfActs, State: proposed, ProposedMs: a.TimeMs, PrincipalRecoveries: recovery.Count(a.Tx, p.Principal),
	}
	over, err := sign(a, rule, m)
	if err != nil {
		return err
	}
	if err := checkPrincipal(a, rule, m); err != nil {
		return err
	}
	if err := checkTerms(a, rule, p); err != nil {
		return err
	}
	if err := within(a, rule, m, over); err != nil {
		return err
	}
	if err := checkOthers(a, rule, m); err != nil {
		return err
	}
	m.Id = a.NewID()
	for mandates.Has(a.Tx, m.Id) {
		m.Id = a.NewID()
	}
	due(a, m, min(m.UntilMs, a.TimeMs+proposalDays*dayMs))
	enter(a.Tx, m)
	keep(a, rule, m)
	return nil
}

func checkParties(a *act.Act, rule string, p *mandatev1.ProposeMandate) error {
	principal, ok := identity.Lookup(a.Tx, p.Principal)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no account %.100q", p.Principal)
	}
	firm := principal.Kind == identityv1.AccountKind_ACCOUNT_KIND_FIRM
	if principal.Kind != identityv1.AccountKind_ACCOUNT_KIND_PERSON && !firm {
		return act.Refuse(fault.OutOfRange, rule, "%s is no person's or firm's account", p.Principal)
	}
	if p.Kind != agency && firm != (p.Kind == legalRep || p.Kind == operator) {
		return act.Refuse(fault.OutOfRange, rule, "kind %s is not for the account %s", p.Kind, p.Principal)
	}
	agent, ok := identity.Lookup(a.Tx, p.Agent)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no account %.100q", p.Agent)
	}
	switch agent.Kind {
	case identityv1.AccountKind_ACCOUNT_KIND_PERSON:
	case identityv1.AccountKind_ACCOUNT_KIND_FIRM, identityv1.AccountKind_ACCOUNT_KIND_ORG:
		if p.Kind == legalRep || p.Kind == operator || p.Kind == heir {
			return act.Refuse(fault.OutOfRange, rule, "kind %s: the agent is a person", p.Kind)
		}
	default:
		return act.Refuse(fault.OutOfRange, rule, "%s is an account of %s: the agent is a person, a firm or an organisation", p.Agent, agent.Org)
	}
	if p.Agent == p.Principal {
		return act.Refuse(fault.CodeInconsistent, rule, "nobody is his own agent")
	}
	return nil
}

// sign finds out for whom the signer signs, and returns the mandate under which he does so
// himself, nil if it is none. AGENT and OPERATOR: SubDelegation if an agent makes an agent,
// else Forbidden; the others: KindNeedsAuthority, NotFound, Forbidden (the entry from which
// it follows).
func sign(a *act.Act, rule string, m *mandatev1.Mandate) (*mandatev1.Mandate, error) {
	if m.Kind != agency && m.Kind != operator {
		return nil, signOffice(a, rule, m)
	}
	if a.Signer() == m.Principal {
		m.PrincipalBy = a.Signer()
		return nil, a.Need(root)
	}
	if m.Kind == agency && a.Has(governancev1.Role_ROLE_IDENTITY) {
		desk, err := recovery.NeedDesk(a, rule)
		m.Office, m.OfficeBy, m.OfficeDesk = a.Org(), a.Signer(), desk
		return nil, err
	}
	has := between(a.Tx, a.Signer(), m.Principal)
	for _, own := range has {
		if m.Kind == operator && own.Kind == legalRep && counts(a.Tx, own, a.TimeMs) {
			m.PrincipalBy = a.Signer()
			return own, a.Need(root)
		}
	}
	if len(has) > 0 {
		return nil, act.Refuse(fault.SubDelegation, rule, "%s acts for %s himself: a mandate cannot be handed on", a.Signer(), m.Principal)
	}
	return nil, act.Refuse(fault.Forbidden, rule, "%s does not sign for %s", a.Signer(), m.Principal)
}

func signOffice(a *act.Act, rule string, m *mandatev1.Mandate) error {
	if !a.Has(governancev1.Role_ROLE_REGISTRY) || a.Org() == "" {
		return act.Refuse(fault.KindNeedsAuthority, rule, "kind %s: an office with the role REGISTRY signs it", m.Kind)
	}
	if err := a.Need(officer); err != nil {
		return err
	}
	if m.Kind == legalRep || m.Basis.GetEntry() != "" {
		e, ok := catalogue.FindEntry(a.Tx, m.Basis.GetEntry())
		switch {
		case !ok:
			return act.Refuse(fault.NotFound, rule, "basis.entry: there is no entry %.100q", m.Basis.GetEntry())
		case e.Provider != a.Org():
			return act.Refuse(fault.Forbidden, rule, "the register %s is that of %s", e.Id, e.Provider)
		}
	}
	m.Office, m.OfficeBy = a.Org(), a.Signer()
	return nil
}

// checkPrincipal: an heir acts for the dead and nobody else does, and whoever has a
// guardian signs no mandate.
func checkPrincipal(a *act.Act, rule string, m *mandatev1.Mandate) error {
	if dead := recovery.Deceased(a.Tx, m.Principal); dead != (m.Kind == heir) {
		if dead {
			return act.Refuse(fault.Deceased, rule, "the holder of %s has died: only an heir acts for it", m.Principal)
		}
		return act.Refuse(fault.IllegalTransition, rule, "the death of the holder of %s is not recorded", m.Principal)
	}
	if m.Kind == agency && Self(a.Tx, m.Principal, a.TimeMs) != nil {
		return act.Refuse(fault.PrincipalIncapable, rule, "%s has a guardian, and gives no mandate", m.Principal)
	}
	return nil
}

func checkTerms(a *act.Act, rule string, p *mandatev1.ProposeMandate) error {
	counter := p.Kind == agency && a.Signer() != p.Principal
	days := int64(maxDays)
	if p.Kind == guardianMinor {
		days = maxMinorDays
	}
	from := max(p.FromMs, a.TimeMs)
	if err := act.First(
		act.Hash(rule, "basis.document", p.Basis.GetDocument(), p.Kind == guardianMinor || p.Kind == guardianAdult || p.Kind == heir),
		act.Hash(rule, "basis.record", p.Basis.GetRecord(), p.Kind == legalRep),
		act.Hash(rule, "basis.presence", p.Basis.GetPresence(), counter),
		checkScope(rule, p.Scope),
		act.Listed(rule, "max_level", p.MaxLevel),
		act.AtMost(rule, "revocable_by", len(p.RevocableBy), MaxRevocable),
		ascending(rule, "revocable_by", p.RevocableBy),
	); err != nil {
		return err
	}
	switch {
	case p.MaxLevel == 0:
		return act.Refuse(fault.Missing, rule, "max_level is missing")
	case p.FromMs < 0 || p.UntilMs <= from || p.UntilMs > from+days*dayMs:
		return act.Refuse(fault.OutOfRange, rule, "the term ends after it begins, within %d days", days)
	case p.SelfActs && p.Kind != guardianMinor:
		return act.Refuse(fault.OutOfRange, rule, "self_acts is said of minors")
	}
	for i, id := range p.RevocableBy {
		if _, ok := identity.Lookup(a.Tx, id); !ok {
			return act.RefuseItem(fault.NotFound, rule, i, "revocable_by: there is no account %.100q", id)
		}
	}
	return nil
}

func checkScope(rule string, s *mandatev1.MandateScope) error {
	if s == nil || len(s.Acts) == 0 || !s.Everything && len(s.Entries)+len(s.Matters) == 0 {
		return act.Refuse(fault.Missing, rule, "scope: for what, and which acts")
	}
	if s.Everything && len(s.Entries)+len(s.Matters) > 0 {
		return act.Refuse(fault.CodeInconsistent, rule, "scope: everything, and a list of it")
	}
	for i, x := range s.Acts {
		if err := act.Listed(rule, "scope.acts", x); err != nil || x == 0 || i > 0 && s.Acts[i-1] >= x {
			return act.First(err, act.RefuseItem(fault.Malformed, rule, i, "scope.acts have to ascend"))
		}
	}
	return act.First(
		act.AtMost(rule, "scope.entries", len(s.Entries), MaxScope), ascending(rule, "scope.entries", s.Entries),
		act.AtMost(rule, "scope.matters", len(s.Matters), MaxScope), ascending(rule, "scope.matters", s.Matters),
	)
}

// ascending takes ids that are in order, each once.
func ascending(rule, field string, ids []string) error {
	for i, id := range ids {
		if id == "" || len(id) > maxID || i > 0 && ids[i-1] >= id {
			return act.RefuseItem(fault.Malformed, rule, i, "%s have to ascend, each once, with at most %d bytes", field, maxID)
		}
	}
	return nil
}

// within refuses a mandate that gives more than who signs it has.
func within(a *act.Act, rule string, m, over *mandatev1.Mandate) error {
	switch {
	case m.PrincipalBy != "" && m.MaxLevel > a.Level(), m.OfficeDesk != "" && m.MaxLevel > officer:
		return act.Refuse(fault.ScopeExceedsPrincipal, rule, "max_level %s is more than was signed with", m.MaxLevel)
	case over == nil:
		return nil
	case m.UntilMs > over.UntilMs || m.MaxLevel > over.MaxLevel:
		return act.Refuse(fault.ScopeExceedsPrincipal, rule, "term or level is beyond that of mandate %s", over.Id)
	case over.Scope.Everything && subset(m.Scope.Acts, over.Scope.Acts):
		return nil
	case m.Scope.Everything || !subset(m.Scope.Acts, over.Scope.Acts) || !narrower(m.Scope.Entries, over.Scope.Entries) || !narrower(m.Scope.Matters, over.Scope.Matters):
		return act.Refuse(fault.ScopeExceedsPrincipal, rule, "the scope is beyond that of mandate %s", over.Id)
	}
	return nil
}

func subset[T comparable](part, whole []T) bool {
	return !slices.ContainsFunc(part, func(x T) bool { return !slices.Contains(whole, x) })
}

// narrower compares lists of which an empty one allows any.
func narrower(part, whole []string) bool {
	return len(whole) == 0 || len(part) > 0 && subset(part, whole)
}

// checkOthers looks at what the principal has given already.
func checkOthers(a *act.Act, rule string, m *mandatev1.Mandate) error {
	others, guardians := standing(a.Tx, m.Principal), 0
	for _, o := range others {
		if o.Kind == guardianMinor || o.Kind == guardianAdult {
			guardians++
		}
		if o.Kind == m.Kind && (o.Agent == m.Agent && o.FromMs < m.UntilMs && m.FromMs < o.UntilMs || m.Kind == legalRep) {
			return act.Refuse(fault.OverlapConflict, rule, "mandate %s of %s stands: it has to end first", o.Id, o.Agent)
		}
	}
	if (m.Kind == guardianMinor || m.Kind == guardianAdult) && guardians >= MaxGuardians {
		return act.Refuse(fault.OverlapConflict, rule, "%s has %d guardians already", m.Principal, guardians)
	}
	return act.AtMost(rule, "mandates of "+m.Principal, len(others)+1, MaxStanding)
}
