package client

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/standard"
)

// Votes are what the ballots of a proposal come to with the consortium as it is, as the
// rules count them. It is for people; what is decided, the ledger says.
type Votes struct {
	Percent  uint32   `json:"percent"`            // share of all weights that decides
	Total    uint32   `json:"total"`              // weights of all members
	Needed   uint32   `json:"needed"`             // least weight that is that share
	Yes      uint32   `json:"yes"`                // weights
	No       uint32   `json:"no"`                 // weights
	Waiting  []string `json:"waiting,omitempty"`  // members that have not voted
	Silenced []string `json:"silenced,omitempty"` // members that are suspended: in the total, and not in yes or no
}

// CountVotes counts a proposal.
func CountVotes(p *governancev1.Proposal, now *governancev1.GetConsortiumResponse) Votes {
	emergency, mute := false, map[string]bool{}
	lift := p.GetChange().GetLiftSuspension()
	for _, s := range now.GetSuspensions() {
		if s.GetKey() == "" {
			mute[s.GetAccount()] = true
		}
		if lift != nil && s.GetAccount() == lift.GetAccount() && s.GetKey() == lift.GetKey() {
			emergency = s.GetEndsMs() != 0
		}
	}
	v := Votes{Percent: standard.Percent(now.GetParameters(), p.GetChange(), emergency)}
	said := map[string]bool{}
	for _, b := range p.GetBallots() {
		said[b.GetOrg()] = b.GetYes()
	}
	for _, m := range now.GetMembers() {
		v.Total += m.GetWeight()
		yes, voted := said[m.GetOrg()]
		switch {
		case mute[m.GetOrg()]:
			v.Silenced = append(v.Silenced, m.GetOrg())
		case !voted:
			v.Waiting = append(v.Waiting, m.GetOrg())
		case yes:
			v.Yes += m.GetWeight()
		default:
			v.No += m.GetWeight()
		}
	}
	v.Needed = (v.Total*v.Percent + 99) / 100
	return v
}
