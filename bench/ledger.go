package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
)

// What Ledger does; our own choices.
const (
	departments   = 32   // who sign, each with a key of its own
	inFlight      = 1000 // callers that wait for a block at once, when saturated
	pacedRate     = 20   // transactions a second of a quiet city
	busyRate      = 500  // of a busy one
	warmSeconds   = 2
	warmRate      = 4000            // transactions a second that are signed for the warm-up
	signedSpare   = 1.4             // transactions signed for a phase, above what the warm-up promises
	longestAnswer = 2 * time.Minute // after a phase: a transaction that has no answer then is lost
	maxSigned     = 600_000         // bounds the memory: at about 600 bytes each
	signedAhead   = 7 * time.Minute // later than now that they are dated: they then live nine of the ten minutes that the rules allow
)

// Ledger measures how many transactions a second the ledger commits and how long one
// takes, and what the engine does alone. Each validator is a process of its own, which
// makes its part of the load, too.
//
// Each transaction is catalogue/put_duties with one new duty, signed with SM2 by one of
// 32 departments: of all verbs the one whose single act is nearest to "one record": one
// fact in the tree, one event in the log, who may do it looked up in the state. It goes
// in through [node.Node.Submit], as from the server. Every validator checks every
// signature.
func Ledger(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "ledger"}
	seconds, n := max(o.Seconds, 1), max(o.Validators, 1)
	if n > departments {
		return r, fault.Newf(fault.Usage, "%d validators, at most %d", n, departments)
	}
	dir, remove, err := o.Folder("ledger")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	return r, ended(ctx, r.ledger(ctx, o, dir, n, seconds))
}

func (r *Result) ledger(ctx context.Context, o Options, dir string, n, seconds int) error {
	c, err := openChain(ctx, o, filepath.Join(dir, "chain"), n)
	if err != nil {
		return err
	}
	defer c.close()
	size, err := c.measure(ctx, o, r, seconds)
	if err != nil {
		return err
	}
	if err := c.close(); err != nil {
		return err
	}
	disk, err := c.disk(ctx)
	if err != nil {
		return err
	}
	o.Say("the engine alone, with its own key-value example, transactions of %d bytes, unsigned", size)
	alone, err := engineAlone(ctx, dir, n, size, seconds)
	if err != nil {
		return err
	}
	r.conclude(alone, disk, n)
	r.Note("transactions: catalogue/put_duties, one new duty each, %d bytes, SM2, %d signers, %d in flight, %d validator(s), each a process", size, departments, inFlight, n)
	r.Note("engine: CometBFT with its kvstore example in memory, the same settings, store, disk, size and validators, no signatures, as many callers who wait for their block")
	return nil
}

// goals are those of one validator, and of four on this one machine.
func goals(n int) (tps, ratio string) {
	switch n {
	case 1:
		return "≥ 10,000", "≥ 0.25"
	case 4:
		return "≥ 2,500", "≥ 0.8"
	}
	return "", ""
}

// conclude puts the figures of the contract first.
func (r *Result) conclude(engine, disk float64, n int) {
	_, ratio := goals(n)
	rest := r.Figures
	tps := r.Value("tps")
	r.Figures = append([]Figure{}, rest[:3]...)
	r.Add(Figure{Name: "engine_tps", Value: engine, Unit: "tx/s", Note: "the engine's own kvstore, unsigned"})
	r.Add(Figure{Name: "ratio", Value: tps / max(engine, 1), Goal: ratio})
	r.Add(Figure{Name: "disk_bytes_per_tx", Value: disk, Unit: "bytes", Goal: "< 1,536", Note: "of one validator, after all phases, its store compacted, the engine's log included"})
	r.Figures = append(r.Figures, rest[3:]...)
}

// measure runs the phases with the rules, and returns the size of a transaction.
func (c *chain) measure(ctx context.Context, o Options, r *Result, seconds int) (size int, err error) {
	full, err := c.saturated(ctx, o, seconds)
	if err != nil {
		return 0, err
	}
	goal, _ := goals(len(c.members))
	r.Add(Figure{Name: "tps", Value: full.rate, Unit: "tx/s", Goal: goal, Note: "committed, saturated"})
	r.Add(Figure{Name: "p50_ms", Value: full.times.Ms(50), Unit: "ms", Note: "submit to commit, saturated"})
	r.Add(Figure{Name: "p99_ms", Value: full.times.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "cpu_us_per_tx", Value: float64(full.cpu.Microseconds()) / float64(max(full.count, 1)), Unit: "µs", Goal: "≤ 160 for each validator", Note: "of all processes, saturated"})
	r.Add(Figure{Name: "peak_mib", Value: full.peak, Unit: "MiB", Note: "of the largest process, transactions signed in advance included"})
	for _, p := range []struct {
		name, note, goal50, goal99 string
		rate                       float64
	}{
		{"paced", fmt.Sprintf("at %d tx/s", pacedRate), "< 10", "< 30", pacedRate},
		{"busy", fmt.Sprintf("at %d tx/s", busyRate), "", "< 300", busyRate},
		{"half", "at half of tps", "", "< 120", full.rate / 2},
	} {
		if len(c.members) > 1 && p.name != "busy" {
			p.goal50, p.goal99 = "", "" // they are of one validator
		}
		o.Say("%.0f a second for %d s", p.rate, seconds)
		l, err := c.paced(ctx, p.rate, seconds)
		if err != nil {
			return 0, err
		}
		r.Add(Figure{Name: p.name + "_p50_ms", Value: l.times.Ms(50), Unit: "ms", Goal: p.goal50, Note: p.note})
		r.Add(Figure{Name: p.name + "_p99_ms", Value: l.times.Ms(99), Unit: "ms", Goal: p.goal99})
	}
	if o.Flood {
		err = c.flooded(ctx, o, r, seconds, full.rate)
	}
	return full.bytes, err
}

// flooded measures how long the transactions of all others take while one department
// sends as many as it can, beside how long they take without it.
func (c *chain) flooded(ctx context.Context, o Options, r *Result, seconds int, most float64) error {
	pace := order{Do: "pace", Seconds: float64(seconds), Rate: busyRate / float64(len(c.members))}
	sign := order{Do: "sign", Count: int(pace.Rate*pace.Seconds) + 1, Flood: 1}
	o.Say("all departments but one, %d a second, for %d s", busyRate, seconds)
	calm, err := c.phase(ctx, sign, pace)
	if err != nil {
		return err
	}
	o.Say("the same while one department floods the ledger")
	flood := func(i int) order {
		sign := sign
		if i == 0 {
			sign.Flood = min(int(most*float64(seconds)*signedSpare), maxSigned)
		}
		return sign
	}
	if _, err := c.each(ctx, flood); err != nil {
		return err
	}
	reports, err := c.each(ctx, func(i int) order {
		pace := pace
		if i == 0 {
			pace.Callers = inFlight
		}
		return pace
	})
	if err != nil {
		return err
	}
	wild := gather(reports)
	r.Add(Figure{Name: "calm_p99_ms", Value: calm.times.Ms(99), Unit: "ms", Note: fmt.Sprintf("of %d departments at %d tx/s", departments-1, busyRate)})
	r.Add(Figure{Name: "flooded_p99_ms", Value: wild.times.Ms(99), Unit: "ms", Goal: "< 2 × calm", Note: fmt.Sprintf("of the same while one more has %d callers", inFlight)})
	r.Add(Figure{Name: "flood_tps", Value: float64(wild.flooded) / wild.seconds, Unit: "tx/s", Note: "of that one"})
	r.Add(Figure{Name: "flood_refused", Value: float64(wild.refused), Note: "times that anybody was told to come again"})
	return nil
}

// load is what a phase came to, of all members.
type load struct {
	rate    float64 // a second
	count   int
	times   Times
	cpu     time.Duration
	peak    float64 // MiB, of the largest
	bytes   int
	flooded int
	refused int64
	seconds float64
}

func gather(reports []report) *load {
	l := &load{}
	for _, r := range reports {
		l.rate += float64(len(r.Times)) / max(r.Wall.Seconds(), 1e-9)
		l.count += len(r.Times)
		l.cpu += r.CPU
		l.peak, l.bytes = max(l.peak, r.Peak), max(l.bytes, r.Bytes)
		l.flooded += r.Flooded
		l.refused += r.Refused
		l.seconds = max(l.seconds, r.Wall.Seconds())
		for _, us := range r.Times {
			l.times.Add(time.Duration(us) * time.Microsecond)
		}
	}
	return l
}

// phase has all members sign, and then send.
func (c *chain) phase(ctx context.Context, sign, send order) (*load, error) {
	if _, err := c.all(ctx, sign); err != nil {
		return nil, err
	}
	reports, err := c.all(ctx, send)
	if err != nil {
		return nil, err
	}
	return gather(reports), nil
}

// saturated measures the most that there can be, after a warm-up.
func (c *chain) saturated(ctx context.Context, o Options, seconds int) (*load, error) {
	n := len(c.members)
	run := order{Do: "run", Callers: max(inFlight/n, 1), Seconds: float64(min(warmSeconds, seconds))}
	o.Say("warm-up")
	warm, err := c.phase(ctx, order{Do: "sign", Count: warmRate * warmSeconds / n}, run)
	if err != nil {
		return nil, err
	}
	want := min(int(warm.rate*float64(seconds)*signedSpare)+inFlight, maxSigned)
	o.Say("sign %d transactions", want)
	if _, err := c.all(ctx, order{Do: "sign", Count: want / n}); err != nil {
		return nil, err
	}
	o.Say("saturated for %d s", seconds)
	run.Seconds = float64(seconds)
	reports, err := c.each(ctx, func(i int) order {
		run := run
		if i == 0 {
			run.Profile = o.Profile
		}
		return run
	})
	if err != nil {
		return nil, err
	}
	return gather(reports), nil
}

// paced sends at a steady rate, shared out among the members.
func (c *chain) paced(ctx context.Context, rate float64, seconds int) (*load, error) {
	each := rate / float64(len(c.members))
	return c.phase(ctx, order{Do: "sign", Count: min(int(each*float64(seconds))+1, maxSigned)}, order{Do: "pace", Rate: each, Seconds: float64(seconds)})
}

// disk returns what one validator, that has been closed, keeps of each transaction.
func (c *chain) disk(ctx context.Context) (float64, error) {
	var bytes int64
	for _, home := range c.homes {
		if err := ledger.Compact(ctx, home); err != nil {
			return 0, err
		}
		bytes += DiskBytes(home)
	}
	return float64(bytes) / float64(max(c.committed, 1)) / float64(len(c.homes)), nil
}

// phase is what one phase of one member came to.
type phase struct {
	times  Times
	meter  *Meter
	failed firstError
}

// note takes what one caller was answered.
func (p *phase) note(took time.Duration, err error) {
	if err != nil {
		p.failed.set(err)
		return
	}
	p.times.Add(took)
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
