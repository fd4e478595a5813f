package gateway_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

// clock is one that somebody sets.
type clock struct{ off atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.off.Load())) }

func (c *clock) set(off time.Duration) { c.off.Store(int64(off)) }

// says fails unless an error has the code and its text the words.
func says(t *testing.T, err error, code fault.Code, words string) {
	t.Helper()
	if fault.CodeOf(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want %s with %q", err, code, words)
	}
}

// TestClock: a gateway whose clock is an hour off, from its start or from a moment on,
// releases nothing that is not to be released, and all say that it is the clock; when it is
// right again all goes on.
func TestClock(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	theirs, ours := &clock{}, &clock{}
	cfg := w.planningConfig()
	door := w.openWith(cfg, gateway.Options{Clock: theirs.now})
	cfg.Listen, cfg.URL = door.Addr(), "http://"+door.Addr()
	tap := w.openWith(w.waterConfig(), gateway.Options{Clock: ours.now})
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	ask := func() error {
		_, err := tap.Query(t.Context(), agreement, w.entry, nil, 0, no("P0000001"))
		return err
	}
	want(t, fault.OK, ask())
	for _, c := range []struct {
		off    time.Duration
		asks   fault.Code // what an asker with a right clock is told
		wrongs fault.Code // what the provider tells one with such a clock
		way    string
	}{
		{time.Hour, fault.Expired, fault.OutOfRange, "1h0m0s ahead of"},
		{-time.Hour, fault.OutOfRange, fault.Expired, "1h0m0s behind"},
	} {
		const differ = "the clocks of the two gateways differ by about 1h0m0s"
		ours.set(c.off)
		says(t, ask(), c.wrongs, differ)
		ours.set(0)
		want(t, fault.OK, ask())

		theirs.set(c.off)
		says(t, ask(), c.asks, differ)
		// One whose clock is as wrong gets nothing either, from when on no anchor is taken.
		r := w.rogue(door)
		body := func() *gatewayv1.RequestBody {
			return r.body(agreement, func(b *gatewayv1.RequestBody, _ *gatewayv1.QueryBody) {
				b.ExpiresMs = theirs.now().Add(20 * time.Second).UnixMilli()
			})
		}
		w.eventually("nothing is released", func() bool {
			err := r.query(r.sign(body()))
			if err != nil && strings.Contains(err.Error(), "clock") {
				says(t, err, fault.StaleHeight, c.way)
			}
			return err != nil && strings.Contains(err.Error(), "clock")
		})
		released := door.Status().Granted
		for range 3 {
			if r.query(r.sign(body())) == nil {
				t.Error("released by a gateway with a wrong clock")
			}
		}
		if s := door.Status(); s.OK || !strings.Contains(s.Trouble, c.way) || s.Granted != released {
			t.Errorf("the gateway's state: %+v", s)
		}
		door.stop()
		door = w.openWith(cfg, gateway.Options{Clock: theirs.now})
		w.eventually("after a start it says so, too", func() bool { s := door.Status(); return !s.OK && strings.Contains(s.Trouble, c.way) })
		theirs.set(0)
		w.eventually("it goes on", func() bool { return ask() == nil })
		w.well(door)
	}
	w.receiptsHold(door, tap, agreement)
}
