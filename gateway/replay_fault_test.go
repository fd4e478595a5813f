package gateway_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// echo stands between two gateways and sends each request twice, byte for byte; the first
// answer is handed on. With swap it hands the answers of two queries to the wrong ones.
type echo struct {
	*between

	mu     sync.Mutex // guards the rest
	swap   bool
	held   []chan *rpc.Response[gatewayv1.Answer] // of who waits for another's answer
	own    []*rpc.Response[gatewayv1.Answer]
	again  map[string]int // what the second ones were told
	served int
}

func (e *echo) told(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.served++
	e.again[fault.CodeOf(wire.Fault(err)).String()]++
}

func (e *echo) Query(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	res, err := e.GatewayServiceClient.Query(ctx, rpc.NewRequest(r.Msg))
	_, again := e.GatewayServiceClient.Query(ctx, rpc.NewRequest(r.Msg))
	e.told(again)
	e.mu.Lock()
	if err != nil || !e.swap {
		e.mu.Unlock()
		return res, err
	}
	mine := make(chan *rpc.Response[gatewayv1.Answer], 1)
	e.held, e.own = append(e.held, mine), append(e.own, res)
	if len(e.held) == 2 {
		e.held[0] <- e.own[1]
		e.held[1] <- e.own[0]
		e.held, e.own = nil, nil
	}
	e.mu.Unlock()
	select {
	case other := <-mine:
		return other, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *echo) OpenDelivery(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	res, err := e.GatewayServiceClient.OpenDelivery(ctx, rpc.NewRequest(r.Msg))
	_, again := e.GatewayServiceClient.OpenDelivery(ctx, rpc.NewRequest(r.Msg))
	e.told(again)
	return res, err
}

func (e *echo) Acknowledge(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.AcknowledgeResponse], error) {
	res, err := e.GatewayServiceClient.Acknowledge(ctx, rpc.NewRequest(r.Msg))
	_, again := e.GatewayServiceClient.Acknowledge(ctx, rpc.NewRequest(r.Msg))
	e.told(again)
	return res, err
}

// TestReplayedAndReordered: requests that come twice are carried out once, answers that
// come to the wrong request are not taken, and pages that come twice or in another order
// are asked for again: the tables are equal.
func TestReplayedAndReordered(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makePermits(80_000) // some pages
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.planningConfig()
	cfg.Listen = l.Addr().String()
	l.Close()
	e := &echo{between: &between{GatewayServiceClient: gatewayv1connect.NewGatewayServiceClient(http.DefaultClient, "http://"+cfg.Listen)}, again: map[string]int{}}
	mux := http.NewServeMux()
	mux.Handle(gatewayv1connect.NewGatewayServiceHandler(e))
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	cfg.URL = front.URL
	door, tap := w.open(cfg), w.open(w.waterConfig())
	w.publish(door)
	query, batch := w.agree(byQuery, nil), w.agree(byBatch, nil)
	ask := func(id string) error {
		_, err := tap.Query(t.Context(), query, w.entry, nil, 0, no(id))
		return err
	}
	for _, id := range []string{"P0000001", "P0000002", "P0000003"} {
		want(t, fault.OK, ask(id))
	}
	if n := door.records(t, query, tracev1.Outcome_OUTCOME_GRANTED); n != 3 {
		t.Errorf("%d grants of 3 queries that were sent twice", n)
	}
	e.mu.Lock()
	e.swap = true
	e.mu.Unlock()
	both := make(chan error, 2)
	for _, id := range []string{"P0000004", "P0000005"} {
		go func() { both <- ask(id) }()
	}
	for range 2 {
		want(t, fault.VerificationFailed, <-both)
	}
	e.mu.Lock()
	e.swap = false
	e.mu.Unlock()
	want(t, fault.OK, ask("P0000006"))

	for name, mess := range map[string]func([]*gatewayv1.Page) []*gatewayv1.Page{
		"a page twice":   func(p []*gatewayv1.Page) []*gatewayv1.Page { return append(p[:2:2], p[1:]...) },
		"pages swapped":  func(p []*gatewayv1.Page) []*gatewayv1.Page { p[1], p[2] = p[2], p[1]; return p },
		"from the start": func(p []*gatewayv1.Page) []*gatewayv1.Page { return append(p[:2:2], p...) },
	} {
		e.change(nil, func(p []*gatewayv1.Page) []*gatewayv1.Page {
			if e.pulls == 1 && len(p) > 3 {
				return mess(p)
			}
			return p
		})
		got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
		if err != nil || got.Rows != 80_000 {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		if e.pulls < 2 {
			t.Errorf("%s: nothing was asked for again", name)
		}
		w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no")
		w.exec(w.own, "DELETE FROM permits")
	}
	if n := door.records(t, batch, tracev1.Outcome_OUTCOME_GRANTED); n != 3 {
		t.Errorf("%d grants of 3 deliveries", n)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.again[fault.Replayed.String()] != e.served || e.served < 9 {
		t.Errorf("of %d that came twice: %v", e.served, e.again)
	}
	// Of the two answers that were swapped nobody has a receipt.
	if lost := w.receiptsHold(door, tap, query); lost != 2 {
		t.Errorf("%d answers without a receipt, want 2", lost)
	}
}
