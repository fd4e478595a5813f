package intake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"mulian/internal/fault"
)

// Send implements Sender.
func (r recorder) Send(_ context.Context, b Batch) error {
	for _, e := range b.Entries {
		sum, err := contentOf(e)
		if err != nil {
			return err
		}
		r.stand[e.Id] = Standing{Content: sum, Origin: e.Origin}
	}
	return nil
}

// TestLanesKeepTheirOrder: the work of one name is done in order and never twice at
// once, that of several at the same time, and no more is taken than there is room.
func TestLanesKeepTheirOrder(t *testing.T) {
	const names, each, room = 7, 200, 5
	l := newLanes(room)
	var mu sync.Mutex
	next := map[string]int{}
	var inside [names]atomic.Int32
	var all, most atomic.Int32
	for i := range each {
		for n := range names {
			name := string(rune('a' + n))
			err := l.hand(t.Context(), name, func() {
				if inside[n].Add(1) != 1 {
					t.Errorf("two pieces of %s at once", name)
				}
				now := all.Add(1)
				for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
				}
				mu.Lock()
				if next[name] != i {
					t.Errorf("%s: piece %d after %d", name, i, next[name])
				}
				next[name]++
				mu.Unlock()
				all.Add(-1)
				inside[n].Add(-1)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	l.wait()
	if most.Load() > room {
		t.Errorf("%d at once, there is room for %d", most.Load(), room)
	}
	for n := range names {
		if got := next[string(rune('a'+n))]; got != each {
			t.Errorf("%d of %d done", got, each)
		}
	}
	if len(l.queue) != 0 {
		t.Errorf("%d names are left", len(l.queue))
	}
}

// TestAFullHouseLetsGo: whoever waits for room goes when the import is stopped.
func TestAFullHouseLetsGo(t *testing.T) {
	l := newLanes(1)
	hold := make(chan struct{})
	if err := l.hand(t.Context(), "a", func() { <-hold }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.hand(ctx, "b", func() { t.Error("it was done") }); !fault.Is(err, fault.Cancelled) {
		t.Errorf("%v", err)
	}
	close(hold)
	l.wait()
}

// TestTheFirstFailureEndsTheImport, and is what the caller is told.
func TestTheFirstFailureEndsTheImport(t *testing.T) {
	p, _ := mustPlan(t, list(t, 5000), Options{})
	c := newChain(t)
	c.failAt = 3
	target := c.target()
	target.AtOnce = 4
	a, err := Apply(t.Context(), p, target, c)
	if !errors.Is(err, errGone) {
		t.Errorf("%v", err)
	}
	if a.Sent != c.changes || a.Sent == 0 || a.Sent >= 5000 {
		t.Errorf("%d sent, the ledger has %d", a.Sent, c.changes)
	}
}

// TestRefusalsDoNotFillTheBlocks: however much of a list the ledger refuses, each element is
// sent a few times at most, and what is not refused gets there.
func TestRefusalsDoNotFillTheBlocks(t *testing.T) {
	const entries = 800
	for name, refused := range map[string]func(i int) bool{
		"all":            func(int) bool { return true },
		"every other":    func(i int) bool { return i/2%2 == 0 }, // of each owner
		"those in front": func(i int) bool { return i < entries/2 },
		"one":            func(i int) bool { return i == 17 },
	} {
		t.Run(name, func(t *testing.T) {
			p, r := mustPlan(t, list(t, entries), Options{})
			c := newChain(t)
			if err := p.Each(t.Context(), func(d *Draft) error {
				var n int
				if _, err := fmt.Sscanf(d.Entry.Name, "资源%06d", &n); err != nil {
					return err
				}
				if refused(n) {
					c.refuse[map[string]string{"水务局": water, "气象局": air}[d.Owner]+":"+d.Local] = fault.Missing
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			a, err := Apply(t.Context(), p, c.target(), c)
			if err != nil {
				t.Fatal(err)
			}
			account(t, r, a)
			if a.Refused != len(c.refuse) || a.Sent != entries-len(c.refuse) || a.Sent != c.changes {
				t.Errorf("%d refused of %d, %d sent", a.Refused, len(c.refuse), a.Sent)
			}
			if c.came > 5*entries || c.calls > 3*len(c.refuse)+20 {
				t.Errorf("%d entries were sent %d times, in %d calls", entries, c.came, c.calls)
			}
			t.Logf("%d refused: %d calls, %d entries sent", a.Refused, c.calls, c.came)
		})
	}
}
