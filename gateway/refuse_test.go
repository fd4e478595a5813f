package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// rogue is an asker that does as it likes, with the water bureau's keys.
type rogue struct {
	w      *town
	keys   gateway.Keys
	client gatewayv1connect.GatewayServiceClient
	n      int
}

func (w *town) rogue(door *running) *rogue {
	w.t.Helper()
	keys, err := gateway.LoadKeys(w.ring(), w.tap)
	if err != nil {
		w.t.Fatal(err)
	}
	return &rogue{w: w, keys: keys, client: gatewayv1connect.NewGatewayServiceClient(http.DefaultClient, "http://"+door.Addr())}
}

// body is a good query for a permit, before the changes of edit.
func (r *rogue) body(agreement string, edit func(*gatewayv1.RequestBody, *gatewayv1.QueryBody)) *gatewayv1.RequestBody {
	r.n++
	q := &gatewayv1.QueryBody{Agreement: agreement, Entry: r.w.entry, Purpose: "排水许可审批", Items: []string{"no", "project"}, Where: []*gatewayv1.KeyValue{no("P0000001")}}
	b := &gatewayv1.RequestBody{
		ChainId: chainID, To: r.w.door, From: r.w.tap, RequestId: fmt.Sprint("rogue-request-", 1000+r.n),
		ExpiresMs: time.Now().Add(30 * time.Second).UnixMilli(), Kind: &gatewayv1.RequestBody_Query{Query: q},
	}
	if edit != nil {
		edit(b, q)
	}
	return b
}

func (r *rogue) sign(b *gatewayv1.RequestBody) *gatewayv1.SignedRequest {
	r.w.t.Helper()
	raw, err := canon.Marshal(b)
	if err != nil {
		r.w.t.Fatal(err)
	}
	sig, err := r.keys.Machine.Sign(append([]byte(deliver.Domain), raw...))
	if err != nil {
		r.w.t.Fatal(err)
	}
	return &gatewayv1.SignedRequest{Body: raw, Key: r.keys.Machine.Public().ID(), Signature: sig}
}

func (r *rogue) query(m *gatewayv1.SignedRequest) error {
	_, err := r.client.Query(context.Background(), rpc.NewRequest(m))
	return wire.Fault(err)
}

// TestRefusals: each with its code; and in the log, if somebody can be named.
func TestRefusals(t *testing.T) {
	w := newTown(t)
	w.makePermits(100)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, func(m *sharev1.Terms) { m.MaxRowsPerCall = 5 })
	batch := w.agree(byBatch, nil)
	r := w.rogue(door)
	type edit = func(*gatewayv1.RequestBody, *gatewayv1.QueryBody)
	for _, c := range []struct {
		name   string
		code   fault.Code
		logged bool
		edit   edit
		change func(*gatewayv1.SignedRequest)
	}{
		{"good", fault.OK, true, nil, nil},
		{"body flipped after signing", fault.BadAuthorisation, false, nil, func(m *gatewayv1.SignedRequest) {
			m.Body = r.sign(r.body(agreement, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Items = []string{"no"} })).Body
		}},
		{"no signature", fault.BadAuthorisation, false, nil, func(m *gatewayv1.SignedRequest) { m.Signature = nil }},
		{"another key", fault.NotWhitelisted, false, nil, func(m *gatewayv1.SignedRequest) { m.Key = "0123456789abcdef" }},
		{"no body", fault.WrongChain, false, nil, func(m *gatewayv1.SignedRequest) { m.Body = nil }},
		{"noise", fault.Malformed, false, nil, func(m *gatewayv1.SignedRequest) { m.Body = []byte("noise") }},
		{"another chain", fault.WrongChain, false, func(b *gatewayv1.RequestBody, _ *gatewayv1.QueryBody) { b.ChainId = "other" }, nil},
		{"for another gateway", fault.NotWhitelisted, false, func(b *gatewayv1.RequestBody, _ *gatewayv1.QueryBody) { b.To = w.tap }, nil},
		{"of nobody", fault.NotWhitelisted, false, func(b *gatewayv1.RequestBody, _ *gatewayv1.QueryBody) { b.From = "nobody" }, nil},
		{"of an organisation", fault.NotWhitelisted, false, func(b *gatewayv1.RequestBody, _ *gatewayv1.QueryBody) { b.From = w.water.Account }, nil},
		{"expired", fault.Expired, false, func(b *gatewayv1.RequestBody, _ *gatewayv1.QueryBody) {
			b.ExpiresMs = time.Now().Add(-time.Second).UnixMilli()
		}, nil},
		{"counts too long", fault.OutOfRange, false, func(b *gatewayv1.RequestBody, _ *gatewayv1.QueryBody) {
			b.ExpiresMs = time.Now().Add(2 * time.Minute).UnixMilli()
		}, nil},
		{"no such agreement", fault.NotWhitelisted, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Agreement = "0000000000000000" }, nil},
		{"another purpose", fault.PurposeMismatch, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Purpose = "统计" }, nil},
		{"a batch agreement", fault.FormatMethodMismatch, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Agreement = batch }, nil},
		{"a field that is not agreed", fault.FieldNotGranted, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Items = []string{"no", "note"} }, nil},
		{"a field that is not there", fault.FieldNotGranted, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Items = []string{"secret"} }, nil},
		{"by a field that is not agreed", fault.FieldNotGranted, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) {
			q.Where = []*gatewayv1.KeyValue{{Item: "note", Value: "内部"}}
		}, nil},
		{"another entry", fault.FieldNotGranted, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Entry = w.planning.Account + ":other" }, nil},
		{"no condition", fault.Malformed, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Where = nil }, nil},
		{"no date", fault.Malformed, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) {
			q.Where = []*gatewayv1.KeyValue{{Item: "issued", Value: "' OR 1=1"}}
		}, nil},
		{"too many rows", fault.GrantedLimit, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Limit = 6 }, nil},
		{"far too many rows", fault.OutOfRange, true, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Limit = 1001 }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := door.Records().Size()
			b := r.body(agreement, c.edit)
			m := r.sign(b)
			if c.change != nil {
				c.change(m)
			}
			want(t, c.code, r.query(m))
			if !c.logged {
				if n := door.Records().Size(); n != before {
					t.Errorf("%d records of nobody", n-before)
				}
				return
			}
			e, err := door.Records().Record(before)
			if err != nil {
				t.Fatal(err)
			}
			granted := c.code == fault.OK
			if (e.Record.Outcome == tracev1.Outcome_OUTCOME_GRANTED) != granted || e.Record.Code != uint32(c.code) || e.Record.RequestId != b.RequestId || e.Record.Asker != w.tap {
				t.Errorf("logged: %v", e.Record)
			}
		})
	}
	w.eventually("all of it is anchored", func() bool { return door.Status().Anchored == door.Records().Size() })
	if s := door.Status(); !s.OK {
		t.Errorf("after it: %s", s.Trouble)
	}
}

// TestReplay: the same bytes a second time are refused, also after a restart.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	cfg := w.planningConfig()
	door := w.open(cfg)
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	m := r.sign(r.body(agreement, nil))
	want(t, fault.OK, r.query(m))
	want(t, fault.Replayed, r.query(m))
	door.stop()
	door = w.open(cfg)
	r.client = w.rogue(door).client
	want(t, fault.Replayed, r.query(m))
	want(t, fault.OK, r.query(r.sign(r.body(agreement, nil))))
}

// TestQuotas: calls of a day and in all, also counted over a restart.
func TestQuotas(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	cfg := w.planningConfig()
	door := w.open(cfg)
	w.publish(door)
	daily := w.agree(byQuery, func(m *sharev1.Terms) { m.MaxCallsPerDay = 3 })
	total := w.agree(byQuery, func(m *sharev1.Terms) { m.MaxCalls = 2 })
	r := w.rogue(door)
	for range 2 {
		want(t, fault.OK, r.query(r.sign(r.body(daily, nil))))
		want(t, fault.OK, r.query(r.sign(r.body(total, nil))))
	}
	door.stop()
	door = w.open(cfg)
	r.client = w.rogue(door).client
	want(t, fault.OK, r.query(r.sign(r.body(daily, nil))))
	want(t, fault.DailyLimit, r.query(r.sign(r.body(daily, nil))))
	want(t, fault.TotalLimit, r.query(r.sign(r.body(total, nil))))
}

// TestSuspended: a suspension counts with the next request.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.query(r.sign(r.body(agreement, nil))))
	w.must(w.planning, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"})
	w.eventually("the suspension counts", func() bool { return fault.Is(r.query(r.sign(r.body(agreement, nil))), fault.AgreementSuspended) })
	w.must(w.planning, &sharev1.ResumeAgreement{Agreement: agreement})
	w.eventually("it counts again", func() bool { return r.query(r.sign(r.body(agreement, nil))) == nil })
}

// TestStale: without the ledger, releases end after the agreed age; with it again
// they go on.
func TestStale(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.query(r.sign(r.body(agreement, nil))))
	w.member.stop()
	stopped := time.Now()
	var last time.Time
	for {
		err := r.query(r.sign(r.body(agreement, nil)))
		if err != nil {
			want(t, fault.StaleHeight, err)
			break
		}
		if last = time.Now(); last.Sub(stopped) > 8*time.Second {
			t.Fatal("releases go on without the ledger")
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("the last release %s after the ledger had gone", last.Sub(stopped).Round(time.Millisecond))
	if e, err := door.Records().Record(door.Records().Size() - 1); err != nil || e.Record.Code != uint32(fault.StaleHeight) || e.Record.Agreement != agreement {
		t.Errorf("the refusal is not logged: %v, %v", e.Record, err)
	}
	w.start()
	w.eventually("releases go on", func() bool { return r.query(r.sign(r.body(agreement, nil))) == nil })
	w.eventually("all is anchored", func() bool { s := door.Status(); return s.OK && s.Anchored == s.LogSize })
}

// TestNothingBeforeTheLog: a log that cannot be written releases nothing.
func TestNothingBeforeTheLog(t *testing.T) {
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.query(r.sign(r.body(agreement, nil))))
	if err := door.Records().Close(); err != nil {
		t.Fatal(err)
	}
	res, err := r.client.Query(t.Context(), rpc.NewRequest(r.sign(r.body(agreement, nil))))
	if err == nil {
		t.Fatalf("released: %v", res.Msg)
	}
	if door.Status().OK {
		t.Error("the gateway says that it is well")
	}
}

// TestDrift: a dropped column is on the ledger with its class within 10 s, and what
// it touched is refused until settled; what it did not touch is not.
func TestDrift(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	cfg := w.planningConfig()
	cfg.PollSeconds = 0 // the default
	door := w.open(cfg)
	tap := w.open(w.waterConfig())
	w.publish(door)
	w.must(w.planning, &cataloguev1.LockEntries{Entries: []string{w.entry}, CounterSigners: []string{w.water.Account}})
	agreement := w.agree(byQuery, nil)
	if _, err := tap.Query(t.Context(), agreement, w.entry, nil, 0, no("P0000001")); err != nil {
		t.Fatal(err)
	}
	w.exec(w.permits, "ALTER TABLE permit DROP COLUMN area")
	dropped := time.Now()
	_, err := tap.Query(t.Context(), agreement, w.entry, []string{"area"}, 0, no("P0000001"))
	want(t, fault.EntryDrifted, err) // by the database, before anybody has looked
	e := &cataloguev1.Entry{}
	w.eventually("the item is frozen on the ledger", func() bool {
		ok, err := w.chain.Get(context.Background(), "catalogue/entry/"+w.entry, e)
		return err == nil && ok && e.GetItems()[2].GetState() == cataloguev1.ItemState_ITEM_STATE_FROZEN
	})
	took := time.Since(dropped)
	t.Logf("on the ledger after %s", took.Round(time.Millisecond))
	if took > 10*time.Second {
		t.Errorf("on the ledger after %s", took)
	}
	d := &cataloguev1.Drift{}
	if ok, err := w.chain.Get(t.Context(), "catalogue/drift/"+w.door+":plan.permit@1", d); !ok || err != nil || d.Class != cataloguev1.DriftClass_DRIFT_CLASS_BREAKING {
		t.Errorf("drift: %v, %v", d, err)
	}
	_, err = tap.Query(t.Context(), agreement, w.entry, nil, 0, no("P0000001"))
	want(t, fault.EntryDrifted, err)
	if res, err := tap.Query(t.Context(), agreement, w.entry, []string{"no", "project"}, 0, no("P0000001")); err != nil || len(res.Rows) != 1 {
		t.Errorf("what did not drift: %v", err)
	}
}

// TestOldLogPutBack: a gateway whose log is shorter than the ledger has seen releases
// nothing, and says so.
func TestOldLogPutBack(t *testing.T) {
	w := newTown(t)
	w.makePermits(10)
	cfg := w.planningConfig()
	door := w.open(cfg)
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.query(r.sign(r.body(agreement, nil))))
	w.eventually("it is anchored", func() bool { return door.Status().Anchored == 2 })
	door.stop()
	if err := os.RemoveAll(filepath.Join(cfg.Home, "log")); err != nil {
		t.Fatal(err)
	}
	door = w.open(cfg)
	r.client = w.rogue(door).client
	w.eventually("it is found out", func() bool {
		err := r.query(r.sign(r.body(agreement, nil)))
		if err == nil {
			t.Fatal("released by a gateway with an old log")
		}
		return fault.Is(err, fault.LogRewritten)
	})
	if s := door.Status(); s.OK || s.Trouble == "" {
		t.Errorf("the gateway says that it is well: %+v", s)
	}
}
