package index

import (
	"context"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mulian/index/indextest"
	"mulian/internal/fault"
)

// TestNoRoomIsSaid: a full disk is told as such, a bound on files as what it may be, and
// with room the index goes on.
func TestNoRoomIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	feed := &indextest.Ledger{Entries: 3000}
	run := func(x *Index) error {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error, 1)
		go func() {
			done <- x.Run(ctx, feed)
			cancel()
		}()
		_ = x.Await(ctx, feed.Size()) // or Run has failed
		cancel()
		return <-done
	}
	x := reopen(t, path)
	if _, err := x.write.Exec("PRAGMA max_page_count=60"); err != nil {
		t.Fatal(err)
	}
	if err := run(x); !fault.Is(err, fault.DiskFull) {
		t.Errorf("a full disk: %v (%v)", err, fault.CodeOf(err))
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}

	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	x = reopen(t, path)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 300 << 10, Max: old.Max}); err != nil {
		t.Skipf("SKIP the size of files cannot be bounded: %v", err)
	}
	err := run(x)
	if e := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); e != nil {
		t.Fatal(e)
	}
	if !fault.Is(err, fault.Inaccessible) {
		t.Errorf("a bound on files: %v (%v)", err, fault.CodeOf(err))
	}
	if err := run(x); err != nil {
		t.Errorf("with room: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}
