package server

import (
	"context"

	"connectrpc.com/connect"

	"mulian/client"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Remote is a chain behind another member's server: for reading servers that run
// no node, as many as are needed. It forwards; it adds no trust and takes none
// away.
func Remote(c *client.Client) Chain { return remote{c} }

type remote struct{ c *client.Client }

// forward calls an upstream method with a plain message.
func forward[Q, R any](ctx context.Context, call func(context.Context, *connect.Request[Q]) (*connect.Response[R], error), q *Q) (*R, error) {
	res, err := call(ctx, connect.NewRequest(q))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg, nil
}

func (r remote) Submit(ctx context.Context, envelope []byte) (*ledgerv1.SubmitResponse, error) {
	return forward(ctx, r.c.Ledger.Submit, &ledgerv1.SubmitRequest{Envelope: envelope})
}

func (r remote) Tx(ctx context.Context, id []byte) (*ledgerv1.GetTxResponse, error) {
	return forward(ctx, r.c.Ledger.GetTx, &ledgerv1.GetTxRequest{TxId: id})
}

func (r remote) Object(ctx context.Context, key string, height int64, prove bool) (*ledgerv1.GetObjectResponse, error) {
	return forward(ctx, r.c.Ledger.GetObject, &ledgerv1.GetObjectRequest{Key: key, Height: height, Prove: prove})
}

func (r remote) Objects(ctx context.Context, req *ledgerv1.ListObjectsRequest) (*ledgerv1.ListObjectsResponse, error) {
	return forward(ctx, r.c.Ledger.ListObjects, req)
}

func (r remote) Header(ctx context.Context, height int64, orLater bool) (*ledgerv1.GetHeaderResponse, error) {
	return forward(ctx, r.c.Ledger.GetHeader, &ledgerv1.GetHeaderRequest{Height: height, OrLater: orLater})
}

func (r remote) Block(ctx context.Context, height int64) (*ledgerv1.GetBlockResponse, error) {
	return forward(ctx, r.c.Ledger.GetBlock, &ledgerv1.GetBlockRequest{Height: height})
}

func (r remote) Events(ctx context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error) {
	return forward(ctx, r.c.Ledger.ListEvents, &ledgerv1.ListEventsRequest{From: from, Limit: uint32(limit)})
}

func (r remote) ProveEvent(ctx context.Context, seq, size int64) (*ledgerv1.ProveEventResponse, error) {
	return forward(ctx, r.c.Ledger.ProveEvent, &ledgerv1.ProveEventRequest{Seq: seq, Size: size})
}

func (r remote) Status(ctx context.Context) (*ledgerv1.GetStatusResponse, error) {
	return forward(ctx, r.c.Ledger.GetStatus, &ledgerv1.GetStatusRequest{})
}

func (r remote) Genesis(ctx context.Context) ([]byte, error) {
	res, err := forward(ctx, r.c.Ledger.GetGenesis, &ledgerv1.GetGenesisRequest{})
	return res.GetSignedGenesis(), err
}

// Watch is the upstream's stream; when it breaks, the caller watches again.
func (r remote) Watch(ctx context.Context, from int64, fn func(*ledgerv1.WatchResponse) error) error {
	stream, err := r.c.Ledger.Watch(ctx, connect.NewRequest(&ledgerv1.WatchRequest{From: from}))
	if err != nil {
		return wire.Fault(err)
	}
	defer stream.Close()
	for stream.Receive() {
		if err := fn(stream.Msg()); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil {
		return wire.Fault(err)
	}
	return fault.Newf(fault.Unreachable, "the member ended the stream")
}
