package gateway_test

import (
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/tracing"
)

// TestOneQueryIsOneTrace: at the provider's gateway a query is admitted, decided, read, sealed
// and logged below the span of its call; no span tells who, or what was asked for. The
// asker's own spans are no part of it: its gateway may send several queries in one request.
func TestOneQueryIsOneTrace(t *testing.T) {
	to := tracetest.NewInMemoryExporter()
	w := newTown(t)
	w.makePermits(10)
	door := w.openWith(w.planningConfig(), gateway.Options{Tracer: tracing.New(tracing.Config{Service: "mulian-gateway"}, sdktrace.NewSimpleSpanProcessor(to))})
	tap := w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	if _, err := tap.Query(t.Context(), agreement, w.entry, nil, 1, &gatewayv1.KeyValue{Item: "no", Value: "P0000007"}); err != nil {
		t.Fatal(err)
	}
	spans := map[string]tracetest.SpanStub{}
	for _, s := range to.GetSpans() {
		spans[s.Name] = s
	}
	root, ok := spans["mulian.gateway.v1.GatewayService/Query"]
	if !ok {
		t.Fatalf("no span of the call: %v", spans)
	}
	for _, name := range []string{"gateway/admit", "gateway/decide", "gateway/read", "gateway/seal", "gateway/log"} {
		if s, ok := spans[name]; !ok || s.Parent.SpanID() != root.SpanContext.SpanID() || s.SpanContext.TraceID() != root.SpanContext.TraceID() {
			t.Errorf("%s: there %t, below %s", name, ok, s.Parent.SpanID())
		}
	}
	named := false
	for _, s := range to.GetSpans() {
		for _, a := range s.Attributes {
			v := a.Value.Emit()
			named = named || v == agreement
			if strings.Contains(v, "P0000007") || strings.Contains(v, w.tap) {
				t.Errorf("%s tells %s=%s", s.Name, a.Key, v)
			}
		}
	}
	if !named {
		t.Error("no span names the agreement")
	}
}
