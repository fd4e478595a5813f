package governance

import (
	"fmt"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/identity"
	"mulian/state"
)

// Check returns the first breach of the invariants of this package that the state after
// the block at height and timeMs shows, or nil. It is for tests and audits: no verb asks
// it.
func Check(v state.View, height, timeMs int64) error {
	for _, breach := range []func(state.View) error{
		breachOfPower,
		breachOfProposals,
		func(v state.View) error { return checkParameters(v, "governance/check", Parameters(v)) },
		func(v state.View) error { return breachOfSuspensions(v, timeMs) },
		func(v state.View) error { return breachOfProtocol(v, height) },
	} {
		if err := breach(v); err != nil {
			return err
		}
	}
	return nil
}

// breachOfPower holds the invariants 1, 6 and 7.
func breachOfPower(v state.View) error {
	members, nodes := map[string]bool{}, Validators(v)
	for _, m := range Members(v) {
		members[m.Org] = true
		if err := checkMember("", &governancev1.Member{Weight: m.Weight}); err != nil {
			return fmt.Errorf("member %s: %w", m.Org, err)
		}
	}
	if len(members) == 0 || len(members) > MaxMembers || len(nodes) == 0 || len(nodes) > MaxValidators {
		return fmt.Errorf("%d members and %d validators", len(members), len(nodes))
	}
	pins := map[string]bool{}
	for _, n := range nodes {
		key := validatorKey(n.PublicKey)
		told, known := engine.Get(v, key)
		switch pin := string(n.Sm2Key); {
		case n.Power == 0 || n.Power > MaxPower:
			return fmt.Errorf("validator %s has power %d", key, n.Power)
		case !members[n.Org]:
			return fmt.Errorf("validator %s is run by %s, which is no member", key, n.Org)
		case !known || told != powerText(n):
			return fmt.Errorf("validator %s has power %d, the engine was told %q", key, n.Power, told)
		case pin != "" && pins[pin]:
			return fmt.Errorf("validator %s has the SM2 key of another one", key)
		default:
			pins[pin] = true
		}
	}
	if n := records(engine, v); n != len(nodes) {
		return fmt.Errorf("the engine knows %d validators of %d", n, len(nodes))
	}
	if n := records(changed, v); n != 0 {
		return fmt.Errorf("%d changes of validators were not told to the engine", n)
	}
	return nil
}

// breachOfProposals holds the invariants 2 to 4.
func breachOfProposals(v state.View) (err error) {
	waiting, all := map[string]int{}, 0
	proposals.Range(v, "", "", func(id string, p *governancev1.Proposal) bool {
		_, isOpen := open.Get(v, p.Proposer+"/"+id)
		_, isDue := due.Get(v, dueKey(p))
		undecided := p.State == governancev1.ProposalState_PROPOSAL_STATE_OPEN
		voted := map[string]bool{}
		for _, b := range p.Ballots {
			if voted[b.Org] {
				err = fmt.Errorf("proposal %s has two ballots of %s", id, b.Org)
			}
			voted[b.Org] = true
		}
		if undecided {
			all++
			waiting[p.Proposer]++
		}
		switch {
		case isOpen != undecided || isDue != undecided || undecided != (p.DecidedMs == 0):
			err = fmt.Errorf("proposal %s is %s, decided at %d, and stands as open %t and due %t", id, p.State, p.DecidedMs, isOpen, isDue)
		case waiting[p.Proposer] > MaxOpenEach || len(p.Ballots) > MaxBallots:
			err = fmt.Errorf("proposal %s: %d open ones of %s, %d ballots", id, waiting[p.Proposer], p.Proposer, len(p.Ballots))
		}
		return err == nil
	})
	if err == nil && (records(open, v) != all || records(due, v) != all) {
		err = fmt.Errorf("%d open proposals, %d stand as open and %d as due", all, records(open, v), records(due, v))
	}
	return err
}

// breachOfSuspensions holds what invariant 9 says of suspensions, and that account and
// record say the same.
func breachOfSuspensions(v state.View, timeMs int64) (err error) {
	lasts, ends, late := 0, 0, 0
	suspensions.Range(v, "", "", func(key string, s *governancev1.Suspension) bool {
		_, isLasting := lasting.Get(v, key)
		_, isEnding := ending.Get(v, endingKey(s))
		over := s.EndedMs != 0
		switch {
		case key != suspensionKey(s) || isLasting == over || isEnding != (!over && s.EndsMs != 0):
			err = fmt.Errorf("suspension %s, ended at %d, ends at %d, stands as lasting %t and ending %t", key, s.EndedMs, s.EndsMs, isLasting, isEnding)
		case !over && !stopped(v, s):
			err = fmt.Errorf("%s is suspended and signs", key)
		case s.EndsMs-s.SinceMs > maxSuspensionDays*dayMs:
			err = fmt.Errorf("the emergency of %s lasts %d ms", key, s.EndsMs-s.SinceMs)
		}
		if !over {
			lasts++
		}
		if isEnding {
			ends++
			if s.EndsMs <= timeMs {
				late++
			}
		}
		return err == nil
	})
	switch {
	case err != nil:
		return err
	case records(lasting, v) != lasts || records(ending, v) != ends:
		return fmt.Errorf("%d suspensions last and %d end; %d and %d stand so", lasts, ends, records(lasting, v), records(ending, v))
	case late > 0 && ends <= MaxExpired:
		return fmt.Errorf("%d suspensions should have ended", late)
	}
	return nil
}

// stopped reports whether what is suspended does not sign.
func stopped(v state.View, s *governancev1.Suspension) bool {
	acc, ok := identity.Shared(v, s.Account)
	if !ok || s.Key == "" {
		return ok && acc.State == identityv1.AccountState_ACCOUNT_STATE_SUSPENDED && acc.SuspendedBy == identity.ByVote
	}
	k, ok := identity.FindKey(v, acc, s.Key)
	return ok && (k.Suspended || k.State == identityv1.KeyState_KEY_STATE_REVOKED)
}

// breachOfProtocol holds what invariant 9 says of upgrades.
func breachOfProtocol(v state.View, height int64) error {
	p := Protocol(v)
	if p.InForce < firstProtocol || p.SinceHeight > height+1 {
		return fmt.Errorf("protocol %d is in force from block %d on, this is %d", p.InForce, p.SinceHeight, height)
	}
	if u := p.Pending; u != nil && (u.Height <= height+1 || u.Protocol <= p.InForce) {
		return fmt.Errorf("protocol %d waits for block %d, this is %d with protocol %d", u.Protocol, u.Height, height, p.InForce)
	}
	return nil
}

// records counts those of an index.
func records(x state.Index, v state.View) (n int) {
	x.Range(v, "", "", func(string, string) bool { n++; return true })
	return n
}
