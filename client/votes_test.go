package client_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/standard"
)

// TestCountVotes: weights, not heads; who is suspended is in the total alone; an emergency
// is lifted by its own share.
func TestCountVotes(t *testing.T) {
	now := &governancev1.GetConsortiumResponse{
		Parameters: standard.Parameters(),
		Members:    []*governancev1.Member{{Org: "A", Weight: 40}, {Org: "B", Weight: 30}, {Org: "C", Weight: 20}, {Org: "D", Weight: 11}},
		Suspensions: []*governancev1.Suspension{
			{Account: "C", EndsMs: 5}, {Account: "D", Key: "0123456789abcdef", EndsMs: 5},
		},
	}
	p := &governancev1.Proposal{
		Change:  &governancev1.Change{Kind: &governancev1.Change_RemoveMember{RemoveMember: "D"}},
		Ballots: []*governancev1.Ballot{{Org: "A", Yes: true, Weight: 1}, {Org: "C", Yes: true}, {Org: "B"}, {Org: "gone", Yes: true, Weight: 99}},
	}
	want := client.Votes{Percent: 67, Total: 101, Needed: 68, Yes: 40, No: 30, Waiting: []string{"D"}, Silenced: []string{"C"}}
	if d := cmp.Diff(want, client.CountVotes(p, now)); d != "" {
		t.Error(d)
	}
	p.Change = &governancev1.Change{Kind: &governancev1.Change_LiftSuspension{LiftSuspension: &governancev1.Suspension{Account: "C"}}}
	if v := client.CountVotes(p, now); v.Percent != 34 {
		t.Errorf("an emergency is lifted by %d %%", v.Percent)
	}
	now.Suspensions[0].EndsMs = 0
	if v := client.CountVotes(p, now); v.Percent != 67 {
		t.Errorf("what was confirmed is lifted by %d %%", v.Percent)
	}
}
