package gateway_test

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
)

// largeHeap bounds by how much the heap that is alive grows, of both gateways, the ledger and the
// server in this process, while a file goes from one to the other, whatever its size. Alive and
// by how much: what the collector leaves for later depends on the tests before. Measured: 26 to 37 MiB with 300, 44 with 2,048.
const largeHeap = 96 << 20

// alive is the heap that the last collection found in use, in bytes.
func alive() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestALargeFile: a file that does not compress arrives as it is, and needs no more memory
// than a small one. MULIAN_FILE_MIB: its size, else 300.
func TestALargeFile(t *testing.T) {
	heavy(t)
	mib := int64(300)
	if s := os.Getenv("MULIAN_FILE_MIB"); s != "" {
		var err error
		if mib, err = strconv.ParseInt(s, 10, 32); err != nil {
			t.Fatal(err)
		}
	}
	w := newTown(t)
	from, to := w.archive(map[string][]byte{"small.txt": []byte("small")})
	sent := sha256.New()
	file, err := os.Create(filepath.Join(w.dir, "archive", "drawings", "large.bin"))
	if err == nil {
		_, err = io.CopyN(io.MultiWriter(file, sent), rand.NewChaCha8([32]byte{7}), mib<<20)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	door, tap := w.open(from), w.open(to)
	w.publishFiles(door)
	agreement := w.agree(byFile, drawings)

	runtime.GC()
	before := alive()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := before
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(100 * time.Millisecond):
				most = max(most, alive())
			}
		}
	}()
	began := time.Now()
	got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "plans"}})
	took := time.Since(began)
	close(stop)
	most := <-peak - before
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB, %d pieces in %s, at most %d MiB of heap alive above the %d of before", mib, got.Rows, took.Round(time.Millisecond), most>>20, before>>20)
	if most > largeHeap {
		t.Errorf("%d MiB of heap alive above what was before, at most %d", most>>20, largeHeap>>20)
	}
	there, err := os.Open(filepath.Join(to.Documents, "plans", "large.bin"))
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	arrived := sha256.New()
	if _, err := io.Copy(arrived, there); err != nil {
		t.Fatal(err)
	}
	if string(arrived.Sum(nil)) != string(sent.Sum(nil)) {
		t.Error("another file has arrived")
	}
}
