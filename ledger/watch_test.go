package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
	"mulian/state"
)

// take reads until it has n events, in batches of at most batch.
func take(t *testing.T, w *ledger.Watcher, n, batch int) []state.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var got []state.Event
	for len(got) < n {
		events, err := w.Next(ctx, min(batch, n-len(got)), 0)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, events...)
	}
	return got
}

func TestWatcherSeesEveryEventOnceAcrossARestart(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	l := c.Open(t, 0)
	const n = 300
	go func() { // beside the watcher; flood reports its own errors
		var txs [][]byte
		for i := range n {
			txs = append(txs, ledgertest.Tx(t, fmt.Sprintf("w/%d", i), "1"))
		}
		flood(t, l, txs, 20)
	}()
	w := l.Watch(0)
	got := take(t, w, n/2, 7)
	rest := take(t, w, n-n/2, 50)
	got = append(got, rest...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(context.Background(), 1, 0); !fault.Is(err, fault.Unreachable) {
		t.Errorf("a watcher of a closed ledger gets %v", err)
	}
	l = c.Open(t, 0)
	w = l.Watch(w.Position())
	submit(t, l, ledgertest.Tx(t, "w/last", "1"))
	got = append(got, take(t, w, 1, 1)...)
	seen := map[string]bool{}
	for i, e := range got {
		var event tracev1.Event
		if err := proto.Unmarshal(e.Bytes, &event); err != nil {
			t.Fatal(err)
		}
		if e.Seq != int64(i) || seen[event.Objects[0]] {
			t.Fatalf("event %d has number %d: %s", i, e.Seq, event.Objects)
		}
		seen[event.Objects[0]] = true
	}
	if len(seen) != n+1 {
		t.Errorf("%d different events, want %d", len(seen), n+1)
	}
}

func TestWatcherFromNowGivesASignOfLife(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	submit(t, l, ledgertest.Tx(t, "before", "1"))
	w := l.Watch(-1)
	if events, err := w.Next(context.Background(), 10, 20*time.Millisecond); len(events) != 0 || err != nil {
		t.Errorf("sign of life: %v, %v", events, err)
	}
	submit(t, l, ledgertest.Tx(t, "after", "1"))
	if got := take(t, w, 1, 10); got[0].Seq != 1 {
		t.Errorf("got event %d, want 1", got[0].Seq)
	}
	if _, err := l.Events(5, 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("events behind the end: %v", err)
	}
}
