package ledger_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
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
	for i, l := range ls {
		// Some are sent again if no block comes for a second, on a busy machine.
		if came, twice := ledger.Travelled(l); came == 0 || twice > came/2 {
			t.Errorf("node %d was sent %d, %d of them twice", i, came, twice)
		}
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
