package tracing

import (
	"errors"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"mulian/internal/fault"
)

func recorded(t *testing.T, cfg Config) (*Tracer, *tracetest.InMemoryExporter) {
	t.Helper()
	to := tracetest.NewInMemoryExporter()
	tracer := New(cfg, sdktrace.NewSimpleSpanProcessor(to))
	return tracer, to
}

// TestOffCostsNothing: without a span in the context nothing is allocated, on the way of
// every transaction and every query.
func TestOffCostsNothing(t *testing.T) {
	ctx := t.Context()
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		c, s := Child(ctx, "step")
		s.Text("mulian.agreement", "x")
		s.Number("mulian.height", 1)
		s.End(nil)
		Of(c).Past("past", now, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var none *Tracer
	if err := none.Close(); err != nil {
		t.Error(err)
	}
	if tr, err := Open(ctx, Config{}); tr != nil || err != nil {
		t.Errorf("without an endpoint: %v, %v", tr, err)
	}
}

func BenchmarkOff(b *testing.B) {
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, s := Child(ctx, "step")
		s.End(nil)
	}
}

// TestSpansTellCodesOnly: an error leaves its code in a span, never its text.
func TestSpansTellCodesOnly(t *testing.T) {
	tracer, to := recorded(t, Config{Service: "test"})
	ctx, call := tracer.call(t.Context(), "/mulian.x.v1.X/Do", nil)
	_, step := Child(ctx, "step")
	step.End(fault.Newf(fault.NotFound, "Zhang San is not there"))
	call.Past("past", time.Now().Add(-time.Second), time.Now())
	call.Past("never", time.Time{}, time.Now())
	call.End(errors.New("Zhang San"))
	spans := to.GetSpans()
	if len(spans) != 3 {
		t.Fatalf("%d spans", len(spans))
	}
	for _, s := range spans {
		if s.SpanContext.TraceID() != spans[0].SpanContext.TraceID() {
			t.Errorf("%s stands alone", s.Name)
		}
		if s.Status.Description != "" && s.Status.Description != fault.NotFound.String() && s.Status.Description != fault.Internal.String() {
			t.Errorf("%s says %q", s.Name, s.Status.Description)
		}
		if len(s.Events) > 0 {
			t.Errorf("%s has events: %v", s.Name, s.Events)
		}
	}
}

// TestStrangersDoNotChooseTheRatio: a caller who wants to be traced is traced as often as
// the operator's ratio says, not more.
func TestStrangersDoNotChooseTheRatio(t *testing.T) {
	tracer, to := recorded(t, Config{Ratio: 1e-12})
	for range 50 {
		h := map[string][]string{"Traceparent": {"00-ffffffffffffffffffffffffffffffff-00f067aa0ba902b7-01"}}
		_, s := tracer.call(t.Context(), "/x/Y", h)
		s.End(nil)
	}
	if n := len(to.GetSpans()); n != 0 {
		t.Errorf("%d spans of a stranger", n)
	}
}

// TestAnEndpointIsChecked: what is no address is refused at the start.
func TestAnEndpointIsChecked(t *testing.T) {
	for _, bad := range []string{"collector", "ftp://x:1", "http://", "://"} {
		if _, err := Open(t.Context(), Config{Endpoint: bad}); !fault.Is(err, fault.Usage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Open(t.Context(), Config{Ratio: 2}); !fault.Is(err, fault.Usage) {
		t.Errorf("a ratio of 2: %v", err)
	}
}
