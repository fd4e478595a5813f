package governance_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

const root = identityv1.KeyLevel_KEY_LEVEL_ROOT

func suspend(account, key string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_Suspend{Suspend: &governancev1.Suspension{Account: account, Key: key, Cause: "密钥疑似泄露"}}}
}

func confirm(account, key string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_ConfirmSuspension{ConfirmSuspension: &governancev1.Suspension{Account: account, Key: key}}}
}

func lift(account, key string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_LiftSuspension{LiftSuspension: &governancev1.Suspension{Account: account, Key: key}}}
}

// silent checks that the account, or its ROOT key, signs nothing.
func silent(w *rulestest.World, org string) {
	w.TB.Helper()
	w.Want(fault.Suspended, org, &governancev1.Propose{Title: "x", Change: admit(org, 7)})
}

// TestEmergencySuspension: a third of the weights stops a member at once, and its ballots
// with it; after a week it is over by itself.
func TestEmergencySuspension(t *testing.T) {
	w := rulestest.Found(t, 34, 33, 33)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	pending := propose(w, c, admit(w.Org("税务局"), 10))
	before := powers(w)
	id := propose(w, a, suspend(c, ""))
	wantState(w, id, accepted)
	silent(w, c)
	if acc := w.Account(c); acc.SuspendedBy != identity.ByVote || acc.SuspendedCause == "" {
		t.Errorf("the account is %v", acc)
	}
	if after := powers(w); len(after) != len(before) || after[string(w.NodeKey(c))] != 10 {
		t.Errorf("validators were %v and are %v: an emergency moves no power", before, after)
	}
	if s := governance.Suspended(w.View()); len(s) != 1 || s[0].Account != c || s[0].EndsMs != w.Now+7*rulestest.Day {
		t.Errorf("suspended are %v", s)
	}
	w.Want(fault.Forbidden, a, &identityv1.ResumeAccount{Account: c}) // a is the authority
	w.Must(b, yes(pending))
	w.Must(a, yes(pending)) // 67 of 100; the ballot of c does not count
	wantState(w, pending, accepted)

	w.Wait(7*rulestest.Day - 1)
	silent(w, c)
	w.Wait(1)
	w.Must(c, &governancev1.Propose{Title: "x", Change: admit(c, 10)})
	if s := governance.Suspended(w.View()); len(s) != 0 {
		t.Errorf("suspended are %v", s)
	}
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(c, "")}) // not for ever
	w.Wait(7 * rulestest.Day)
	id = propose(w, a, suspend(c, ""))
	wantState(w, id, open) // there is one member more: 34 of 110
	w.Must(b, yes(id))
	silent(w, c)
}

// TestSilenceWinsNoVote: whoever silences another decides nothing more than before, and
// the other's earlier ballot comes back with it.
func TestSilenceWinsNoVote(t *testing.T) {
	w := rulestest.Found(t, 45, 15, 40)
	a, c := w.Founders[0], w.Founders[2]
	against := propose(w, a, settings(func(p *governancev1.Parameters) { p.VoteDays = 20 }))
	shared := propose(w, c, settings(func(p *governancev1.Parameters) { p.VoteDays = 10 }))
	w.Must(a, yes(shared)) // 85: accepted at once
	wantState(w, shared, accepted)
	mine := propose(w, c, admit(w.Org("税务局"), 10))
	propose(w, a, suspend(c, ""))
	silent(w, c)
	own := propose(w, a, confirm(c, ""))
	wantState(w, own, open) // 45 of 100, though 75 % of those who can speak
	wantState(w, against, open)
	w.Must(a, yes(mine))
	wantState(w, mine, open) // the proposer is silenced: 45
	w.Decide(lift(c, ""))
	w.Block()
	wantState(w, mine, accepted) // 85, counted again
	wantState(w, own, open)
	if p, _ := governance.Lookup(w.View(), own); p != nil {
		w.Must(w.Founders[1], yes(own))
		wantState(w, own, open) // 60 of 110
	}
}

// TestTheManyAreNotSilenced: no emergency takes the voice of half of the votes.
func TestTheManyAreNotSilenced(t *testing.T) {
	two := rulestest.Found(t, 50, 50)
	two.Want(fault.IllegalTransition, two.Founders[0], &governancev1.Propose{Title: "x", Change: suspend(two.Founders[1], "")})
	two.Want(fault.IllegalTransition, two.Founders[0], &governancev1.Propose{Title: "x", Change: suspend(two.Founders[1], two.Key(two.Founders[1], root).Public().ID())})
	one := rulestest.New(t)
	one.Want(fault.IllegalTransition, one.Authority, &governancev1.Propose{Title: "x", Change: suspend(one.Authority, "")})

	w := rulestest.Found(t, 40, 20, 20, 20)
	a := w.Founders[0]
	propose(w, a, suspend(w.Founders[1], ""))
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(w.Founders[2], "") /* 60 would be left of which 20 are mute */}, &governancev1.Propose{Title: "y", Change: suspend(w.Founders[3], "")})
	w.Must(a, &governancev1.Propose{Title: "x", Change: suspend(w.Org("水务局"), "")}) // no member: nobody's voice
}

// TestConfirmedSuspension lasts until it is lifted by the regular share.
func TestConfirmedSuspension(t *testing.T) {
	w := rulestest.Found(t, 34, 33, 33)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	propose(w, a, suspend(c, ""))
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(c, "")})
	id := propose(w, a, confirm(c, ""))
	wantState(w, id, open)
	w.Must(b, yes(id))
	wantState(w, id, accepted)
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: confirm(c, "")})
	w.Wait(100 * rulestest.Day)
	silent(w, c)
	id = propose(w, a, lift(c, ""))
	wantState(w, id, open)
	w.Must(b, yes(id))
	wantState(w, id, accepted)
	w.Must(c, &governancev1.Propose{Title: "x", Change: admit(c, 10)})
	w.Want(fault.NotFound, a, &governancev1.Propose{Title: "x", Change: lift(c, "")})
}

// TestAnEmergencyIsLiftedAsItCame: a third of the weights lifts what a third did.
func TestAnEmergencyIsLiftedAsItCame(t *testing.T) {
	w := rulestest.Found(t, 30, 35, 35)
	propose(w, w.Founders[1], suspend(w.Founders[0], ""))
	wantState(w, propose(w, w.Founders[2], lift(w.Founders[0], "")), accepted)
	w.Must(w.Founders[0], &governancev1.Propose{Title: "x", Change: admit(w.Founders[0], 31)})
}

// TestSuspendedKey: one key of an organisation stops, the others go on; it is replaced by
// its organisation meanwhile, and what was revoked does not come back.
func TestSuspendedKey(t *testing.T) {
	w := rulestest.Found(t, 34, 33, 33)
	a, c := w.Founders[0], w.Founders[2]
	second := w.Named(c, root, "second")
	w.Must(c, &identityv1.AddKey{Account: c, Key: rulestest.PublicKey(second.Public(), root)})
	stolen := w.Key(c, root).Public().ID()
	propose(w, a, suspend(c, stolen))
	silent(w, c) // with that key
	vote := propose(w, a, admit(w.Org("税务局"), 10))
	if code := w.DoWith(c, second, yes(vote)); code != 0 {
		t.Fatalf("the other key: %s (%s)", code, w.Text)
	}
	wantState(w, vote, accepted) // 67: the member still speaks
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(c, stolen)})
	if code := w.DoWith(c, second, &identityv1.RevokeKey{Account: c, Key: stolen}); code != 0 {
		t.Fatalf("the organisation may revoke it at once: %s (%s)", code, w.Text)
	}
	w.Wait(7 * rulestest.Day)
	w.Want(fault.KeyRevoked, c, &governancev1.Propose{Title: "x", Change: admit(c, 7)})
	if err := identity.Check(w.Account(c)); err != nil {
		t.Error(err)
	}
}

// TestRefusedSuspensions walks what a suspension must be.
func TestRefusedSuspensions(t *testing.T) {
	w := rulestest.Found(t, 34, 33, 33)
	a, c := w.Founders[0], w.Founders[2]
	for name, x := range map[string]struct {
		want   fault.Code
		change *governancev1.Change
	}{
		"nobody":         {fault.Missing, suspend("", "")},
		"no account":     {fault.NotFound, suspend("x", "")},
		"no key":         {fault.NotFound, suspend(c, "0123456789abcdef")},
		"half a key":     {fault.Malformed, suspend(c, "0123")},
		"another's key":  {fault.NotFound, suspend(c, w.Key(a, root).Public().ID())},
		"not suspended":  {fault.NotFound, lift(c, "")},
		"nothing to say": {fault.NotFound, confirm(c, "")},
	} {
		w.Want(x.want, a, &governancev1.Propose{Title: name, Change: x.change})
	}
	set := suspend(c, "")
	set.GetSuspend().EndsMs = 1
	w.Want(fault.Malformed, a, &governancev1.Propose{Title: "x", Change: set})
	bare := suspend(c, "")
	bare.GetSuspend().Cause = ""
	w.Want(fault.Missing, a, &governancev1.Propose{Title: "x", Change: bare})
}

// TestAKeyThatEndsIsNoVoice: whoever has besides the suspended ROOT key only one that
// ends in the meantime is silenced, with all that holds for that.
func TestAKeyThatEndsIsNoVoice(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	a, b := w.Founders[0], w.Founders[1]
	second := rulestest.PublicKey(w.Named(b, root, "second").Public(), root)
	second.EndsMs = w.Now + 6*rulestest.Day
	w.Must(b, &identityv1.AddKey{Account: b, Key: second})
	first := w.Key(b, root).Public().ID()
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(b, first)}) // it would not speak on the seventh day
	w.Wait(6 * rulestest.Day)
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(b, first)}) // nor now

	third := rulestest.PublicKey(w.Named(b, root, "third").Public(), root)
	w.Must(b, &identityv1.AddKey{Account: b, Key: third})
	wantState(w, propose(w, a, suspend(b, first)), accepted)
}

// TestOneSilenceDoesNotFollowAnother: a member's account after its key, or the key after
// the account, makes no longer silence than one.
func TestOneSilenceDoesNotFollowAnother(t *testing.T) {
	w := rulestest.Found(t, 34, 33, 33)
	a, c := w.Founders[0], w.Founders[2]
	key := w.Key(c, root).Public().ID()
	wantState(w, propose(w, a, suspend(c, key)), accepted)
	end := w.Now + 7*rulestest.Day
	w.Wait(7*rulestest.Day - 1)
	wantState(w, propose(w, a, suspend(c, "")), accepted)
	for _, s := range governance.Suspended(w.View()) {
		if s.EndsMs != end {
			t.Errorf("%v, the silence ends at %d", s, end)
		}
	}
	w.Wait(1)
	w.Must(c, &governancev1.Propose{Title: "x", Change: admit(c, 10)})
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(c, key)})
}

// TestNothingIsSuspendedForEver: what a few stop has its pause, member or not.
func TestNothingIsSuspendedForEver(t *testing.T) {
	w := rulestest.Found(t, 34, 33, 33)
	a, b := w.Founders[0], w.Founders[1]
	other, gateway := w.Org("水务局"), w.Gateway(b, "gw-1")
	for _, account := range []string{other, gateway} {
		wantState(w, propose(w, a, suspend(account, "")), accepted)
	}
	w.Wait(7 * rulestest.Day)
	for _, account := range []string{other, gateway} {
		w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: suspend(account, "")})
	}
	w.Wait(7 * rulestest.Day)
	for _, account := range []string{other, gateway} {
		wantState(w, propose(w, a, suspend(account, "")), accepted)
	}
}

// TestAnAbsentMemberHadTimeToSpeak: no emergency lasts for all the time in which a member
// has to show itself.
func TestAnAbsentMemberHadTimeToSpeak(t *testing.T) {
	w := rulestest.Found(t, 100)
	w.Want(fault.OutOfRange, w.Authority, &governancev1.Propose{Title: "x", Change: settings(func(p *governancev1.Parameters) { p.AbsenceDays, p.SuspensionDays = 30, 30 })})
	w.Decide(settings(func(p *governancev1.Parameters) { p.AbsenceDays, p.SuspensionDays = 30, 15 }))
	w.Want(fault.OutOfRange, w.Authority, &governancev1.Propose{Title: "x", Change: settings(func(p *governancev1.Parameters) { p.AbsenceDays, p.SuspensionDays = 30, 16 })})
}
