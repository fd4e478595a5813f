package mandate_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/rules/mandate"
	"mulian/rules/rulestest"
)

// TestWhoMayRevoke: principal, agent, office, those whom it names, and the representative who
// named an operator; nobody else, and nobody twice.
func TestWhoMayRevoke(t *testing.T) {
	o := newOffice(t)
	p := o.power()
	p.RevocableBy = []string{o.other}
	for who, by := range map[string]string{"the principal": o.principal, "the agent": o.agent, "who is named": o.other} {
		id := o.give(o.principal, p)
		o.Want(fault.Forbidden, o.firm, &mandatev1.RevokeMandate{Mandate: id})
		o.Must(by, &mandatev1.RevokeMandate{Mandate: id})
		if m := o.want(id, revoked); m.EndedBy != by {
			t.Errorf("%s: ended by %s", who, m.EndedBy)
		}
	}
	o.give(o.Provider, o.of(legalRep, o.firm))
	m := o.of(operator, o.firm)
	m.Agent, m.Basis.Entry, m.Basis.Record, m.UntilMs = o.other, "", nil, o.Now+rulestest.Day
	id := o.give(o.agent, m)
	o.Want(fault.Forbidden, o.principal, &mandatev1.RevokeMandate{Mandate: id})
	o.Must(o.agent, &mandatev1.RevokeMandate{Mandate: id})
	guardian := o.give(o.Provider, o.of(guardianMinor, o.principal))
	o.Want(fault.Forbidden, o.principal, &mandatev1.RevokeMandate{Mandate: guardian})
	o.Must(o.Provider, &mandatev1.RevokeMandate{Mandate: guardian})
}

// TestNarrowerThanTheRepresentative: an operator gets no act, entry, level or day that the
// representative does not have.
func TestNarrowerThanTheRepresentative(t *testing.T) {
	o := newOffice(t)
	rep := o.of(legalRep, o.firm)
	rep.Scope = &mandatev1.MandateScope{Entries: []string{"a", "b"}, Acts: []mandatev1.MandateAct{view}}
	rep.MaxLevel = officer
	o.give(o.Provider, rep)
	worker := func(change func(*mandatev1.ProposeMandate)) *mandatev1.ProposeMandate {
		m := o.of(operator, o.firm)
		m.Agent, m.Basis.Entry, m.Basis.Record, m.MaxLevel = o.other, "", nil, officer
		m.Scope = &mandatev1.MandateScope{Entries: []string{"a"}, Acts: []mandatev1.MandateAct{view}}
		change(m)
		return m
	}
	for name, change := range map[string]func(*mandatev1.ProposeMandate){
		"another act":   func(m *mandatev1.ProposeMandate) { m.Scope.Acts = []mandatev1.MandateAct{view, grant} },
		"another entry": func(m *mandatev1.ProposeMandate) { m.Scope.Entries = []string{"a", "c"} },
		"any entry":     func(m *mandatev1.ProposeMandate) { m.Scope.Entries, m.Scope.Matters = nil, []string{"x"} },
		"everything": func(m *mandatev1.ProposeMandate) {
			m.Scope = &mandatev1.MandateScope{Everything: true, Acts: m.Scope.Acts}
		},
		"a level": func(m *mandatev1.ProposeMandate) { m.MaxLevel = root },
		"a day":   func(m *mandatev1.ProposeMandate) { m.UntilMs = rep.UntilMs + 1 },
	} {
		if got := o.Do(o.agent, worker(change)); got != fault.ScopeExceedsPrincipal {
			t.Errorf("%s: %s", name, got)
		}
	}
	o.give(o.agent, worker(func(m *mandatev1.ProposeMandate) { m.Scope.Matters = []string{"x"} }))
}

// TestManyMandatesOfARecovered: more than one block marks; from the first on none counts.
func TestManyMandatesOfARecovered(t *testing.T) {
	o := newOffice(t)
	const each = 60 // below MaxStanding, one after the other in time
	var ids []string
	for n := range mandate.MaxMarkedPerBlock/each + 1 {
		principal := o.Person(100 + n)
		for i := range each {
			m := o.power()
			m.Principal, m.FromMs = principal, o.Now+int64(i)*rulestest.Day*10
			if i == 0 {
				m.FromMs = 0
			}
			m.UntilMs = max(m.FromMs, o.Now) + rulestest.Day*9
			ids = append(ids, o.give(principal, m))
		}
	}
	o.recover(o.agent)
	marked, counts := 0, 0
	for _, id := range ids {
		m, _ := mandate.Find(o.View(), id)
		if m.State == suspended {
			marked++
		}
		if mandate.Counts(o.View(), m, max(o.Now, m.FromMs)) {
			counts++
		}
	}
	if marked != mandate.MaxMarkedPerBlock || counts != 0 || len(ids) <= marked {
		t.Fatalf("%d of %d are marked in the block of the execution, %d still count", marked, len(ids), counts)
	}
	o.Block()
	for _, id := range ids {
		o.want(id, suspended)
	}
}

// TestOperatorsDay: what operators have agreed to is spent with the act, and a day's limit counts
// from its first act.
func TestOperatorsDay(t *testing.T) {
	o := newOffice(t)
	for _, who := range []string{o.agent, o.other} {
		m := o.of(operator, o.firm)
		m.Agent, m.UntilMs = who, o.Now+1000*rulestest.Day
		o.give(o.firm, m)
	}
	o.Must(o.firm, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 1}}})
	digest := sha256.Sum256([]byte("one act"))
	yes := &mandatev1.ApproveAct{Firm: o.firm, Digest: digest[:]}
	o.Must(o.other, yes)
	o.Want(fault.Forbidden, o.other, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 1}}})
	for i := range 3 { // a digest that nobody used can be agreed to again when its day is over
		o.Want(fault.AlreadyVoted, o.other, yes)
		o.Wait(24 * rulestest.Hour)
		if got := o.Do(o.other, yes); got != fault.OK {
			t.Fatal(fmt.Sprint(i), got, o.Text)
		}
	}
}

// TestOperatorWhoLeft: the yes of an operator counts as long as he is one when the act is carried
// out.
func TestOperatorWhoLeft(t *testing.T) {
	o := newOffice(t)
	ids := map[string]string{}
	for _, who := range []string{o.agent, o.other} {
		m := o.of(operator, o.firm)
		m.Agent = who
		ids[who] = o.give(o.firm, m)
	}
	o.Must(o.firm, &mandatev1.SetOperatorPolicy{Limits: []*mandatev1.OperatorLimit{{Threshold: 2}}})
	digest := sha256.Sum256([]byte("one act"))
	x := o.act()
	x.Principal, x.Digest = o.firm, digest[:]
	o.Must(o.other, &mandatev1.ApproveAct{Firm: o.firm, Digest: digest[:]})
	o.acting(fault.OK, x)
	o.Must(o.firm, &mandatev1.RevokeMandate{Mandate: ids[o.other]})
	o.acting(fault.QuorumShort, x)
}
