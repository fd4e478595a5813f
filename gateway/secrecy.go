package gateway

import (
	"context"
	"time"

	"mulian/gateway/view"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/secrecy"
)

const (
	// unsealEvery is how often it is looked whether the secrecy of records is over, and
	// unsealPause bounds it where a date is near. Our own choice: a date is a day, and
	// an hour late is a finding (client/audit).
	unsealEvery = 10 * time.Second
	unsealPause = 200 * time.Millisecond
	// unsealView is how old the view of an order may be when what it sealed is published:
	// a new order may have made it longer.
	unsealView = 30 * time.Second
)

// secrecy returns the orders for the records of an agreement, nil if it has none. The
// agreement says whether there are any, and a decision has just looked at it: an access
// under an agreement without orders costs nothing more.
func (g *Gateway) secrecy(ctx context.Context, agreement string) (*tracev1.Secrecy, error) {
	a, seen := view.Last[*sharev1.Agreement](g.view, "share/agreement/"+agreement)
	if !seen {
		var err error
		if a, _, err = view.Get(ctx, g.view, "share/agreement/"+agreement, func() *sharev1.Agreement { return &sharev1.Agreement{} }, view.NoAge); err != nil {
			return nil, err
		}
	}
	if a.GetSecrecy() == 0 {
		return nil, nil
	}
	s, _, err := g.orders(ctx, agreement, view.NoAge)
	if err == nil && uint64(len(s.GetOrders())) < a.GetSecrecy() {
		g.view.Forget(secrecyKey(agreement))
		s, _, err = g.orders(ctx, agreement, view.NoAge)
	}
	if err == nil && uint64(len(s.GetOrders())) < a.GetSecrecy() {
		err = fault.Newf(fault.StaleHeight, "order %d of secrecy for agreement %s cannot be seen", a.GetSecrecy(), agreement)
	}
	return s, err
}

func secrecyKey(agreement string) string { return "trace/secrecy/" + agreement }

func (g *Gateway) orders(ctx context.Context, agreement string, maxAge time.Duration) (*tracev1.Secrecy, view.Sight, error) {
	return view.Get(ctx, g.view, secrecyKey(agreement), func() *tracev1.Secrecy { return &tracev1.Secrecy{} }, maxAge)
}

// unseal publishes what was sealed once its date has come, until ctx ends.
func (g *Gateway) unseal(ctx context.Context) error {
	for {
		wait, err := g.unsealDue(ctx)
		if err != nil && ctx.Err() == nil {
			g.log.Warn("sealed records are due and cannot be opened", "code", fault.CodeOf(err).String(), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// unsealDue publishes what is due, and tells when to look again.
func (g *Gateway) unsealDue(ctx context.Context) (wait time.Duration, failed error) {
	wait = unsealEvery
	due := map[string]map[uint64]bool{} // by agreement and order
	for _, s := range g.records.Secrets() {
		if ctx.Err() != nil {
			break
		}
		orders, known := due[s.Agreement]
		if !known {
			orders = map[uint64]bool{}
			due[s.Agreement] = orders
		}
		is, asked := orders[s.Order]
		if !asked {
			left, err := g.untilOpen(ctx, s.Agreement, s.Order)
			if err != nil {
				failed, left = err, unsealEvery
			}
			is = left <= 0
			orders[s.Order] = is
			if !is {
				wait = min(wait, max(left, unsealPause))
			}
		}
		if !is {
			continue
		}
		if _, err := g.records.Publish(ctx, s.Place); err != nil {
			failed = err
		}
	}
	return wait, failed
}

// untilOpen is how long it is until what was sealed under an order has to be open: none
// only on a view that is new enough to know of an order that makes it longer.
func (g *Gateway) untilOpen(ctx context.Context, agreement string, order uint64) (time.Duration, error) {
	left := func(s *tracev1.Secrecy) time.Duration {
		return time.Until(time.UnixMilli(secrecy.OpensMs(s, order)))
	}
	s, _, err := g.orders(ctx, agreement, view.NoAge)
	if err != nil {
		return 0, err
	}
	if left(s) > 0 {
		return left(s), nil
	}
	s, sight, err := g.orders(ctx, agreement, unsealView)
	switch {
	case err != nil:
		return 0, err
	case sight.Age > unsealView:
		return 0, fault.Newf(fault.StaleHeight, "this gateway has not seen the ledger for too long to know that the secrecy of agreement %s is over", agreement)
	case secrecy.Order(s, order) == nil:
		return 0, fault.Newf(fault.NotFound, "agreement %s has no order %d of secrecy", agreement, order)
	}
	return left(s), nil
}
