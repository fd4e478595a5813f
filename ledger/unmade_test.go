package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// TestAClockThatIsBehindIsNamed: what the engine of this version says of a decided block of
// the future is told with what to do.
func TestAClockThatIsBehindIsNamed(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	submit(t, l, ledgertest.Tx(t, "a", "1"))
	err := ledger.RefusalOf(l, time.Now().Add(2*time.Minute))
	if !fault.Is(err, fault.ClockWrong) || !strings.Contains(err.Error(), "clock is 120 s behind the chain") {
		t.Errorf("%v (%v)", err, fault.CodeOf(err))
	}
	if err := ledger.RefusalOf(l, time.Now().Add(-time.Hour)); !fault.Is(err, fault.Internal) {
		t.Errorf("a block that is wrong otherwise: %v (%v)", err, fault.CodeOf(err))
	}
}

// told is a log that ends something when it has said a word.
type told struct {
	mu   sync.Mutex
	text bytes.Buffer
	word string
	end  func()
}

func (w *told) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Contains(b, []byte(w.word)) {
		w.end()
	}
	return w.text.Write(b)
}

// TestAClockBeforeTheGenesisIsTold: the node waits for the genesis, says so, and can be stopped.
func TestAClockBeforeTheGenesisIsTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	chain := ledgertest.NewChain(t, t.TempDir(), 1)
	cfg := chain.Configs[0]
	cfg.GenesisTimeMs = time.Now().Add(time.Hour).UnixMilli()
	w := &told{word: "clock is before the genesis", end: cancel}
	cfg.Logger = slog.New(slog.NewTextHandler(w, nil))
	ended := make(chan error, 1)
	go func() {
		_, err := ledger.Open(ctx, cfg, ledgertest.Machine{})
		ended <- err
	}()
	select {
	case err := <-ended:
		if !fault.Is(err, fault.ClockWrong) {
			t.Errorf("%v (%v)", err, fault.CodeOf(err))
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits, and cannot be stopped")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !strings.Contains(w.text.String(), w.word) {
		t.Errorf("it has said nothing:\n%s", &w.text)
	}
}

// TestEvidenceFromBeforeTheSnapshotIsNamed: a node that began with a snapshot cannot check
// that a validator signed twice before it. It says so, both when it votes with the others
// and when it catches up, and goes on from a snapshot that was made later.
func TestEvidenceFromBeforeTheSnapshotIsNamed(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := openAll(t, chain)
	last := submit(t, ls[0], ledgertest.Tx(t, "a", "1"))
	for i := range 4 {
		last = submit(t, ls[i], ledgertest.Tx(t, fmt.Sprintf("k/%d", i), "1"))
	}
	cfg := newcomer(t, chain)
	begin := func() {
		t.Helper()
		height, err := ls[0].TakeSnapshot(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		res, err := ls[0].Snapshot(height)
		if err != nil {
			t.Fatal(err)
		}
		last = submit(t, ls[0], ledgertest.Tx(t, "next", fmt.Sprint(height)))
		agree(t, ls, last.Height)
		s, err := ledger.NewSync(cfg, res, headerHash(t, ls[1], height+1))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fetch(t, s, ls[0])
		if err := s.Install(context.Background(), quiet); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	open := func() *ledger.Ledger {
		t.Helper()
		l, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	fails := func(when string, l *ledger.Ledger) {
		t.Helper()
		select {
		case <-l.Failed():
		case <-time.After(30 * time.Second):
			t.Errorf("%s: it has not failed", when)
		}
		if err := l.Err(); !fault.Is(err, fault.Pruned) || !strings.Contains(err.Error(), "signed twice at height 2") {
			t.Errorf("%s: %v (%v)", when, err, fault.CodeOf(err))
		}
		_ = l.Close() // what a node that has failed answers to Close is no promise
	}
	l := open()
	reach(t, l, last.Height)
	if err := ledger.Accuse(ls[0], chain.Configs[3].Home, 2); err != nil {
		t.Fatal(err)
	}
	fails("beside the others", l)
	for i := range 4 { // three others, and the accused as long as it may
		last = submit(t, ls[i%3], ledgertest.Tx(t, fmt.Sprintf("later/%d", i), "1"))
	}
	fails("while it catches up", open())

	for _, name := range []string{"store", "wal"} {
		if err := os.RemoveAll(filepath.Join(cfg.Home, name)); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	l = open()
	defer l.Close()
	last = submit(t, ls[0], ledgertest.Tx(t, "end", "1"))
	agree(t, []*ledger.Ledger{ls[0], ls[1], ls[2], l}, last.Height)
}
