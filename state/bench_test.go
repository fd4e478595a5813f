package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// BenchmarkUpdate measures one block of 1,000 updates over a million keys: half of
// them new, keys of 41 bytes, values of 200, one commit without fsync, one event
// each. It reports microseconds per update, the goal being 25.
//
//	go test ./state -run "^$" -bench Update/keys=1000000 -benchtime 300x
func BenchmarkUpdate(b *testing.B) {
	for _, keys := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) { benchmarkUpdate(b, keys, 1000) })
	}
}

func benchmarkUpdate(b *testing.B, keys, perBlock int) {
	kv, err := pebble.Open(b.TempDir(), StoreOptions(256<<20))
	if err != nil {
		b.Fatal(err)
	}
	defer kv.Close()
	db, err := Open(kv, []byte("s/"), Options{KeepVersions: 100})
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, 200)
	next, height := 0, int64(0)
	block := func(n int, fresh func(i int) bool) {
		height++
		blk := db.Begin(height, 0)
		for i := range n {
			tx := blk.Tx()
			id := next
			if fresh(i) {
				next++
			} else {
				id = rnd.IntN(next)
			}
			binary.LittleEndian.PutUint64(value, rnd.Uint64())
			tx.Put(fmt.Appendf(nil, "bench/object/%028d", id), value, Proved)
			tx.Emit(value)
			tx.Keep()
		}
		if err := blk.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	for next < keys {
		block(20_000, func(int) bool { return true })
	}
	if err := kv.Flush(); err != nil {
		b.Fatal(err)
	}
	for range 20 {
		block(perBlock, func(i int) bool { return i%2 == 0 })
	}
	before := processorTime(b)
	b.ResetTimer()
	for range b.N {
		block(perBlock, func(i int) bool { return i%2 == 0 })
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*perBlock), "us/update")
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N*perBlock), "cpu-us/update")
}

// processorTime is what this process has used so far, compactions included: it
// says more than the clock on a machine that others use too.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
