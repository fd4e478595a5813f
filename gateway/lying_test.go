package gateway_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// between stands between two gateways and changes what the provider says.
type between struct {
	gatewayv1connect.GatewayServiceClient

	mu     sync.Mutex // guards the two below
	answer func(*gatewayv1.Answer)
	pages  func([]*gatewayv1.Page) []*gatewayv1.Page // of one Pull; nil entry: the connection breaks
	pulls  int
}

func (b *between) change(answer func(*gatewayv1.Answer), pages func([]*gatewayv1.Page) []*gatewayv1.Page) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer, b.pages, b.pulls = answer, pages, 0
}

func (b *between) Query(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	return b.edit(b.GatewayServiceClient.Query(ctx, rpc.NewRequest(r.Msg)))
}

func (b *between) QueryTogether(context.Context, *rpc.Request[gatewayv1.SignedRequest], *rpc.ServerStream[gatewayv1.Answers]) error {
	return wire.Error(fault.Newf(fault.Malformed, "one at a time"))
}

func (b *between) OpenDelivery(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	return b.GatewayServiceClient.OpenDelivery(ctx, rpc.NewRequest(r.Msg))
}

func (b *between) edit(res *rpc.Response[gatewayv1.Answer], err error) (*rpc.Response[gatewayv1.Answer], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.answer != nil {
		b.answer(res.Msg)
	}
	return res, err
}

func (b *between) Pull(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest], out *rpc.ServerStream[gatewayv1.Page]) error {
	in, err := b.GatewayServiceClient.Pull(ctx, rpc.NewRequest(r.Msg))
	if err != nil {
		return err
	}
	defer in.Close()
	var all []*gatewayv1.Page
	for in.Receive() {
		all = append(all, in.Msg())
	}
	if in.Err() != nil {
		return in.Err()
	}
	b.mu.Lock()
	b.pulls++
	if b.pages != nil {
		all = b.pages(all)
	}
	b.mu.Unlock()
	for _, p := range all {
		if p == nil {
			return wire.Error(fault.Newf(fault.Unreachable, "the line is cut"))
		}
		if err := out.Send(p); err != nil {
			return err
		}
	}
	return nil
}

// listenBetween puts a between in front of the planning commission's gateway.
func (w *town) listenBetween() (*between, *running) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	behind := l.Addr().String()
	l.Close()
	b := &between{GatewayServiceClient: gatewayv1connect.NewGatewayServiceClient(http.DefaultClient, "http://"+behind)}
	mux := http.NewServeMux()
	mux.Handle(gatewayv1connect.NewGatewayServiceHandler(b))
	front := httptest.NewServer(mux)
	w.t.Cleanup(front.Close)
	cfg := w.planningConfig()
	cfg.Listen, cfg.URL = behind, front.URL
	return b, w.open(cfg)
}

// TestLyingProvider: whatever is changed between the provider's log and the asker is
// seen, and nothing of it stays.
func TestLyingProvider(t *testing.T) {
	heavy(t)
	w := newTown(t)
	w.makePermits(80_000) // some pages
	b, door := w.listenBetween()
	tap := w.open(w.waterConfig())
	w.publish(door)
	query, batch := w.agree(byQuery, nil), w.agree(byBatch, nil)

	var kept *gatewayv1.Answer
	b.change(func(a *gatewayv1.Answer) { kept = a }, nil)
	if _, err := tap.Query(t.Context(), query, w.entry, nil, 0, no("P0000001")); err != nil {
		t.Fatal(err)
	}
	for name, lie := range map[string]func(*gatewayv1.Answer){
		"content flipped":     func(a *gatewayv1.Answer) { a.Sealed[0] ^= 1 },
		"content cut":         func(a *gatewayv1.Answer) { a.Sealed = a.Sealed[:len(a.Sealed)-1] },
		"seal header flipped": func(a *gatewayv1.Answer) { a.SealHeader[len(a.SealHeader)-1] ^= 1 },
		"record flipped":      func(a *gatewayv1.Answer) { a.Receipt.Record[len(a.Receipt.Record)-1] ^= 1 },
		"signature flipped":   func(a *gatewayv1.Answer) { a.Receipt.ProviderSignature[9] ^= 1 },
		"no receipt":          func(a *gatewayv1.Answer) { a.Receipt = nil },
		"an earlier answer": func(a *gatewayv1.Answer) {
			a.SealHeader, a.Sealed, a.Receipt = kept.SealHeader, kept.Sealed, kept.Receipt
		},
		"the receipt of another": func(a *gatewayv1.Answer) { a.Receipt = kept.Receipt },
	} {
		t.Run("query: "+name, func(t *testing.T) {
			b.change(lie, nil)
			_, err := tap.Query(t.Context(), query, w.entry, nil, 0, no("P0000001"))
			want(t, fault.VerificationFailed, err)
		})
	}
	into := deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "permits"}}
	for name, lie := range map[string]func([]*gatewayv1.Page) []*gatewayv1.Page{
		"page flipped":  func(p []*gatewayv1.Page) []*gatewayv1.Page { p[1].Sealed[100] ^= 1; return p },
		"pages swapped": func(p []*gatewayv1.Page) []*gatewayv1.Page { p[1], p[2] = p[2], p[1]; return p },
		"pages swapped, renamed": func(p []*gatewayv1.Page) []*gatewayv1.Page {
			p[1].Sealed, p[2].Sealed = p[2].Sealed, p[1].Sealed
			return p
		},
		"page left out": func(p []*gatewayv1.Page) []*gatewayv1.Page { return append(p[:1], p[2:]...) },
		"last page left out": func(p []*gatewayv1.Page) []*gatewayv1.Page {
			end := p[len(p)-1]
			end.Number--
			return append(p[:len(p)-2], end)
		},
		"end flipped": func(p []*gatewayv1.Page) []*gatewayv1.Page { p[len(p)-1].Sealed[9] ^= 1; return p },
		"no header":   func(p []*gatewayv1.Page) []*gatewayv1.Page { p[0].SealHeader = nil; return p },
	} {
		t.Run("batch: "+name, func(t *testing.T) {
			b.change(nil, lie)
			_, err := tap.Fetch(t.Context(), into)
			want(t, fault.VerificationFailed, err)
			if n := w.rows("permits"); n != 0 {
				t.Errorf("%d rows stay", n)
			}
		})
	}
	t.Run("batch: the line is cut twice", func(t *testing.T) {
		b.change(nil, func(p []*gatewayv1.Page) []*gatewayv1.Page {
			if b.pulls <= 2 && len(p) > 2 {
				return []*gatewayv1.Page{p[0], nil}
			}
			return p
		})
		got, err := tap.Fetch(t.Context(), into)
		if err != nil || got.Rows != 80_000 {
			t.Fatalf("%+v, %v", got, err)
		}
		if b.pulls != 3 {
			t.Errorf("%d pulls", b.pulls)
		}
		w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no")
	})
	if s := door.Status(); !s.OK {
		t.Errorf("after it: %s", s.Trouble)
	}
}

// rows counts a table of the own database; 0 if there is none.
func (w *town) rows(table string) int64 {
	w.t.Helper()
	src, err := connect.Open(context.Background(), "sqlite:"+w.own)
	if err != nil {
		return 0 // no file yet
	}
	defer src.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	f, err := src.Freshness(ctx, connect.TableName{Name: table}, "")
	if err != nil {
		return 0
	}
	return f.Rows
}
