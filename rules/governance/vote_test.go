package governance_test

import (
	"strings"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

const (
	open      = governancev1.ProposalState_PROPOSAL_STATE_OPEN
	accepted  = governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED
	rejected  = governancev1.ProposalState_PROPOSAL_STATE_REJECTED
	expired   = governancev1.ProposalState_PROPOSAL_STATE_EXPIRED
	withdrawn = governancev1.ProposalState_PROPOSAL_STATE_WITHDRAWN
)

func admit(org string, weight uint32) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_AdmitMember{AdmitMember: &governancev1.Member{Org: org, Weight: weight}}}
}

func remove(org string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_RemoveMember{RemoveMember: org}}
}

func grant(role governancev1.Role, account string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: &governancev1.RoleGrant{Role: role, Account: account}}}
}

func revoke(role governancev1.Role, account string) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_RevokeRole{RevokeRole: &governancev1.RoleGrant{Role: role, Account: account}}}
}

func settings(change func(*governancev1.Parameters)) *governancev1.Change {
	p := standard.Parameters()
	change(p)
	return &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}}
}

func node(w *rulestest.World, org string, power uint64) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_SetValidator{SetValidator: &governancev1.Validator{PublicKey: w.NodeKey(org), Power: power, Org: org, Name: "node"}}}
}

// onBoard takes an organisation on board with its node.
func onBoard(w *rulestest.World, org string, weight uint32) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_Admit{Admit: &governancev1.Admission{
		Member: &governancev1.Member{Org: org, Weight: weight}, Validator: node(w, org, 5).GetSetValidator(),
	}}}
}

func yes(id string) *governancev1.CastVote { return &governancev1.CastVote{Proposal: id, Yes: true} }
func no(id string) *governancev1.CastVote  { return &governancev1.CastVote{Proposal: id} }

// propose makes a proposal that passes and returns its id.
func propose(w *rulestest.World, by string, c *governancev1.Change) string {
	w.TB.Helper()
	return w.Must(by, &governancev1.Propose{Title: "一项决定", Change: c})[0]
}

// wantState fails the test unless the proposal is in that state.
func wantState(w *rulestest.World, id string, want governancev1.ProposalState) {
	w.TB.Helper()
	if p, ok := governance.Lookup(w.View(), id); !ok || p.State != want {
		w.TB.Fatalf("proposal %s is %v, want %s", id, p.GetState(), want)
	}
}

type proposing = rulestest.Try[*governancev1.Propose]

func TestPropose(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *proposing {
		w := rulestest.Found(t, 50, 50)
		return &proposing{World: w, Account: w.Founders[1], Message: &governancev1.Propose{Title: "加入", Change: admit(w.Org("税务局"), 10)}}
	}, []rulestest.Breach[*governancev1.Propose]{
		{Name: "no member", Want: fault.Forbidden, Break: func(c *proposing) { c.Account = rulestest.Code(3) }},
		{Name: "title", Want: fault.Missing, Break: func(c *proposing) { c.Message.Title = "" }},
		{Name: "reason", Want: fault.TooLong, Break: func(c *proposing) { c.Message.Reason = strings.Repeat("因", 2001) }},
		{Name: "nothing to change", Want: fault.Missing, Break: func(c *proposing) { c.Message.Change = nil }},
		{Name: "impossible", Want: fault.OutOfRange, Break: func(c *proposing) { c.Message.Change = admit(c.Founders[0], 101) }},
		{Name: "too many open", Want: fault.Busy, Break: func(c *proposing) {
			for range governance.MaxOpenEach {
				propose(c.World, c.Founders[1], admit(c.Founders[0], 60))
			}
		}},
	})
}

type voting = rulestest.Try[*governancev1.CastVote]

func TestCastVote(t *testing.T) {
	rulestest.Order(t, func(t *testing.T) *voting {
		w := rulestest.Found(t, 30, 30, 40)
		id := propose(w, w.Founders[0], admit(w.Org("税务局"), 10))
		return &voting{World: w, Account: w.Founders[1], Message: no(id)}
	}, []rulestest.Breach[*governancev1.CastVote]{
		{Name: "no member", Want: fault.Forbidden, Break: func(c *voting) { c.Account = rulestest.Code(4) }},
		{Name: "reason", Want: fault.Malformed, Break: func(c *voting) { c.Message.Reason = "\x00" }},
		{Name: "no such proposal", Want: fault.NotFound, Break: func(c *voting) { c.Message.Proposal = "1" }},
		{Name: "run out, to the millisecond", Want: fault.VoteClosed, Break: func(c *voting) { c.Now += 30 * rulestest.Day }},
		{Name: "voted", Want: fault.AlreadyVoted, Break: func(c *voting) { c.Must(c.Account, no(c.Message.Proposal)) }},
	})
}

// TestLowerKeys: a member votes by its ROOT key, and by nobody who acts for it.
func TestLowerKeys(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	id := propose(w, w.Founders[0], admit(w.Founders[0], 60))
	post := w.Post(w.Founders[1], "officer")
	w.Want(fault.Forbidden, post, yes(id))
	if code := w.DoAs(w.Founders[1], identityv1.KeyLevel_KEY_LEVEL_OFFICER, yes(id)); code != fault.Forbidden {
		t.Errorf("an OFFICER key voted: %s", code)
	}
	w.Must(w.Founders[1], yes(id))
	wantState(w, id, accepted)
}

// TestDecision walks a proposal to each of its ends.
func TestDecision(t *testing.T) {
	w := rulestest.Found(t, 40, 30, 30)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	tax := w.Org("税务局")

	id := propose(w, a, admit(tax, 10))
	w.Must(b, yes(id)) // 70 of 100, 67 decide
	wantState(w, id, accepted)
	if _, ok := governance.Member(w.View(), tax); !ok {
		t.Fatal("accepted, and not carried out in the same block")
	}
	w.Want(fault.VoteClosed, c, yes(id))
	w.Want(fault.VoteClosed, a, &governancev1.WithdrawProposal{Proposal: id})

	id = propose(w, tax, remove(a))
	w.Must(a, no(id)) // 40 of 110: 70 left, 73.7 needed
	wantState(w, id, rejected)

	id = propose(w, tax, admit(tax, 20))
	w.Want(fault.Forbidden, a, &governancev1.WithdrawProposal{Proposal: id})
	w.Must(tax, &governancev1.WithdrawProposal{Proposal: id})
	wantState(w, id, withdrawn)
	w.Want(fault.NotFound, a, &governancev1.WithdrawProposal{Proposal: "x"})

	id = propose(w, tax, admit(tax, 20))
	w.Wait(30*rulestest.Day - 1)
	wantState(w, id, open)
	w.Wait(1)
	wantState(w, id, expired)
	w.Want(fault.VoteClosed, a, yes(id))
}

// TestExactShare: the share that decides is reached exactly, not nearly.
func TestExactShare(t *testing.T) {
	for _, tt := range []struct {
		percent uint32
		weights []uint32
		want    governancev1.ProposalState // after the yes of the first member
	}{
		{67, []uint32{67, 33}, accepted},
		{67, []uint32{66, 34}, open},
		{51, []uint32{50, 50}, open},
		{51, []uint32{51, 49}, accepted},
		{67, []uint32{2, 1}, open}, // 66.7 %
		{100, []uint32{99, 1}, open},
		{100, []uint32{100}, accepted},
	} {
		w := rulestest.FoundWith(t, func(g *governancev1.Genesis) { g.Parameters.VotePercent = tt.percent }, tt.weights...)
		id := propose(w, w.Founders[0], grant(governancev1.Role_ROLE_AUDITOR, w.Founders[0]))
		wantState(w, id, tt.want)
	}
}

// TestGoneForEver: a member that never votes again. What the others can decide they
// can decide without it, also its removal; what they cannot runs out, and does not
// stand in the way of the next proposal.
func TestGoneForEver(t *testing.T) {
	w := rulestest.Found(t, 30, 35, 35)
	gone, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	id := propose(w, b, remove(gone))
	w.Must(c, yes(id))
	wantState(w, id, accepted)
	if len(w.Validators) != 1 || w.Validators[0].Power != 0 {
		t.Fatalf("its validator went with it: %v", w.Validators)
	}
	if n := len(governance.Validators(w.View())); n != 2 {
		t.Errorf("%d validators are left", n)
	}

	w = rulestest.Found(t, 50, 25, 25)
	b, c = w.Founders[1], w.Founders[2]
	for range 3 {
		id := propose(w, b, remove(w.Founders[0]))
		w.Must(c, yes(id))
		wantState(w, id, open) // 50 of 100: for ever
		w.Wait(30 * rulestest.Day)
		wantState(w, id, expired)
	}
	if acc := w.Org("税务局"); acc == "" { // the ledger goes on
		t.Fatal()
	}
}

// TestNobodyIsLeftOut: the last member, the last validator, a member that runs all
// validators, and a share that nobody can reach.
func TestNobodyIsLeftOut(t *testing.T) {
	refused := func(w *rulestest.World, want fault.Code, c *governancev1.Change) {
		t.Helper()
		w.Want(want, w.Founders[0], &governancev1.Propose{Title: "x", Change: c})
	}
	w := rulestest.New(t)
	refused(w, fault.IllegalTransition, remove(w.Authority))
	refused(w, fault.IllegalTransition, node(w, w.Authority, 0))
	for _, percent := range []uint32{0, 50, 101} {
		refused(w, fault.OutOfRange, settings(func(p *governancev1.Parameters) { p.VotePercent = percent }))
	}
	refused(w, fault.OutOfRange, settings(func(p *governancev1.Parameters) { p.TxLifetimeSeconds = 1 }))
	refused(w, fault.OutOfRange, settings(func(p *governancev1.Parameters) { p.MaxTxBytes = 100 }))
	refused(w, fault.OutOfRange, settings(func(p *governancev1.Parameters) { p.DefaultAgreementDays = p.MaxAgreementDays + 1 }))
	refused(w, fault.OutOfRange, settings(func(p *governancev1.Parameters) { p.TxPerMinute = 1 }))

	tax := w.Org("税务局")
	w.Decide(admit(tax, 100))
	w.Must(w.Authority, &governancev1.Propose{Title: "x", Change: admit(tax, 90)})
	refused(w, fault.IllegalTransition, remove(w.Authority)) // it runs the only validator
	w.Founders = append(w.Founders, tax)
	w.Decide(node(w, tax, 7))
	w.Decide(remove(w.Authority))
	if got := governance.Members(w.View()); len(got) != 1 || got[0].Org != tax {
		t.Fatalf("members are %v", got)
	}
}

// TestRefusedChanges: what cannot be carried out is not even put to the vote.
func TestRefusedChanges(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	tax := w.Org("税务局")
	w.Must(w.Authority, &identityv1.SuspendAccount{Account: tax, Cause: "x"})
	since := admit(w.Founders[1], 60)
	since.GetAdmitMember().SinceMs = 1
	badKey := node(w, w.Founders[0], 1)
	badKey.GetSetValidator().PublicKey = make([]byte, 32)
	water, there := w.Org("水务局"), governance.Validators(w.View())[0].PublicKey
	admission := func(change func(*governancev1.Admission)) *governancev1.Change {
		c := onBoard(w, water, 1)
		change(c.GetAdmit())
		return c
	}
	for name, tt := range map[string]struct {
		want   fault.Code
		change *governancev1.Change
	}{
		"no such organisation":  {fault.NotFound, admit(rulestest.Code(99), 1)},
		"a person":              {fault.NotFound, admit(w.Person(1), 1)},
		"suspended":             {fault.Suspended, admit(tax, 1)},
		"weight nothing":        {fault.OutOfRange, admit(w.Founders[1], 0)},
		"same weight":           {fault.AlreadyExists, admit(w.Founders[1], 50)},
		"since is the ledger's": {fault.Malformed, since},
		"remove no member":      {fault.NotFound, remove(tax)},
		"no such role":          {fault.OutOfRange, grant(governancev1.Role_ROLE_CUSTODIAN+1, tax)},
		"role of nobody":        {fault.NotFound, grant(1, "x")},
		"role held":             {fault.AlreadyExists, grant(1, w.Authority)},
		"role not held":         {fault.NotFound, revoke(4, w.Authority)},
		"admission of nobody":   {fault.Missing, &governancev1.Change{Kind: &governancev1.Change_Admit{Admit: &governancev1.Admission{}}}},
		"admission, no power":   {fault.OutOfRange, admission(func(a *governancev1.Admission) { a.Validator.Power = 0 })},
		"admission, another's":  {fault.CodeInconsistent, admission(func(a *governancev1.Admission) { a.Validator.Org = w.Authority })},
		"admission of a member": {fault.AlreadyExists, admission(func(a *governancev1.Admission) { // with a node that is not there
			a.Member.Org, a.Validator.Org = w.Founders[1], w.Founders[1]
		})},
		"admission, node there":   {fault.AlreadyExists, admission(func(a *governancev1.Admission) { a.Validator.PublicKey = there })},
		"admission, suspended":    {fault.Suspended, onBoard(w, tax, 1)},
		"admission, weight":       {fault.OutOfRange, admission(func(a *governancev1.Admission) { a.Member.Weight = 0 })},
		"admission, bad key":      {fault.Malformed, admission(func(a *governancev1.Admission) { a.Validator.PublicKey = make([]byte, 32) })},
		"admission, no name":      {fault.Missing, admission(func(a *governancev1.Admission) { a.Validator.Name = "" })},
		"validator of a stranger": {fault.NotFound, node(w, tax, 1)},
		"validator's key":         {fault.Malformed, badKey},
		"validator too strong":    {fault.OutOfRange, node(w, w.Founders[0], governance.MaxPower+1)},
		"validator not there":     {fault.NotFound, node(w, tax, 0)},
	} {
		if got := w.Do(w.Authority, &governancev1.Propose{Title: "x", Change: tt.change}); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, got, w.Text, tt.want)
		}
	}
}

// TestAdmission: one vote makes a member and its validator, in the same block.
func TestAdmission(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	water := w.Org("水务局")
	before := len(governance.Validators(w.View()))
	id := propose(w, w.Founders[0], onBoard(w, water, 20))
	if _, on := governance.Member(w.View(), water); on {
		t.Fatal("a member before the vote")
	}
	w.Must(w.Founders[1], yes(id))
	wantState(w, id, accepted)
	m, on := governance.Member(w.View(), water)
	if !on || m.Weight != 20 || m.SinceMs == 0 {
		t.Errorf("member %v", m)
	}
	if now := governance.Validators(w.View()); len(now) != before+1 {
		t.Errorf("%d validators after %d", len(now), before)
	}
	w.Want(fault.AlreadyExists, water, &governancev1.Propose{Title: "x", Change: onBoard(w, water, 20)}) // it votes now
}

// TestRoles: given and taken by vote, and in force in the next block.
func TestRoles(t *testing.T) {
	w := rulestest.New(t)
	tax := w.Org("税务局")
	register := &identityv1.RegisterOrg{Code: rulestest.Code(50), Profile: rulestest.Profile("水务局"), Keys: w.Account(tax).Keys[:0]}
	w.Want(fault.Forbidden, tax, register)
	w.Decide(grant(governancev1.Role_ROLE_AUTHORITY, tax))
	w.Want(fault.Missing, tax, register) // allowed now; it has no keys
	w.Decide(revoke(governancev1.Role_ROLE_AUTHORITY, tax))
	w.Want(fault.Forbidden, tax, register)
}

// TestRemovedWithBallots: a member's ballots go with its membership. What the others
// have voted for is counted again in the same block, without a new vote.
func TestRemovedWithBallots(t *testing.T) {
	w := rulestest.Found(t, 25, 25, 25, 25)
	a, b, c, d := w.Founders[0], w.Founders[1], w.Founders[2], w.Founders[3]

	// d and c are for it, and need one more; then d is removed.
	wanted := propose(w, d, grant(governancev1.Role_ROLE_AUDITOR, a))
	w.Must(c, yes(wanted))
	// a and b are for it: 50 of 100, and with 75 in all 66.7 %: not enough either.
	nearly := propose(w, a, grant(governancev1.Role_ROLE_AUDITOR, b))
	w.Must(b, yes(nearly))
	// a, b against d's wish: 50 of 100 left for it, so it is rejected at once.
	lost := propose(w, d, admit(d, 90))
	w.Must(a, no(lost))
	w.Must(b, no(lost))
	wantState(w, lost, rejected)

	out := propose(w, a, remove(d))
	w.Must(b, yes(out))
	w.Must(c, yes(out))
	wantState(w, out, accepted)
	wantState(w, wanted, open) // 25 of 75
	wantState(w, nearly, open) // 50 of 75
	w.Want(fault.Forbidden, d, yes(nearly))
	w.Must(d, &governancev1.WithdrawProposal{Proposal: wanted}) // its own, all the same
	wantState(w, wanted, withdrawn)

	// c is reduced: 50 of 60 now decide, and nobody needs to vote again.
	less := propose(w, a, admit(c, 10))
	w.Must(b, yes(less))
	w.Must(c, yes(less))
	wantState(w, less, accepted)
	wantState(w, nearly, accepted)
}

// TestShareLowered: open proposals are decided by a new share in the block in which it
// comes into force; one that has run out is not.
func TestShareLowered(t *testing.T) {
	w := rulestest.FoundWith(t, func(g *governancev1.Genesis) { g.Parameters.VotePercent = 100 }, 60, 20, 20)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	role := propose(w, a, grant(governancev1.Role_ROLE_AUDITOR, a))
	lower := propose(w, a, settings(func(p *governancev1.Parameters) { p.VotePercent = 60 }))
	w.Must(b, yes(lower))
	wantState(w, role, open)
	w.Must(c, yes(lower))
	wantState(w, role, accepted)
}

// TestImpossibleWhenAccepted: a change that has become impossible while it was open is
// rejected by the vote that would have accepted it.
func TestImpossibleWhenAccepted(t *testing.T) {
	w := rulestest.Found(t, 40, 30, 30)
	tax := w.Org("税务局")
	first, second := propose(w, w.Founders[0], admit(tax, 1)), propose(w, w.Founders[1], admit(tax, 1))
	w.Must(w.Founders[1], yes(first))
	wantState(w, first, accepted)
	w.Must(w.Founders[0], yes(second))
	wantState(w, second, rejected)
	ev := w.Events()
	if last := ev[len(ev)-1]; last.Verb != "governance/rejected" || last.Note != fault.AlreadyExists.String() {
		t.Errorf("the event says %v", last)
	}
}

// TestAWaveOfDecisions: each decision lets the next one through. One is carried out in
// each block, so that the work of a block is bounded, and all are in the end.
func TestAWaveOfDecisions(t *testing.T) {
	w := rulestest.FoundWith(t, func(g *governancev1.Genesis) { g.Parameters.VotePercent = 100 }, 55, 20, 25)
	a, b, c := w.Founders[0], w.Founders[1], w.Founders[2]
	lower := func(by string, percent uint32) string {
		return propose(w, by, settings(func(p *governancev1.Parameters) { p.VotePercent = percent }))
	}
	third := lower(a, 51)  // a alone: 55
	second := lower(b, 55) // a and b: 75
	w.Must(a, yes(second))
	first := lower(c, 75)
	w.Must(a, yes(first))
	w.Must(b, yes(first)) // all: accepted
	wantState(w, first, accepted)
	wantState(w, second, accepted) // at the end of the same block
	wantState(w, third, open)
	w.Block()
	wantState(w, third, accepted)
	if p := governance.Parameters(w.View()); p.VotePercent != 51 {
		t.Errorf("the share is %d", p.VotePercent)
	}
}

// TestManyRunOut: more proposals than one block may end run out over some blocks, and
// nobody can vote meanwhile.
func TestManyRunOut(t *testing.T) {
	weights := make([]uint32, 30)
	for i := range weights {
		weights[i] = 3
	}
	w := rulestest.Found(t, weights...)
	var ids []string
	for _, f := range w.Founders {
		for range governance.MaxOpenEach {
			ids = append(ids, propose(w, f, admit(w.Founders[0], 4)))
		}
	}
	w.Wait(30 * rulestest.Day)
	count := func() (n int) {
		for _, id := range ids {
			if p, _ := governance.Lookup(w.View(), id); p.State == expired {
				n++
			}
		}
		return n
	}
	if n := count(); n != governance.MaxExpired {
		t.Errorf("%d of %d ran out in one block", n, len(ids))
	}
	w.Want(fault.VoteClosed, w.Founders[1], yes(ids[len(ids)-1]))
	if n := count(); n != len(ids) {
		t.Errorf("%d of %d ran out in two blocks", n, len(ids))
	}
}

// TestEngineIsToldOnce: what the engine hears is the difference to what it knows.
func TestEngineIsToldOnce(t *testing.T) {
	w := rulestest.New(t)
	tax := w.Org("税务局")
	w.Decide(admit(tax, 1))
	told := func(want int) {
		t.Helper()
		if len(w.Validators) != want {
			t.Fatalf("the engine is told %v, want %d", w.Validators, want)
		}
	}
	change := func(c *governancev1.Change) *governancev1.Propose {
		return &governancev1.Propose{Title: "x", Change: c}
	}
	w.Must(w.Authority, change(node(w, tax, 5)))
	told(1)
	w.Block()
	told(0)
	w.Must(w.Authority, change(node(w, tax, 9)), change(node(w, tax, 5))) // there and back within a block
	told(0)
	w.Must(w.Authority, change(node(w, tax, 0)), change(node(w, tax, 6)))
	told(1)
	w.Must(w.Authority, change(node(w, tax, 0)))
	told(1)
	w.Must(w.Authority, change(node(w, tax, 6)), change(node(w, tax, 0))) // came and went: never heard of
	told(0)
}

// TestMembersAreNotSilenced: the authority cannot suspend a member, and can as soon as
// it is none.
func TestMembersAreNotSilenced(t *testing.T) {
	w := rulestest.Found(t, 40, 30, 30)
	other := w.Founders[2]
	stop := &identityv1.SuspendAccount{Account: other, Cause: "x"}
	w.Want(fault.Forbidden, w.Authority, stop)
	w.Decide(remove(other))
	w.Must(w.Authority, stop)
	if !identity.Suspended(w.View(), w.Account(other)) {
		t.Error("not suspended")
	}
}
