package gateway_test

import (
	"context"
	"testing"
	"time"

	rpc "connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// openDelivery opens a delivery under a request key.
func (r *rogue) openDelivery(agreement, requestKey string) error {
	b := r.body(agreement, nil)
	b.Kind = &gatewayv1.RequestBody_Delivery{Delivery: &gatewayv1.DeliveryBody{
		Agreement: agreement, Entry: r.w.entry, Purpose: "排水许可审批", RequestKey: requestKey,
	}}
	_, err := r.client.OpenDelivery(context.Background(), rpc.NewRequest(r.sign(b)))
	return wire.Fault(err)
}

// TestRevokedWhileItPulls: a Pull that runs ends when the key that asked for it is
// revoked. It was admitted with a good one.
func TestRevokedWhileItPulls(t *testing.T) {
	heavy(t)
	w := newTown(t)
	w.makePermits(20_000)
	w.exec(w.permits, `UPDATE permit SET project = hex(randomblob(2000))`) // 40 MB that do not pack: more than sockets hold
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.openDelivery(agreement, "one-request-key-1"))
	b := r.body(agreement, nil)
	b.Kind = &gatewayv1.RequestBody_Pull{Pull: &gatewayv1.PullBody{Agreement: agreement, Delivery: 1}}
	in, err := r.client.Pull(context.Background(), rpc.NewRequest(r.sign(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if !in.Receive() {
		t.Fatal(in.Err())
	}
	w.must(w.water, &identityv1.RevokeKey{Account: w.tap, Key: r.keys.Machine.Public().ID(), Cause: "失窃"})
	w.eventually("the revocation counts for new requests", func() bool {
		return fault.Is(r.query(r.sign(r.body(agreement, nil))), fault.KeyRevoked)
	})
	time.Sleep(3 * time.Second) // longer than the provider goes on without a look
	pages := 1
	for in.Receive() {
		pages++
		if in.Msg().GetLast() {
			t.Fatal("the whole delivery came, under a key that was revoked")
		}
	}
	want(t, fault.KeyRevoked, wire.Fault(in.Err()))
	t.Logf("%d pages came, those that were on their way with them", pages)
}

// TestDeniedSince: what the law excludes is not released, even if it was agreed
// before; nor may it be asked by.
func TestDeniedSince(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement, batch := w.agree(byQuery, nil), w.agree(byBatch, nil)
	r := w.rogue(door)
	query := func(item string, where *gatewayv1.KeyValue) error {
		return r.query(r.sign(r.body(agreement, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) {
			q.Items, q.Where = []string{item}, []*gatewayv1.KeyValue{where}
		})))
	}
	project := &gatewayv1.KeyValue{Item: "project", Value: "项目 1"}
	want(t, fault.OK, query("project", no("P0000001")))
	want(t, fault.OK, query("no", project))
	e := &cataloguev1.Entry{}
	if _, err := w.chain.Get(context.Background(), "catalogue/entry/"+w.entry, e); err != nil {
		t.Fatal(err)
	}
	e.Items[1].ShareType = cataloguev1.ShareType_SHARE_TYPE_DENIED
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	w.eventually("the new version counts", func() bool { return fault.Is(query("project", no("P0000001")), fault.NotShared) })
	want(t, fault.NotShared, query("no", project))
	want(t, fault.OK, query("no", no("P0000001")))
	want(t, fault.NotShared, r.openDelivery(batch, "one-request-key-1"))
}

// TestOpenedTwiceAtOnce: the same delivery asked for by two requests at once is one
// delivery, whoever comes first.
func TestOpenedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	cfg := w.planningConfig()
	door := w.open(cfg)
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	r := w.rogue(door)
	answers := make(chan error, 6)
	for range cap(answers) {
		b := r.body(agreement, nil)
		b.Kind = &gatewayv1.RequestBody_Delivery{Delivery: &gatewayv1.DeliveryBody{
			Agreement: agreement, Entry: w.entry, Purpose: "排水许可审批", RequestKey: "one-request-key-1",
		}}
		m := r.sign(b)
		go func() {
			_, err := r.client.OpenDelivery(context.Background(), rpc.NewRequest(m))
			answers <- wire.Fault(err)
		}()
		time.Sleep(15 * time.Millisecond)
	}
	opened := 0
	for range cap(answers) {
		switch err := <-answers; fault.CodeOf(err) {
		case fault.OK:
			opened++
		case fault.Busy: // the asker sends it again
		default:
			t.Error(err)
		}
	}
	if opened == 0 {
		t.Error("nobody got the delivery")
	}
	b := r.body(agreement, nil)
	b.Kind = &gatewayv1.RequestBody_Pull{Pull: &gatewayv1.PullBody{Agreement: agreement, Delivery: 1}}
	in, err := r.client.Pull(context.Background(), rpc.NewRequest(r.sign(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	last := false
	for in.Receive() {
		last = in.Msg().GetLast()
	}
	if !last {
		t.Errorf("delivery 1 cannot be taken: %v", in.Err())
	}
	want(t, fault.OK, r.openDelivery(agreement, "one-request-key-1"))
}
