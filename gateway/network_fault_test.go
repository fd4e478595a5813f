package gateway_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// The numbers below are bytes of answers: one page of the test's table has about 480,000.
const (
	networkRows = 40_000
	inAPage     = 300_000 // the middle of one
)

// newNetworkTown is a town with incompressible permits, whose asker reaches the provider
// over a link.
func newNetworkTown(t *testing.T, rows int) (w *town, k *link, door, tap *running) {
	t.Helper()
	w = newTown(t)
	w.makePermits(rows)
	w.exec(w.permits, `UPDATE permit SET project = hex(randomblob(24))`)
	k, door = w.behind(w.planningConfig())
	tap = w.openPatient(w.waterConfig())
	w.publish(door)
	return w, k, door, tap
}

// receiptsHold compares what the asker keeps with the provider's log: each receipt is of a
// record that is there; and counts the releases in the log of which the asker has none.
func (w *town) receiptsHold(door, tap *running, agreement string) (lost int) {
	w.t.Helper()
	kept := map[string]bool{}
	if err := tap.Receipts().Each(0, func(_ int, r *tracev1.Receipt) bool {
		kept[string(r.GetRecord())] = true
		if e, err := door.Records().Record(r.GetLeafIndex()); err != nil || string(e.Raw) != string(r.GetRecord()) {
			w.t.Errorf("receipt %d is of no record of the log: %v", r.GetLeafIndex(), err)
		}
		return true
	}); err != nil {
		w.t.Fatal(err)
	}
	seqs := map[uint64]bool{}
	for i := range door.Records().Size() {
		e, err := door.Records().Record(i)
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Record.GetAgreement() != agreement {
			continue
		}
		seqs[e.Record.GetSeq()] = true
		if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED && !kept[string(e.Raw)] {
			lost++
		}
	}
	for n := uint64(1); n <= uint64(len(seqs)); n++ {
		if !seqs[n] {
			w.t.Errorf("access %d of agreement %s has no record", n, agreement)
		}
	}
	return lost
}

// well waits until a gateway says that nothing is wrong and all is anchored.
func (w *town) well(g *running) {
	w.t.Helper()
	w.eventually("the gateway is well", func() bool { s := g.Status(); return s.OK && s.Trouble == "" && s.Anchored == s.LogSize })
}

// TestNetworkOfABatch: whatever the network does to a batch, it ends by itself with equal
// tables, one delivery, one receipt.
func TestNetworkOfABatch(t *testing.T) {
	heavy(t)
	t.Parallel()
	w, k, door, tap := newNetworkTown(t, networkRows)
	for _, c := range []struct {
		name string
		bad  bad
		heal func() bool // when it gets well; nil: by itself
	}{
		{name: "cut in the middle of a page, three times", bad: bad{after: inAPage, times: 3}},
		{name: "half of the offer", bad: bad{after: 500}},
		{name: "silent in the middle of a page", bad: bad{after: inAPage, mute: true}},
		{name: "silent before the offer", bad: bad{after: 1, mute: true}},
		{name: "slow", bad: bad{rate: 1 << 20}},
		{name: "refused", bad: bad{refuse: true}, heal: func() bool { return k.connections() > 1 }},
		{name: "nobody answers", bad: bad{silent: true}, heal: func() bool { return k.connections() > 1 }},
	} {
		agreement := w.agree(byBatch, func(m *sharev1.Terms) { m.Purpose += c.name })
		t.Run(c.name, func(t *testing.T) {
			k.cut()
			k.be(c.bad)
			k.mu.Lock()
			k.count = 0
			k.mu.Unlock()
			if c.heal != nil {
				done := make(chan struct{})
				defer func() { <-done }()
				go func() {
					defer close(done)
					w.eventually("the asker has tried again", c.heal)
					k.be(bad{})
					k.cut()
				}()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			table := connect.TableName{Name: fmt.Sprintf("p%d", len(c.name))}
			got, err := tap.Fetch(ctx, deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: table})
			if err != nil || got.Rows != networkRows || got.Delivery != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			if !k.broken() {
				t.Error("the link did not break: nothing was tested")
			}
			w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM "+table.Name+" ORDER BY permit_no")
			if lost := w.receiptsHold(door, tap, agreement); lost != 0 {
				t.Errorf("%d receipts are lost", lost)
			}
			if n := door.records(t, agreement, tracev1.Outcome_OUTCOME_COMPLETED); n != 1 {
				t.Errorf("%d ends of one delivery", n)
			}
		})
	}
	k.be(bad{})
	w.well(door)
	w.well(tap)
}

// TestNetworkOfAQuery: a query over a bad network is answered, or fails with a code that
// says so, in bounded time; each release of which the answer was lost is known to the
// provider as not signed for.
func TestNetworkOfAQuery(t *testing.T) {
	heavy(t)
	t.Parallel()
	w, k, door, tap := newNetworkTown(t, 100)
	agreement := w.agree(byQuery, nil)
	ask := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		_, err := tap.Query(ctx, agreement, w.entry, nil, 0, no("P0000042"))
		return err
	}
	want(t, fault.OK, ask(time.Minute))
	for _, c := range []struct {
		name string
		bad  bad
		code fault.Code
		lost int // at most, and one at least if not 0
	}{
		{"half an answer", bad{after: 300}, fault.OK, 1}, // asked again, as another request
		{"half of each answer", bad{after: 300, times: 100}, fault.Unreachable, 4},
		{"nobody answers", bad{silent: true}, fault.Timeout, 0},
		{"the answer is swallowed", bad{after: 1, mute: true}, fault.Timeout, 1},
		{"refused", bad{refuse: true}, fault.Unreachable, 0},
		{"slow", bad{rate: 8 << 10}, fault.OK, 0},
	} {
		before := w.receiptsHold(door, tap, agreement)
		k.cut()
		k.be(c.bad)
		err := ask(patience)
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
		k.be(bad{})
		k.cut()
		w.eventually("the next one is answered", func() bool { return ask(time.Minute) == nil })
		if lost := w.receiptsHold(door, tap, agreement) - before; lost > c.lost || lost == 0 && c.lost > 0 {
			t.Errorf("%s: %d answers are lost, want 1 to %d", c.name, lost, c.lost)
		}
	}
	w.well(door)
}

// TestSilentAsker: one who opens pages and does not take them, or begins a request and
// does not end it, is sent away; others are served meanwhile.
func TestSilentAsker(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makePermits(10_000)
	w.exec(w.permits, `UPDATE permit SET project = hex(randomblob(2000))`)
	door := w.openWith(w.planningConfig(), gateway.Options{Patience: 3 * patience}) // all have to be there at once
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.openDelivery(agreement, "one-request-key-1"))
	for range 16 { // all the places that one delivery has
		r.half(door, agreement)
	}
	want(t, fault.Busy, r.pull(agreement))
	w.eventually("the places are free again", func() bool { return r.pull(agreement) == nil })

	c, err := net.Dial("tcp", door.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\nContent-Length: 1000\r\n\r\nhalf", gatewayv1connect.GatewayServiceQueryProcedure)
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := io.ReadAll(c); err != nil { // the end of the connection is none
		t.Errorf("half a request: %q, %v", got, err)
	}
}

// TestServerOverABadNetwork: a gateway that loses its member releases nothing that is older
// than agreed, says why, and goes on when it is back.
func TestServerOverABadNetwork(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	k := newLink(t, w.member.addr)
	cfg := w.planningConfig()
	cfg.Server = k.url()
	door := w.open(cfg)
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	ask := func() error { return r.query(r.sign(r.body(agreement, nil))) }
	want(t, fault.OK, ask())
	for name, b := range map[string]bad{"silent": {silent: true}, "half of each answer": {after: 60, times: 1 << 20}} {
		began := time.Now()
		k.be(b)
		k.cut()
		w.eventually(name+": nothing is released", func() bool {
			err := ask()
			if err != nil {
				want(t, fault.StaleHeight, err)
			}
			return err != nil
		})
		w.eventually(name+": it says so", func() bool { s := door.Status(); return !s.OK && s.Trouble != "" })
		t.Logf("%s: %s", name, door.Status().Trouble)
		k.be(bad{})
		t.Logf("%s: refused after %s", name, time.Since(began))
		w.eventually(name+": it goes on", func() bool { return ask() == nil })
		w.well(door)
		t.Logf("%s: %s in all", name, time.Since(began))
	}
	// The connection on which it hears of events is there, and says nothing.
	k.hush()
	w.must(w.planning, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"})
	w.eventually("the suspension is seen", func() bool { return fault.Is(ask(), fault.AgreementSuspended) })
	w.must(w.planning, &sharev1.ResumeAgreement{Agreement: agreement})
	w.eventually("and its end", func() bool { return ask() == nil })
}

// half connects, asks for the pages of delivery 1, and takes none.
func (r *rogue) half(door *running, agreement string) net.Conn {
	t := r.w.t
	t.Helper()
	c, err := net.Dial("tcp", door.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	b := r.body(agreement, nil)
	b.Kind = &gatewayv1.RequestBody_Pull{Pull: &gatewayv1.PullBody{Agreement: agreement, Delivery: 1}}
	raw, err := proto.Marshal(r.sign(b))
	if err != nil {
		t.Fatal(err)
	}
	envelope := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(raw))), raw...)
	req, err := http.NewRequest(http.MethodPost, "http://"+door.Addr()+gatewayv1connect.GatewayServicePullProcedure, bytes.NewReader(envelope))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/connect+proto")
	if err := req.Write(c); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil { // it has a place
		t.Fatal(err)
	}
	return c
}
