package client

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mulian/gen/mulian/console/v1/consolev1connect"
	"mulian/gen/mulian/grant/v1/grantv1connect"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/pass"
)

// grantKeys begins the keys of the ledger's objects of which some are for their parties only.
const grantKeys = "grant/"

// ReadAs has the client say who asks, with a reading pass, where a server answers to parties
// only: questions about grants, and all about hooks. It may be called while others ask.
func (c *Client) ReadAs(s Signer) {
	c.ReadBy(func(context.Context) (Signer, error) { return s, nil })
}

// ReadBy is ReadAs with who is found out at the first question that needs it; a signer
// without an account says nothing, and the server refuses what is not for everybody.
func (c *Client) ReadBy(who func(context.Context) (Signer, error)) { c.reader.set(who) }

// reader makes passes and keeps one while it counts.
type reader struct {
	c *Client

	mu    sync.Mutex // guards the rest; held while a pass is made: one is made for all
	who   func(context.Context) (Signer, error)
	text  string
	until time.Time // when a new one is made
}

func (r *reader) set(who func(context.Context) (Signer, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.who, r.text, r.until = who, "", time.Time{}
}

// sign adds a pass to a question.
func (r *reader) sign(ctx context.Context, h http.Header) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.c.now().Round(0) // by the wall: a machine that slept, or whose clock was set, makes a new one
	if r.who == nil {
		return nil
	}
	if !now.Before(r.until) {
		s, err := r.who(ctx)
		if err != nil {
			return err
		}
		r.text, r.until = "", now.Add(pass.Life/2)
		if s.Account != "" {
			chainID, err := r.c.ChainID(ctx)
			if err != nil {
				return err
			}
			if r.text, err = pass.New(chainID, s.Account, s.Key, now); err != nil {
				return err
			}
		}
	}
	if r.text != "" {
		h.Set(pass.Header, r.text)
	}
	return nil
}

// forParties reports whether the question may be about what only parties read.
func forParties(procedure string, m any) bool {
	switch x := m.(type) {
	case *ledgerv1.GetObjectRequest:
		return strings.HasPrefix(x.GetKey(), grantKeys)
	case *ledgerv1.ListObjectsRequest:
		return strings.HasPrefix(x.GetPrefix(), grantKeys) || strings.HasPrefix(grantKeys, x.GetPrefix())
	}
	return strings.HasPrefix(procedure, "/"+grantv1connect.GrantServiceName+"/") || strings.HasPrefix(procedure, "/"+consolev1connect.HookServiceName+"/")
}

// WrapUnary implements connect.Interceptor.
func (r *reader) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if forParties(req.Spec().Procedure, req.Any()) {
			if err := r.sign(ctx, req.Header()); err != nil {
				return nil, err
			}
		}
		return next(ctx, req)
	}
}

// WrapStreamingClient implements connect.Interceptor. A pass that cannot be made is left out:
// the server says so.
func (r *reader) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		if forParties(spec.Procedure, nil) {
			_ = r.sign(ctx, conn.RequestHeader())
		}
		return conn
	}
}

// WrapStreamingHandler implements connect.Interceptor; this side handles nothing.
func (r *reader) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}
