package mandate_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	codes "mulian/internal/recovery"
	"mulian/rules/mandate"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

const (
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT

	agency        = mandatev1.MandateKind_MANDATE_KIND_AGENT
	legalRep      = mandatev1.MandateKind_MANDATE_KIND_LEGAL_REP
	operator      = mandatev1.MandateKind_MANDATE_KIND_OPERATOR
	guardianMinor = mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_MINOR
	guardianAdult = mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_ADULT
	heir          = mandatev1.MandateKind_MANDATE_KIND_HEIR

	active    = mandatev1.MandateState_MANDATE_STATE_ACTIVE
	suspended = mandatev1.MandateState_MANDATE_STATE_SUSPENDED
	declined  = mandatev1.MandateState_MANDATE_STATE_DECLINED
	revoked   = mandatev1.MandateState_MANDATE_STATE_REVOKED
	expired   = mandatev1.MandateState_MANDATE_STATE_EXPIRED

	view  = mandatev1.MandateAct_MANDATE_ACT_VIEW
	grant = mandatev1.MandateAct_MANDATE_ACT_GRANT
)

var paper = bytes.Repeat([]byte{9}, 32)

// office is a town with people, a firm, a registry (the town's provider, whose entry is the
// register) and an identity authority of two desks.
type office struct {
	*towntest.Town
	principal, agent, firm, other string
	desks                         [2]string
}

func newOffice(t testing.TB) *office {
	o := &office{Town: towntest.New(t)}
	o.Publish(nil)
	o.Give(governancev1.Role_ROLE_REGISTRY, o.Provider)
	o.Give(governancev1.Role_ROLE_IDENTITY, o.Consumer)
	for i, d := range []string{"east", "west"} {
		o.Department(o.Consumer, d)
		o.desks[i] = o.Officer(o.Consumer, d, "officer-"+d)
	}
	o.principal, o.agent, o.other, o.firm = o.Person(1), o.Person(2), o.Person(3), o.Firm(4)
	return o
}

// power is a power of attorney for the town's entry.
func (o *office) power() *mandatev1.ProposeMandate {
	return &mandatev1.ProposeMandate{
		Principal: o.principal, Agent: o.agent, Kind: agency, MaxLevel: officer, UntilMs: o.Now + 30*rulestest.Day,
		Basis: &mandatev1.MandateBasis{Document: paper},
		Scope: &mandatev1.MandateScope{Entries: []string{o.EntryID}, Acts: []mandatev1.MandateAct{view, grant}},
	}
}

// of is a mandate of an office, for everything.
func (o *office) of(kind mandatev1.MandateKind, principal string) *mandatev1.ProposeMandate {
	m := o.power()
	m.Kind, m.Principal, m.MaxLevel = kind, principal, root
	m.Scope = &mandatev1.MandateScope{Everything: true, Acts: m.Scope.Acts}
	m.Basis = &mandatev1.MandateBasis{Document: paper, Entry: o.EntryID, Record: paper}
	return m
}

// give makes a mandate that its agent accepts.
func (o *office) give(by string, m *mandatev1.ProposeMandate) string {
	o.TB.Helper()
	id := o.Must(by, m)[0]
	o.Must(m.Agent, &mandatev1.AnswerMandate{Mandate: id, Accept: true})
	return id
}

func (o *office) want(id string, s mandatev1.MandateState) *mandatev1.Mandate {
	o.TB.Helper()
	m, ok := mandate.Find(o.View(), id)
	if !ok || m.State != s {
		o.TB.Fatalf("mandate %s is %s, want %s", id, m.GetState(), s)
	}
	if err := mandate.Check(o.View(), m); err != nil {
		o.TB.Error(err)
	}
	return m
}

// act is that the agent grants the town's entry.
func (o *office) act() mandate.AgentAct {
	return mandate.AgentAct{Actor: o.agent, Principal: o.principal, Act: grant, Entry: o.EntryID, Level: officer}
}

// acting holds what Acting says now.
func (o *office) acting(want fault.Code, x mandate.AgentAct) {
	o.TB.Helper()
	if _, err := mandate.Acting(o.View(), x, o.Now); fault.CodeOf(err) != want {
		o.TB.Errorf("acting: %v, want %s", err, want)
	}
}

// TestProposeMandateOrder walks the checks of a power of attorney.
func TestProposeMandateOrder(t *testing.T) {
	type try = rulestest.Try[*mandatev1.ProposeMandate]
	var o *office
	rulestest.Order(t, func(t *testing.T) *try {
		o = newOffice(t)
		return &try{World: o.World, Account: o.principal, Message: o.power()}
	}, []rulestest.Breach[*mandatev1.ProposeMandate]{
		{Name: "no kind", Want: fault.OutOfRange, Break: func(a *try) { a.Message.Kind = 0 }},
		{Name: "no principal", Want: fault.NotFound, Break: func(a *try) { a.Message.Principal = "p-0" }},
		{Name: "no agent", Want: fault.NotFound, Break: func(a *try) { a.Message.Agent = "p-0" }},
		{Name: "a gateway", Want: fault.OutOfRange, Break: func(a *try) { a.Message.Agent = o.ProviderGateway }},
		{Name: "himself", Want: fault.CodeInconsistent, Break: func(a *try) { a.Message.Agent = o.principal }},
		{Name: "a stranger signs", Want: fault.Forbidden, Break: func(a *try) { a.Account = o.other }},
		{Name: "under care", Want: fault.PrincipalIncapable, Break: func(a *try) {
			m := o.of(guardianAdult, o.principal)
			m.Agent = o.Consumer
			o.give(o.Provider, m)
		}},
		{Name: "no document's hash", Want: fault.Malformed, Break: func(a *try) { a.Message.Basis.Document = []byte{1} }},
		{Name: "for nothing", Want: fault.Missing, Break: func(a *try) { a.Message.Scope.Entries = nil }},
		{Name: "acts out of order", Want: fault.Malformed, Break: func(a *try) { a.Message.Scope.Acts = []mandatev1.MandateAct{grant, view} }},
		{Name: "no level", Want: fault.Missing, Break: func(a *try) { a.Message.MaxLevel = 0 }},
		{Name: "longer than five years", Want: fault.OutOfRange, Break: func(a *try) { a.Message.UntilMs = o.Now + 1900*rulestest.Day }},
		{Name: "revocable by nobody", Want: fault.NotFound, Break: func(a *try) { a.Message.RevocableBy = []string{"x"} }},
		{Name: "one stands", Want: fault.OverlapConflict, Break: func(a *try) {
			m := o.power()
			if _, ok := mandate.Find(o.View(), ""); !ok {
				o.Do(o.principal, m)
			}
		}},
	})
}

// TestWhoSignsWhich: an agent makes no agent, a register's mandates are signed by the office
// whose register it is.
func TestWhoSignsWhich(t *testing.T) {
	o := newOffice(t)
	o.give(o.principal, o.power())
	handed := o.power()
	handed.Agent = o.other
	o.Want(fault.SubDelegation, o.agent, handed)
	rep := o.of(legalRep, o.firm)
	o.Want(fault.KindNeedsAuthority, o.firm, rep)
	o.Want(fault.KindNeedsAuthority, o.Consumer, rep)
	rep.Basis.Record = nil
	o.Want(fault.Missing, o.Provider, rep)
	rep = o.of(legalRep, o.principal)
	o.Want(fault.OutOfRange, o.Provider, rep)
	rep = o.of(legalRep, o.firm)
	rep.Basis.Entry = "x"
	o.Want(fault.NotFound, o.Provider, rep)
	rep = o.of(legalRep, o.firm)
	o.give(o.Provider, rep)
	second := o.of(legalRep, o.firm)
	second.Agent = o.other
	o.Want(fault.OverlapConflict, o.Provider, second)
	high := o.power()
	high.Agent, high.MaxLevel = o.other, root
	o.Must(o.principal, &identityv1.AddKey{Account: o.principal, Key: rulestest.PublicKey(o.Named(o.principal, officer, "low").Public(), officer)})
	if got := o.DoWith(o.principal, o.Named(o.principal, officer, "low"), high); got != fault.Forbidden {
		t.Errorf("a mandate signed with a key OFFICER: %s", got)
	}
	worker := o.of(operator, o.firm)
	worker.Agent, worker.UntilMs = o.other, rep.UntilMs+1
	o.Want(fault.ScopeExceedsPrincipal, o.agent, worker)
	worker.UntilMs = rep.UntilMs
	o.give(o.agent, worker)
}

// TestActing: what an agent may do is what the mandate says, while it says so.
func TestActing(t *testing.T) {
	o := newOffice(t)
	o.acting(fault.ActorNoMandate, o.act())
	id := o.Must(o.principal, o.power())[0]
	o.acting(fault.ActorNoMandate, o.act())
	o.Want(fault.Forbidden, o.principal, &mandatev1.AnswerMandate{Mandate: id, Accept: true})
	o.Must(o.agent, &mandatev1.AnswerMandate{Mandate: id, Accept: true})
	o.want(id, active)
	o.acting(fault.OK, o.act())
	for name, tt := range map[string]struct {
		want   fault.Code
		change func(*mandate.AgentAct)
	}{
		"another act":     {fault.MandateScope, func(x *mandate.AgentAct) { x.Act = mandatev1.MandateAct_MANDATE_ACT_APPLY }},
		"another entry":   {fault.MandateScope, func(x *mandate.AgentAct) { x.Entry = "y" }},
		"in any matter":   {fault.OK, func(x *mandate.AgentAct) { x.Matter = "y" }},
		"nothing named":   {fault.MandateScope, func(x *mandate.AgentAct) { x.Entry = "" }},
		"a higher level":  {fault.MandateScope, func(x *mandate.AgentAct) { x.Level = root }},
		"the asker":       {fault.AgentIsRp, func(x *mandate.AgentAct) { x.Asker = o.agent }},
		"another's agent": {fault.ActorNoMandate, func(x *mandate.AgentAct) { x.Principal = o.other }},
	} {
		x := o.act()
		tt.change(&x)
		if _, err := mandate.Acting(o.View(), x, o.Now); fault.CodeOf(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	o.Want(fault.Forbidden, o.other, &mandatev1.RevokeMandate{Mandate: id})
	o.Must(o.principal, &mandatev1.RevokeMandate{Mandate: id, Cause: "不再需要"})
	o.want(id, revoked)
	o.acting(fault.ActorNoMandate, o.act())
	o.Want(fault.IllegalTransition, o.agent, &mandatev1.RevokeMandate{Mandate: id})

	id = o.Must(o.principal, o.power())[0]
	o.Must(o.agent, &mandatev1.AnswerMandate{Mandate: id, Cause: "没有时间"})
	o.want(id, declined)
	m := o.power()
	id = o.give(o.principal, m)
	o.Wait(m.UntilMs - o.Now - 1)
	o.acting(fault.OK, o.act())
	o.Wait(1)
	o.acting(fault.ActorNoMandate, o.act())
	o.want(id, expired)
	id = o.Must(o.principal, o.power())[0]
	o.Wait(31 * rulestest.Day)
	o.want(id, expired) // nobody answered
}

// TestOrganisationsAct: an officer of an organisation that has a mandate acts under it, but
// not towards his own house.
func TestOrganisationsAct(t *testing.T) {
	o := newOffice(t)
	m := o.power()
	m.Agent = o.Consumer
	o.give(o.principal, m)
	x := o.act()
	x.Actor = o.desks[0]
	o.acting(fault.OK, x)
	x.Asker = o.Consumer
	o.acting(fault.AgentIsRp, x)
}

// TestRepresentativeWithOtherMandates: that he is the firm's agent and operator, too, does not
// keep the legal representative from naming operators. Ids are in no order, so three firms.
func TestRepresentativeWithOtherMandates(t *testing.T) {
	o := newOffice(t)
	for n := range 3 {
		firm := o.Firm(10 + n)
		for _, kind := range []mandatev1.MandateKind{agency, operator} {
			m := o.of(kind, firm)
			m.Basis.Entry, m.Basis.Record = "", nil
			o.give(firm, m)
		}
		o.give(o.Provider, o.of(legalRep, firm))
		m := o.of(operator, firm)
		m.Agent, m.Basis.Entry, m.Basis.Record, m.UntilMs = o.other, "", nil, o.Now+rulestest.Day
		o.Must(o.agent, m)
		m.Kind = agency
		o.Want(fault.SubDelegation, o.agent, m)
	}
}

// TestSourceChanges: the register's gateway suspends by itself, the office resumes.
func TestSourceChanges(t *testing.T) {
	o := newOffice(t)
	id := o.give(o.Provider, o.of(legalRep, o.firm))
	x := o.act()
	x.Principal = o.firm
	o.acting(fault.OK, x)
	changed := &mandatev1.SuspendMandate{Mandate: id, Cause: "法定代表人变更"}
	o.Want(fault.Forbidden, o.ConsumerGateway, changed)
	o.Must(o.ProviderGateway, changed)
	o.want(id, suspended)
	o.acting(fault.MandateSuspended, x)
	o.Want(fault.IllegalTransition, o.ProviderGateway, changed)
	resume := &mandatev1.ResumeMandate{Mandate: id, Cause: mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE}
	o.Want(fault.Forbidden, o.ProviderGateway, resume)
	o.Want(fault.Forbidden, o.agent, resume)
	o.Must(o.Provider, resume)
	o.Want(fault.IllegalTransition, o.Provider, resume)
	o.acting(fault.OK, x)
	o.Want(fault.Forbidden, o.firm, &mandatev1.RevokeMandate{Mandate: id})
	o.Must(o.Provider, &mandatev1.RevokeMandate{Mandate: id, Cause: "变更登记"})
	plain := o.give(o.principal, o.power())
	o.Want(fault.Forbidden, o.Provider, &mandatev1.SuspendMandate{Mandate: plain})
}

// TestGuardians: a minor acts through his guardian until the day, an adult under care gives
// nothing himself.
func TestGuardians(t *testing.T) {
	o := newOffice(t)
	m := o.of(guardianMinor, o.principal)
	m.UntilMs = o.Now + 4000*rulestest.Day
	o.give(o.Provider, m)
	if err := mandate.Self(o.View(), o.principal, o.Now); fault.CodeOf(err) != fault.MinorWithoutGuardian {
		t.Error(err)
	}
	o.acting(fault.OK, o.act())
	if err := mandate.Self(o.View(), o.principal, m.UntilMs); err != nil {
		t.Error(err)
	}
	p := o.power()
	p.Agent = o.other
	o.Want(fault.PrincipalIncapable, o.principal, p)
	later := o.of(guardianMinor, o.principal) // from 14 to 18 he may act himself, too
	later.FromMs, later.UntilMs, later.SelfActs = m.UntilMs, m.UntilMs+1461*rulestest.Day, true
	o.give(o.Provider, later)
	if err := mandate.Self(o.View(), o.principal, later.FromMs); err != nil {
		t.Error(err)
	}
	adult := o.of(guardianAdult, o.other)
	adult.SelfActs = true
	o.Want(fault.OutOfRange, o.Provider, adult)
	adult.SelfActs = false
	o.give(o.Provider, adult)
	if err := mandate.Self(o.View(), o.other, o.Now); fault.CodeOf(err) != fault.PrincipalIncapable {
		t.Error(err)
	}
}

// TestHeirs: for the dead only an heir acts, and an heir only for the dead.
func TestHeirs(t *testing.T) {
	o := newOffice(t)
	m := o.of(heir, o.principal)
	o.Want(fault.IllegalTransition, o.Provider, m)
	o.Must(o.desks[0], &recoveryv1.RecordDeath{Account: o.principal, Evidence: paper})
	minor := o.of(guardianMinor, o.principal)
	o.Want(fault.Deceased, o.Provider, minor)
	o.give(o.Provider, m)
	o.acting(fault.OK, o.act())
}

// TestAtACounter: without a device two officers of different desks sign, and there is a day
// to undo it.
func TestAtACounter(t *testing.T) {
	o := newOffice(t)
	m := o.power()
	o.Want(fault.Missing, o.desks[0], m)
	m.Basis.Presence = paper
	m.MaxLevel = root
	o.Want(fault.ScopeExceedsPrincipal, o.desks[0], m)
	m.MaxLevel = officer
	id := o.Must(o.desks[0], m)[0]
	yes := &mandatev1.AnswerMandate{Mandate: id, Accept: true}
	o.Want(fault.IllegalTransition, o.agent, yes)
	o.Want(fault.Forbidden, o.desks[0], &mandatev1.WitnessMandate{Mandate: id})
	o.Must(o.desks[1], &mandatev1.WitnessMandate{Mandate: id})
	o.Want(fault.IllegalTransition, o.desks[1], &mandatev1.WitnessMandate{Mandate: id})
	o.Must(o.agent, yes)
	o.acting(fault.ActorNoMandate, o.act())
	o.Wait(24 * rulestest.Hour)
	o.acting(fault.OK, o.act())
	o.Must(o.principal, &mandatev1.RevokeMandate{Mandate: id})
}

// TestOperators: as many as the firm has said, each a living operator, and not more often.
func TestOperators(t *testing.T) {
	o := newOffice(t)
	for _, who := range []string{o.agent, o.other} {
		m := o.of(operator, o.firm)
		m.Agent = who
		o.give(o.firm, m)
	}
	digest := sha256.Sum256([]byte("one act"))
	x := o.act()
	x.Principal, x.Digest = o.firm, digest[:]
	o.acting(fault.MandateScope, x) // the firm has not said how
	o.Want(fault.Forbidden, o.principal, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 1}}})
	o.Want(fault.OutOfRange, o.firm, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 10}}})
	o.Must(o.firm, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 1}, {Entry: o.EntryID, Threshold: 2, UsesADay: 1}}})
	o.Want(fault.VersionConflict, o.firm, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 1}}})
	o.acting(fault.QuorumShort, x)
	yes := &mandatev1.ApproveAct{Firm: o.firm, Digest: digest[:]}
	o.Must(o.agent, yes) // who acts counts once
	o.acting(fault.QuorumShort, x)
	o.Want(fault.AlreadyVoted, o.agent, yes)
	o.Want(fault.ActorNoMandate, o.principal, yes)
	o.Must(o.other, yes)
	o.acting(fault.OK, x)
	other := x
	other.Entry = "y"
	o.acting(fault.OK, other) // everything else takes one
	o.Wait(24 * rulestest.Hour)
	o.acting(fault.QuorumShort, x) // the approvals have run out
}

// TestRecoveredAccountsLookAgain: what old keys have signed does not count from the block of
// the execution on, and its signer says yes again.
func TestRecoveredAccountsLookAgain(t *testing.T) {
	for name, principal := range map[string]bool{"the principal": true, "the agent": false} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			id := o.give(o.principal, o.power())
			who, cause := o.agent, mandatev1.SuspensionKind_SUSPENSION_KIND_AGENT
			if principal {
				who, cause = o.principal, mandatev1.SuspensionKind_SUSPENSION_KIND_PRINCIPAL
			}
			o.recover(who)
			o.acting(fault.MandateSuspended, o.act())
			o.want(id, suspended)
			fresh := o.Named(who, root, "fresh")
			resume := &mandatev1.ResumeMandate{Mandate: id, Cause: cause}
			o.Want(fault.KeyRevoked, who, resume)
			if got := o.DoWith(who, fresh, resume); got != fault.OK {
				t.Fatalf("%s (%s)", got, o.Text)
			}
			o.want(id, active)
			o.acting(fault.OK, o.act())
		})
	}
}

// recover gives the account another key at a counter.
func (o *office) recover(account string) {
	o.TB.Helper()
	o.Must(o.desks[0], &identityv1.RecordProofing{
		Account: account, Commitment: paper, Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER,
		Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH, ExpiresMs: o.Now + 365*rulestest.Day,
	})
	k := o.Named(account, root, "fresh")
	sig, err := k.Sign(codes.KeyMessage(rulestest.ChainID, account, k.Public().ID()))
	if err != nil {
		o.TB.Fatal(err)
	}
	face := recoveryv1.FaceResult_FACE_RESULT_MATCHED
	id := o.Must(o.desks[0], &recoveryv1.OpenRecovery{
		Account: account, Path: recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER, NewKey: rulestest.PublicKey(k.Public(), root), Possession: sig, Evidence: paper, Face: face,
	})[0]
	o.Must(o.desks[1], &recoveryv1.ApproveRecovery{Recovery: id, Evidence: paper, Face: face})
	o.Wait(24 * rulestest.Hour)
}
