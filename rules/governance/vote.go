package governance

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/act"
)

// Propose asks the members for a change. A member signs, ROOT; its own vote counts
// as yes at once, which may already decide. The id of the proposal is in the
// result.
//
// It returns, in this order: Forbidden; what is wrong with title and reason; what
// is wrong with the change, or why it could not be carried out now; Busy if
// MaxOpenEach proposals of the member are open.
func Propose(a *act.Act, m *governancev1.Propose) error {
	const rule = "governance/propose"
	member, err := needMember(a, rule)
	if err != nil {
		return err
	}
	if err := act.Line(rule, "title", m.Title, MaxTitle, true); err != nil {
		return err
	}
	if err := act.Text(rule, "reason", m.Reason, MaxReason, false); err != nil {
		return err
	}
	if err := checkChange(a, rule, m.Change); err != nil {
		return err
	}
	waiting := 0
	open.Range(a.Tx, member.Org+"/", "", func(string, string) bool { waiting++; return true })
	if waiting >= MaxOpenEach {
		return act.Refuse(fault.Busy, rule, "%s has %d open proposals, at most %d", member.Org, waiting, MaxOpenEach)
	}
	id := a.NewID()
	if proposals.Has(a.Tx, id) {
		return act.Refuse(fault.AlreadyExists, rule, "proposal %s is there already: send again", id)
	}
	p := &governancev1.Proposal{
		Id: id, Proposer: member.Org, Title: m.Title, Reason: m.Reason, Change: m.Change,
		State:     governancev1.ProposalState_PROPOSAL_STATE_OPEN,
		Ballots:   []*governancev1.Ballot{{Org: member.Org, Yes: true, Weight: member.Weight, AtMs: a.TimeMs}},
		CreatedMs: a.TimeMs, EndsMs: a.TimeMs + int64(standard.ProposalDays(Parameters(a.Tx), m.Change))*dayMs,
	}
	acted(a, member)
	open.Put(a.Tx, p.Proposer+"/"+p.Id, "")
	due.Put(a.Tx, dueKey(p), p.Id)
	a.Emit(rule, "", subject("proposal", p.Id), subject("member", member.Org))
	count(a, p)
	proposals.Put(a.Tx, p.Id, p)
	return nil
}

// CastVote gives a member's vote, once. The member signs, ROOT. The vote that
// decides carries the change out.
//
// It returns, in this order: Forbidden; what is wrong with the reason; NotFound;
// VoteClosed if the proposal is decided or has run out; AlreadyVoted; TooLong if
// it has MaxBallots.
func CastVote(a *act.Act, m *governancev1.CastVote) error {
	const rule = "governance/cast_vote"
	member, err := needMember(a, rule)
	if err != nil {
		return err
	}
	if err := act.Text(rule, "reason", m.Reason, MaxBallotReason, false); err != nil {
		return err
	}
	p, ok := proposals.Get(a.Tx, m.Proposal)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no proposal %.40q", m.Proposal)
	}
	if p.State != governancev1.ProposalState_PROPOSAL_STATE_OPEN || a.TimeMs >= p.EndsMs {
		return act.Refuse(fault.VoteClosed, rule, "proposal %s is %s, and ends at %d", p.Id, p.State, p.EndsMs)
	}
	for _, b := range p.Ballots {
		if b.Org == member.Org {
			return act.Refuse(fault.AlreadyVoted, rule, "%s has voted in %s", member.Org, p.Id)
		}
	}
	if len(p.Ballots) >= MaxBallots {
		return act.Refuse(fault.TooLong, rule, "proposal %s has %d ballots, at most %d", p.Id, len(p.Ballots), MaxBallots)
	}
	p.Ballots = append(p.Ballots, &governancev1.Ballot{Org: member.Org, Yes: m.Yes, Weight: member.Weight, AtMs: a.TimeMs, Reason: m.Reason})
	acted(a, member)
	note := "no"
	if m.Yes {
		note = "yes"
	}
	a.Emit(rule, note, subject("proposal", p.Id), subject("member", member.Org))
	count(a, p)
	proposals.Put(a.Tx, p.Id, p)
	return nil
}

// WithdrawProposal takes an open proposal back. Its proposer signs, ROOT, also if
// it is no member any more.
//
// It returns, in this order: NotFound; Forbidden; VoteClosed.
func WithdrawProposal(a *act.Act, m *governancev1.WithdrawProposal) error {
	const rule = "governance/withdraw_proposal"
	p, ok := proposals.Get(a.Tx, m.Proposal)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no proposal %.40q", m.Proposal)
	}
	if err := a.NeedOrg(p.Proposer, identityv1.KeyLevel_KEY_LEVEL_ROOT); err != nil {
		return err
	}
	if p.State != governancev1.ProposalState_PROPOSAL_STATE_OPEN || a.TimeMs >= p.EndsMs {
		return act.Refuse(fault.VoteClosed, rule, "proposal %s is %s, and ends at %d", p.Id, p.State, p.EndsMs)
	}
	decide(a, p, governancev1.ProposalState_PROPOSAL_STATE_WITHDRAWN, "")
	proposals.Put(a.Tx, p.Id, p)
	return nil
}

// acted notes that a member has proposed or voted.
func acted(a *act.Act, m *governancev1.Member) {
	m.ActedMs = a.TimeMs
	act.Members.Put(a.Tx, m.Org, m)
}

// needMember refuses with Forbidden unless a member signs, ROOT. Only the
// organisation's own account has ROOT keys.
func needMember(a *act.Act, rule string) (*governancev1.Member, error) {
	m, ok := act.Members.Get(a.Tx, a.Signer())
	if !ok {
		return nil, act.Refuse(fault.Forbidden, rule, "%s has no vote", a.Signer())
	}
	return m, a.Need(identityv1.KeyLevel_KEY_LEVEL_ROOT)
}
