package server

import (
	"context"

	"connectrpc.com/connect"

	foreignv1 "mulian/gen/mulian/foreign/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

type foreignAPI struct{ s *Server }

// ListForeignChains lists the foreign chains by id, those that were removed included.
func (f foreignAPI) ListForeignChains(ctx context.Context, req *connect.Request[foreignv1.ListForeignChainsRequest]) (*connect.Response[foreignv1.ListForeignChainsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	f.s.fresh(ctx)
	page, next, total, err := index.List[foreignv1.ForeignChain](ctx, f.s.index, index.Filter{Kind: index.Foreign, After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&foreignv1.ListForeignChainsResponse{Chains: page, Next: next, Total: total}, err)
}

// ListForeignReferences lists what was proved of foreign chains, by chain and key.
func (f foreignAPI) ListForeignReferences(ctx context.Context, req *connect.Request[foreignv1.ListForeignReferencesRequest]) (*connect.Response[foreignv1.ListForeignReferencesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetChainId(), m.GetOrg(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	f.s.fresh(ctx)
	page, next, total, err := index.List[foreignv1.ForeignReference](ctx, f.s.index, index.Filter{
		Kind: index.Reference, Ref: m.GetChainId(), Class: int32(m.GetKind()), Org: m.GetOrg(), After: m.GetAfter(), Limit: m.GetLimit(),
	})
	return respond(&foreignv1.ListForeignReferencesResponse{References: page, Next: next, Total: total}, err)
}

// GetForeignChain gives a chain, one that was removed, too, with a page of its references.
func (f foreignAPI) GetForeignChain(ctx context.Context, req *connect.Request[foreignv1.GetForeignChainRequest]) (*connect.Response[foreignv1.GetForeignChainResponse], error) {
	m := req.Msg
	if err := checkText(m.GetChainId(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	f.s.fresh(ctx)
	c, ok, err := index.Get[foreignv1.ForeignChain](ctx, f.s.index, index.Foreign+m.GetChainId())
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "the chain %s is not known here: mulian foreign list", m.GetChainId())
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	page, next, total, err := index.List[foreignv1.ForeignReference](ctx, f.s.index, index.Filter{Kind: index.Reference, Ref: m.GetChainId(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&foreignv1.GetForeignChainResponse{Chain: c, References: page, Next: next, Total: total}, err)
}
