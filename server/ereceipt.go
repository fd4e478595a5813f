package server

import (
	"context"
	"encoding/hex"

	"connectrpc.com/connect"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

type ereceiptAPI struct{ s *Server }

// GetReceipt gives a receipt by its handle, with its code range.
func (e ereceiptAPI) GetReceipt(ctx context.Context, req *connect.Request[ereceiptv1.GetReceiptRequest]) (*connect.Response[ereceiptv1.GetReceiptResponse], error) {
	handle := hex.EncodeToString(req.Msg.GetHandle())
	if err := checkText(handle); err != nil {
		return nil, wire.Error(err)
	}
	e.s.fresh(ctx)
	r, ok, err := index.Get[ereceiptv1.EReceipt](ctx, e.s.index, index.EReceipt+handle)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "there is no receipt %s", handle)
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	g, _, err := index.Get[ereceiptv1.CodeRange](ctx, e.s.index, index.CodeRange+r.GetRange())
	return respond(&ereceiptv1.GetReceiptResponse{Receipt: r, Range: g}, err)
}

// ListReceipts lists receipts by handle, of a unit, a holder of locks or a state.
func (e ereceiptAPI) ListReceipts(ctx context.Context, req *connect.Request[ereceiptv1.ListReceiptsRequest]) (*connect.Response[ereceiptv1.ListReceiptsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetUnit(), m.GetHolder(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	e.s.fresh(ctx)
	f := index.Filter{Kind: index.EReceipt, Org: m.GetUnit(), Peer: m.GetHolder(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetState() != 0 {
		f.States = []int32{int32(m.GetState())}
	}
	page, next, total, err := index.List[ereceiptv1.EReceipt](ctx, e.s.index, f)
	return respond(&ereceiptv1.ListReceiptsResponse{Receipts: page, Next: next, Total: total}, err)
}

// ListRanges lists code ranges by code and first number, of a unit only if it is named.
func (e ereceiptAPI) ListRanges(ctx context.Context, req *connect.Request[ereceiptv1.ListRangesRequest]) (*connect.Response[ereceiptv1.ListRangesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetUnit(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	e.s.fresh(ctx)
	page, next, total, err := index.List[ereceiptv1.CodeRange](ctx, e.s.index, index.Filter{Kind: index.CodeRange, Org: m.GetUnit(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&ereceiptv1.ListRangesResponse{Ranges: page, Next: next, Total: total}, err)
}
