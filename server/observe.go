package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// metrics of one server.
type metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	txs      *prometheus.CounterVec
	waits    prometheus.Histogram
	times    times
	sample   sample
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: s.opts.Metrics,
		calls:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mulian_api_calls_total", Help: "API calls by method and code."}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mulian_api_seconds", Help: "Time of an API call.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method"}),
		txs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mulian_transactions_total", Help: "Transactions submitted here by code; 0 = committed."}, []string{"code"}),
	}
	m.waits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "mulian_submit_seconds", Help: "Time from a transaction's arrival here until its block.",
		Buckets: []float64{.002, .005, .01, .02, .03, .05, .075, .1, .15, .2, .3, .5, 1, 2, 5, 10, 30},
	})
	m.registry.MustRegister(
		m.calls, m.seconds, m.txs, m.waits, standing{s},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mulian_build_info", Help: "1; the version is in the label.", ConstLabels: prometheus.Labels{"version": s.opts.Version}}, func() float64 { return 1 }),
	)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// submitted notes what became of a transaction. How long a refusal at the door took says
// nothing about blocks.
func (m *metrics) submitted(began time.Time, err error, res *ledgerv1.SubmitResponse) {
	if err == nil {
		took := time.Since(began)
		m.waits.Observe(took.Seconds())
		m.times.add(took)
	}
	code := res.GetOutcome().GetCode()
	if err != nil {
		code = uint32(fault.CodeOf(err))
	}
	m.txs.WithLabelValues(fmt.Sprint(code)).Inc()
}

// observer measures and logs each call, and bounds unary ones in time.
type observer struct{ s *Server }

func (o *observer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		start := time.Now()
		res, err := next(ctx, req)
		o.done(req.Spec().Procedure, start, err)
		return res, err
	}
}

func (o *observer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (o *observer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		start := time.Now()
		err := next(ctx, conn)
		o.done(conn.Spec().Procedure, start, err)
		return err
	}
}

func (o *observer) done(method string, start time.Time, err error) {
	code := fault.CodeOf(wire.Fault(err))
	took := time.Since(start)
	o.s.metrics.calls.WithLabelValues(method, fmt.Sprint(uint32(code))).Inc()
	o.s.metrics.seconds.WithLabelValues(method).Observe(took.Seconds())
	level := slog.LevelDebug
	attrs := []any{"method", method, "code", code.String(), "took", took}
	if ce, ok := err.(*connect.Error); ok {
		ref := ce.Meta().Get("Mulian-Reference")
		attrs = append(attrs, "reference", ref, "error", ce.Message())
		// Without a reference it is the protocol's word about what the caller sent: no
		// stranger may fill our log with errors.
		if ref != "" && (code == fault.Internal || code == fault.Damaged || code == fault.DiskFull) {
			level = slog.LevelError
		}
	}
	o.s.log.Log(context.Background(), level, "api call", attrs...)
}

// recovered answers for a handler that panicked: our own mistake.
func (s *Server) recovered(_ context.Context, spec connect.Spec, _ http.Header, p any) error {
	err := wire.Error(fmt.Errorf("panic: %v", p))
	ref := ""
	if ce, ok := err.(*connect.Error); ok {
		ref = ce.Meta().Get("Mulian-Reference")
	}
	s.log.Error("handler panicked", "method", spec.Procedure, "reference", ref, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return err
}
