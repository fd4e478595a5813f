package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/client/prooffile"
	"mulian/client/sentence"
	"mulian/client/tracepack"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/gen/mulian/trace/v1/tracev1connect"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/pass"
	"mulian/internal/wire"
)

// prover makes proof files for pages, out of what this server answers to everybody: it is
// a client of its own handlers, and as little trusted.
type prover struct {
	room chan struct{} // bounds what is made at one time

	mu    sync.Mutex // guards the rest
	c     *client.Client
	maker *prooffile.Maker
}

// Bounds of the work for pages; our own choice. A file takes some ten reads of the state.
const (
	proversAtOnce = 4
	proverWait    = 10 * time.Second // for room
)

func newProver() prover { return prover{room: make(chan struct{}, proversAtOnce)} }

// enter waits for room. Busy.
func (p *prover) enter(ctx context.Context) (leave func(), err error) {
	late := time.NewTimer(proverWait)
	defer late.Stop()
	select {
	case p.room <- struct{}{}:
		return func() { <-p.room }, nil
	case <-late.C:
		return nil, fault.Newf(fault.Busy, "this node makes %d proofs at one time; ask again", proversAtOnce)
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Cancelled, ctx.Err(), "prove")
	}
}

// ready returns the maker of this chain's files, which is made with the first one.
func (s *Server) ready(ctx context.Context) (*client.Client, *prooffile.Maker, error) {
	p := &s.prover
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.maker != nil {
		return p.c, p.maker, nil
	}
	genesis, err := s.chain.Genesis(ctx)
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(ledgerAPI{s.chain, s}))
	mux.Handle(tracev1connect.NewTraceServiceHandler(traceAPI{s}))
	c := client.NewWith("http://inside", inside{mux})
	m, err := prooffile.NewMaker(c, genesis)
	if err != nil {
		return nil, nil, err
	}
	p.c, p.maker = c, m
	return c, m, nil
}

// anchorVerb is the verb of what gateways do all day.
const anchorVerb = "trace/anchor_head"

var eventID = regexp.MustCompile(`^event:([0-9]{1,15})$`)

// Prove implements ConsoleService.
func (c consoleAPI) Prove(ctx context.Context, req *connect.Request[consolev1.ProveRequest]) (*connect.Response[consolev1.ProveResponse], error) {
	id := req.Msg.GetId()
	if err := checkText(id); err != nil {
		return nil, wire.Error(err)
	}
	leave, err := c.s.prover.enter(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	defer leave()
	_, m, err := c.s.ready(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	file, err := c.s.prove(showing(ctx, req.Header()), m, id)
	return respond(&consolev1.ProveResponse{File: file}, err)
}

func (s *Server) prove(ctx context.Context, m *prooffile.Maker, id string) ([]byte, error) {
	if x := eventID.FindStringSubmatch(id); x != nil {
		seq, _ := strconv.ParseInt(x[1], 10, 64) // 15 digits
		return m.Event(ctx, seq)
	}
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == txIDSize {
		return m.Transaction(ctx, [txIDSize]byte(raw))
	}
	s.fresh(ctx) // a number that was given a moment ago
	if key, err := s.index.Resolve(ctx, id); err == nil {
		id = key
	}
	return m.Object(ctx, id)
}

// ExportTrace implements ConsoleService.
func (c consoleAPI) ExportTrace(ctx context.Context, req *connect.Request[consolev1.ExportTraceRequest]) (*connect.Response[consolev1.ExportTraceResponse], error) {
	id := req.Msg.GetObject()
	if err := checkText(id); err != nil {
		return nil, wire.Error(err)
	}
	leave, err := c.s.prover.enter(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	defer leave()
	cl, m, err := c.s.ready(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	if key, err := c.s.index.Resolve(ctx, id); err == nil {
		id = key
	}
	p, err := tracepack.Make(showing(ctx, req.Header()), cl, m, tracepack.Order{Object: id, Direct: req.Msg.GetDirect(), Program: "mulian " + c.s.opts.Version})
	if err != nil {
		return nil, wire.Error(err)
	}
	return respond(&consolev1.ExportTraceResponse{Zip: p.Zip, Name: p.Name, Steps: uint32(p.Steps), Complete: p.Complete}, nil)
}

// ListEvents implements ConsoleService.
func (c consoleAPI) ListEvents(ctx context.Context, req *connect.Request[consolev1.ListEventsRequest]) (*connect.Response[consolev1.ListEventsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetActor(), m.GetObject()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	f := index.EventFilter{Actor: m.GetActor(), Object: m.GetObject(), FromMs: m.GetFromMs(), ToMs: m.GetToMs(), Below: m.GetBelow(), Limit: m.GetLimit()}
	if !m.GetAnchors() {
		f.Without = anchorVerb
	}
	steps, next, err := c.s.index.Events(ctx, f)
	if err != nil {
		return nil, wire.Error(err)
	}
	out, lang, names := &consolev1.ListEventsResponse{Next: next}, language("", req), c.s.namesOf(ctx, steps)
	for _, st := range steps {
		out.Steps = append(out.Steps, &tracev1.TraceStep{Seq: st.Seq, Event: st.Event, Title: sentence.EventNamed(lang, st.Event, names)})
	}
	return respond(out, nil)
}

// inside is the way of a client to handlers of the same process: it may read what its asker
// may, and shows the pass of the question that it serves.
type inside struct{ h http.Handler }

// passShown is the key under which a context has the asker's reading pass.
type passShown struct{}

func showing(ctx context.Context, h http.Header) context.Context {
	return context.WithValue(ctx, passShown{}, h.Get(pass.Header))
}

// Do implements connect.HTTPClient.
func (i inside) Do(req *http.Request) (*http.Response, error) {
	if text, ok := req.Context().Value(passShown{}).(string); ok && text != "" {
		req.Header.Set(pass.Header, text)
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	i.h.ServeHTTP(a, req)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: a.header,
		Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: req,
	}, nil
}

// answer is what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is a method of http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader is a method of http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write is a method of http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
