package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
	"mulian/state"
	"mulian/state/machine"
)

// connected waits until each node has so many peers.
func connected(t *testing.T, ls []*ledger.Ledger, peers ...int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for i, l := range ls {
		for l.Status().Peers < peers[i] {
			if time.Now().After(deadline) {
				t.Fatalf("node %d has %d peers, want %d", i, l.Status().Peers, peers[i])
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// spread sends n transactions through each node, all at once.
func spread(t *testing.T, ls []*ledger.Ledger, n int) {
	t.Helper()
	var all sync.WaitGroup
	for i, l := range ls {
		for j := range n {
			raw := ledgertest.Tx(t, fmt.Sprintf("n%d/%d", i, j), "1")
			all.Go(func() {
				for {
					done, err := l.Submit(t.Context(), raw)
					if fault.Is(err, fault.Busy) {
						time.Sleep(20 * time.Millisecond)
						continue
					}
					if err != nil || done.Code != fault.OK {
						t.Errorf("node %d: %+v, %v", i, done, err)
					}
					return
				}
			})
		}
	}
	all.Wait()
	for i, l := range ls {
		for j := range n {
			key := fmt.Sprintf("n%d/%d", i, j)
			for height := l.Height(); value(t, ls[0], key) == ""; height++ {
				reach(t, ls[0], height+1)
			}
		}
	}
}

// TestTransactionsTravelOnce: where all nodes are connected with each other, each gets a
// transaction from the one to which it was given, and from nobody else.
func TestTransactionsTravelOnce(t *testing.T) {
	ls := openAll(t, ledgertest.NewChain(t, t.TempDir(), 4))
	connected(t, ls, 3, 3, 3, 3)
	spread(t, ls, 60)
	all := int64(0)
	for i, l := range ls {
		// Some are sent again if no block comes for a second, on a busy machine; and there a
		// node may get the block before what is in it.
		came, twice := ledger.Travelled(l)
		if all += int64(came); twice > came/2 {
			t.Errorf("node %d was sent %d, %d of them twice", i, came, twice)
		}
	}
	if all == 0 {
		t.Error("nothing travelled")
	}
}

// TestTransactionsTravelOnALine: a chain whose nodes know their neighbours only.
func TestTransactionsTravelOnALine(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	all := chain.Configs[3].Peers // the addresses of 0, 1, 2
	for i := range chain.Configs {
		if chain.Configs[i].Peers = nil; i > 0 {
			chain.Configs[i].Peers = all[i-1 : i]
		}
	}
	ls := openAll(t, chain)
	connected(t, ls, 1, 2, 2, 1)
	spread(t, ls, 20)
}

// later refuses a transaction with "late/" in it once, as a node that is full does.
type later struct {
	ledgertest.Machine
	mu   *sync.Mutex
	seen map[string]bool // guarded by mu
}

func (m later) Check(v state.View, env machine.Env, raw []byte) error {
	m.mu.Lock()
	again := m.seen[string(raw)] || !bytes.Contains(raw, []byte("late/"))
	m.seen[string(raw)] = true
	m.mu.Unlock()
	if !again {
		return fault.Newf(fault.Busy, "not now")
	}
	return m.Machine.Check(v, env, raw)
}

// TestADroppedTransactionIsSentAgain: the validators drop a follower's transaction, and
// blocks come all the time without it.
func TestADroppedTransactionIsSentAgain(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := make([]*ledger.Ledger, 4)
	for i := range ls {
		m := machine.Machine(later{mu: &sync.Mutex{}, seen: map[string]bool{}})
		if i == 0 {
			m = ledgertest.Machine{}
		}
		var err error
		if ls[i], err = ledger.Open(context.Background(), chain.Configs[i], m); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ls[i].Close(); err != nil {
				t.Errorf("close node %d: %v", i, err)
			}
		})
	}
	gone := submit(t, ls[1], ledgertest.Tx(t, "v", fmt.Sprintf("validator %x 0", chain.IDs[0].Validator)))
	reach(t, ls[0], gone.Height)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var busy sync.WaitGroup
	busy.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := ls[1].Submit(ctx, ledgertest.Tx(t, fmt.Sprintf("b/%d", i), "1")); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	c, err := ls[0].Submit(ctx, ledgertest.Tx(t, "late/1", "1"))
	cancel()
	busy.Wait()
	if err != nil || c.Code != fault.OK {
		t.Fatalf("%+v, %v", c, err)
	}
}
