package replay_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"mulian/internal/fault"
	"mulian/internal/replay"
)

// TestEachCallCountsOnce: of many at the same moment one is taken, and one of that id again
// after it has run out.
func TestEachCallCountsOnce(t *testing.T) {
	g := &replay.Guard{}
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := g.Take("a", 10, 5); err == nil {
				taken.Add(1)
			} else if !fault.Is(err, fault.Replayed) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d were taken", taken.Load())
	}
	if err := g.Take("a", 20, 9); !fault.Is(err, fault.Replayed) {
		t.Errorf("before it has run out: %v", err)
	}
	if err := g.Take("a", 20, 10); err != nil {
		t.Errorf("after it has run out: %v", err)
	}
}

// TestItIsBounded: beyond Max nobody is taken until calls run out, and then again.
func TestItIsBounded(t *testing.T) {
	g := &replay.Guard{}
	for i := range replay.Max {
		if err := g.Take(strconv.Itoa(i), 10, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Take("one more", 10, 9); !fault.Is(err, fault.Busy) {
		t.Errorf("beyond the bound: %v", err)
	}
	if err := g.Take("one more", 20, 10); err != nil {
		t.Errorf("when the others have run out: %v", err)
	}
}
