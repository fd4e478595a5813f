//go:build unix

package durable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// TestAppend: records of many goroutines stand whole and once in the file, each at
// the offset that was returned, and a new Appender goes on behind them.
func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	a, err := OpenAppend(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	const workers, each = 8, 25
	var mu sync.Mutex
	at := map[int64]uint64{}
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range each {
				id := uint64(w*each + i)
				off, err := a.Append(binary.BigEndian.AppendUint64(nil, id))
				if err != nil {
					t.Error(err)
					return
				}
				if a.Size() < off+8 {
					t.Error("Append returned before the record was durable")
				}
				mu.Lock()
				at[off] = id
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append([]byte("x")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 8*workers*each || len(at) != workers*each {
		t.Fatalf("%d bytes, %d offsets: %v", len(b), len(at), err)
	}
	for off, id := range at {
		if got := binary.BigEndian.Uint64(b[off:]); got != id {
			t.Errorf("at %d is record %d, want %d", off, got, id)
		}
	}
	if a, err = OpenAppend(path, 0o600); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if off, err := a.Append([]byte("x")); off != int64(len(b)) || err != nil {
		t.Errorf("reopened: offset %d, want %d: %v", off, len(b), err)
	}
}

// fileLimit makes the disk full for files over n bytes until the test ends: a
// write then comes back short, as it does on a full disk.
func fileLimit(t *testing.T, n uint64) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Skipf("cannot limit the size of files: %v", err)
	}
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) })
}

// TestFullDisk: a replace that fails leaves the old file and nothing else; an
// append that fails leaves the records before it, and none follows.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := ReplaceFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := OpenAppend(filepath.Join(dir, "log"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Append(bytes.Repeat([]byte{1}, 4000)); err != nil {
		t.Fatal(err)
	}
	fileLimit(t, 4096)
	if err := ReplaceFile(path, make([]byte, 10_000), 0o600); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("replace on a full disk: %v", err)
	}
	if err := CreateFile(path+"2", make([]byte, 10_000), 0o600); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("create on a full disk: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("a failed replace left %d bytes", len(b))
	}
	if got := names(t, dir); got != "f log" {
		t.Errorf("left behind: %s", got)
	}
	if _, err := a.Append(bytes.Repeat([]byte{2}, 200)); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("append on a full disk: %v", err)
	}
	if _, err := a.Append([]byte{3}); !errors.Is(err, syscall.EFBIG) {
		t.Errorf("append after a failure: %v, want the first failure again", err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "log"))
	if a.Size() != 4000 || !bytes.Equal(b[:4000], bytes.Repeat([]byte{1}, 4000)) || bytes.IndexByte(b, 3) >= 0 {
		t.Errorf("durable size %d, file of %d bytes", a.Size(), len(b))
	}
}

// BenchmarkAppend shows what sharing the fsync brings: 200-byte records.
func BenchmarkAppend(b *testing.B) {
	a, err := OpenAppend(filepath.Join(b.TempDir(), "log"), 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	record := make([]byte, 200)
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if _, err := a.Append(record); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("32 together", func(b *testing.B) {
		b.SetParallelism(16) // times 2 cores
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := a.Append(record); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
