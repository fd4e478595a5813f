package governance_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
)

// thresholds are the default parameters with these shares, kind and percent in turn.
func thresholds(list ...*governancev1.Threshold) *governancev1.Change {
	return settings(func(p *governancev1.Parameters) { p.Thresholds = list })
}

func share(kind string, percent uint32) *governancev1.Threshold {
	return &governancev1.Threshold{Kind: kind, Percent: percent}
}

// TestThresholds: each kind has its own share, and a kind that does what another does has
// that one's.
func TestThresholds(t *testing.T) {
	w := rulestest.Found(t, 55, 25, 20)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	w.Decide(thresholds(share("admit_member", 81), share("grant_role", 51), share("remove_member", 100), share("set_validator", 75)))
	wantState(w, propose(w, a, grant(governancev1.Role_ROLE_AUDITOR, a)), accepted) // 55
	for _, x := range map[string]struct {
		change      *governancev1.Change
		with, after governancev1.ProposalState
	}{
		"admit":    {onBoard(w, w.Org("税务局"), 1), open, accepted}, // as admit_member: 80, then 100
		"rotate":   {rotation(w, b, 9, 0), accepted, accepted},    // as set_validator: 75
		"calendar": {calendar2026(), accepted, accepted},          // vote_percent
	} {
		id := propose(w, a, x.change)
		w.Must(b, yes(id)) // 80
		wantState(w, id, x.with)
		if x.with == open {
			w.Must(c, yes(id))
		}
		wantState(w, id, x.after)
	}
	id := propose(w, a, remove(c))
	w.Must(c, no(id))
	wantState(w, id, rejected) // 100 can no more be reached
}

func calendar2026() *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_SetCalendar{SetCalendar: standard.Calendar2026()}}
}

// TestSharesNeedTheHighest: nobody lowers a share by less than the highest one in force,
// and other settings need what they did.
func TestSharesNeedTheHighest(t *testing.T) {
	w := rulestest.Found(t, 70, 20, 10)
	a, b := w.Founders[0], w.Founders[1]
	w.Decide(thresholds(share("remove_member", 90)))
	lower := propose(w, a, settings(func(*governancev1.Parameters) {}))
	wantState(w, lower, open) // 70 of the 90 that remove_member needs
	days := propose(w, a, settings(func(p *governancev1.Parameters) {
		p.MaxMessages, p.Thresholds = 500, []*governancev1.Threshold{share("remove_member", 90)}
	}))
	wantState(w, days, accepted)
	for _, change := range []func(*governancev1.Parameters){
		func(p *governancev1.Parameters) { p.VotePercent = 51 },
		func(p *governancev1.Parameters) { p.SuspensionPercent = 20 },
		func(p *governancev1.Parameters) { p.SuspensionDays = 30 },
		func(p *governancev1.Parameters) { p.AbsenceDays = 30 },
	} {
		id := propose(w, a, settings(func(p *governancev1.Parameters) {
			p.Thresholds = []*governancev1.Threshold{share("remove_member", 90)}
			change(p)
		}))
		wantState(w, id, open)
		w.Must(a, &governancev1.WithdrawProposal{Proposal: id})
	}
	w.Must(b, yes(lower))
	wantState(w, lower, accepted)
}

// TestOpenProposalsFollowTheShares: when shares change, what is open is counted by the new
// ones.
func TestOpenProposalsFollowTheShares(t *testing.T) {
	w := rulestest.Found(t, 60, 40)
	id := propose(w, w.Founders[0], grant(governancev1.Role_ROLE_AUDITOR, w.Authority))
	wantState(w, id, open)
	w.Decide(thresholds(share("grant_role", 60)))
	wantState(w, id, accepted)
}

// TestRefusedThresholds walks what the shares must be.
func TestRefusedThresholds(t *testing.T) {
	w := rulestest.New(t)
	for name, x := range map[string]struct {
		want fault.Code
		list []*governancev1.Threshold
	}{
		"no such kind": {fault.OutOfRange, []*governancev1.Threshold{share("x", 60)}},
		"half":         {fault.OutOfRange, []*governancev1.Threshold{share("upgrade", 50)}},
		"more":         {fault.OutOfRange, []*governancev1.Threshold{share("upgrade", 101)}},
		"emergency":    {fault.OutOfRange, []*governancev1.Threshold{share("suspend", 60)}},
		"twice":        {fault.Malformed, []*governancev1.Threshold{share("upgrade", 60), share("upgrade", 60)}},
		"not in order": {fault.Malformed, []*governancev1.Threshold{share("upgrade", 60), share("admit", 60)}},
	} {
		if got := w.Do(w.Authority, &governancev1.Propose{Title: "x", Change: thresholds(x.list...)}); got != x.want {
			t.Errorf("%s: %s (%s), want %s", name, got, w.Text, x.want)
		}
	}
	for _, change := range []func(*governancev1.Parameters){
		func(p *governancev1.Parameters) { p.SuspensionPercent = 19 },
		func(p *governancev1.Parameters) { p.SuspensionPercent = 101 },
		func(p *governancev1.Parameters) { p.SuspensionDays = 31 },
		func(p *governancev1.Parameters) { p.AbsenceDays = 29 },
		func(p *governancev1.Parameters) { p.AbsenceDays = 366 },
	} {
		w.Want(fault.OutOfRange, w.Authority, &governancev1.Propose{Title: "x", Change: settings(change)})
	}
}

// TestOldParametersStand: a genesis of before has none of the new settings, and their
// defaults count.
func TestOldParametersStand(t *testing.T) {
	p := governance.Parameters(rulestest.New(t).View())
	if p.SuspensionPercent != 0 || len(p.Thresholds) != 0 {
		t.Fatalf("the standard parameters are %v: they are signed in a genesis of before", p)
	}
	if a, b, c := standard.SuspensionPercent(p), standard.SuspensionDays(p), standard.AbsenceDays(p); a != 34 || b != 7 || c != 90 {
		t.Errorf("%d %%, %d and %d days", a, b, c)
	}
}
