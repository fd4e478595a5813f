package governance_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/standard"
	"mulian/rules/governance"
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
	w.Decide(rotation(w, w.Authority, 9, 5))
	w.Decide(settings(func(p *governancev1.Parameters) {
		p.VotePercent, p.SuspensionPercent, p.SuspensionDays, p.AbsenceDays = 60, 30, 5, 40
		p.Thresholds = []*governancev1.Threshold{{Kind: "remove_member", Percent: 75}}
	}))
	w.Decide(suspend(tax, ""))
	w.Decide(confirm(tax, ""))
	w.Decide(lift(tax, ""))
	w.Decide(suspend(w.Founders[1], w.Key(w.Founders[1], root).Public().ID()))
	w.Wait(5 * rulestest.Day)
	w.Decide(upgrade(w, "two", 2, 500))
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_CancelUpgrade{CancelUpgrade: "two"}})
	w.Decide(upgrade(w, "two", 2, governance.MinAhead))
	for range governance.MinAhead {
		w.Block()
	}
	propose(w, w.Founders[0], absent(w.Founders[2]))
	w.Must(w.Founders[1], &governancev1.Propose{Title: "x", Change: admit(w.Founders[1], 33)})
	w.Wait(40 * rulestest.Day)
	const want = "053ee073b0239551f539b5529956d2c984bda2c648bc52ed081fb22652444043"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}
