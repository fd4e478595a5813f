package ledger_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// BenchmarkPaced sends 20 transactions a second and reports how long one takes.
// go test ./ledger -run '^$' -bench Paced -benchtime 200x
func BenchmarkPaced(b *testing.B) {
	l := ledgertest.NewChain(b, b.TempDir(), 1).Open(b, 0)
	submit(b, l, ledgertest.Tx(b, "warm", "1"))
	paced(b, l, 50*time.Millisecond)
}

// BenchmarkPacedFour is BenchmarkPaced with four validators on this machine.
func BenchmarkPacedFour(b *testing.B) {
	ls := openAll(b, ledgertest.NewChain(b, b.TempDir(), 4))
	submit(b, ls[0], ledgertest.Tx(b, "warm", "1"))
	paced(b, ls[0], 50*time.Millisecond)
}

func paced(b *testing.B, l *ledger.Ledger, every time.Duration) {
	took := make([]time.Duration, b.N)
	txs := make([][]byte, b.N)
	for i := range txs {
		txs[i] = ledgertest.Tx(b, fmt.Sprintf("p/%d", i), "1")
	}
	b.ResetTimer()
	var all sync.WaitGroup
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range b.N {
		<-tick.C
		all.Go(func() {
			begin := time.Now()
			if _, err := l.Submit(context.Background(), txs[i]); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(begin)
		})
	}
	all.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkSaturated keeps 2,000 SM2-signed transactions in flight.
// go test ./ledger -run '^$' -bench Saturated -benchtime 60000x
func BenchmarkSaturated(b *testing.B) {
	l := ledgertest.NewChain(b, b.TempDir(), 1).Open(b, 0)
	txs := make([][]byte, b.N)
	for i := range txs {
		txs[i] = ledgertest.Tx(b, fmt.Sprintf("s/%d", i), "1")
	}
	b.ResetTimer()
	begin, cpu := time.Now(), cpuTime(b)
	took := flood(b, l, txs, 2000)
	// What a transaction costs, also on a machine that is busy with something else.
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/tx")
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "tx/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// cpuTime is what this process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// flood submits all with so many at once and returns how long each took.
func flood(t testing.TB, l *ledger.Ledger, txs [][]byte, inFlight int) []time.Duration {
	took := make([]time.Duration, len(txs))
	var next atomic.Int64
	var all sync.WaitGroup
	for range inFlight {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(txs); i = int(next.Add(1)) - 1 {
				begin := time.Now()
				c, err := l.Submit(context.Background(), txs[i])
				for fault.Is(err, fault.Busy) {
					time.Sleep(10 * time.Millisecond)
					c, err = l.Submit(context.Background(), txs[i])
				}
				if err != nil || c.Code != fault.OK {
					t.Errorf("transaction %d: %+v, %v", i, c, err)
					return
				}
				took[i] = time.Since(begin)
			}
		})
	}
	all.Wait()
	return took
}

func openAll(t testing.TB, c *ledgertest.Chain) []*ledger.Ledger {
	ls := make([]*ledger.Ledger, len(c.Configs))
	var all sync.WaitGroup
	for i := range ls {
		all.Go(func() { ls[i] = c.Open(t, i) })
	}
	all.Wait()
	return ls
}
