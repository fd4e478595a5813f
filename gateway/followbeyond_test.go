package gateway_test

import (
	"context"
	"crypto/sha256"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/seal"
)

// greedy is a provider's gateway that gives columns that were not agreed. It has all keys of
// its own, so that seal and receipt hold; to write its answers anew the test opens them with the
// receiver's.
type greedy struct {
	*between
	t        *testing.T
	own, tap gateway.Keys
	batches  atomic.Bool // in the offer of a batch
	pages    atomic.Bool // in pages of changes
	did      atomic.Int64
}

// again opens an answer, edits what is in it, seals it as a provider does, and signs a receipt for
// that.
func (g *greedy) again(request []byte, a *gatewayv1.Answer, m proto.Message, edit func()) {
	sum := sha256.Sum256(request)
	aad := canon.Frame("mulian/gateway/answer/v1", sum[:])
	raw, err := seal.NewSharedOpener(g.tap.Seal).Open(a.GetSealHeader(), aad, a.GetSealed())
	if err == nil {
		err = proto.Unmarshal(raw, m)
	}
	if err != nil {
		g.t.Errorf("the answer: %v", err)
		return
	}
	edit()
	if raw, err = canon.Marshal(m); err != nil {
		g.t.Error(err)
		return
	}
	s, err := seal.NewSharedSealer(g.tap.Seal.Public())
	if err == nil {
		a.SealHeader, a.Sealed, err = s.Seal(aad, raw)
	}
	rec := &tracev1.AccessRecord{}
	if err == nil && a.GetReceipt() != nil {
		if err = proto.Unmarshal(a.GetReceipt().GetRecord(), rec); err == nil {
			if len(rec.ResponseHash) > 0 {
				hash := sha256.Sum256(a.Sealed)
				rec.ResponseHash = hash[:]
			}
			a.Receipt.Record, err = canon.Marshal(rec)
		}
		if err == nil {
			a.Receipt.ProviderSignature, err = receipt.NewSigner(g.own.Machine).Sign(a.Receipt.Record)
		}
	}
	if err != nil {
		g.t.Error(err)
	}
	g.did.Add(1)
}

func (g *greedy) OpenDelivery(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	res, err := g.GatewayServiceClient.OpenDelivery(ctx, rpc.NewRequest(r.Msg))
	if err == nil && g.batches.Load() {
		m := &gatewayv1.DeliveryOffer{}
		g.again(r.Msg.GetBody(), res.Msg, m, func() { m.Columns[1].Item = "note" })
	}
	return res, err
}

func (g *greedy) Changes(ctx context.Context, r *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	res, err := g.GatewayServiceClient.Changes(ctx, rpc.NewRequest(r.Msg))
	if err == nil && res.Msg.GetReceipt() != nil && g.pages.Load() {
		m := &gatewayv1.ChangePage{}
		g.again(r.Msg.GetBody(), res.Msg, m, func() { m.Columns[1].Item = "note" })
	}
	return res, err
}

// TestColumnsBeyondTheAgreement: a batch or a page of changes with a column that nobody agreed to
// is not taken, though its seal and its receipt hold; the honest one after it is.
func TestColumnsBeyondTheAgreement(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(50)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	behind := l.Addr().String()
	l.Close()
	g := &greedy{t: t, between: &between{GatewayServiceClient: gatewayv1connect.NewGatewayServiceClient(http.DefaultClient, "http://"+behind)}}
	if g.own, err = gateway.LoadKeys(w.ring(), w.door); err != nil {
		t.Fatal(err)
	}
	if g.tap, err = gateway.LoadKeys(w.ring(), w.tap); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(gatewayv1connect.NewGatewayServiceHandler(g))
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	cfg := w.planningConfig()
	cfg.Listen, cfg.URL = behind, front.URL
	door := w.open(cfg)
	w.publish(door)
	w.watermarked()
	agreement := w.agree(byBatch, nil)
	tap := w.open(w.waterConfig())

	g.batches.Store(true)
	_, err = tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "once"}})
	want(t, fault.VerificationFailed, err)
	g.batches.Store(false)
	if g.did.Swap(0) == 0 {
		t.Fatal("no offer was changed")
	}

	if err := tap.Follow(deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}}); err != nil {
		t.Fatal(err)
	}
	w.eventually("it follows", func() bool { return tap.following().GetState() == "following" })
	g.pages.Store(true)
	w.exec(w.permits, "UPDATE permit SET project = 'neu', issued = '2026-03-10' WHERE no < 'P0000010'")
	w.eventually("a page was changed and refused", func() bool {
		now := tap.following()
		return g.did.Load() > 0 && now.GetState() == "waiting" && len(now.GetProblem()) > 9 && now.GetProblem()[:9] == fault.VerificationFailed.String()
	})
	if n := len(w.read(w.own, "SELECT permit_no, project, area, issued FROM permits WHERE project = 'neu'")); n != 0 {
		t.Errorf("%d rows of a page were taken that was not agreed", n)
	}
	receipts := tap.Receipts().Len()
	g.pages.Store(false)
	// The provider's software was put right; the receiver's operator does not wait ten minutes.
	tap.stop()
	tap = w.open(w.waterConfig())
	w.eventually("the honest page is there", func() bool { return w.differ() == 0 })
	if n := tap.Receipts().Len(); n <= receipts {
		t.Errorf("%d receipts, %d before", n, receipts)
	}
}
