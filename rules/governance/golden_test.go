package governance_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/standard"
	"mulian/rules/rulestest"
)

// TestGolden pins the state after a fixed history that uses every verb and change. A
// change of it is a change of the chain: it needs a new state version and a note in
// docs/decisions.
func TestGolden(t *testing.T) {
	w := rulestest.Found(t, 40, 30, 30)
	tax := w.Org("税务局")
	w.Decide(admit(tax, 20))
	w.Decide(grant(governancev1.Role_ROLE_AUDITOR, tax))
	w.Decide(revoke(governancev1.Role_ROLE_AUDITOR, tax))
	w.Decide(settings(func(p *governancev1.Parameters) { p.VotePercent = 60 }))
	w.Decide(node(w, tax, 3))
	w.Decide(pinned(w, tax, 4, 1))
	w.Decide(onBoard(w, w.Org("水务局"), 1))
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_SetClockProfile{SetClockProfile: standard.ClocksGuizhou()}})
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_SetCalendar{SetCalendar: standard.Calendar2026()}})
	w.Must(tax, &governancev1.WithdrawProposal{Proposal: propose(w, tax, remove(w.Authority))})
	lost := propose(w, tax, remove(w.Authority))
	w.Must(w.Authority, no(lost))
	w.Must(w.Founders[1], no(lost))
	propose(w, tax, remove(w.Authority))
	w.Wait(30 * rulestest.Day)
	w.Decide(remove(tax))
	const want = "169501efff08f56395749b4bdadc9fc3afff4149a7999149a8f57a6b9fa88d41"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}
