package node

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"mulian/client"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/tracing"
)

// run serves the town's member until the test ends.
func (w *town) run(t *testing.T, tracer *tracing.Tracer) *Member {
	t.Helper()
	if _, err := Init(w.home, w.genesis); err != nil {
		t.Fatal(err)
	}
	m, err := OpenMember(t.Context(), MemberConfig{
		Listen: "127.0.0.1:0", Tracer: tracer,
		Node: Config{Home: w.home, Version: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestOneCallIsOneTrace: from the call of a caller who traces, through the check of the
// signature, the block and the answer, to the index, everything hangs together, in order,
// and no span tells what the transaction says.
func TestOneCallIsOneTrace(t *testing.T) {
	to := tracetest.NewInMemoryExporter()
	w := newTown(t)
	m := w.run(t, tracing.New(tracing.Config{Service: "mulian-node"}, sdktrace.NewSimpleSpanProcessor(to)))
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	req := connect.NewRequest(&ledgerv1.SubmitRequest{Envelope: w.duties("1", "核发规划许可")})
	req.Header().Set("traceparent", "00-"+trace+"-"+parent+"-01")
	res, err := client.New(m.URL()).Ledger.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header().Get("traceparent"); !strings.HasPrefix(got, "00-"+trace+"-") || strings.Contains(got, parent) {
		t.Errorf("the caller is told %q", got)
	}
	want := []string{
		"mulian.ledger.v1.LedgerService/Submit", "ledger/check", "ledger/queue", "ledger/mempool", "ledger/propose", "ledger/block", "ledger/commit",
		"ledger/answer", "index/take",
	}
	spans := map[string]tracetest.SpanStub{}
	for end := time.Now().Add(time.Minute); len(spans) < len(want); {
		if time.Now().After(end) {
			t.Fatalf("after a minute there are only %v", spans)
		}
		for _, s := range to.GetSpans() {
			if s.SpanContext.TraceID().String() == trace {
				spans[s.Name] = s
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	root := spans[want[0]]
	if root.Parent.SpanID().String() != parent || !root.Parent.IsRemote() {
		t.Errorf("the call hangs below %s", root.Parent.SpanID())
	}
	for i, name := range want {
		s, ok := spans[name]
		if !ok {
			t.Errorf("there is no span %s", name)
			continue
		}
		if i > 0 && s.Parent.SpanID() != root.SpanContext.SpanID() {
			t.Errorf("%s hangs below %s", name, s.Parent.SpanID())
		}
		if i > 1 && s.StartTime.Before(spans[want[i-1]].StartTime) {
			t.Errorf("%s begins before %s", name, want[i-1])
		}
		if s.EndTime.Before(s.StartTime) {
			t.Errorf("%s ends before it begins", name)
		}
		for _, a := range s.Attributes {
			if v := a.Value.Emit(); strings.Contains(v, "许可") || strings.Contains(v, w.Authority) {
				t.Errorf("%s tells %s=%s", name, a.Key, v)
			}
		}
	}
}

// TestFiguresOfAMember: what a running member shows under /metrics is there, has its unit
// in its name, and knows neither an account nor a text.
func TestFiguresOfAMember(t *testing.T) {
	w := newTown(t)
	m := w.run(t, nil)
	c := client.New(m.URL())
	for _, n := range []string{"1", "2", "3"} {
		if _, err := c.Ledger.Submit(t.Context(), connect.NewRequest(&ledgerv1.SubmitRequest{Envelope: w.duties(n, "核发规划许可")})); err != nil {
			t.Fatal(err)
		}
	}
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.GetTransactions() != 3 || st.GetPowerTotal() == 0 || st.GetPowerPresent() != st.GetPowerTotal() || len(st.GetMissing()) > 0 || st.GetStalled() || st.GetSubmitP50Us() == 0 || st.GetSubmitP99Us() < st.GetSubmitP50Us() {
		t.Errorf("the status of a member alone after 3 transactions: %v", st)
	}
	res, err := http.Get(m.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"mulian_up 1\n", "mulian_ledger_power_total ", "mulian_ledger_validator 1\n", "mulian_ledger_own_votes_missed_total 0\n", "mulian_ledger_stalled 0\n",
		"mulian_submit_seconds_count 3\n", `mulian_transactions_total{code="0"} 3`, "mulian_ledger_fsync_seconds_count ", "mulian_ledger_block_interval_seconds_count ",
		"mulian_index_lag_events ", "mulian_open_proposals 0\n", `mulian_upgrade_height{ready="true"} 0`, `mulian_build_info{version="test"} 1`, "process_open_fds ",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	if bytes.Contains(text, []byte(w.Authority)) || bytes.Contains(text, []byte("许可")) {
		t.Errorf("/metrics tells who or what:\n%s", text)
	}
}
