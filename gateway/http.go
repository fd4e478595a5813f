package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mulian/gateway/deliver"
	"mulian/gateway/view"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Time bounds of the HTTP server. There is no write timeout: a delivery is a long
// stream.
const (
	headerTimeout   = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = 5 * time.Second
	maxHeaderBytes  = 64 << 10
	firstMark       = 3 * time.Second // for the first sight of the ledger; a block takes milliseconds
)

// maxAsked bounds what is read of a request before anything is known of the asker:
// a signed request has at most 256 KiB (package deliver).
const maxAsked = 512 << 10

func (g *Gateway) serve(ctx context.Context) error {
	server := &http.Server{Handler: patient(g.Handler(), cmp.Or(g.opts.Patience, deliver.DefaultPatience)), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		short, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		err := server.Shutdown(short)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close() // a stream that does not end; its asker goes on later
		}
		stopped <- err
	}()
	// Who is first after a start, or connected during a reload, need not be refused because
	// the view has no mark yet (12020): he waits in the socket's queue.
	first, cancel := context.WithTimeout(ctx, firstMark)
	if err := g.anchor.Now(first); err != nil && ctx.Err() == nil {
		g.log.Warn("the ledger has not answered yet; requests are taken, and refused as long as that is so", "err", err)
	}
	cancel()
	if err := server.Serve(g.listener); !errors.Is(err, http.ErrServerClosed) {
		return fault.Wrap(fault.Unreachable, err, "serve")
	}
	return <-stopped
}

// Handler returns all routes: GatewayService, /log/ (checkpoint and tiles of the
// access log, for anyone's tool), /usage/ (for data owners), /healthz, /metrics;
// where they are configured, the Dataspace Protocol below /dsp/ and the door for wallets
// (/vci/, /vp/, /R/, /desk/); for an issuer of credentials, its status lists below /st/ and
// its keys at /.well-known/jwt-vc-issuer, and /receipts for owners of grants.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(gatewayv1connect.NewGatewayServiceHandler(g.subs, rpc.WithInterceptors(g.tracer.Interceptor(), &g.pace), rpc.WithReadMaxBytes(maxAsked), rpc.WithSendMaxBytes(wire.MaxMessageBytes),
		rpc.WithCompression("gzip", nil, nil))) // what is sealed does not get smaller
	mux.Handle("GET /log/", http.StripPrefix("/log/", tiles(g.records.TilesDir())))
	mux.Handle("GET /usage/", g.usages())
	if g.dataspace != nil {
		h := g.dataspace.Handler()
		mux.Handle("/dsp/", h)
		mux.Handle("GET /.well-known/dspace-version", h)
	}
	if g.desk != nil {
		h := g.desk.Handler(statusPrefix)
		mux.Handle("GET "+statusPrefix, h)
		mux.Handle("GET /.well-known/jwt-vc-issuer", h)
	}
	if g.receipts != nil {
		mux.HandleFunc("POST /receipts", g.serveReceipts)
	}
	if g.wallets != nil {
		g.wallets.Routes(mux)
	}
	mux.HandleFunc("GET /healthz", g.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.metrics(), promhttp.HandlerOpts{}))
	return mux
}

// tiles serves the public files of a log folder, and nothing of Tessera's own state.
func tiles(dir string) http.Handler {
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "checkpoint" && !strings.HasPrefix(r.URL.Path, "tile/") || strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		if r.URL.Path == "checkpoint" {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-cache")
		}
		r.URL.Path = "/" + r.URL.Path
		files.ServeHTTP(w, r)
	})
}

// Status is how a gateway is.
type Status struct {
	Account        string  `json:"account"`
	Version        string  `json:"version"`
	Addr           string  `json:"addr"`
	OK             bool    `json:"ok"`                // it can release
	Trouble        string  `json:"trouble,omitempty"` // why not, or what does not work
	LogSize        uint64  `json:"log_size"`
	Anchored       uint64  `json:"anchored"` // records on the ledger
	ViewHeight     int64   `json:"view_height"`
	ViewAgeSeconds float64 `json:"view_age_seconds"` // -1: no mark yet
	Receipts       int     `json:"receipts"`
	Granted        uint64  `json:"granted"` // since the start
	Refused        uint64  `json:"refused"`
	Failed         uint64  `json:"failed"`
	Rows           uint64  `json:"rows"`
}

// Status returns how the gateway is now.
func (g *Gateway) Status() Status { return g.status(error.Error) }

func (g *Gateway) status(trouble func(error) string) Status {
	head, mark, failing := g.anchor.Status()
	c := g.provider.Counts()
	s := Status{
		Account: g.cfg.Account, Version: g.opts.Version, Addr: g.Addr(), OK: true, LogSize: g.records.Size(), Anchored: head.GetSize(),
		ViewHeight: mark.Height, ViewAgeSeconds: -1, Receipts: g.asker.Receipts().Len(),
		Granted: c.Granted.Load(), Refused: c.Refused.Load(), Failed: c.Failed.Load(), Rows: c.Rows.Load(),
	}
	if age := g.view.Age(mark.Height); !mark.Sent.IsZero() && age != view.NoAge {
		s.ViewAgeSeconds = age.Seconds()
	}
	for _, err := range []error{failing, g.records.Err(), g.anchor.Refused()} {
		if err != nil {
			s.Trouble = trouble(err)
			s.OK = false
		}
	}
	if err := g.records.Lost(); err != nil && s.OK {
		s.Trouble = trouble(err) // and it can release
	}
	if err := g.full(); err != nil {
		s.OK, s.Trouble = false, "the disk is full; it goes on by itself when there is room: "+err.Error()
	}
	return s
}

// health answers anybody: which trouble there is, by its number. What led to it names
// places of this department; `mulian gateway status` and the log have it.
func (g *Gateway) health(w http.ResponseWriter, _ *http.Request) {
	s := g.status(func(err error) string { return fault.CodeOf(err).String() })
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if !s.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(s) // the caller has gone
}

// metrics are of the gateway and its process: numbers of accesses, never whose or what.
func (g *Gateway) metrics() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	const prefix = "mulian_gateway_"
	gauge := func(name, help string, value func(Status) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, func() float64 { return value(g.Status()) }))
	}
	counter := func(name, help string, value func(Status) uint64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: prefix + name + "_total", Help: help}, func() float64 { return float64(value(g.Status())) }))
	}
	gauge("ok", "1 if the gateway can release.", func(s Status) float64 { return oneIf(s.OK) })
	gauge("log_records", "Records in the access log.", func(s Status) float64 { return float64(s.LogSize) })
	gauge("log_anchored_records", "Records whose head is on the ledger.", func(s Status) float64 { return float64(s.Anchored) })
	gauge("view_height", "Height of the ledger that releases rest on.", func(s Status) float64 { return float64(s.ViewHeight) })
	gauge("view_age_seconds", "Age of the view of the ledger; -1 before the first mark.", func(s Status) float64 { return s.ViewAgeSeconds })
	gauge("receipts", "Receipts of what this gateway received.", func(s Status) float64 { return float64(s.Receipts) })
	counter("granted", "Releases since the start.", func(s Status) uint64 { return s.Granted })
	counter("refused", "Refusals since the start.", func(s Status) uint64 { return s.Refused })
	counter("failed", "Releases that did not end, since the start.", func(s Status) uint64 { return s.Failed })
	counter("rows", "Rows released since the start.", func(s Status) uint64 { return s.Rows })
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + "build_info", Help: "1; the version is in the label.", ConstLabels: prometheus.Labels{"version": g.opts.Version}}, func() float64 { return 1 }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	reg.MustRegister(g.feedMeter(), g.pace.histogram(), queues{g})
	return reg
}
