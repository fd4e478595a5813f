package gateway_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// meddler stands between two gateways and does one thing to each page of changes: one
// after the other.
type meddler struct {
	*between

	mu     sync.Mutex // guards the rest
	things []func(ctx context.Context, r *gatewayv1.SignedRequest) (*gatewayv1.Answer, error)
	first  *gatewayv1.Answer // page that went through before
	done   int
}

func (m *meddler) pass(ctx context.Context, r *gatewayv1.SignedRequest) (*gatewayv1.Answer, error) {
	res, err := m.GatewayServiceClient.Changes(ctx, rpc.NewRequest(r))
	if err != nil {
		return nil, err
	}
	return res.Msg, nil
}

func (m *meddler) Changes(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	m.mu.Lock()
	do := m.pass
	if m.first != nil && len(m.things) > 0 {
		do, m.things = m.things[0], m.things[1:]
		m.done++
	}
	m.mu.Unlock()
	a, err := do(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	if a.GetReceipt() != nil {
		m.mu.Lock()
		m.first = a
		m.mu.Unlock()
	}
	return rpc.NewResponse(a), nil
}

// TestFollowLies: pages that are replayed, lost, changed, or given without a receipt
// change nothing in the receiver's table, and do not stop it.
func TestFollowLies(t *testing.T) {
	heavy(t)
	w := newTown(t)
	w.makePermits(50)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	behind := l.Addr().String()
	l.Close()
	m := &meddler{between: &between{GatewayServiceClient: gatewayv1connect.NewGatewayServiceClient(http.DefaultClient, "http://"+behind)}}
	mux := http.NewServeMux()
	mux.Handle(gatewayv1connect.NewGatewayServiceHandler(m))
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	cfg := w.planningConfig()
	cfg.Listen, cfg.URL = behind, front.URL
	door := w.open(cfg)
	w.publish(door)
	e := &cataloguev1.Entry{}
	if _, err := w.chain.Get(t.Context(), "catalogue/entry/"+w.entry, e); err != nil {
		t.Fatal(err)
	}
	e.Items[3].Watermark = true
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	agreement := w.agree(byBatch, nil)
	edited := func(edit func(*gatewayv1.Answer)) func(context.Context, *gatewayv1.SignedRequest) (*gatewayv1.Answer, error) {
		return func(ctx context.Context, r *gatewayv1.SignedRequest) (*gatewayv1.Answer, error) {
			a, err := m.pass(ctx, r)
			if err == nil {
				edit(a)
			}
			return a, err
		}
	}
	cut := fault.Newf(fault.Unreachable, "the line is cut")
	m.things = []func(context.Context, *gatewayv1.SignedRequest) (*gatewayv1.Answer, error){
		func(context.Context, *gatewayv1.SignedRequest) (*gatewayv1.Answer, error) { return m.first, nil }, // replayed
		func(ctx context.Context, r *gatewayv1.SignedRequest) (*gatewayv1.Answer, error) { // given, and lost
			_, _ = m.pass(ctx, r)
			return nil, wire.Error(cut)
		},
		edited(func(a *gatewayv1.Answer) { a.Sealed[len(a.Sealed)/2] ^= 1 }),
		edited(func(a *gatewayv1.Answer) { a.SealHeader[len(a.SealHeader)-1] ^= 1 }),
		edited(func(a *gatewayv1.Answer) { a.Sealed = a.Sealed[:len(a.Sealed)-1] }),
		func(ctx context.Context, r *gatewayv1.SignedRequest) (*gatewayv1.Answer, error) { // the request twice
			_, _ = m.pass(ctx, r)
			return m.pass(ctx, r)
		},
	}
	all := len(m.things)
	tap := w.open(w.waterConfig())
	if err := tap.Follow(deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}}); err != nil {
		t.Fatal(err)
	}
	there, here := "SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no"
	w.eventually("it follows", func() bool { return tap.Followings()[0].GetState() == "following" })
	for round := 0; ; round++ {
		w.exec(w.permits, "UPDATE permit SET project = project || 'x', issued = date(issued, '+1 day') WHERE no < 'P0000020'")
		w.eventually("the changes are there", func() bool {
			return strings.Join(w.read(w.permits, there), "\n") == strings.Join(w.read(w.own, here), "\n")
		})
		m.mu.Lock()
		done := m.done
		m.mu.Unlock()
		if done == all {
			break
		}
	}
	if now := tap.Followings()[0]; now.GetTaken() != 1 {
		t.Errorf("the whole was taken %d times: %v", now.GetTaken(), now)
	}
}
