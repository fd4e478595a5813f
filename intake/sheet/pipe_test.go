//go:build unix

package sheet

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mulian/internal/fault"
)

// A pipe that nobody writes to would hold the import for ever.
func TestOpenRefusesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.csv")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("SKIP no named pipes here: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := Open(path, Options{})
		got <- err
	}()
	select {
	case err := <-got:
		if c := fault.CodeOf(err); c != fault.Usage {
			t.Errorf("a pipe: %v (%v), want %v", err, c, fault.Usage)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Open waits for a writer of the pipe")
	}
}
