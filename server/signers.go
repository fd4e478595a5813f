package server

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"connectrpc.com/connect"

	consolev1 "mulian/gen/mulian/console/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// signersOf is how many of the last blocks are looked at. Our own choice: some minutes of
// a busy chain, an hour and a half of a quiet one.
const signersOf = 100

// voted is a commit's flag of a vote for its block.
const voted = 2

// commits are the last blocks' signatures, by height modulo signersOf.
type commits struct {
	mu  sync.Mutex // held while blocks are read: one reads for all
	all [signersOf]*ledgerv1.Commit
}

// ListSigners implements OverviewService.
func (o overviewAPI) ListSigners(ctx context.Context, _ *connect.Request[consolev1.ListSignersRequest]) (*connect.Response[consolev1.ListSignersResponse], error) {
	res, err := o.s.chain.Header(ctx, 0, false)
	if err != nil {
		return nil, wire.Error(err)
	}
	latest := &ledgerv1.LightBlock{}
	if err := decode(res.GetLightBlock(), latest); err != nil {
		return nil, wire.Error(err)
	}
	out, by := &consolev1.ListSignersResponse{Height: res.GetHeight(), TimeMs: res.GetTimeMs()}, map[string]*consolev1.Signer{}
	for _, v := range latest.GetValidatorSet().GetValidators() {
		s := &consolev1.Signer{Address: v.GetAddress(), PublicKey: v.GetPubKey().GetEd25519(), Power: v.GetVotingPower()}
		out.Signers, by[string(v.GetAddress())] = append(out.Signers, s), s
	}
	c := &o.s.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[res.GetHeight()%signersOf] = latest.GetSignedHeader().GetCommit()
	for h := res.GetHeight(); h > 0 && h > res.GetHeight()-signersOf; h-- {
		commit, err := c.at(ctx, o.s.chain, h)
		if fault.Is(err, fault.Pruned) || fault.Is(err, fault.NotFound) {
			break
		}
		if err != nil {
			return nil, wire.Error(err)
		}
		out.Looked++
		for _, sig := range commit.GetSignatures() {
			s := by[string(sig.GetValidatorAddress())]
			if s == nil || sig.GetBlockIdFlag() != voted {
				continue
			}
			s.Signed++
			if s.LastHeight == 0 {
				s.LastHeight, s.LastMs = h, sig.GetTimestamp().AsTime().UnixMilli()
			}
		}
	}
	slices.SortStableFunc(out.Signers, func(a, b *consolev1.Signer) int { return cmp.Compare(b.GetPower(), a.GetPower()) })
	return respond(out, nil)
}

// at returns a block's commit, read once.
func (c *commits) at(ctx context.Context, chain Chain, height int64) (*ledgerv1.Commit, error) {
	if have := c.all[height%signersOf]; have.GetHeight() == height {
		return have, nil
	}
	res, err := chain.Header(ctx, height, false)
	if err != nil {
		return nil, err
	}
	light := &ledgerv1.LightBlock{}
	if err := decode(res.GetLightBlock(), light); err != nil {
		return nil, err
	}
	c.all[height%signersOf] = light.GetSignedHeader().GetCommit()
	return c.all[height%signersOf], nil
}
