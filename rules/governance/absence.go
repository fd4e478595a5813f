package governance

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// checkAbsent takes the removal of a member that is thought to be gone for ever. Whoever
// asks for it is there.
func checkAbsent(a *act.Act, rule, org string) error {
	if a.Account != nil && a.Signer() == org {
		return act.Refuse(fault.IllegalTransition, rule, "%s is not absent: it signs this", org)
	}
	return checkRemove(a.Tx, rule, org)
}

// present reports whether a member has shown itself since the proposal was made: by a
// vote in it, or by any vote or proposal later.
func present(v state.View, p *governancev1.Proposal, org string) bool {
	for _, b := range p.Ballots {
		if b.Org == org {
			return true
		}
	}
	m, ok := act.Members.Get(v, org)
	return ok && m.ActedMs > p.CreatedMs
}

// lastVerdict counts the removal of an absent member at its end. The weights of those
// that were silent since it was made are left out, the absent one's among them: a share
// of the rest decides. The rest has to be more than a third of all, the share that can
// keep any vote from passing as it is; a smaller rest is no consortium, and goes on with
// a new chain from a checkpoint.
func lastVerdict(v state.View, timeMs int64, p *governancev1.Proposal, org string) governancev1.ProposalState {
	if present(v, p, org) {
		return governancev1.ProposalState_PROPOSAL_STATE_REJECTED
	}
	var all, there uint64
	for _, m := range Members(v) {
		all += uint64(m.Weight)
		if m.Org != org && m.ActedMs >= p.CreatedMs {
			there += uint64(m.Weight)
		}
	}
	if there*3 > all && tally(v, timeMs, p).yes*100 >= shareOf(v, p.Change)*there {
		return governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED
	}
	return governancev1.ProposalState_PROPOSAL_STATE_EXPIRED
}
