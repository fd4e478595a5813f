package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// TestRestoreOfALargeState exports and restores as many MiB as $MULIAN_SYNC_MIB says, half
// of them events, and tells time and memory. Without it, it does not run: 1024 take minutes.
//
//	MULIAN_SYNC_MIB=1024 go test ./state -run TestRestoreOfALargeState -v -timeout 30m
func TestRestoreOfALargeState(t *testing.T) {
	mib, err := strconv.Atoi(os.Getenv("MULIAN_SYNC_MIB"))
	if err != nil {
		t.Skip("MULIAN_SYNC_MIB is not set")
	}
	opts := StoreOptions(64 << 20)
	kv, err := pebble.Open(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	db, err := Open(kv, []byte("m/"), Options{KeepVersions: 1})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	value := make([]byte, 500)
	begin := time.Now()
	for h := range int64(mib) { // of each block's MiB half is records, half events
		sealedCommit(t, db, h, func(tx *Tx) {
			for i := range 1024 {
				_, _ = random.Read(value[:250]) // half of it can be compressed
				key := sha256.Sum256(fmt.Appendf(nil, "%d/%d", h, i))
				auth := Proved
				if i%2 == 1 {
					auth = Plain
				}
				tx.Put(fmt.Appendf(nil, "%x", key), value, auth)
				tx.Emit(value)
			}
		})
	}
	t.Logf("filled: %d blocks, %d proved keys, %d events in %s", mib, db.Head().Keys, db.Head().LogSize, time.Since(begin).Round(time.Millisecond))
	chunks := t.TempDir()
	begin = time.Now()
	n, size := 0, 0
	keep := func(kind string) func([]byte) error {
		return func(c []byte) error {
			n, size = n+1, size+len(c)
			return os.WriteFile(filepath.Join(chunks, fmt.Sprintf("%s-%06d", kind, n)), c, 0o600)
		}
	}
	v := db.View()
	if err := v.ExportRecords(context.Background(), keep("a")); err != nil {
		t.Fatal(err)
	}
	if err := v.ExportEvents(context.Background(), keep("b")); err != nil {
		t.Fatal(err)
	}
	v.Close()
	t.Logf("exported: %d chunks, %d MiB in %s", n, size>>20, time.Since(begin).Round(time.Millisecond))
	var peak uint64
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
	}
	runtime.GC()
	opts = StoreOptions(64 << 20)
	opts.DisableWAL = true
	to, err := pebble.Open(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	look()
	t.Logf("before: %d MiB of heap", peak>>20)
	begin = time.Now()
	r, err := NewRestore(to, []byte("m/"), db.Head(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(chunks)
	for i, e := range entries {
		c, err := os.ReadFile(filepath.Join(chunks, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		take := r.Records
		if strings.HasPrefix(e.Name(), "b") {
			take = r.Events
		}
		if err := take(c); err != nil {
			t.Fatal(err)
		}
		if i%8 == 0 {
			look()
		}
	}
	if err := r.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	look()
	if err := to.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("restored in %s, at most %d MiB of heap in use, %s", time.Since(begin).Round(time.Millisecond), peak>>20, peakResident())
}

// peakResident is the most memory that the process ever had.
func peakResident() string {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("VmHWM")) {
			return strings.Join(strings.Fields(string(line)), " ")
		}
	}
	return "peak unknown"
}
