package governance_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
)

func absent(org string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_RemoveAbsent{RemoveAbsent: org}}
}

// members returns who has a vote.
func members(w *rulestest.World) map[string]uint32 {
	out := map[string]uint32{}
	for _, m := range governance.Members(w.View()) {
		out[m.Org] = m.Weight
	}
	return out
}

// TestAMemberGoneForEver: with 40 of 100 gone, 67 % are never reached; the rest removes it
// after it has said nothing for a quarter, and then decides again.
func TestAMemberGoneForEver(t *testing.T) {
	w := rulestest.Found(t, 40, 30, 30)
	gone, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	plain := propose(w, b, remove(gone))
	w.Must(c, yes(plain))
	w.Wait(30 * rulestest.Day)
	wantState(w, plain, expired)

	id := propose(w, b, absent(gone))
	w.Must(c, yes(id))
	w.Wait(90*rulestest.Day - 1)
	wantState(w, id, open)
	w.Wait(1)
	wantState(w, id, accepted)
	if m := members(w); len(m) != 2 || m[gone] != 0 {
		t.Fatalf("members are %v", m)
	}
	for _, n := range governance.Validators(w.View()) {
		if n.Org == gone {
			t.Error("its validator is still there")
		}
	}
	id = propose(w, b, admit(c, 10))
	w.Must(c, yes(id))
	wantState(w, id, accepted)
}

// TestWhoShowsItselfIsNotAbsent: by a vote in it, which ends it at once, or by any other
// act, which its end finds.
func TestWhoShowsItselfIsNotAbsent(t *testing.T) {
	w := rulestest.Found(t, 40, 30, 30)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	id := propose(w, b, absent(a))
	w.Must(c, yes(id))
	w.Must(a, no(id))
	wantState(w, id, rejected)

	id = propose(w, b, absent(a))
	w.Must(c, yes(id))
	w.Wait(rulestest.Day)
	other := propose(w, b, admit(w.Org("税务局"), 1))
	w.Must(a, no(other))
	w.Wait(89 * rulestest.Day)
	wantState(w, id, rejected)
	if m := members(w); m[a] != 40 {
		t.Errorf("members are %v", m)
	}
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: absent(a)})
}

// TestSeveralAreGone: all that were silent are left out, while the rest is more than a
// third; and it still has to agree.
func TestSeveralAreGone(t *testing.T) {
	w := rulestest.Found(t, 25, 25, 25, 25)
	a, b := w.Founders[0], w.Founders[1]
	first := propose(w, a, absent(w.Founders[2]))
	second := propose(w, a, absent(w.Founders[3]))
	alone := propose(w, b, absent(w.Founders[3]))
	w.Must(b, yes(first))
	w.Must(b, yes(second))
	w.Must(a, no(alone)) // 25 of the 50 that are there
	w.Wait(90 * rulestest.Day)
	wantState(w, first, accepted)
	wantState(w, second, accepted)
	wantState(w, alone, expired)
	if m := members(w); len(m) != 2 {
		t.Fatalf("members are %v", m)
	}
}

// TestAFewAreNoConsortium: whoever is alone with a third or less removes nobody.
func TestAFewAreNoConsortium(t *testing.T) {
	w := rulestest.Found(t, 20, 20, 20)
	id := propose(w, w.Founders[0], absent(w.Founders[1]))
	w.Wait(90 * rulestest.Day)
	wantState(w, id, expired)
	if m := members(w); len(m) != 3 {
		t.Errorf("members are %v", m)
	}
}

// TestTwoMembers: one of two equal members goes on alone once the other is gone; and the
// last one cannot be removed.
func TestTwoMembers(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	a, b := w.Founders[0], w.Founders[1]
	id := propose(w, a, absent(b))
	w.Wait(90 * rulestest.Day)
	wantState(w, id, accepted)
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: remove(a)})
	wantState(w, propose(w, a, admit(a, 10)), accepted)
	if m := members(w); len(m) != 1 || m[a] != 10 {
		t.Errorf("members are %v", m)
	}
}

// TestAbsentMemberRunsAllValidators: what is impossible when it is counted is not done.
func TestAbsentMemberRunsAllValidators(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	a, b := w.Founders[0], w.Founders[1]
	id := propose(w, a, absent(b))
	w.Must(b, &governancev1.Propose{Title: "x", Change: node(w, a, 0)}) // at the same moment: no sign of life
	w.Must(a, yes(w.Outcome.Ids[0]))
	w.Wait(90 * rulestest.Day)
	wantState(w, id, rejected)
}

// TestAThresholdNobodyReaches: with 100 % for all, a member that is gone stops every
// decision but its own removal.
func TestAThresholdNobodyReaches(t *testing.T) {
	w := rulestest.Found(t, 90, 5, 5)
	a, b, gone := w.Founders[0], w.Founders[1], w.Founders[2]
	w.Decide(settings(func(p *governancev1.Parameters) { p.VotePercent, p.AbsenceDays = 100, 30 }))
	stuck := propose(w, a, settings(func(p *governancev1.Parameters) { p.VotePercent, p.AbsenceDays = 67, 30 }))
	w.Wait(rulestest.Day)
	w.Must(b, yes(stuck))
	wantState(w, stuck, open)
	id := propose(w, a, absent(gone))
	w.Must(b, yes(id))
	w.Wait(29 * rulestest.Day)
	wantState(w, stuck, expired)
	w.Wait(rulestest.Day)
	wantState(w, id, accepted)
	stuck = propose(w, a, settings(func(p *governancev1.Parameters) { p.VotePercent = 67 }))
	w.Must(b, yes(stuck))
	wantState(w, stuck, accepted)
}
