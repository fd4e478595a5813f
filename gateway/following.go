package gateway

import (
	"context"
	"strings"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/wire"
)

// Follow keeps a table of the own database equal with an entry, from now on; see
// [deliver.Followings.Follow].
func (g *Gateway) Follow(f deliver.Fetch) error { return g.followings.Follow(f) }

// Unfollow ends that; the table stays.
func (g *Gateway) Unfollow(ctx context.Context, agreement, entry string) error {
	return g.followings.Stop(ctx, agreement, entry)
}

// Followings tells how all tables are that are kept equal.
func (g *Gateway) Followings() []*gatewayv1.Following { return g.followings.List() }

// WatchFollowing tells how one is, at each change; see [deliver.Followings.Watch].
func (g *Gateway) WatchFollowing(ctx context.Context, agreement, entry string, fn func(now *gatewayv1.Following, rows, expected int64) bool) error {
	return g.followings.Watch(ctx, agreement, entry, fn)
}

// Subscribers tells who follows this gateway's tables.
func (g *Gateway) Subscribers(ctx context.Context) ([]*gatewayv1.Subscriber, error) {
	return g.subs.Subscribers(ctx)
}

// intoTable is where an entry goes: the named table, else one with the entry's name.
func intoTable(into, entry string) connect.TableName {
	name := parseTableName(into)
	if name.Name == "" {
		_, name.Name, _ = strings.Cut(entry, ":")
	}
	return name
}

// Follow of the control socket: begins or ends, and tells how far it is.
func (c controlAPI) Follow(ctx context.Context, req *rpc.Request[gatewayv1.FollowRequest], stream *rpc.ServerStream[gatewayv1.FollowResponse]) error {
	m := req.Msg
	entry, err := c.entry(ctx, m.GetAgreement(), m.GetEntry())
	if err != nil {
		return wire.Error(err)
	}
	if m.GetStop() {
		return wire.Error(c.g.Unfollow(ctx, m.GetAgreement(), entry))
	}
	if err := c.g.Follow(deliver.Fetch{Agreement: m.GetAgreement(), Entry: entry, Into: intoTable(m.GetInto(), entry)}); err != nil {
		return wire.Error(err)
	}
	var last time.Time
	var state string
	var sent error
	err = c.g.WatchFollowing(ctx, m.GetAgreement(), entry, func(now *gatewayv1.Following, rows, expected int64) bool {
		if now.GetState() == state && time.Since(last) < progressEvery && rows > 0 {
			return true
		}
		state, last = now.GetState(), time.Now()
		sent = stream.Send(&gatewayv1.FollowResponse{Following: now, Rows: rows, Expected: expected})
		return sent == nil
	})
	if sent != nil {
		return sent // the caller has gone; the table is followed all the same
	}
	return wire.Error(err)
}
