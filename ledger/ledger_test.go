package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
	"mulian/state"
	"mulian/state/machine"
)

func submit(t testing.TB, l *ledger.Ledger, raw []byte) *ledger.Committed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := l.Submit(ctx, raw)
	if err != nil {
		t.Fatalf("submit: %v (%v)", err, fault.CodeOf(err))
	}
	return c
}

func value(t testing.TB, l *ledger.Ledger, key string) string {
	t.Helper()
	v := l.View()
	defer v.Close()
	b, _ := v.Get([]byte(key))
	return string(b)
}

func TestCommittedTransactionIsThereAfterRestart(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	l := c.Open(t, 0)
	done := submit(t, l, ledgertest.Tx(t, "a", "1"))
	if done.Code != fault.OK || done.Height < 1 {
		t.Fatalf("committed as %+v", done)
	}
	if got := value(t, l, "a"); got != "1" {
		t.Fatalf("a = %q", got)
	}
	before := l.Status()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = c.Open(t, 0)
	after := l.Status()
	if after.Height < before.Height || after.Events != before.Events {
		t.Fatalf("after restart %+v, before %+v", after, before)
	}
	if got := value(t, l, "a"); got != "1" {
		t.Fatalf("a = %q after restart", got)
	}
	if c, ok, err := l.Tx(done.ID); err != nil || !ok || c.Height != done.Height {
		t.Fatalf("Tx = %+v %v %v", c, ok, err)
	}
	if next := submit(t, l, ledgertest.Tx(t, "b", "2")); next.Height <= done.Height {
		t.Fatalf("height %d after %d", next.Height, done.Height)
	}
}

// stalling is a machine that takes its time over one transaction.
type stalling struct {
	ledgertest.Machine
	slow             []byte
	entered, release chan struct{}
}

func (m stalling) Check(v state.View, env machine.Env, raw []byte) error {
	if bytes.Equal(raw, m.slow) {
		close(m.entered)
		<-m.release
	}
	return m.Machine.Check(v, env, raw)
}

// counting is a machine that counts what it is asked, and holds up the first block with
// transactions.
type counting struct {
	ledgertest.Machine
	asked            *atomic.Int64
	once             *sync.Once
	entered, release chan struct{}
}

func (m counting) ID(raw []byte) ([32]byte, error) { m.asked.Add(1); return m.Machine.ID(raw) }

func (m counting) Check(v state.View, env machine.Env, raw []byte) error {
	m.asked.Add(1)
	return m.Machine.Check(v, env, raw)
}

func (m counting) Apply(tx *state.Tx, env machine.Env, raw []byte) machine.Result {
	m.once.Do(func() { close(m.entered); <-m.release })
	return m.Machine.Apply(tx, env, raw)
}

// TestFullNodeRefusesForNothing: thousands who are told to come again must not take the
// processor from those who are in.
func TestFullNodeRefusesForNothing(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	m := counting{asked: &atomic.Int64{}, once: &sync.Once{}, entered: make(chan struct{}), release: make(chan struct{})}
	l, err := ledger.Open(t.Context(), ledger.Holding(c.Configs[0], 1), m)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first, second := ledgertest.Tx(t, "a", "1"), ledgertest.Tx(t, "b", "1")
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := l.Submit(t.Context(), first); err != nil {
			t.Error(err)
		}
	})
	<-m.entered
	before := m.asked.Load()
	for range 3 {
		if _, err := l.Submit(t.Context(), second); !fault.Is(err, fault.Busy) {
			t.Errorf("%v, want Busy", err)
		}
	}
	if n := m.asked.Load() - before; n != 0 {
		t.Errorf("the rules were asked %d times", n)
	}
	close(m.release)
	all.Wait()
}

// TestFullNodeSaysSo: with room for a few, many that come at once are each answered: with
// a block or with Busy. The engine drops those that find no room after it has looked once,
// and says that it has taken them: while a peer's transaction holds it up, all are there.
func TestFullNodeSaysSo(t *testing.T) {
	const many = 60
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	m := stalling{slow: ledgertest.Tx(t, "peer", "1"), entered: make(chan struct{}), release: make(chan struct{})}
	l, err := ledger.Open(t.Context(), ledger.Holding(c.Configs[0], 4), m)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var all sync.WaitGroup
	all.Go(func() {
		if err := ledger.Gossip(l, m.slow); err != nil {
			t.Error(err)
		}
	})
	<-m.entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // the lost ones would use it up
	defer cancel()
	var taken, busy atomic.Int64
	for i := range many {
		tx := ledgertest.Tx(t, fmt.Sprint(i), "1")
		all.Go(func() {
			switch _, err := l.Submit(ctx, tx); {
			case err == nil:
				taken.Add(1)
			case fault.Is(err, fault.Busy):
				busy.Add(1)
			default:
				t.Errorf("neither taken nor refused: %v", err)
			}
		})
	}
	stacks := make([]byte, 4<<20)
	for ctx.Err() == nil && strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*Ledger).queue(") < many {
		time.Sleep(time.Millisecond)
	}
	close(m.release)
	all.Wait()
	if taken.Load() == 0 || busy.Load() == 0 {
		t.Errorf("%d taken, %d busy: the node was never full", taken.Load(), busy.Load())
	}
}
