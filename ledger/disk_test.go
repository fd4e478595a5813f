package ledger_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// fullDisk is a real disk that has no room while full is set.
func fullDisk(full *atomic.Bool) vfs.FS {
	return errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo) {
			return syscall.ENOSPC
		}
		return nil
	}))
}

func TestFullDiskStopsTheNodeAndLosesNothing(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	var full atomic.Bool
	l, err := ledger.Open(context.Background(), ledger.OnDisk(c.Configs[0], fullDisk(&full)), ledgertest.Machine{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		submit(t, l, ledgertest.Tx(t, fmt.Sprintf("d/%d", i), "1"))
	}
	full.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	unanswered := ledgertest.Tx(t, "d/unanswered", "1")
	if _, err := l.Submit(ctx, unanswered); !fault.Is(err, fault.DiskFull) {
		t.Errorf("submit to a full disk: %v (%v)", err, fault.CodeOf(err))
	}
	select {
	case <-l.Failed():
	default:
		t.Error("the node does not say that it has stopped")
	}
	if _, err := l.Submit(ctx, ledgertest.Tx(t, "d/later", "1")); !fault.Is(err, fault.DiskFull) {
		t.Errorf("submit afterwards: %v", err)
	}
	full.Store(false)
	l.Close() // what a broken store answers to Close is no promise
	l = c.Open(t, 0)
	for i := range 5 {
		if n := value(t, l, fmt.Sprintf("count/d/%d", i)); n != "1" {
			t.Errorf("d/%d is carried out %q times", i, n)
		}
	}
	if c := submit(t, l, unanswered); c.Code != fault.OK {
		t.Errorf("sent again with room: %+v", c)
	}
	if n := value(t, l, "count/d/unanswered"); n != "1" {
		t.Errorf("carried out %q times", n)
	}
}
