package ledger_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// fill takes transactions of the account until it is told to come again.
func fill(t *testing.T, s ledger.Shares, account string, n byte, from int) int {
	t.Helper()
	for m := from; m < from+2*ledger.AloneShare; m++ {
		if err := s.Take(account, n, m); err != nil {
			if !fault.Is(err, fault.Busy) {
				t.Fatal(err)
			}
			return m - from
		}
	}
	t.Fatalf("%s has no bound", account)
	return 0
}

func TestSharesOfTheMempool(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := ledger.NewShares(func() time.Time { return now })
	if n := fill(t, s, "flood", 1, 0); n != ledger.AloneShare {
		t.Fatalf("alone %d wait, want %d", n, ledger.AloneShare)
	}
	if n := fill(t, s, "other", 2, 0); n != ledger.AccountShare {
		t.Fatalf("of the second %d wait, want %d", n, ledger.AccountShare)
	}
	// Those of the first leave in blocks; as long as it has more than its share it gets
	// nothing, and then one for each that leaves.
	for m := range ledger.AloneShare - ledger.AccountShare {
		s.Done(1, m, 100_000)
		if err := s.Take("flood", 3, m); !fault.Is(err, fault.Busy) {
			t.Fatalf("with %d waiting: %v", ledger.AloneShare-m-1, err)
		}
	}
	s.Done(1, ledger.AloneShare-1, 100_000)
	if n := fill(t, s, "flood", 3, 0); n != 1 {
		t.Fatalf("%d more, want 1", n)
	}
	// A block that is told twice counts once.
	s.Done(3, 0, 100_000)
	s.Done(3, 0, 100_000)
	if n := fill(t, s, "flood", 3, 0); n != 1 {
		t.Fatalf("%d more, want 1", n)
	}
	// Nobody else for a while: alone again.
	now = now.Add(ledger.WantsIn + time.Millisecond)
	if n := fill(t, s, "flood", 4, 0); n != ledger.AloneShare-ledger.AccountShare {
		t.Fatalf("%d more when alone again", n)
	}
	// What the engine has dropped without a word is forgotten when nothing waits.
	s.Done(9, 0, 1)
	if n := fill(t, s, "flood", 5, 0); n != ledger.AloneShare {
		t.Fatalf("%d after nothing waited", n)
	}
}

// TestAFloodAtOnce: many are told at once that there is room.
func TestAFloodAtOnce(t *testing.T) {
	s := ledger.NewShares(time.Now)
	if err := s.Take("other", 0, 0); err != nil {
		t.Fatal(err)
	}
	told, in := s.TakeTogether("flood", 10*ledger.AccountShare)
	if told != 10*ledger.AccountShare || in != ledger.AccountShare {
		t.Fatalf("%d were told that there is room, %d are in", told, in)
	}
}

// TestFloodLeavesTheDoorOpen: one account sends as much as there can be while a block is
// held up; another one's transaction is taken all the same, and all of them end on the chain.
func TestFloodLeavesTheDoorOpen(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	m := counting{asked: &atomic.Int64{}, once: &sync.Once{}, entered: make(chan struct{}), release: make(chan struct{})}
	l, err := ledger.Open(t.Context(), c.Configs[0], m)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var all sync.WaitGroup
	var busy atomic.Int64
	send := func(raw []byte) {
		for {
			done, err := l.Submit(t.Context(), raw)
			if fault.Is(err, fault.Busy) {
				busy.Add(1)
				time.Sleep(10 * time.Millisecond)
				continue
			}
			if err != nil || done.Code != fault.OK {
				t.Error(done, err)
			}
			return
		}
	}
	first := ledgertest.Tx(t, "flood/first", "1")
	all.Go(func() { send(first) })
	<-m.entered
	for i := range ledger.AloneShare + 200 {
		raw := ledgertest.Tx(t, fmt.Sprintf("flood/%d", i), "1")
		all.Go(func() { send(raw) })
	}
	for busy.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	raw := ledgertest.Tx(t, "other/1", "1")
	queued := make(chan error, 1)
	all.Go(func() {
		done, err := l.Submit(t.Context(), raw) // once: it is not told to come again
		if err == nil && done.Code != fault.OK {
			err = fmt.Errorf("%+v", done)
		}
		queued <- err
	})
	close(m.release)
	all.Wait()
	if err := <-queued; err != nil {
		t.Errorf("the other one's: %v", err)
	}
	if got := value(t, l, "other/1"); got != "1" {
		t.Errorf("other/1 = %q", got)
	}
}
