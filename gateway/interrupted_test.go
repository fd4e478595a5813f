package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// unwrite makes an open delivery of a stopped gateway as it was before the last things
// that happened to it were noted: the power failed between them and the note. Its
// pages, if they go too, were not whole.
func (w *town) unwrite(delivery string, keys ...string) {
	w.t.Helper()
	dir := filepath.Join(w.planningConfig().Home, "deliveries", delivery)
	path := filepath.Join(dir, "offer.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	var offer map[string]any
	if err := json.Unmarshal(raw, &offer); err != nil {
		w.t.Fatal(err)
	}
	for _, k := range keys {
		if k == "whole" {
			if err := os.Remove(filepath.Join(dir, "pages")); err != nil && !os.IsNotExist(err) {
				w.t.Fatal(err)
			}
		}
		delete(offer, k)
	}
	if raw, err = json.Marshal(offer); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// records counts an agreement's records of an outcome.
func (r *running) records(t testing.TB, agreement string, o tracev1.Outcome) (n int) {
	t.Helper()
	if err := r.Records().Of(agreement, func(e receipt.Entry) bool {
		if e.Record.GetOutcome() == o {
			n++
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// at aims the rogue at a gateway that was started again.
func (r *rogue) at(door *running) *rogue {
	r.client = gatewayv1connect.NewGatewayServiceClient(http.DefaultClient, "http://"+door.Addr())
	return r
}

// pull takes the pages of delivery 1 to their end.
func (r *rogue) pull(agreement string) error {
	b := r.body(agreement, nil)
	b.Kind = &gatewayv1.RequestBody_Pull{Pull: &gatewayv1.PullBody{Agreement: agreement, Delivery: 1}}
	in, err := r.client.Pull(context.Background(), rpc.NewRequest(r.sign(b)))
	if err != nil {
		return wire.Fault(err)
	}
	defer in.Close()
	last := false
	for in.Receive() {
		last = in.Msg().GetLast()
	}
	if in.Err() == nil && !last {
		return fault.Newf(fault.Unreachable, "no last page")
	}
	return wire.Fault(in.Err())
}

// TestLoggedOnce: the power fails between a record in the access log and the note of
// it beside the delivery. The record counts; it is not written a second time.
func TestLoggedOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(100)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	const key = "one-request-key-1"
	r := w.rogue(door)
	want(t, fault.OK, r.at(door).openDelivery(agreement, key))
	door.stop()
	w.unwrite(agreement+"-1", "granted", "whole", "rows_estimate")
	door = w.open(w.planningConfig())
	want(t, fault.OK, r.at(door).openDelivery(agreement, key))
	want(t, fault.OK, r.at(door).openDelivery(agreement, key))
	if n := door.records(t, agreement, tracev1.Outcome_OUTCOME_GRANTED); n != 1 {
		t.Errorf("%d grants of one delivery are in the log", n)
	}
	want(t, fault.OK, r.at(door).pull(agreement))
	door.stop()
	w.unwrite(agreement+"-1", "completed", "on_ledger")
	door = w.open(w.planningConfig())
	want(t, fault.OK, r.at(door).pull(agreement))
	if n := door.records(t, agreement, tracev1.Outcome_OUTCOME_COMPLETED); n != 1 {
		t.Errorf("%d ends of one delivery are in the log", n)
	}
	d := &sharev1.Delivery{}
	if ok, err := w.chain.Get(t.Context(), "share/delivery/"+agreement+"/0000000001", d); !ok || err != nil || d.State != sharev1.DeliveryState_DELIVERY_STATE_COMPLETED || d.Rows != 100 {
		t.Errorf("on the ledger: %v, %v", d, err)
	}
}

// TestEntryChangedBeforeItsPages: the power fails after the grant, and when the gateway
// is back the entry says other columns. The delivery fails, everywhere; the next one
// has the new columns.
func TestEntryChangedBeforeItsPages(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(100)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	const key = "one-request-key-1"
	r := w.rogue(door)
	want(t, fault.OK, r.at(door).openDelivery(agreement, key))
	door.stop()
	w.unwrite(agreement+"-1", "whole")
	e := &cataloguev1.Entry{}
	if _, err := w.chain.Get(t.Context(), "catalogue/entry/"+w.entry, e); err != nil {
		t.Fatal(err)
	}
	e.Items[1].TechnicalName = "project_name"
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	door = w.open(w.planningConfig())
	want(t, fault.EntryDrifted, r.at(door).openDelivery(agreement, key))
	if n := door.records(t, agreement, tracev1.Outcome_OUTCOME_FAILED); n != 1 {
		t.Errorf("%d failures are in the log", n)
	}
	d := &sharev1.Delivery{}
	if ok, err := w.chain.Get(t.Context(), "share/delivery/"+agreement+"/0000000001", d); !ok || err != nil || d.State != sharev1.DeliveryState_DELIVERY_STATE_FAILED {
		t.Errorf("on the ledger: %v, %v", d, err)
	}
	tap := w.open(w.waterConfig())
	got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
	if err != nil || got.Delivery != 2 || got.Rows != 100 {
		t.Fatalf("the next one: %+v, %v", got, err)
	}
	w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project_name, area, issued FROM permits ORDER BY permit_no")
}

// TestPullsAreBounded: one delivery is pulled 16 times at once, and no more; when one of
// them ends there is room.
func TestPullsAreBounded(t *testing.T) {
	heavy(t)
	w := newTown(t)
	w.makePermits(10_000)
	w.exec(w.permits, `UPDATE permit SET project = hex(randomblob(2000))`) // 20 MB that do not pack: more than sockets hold
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.openDelivery(agreement, "one-request-key-1"))
	pull := func() *rpc.ServerStreamForClient[gatewayv1.Page] {
		b := r.body(agreement, nil)
		b.Kind = &gatewayv1.RequestBody_Pull{Pull: &gatewayv1.PullBody{Agreement: agreement, Delivery: 1}}
		in, err := r.client.Pull(context.Background(), rpc.NewRequest(r.sign(b)))
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	var open []*rpc.ServerStreamForClient[gatewayv1.Page]
	for i := range 16 {
		in := pull()
		defer in.Close()
		if !in.Receive() {
			t.Fatalf("pull %d: %v", i+1, in.Err())
		}
		open = append(open, in)
	}
	one := pull()
	defer one.Close()
	if one.Receive() {
		t.Fatal("a seventeenth pull was answered")
	}
	want(t, fault.Busy, wire.Fault(one.Err()))
	open[0].Close()
	w.eventually("the place of one that ended is free", func() bool {
		in := pull()
		defer in.Close()
		return in.Receive()
	})
}
