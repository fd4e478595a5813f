package gateway_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/pgtest"
	"mulian/internal/wire"
)

// shuffler stands between two gateways, and gives pages of changes of before now and then: the
// last one again, or the one before it. And it loses each fourth answer.
type shuffler struct {
	*between
	pages []*gatewayv1.Answer // guarded by between's lock
	n     int
}

func (s *shuffler) OpenDelivery(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	return s.GatewayServiceClient.OpenDelivery(ctx, rpc.NewRequest(r.Msg))
}

func (s *shuffler) Changes(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	res, err := s.GatewayServiceClient.Changes(ctx, rpc.NewRequest(r.Msg))
	if err != nil || res.Msg.GetReceipt() == nil {
		return res, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = append(s.pages, res.Msg)
	s.n++
	switch last := len(s.pages) - 1; {
	case s.n%4 == 1 && last > 1:
		return rpc.NewResponse(s.pages[last-1]), nil
	case s.n%4 == 2 && last > 2:
		return rpc.NewResponse(s.pages[last-2]), nil
	case s.n%4 == 3:
		return nil, wire.Error(fault.Newf(fault.Unreachable, "the line is cut"))
	}
	return res, nil
}

// TestFollowAfterALongAbsence: the receiver is down while the provider goes on, restarts too, and
// notices more changes than many pages have. When it is back it gets them all, though pages come
// again, late and not at all on the way: the tables are equal by changes alone, each page was
// applied once, and no receipt is lost.
func TestFollowAfterALongAbsence(t *testing.T) {
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 500)
	addr := p.door.Addr()
	s := &shuffler{between: &between{GatewayServiceClient: gatewayv1connect.NewGatewayServiceClient(http.DefaultClient, "http://"+addr)}}
	mux := http.NewServeMux()
	mux.Handle(gatewayv1connect.NewGatewayServiceHandler(s))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := &httptest.Server{Listener: l, Config: &http.Server{Handler: mux}}
	front.Start()
	t.Cleanup(front.Close)
	p.door.stop()
	p.doorConfig.Listen, p.doorConfig.URL = addr, front.URL
	p.door = p.open(p.doorConfig)
	p.follow()
	p.same(t)
	p.tap.stop()

	pgExec(t, p.source, "INSERT INTO firms SELECT n, 'viele', 'hier' FROM generate_series(10000, 14000) n")
	pgExec(t, p.source, "UPDATE firms SET id = id + 20000 WHERE id < 100")
	waits := func(n uint64) {
		t.Helper()
		p.eventually(fmt.Sprintf("%d keys wait", n), func() bool { return p.door.subscriber(t).GetWaiting() >= n })
	}
	waits(4000)
	p.door.stop()
	pgExec(t, p.source, "DELETE FROM firms WHERE id BETWEEN 12000 AND 12500")
	pgExec(t, p.source, "INSERT INTO firms SELECT n, 'mehr', 'dort' FROM generate_series(30000, 31000) n")
	p.door = p.open(p.doorConfig)
	waits(5000)
	if sub := p.door.subscriber(t); sub.GetState() != "waiting" || sub.GetLagMs() == 0 {
		t.Errorf("at the provider: %v", sub)
	}

	p.tap = p.open(p.tapConfig)
	p.same(t)
	p.state("following")
	now := p.now()
	if now.GetTaken() != 0 || now.GetNumber() < 5 {
		t.Errorf("page %d, the whole was taken %d times since", now.GetNumber(), now.GetTaken())
	}
	p.wantReceipts(t)
	p.wantEachOnce(t)
}

// wantEachOnce holds the provider's log against what the receiver says: for each page there is a
// record that went out, its leaf in no other receipt, and what was refused was not applied.
func (p *pair) wantEachOnce(t *testing.T) {
	t.Helper()
	out := map[uint64]bool{}
	if err := p.door.Records().Of(p.agreement, func(e receipt.Entry) bool {
		if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED && e.Record.GetDelivery() == 0 {
			out[e.Index] = true
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	kept := map[uint64]int{}
	if err := p.tap.Receipts().Each(0, func(_ int, r *tracev1.Receipt) bool {
		kept[r.GetLeafIndex()]++
		return true
	}); err != nil {
		t.Fatal(err)
	}
	taken := uint64(0)
	for leaf := range out {
		if kept[leaf] > 1 {
			t.Errorf("the receipt of record %d is kept %d times", leaf, kept[leaf])
		}
		if kept[leaf] == 1 {
			taken++
		}
	}
	if taken < p.now().GetNumber() {
		t.Errorf("%d pages have a receipt, the last applied one is %d", taken, p.now().GetNumber())
	}
}
