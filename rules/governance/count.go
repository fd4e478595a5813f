package governance

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/state"
)

// votes are the weights of the members of now, and how much of them said what. A
// suspended member's weight stays in the total, and its ballot counts for nothing
// meanwhile: so nobody wins a vote by silencing others.
type votes struct {
	total, yes, no uint64 // at most MaxMembers * MaxWeight
}

func tally(v state.View, timeMs int64, p *governancev1.Proposal) (t votes) {
	for _, m := range Members(v) {
		t.total += uint64(m.Weight)
	}
	mute := silenced(v, timeMs)
	for _, b := range p.Ballots {
		m, ok := act.Members.Get(v, b.Org)
		switch {
		case !ok || mute[b.Org]: // no member any more, or none that speaks
		case b.Yes:
			t.yes += uint64(m.Weight)
		default:
			t.no += uint64(m.Weight)
		}
	}
	return t
}

// verdict says what the ballots of an open proposal come to with the members of
// now: accepted if yes has the share that decides; rejected if it could not reach
// it even with every vote that is not cast; else still open. To remove an absent member
// silence is a vote at the end ([lastVerdict]); that one is rejected when the
// member shows itself.
func verdict(v state.View, timeMs int64, p *governancev1.Proposal) governancev1.ProposalState {
	t, share := tally(v, timeMs, p), shareOf(v, p.Change)
	org, absent := p.Change.GetKind().(*governancev1.Change_RemoveAbsent)
	switch {
	case t.yes*100 >= share*t.total:
		return governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED
	case absent && present(v, p, org.RemoveAbsent),
		!absent && (t.total-t.no)*100 < share*t.total:
		return governancev1.ProposalState_PROPOSAL_STATE_REJECTED
	}
	return governancev1.ProposalState_PROPOSAL_STATE_OPEN
}

// shareOf is the percentage of all weights that decides the change now.
func shareOf(v state.View, c *governancev1.Change) uint64 {
	s, ok := suspensions.Get(v, suspensionKey(c.GetLiftSuspension()))
	return uint64(standard.Percent(Parameters(v), c, ok && s.EndsMs != 0))
}

// count decides an open proposal if its ballots do, and carries out what was
// accepted. If that has become impossible the proposal is rejected, and the event
// names the code: to refuse the deciding vote instead would leave the proposal open
// until its end, though nothing can come of it. The caller writes p.
func count(a *act.Act, p *governancev1.Proposal) {
	carry(a, p, verdict(a.Tx, a.TimeMs, p))
}

// carry does what a verdict says.
func carry(a *act.Act, p *governancev1.Proposal, s governancev1.ProposalState) {
	switch s {
	case governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED:
		if err := checkChange(a, "governance/carry_out", p.Change); err != nil {
			decide(a, p, governancev1.ProposalState_PROPOSAL_STATE_REJECTED, fault.CodeOf(err).String())
			return
		}
		decide(a, p, s, "")
		carryOut(a, p.Change)
	case governancev1.ProposalState_PROPOSAL_STATE_REJECTED, governancev1.ProposalState_PROPOSAL_STATE_EXPIRED:
		decide(a, p, s, "")
	}
}

// decide ends a proposal for good. The caller writes p.
func decide(a *act.Act, p *governancev1.Proposal, s governancev1.ProposalState, note string) {
	p.State, p.DecidedMs = s, a.TimeMs
	open.Delete(a.Tx, p.Proposer+"/"+p.Id)
	due.Delete(a.Tx, dueKey(p))
	a.Emit("governance/"+verbOf[s], note, subject("proposal", p.Id))
}

// verbOf names the decision in events.
var verbOf = [...]string{
	governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED:  "accepted",
	governancev1.ProposalState_PROPOSAL_STATE_REJECTED:  "rejected",
	governancev1.ProposalState_PROPOSAL_STATE_EXPIRED:   "expired",
	governancev1.ProposalState_PROPOSAL_STATE_WITHDRAWN: "withdrawn",
}
