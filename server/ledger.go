package server

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Bounds of what a caller may ask; larger asks are cut, longer texts refused.
const (
	maxEnvelope  = 1 << 20
	maxKey       = 512
	maxPage      = 1000
	maxVerbs     = 32
	defaultPage  = 100
	txIDSize     = 32
	maxVerbBytes = 64
)

// ledgerAPI serves LedgerService: it forwards to the chain within bounds.
type ledgerAPI struct {
	chain Chain
	s     *Server
}

func (l ledgerAPI) Submit(ctx context.Context, req *connect.Request[ledgerv1.SubmitRequest]) (*connect.Response[ledgerv1.SubmitResponse], error) {
	raw := req.Msg.GetEnvelope()
	switch {
	case len(raw) == 0:
		return nil, wire.Error(fault.Newf(fault.Empty, "there is no envelope in the request"))
	case len(raw) > maxEnvelope:
		return nil, wire.Error(fault.Newf(fault.TooLong, "an envelope of %d bytes, at most %d", len(raw), maxEnvelope))
	}
	began := time.Now()
	res, err := l.chain.Submit(ctx, raw)
	l.s.metrics.submitted(began, err, res)
	if err == nil {
		l.s.follow.expect(ctx, res.GetTxId())
	}
	return respond(res, err)
}

func (l ledgerAPI) GetTx(ctx context.Context, req *connect.Request[ledgerv1.GetTxRequest]) (*connect.Response[ledgerv1.GetTxResponse], error) {
	if len(req.Msg.GetTxId()) != txIDSize {
		return nil, wire.Error(fault.Newf(fault.Malformed, "a transaction id has %d bytes, not %d", txIDSize, len(req.Msg.GetTxId())))
	}
	return respond(l.chain.Tx(ctx, req.Msg.GetTxId()))
}

func (l ledgerAPI) GetObject(ctx context.Context, req *connect.Request[ledgerv1.GetObjectRequest]) (*connect.Response[ledgerv1.GetObjectResponse], error) {
	m := req.Msg
	if m.GetKey() == "" || len(m.GetKey()) > maxKey {
		return nil, wire.Error(fault.Newf(fault.Malformed, "a key has 1 to %d bytes, this one %d", maxKey, len(m.GetKey())))
	}
	if m.GetHeight() < 0 || m.GetHeight() > 0 && m.GetProve() {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "height %d: 0 or more, and proofs only of the latest (0)", m.GetHeight()))
	}
	res, err := l.chain.Object(ctx, m.GetKey(), m.GetHeight(), m.GetProve())
	if err == nil && isPrivate(m.GetKey()) {
		var value []byte
		if res.GetFound() {
			value = append([]byte{}, res.GetValue()...) // not nil, even if empty
		}
		err = l.s.mayReadObject(ctx, req.Header(), m.GetKey(), value)
	}
	return respond(res, err)
}

func (l ledgerAPI) ListObjects(ctx context.Context, req *connect.Request[ledgerv1.ListObjectsRequest]) (*connect.Response[ledgerv1.ListObjectsResponse], error) {
	m := req.Msg
	if len(m.GetPrefix()) > maxKey || len(m.GetAfter()) > maxKey || m.GetHeight() < 0 {
		return nil, wire.Error(fault.Newf(fault.TooLong, "prefix and cursor have at most %d bytes", maxKey))
	}
	m.Limit = page(m.GetLimit())
	return respond(l.withoutPrivate(ctx, req.Header(), m))
}

func (l ledgerAPI) GetHeader(ctx context.Context, req *connect.Request[ledgerv1.GetHeaderRequest]) (*connect.Response[ledgerv1.GetHeaderResponse], error) {
	if req.Msg.GetHeight() < 0 {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "height %d", req.Msg.GetHeight()))
	}
	return respond(l.chain.Header(ctx, req.Msg.GetHeight(), req.Msg.GetOrLater()))
}

func (l ledgerAPI) GetBlock(ctx context.Context, req *connect.Request[ledgerv1.GetBlockRequest]) (*connect.Response[ledgerv1.GetBlockResponse], error) {
	if req.Msg.GetHeight() < 0 {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "height %d", req.Msg.GetHeight()))
	}
	return respond(l.chain.Block(ctx, req.Msg.GetHeight()))
}

func (l ledgerAPI) ListEvents(ctx context.Context, req *connect.Request[ledgerv1.ListEventsRequest]) (*connect.Response[ledgerv1.ListEventsResponse], error) {
	if req.Msg.GetFrom() < 0 {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "from %d: sequence numbers start at 0", req.Msg.GetFrom()))
	}
	return respond(l.chain.Events(ctx, req.Msg.GetFrom(), int(page(req.Msg.GetLimit()))))
}

func (l ledgerAPI) Watch(ctx context.Context, req *connect.Request[ledgerv1.WatchRequest], stream *connect.ServerStream[ledgerv1.WatchResponse]) error {
	verbs := req.Msg.GetVerbs()
	if len(verbs) > maxVerbs || req.Msg.GetFrom() < -1 {
		return wire.Error(fault.Newf(fault.OutOfRange, "at most %d verbs, from -1", maxVerbs))
	}
	for _, v := range verbs {
		if len(v) > maxVerbBytes {
			return wire.Error(fault.Newf(fault.TooLong, "a verb of %d bytes", len(v)))
		}
	}
	ctx, done := l.s.streaming(ctx)
	defer done()
	return wire.Error(l.chain.Watch(ctx, req.Msg.GetFrom(), func(u *ledgerv1.WatchResponse) error {
		return stream.Send(&ledgerv1.WatchResponse{Events: only(u.GetEvents(), verbs), Next: u.GetNext(), Height: u.GetHeight(), TimeMs: u.GetTimeMs()})
	}))
}

func (l ledgerAPI) ProveEvent(ctx context.Context, req *connect.Request[ledgerv1.ProveEventRequest]) (*connect.Response[ledgerv1.ProveEventResponse], error) {
	if req.Msg.GetSeq() < 0 || req.Msg.GetSize() < 0 {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "event %d in a log of %d", req.Msg.GetSeq(), req.Msg.GetSize()))
	}
	return respond(l.chain.ProveEvent(ctx, req.Msg.GetSeq(), req.Msg.GetSize()))
}

func (l ledgerAPI) GetStatus(ctx context.Context, _ *connect.Request[ledgerv1.GetStatusRequest]) (*connect.Response[ledgerv1.GetStatusResponse], error) {
	return respond(l.s.status(ctx))
}

func (l ledgerAPI) GetGenesis(ctx context.Context, _ *connect.Request[ledgerv1.GetGenesisRequest]) (*connect.Response[ledgerv1.GetGenesisResponse], error) {
	raw, err := l.chain.Genesis(ctx)
	return respond(&ledgerv1.GetGenesisResponse{SignedGenesis: raw}, err)
}

// respond turns a plain answer into Connect's.
func respond[M any](m *M, err error) (*connect.Response[M], error) {
	if err != nil {
		return nil, wire.Error(err)
	}
	return connect.NewResponse(m), nil
}

func page(limit uint32) uint32 {
	if limit == 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}

func only(events []*tracev1.Event, verbs []string) []*tracev1.Event {
	if len(verbs) == 0 {
		return events
	}
	var out []*tracev1.Event
	for _, e := range events {
		for _, v := range verbs {
			if strings.HasPrefix(e.GetVerb(), v) {
				out = append(out, e)
				break
			}
		}
	}
	return out
}
