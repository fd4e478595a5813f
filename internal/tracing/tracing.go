package tracing

import (
	"context"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"mulian/internal/fault"
)

// scope is the name under which our spans stand in a collector.
const scope = "mulian"

// closeWait bounds how long the end of a process waits for its last spans to be taken.
const closeWait = 3 * time.Second

// Config says where spans go. The zero value: nowhere, there are none.
type Config struct {
	// Endpoint is the collector's base URL, http://host:4318; /v1/traces is added unless
	// the URL has a path of its own. Empty: no tracing.
	Endpoint string
	// Ratio is the share of traces that are kept, above 0 to 1; 0 stands for 1.
	Ratio float64
	// Service and Version name the program, Instance this one of several.
	Service, Version, Instance string
}

// Tracer makes spans. A nil Tracer makes none: every method may be called on it.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// Open starts to send spans to cfg.Endpoint; nil when there is none. Nothing is said to
// the collector before the first span, and one that does not answer is no error. Usage:
// an endpoint that is no URL, a ratio outside 0 to 1.
func Open(ctx context.Context, cfg Config) (*Tracer, error) {
	if cfg.Ratio < 0 || cfg.Ratio > 1 {
		return nil, fault.Newf(fault.Usage, "tracing.ratio %v: above 0 to 1; 0 stands for 1", cfg.Ratio)
	}
	if cfg.Endpoint == "" {
		return nil, nil
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fault.Newf(fault.Usage, "tracing.endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) %.200q: http://host:port or https://host:port", cfg.Endpoint)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "tracing.endpoint %.200q", cfg.Endpoint)
	}
	return New(cfg, sdktrace.NewBatchSpanProcessor(exporter)), nil
}

// New makes a Tracer over a processor of one's own; cfg.Endpoint is not looked at.
func New(cfg Config, to sdktrace.SpanProcessor) *Tracer {
	share := sdktrace.AlwaysSample()
	if cfg.Ratio > 0 && cfg.Ratio < 1 {
		share = sdktrace.TraceIDRatioBased(cfg.Ratio)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(to),
		// A caller's wish to be traced is granted within the ratio only: by the id, so that
		// all who take part decide alike.
		sdktrace.WithSampler(sdktrace.ParentBased(share, sdktrace.WithRemoteParentSampled(share))),
		// Nothing of the machine or its user, as the library's default would tell.
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version),
			attribute.String("service.instance.id", cfg.Instance),
		)),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer(scope)}
}

// Close sends what is left, for a short time.
func (t *Tracer) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	return fault.Wrap(fault.Unreachable, t.provider.Shutdown(ctx), "the last spans were not taken")
}

// Span is one step of a call. The zero value records nothing.
type Span struct{ span trace.Span }

// Child begins a step below the one in ctx. Without one it returns ctx and the zero Span.
func Child(ctx context.Context, name string) (context.Context, Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, Span{}
	}
	ctx, s := parent.TracerProvider().Tracer(scope).Start(ctx, name)
	return ctx, Span{s}
}

// Of returns the step that ctx is in; the zero Span if none is recorded.
func Of(ctx context.Context) Span {
	if s := trace.SpanFromContext(ctx); s.IsRecording() {
		return Span{s}
	}
	return Span{}
}

// On reports whether the step is recorded: to spare what only a span needs.
func (s Span) On() bool { return s.span != nil }

// Past adds a step below this one that is over. Nothing if it never began or has not ended.
func (s Span) Past(name string, from, to time.Time) {
	if s.span == nil || from.IsZero() || to.Before(from) {
		return
	}
	ctx := trace.ContextWithSpan(context.Background(), s.span)
	_, step := s.span.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithTimestamp(from))
	step.End(trace.WithTimestamp(to))
}

// Text notes a fact: an id or a name of ours, never a value.
func (s Span) Text(key, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// Number notes a fact that is counted.
func (s Span) Number(key string, value int64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int64(key, value))
	}
}

// End ends the step; with an error it is marked as failed, by its code alone.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if c := fault.CodeOf(err); c != fault.OK {
		s.span.SetAttributes(attribute.Int64("mulian.code", int64(c)))
		s.span.SetStatus(codes.Error, c.String())
	}
	s.span.End()
}
