package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// pages takes so many pages of a delivery from a number on, and goes.
func (r *rogue) pages(agreement string, delivery, from uint64, most int) (n int, err error) {
	b := r.body(agreement, nil)
	b.Kind = &gatewayv1.RequestBody_Pull{Pull: &gatewayv1.PullBody{Agreement: agreement, Delivery: delivery, FromPage: from}}
	in, err := r.client.Pull(context.Background(), rpc.NewRequest(r.sign(b)))
	if err != nil {
		return 0, wire.Fault(err)
	}
	defer in.Close()
	for n < most && in.Receive() {
		n++
	}
	return n, wire.Fault(in.Err())
}

// failed returns the FAILED records of an agreement.
func (r *running) failed(t testing.TB, agreement string) (out []*tracev1.AccessRecord) {
	t.Helper()
	if err := r.Records().Of(agreement, func(e receipt.Entry) bool {
		if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_FAILED {
			out = append(out, e.Record)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// makeWidePermits makes 400 permits of 200 kB, of which five are a page: 40 MB when they are
// packed, more than sockets hold.
func (w *town) makeWidePermits() {
	w.t.Helper()
	w.makePermits(400)
	w.exec(w.permits, `UPDATE permit SET project = hex(randomblob(100000))`)
}

// TestAllButTheLastPage: who takes all pages but the last, gives the delivery up and begins
// again has had what he has had: once, however often he took a page, and over a crash.
func TestAllButTheLastPage(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makeWidePermits() // 80 pages
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byBatch, func(m *sharev1.Terms) { m.MaxRows = 440 })
	r := w.rogue(door)
	want(t, fault.OK, r.openDelivery(agreement, "one-request-key-1"))
	for range 3 {
		if n, err := r.pages(agreement, 1, 0, 12); n != 12 {
			t.Fatalf("%d pages, %v", n, err)
		}
	}
	w.must(client.Signer{Account: w.tap, Key: r.keys.Machine}, &sharev1.FailDelivery{Agreement: agreement, Number: 1, Cause: "MUL-00000"})
	door.stop()
	door = w.open(w.planningConfig()) // it finds out at its start
	w.eventually("the end is logged", func() bool { return len(door.failed(t, agreement)) > 0 })
	all := door.failed(t, agreement)
	if rec := all[0]; len(all) != 1 || rec.GetRows() < 60 || rec.GetRows() >= 400 || rec.GetBytes() < 12*500_000 {
		t.Errorf("%d ends; %d rows and %d bytes are counted", len(all), rec.GetRows(), rec.GetBytes())
	}
	fetch := func() error {
		_, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
		return err
	}
	want(t, fault.TotalLimit, fetch()) // 60 and 400 are more than 440
	door.stop()
	door = w.open(w.planningConfig())
	want(t, fault.TotalLimit, fetch())
}

// TestPagesOutliveNoAmendment: what was read under the old terms does not go out under new
// ones that give less, though the agreement still holds and the items are the same. What
// had left is counted.
func TestPagesOutliveNoAmendment(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makeWidePermits()
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.openDelivery(agreement, "one-request-key-1"))
	if n, err := r.pages(agreement, 1, 0, 3); n != 3 {
		t.Fatalf("%d pages, %v", n, err)
	}
	terms, version := w.terms(agreement, func(m *sharev1.Terms) { m.RowScope = `area < decimal("10")` })
	w.must(w.water, &sharev1.ProposeAmendment{Agreement: agreement, Version: version, Terms: terms, Reason: "只需要小项目"})
	w.must(w.planning, &sharev1.SignAmendment{Agreement: agreement, Number: 1})
	w.eventually("the amendment counts", func() bool { // a page that left before may leave again
		_, err := r.pages(agreement, 1, 2, 1)
		return fault.Is(err, fault.EntryDrifted)
	})
	n, err := r.pages(agreement, 1, 3, 100)
	want(t, fault.EntryDrifted, err)
	if n != 0 {
		t.Errorf("%d pages came under terms that do not give them", n)
	}
	all := door.failed(t, agreement)
	if len(all) != 1 || all[0].GetRows() < 15 || all[0].GetRows()%5 != 0 {
		t.Errorf("ends: %v", all)
	}
	// The asker learns the same when it asks again, and after a restart of the other side.
	_, err = r.pages(agreement, 1, 3, 1)
	want(t, fault.EntryDrifted, err)
	door.stop()
	door = w.open(w.planningConfig())
	_, err = r.at(door).pages(agreement, 1, 3, 1)
	want(t, fault.EntryDrifted, err)
}

// cutting is a proxy that does something at the first request whose path ends so, and
// which is the one.
type cutting struct {
	proxy http.Handler
	path  string
	is    func(body []byte) bool // nil: any
	at    func(w http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder)
	once  sync.Once
}

func (c *cutting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, c.path) {
		c.proxy.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	hit := false
	if c.is == nil || c.is(body) {
		c.once.Do(func() { hit = true })
	}
	if !hit {
		c.proxy.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	c.proxy.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	c.at(w, r, answer)
}

// front puts the proxy before a URL.
func (c *cutting) front(t testing.TB, behind string) string {
	t.Helper()
	u, err := url.Parse(behind)
	if err != nil {
		t.Fatal(err)
	}
	c.proxy = httputil.NewSingleHostReverseProxy(u)
	front := httptest.NewServer(c)
	t.Cleanup(front.Close)
	t.Cleanup(front.CloseClientConnections)
	return front.URL
}

// TestReasonAfterALostAnswer: a delivery is over before its asker knows that it was opened.
// It is told why, not that there is none.
func TestReasonAfterALostAnswer(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(50)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.planningConfig()
	cfg.Listen = l.Addr().String()
	l.Close()
	var door *running
	var agreement string
	lost := make(chan struct{})
	cut := &cutting{path: "/OpenDelivery", at: func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder) {
		w.eventually("the delivery has failed", func() bool { return len(door.failed(t, agreement)) == 1 })
		close(lost)
		panic(http.ErrAbortHandler) // the connection breaks
	}}
	cfg.URL = cut.front(t, "http://"+cfg.Listen)
	door = w.open(cfg)
	tap := w.open(w.waterConfig())
	w.publish(door)
	agreement = w.agree(byBatch, func(m *sharev1.Terms) { m.MaxRows = 30 })
	_, err = tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
	want(t, fault.TotalLimit, err)
	<-lost
	if n := door.records(t, agreement, tracev1.Outcome_OUTCOME_GRANTED); n != 1 {
		t.Errorf("%d deliveries were opened", n)
	}
	r := w.rogue(door)
	_, err = r.pages(agreement, 1, 0, 1)
	want(t, fault.TotalLimit, err)
	door.stop()
	door = w.open(cfg)
	_, err = r.at(door).pages(agreement, 1, 0, 1)
	want(t, fault.TotalLimit, err)
	_, err = r.at(door).pages(agreement, 2, 0, 1)
	want(t, fault.NotFound, err)
}

// starts tells whether a transaction starts a delivery.
func starts(body []byte) bool {
	req, env, tx := &ledgerv1.SubmitRequest{}, &txv1.Envelope{}, &txv1.Body{}
	if proto.Unmarshal(body, req) != nil || proto.Unmarshal(req.GetEnvelope(), env) != nil || proto.Unmarshal(env.GetBody(), tx) != nil {
		return false
	}
	return len(tx.GetMessages()) == 1 && tx.GetMessages()[0].GetStartDelivery() != nil
}

// TestKilledBeforeItsDeliveryHasAName: the asker dies when the ledger has its delivery and
// the provider does not know that yet. The next process takes that delivery.
func TestKilledBeforeItsDeliveryHasAName(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(500)
	committed, dead := make(chan struct{}), make(chan struct{})
	cut := &cutting{path: "/Submit", is: starts, at: func(rw http.ResponseWriter, r *http.Request, answer *httptest.ResponseRecorder) {
		close(committed)
		<-dead
		select { // a provider that lets go of it with its asker does so now
		case <-r.Context().Done():
		case <-time.After(2 * time.Second):
		}
		for k, v := range answer.Header() {
			rw.Header()[k] = v
		}
		rw.WriteHeader(answer.Code)
		rw.Write(answer.Body.Bytes())
	}}
	cfg := w.planningConfig()
	cfg.Server = cut.front(t, w.url)
	door := w.open(cfg)
	t.Cleanup(door.stop) // before the front: it watches
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	p := play{Config: w.waterConfig(), Fetch: &deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}}}
	cmd, _ := w.spawn(p)
	<-committed
	cmd.Process.Kill()
	cmd.Wait()
	close(dead)
	cmd, out := w.spawn(p)
	last := ""
	for out.Scan() {
		last = out.Text()
	}
	cmd.Wait()
	if last != fmt.Sprintf("done 1 %d", 500) {
		t.Errorf("the child says %q", last)
	}
	g := &sharev1.Agreement{}
	if ok, err := w.chain.Get(t.Context(), "share/agreement/"+agreement, g); !ok || err != nil || g.Deliveries != 1 {
		t.Errorf("deliveries: %d, %v", g.GetDeliveries(), err)
	}
}
