package ledger_test

import (
	"context"
	"crypto/sha256"
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

// behind refuses each transaction once, as a validator does whose state is a block
// behind the sender's.
type behind struct {
	ledgertest.Machine
	mu   *sync.Mutex
	seen map[[32]byte]bool // guarded by mu
}

func (b behind) Check(v state.View, env machine.Env, raw []byte) error {
	b.mu.Lock()
	id := sha256.Sum256(raw)
	again := b.seen[id]
	b.seen[id] = true
	b.mu.Unlock()
	if !again {
		return fault.Newf(fault.NotFound, "what it builds on is not there yet")
	}
	return b.Machine.Check(v, env, raw)
}

// TestTransactionThatTheOthersRefusedAtFirst: it does not wait for its node's turn as
// proposer, which on a chain without heartbeat may never come.
func TestTransactionThatTheOthersRefusedAtFirst(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := make([]*ledger.Ledger, 4)
	for i := range ls {
		chain.Configs[i].Heartbeat = -1
		if i == 0 {
			ls[i] = chain.Open(t, i)
			continue
		}
		l, err := ledger.Open(context.Background(), chain.Configs[i], behind{mu: &sync.Mutex{}, seen: map[[32]byte]bool{}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Errorf("close node %d: %v", i, err)
			}
		})
		ls[i] = l
	}
	for i := range 3 { // in at least two of them another validator is first to propose
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		c, err := ls[0].Submit(ctx, ledgertest.Tx(t, fmt.Sprintf("k/%d", i), "v"))
		cancel()
		if err != nil || c.Code != fault.OK {
			t.Fatalf("transaction %d: %+v, %v", i, c, err)
		}
	}
}
