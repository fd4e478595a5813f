package server

import (
	"context"

	"connectrpc.com/connect"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

type safeboxAPI struct{ s *Server }

// GetVault gives the vault of an account.
func (b safeboxAPI) GetVault(ctx context.Context, req *connect.Request[safeboxv1.GetVaultRequest]) (*connect.Response[safeboxv1.GetVaultResponse], error) {
	id := req.Msg.GetAccount()
	if err := checkText(id); err != nil {
		return nil, wire.Error(err)
	}
	b.s.fresh(ctx)
	v, ok, err := index.Get[safeboxv1.Vault](ctx, b.s.index, index.Vault+id)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "%s has no vault", id)
	}
	return respond(&safeboxv1.GetVaultResponse{Vault: v}, err)
}

// ListBoxItems lists items by handle.
func (b safeboxAPI) ListBoxItems(ctx context.Context, req *connect.Request[safeboxv1.ListBoxItemsRequest]) (*connect.Response[safeboxv1.ListBoxItemsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOwner(), m.GetDepositor(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	b.s.fresh(ctx)
	f := index.Filter{Kind: index.BoxItem, Org: m.GetOwner(), Peer: m.GetDepositor(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetState() != 0 {
		f.States = []int32{int32(m.GetState())}
	}
	page, next, total, err := index.List[safeboxv1.BoxItem](ctx, b.s.index, f)
	return respond(&safeboxv1.ListBoxItemsResponse{Items: page, Next: next, Total: total}, err)
}

// GetBoxItem gives an item with a page of its transfers.
func (b safeboxAPI) GetBoxItem(ctx context.Context, req *connect.Request[safeboxv1.GetBoxItemRequest]) (*connect.Response[safeboxv1.GetBoxItemResponse], error) {
	m := req.Msg
	if err := checkText(m.GetId(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	b.s.fresh(ctx)
	item, ok, err := index.Get[safeboxv1.BoxItem](ctx, b.s.index, index.BoxItem+m.GetId())
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "item %s: there is none", m.GetId())
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	page, next, total, err := index.List[safeboxv1.Transfer](ctx, b.s.index, index.Filter{Kind: index.Transfer, Parent: index.BoxItem + m.GetId(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&safeboxv1.GetBoxItemResponse{Item: item, Transfers: page, Next: next, Total: total}, err)
}

// ListTransfers lists transfers from or to an account.
func (b safeboxAPI) ListTransfers(ctx context.Context, req *connect.Request[safeboxv1.ListTransfersRequest]) (*connect.Response[safeboxv1.ListTransfersResponse], error) {
	m := req.Msg
	if err := checkText(m.GetFrom(), m.GetTo(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	b.s.fresh(ctx)
	f := index.Filter{Kind: index.Transfer, Org: m.GetFrom(), Peer: m.GetTo(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetState() != 0 {
		f.States = []int32{int32(m.GetState())}
	}
	page, next, total, err := index.List[safeboxv1.Transfer](ctx, b.s.index, f)
	return respond(&safeboxv1.ListTransfersResponse{Transfers: page, Next: next, Total: total}, err)
}

// noBoxes stands where a member's door for boxes would be.
type noBoxes struct{}

// Call refuses every call: NotFound.
func (noBoxes) Call(context.Context, *connect.Request[safeboxv1.BoxCall]) (*connect.Response[safeboxv1.BoxAnswer], error) {
	return nil, wire.Error(fault.Newf(fault.NotFound, "this server keeps no boxes (box.off in mulian.yaml, or a reading server): ask another member"))
}
