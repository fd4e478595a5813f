package server

import (
	"context"
	"slices"

	"connectrpc.com/connect"

	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// SignIn lets officials take seats by proving who they are at an identity provider: package
// signin. What it gives is a seat, never a session.
type SignIn interface {
	// Title is how people call the provider, Issuer its own name.
	Title() string
	Issuer() string
	// Begin returns where a page of that origin goes.
	Begin(ctx context.Context, origin string, browser []byte) (string, error)
	// Finish takes what the page came back with, once.
	Finish(ctx context.Context, m *consolev1.FinishSignInRequest) (*consolev1.FinishSignInResponse, error)
	// Holds reports whether a token is a ticket of a sign-in.
	Holds(token string) bool
	// Take is that of [Seats], for a ticket.
	Take(ctx context.Context, m *consolev1.TakeSeatRequest) (*consolev1.TakeSeatResponse, error)
}

// LetSignIn lets people sign in from now on; nil ends it.
func (s *Server) LetSignIn(x SignIn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signIn = x
}

func (s *Server) signingIn() SignIn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signIn
}

var errNoSignIn = fault.Newf(fault.NotFound, "this member has no identity provider (oidc in mulian.yaml): ask the administrator of your organisation for a setup link")

// BeginSignIn implements ConsoleService.
func (c consoleAPI) BeginSignIn(ctx context.Context, req *connect.Request[consolev1.BeginSignInRequest]) (*connect.Response[consolev1.BeginSignInResponse], error) {
	x := c.s.signingIn()
	if x == nil {
		return nil, wire.Error(errNoSignIn)
	}
	origin := req.Header().Get("Origin")
	if !slices.Contains(c.s.Origins(), origin) { // the provider would not know where it leads back to
		return nil, wire.Error(fault.Newf(fault.Forbidden, "officials sign in on a page that is opened under a name of this member (https.names)"))
	}
	url, err := x.Begin(ctx, origin, req.Msg.GetBrowser())
	return respond(&consolev1.BeginSignInResponse{Url: url}, err)
}

// FinishSignIn implements ConsoleService.
func (c consoleAPI) FinishSignIn(ctx context.Context, req *connect.Request[consolev1.FinishSignInRequest]) (*connect.Response[consolev1.FinishSignInResponse], error) {
	x := c.s.signingIn()
	if x == nil {
		return nil, wire.Error(errNoSignIn)
	}
	return respond(x.Finish(ctx, req.Msg))
}
