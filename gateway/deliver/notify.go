package deliver

import (
	"context"
	"sync"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/client"
	"mulian/gateway/view"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

const (
	// notifyWait bounds one Notify; an asker that does not ask after it is told again after
	// notifyRetry, then twice as long, at most notifyRetryMost: it may be down, or have no right now.
	notifyWait      = 5 * time.Second
	notifyRetry     = 30 * time.Second
	notifyRetryMost = 10 * time.Minute
	// maxMessages is how many go out at once.
	maxMessages = 16
)

// messenger tells askers that there is something for them: once, until they ask.
type messenger struct {
	mu   sync.Mutex // guards the two below
	sent map[int64]message
	hail []string // subscriptions that have just begun: is their asker to be reached at all
}

// message is one that was sent.
type message struct {
	again time.Time
	wait  time.Duration // before it
}

// probe asks for a message although there is nothing: the asker sees by it that it can be
// reached.
func (m *messenger) probe(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hail = append(m.hail, id)
}

// heard notes that the asker has asked.
func (m *messenger) heard(no int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sent, no)
}

// due tells whether a message has to go out now, and that it does.
func (m *messenger) due(no int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, has := m.sent[no]
	if has && time.Now().Before(last.again) {
		return false
	}
	if !has && len(m.sent) > 4*maxSubscriptions {
		clear(m.sent) // of subscriptions that have ended
	}
	wait := min(max(2*last.wait, notifyRetry), notifyRetryMost)
	m.sent[no] = message{again: time.Now().Add(wait), wait: wait}
	return true
}

// run sends until ctx ends.
func (m *messenger) run(ctx context.Context, x *Subscriptions) {
	http, places := client.HTTPClient(), make(chan struct{}, maxMessages)
	var sending sync.WaitGroup
	defer sending.Wait()
	tick := time.NewTicker(notifyRetry)
	defer tick.Stop()
	for {
		stir := x.stirring()
		for _, s := range m.waiting(ctx, x) {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			sending.Go(func() {
				defer func() { <-places }()
				if err := x.message(ctx, http, s); err != nil && ctx.Err() == nil {
					x.cfg.Logger.Info("an asker could not be told of changes; it asks by itself", "asker", s.Asker, "code", fault.CodeOf(err).String())
				}
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-stir:
		case <-tick.C:
		}
	}
}

// waiting are the subscriptions whose askers have to be told.
func (m *messenger) waiting(ctx context.Context, x *Subscriptions) (out []*subscription) {
	m.mu.Lock()
	hail := m.hail
	m.hail = nil
	m.mu.Unlock()
	for _, id := range hail {
		if s, err := x.book.find(ctx, id); err == nil && s != nil && s.Notify && m.due(s.no) {
			out = append(out, s)
		}
	}
	all, err := x.book.list(ctx, "notify = 1 AND (again = 1 OR touched > 0)")
	if err != nil && ctx.Err() == nil {
		x.cfg.Logger.Warn("subscriptions cannot be read", "err", err)
	}
	for _, s := range all {
		x.mu.Lock()
		polled := x.polls[s.no] > 0
		x.mu.Unlock()
		if !polled && m.due(s.no) {
			out = append(out, s)
		}
	}
	return out
}

// message sends one.
func (x *Subscriptions) message(ctx context.Context, http rpc.HTTPClient, s *subscription) error {
	ctx, cancel := context.WithTimeout(ctx, notifyWait)
	defer cancel()
	asker, sight, err := view.Get(ctx, x.cfg.View, "identity/account/"+s.Asker, newAccount, view.NoAge)
	if err != nil {
		return err
	}
	url := asker.GetGateway().GetUrl()
	if !sight.Found || url == "" {
		return fault.Newf(fault.NotFound, "%s has no address", s.Asker)
	}
	m, err := signRequest(x.cfg.Key, x.now(), &gatewayv1.RequestBody{
		ChainId: x.cfg.ChainID, To: s.Asker, From: x.cfg.Gateway,
		Kind: &gatewayv1.RequestBody_Notify{Notify: &gatewayv1.NotifyBody{Subscription: s.ID}},
	})
	if err != nil {
		return err
	}
	_, err = gatewayv1connect.NewGatewayServiceClient(http, url, rpc.WithReadMaxBytes(wire.MaxMessageBytes)).Notify(ctx, rpc.NewRequest(m))
	return answered(err)
}

// Notify takes the news of another gateway that a subscription of ours has something.
func (x *Subscriptions) Notify(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.NotifyResponse], error) {
	r, err := x.admit(ctx, m.Msg)
	if err != nil {
		return nil, x.strange(err)
	}
	if b := r.body.GetNotify(); b == nil || x.told == nil || !x.told(ctx, r.asker.GetId(), b.GetSubscription()) {
		return nil, x.failed(fault.Newf(fault.NotFound, "this gateway has no such subscription"))
	}
	return rpc.NewResponse(&gatewayv1.NotifyResponse{}), nil
}
