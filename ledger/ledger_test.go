package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
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

// TestFullNodeSaysSo: with room for a few, many at once are each answered: with a block
// or with Busy. The engine used to drop some that it had reported as taken.
func TestFullNodeSaysSo(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	c.Configs[0] = ledger.Holding(c.Configs[0], 4)
	l := c.Open(t, 0)
	txs := make([][]byte, 400)
	for i := range txs {
		txs[i] = ledgertest.Tx(t, fmt.Sprint(i), "1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // the lost ones would use it up
	defer cancel()
	var taken, busy atomic.Int64
	var all sync.WaitGroup
	for _, tx := range txs {
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
	all.Wait()
	if taken.Load() == 0 || busy.Load() == 0 {
		t.Errorf("%d taken, %d busy: the node was never full", taken.Load(), busy.Load())
	}
}
