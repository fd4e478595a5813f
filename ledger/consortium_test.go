package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// reach waits until the node's state is at that height.
func reach(t testing.TB, l *ledger.Ledger, height int64) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		block := l.NewBlock()
		if l.Height() >= height {
			return
		}
		select {
		case <-block:
		case <-deadline:
			t.Fatalf("height %d after 30 s, want %d: %+v", l.Height(), height, l.Status())
		}
	}
}

// agree checks that all nodes have the same app hash after that height.
func agree(t testing.TB, ls []*ledger.Ledger, height int64) {
	t.Helper()
	var first [32]byte
	for i, l := range ls {
		reach(t, l, height)
		s, err := l.At(height)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = s.AppHash()
		} else if s.AppHash() != first {
			t.Errorf("node %d has app hash %x at %d, node 0 has %x", i, s.AppHash(), height, first)
		}
		s.Close()
	}
}

func TestValidatorsAgreeAndGoOnWithoutOne(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := openAll(t, chain)
	var last int64
	for i := range 20 {
		c := submit(t, ls[i%4], ledgertest.Tx(t, fmt.Sprintf("k/%d", i%7), fmt.Sprint(i)))
		if c.Code != fault.OK {
			t.Fatalf("refused: %+v", c)
		}
		last = max(last, c.Height)
	}
	agree(t, ls, last)
	// Three of four make blocks: the last peer may still be dialling.
	s := ls[0].Status()
	for end := time.Now().Add(30 * time.Second); s.Peers != 3 && time.Now().Before(end); s = ls[0].Status() {
		time.Sleep(20 * time.Millisecond)
	}
	if s.Validators != 4 || s.Peers != 3 {
		t.Errorf("status %+v, want 4 validators and 3 peers", s)
	}
	votes, err := ls[1].SM2Certificate(last)
	if err != nil || len(votes) < 3 {
		t.Fatalf("SM2 certificate: %d votes, %v", len(votes), err)
	}
	block, err := ls[1].Block(last)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range votes {
		if !v.Key.Verify(ledger.VoteMessage(ledgertest.ChainID, last, block.Hash), v.Signature) {
			t.Errorf("the SM2 vote of %x does not hold", v.Address)
		}
	}

	if err := ls[3].Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 8 { // each of the others proposes, and the missing one would have twice
		begin := time.Now()
		c := submit(t, ls[i%3], ledgertest.Tx(t, "without", fmt.Sprint(i)))
		t.Logf("with one stopped: height %d in %s", c.Height, time.Since(begin).Round(time.Millisecond))
		last = max(last, c.Height)
	}
	agree(t, ls[:3], last)

	back := chain.Open(t, 3)
	reach(t, back, last)
	c := submit(t, back, ledgertest.Tx(t, "back", "yes"))
	agree(t, append(ls[:3:3], back), c.Height)
}

func TestValidatorsChangeByTransaction(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 3)
	ls := openAll(t, chain)
	gone := chain.IDs[2].Validator
	c := submit(t, ls[0], ledgertest.Tx(t, "x", fmt.Sprintf("validator %x 0", gone)))
	for i := range 4 { // in force two blocks later
		c = submit(t, ls[0], ledgertest.Tx(t, "y", fmt.Sprint(i)))
	}
	if s := ls[0].Status(); s.Validators != 2 {
		t.Fatalf("%d validators, want 2", s.Validators)
	}
	agree(t, ls, c.Height)
	// What the engine could not carry out is left out: the chain goes on.
	for i, id := range chain.IDs[:2] {
		submit(t, ls[0], ledgertest.Tx(t, "z", fmt.Sprintf("validator %x 0", id.Validator)))
		if want := []int{1, 1}[i]; ls[0].Status().Validators != want {
			t.Fatalf("%d validators, want %d", ls[0].Status().Validators, want)
		}
	}
}
