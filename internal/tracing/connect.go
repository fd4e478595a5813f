package tracing

import (
	"context"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"mulian/internal/wire"
)

// w3c reads and writes traceparent and tracestate.
var w3c propagation.TraceContext

// Interceptor makes a span of each call: of those that come in, below the caller's if he
// names one, and told to him with the answer (traceparent); calls that go out carry the
// span that they are made in. Streams that watch have none: they last for days.
func (t *Tracer) Interceptor() connect.Interceptor { return interceptor{t} }

type interceptor struct{ t *Tracer }

func (i interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if req.Spec().IsClient {
			carry(ctx, req.Header())
			return next(ctx, req)
		}
		if i.t == nil {
			return next(ctx, req)
		}
		ctx, s := i.t.call(ctx, req.Spec().Procedure, req.Header())
		res, err := next(ctx, req)
		s.End(wire.Fault(err))
		switch ce, ok := err.(*connect.Error); {
		case ok:
			carry(ctx, ce.Meta())
		case err == nil:
			carry(ctx, res.Header())
		}
		return res, err
	}
}

func (i interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		carry(ctx, conn.RequestHeader())
		return conn
	}
}

func (i interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if i.t == nil || strings.HasSuffix(conn.Spec().Procedure, "/Watch") {
			return next(ctx, conn)
		}
		ctx, s := i.t.call(ctx, conn.Spec().Procedure, conn.RequestHeader())
		carry(ctx, conn.ResponseHeader())
		err := next(ctx, conn)
		s.End(wire.Fault(err))
		return err
	}
}

// call begins the span of a call that comes in.
func (t *Tracer) call(ctx context.Context, procedure string, h http.Header) (context.Context, Span) {
	service, method, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	ctx = w3c.Extract(ctx, propagation.HeaderCarrier(h))
	ctx, s := t.tracer.Start(ctx, service+"/"+method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("rpc.system", "connect_rpc"), attribute.String("rpc.service", service), attribute.String("rpc.method", method)))
	if !s.IsRecording() {
		return ctx, Span{}
	}
	return ctx, Span{s}
}

// carry writes the span of ctx into headers; nothing if there is none.
func carry(ctx context.Context, h http.Header) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		w3c.Inject(ctx, propagation.HeaderCarrier(h))
	}
}
