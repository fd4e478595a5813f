package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// ControlSocket is the file in a gateway's home through which the department's own
// people and programs use it: readable and writable by its owner alone.
const ControlSocket = "control.sock"

// Control reaches a running gateway through the socket in its home. Nothing happens
// on the socket before the first call; Unreachable if no gateway runs there.
func Control(home string) gatewayv1connect.ControlServiceClient {
	path := filepath.Join(home, ControlSocket)
	h := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socketPath(path))
	}}}
	return gatewayv1connect.NewControlServiceClient(h, "http://gateway", rpc.WithReadMaxBytes(wire.MaxMessageBytes))
}

// socketPath makes a path relative if that is shorter: an address of a socket has at
// most 108 bytes on Linux.
func socketPath(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		if rel, err := filepath.Rel(dir, abs); err == nil && len(rel) < len(path) {
			return rel
		}
	}
	return path
}

// control serves the socket until ctx ends. A socket that an earlier process left
// is ours: the folder's lock says that no other gateway runs in it.
func (g *Gateway) control(ctx context.Context) error {
	path := filepath.Join(g.cfg.Home, ControlSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fault.Wrap(fault.Locked, err, "control socket")
	}
	l, err := net.Listen("unix", socketPath(path))
	if err != nil {
		// A path that is too long must not keep a gateway from serving others.
		g.log.Warn("no control socket: the command line cannot reach this gateway", "path", path, "err", err)
		<-ctx.Done()
		return nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.Handle(gatewayv1connect.NewControlServiceHandler(controlAPI{g}, rpc.WithInterceptors(g.tracer.Interceptor(), telling{g}), rpc.WithReadMaxBytes(wire.MaxMessageBytes)))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withUID}
	stopped := make(chan struct{})
	go func() {
		<-ctx.Done()
		// Running calls end with ctx, and say so; fetches go on at the next start.
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := server.Shutdown(short); err != nil {
			_ = server.Close()
		}
		close(stopped)
	}()
	err = server.Serve(l)
	if ctx.Err() == nil {
		return fault.Wrap(fault.Unreachable, err, "control socket")
	}
	<-stopped
	return nil
}

type controlAPI struct{ g *Gateway }

func (c controlAPI) Ask(ctx context.Context, req *rpc.Request[gatewayv1.AskRequest]) (*rpc.Response[gatewayv1.AskResponse], error) {
	m := req.Msg
	entry, err := c.entry(ctx, m.GetAgreement(), m.GetEntry())
	if err != nil {
		return nil, wire.Error(err)
	}
	if m.GetPredicate() != "" {
		asked, err := c.g.Predicate(ctx, m.GetAgreement(), entry, m.GetPredicate(), m.GetParameters(), m.GetWhere()...)
		if err != nil {
			return nil, wire.Error(err)
		}
		return rpc.NewResponse(&gatewayv1.AskResponse{Verdict: asked.Verdict, Receipt: asked.Receipt, Record: asked.Record}), nil
	}
	res, err := c.g.Query(ctx, m.GetAgreement(), entry, m.GetItems(), m.GetLimit(), m.GetWhere()...)
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &gatewayv1.AskResponse{Columns: res.Columns, Receipt: res.Receipt, Record: res.Record}
	for _, row := range res.Rows {
		out.Rows = append(out.Rows, shown(row))
	}
	return rpc.NewResponse(out), nil
}

func (c controlAPI) ByGrant(ctx context.Context, req *rpc.Request[gatewayv1.ByGrantRequest]) (*rpc.Response[gatewayv1.ByGrantResponse], error) {
	m := req.Msg
	got, err := c.g.FetchByGrant(ctx, deliver.GrantedFetch{
		Grant: m.GetGrant(), Items: m.GetItems(), RowKey: m.GetRowKey(), Scope: m.GetScope(), ScopeSalt: m.GetScopeSalt(),
		Entry: m.GetEntry(), EntryVersion: m.GetEntryVersion(), EntrySalt: m.GetEntrySalt(), Claims: m.GetClaims(), Fetch: m.GetFetch(), Provider: m.GetProvider(),
	})
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &gatewayv1.ByGrantResponse{Columns: got.Columns, Receipt: got.Receipt, Record: got.Record, Verdict: got.Verdict, Fetch: got.Fetch, Use: got.Record.GetUse()}
	for _, row := range got.Rows {
		out.Rows = append(out.Rows, shown(row))
	}
	return rpc.NewResponse(out), nil
}

// progressEvery bounds how often a fetch tells how far it is.
const progressEvery = 500 * time.Millisecond

func (c controlAPI) Fetch(ctx context.Context, req *rpc.Request[gatewayv1.FetchRequest], stream *rpc.ServerStream[gatewayv1.FetchResponse]) error {
	m := req.Msg
	entry, err := c.entry(ctx, m.GetAgreement(), m.GetEntry())
	if err != nil {
		return wire.Error(err)
	}
	into := parseTableName(m.GetInto())
	if into.Name == "" {
		_, local, _ := strings.Cut(entry, ":")
		into.Name = local
	}
	var last time.Time
	f := deliver.Fetch{Agreement: m.GetAgreement(), Entry: entry, Into: into, Names: m.GetNames(), Progress: func(rows, expected int64) {
		if time.Since(last) >= progressEvery {
			last = time.Now()
			_ = stream.Send(&gatewayv1.FetchResponse{Rows: rows, Expected: expected}) // a caller who has gone does not stop the fetch
		}
	}}
	if m.GetAppend() {
		f.Mode = connect.Append
	}
	loaded, err := c.g.Fetch(ctx, f)
	if err != nil {
		return wire.Error(err)
	}
	return stream.Send(&gatewayv1.FetchResponse{
		Done: true, Rows: loaded.Rows, Expected: loaded.Rows, Delivery: loaded.Delivery, Table: loaded.Table.String(), Digest: loaded.Digest,
		Height: loaded.Height, Milliseconds: loaded.Took.Milliseconds(), Bytes: loaded.Bytes,
	})
}

// entry is the entry that is meant: the only one of the agreement if none is named.
func (c controlAPI) entry(ctx context.Context, agreement, entry string) (string, error) {
	if entry != "" {
		return entry, nil
	}
	a := &sharev1.Agreement{}
	found, _, err := c.g.proved.Get(ctx, "share/agreement/"+agreement, a)
	if err != nil {
		return "", err
	}
	if !found {
		return "", fault.Newf(fault.NotFound, "there is no agreement %s", agreement)
	}
	parts := a.GetTerms().GetParts()
	if len(parts) != 1 {
		names := make([]string, len(parts))
		for i, p := range parts {
			names[i] = p.GetEntry()
		}
		return "", fault.Newf(fault.Missing, "the agreement has %d entries, name one: %s", len(parts), strings.Join(names, ", "))
	}
	return parts[0].GetEntry(), nil
}

func (c controlAPI) State(ctx context.Context, _ *rpc.Request[gatewayv1.StateRequest]) (*rpc.Response[gatewayv1.StateResponse], error) {
	s := c.g.Status()
	out := &gatewayv1.StateResponse{
		Gateway: s.Account, Org: c.g.org, Version: s.Version, Url: "http://" + s.Addr, LogSize: s.LogSize, AnchoredSize: s.Anchored,
		ViewHeight: s.ViewHeight, ViewAgeMs: int64(s.ViewAgeSeconds * 1000), Sink: c.g.sink != nil,
		OpenedMs: c.g.started.UnixMilli(), Trouble: s.Trouble,
	}
	for _, src := range c.g.cfg.Sources {
		out.Sources = append(out.Sources, src.Name)
	}
	late, since, err := c.g.provider.Unsettled()
	if err != nil {
		return nil, wire.Error(err)
	}
	out.Uncountersigned, out.UncountersignedSinceMs = uint64(late), since
	subscribers, err := c.g.Subscribers(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	out.Following, out.Subscribers = c.g.Followings(), subscribers
	return rpc.NewResponse(out), nil
}

func (c controlAPI) Reload(context.Context, *rpc.Request[gatewayv1.ReloadRequest]) (*rpc.Response[gatewayv1.ReloadResponse], error) {
	if c.g.opts.Reload == nil {
		return nil, wire.Error(fault.Newf(fault.Usage, "this gateway runs inside another program, which has its configuration"))
	}
	if err := c.g.opts.Reload(); err != nil {
		return nil, wire.Error(err)
	}
	return rpc.NewResponse(&gatewayv1.ReloadResponse{}), nil
}
