package gateway

import (
	"context"
	"net"
	"slices"
	"strings"

	rpc "connectrpc.com/connect"
)

// looks are the commands over the control socket that change nothing, and those of which a
// program gives thousands: each of these has its own record in the access log.
var looks = []string{"Ask", "State", "Watch", "Compare"}

// uidKey is where the user at the other end of the control socket stands in a context.
type uidKey struct{}

// withUID notes who connected, as the operating system says; -1 where it does not.
func withUID(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, uidKey{}, uidOf(c))
}

// telling tells [Options.Told] of the commands over the control socket.
type telling struct{ g *Gateway }

func (t telling) tell(ctx context.Context, procedure string) {
	command := procedure[strings.LastIndexByte(procedure, '/')+1:]
	if t.g.opts.Told == nil || slices.ContainsFunc(looks, func(l string) bool { return strings.HasPrefix(command, l) }) {
		return
	}
	uid, ok := ctx.Value(uidKey{}).(int)
	if !ok {
		uid = -1
	}
	t.g.opts.Told(strings.ToLower(command), uid)
}

// WrapUnary is connect.Interceptor's.
func (t telling) WrapUnary(next rpc.UnaryFunc) rpc.UnaryFunc {
	return func(ctx context.Context, req rpc.AnyRequest) (rpc.AnyResponse, error) {
		t.tell(ctx, req.Spec().Procedure)
		return next(ctx, req)
	}
}

// WrapStreamingClient is connect.Interceptor's.
func (t telling) WrapStreamingClient(next rpc.StreamingClientFunc) rpc.StreamingClientFunc {
	return next
}

// WrapStreamingHandler is connect.Interceptor's.
func (t telling) WrapStreamingHandler(next rpc.StreamingHandlerFunc) rpc.StreamingHandlerFunc {
	return func(ctx context.Context, conn rpc.StreamingHandlerConn) error {
		t.tell(ctx, conn.Spec().Procedure)
		return next(ctx, conn)
	}
}
