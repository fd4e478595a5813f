package bench

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	release "mulian/gateway/deliver"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/rowkey"
)

// The spans of a provider's gateway that the check is read from.
const (
	spanCall   = "mulian.gateway.v1.GatewayService/ByGrant"
	spanDecide = "gateway/decide"
	spanRead   = "gateway/read"
	spanNote   = "gateway/note"
	spanCount  = "gateway/count" // waiting for the block of the use
)

// toCheck has owners give grants, and returns how each is used.
func (g *grants) toCheck(ctx context.Context) ([]release.GrantedFetch, error) {
	owners := g.owners[:min(grantChecks, len(g.owners))]
	requests, err := g.requestAll(ctx, owners)
	if err != nil {
		return nil, err
	}
	door := &identityv1.Account{}
	if _, err := g.chain.Get(ctx, "identity/account/"+g.door, door); err != nil {
		return nil, err
	}
	out := make([]release.GrantedFetch, len(owners))
	return out, spread(ctx, askers, len(owners), func(i int) error {
		k, err := owners[i].rowKey()
		if err != nil {
			return err
		}
		yes, err := g.by.yes(requests[i], rowkey.Commitment(k))
		if err != nil {
			return err
		}
		id := consent.GrantID(requests[i].Id, owners[i].account)
		out[i].Grant = id
		if out[i].RowKey, err = owners[i].seals(id, door, k); err != nil {
			return err
		}
		return g.submit(ctx, owners[i], yes)
	})
}

// checkTimes takes the provider's spans and keeps how long its checks took. Many goroutines
// may end spans.
type checkTimes struct {
	until  Times // from the call's arrival until the use goes to the ledger
	decide Times
	row    Times
	note   Times // the two fsyncs, at once

	mu    sync.Mutex
	began map[oteltrace.SpanID]time.Time // calls that are under way; guarded by mu
}

func newCheckTimes() *checkTimes { return &checkTimes{began: map[oteltrace.SpanID]time.Time{}} }

// OnStart notes when a call came, and how long it had been here when its use went out.
func (c *checkTimes) OnStart(_ context.Context, s trace.ReadWriteSpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.Name() {
	case spanCall:
		c.began[s.SpanContext().SpanID()] = s.StartTime()
	case spanCount:
		if began, ok := c.began[s.Parent().SpanID()]; ok {
			c.until.Add(s.StartTime().Sub(began))
		}
	}
}

// OnEnd takes the time of the decision alone, and forgets a call that is over.
func (c *checkTimes) OnEnd(s trace.ReadOnlySpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.Name() {
	case spanCall:
		delete(c.began, s.SpanContext().SpanID())
	case spanDecide:
		c.decide.Add(s.EndTime().Sub(s.StartTime()))
	case spanRead:
		c.row.Add(s.EndTime().Sub(s.StartTime()))
	case spanNote:
		c.note.Add(s.EndTime().Sub(s.StartTime()))
	}
}

// Shutdown has nothing to send.
func (c *checkTimes) Shutdown(context.Context) error { return nil }

// ForceFlush has nothing to send.
func (c *checkTimes) ForceFlush(context.Context) error { return nil }
