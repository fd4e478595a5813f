// Package server is the HTTP door of a member: the Connect API (gRPC, gRPC-Web
// and plain JSON over HTTP from one schema), its OpenAPI document, health,
// metrics, the pages on which people work (package console), a small status page and the
// public page of a certificate or object, both without script.
//
// It is a convenience, not a trust root. It has no key and no more rights than
// any client; whatever it says about the ledger can be checked (package client,
// [client.Verified]).
//
//	request ──bounds──▶ Chain (proved) or Index (fast) ──▶ answer | coded refusal with a reference
//
// # Invariants
//
//  1. No handler ends the process: a panic is logged with its reference and
//     answered as Internal.
//  2. Every request is bounded in size and time before it is read.
//  3. Of what owners grant only the parties read, and say so with a reading pass: see private.
//  4. No personal data and no key in a log line: only method, code, duration and
//     reference.
//
// If this part lies, a reader who does not check is deceived; nobody gets a right
// or a datum by it (docs/trust.md).
package server

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"

	"mulian/gen/mulian/catalogue/v1/cataloguev1connect"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	"mulian/gen/mulian/credential/v1/credentialv1connect"
	"mulian/gen/mulian/ereceipt/v1/ereceiptv1connect"
	"mulian/gen/mulian/evidence/v1/evidencev1connect"
	"mulian/gen/mulian/foreign/v1/foreignv1connect"
	"mulian/gen/mulian/governance/v1/governancev1connect"
	"mulian/gen/mulian/grant/v1/grantv1connect"
	"mulian/gen/mulian/identity/v1/identityv1connect"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	"mulian/gen/mulian/mandate/v1/mandatev1connect"
	"mulian/gen/mulian/recovery/v1/recoveryv1connect"
	"mulian/gen/mulian/safebox/v1/safeboxv1connect"
	"mulian/gen/mulian/share/v1/sharev1connect"
	"mulian/gen/mulian/trace/v1/tracev1connect"
	"mulian/gen/openapi"
	"mulian/index"
	"mulian/internal/tracing"
	"mulian/internal/wire"
	"mulian/server/boxdoor"
	"mulian/server/hooks"
)

// Time bounds of the HTTP server. There is no write timeout: a watch is a stream
// without end; each other answer has requestTimeout.
const (
	headerTimeout   = 10 * time.Second
	idleTimeout     = 2 * time.Minute
	requestTimeout  = 60 * time.Second
	shutdownTimeout = 5 * time.Second
	maxHeaderBytes  = 64 << 10
)

// Options of a server; the zero value works.
type Options struct {
	Version string
	Logger  *slog.Logger // default slog.Default()
	Now     func() time.Time
	// Metrics is the registry that /metrics shows, with what others have put into it;
	// nil is a new one.
	Metrics *prometheus.Registry
	// Tracer follows calls into the chain; nil: none are followed.
	Tracer *tracing.Tracer
	// Origins are where people open the pages, "https://mulian.example.cn": passkeys work
	// there. None: under each name and address.
	Origins []string
	// Authority is the certificate in PEM of the server's own authority; nil: it has none.
	Authority []byte
	// Box is the door to the boxes that this member keeps; nil: it keeps none.
	Box *boxdoor.Door
	// Hooks are those of this node; nil: it has none.
	Hooks *hooks.Hooks
}

// Server answers for one node. Make it with [New].
type Server struct {
	chain   Chain
	index   *index.Index
	opts    Options
	log     *slog.Logger
	metrics *metrics
	started time.Time
	inbox   inbox
	askers  askers
	follow  follow
	pages   *pages
	prover  prover

	overviews kept[uint32, consolev1.GetOverviewResponse] // by days
	coverages kept[int, consolev1.GetCoverageResponse]
	findings  kept[int, consolev1.ListFindingsResponse]
	reports   kept[int32, consolev1.GetReportResponse]
	commits   commits

	mu     sync.Mutex // guards seats and signIn
	seats  Seats
	signIn SignIn

	closing context.Context
	stop    context.CancelFunc
}

// New returns a server over a chain and its index.
func New(chain Chain, x *index.Index, opts Options) *Server {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Metrics == nil {
		opts.Metrics = prometheus.NewRegistry()
	}
	s := &Server{chain: chain, index: x, opts: opts, log: opts.Logger, started: opts.Now(), pages: newPages(), prover: newProver()}
	s.closing, s.stop = context.WithCancel(context.Background())
	s.metrics = newMetrics(s)
	return s
}

func fastGzip() connect.Compressor {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for levels that do not exist
	return w
}

// Handler returns all routes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	opts := []connect.HandlerOption{
		connect.WithReadMaxBytes(wire.MaxMessageBytes),
		connect.WithSendMaxBytes(wire.MaxMessageBytes),
		connect.WithInterceptors(s.opts.Tracer.Interceptor(), &observer{s}),
		connect.WithRecover(s.recovered),
		// Lists are compressed while somebody waits: the fastest level takes a fifth to two fifths
		// of the usual one's time (0.09 of 0.48 ms for an agreement's 444 uses, 0.23 of 0.57 for 200
		// entries), and its answers are 6 to 9 % larger.
		connect.WithCompression("gzip", func() connect.Decompressor { return &gzip.Reader{} }, fastGzip),
		connect.WithCompressMinBytes(leastGzip),
	}
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(ledgerAPI{s.chain, s}, opts...))
	mux.Handle(cataloguev1connect.NewCatalogueServiceHandler(catalogueAPI{s: s}, opts...))
	mux.Handle(evidencev1connect.NewEvidenceServiceHandler(evidenceAPI{s}, opts...))
	mux.Handle(ereceiptv1connect.NewEReceiptServiceHandler(ereceiptAPI{s}, opts...))
	mux.Handle(safeboxv1connect.NewSafeboxServiceHandler(safeboxAPI{s}, opts...))
	mux.Handle(recoveryv1connect.NewRecoveryServiceHandler(recoveryAPI{s}, opts...))
	mux.Handle(mandatev1connect.NewMandateServiceHandler(mandateAPI{s}, opts...))
	mux.Handle(foreignv1connect.NewForeignServiceHandler(foreignAPI{s}, opts...))
	mux.Handle(credentialv1connect.NewCredentialServiceHandler(credentialAPI{s}, opts...))
	mux.Handle(grantv1connect.NewGrantServiceHandler(grantAPI{s}, opts...))
	mux.Handle(sharev1connect.NewShareServiceHandler(shareAPI{s}, opts...))
	mux.Handle(identityv1connect.NewIdentityServiceHandler(identityAPI{s}, opts...))
	mux.Handle(governancev1connect.NewGovernanceServiceHandler(governanceAPI{s}, opts...))
	mux.Handle(tracev1connect.NewTraceServiceHandler(traceAPI{s}, opts...))
	mux.Handle(consolev1connect.NewConsoleServiceHandler(consoleAPI{s}, opts...))
	mux.Handle(consolev1connect.NewOverviewServiceHandler(overviewAPI{s}, opts...))
	mux.Handle(consolev1connect.NewHookServiceHandler(hookAPI{s}, opts...))
	var box safeboxv1connect.BoxServiceHandler = noBoxes{}
	if s.opts.Box != nil {
		box = s.opts.Box
	}
	mux.Handle(safeboxv1connect.NewBoxServiceHandler(box, opts...))
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		_, _ = w.Write(openapi.Document)
	})
	mux.HandleFunc("GET /openapi.json", s.openAPI)
	mux.HandleFunc("GET /api/codes", s.codes)
	mux.HandleFunc("GET /api/report/{month}", s.workbook)
	mux.HandleFunc("GET /status", s.page)
	mux.HandleFunc("GET /v/{id...}", s.publicPage)
	mux.HandleFunc("GET /api/version", s.version)
	mux.HandleFunc("GET /ca.crt", s.authority)
	if s.pages.there() {
		mux.Handle("/", s.byName(s.pages))
	} else {
		mux.HandleFunc("GET /{$}", s.page)
	}
	return bounded(s.ownPage(mux))
}

// Serve answers on the listener until ctx ends, and then lets running requests
// end within shutdownTimeout.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, l, nil)
}

// ServeTLS is Serve over TLS.
func (s *Server) ServeTLS(ctx context.Context, l net.Listener, secrets *tls.Config) error {
	return s.serve(ctx, l, secrets)
}

func (s *Server) serve(ctx context.Context, l net.Listener, secrets *tls.Config) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC without TLS, behind a proxy or on loopback
	srv := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		Protocols: protocols, TLSConfig: secrets, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() {
		if secrets != nil {
			done <- srv.ServeTLS(l, "", "")
			return
		}
		done <- srv.Serve(l)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	s.stop() // ends the streams, which would otherwise hold the server open
	bound, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := srv.Shutdown(bound)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close()
	}
	<-done
	return err
}

// streaming ties a stream's life to the server's.
func (s *Server) streaming(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	undo := context.AfterFunc(s.closing, cancel)
	return ctx, func() { undo(); cancel() }
}

func (s *Server) status(ctx context.Context) (*ledgerv1.GetStatusResponse, error) {
	st, err := s.chain.Status(ctx)
	if err != nil {
		return nil, err
	}
	st.Version, st.StartedMs, st.Indexed = s.opts.Version, s.started.UnixMilli(), -1
	if s.index != nil {
		st.Indexed, _ = s.index.Next()
	}
	st.OpenProposals = s.openProposals(ctx)
	if s.opts.Box != nil {
		st.BoxDoor = s.opts.Box.Name()
	}
	if x := s.signingIn(); x != nil {
		st.SignIn = x.Issuer()
	}
	if s.opts.Hooks != nil {
		f := s.opts.Hooks.Figures()
		st.Hooks, st.HooksFailing, st.HooksFailingMs = f.Hooks, f.Failing, f.SinceMs
	}
	st.SubmitP50Us, st.SubmitP99Us = s.metrics.times.percentiles()
	return st, nil
}

// health answers 200 while blocks can be read; for load balancers.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := s.chain.Status(r.Context()); err != nil {
		http.Error(w, "the node does not answer", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// bounded sets what holds for every route.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, wire.MaxMessageBytes)
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(refusing{w}, r)
	})
}
