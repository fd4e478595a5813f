package gateway_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
)

// BenchmarkQuery asks through everything: two gateways, signatures, the log's two
// records, SQLite, sealing, the asker's receipt.
func BenchmarkQuery(b *testing.B) {
	for _, askers := range []int{1, 16} {
		b.Run(fmt.Sprintf("askers=%d", askers), func(b *testing.B) {
			w := newTown(b)
			w.makePermits(100_000)
			door := w.open(w.planningConfig())
			tap := w.open(w.waterConfig())
			w.publish(door)
			agreement := w.agree(byQuery, nil)
			if _, err := tap.Query(b.Context(), agreement, w.entry, nil, 0, no("P0000001")); err != nil {
				b.Fatal(err)
			}
			var mu sync.Mutex
			var took []time.Duration
			var all sync.WaitGroup
			work := make(chan int)
			b.ResetTimer()
			for range askers {
				all.Go(func() {
					for i := range work {
						began := time.Now()
						res, err := tap.Query(b.Context(), agreement, w.entry, nil, 0, no(fmt.Sprintf("P%07d", i%100_000)))
						if err != nil || len(res.Rows) != 1 {
							b.Error(err)
							return
						}
						mu.Lock()
						took = append(took, time.Since(began))
						mu.Unlock()
					}
				})
			}
			for i := range b.N {
				work <- i
			}
			close(work)
			all.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkFetch takes whole tables from SQLite to SQLite. BENCH_ROWS sets another size.
func BenchmarkFetch(b *testing.B) {
	rows := 100_000
	if n, err := strconv.Atoi(os.Getenv("BENCH_ROWS")); err == nil {
		rows = n
	}
	w := newTown(b)
	w.makePermits(rows)
	door := w.open(w.planningConfig())
	tap := w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	for b.Loop() {
		got, err := tap.Fetch(b.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
		if err != nil || got.Rows != int64(rows) {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
