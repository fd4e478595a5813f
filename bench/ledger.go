package bench

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/ledger"
)

// What Ledger does; our own choices.
const (
	departments   = 32   // who sign, each with a key of its own
	inFlight      = 1000 // callers that wait for a block at once, when saturated
	pacedRate     = 20   // transactions a second of a quiet city
	warmSeconds   = 2
	signedSpare   = 1.4             // transactions signed for a phase, above what the warm-up promises
	longestAnswer = 2 * time.Minute // after a phase: a transaction that has no answer then is lost
	maxSigned     = 600_000         // bounds the memory: at about 600 bytes each
	signedAhead   = 7 * time.Minute // later than now that they are dated: they then live nine of the ten minutes that the rules allow
	engineTxSize  = 40              // bytes of a transaction of the engine's example beside its value
)

// Ledger measures how many transactions a second the ledger commits and how long one
// takes, and what the engine does alone.
//
// Each transaction is catalogue/put_duties with one new duty, signed with SM2 by one of
// 32 departments: of all verbs the one whose single act is nearest to "one record": one
// fact in the tree, one event in the log, who may do it looked up in the state. It goes
// in through [node.Node.Submit], as from the server.
func Ledger(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "ledger"}
	seconds, n := max(o.Seconds, 1), max(o.Validators, 1)
	dir, remove, err := o.Folder("ledger")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	c, err := openChain(ctx, o, dir, n)
	if err != nil {
		return r, ended(ctx, err)
	}
	defer c.close()
	size, err := c.measure(ctx, o, &r, seconds)
	if err != nil {
		return r, ended(ctx, err)
	}
	if err := c.close(); err != nil {
		return r, err
	}
	disk, err := c.disk(ctx)
	if err != nil {
		return r, ended(ctx, err)
	}
	o.Say("the engine alone, with its own key-value example, transactions of %d bytes, unsigned", size)
	alone, err := engineAlone(ctx, dir, size, seconds)
	if err != nil {
		return r, ended(ctx, err)
	}
	r.conclude(alone, disk)
	r.Note("transactions: catalogue/put_duties, one new duty each, %d bytes, SM2, %d signers, %d in flight, %d validator(s) in this process", size, departments, inFlight, n)
	r.Note("engine: CometBFT with its kvstore example in memory, the same settings, store, disk and size, no signatures, as many callers who wait for their block, one validator")
	return r, nil
}

// conclude puts the figures of the contract first.
func (r *Result) conclude(engine, disk float64) {
	rest := r.Figures
	tps := r.Value("tps")
	r.Figures = append([]Figure{}, rest[:3]...)
	r.Add(Figure{Name: "engine_tps", Value: engine, Unit: "tx/s", Note: "the engine's own kvstore, unsigned"})
	r.Add(Figure{Name: "ratio", Value: tps / max(engine, 1), Goal: "≥ 0.25"})
	r.Add(Figure{Name: "disk_bytes_per_tx", Value: disk, Unit: "bytes", Goal: "< 1,536", Note: "of one validator, after all phases, its store compacted, the engine's log included"})
	r.Figures = append(r.Figures, rest[3:]...)
}

// measure runs the phases with the rules, and returns the size of a transaction.
func (c *chain) measure(ctx context.Context, o Options, r *Result, seconds int) (size int, err error) {
	o.Say("warm-up")
	warm, err := c.saturate(ctx, 4000*warmSeconds, min(warmSeconds, seconds))
	if err != nil {
		return 0, err
	}
	want := min(int(warm.rate()*float64(seconds)*signedSpare)+inFlight, maxSigned)
	o.Say("sign %d transactions", want)
	txs, err := c.sign(ctx, want)
	if err != nil {
		return 0, err
	}
	ResetPeak()
	o.Say("saturated for %d s", seconds)
	stop, err := o.profile()
	if err != nil {
		return 0, err
	}
	full, err := c.run(ctx, txs, seconds)
	stop()
	if err != nil {
		return 0, err
	}
	tps := full.rate()
	r.Add(Figure{Name: "tps", Value: tps, Unit: "tx/s", Goal: "≥ 8,000", Note: "committed, saturated"})
	r.Add(Figure{Name: "p50_ms", Value: full.times.Ms(50), Unit: "ms", Note: "submit to commit, saturated"})
	r.Add(Figure{Name: "p99_ms", Value: full.times.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "cpu_us_per_tx", Value: full.meter.MicrosecondsEach(full.count), Unit: "µs", Goal: "≤ 160", Note: "of the whole process, saturated"})
	r.Add(Figure{Name: "peak_mib", Value: PeakMiB(), Unit: "MiB", Note: "transactions signed in advance included"})
	o.Say("%d a second for %d s", pacedRate, seconds)
	paced, err := c.paced(ctx, pacedRate, seconds)
	if err != nil {
		return 0, err
	}
	r.Add(Figure{Name: "paced_p50_ms", Value: paced.times.Ms(50), Unit: "ms", Goal: "< 10", Note: fmt.Sprintf("at %d tx/s", pacedRate)})
	r.Add(Figure{Name: "paced_p99_ms", Value: paced.times.Ms(99), Unit: "ms", Goal: "< 30"})
	o.Say("half of the maximum, %.0f a second, for %d s", tps/2, seconds)
	half, err := c.paced(ctx, tps/2, seconds)
	if err != nil {
		return 0, err
	}
	r.Add(Figure{Name: "half_p50_ms", Value: half.times.Ms(50), Unit: "ms", Note: "at half of tps"})
	r.Add(Figure{Name: "half_p99_ms", Value: half.times.Ms(99), Unit: "ms", Goal: "< 120"})
	return len(txs[0]), nil
}

// disk returns what one validator, that has been closed, keeps of each transaction.
func (c *chain) disk(ctx context.Context) (float64, error) {
	for _, home := range c.homes {
		if err := ledger.Compact(ctx, home); err != nil {
			return 0, err
		}
	}
	return float64(DiskBytes(c.dir)) / float64(max(c.committed.Load(), 1)) / float64(len(c.homes)), nil
}

// phase is what one phase came to.
type phase struct {
	count  int
	times  Times
	meter  *Meter
	failed firstError
}

func (p *phase) rate() float64 { return p.meter.PerSecond(p.count) }

// note takes what one caller was answered.
func (p *phase) note(took time.Duration, err error) {
	if err != nil {
		p.failed.set(err)
		return
	}
	p.times.Add(took)
}

// end waits for all callers and returns the first error.
func (p *phase) end(callers *sync.WaitGroup) error {
	callers.Wait()
	p.meter.Stop()
	p.count = p.times.Len()
	return p.failed.get()
}

func (c *chain) saturate(ctx context.Context, count, seconds int) (*phase, error) {
	txs, err := c.sign(ctx, count)
	if err != nil {
		return nil, err
	}
	return c.run(ctx, txs, seconds)
}

// run keeps callers waiting for blocks until the time or the transactions are over.
func (c *chain) run(ctx context.Context, txs [][]byte, seconds int) (*phase, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+longestAnswer)
	defer cancel()
	p := &phase{}
	var next atomic.Int64
	var all sync.WaitGroup
	p.meter = Start()
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for caller := range inFlight {
		all.Go(func() {
			for time.Now().Before(end) && !p.failed.there() {
				i := int(next.Add(1)) - 1
				if i >= len(txs) {
					return
				}
				p.note(c.submit(ctx, caller, txs[i]))
			}
		})
	}
	return p, p.end(&all)
}

// paced submits at a steady rate, whether or not earlier ones have been answered.
func (c *chain) paced(ctx context.Context, rate float64, seconds int) (*phase, error) {
	txs, err := c.sign(ctx, min(int(rate*float64(seconds))+1, maxSigned))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+longestAnswer)
	defer cancel()
	p := &phase{meter: Start()}
	begin := time.Now()
	var all sync.WaitGroup
	for i := range txs {
		if wait := time.Until(begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil || p.failed.there() {
			break
		}
		all.Go(func() {
			p.note(c.submit(ctx, i, txs[i]))
		})
	}
	return p, cmp.Or(p.end(&all), ctx.Err())
}

// submit hands one transaction in and waits until it is committed. A node that is
// full is asked again as [client.Client.Submit] does, and the time runs on.
func (c *chain) submit(ctx context.Context, caller int, tx []byte) (time.Duration, error) {
	begin := time.Now()
	n := c.nodes[caller%len(c.nodes)]
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		res, err := n.Submit(ctx, tx)
		switch {
		case fault.Is(err, fault.Busy) && ctx.Err() == nil:
			time.Sleep(wait)
			continue
		case err != nil:
			return 0, err
		case res.GetOutcome().GetCode() != 0:
			return 0, fault.Newf(fault.Internal, "a transaction of the bench was refused: %s %s", res.GetOutcome(), res.GetText())
		}
		c.committed.Add(1)
		return time.Since(begin), nil
	}
}

// sign makes so many new transactions on all processors.
func (c *chain) sign(ctx context.Context, count int) ([][]byte, error) {
	txs := make([][]byte, count)
	var all sync.WaitGroup
	var failed firstError
	var next atomic.Int64
	first := int(c.signed.Add(int64(count))) - count
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				s := c.signers[i%len(c.signers)]
				env, err := client.Sign(c.id, s, time.Now().Add(signedAhead), duty(s.Account, first+i))
				if err != nil {
					failed.set(err)
					return
				}
				txs[i] = env.Raw
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return txs, failed.get()
}

// duty is a duty such as the lists of the departments have.
func duty(org string, n int) *cataloguev1.PutDuties {
	return &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: org + ":" + strconv.Itoa(n), Org: org, Title: "建设工程规划许可证核发", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING,
		Source: "中华人民共和国城乡规划法", Article: "第四十条",
	}}}
}

// firstError keeps the first of many.
type firstError struct{ err atomic.Pointer[error] }

func (f *firstError) set(err error) { f.err.CompareAndSwap(nil, &err) }
func (f *firstError) there() bool   { return f.err.Load() != nil }
func (f *firstError) get() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}
