package grant_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	codes "mulian/internal/recovery"
	"mulian/rules/mandate"
	"mulian/rules/rulestest"
)

// power is the owner's power of attorney for the town's entry.
func (s *scene) power(agent string) *mandatev1.ProposeMandate {
	return &mandatev1.ProposeMandate{
		Principal: s.owner, Agent: agent, Kind: mandatev1.MandateKind_MANDATE_KIND_AGENT, MaxLevel: officer, UntilMs: s.Now + 30*rulestest.Day,
		Basis: &mandatev1.MandateBasis{Document: digest("paper")},
		Scope: &mandatev1.MandateScope{Entries: []string{s.EntryID}, Acts: []mandatev1.MandateAct{mandatev1.MandateAct_MANDATE_ACT_GRANT}},
	}
}

// mandated makes a mandate that its agent accepts.
func (s *scene) mandated(by string, m *mandatev1.ProposeMandate) string {
	s.TB.Helper()
	id := s.Must(by, m)[0]
	s.Must(m.Agent, &mandatev1.AnswerMandate{Mandate: id, Accept: true})
	return id
}

// giveFor returns the yes of who acts for the owner.
func (s *scene) giveFor(request, owner, mandate string) *grantv1.GiveGrant {
	return s.give(request, func(m *grantv1.GiveGrant) { m.Owner, m.Mandate = owner, mandate })
}

// TestAgentGives: an agent gives, pauses, resumes and revokes under the mandate that he
// names, the grant says so, and the mandate counts it.
func TestAgentGives(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	p := s.power(s.other)
	p.MaxUses = 4
	id := s.mandated(s.owner, p)
	request := s.Must(s.Consumer, s.ask(nil))[0]
	s.Want(fault.Forbidden, s.other, s.giveFor(request, s.owner, ""))
	s.Want(fault.ActorNoMandate, s.other, s.giveFor(request, s.owner, "none"))
	s.Want(fault.ActorNoMandate, s.owner, s.giveFor(request, s.owner, id)) // he is not his own agent
	yes := s.giveFor(request, s.owner, id)
	yes.UiTextHash = digest("another text")
	s.Want(fault.TextMismatch, s.other, yes) // and this is not counted
	given := s.Must(s.other, s.giveFor(request, s.owner, id))[0]
	if g := s.grant(given); g.Owner != s.owner || g.Actor != s.other || g.Mandate != id {
		t.Errorf("the grant is %s's by %s under %s", g.Owner, g.Actor, g.Mandate)
	}
	s.Must(s.other, &grantv1.PauseGrant{Grant: given, Mandate: id})
	s.Must(s.other, &grantv1.ResumeGrant{Grant: given, Mandate: id})
	s.WantEvent("mandate/used", "active", "mandate/mandate/"+id)
	if m, _ := mandate.Find(s.View(), id); m.Uses != 3 {
		t.Errorf("the mandate counts %d uses, want 3", m.Uses)
	}
	s.Must(s.other, &grantv1.RevokeGrant{Grant: given, Mandate: id})
	second := s.Must(s.Consumer, s.ask(nil))[0]
	s.Want(fault.ActorNoMandate, s.other, s.giveFor(second, s.owner, id)) // the fourth was the last
	s.sound(given)
}

// TestAgentsLimits: entry, level and conflict of interest are those of the mandate.
func TestAgentsLimits(t *testing.T) {
	s := newScene(t)
	s.register(long)
	id := s.mandated(s.owner, s.power(s.other))
	request := s.Must(s.Consumer, s.ask(nil))[0]
	s.Want(fault.MandateScope, s.other, s.giveFor(request, s.owner, id)) // a standing one takes L3

	s.useID = s.Consumer + ":once"
	once := s.use(nil)
	once.LocalId = "once"
	s.Must(s.Consumer, once)
	request = s.Must(s.Consumer, s.ask(nil))[0]
	asker := s.mandated(s.owner, s.power(s.Consumer))
	s.Want(fault.AgentIsRp, s.Consumer, s.giveFor(request, s.owner, asker))
	if code := s.DoAs(s.other, machine, s.giveFor(request, s.owner, id)); code != fault.Forbidden {
		t.Errorf("an agent's L1 key gives a grant: %s", code)
	}
	s.Must(s.owner, &mandatev1.RevokeMandate{Mandate: id})
	p := s.power(s.other)
	p.Scope.Entries = []string{s.EntryID + "x"}
	s.Want(fault.MandateScope, s.other, s.giveFor(request, s.owner, s.mandated(s.owner, p)))
}

// TestUnderCare: who has a guardian says no himself; the guardian says yes.
func TestUnderCare(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	s.Give(governancev1.Role_ROLE_REGISTRY, s.Provider)
	given := s.given(nil)
	m := s.power(s.other)
	m.Kind, m.Scope.Entries, m.Scope.Everything = mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_ADULT, nil, true
	m.Basis.Entry, m.Basis.Record = s.EntryID, digest("record")
	id := s.mandated(s.Provider, m)
	s.Must(s.owner, &grantv1.PauseGrant{Grant: given})
	s.Want(fault.PrincipalIncapable, s.owner, &grantv1.ResumeGrant{Grant: given})
	request := s.Must(s.Consumer, s.ask(nil))[0]
	s.Want(fault.PrincipalIncapable, s.owner, s.give(request, nil))
	s.Must(s.other, s.giveFor(request, s.owner, id))
	s.Must(s.owner, &grantv1.DeclineRequest{Request: s.Must(s.Consumer, s.ask(nil))[0], Cause: grantv1.DeclineCause_DECLINE_CAUSE_REFUSED})
	s.Must(s.other, &grantv1.DeclineRequest{
		Request: s.Must(s.Consumer, s.ask(nil))[0], Cause: grantv1.DeclineCause_DECLINE_CAUSE_REFUSED, Mandate: id,
	})
	s.Must(s.owner, &grantv1.RevokeGrant{Grant: given})
}

// TestOperatorsGiveTogether: of a firm two operators agree to this yes and no other.
func TestOperatorsGiveTogether(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	firm, second := s.Firm(4), s.person(5)
	s.owner = firm
	s.Must(firm, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 2}}})
	ids := map[string]string{}
	for _, agent := range []string{s.other, second} {
		m := s.power(agent)
		m.Kind = mandatev1.MandateKind_MANDATE_KIND_OPERATOR
		ids[agent] = s.mandated(firm, m)
	}
	request := s.Must(s.Consumer, s.ask(nil))[0]
	yes := s.giveFor(request, firm, ids[s.other])
	s.Want(fault.QuorumShort, s.other, yes)
	s.Must(second, &mandatev1.ApproveAct{Firm: firm, Digest: mandate.Digest(yes)})
	changed := s.giveFor(request, firm, ids[s.other])
	changed.RowKeyCommitment = digest("another row")
	s.Want(fault.QuorumShort, s.other, changed)
	s.Must(s.other, yes)
}

// TestRecoveryPauses: with the block that gives an account its new key, all its standing
// grants pause, and the owner is told; the new key lets them go on.
func TestRecoveryPauses(t *testing.T) {
	s := newScene(t)
	s.register(long)
	s.Give(governancev1.Role_ROLE_IDENTITY, s.Provider)
	var desks []string
	for _, d := range []string{"east", "west"} {
		s.Department(s.Provider, d)
		desks = append(desks, s.Officer(s.Provider, d, "officer-"+d))
	}
	s.Must(desks[0], &identityv1.RecordProofing{
		Account: s.owner, Commitment: digest("card"), Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER,
		Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH, ExpiresMs: s.Now + 365*rulestest.Day,
	})
	early := s.given(nil)
	k := s.Named(s.owner, root, "new")
	held, err := k.Sign(codes.KeyMessage(rulestest.ChainID, s.owner, k.Public().ID()))
	if err != nil {
		t.Fatal(err)
	}
	id := s.Must(desks[0], &recoveryv1.OpenRecovery{
		Account: s.owner, Path: recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER, NewKey: rulestest.PublicKey(k.Public(), root), Possession: held,
		Evidence: digest("film 1"), Face: recoveryv1.FaceResult_FACE_RESULT_MATCHED,
	})[0]
	s.Must(desks[1], &recoveryv1.ApproveRecovery{Recovery: id, Evidence: digest("film 2"), Face: recoveryv1.FaceResult_FACE_RESULT_MATCHED})
	s.Wait(24*rulestest.Hour - 300_000)
	late := s.given(nil) // by a thief, perhaps: still cooling when the lock ends
	others := s.Must(s.other, s.give(s.Must(s.Consumer, s.ask(func(r *grantv1.DataRequest) { r.Owner = s.other }))[0], nil))[0]
	s.Wait(299_999)
	if g := s.grant(early); g.State != grantv1.GrantState_GRANT_STATE_ACTIVE {
		t.Fatalf("before the end of the lock the grant is %s", g.State)
	}
	s.Wait(1)
	for _, x := range []string{early, late} {
		if g := s.grant(x); g.State != grantv1.GrantState_GRANT_STATE_PAUSED || g.PausedBy != "" || g.PausedMs != s.Now {
			t.Errorf("grant %s is %s by %q at %d after the recovery", x, g.State, g.PausedBy, g.PausedMs)
		}
		s.sound(x)
	}
	if told := len(s.WantEvent("grant/pause_grant", "account", "grant/grant/"+early)); told == 0 {
		t.Error("nobody is told")
	}
	s.Want(fault.GrantPaused, s.ProviderGateway, s.record(early, nil))
	if g := s.grant(others); g.State != grantv1.GrantState_GRANT_STATE_COOLING {
		t.Errorf("another owner's grant is %s", g.State)
	}
	if code := s.DoWith(s.owner, k, &grantv1.ResumeGrant{Grant: early}); code != fault.OK {
		t.Fatalf("the new key does not resume: %s %s", code, s.Text)
	}
	s.Must(s.ProviderGateway, s.record(early, nil))
}

// TestFreezePauses: who freezes his account, or has it frozen, stops all his standing grants
// with it and is told; unfrozen they wait for his word one by one. One-time grants go on.
func TestFreezePauses(t *testing.T) {
	s := newScene(t)
	s.register(long)
	s.Give(governancev1.Role_ROLE_IDENTITY, s.Provider)
	first, second := s.given(nil), s.given(nil)
	paused := s.given(nil)
	s.Must(s.owner, &grantv1.PauseGrant{Grant: paused})
	once := s.use(nil)
	once.LocalId, s.useID = "once", s.Consumer+":once"
	s.Must(s.Consumer, once)
	single := s.given(nil)
	s.Must(s.Provider, &identityv1.FreezeAccount{Account: s.owner, Cause: "手机被盗"})
	for _, id := range []string{first, second, paused} {
		if g := s.grant(id); g.State != grantv1.GrantState_GRANT_STATE_PAUSED {
			t.Errorf("grant %s of a frozen account is %s", id, g.State)
		}
		s.sound(id)
	}
	if g := s.grant(paused); g.PausedBy != s.owner {
		t.Errorf("what was paused before is paused by %s now", g.PausedBy)
	}
	if told := len(s.WantEvent("grant/pause_grant", "account", "grant/grant/"+first)); told == 0 {
		t.Error("nobody is told")
	}
	s.Want(fault.GrantPaused, s.ProviderGateway, s.record(first, nil))
	s.Must(s.ProviderGateway, s.record(single, nil))
	s.Want(fault.AccountFrozen, s.owner, &grantv1.ResumeGrant{Grant: first})
}

// TestMinors: of a minor, by his proofing, a guardian says yes; he himself says no. Nobody
// comes of age by a proofing that ends, and from 14 on a guardian may let him act himself.
func TestMinors(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	s.Give(governancev1.Role_ROLE_IDENTITY, s.Provider)
	s.Give(governancev1.Role_ROLE_REGISTRY, s.Provider)
	proofing := &identityv1.RecordProofing{
		Account: s.owner, Commitment: digest("card"), Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER,
		Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH, ExpiresMs: s.Now + 2*rulestest.Day, MinorUntilMs: s.Now + 8*rulestest.Day,
	}
	s.Must(s.Provider, proofing)
	ask := func() string { return s.Must(s.Consumer, s.ask(nil))[0] }
	request := ask()
	s.Want(fault.MinorWithoutGuardian, s.owner, s.give(request, nil))
	s.Must(s.owner, &grantv1.DeclineRequest{Request: ask(), Cause: grantv1.DeclineCause_DECLINE_CAUSE_REFUSED})
	s.Want(fault.PrincipalIncapable, s.owner, s.power(s.other)) // and he makes nobody his agent
	m := s.power(s.other)
	m.Kind, m.Scope.Entries, m.Scope.Everything = mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_MINOR, nil, true
	m.UntilMs = proofing.MinorUntilMs
	id := s.mandated(s.Provider, m)
	given := s.Must(s.other, s.giveFor(request, s.owner, id))[0]
	if g := s.grant(given); g.Owner != s.owner || g.Actor != s.other || g.Mandate != id {
		t.Errorf("the grant is %s's by %s under %s", g.Owner, g.Actor, g.Mandate)
	}
	s.Wait(3 * rulestest.Day) // the proofing has run out, the years have not
	s.Must(s.Provider, &mandatev1.RevokeMandate{Mandate: id})
	s.Want(fault.MinorWithoutGuardian, s.owner, s.give(ask(), nil))
	m.SelfActs = true
	s.mandated(s.Provider, m)
	s.Must(s.owner, s.give(ask(), nil))
	s.Wait(5 * rulestest.Day) // his birthday, and the end of the guardianship
	s.Must(s.owner, s.give(ask(), nil))
	s.Must(s.other, s.give(s.Must(s.Consumer, s.ask(func(r *grantv1.DataRequest) { r.Owner = s.other }))[0], nil))
}
