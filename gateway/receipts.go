package gateway

import (
	"context"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// receiptsTogether is how many receipts go in one message of the control socket: below
// 100 KiB of what is usual.
const receiptsTogether = 64

// Receipts streams what this gateway keeps of receipts: for an audit, or for a case.
func (c controlAPI) Receipts(_ context.Context, req *rpc.Request[gatewayv1.ReceiptsRequest], stream *rpc.ServerStream[gatewayv1.ReceiptsResponse]) error {
	m := req.Msg
	var batch []*tracev1.Receipt
	var failed error
	send := func(next uint64) bool {
		if failed = stream.Send(&gatewayv1.ReceiptsResponse{Receipts: batch, Next: next}); failed != nil {
			return false
		}
		batch = nil
		return true
	}
	take := func(r *tracev1.Receipt, next uint64) bool {
		batch = append(batch, r)
		return len(batch) < receiptsTogether || send(next)
	}
	end, err := m.GetFrom(), error(nil)
	each := func(n int, r *tracev1.Receipt) bool {
		end = uint64(n) + 1
		return take(r, end)
	}
	const most = 1 << 40 // more receipts than a book can have
	switch m.GetKind() {
	case gatewayv1.ReceiptKind_RECEIPT_KIND_RECEIVED:
		err = c.g.asker.Receipts().Each(int(min(m.GetFrom(), most)), each)
	case gatewayv1.ReceiptKind_RECEIPT_KIND_GIVEN:
		err = c.g.provider.Countersigned().Each(int(min(m.GetFrom(), most)), each)
	case gatewayv1.ReceiptKind_RECEIPT_KIND_MISSING:
		within := time.Duration(m.GetWithinSeconds()) * time.Second
		if within == 0 {
			within = deliver.CountersignWithin
		}
		err = c.g.provider.Uncountersigned(m.GetFrom(), within, func(r *tracev1.Receipt) bool {
			end = r.GetLeafIndex() + 1
			return take(r, end)
		})
	default:
		err = fault.Newf(fault.Missing, "kind: received, given or missing")
	}
	if err == nil && failed == nil && len(batch) > 0 {
		send(end)
	}
	if failed != nil {
		return failed
	}
	return wire.Error(err)
}
