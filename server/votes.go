package server

import (
	"context"

	"connectrpc.com/connect"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// votesMost is the longest list of proposals with their counts.
const votesMost = 200

// counting returns how proposals are counted now.
func (o overviewAPI) counting(ctx context.Context) (func(*governancev1.Proposal) *consolev1.Vote, error) {
	res, err := governanceAPI(o).GetConsortium(ctx, connect.NewRequest(&governancev1.GetConsortiumRequest{}))
	if err != nil {
		return nil, err
	}
	mute, err := client.Silenced(res.Msg, o.s.opts.Now().UnixMilli(), func(org string) (*identityv1.Account, error) {
		acc, _, err := index.Get[identityv1.Account](ctx, o.s.index, index.Account+org)
		return acc, err
	})
	if err != nil {
		return nil, wire.Error(err)
	}
	return func(p *governancev1.Proposal) *consolev1.Vote {
		v := client.CountVotes(p, res.Msg, mute)
		return &consolev1.Vote{Proposal: p, Percent: v.Percent, Total: v.Total, Needed: v.Needed, Yes: v.Yes, No: v.No, Waiting: v.Waiting, Silenced: v.Silenced}
	}, nil
}

// ListVotes implements OverviewService.
func (o overviewAPI) ListVotes(ctx context.Context, req *connect.Request[consolev1.ListVotesRequest]) (*connect.Response[consolev1.ListVotesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	count, err := o.counting(ctx)
	if err != nil {
		return nil, err
	}
	page, next, total, err := index.List[governancev1.Proposal](ctx, o.s.index, index.Filter{Kind: index.Proposal, Flag: m.GetOpenOnly(), After: m.GetAfter(), Limit: min(m.GetLimit(), votesMost)})
	out := &consolev1.ListVotesResponse{Next: next, Total: total}
	for _, p := range page {
		out.Votes = append(out.Votes, count(p))
	}
	return respond(out, err)
}

// GetVote implements OverviewService.
func (o overviewAPI) GetVote(ctx context.Context, req *connect.Request[consolev1.GetVoteRequest]) (*connect.Response[consolev1.GetVoteResponse], error) {
	id := req.Msg.GetId()
	if err := checkText(id); err != nil {
		return nil, wire.Error(err)
	}
	count, err := o.counting(ctx)
	if err != nil {
		return nil, err
	}
	p, ok, err := index.Get[governancev1.Proposal](ctx, o.s.index, index.Proposal+id)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "proposal %s: there is none", id)
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	return respond(&consolev1.GetVoteResponse{Vote: count(p)}, nil)
}
