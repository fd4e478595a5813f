package governance

import (
	"mulian/internal/fault"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/rules/act"
	"mulian/state"
)

// verdict says what the ballots of an open proposal come to with the members of
// now: accepted if yes has the share that decides; rejected if it could not reach
// it even with every vote that is not cast; else still open.
func verdict(v state.View, p *governancev1.Proposal) governancev1.ProposalState {
	var total, yes, no uint64 // at most MaxMembers * MaxWeight
	for _, m := range Members(v) {
		total += uint64(m.Weight)
	}
	for _, b := range p.Ballots {
		m, ok := act.Members.Get(v, b.Org)
		switch {
		case !ok: // no member any more
		case b.Yes:
			yes += uint64(m.Weight)
		default:
			no += uint64(m.Weight)
		}
	}
	percent := uint64(Parameters(v).VotePercent)
	switch {
	case yes*100 >= percent*total:
		return governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED
	case (total-no)*100 < percent*total:
		return governancev1.ProposalState_PROPOSAL_STATE_REJECTED
	}
	return governancev1.ProposalState_PROPOSAL_STATE_OPEN
}

// count decides an open proposal if its ballots do, and carries out what was
// accepted. If that has become impossible the proposal is rejected, and the event
// names the code: to refuse the deciding vote instead would leave the proposal open
// until its end, though nothing can come of it. The caller writes p.
func count(a *act.Act, p *governancev1.Proposal) {
	switch verdict(a.Tx, p) {
	case governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED:
		if err := checkChange(a.Tx, "governance/carry_out", p.Change); err != nil {
			decide(a, p, governancev1.ProposalState_PROPOSAL_STATE_REJECTED, fault.CodeOf(err).String())
			return
		}
		decide(a, p, governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED, "")
		carryOut(a, p.Change)
	case governancev1.ProposalState_PROPOSAL_STATE_REJECTED:
		decide(a, p, governancev1.ProposalState_PROPOSAL_STATE_REJECTED, "")
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
