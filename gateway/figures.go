package gateway

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// pace measures the calls of other gateways, by method and by how they ended: answered,
// refused (for what the ledger or the request says), failed (here).
type pace struct {
	once sync.Once
	took *prometheus.HistogramVec
}

func (p *pace) histogram() *prometheus.HistogramVec {
	p.once.Do(func() {
		p.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "mulian_gateway_request_seconds", Help: "Time of a call of another gateway, by method and end.",
			Buckets: []float64{.001, .0025, .005, .01, .02, .03, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"method", "end"})
	})
	return p.took
}

func (p *pace) done(procedure string, began time.Time, err error) {
	end := "answered"
	switch c := fault.CodeOf(wire.Fault(err)); {
	case c == fault.OK:
	case c >= 19000:
		end = "failed"
	default:
		end = "refused"
	}
	p.histogram().WithLabelValues(procedure[strings.LastIndexByte(procedure, '/')+1:], end).Observe(time.Since(began).Seconds())
}

// WrapUnary is connect.Interceptor's.
func (p *pace) WrapUnary(next rpc.UnaryFunc) rpc.UnaryFunc {
	return func(ctx context.Context, req rpc.AnyRequest) (rpc.AnyResponse, error) {
		began := time.Now()
		res, err := next(ctx, req)
		p.done(req.Spec().Procedure, began, err)
		return res, err
	}
}

// WrapStreamingClient is connect.Interceptor's.
func (p *pace) WrapStreamingClient(next rpc.StreamingClientFunc) rpc.StreamingClientFunc { return next }

// WrapStreamingHandler is connect.Interceptor's.
func (p *pace) WrapStreamingHandler(next rpc.StreamingHandlerFunc) rpc.StreamingHandlerFunc {
	return func(ctx context.Context, conn rpc.StreamingHandlerConn) error {
		began := time.Now()
		err := next(ctx, conn)
		p.done(conn.Spec().Procedure, began, err)
		return err
	}
}

// queues tells what waits in this gateway, and what was refused for which code.
type queues struct{ g *Gateway }

func gatewayDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mulian_gateway_"+name, help, labels, nil)
}

var (
	refusalsDesc   = gatewayDesc("refusals_total", "Requests refused or not admitted since the start, by code (mulian explain CODE).", "code")
	unanchoredDesc = gatewayDesc("unanchored_records", "Records of the access log that are not on the ledger yet.")
	unsignedDesc   = gatewayDesc("uncountersigned_receipts", "Releases whose counter-signature by the receiver is late.")
	oldestDesc     = gatewayDesc("uncountersigned_oldest_seconds", "Age of the oldest of them; 0: none.")
	runningDesc    = gatewayDesc("queries_running", "Requests that are being answered.")
	placesDesc     = gatewayDesc("queries_places", "How many can be at once; more wait, and are Busy in the end.")
	followingDesc  = gatewayDesc("followings", "Tables that this gateway follows, by state.", "state")
	lagDesc        = gatewayDesc("following_lag_seconds", "The most that a followed table is behind its origin; 0: none is.")
	bytesDesc      = gatewayDesc("released_bytes_total", "Sealed bytes released since the start.")
	freeDesc       = gatewayDesc("disk_free_bytes", "Room on the disk of the gateway's home.")
	startDesc      = gatewayDesc("start_timestamp_seconds", "When the gateway was opened, since 1970.")
)

// Describe is prometheus.Collector's.
func (q queues) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{refusalsDesc, unanchoredDesc, unsignedDesc, oldestDesc, runningDesc, placesDesc, followingDesc, lagDesc, bytesDesc, freeDesc, startDesc} {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (q queues) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	p := q.g.provider
	for code, n := range p.Counts().ByCode() {
		out <- prometheus.MustNewConstMetric(refusalsDesc, prometheus.CounterValue, float64(n), strconv.FormatUint(uint64(code), 10))
	}
	out <- prometheus.MustNewConstMetric(bytesDesc, prometheus.CounterValue, float64(p.Counts().Bytes.Load()))
	head, _, _ := q.g.anchor.Status()
	size := q.g.records.Size()
	gauge(unanchoredDesc, float64(size-min(size, head.GetSize())))
	if late, since, err := p.Unsettled(); err == nil {
		gauge(unsignedDesc, float64(late))
		age := 0.0
		if since > 0 {
			age = max(0, time.Since(time.UnixMilli(since)).Seconds())
		}
		gauge(oldestDesc, age)
	}
	now, most := p.Running()
	gauge(runningDesc, float64(now))
	gauge(placesDesc, float64(most))
	states, lag := map[string]int{"taking": 0, "following": 0, "stale": 0, "quota": 0, "window": 0, "waiting": 0}, int64(0)
	for _, f := range q.g.Followings() {
		states[f.GetState()]++
		lag = max(lag, f.GetLagMs())
	}
	for state, n := range states {
		gauge(followingDesc, float64(n), state)
	}
	gauge(lagDesc, float64(lag)/1000)
	if n, ok := durable.Free(q.g.cfg.Home); ok {
		gauge(freeDesc, float64(n))
	}
	gauge(startDesc, float64(q.g.started.UnixMilli())/1000)
}
