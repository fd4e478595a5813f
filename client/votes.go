package client

import (
	"context"
	"slices"
	"time"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
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

// Silenced returns the members that cannot vote now, since they or all their ROOT keys are
// suspended by vote. It asks for the accounts of those of which a key is.
func (c *Client) Silenced(ctx context.Context, now *governancev1.GetConsortiumResponse) (map[string]bool, error) {
	return Silenced(now, time.Now().UnixMilli(), func(org string) (*identityv1.Account, error) {
		acc := &identityv1.Account{}
		_, err := c.Get(ctx, "identity/account/"+org, acc)
		return acc, err
	})
}

// Silenced is [Client.Silenced] at a moment for who reads accounts in another way.
func Silenced(now *governancev1.GetConsortiumResponse, timeMs int64, account func(org string) (*identityv1.Account, error)) (map[string]bool, error) {
	members, mute := map[string]bool{}, map[string]bool{}
	for _, m := range now.GetMembers() {
		members[m.GetOrg()] = true
	}
	for _, s := range now.GetSuspensions() {
		org := s.GetAccount()
		if !members[org] || mute[org] {
			continue
		}
		if s.GetKey() == "" {
			mute[org] = true
			continue
		}
		acc, err := account(org)
		if err != nil {
			return nil, err
		}
		if !speaks(acc, timeMs) {
			mute[org] = true
		}
	}
	return mute, nil
}

// speaks reports whether an organisation has a ROOT key that signs at that time.
func speaks(acc *identityv1.Account, timeMs int64) bool {
	return slices.ContainsFunc(acc.GetKeys(), func(k *identityv1.Key) bool {
		return k.GetLevel() == identityv1.KeyLevel_KEY_LEVEL_ROOT && k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE &&
			!k.GetSuspended() && (k.GetEndsMs() == 0 || timeMs < k.GetEndsMs())
	})
}

// CountVotes counts a proposal; mute are the members that [Client.Silenced] returns.
func CountVotes(p *governancev1.Proposal, now *governancev1.GetConsortiumResponse, mute map[string]bool) Votes {
	emergency := false
	lift := p.GetChange().GetLiftSuspension()
	for _, s := range now.GetSuspensions() {
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
