package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

// Bounds of the load: how many ask at once when it is saturated, and how many may wait
// when requests come by the clock.
const (
	queryAskers  = 48
	queryWaiting = 4096
	queryRows    = 100_000
)

// Query measures single records: agreed, checked against the ledger, logged before
// they leave, sealed, signed by both sides. The asker's gateway runs in this process,
// the provider's in one of its own. First as many as there can be; then half of that
// by the clock, beside the direct SQL query at the same pace.
//
// Usage, SourceUnreachable (no database), Cancelled.
func Query(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "query"}
	dir, remove, err := o.Folder("query")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	if o.Rows == 0 {
		o.Rows = queryRows
	}
	if o.Seconds == 0 {
		o.Seconds = 10
	}
	return r, ended(ctx, query(ctx, o, dir, &r))
}

func query(ctx context.Context, o Options, dir string, r *Result) (err error) {
	gateway.TuneMemory() // as the command that runs one does
	o.Say("making %d rows of %d columns", o.Rows, len(rowsColumns))
	p, err := openPair(ctx, o, dir)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.fill(ctx, o.Rows); err != nil {
		return err
	}
	w, err := found(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, w.stop()) }()
	q, err := w.questions(ctx, o, p)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, q.stop()) }()
	direct, done, err := directly(ctx, p, o.Rows)
	if err != nil {
		return err
	}
	defer done()
	phase := time.Duration(o.Seconds) * time.Second
	o.Say("warming up")
	if _, err := flood(ctx, max(phase/4, time.Second), q.ask); err != nil {
		return err
	}
	if err := q.saturate(ctx, o, p, phase, r); err != nil {
		return err
	}
	half := max(int(r.Value("per_second")/2), 1)
	o.Say("%.0f a second; half of that by the clock, direct and through the gateways", r.Value("per_second"))
	bare, err := paced(ctx, half, phase, direct)
	if err != nil {
		return err
	}
	sealed, err := paced(ctx, half, phase, q.ask)
	if err != nil {
		return err
	}
	r.Figures = append(r.Figures[:1], append([]Figure{
		{Name: "p99_added_ms", Value: sealed.Ms(99) - bare.Ms(99), Unit: "ms", Goal: "< 10", Note: fmt.Sprintf("at %d a second, over the direct SQL query", half)},
	}, r.Figures[1:]...)...)
	for _, f := range []struct {
		name  string
		value float64
	}{{"p50_ms", sealed.Ms(50)}, {"p99_ms", sealed.Ms(99)}, {"direct_p50_ms", bare.Ms(50)}, {"direct_p99_ms", bare.Ms(99)}} {
		r.Add(Figure{Name: f.name, Value: f.value, Unit: "ms", Note: "at half load"})
	}
	r.Add(Figure{Name: "provider_peak_mib", Value: q.door.peak(), Unit: "MiB"})
	r.Note("one record of %d by key, %d columns, %s; SM2 and SM4-GCM; %d at once when saturated", o.Rows, len(rowsColumns), p.what(), queryAskers)
	r.Note("ledger of one validator, load generator and the asker's gateway in this process, the provider's gateway in another")
	return nil
}

// questions is a provider's gateway in another process, an asker's in this one, and
// what it asks.
type questions struct {
	door      *part
	agreement string
	ask       func(ctx context.Context, i int) error
	stop      func() error
}

func (w *town) questions(ctx context.Context, o Options, p pair) (*questions, error) {
	from, _ := p.urls()
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cfg := w.config(w.door, addr)
	source := gateway.Source{Name: "main", Tables: []string{rowsTable}}
	setURL(&source.URL, &source.URLFile, from)
	cfg.Sources, cfg.PollSeconds = []gateway.Source{source}, 60
	q := &questions{}
	if q.door, err = w.startGateway(ctx, cfg, profileOf(o, "provider")); err != nil {
		return nil, err
	}
	tap, stop, err := w.here(ctx)
	if err != nil {
		return nil, joined(err, q.door.stop())
	}
	q.stop = func() error { return joined(stop(), q.door.stop()) }
	agreement := ""
	if err = w.publish(ctx, p); err == nil {
		agreement, err = w.agree(ctx, cataloguev1.Method_METHOD_QUERY)
	}
	if err != nil {
		return nil, joined(err, q.stop())
	}
	q.agreement = agreement
	q.ask = func(ctx context.Context, i int) error {
		id := strconv.Itoa(i%o.Rows + 1)
		res, err := tap.Query(ctx, agreement, w.entry, nil, 1, &gatewayv1.KeyValue{Item: rowsColumns[0].name, Value: id})
		if err == nil && (len(res.Rows) != 1 || res.Rows[0][0].Text != id) {
			return fault.Newf(fault.VerificationFailed, "the answer for row %s is another", id)
		}
		return err
	}
	return q, nil
}

// here runs the asker's gateway in this process.
func (w *town) here(ctx context.Context) (*gateway.Gateway, func() error, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	cfg := w.config(w.tap, addr)
	g, err := gateway.Open(ctx, cfg, gateway.Options{Version: "bench", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- g.Run(running) }()
	stop := func() error { cancel(); return joined(<-done, g.Close()) }
	if err := w.reached(ctx, cfg); err != nil {
		return nil, nil, joined(err, stop())
	}
	return g, stop, nil
}

// saturate measures the most that there can be, and what each costs.
func (q *questions) saturate(ctx context.Context, o Options, p pair, phase time.Duration, r *Result) error {
	if o.Profile != "" {
		f, err := os.Create(o.Profile)
		if err != nil {
			return fault.Wrap(fault.Usage, err, "the profile")
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	doorCPU, serverCPU := q.door.cpu(), p.cpu()
	m := Start()
	n, err := flood(ctx, phase, q.ask)
	m.Stop()
	if err != nil {
		return err
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(max(n, 1)) }
	doorCPU, serverCPU = q.door.cpu()-doorCPU, p.cpu()-serverCPU
	r.Add(Figure{Name: "per_second", Value: m.PerSecond(n), Unit: "/s", Goal: "≥ 3,000 on 2 cores"})
	r.Add(Figure{Name: "cpu_us", Value: each(m.CPU + doorCPU + serverCPU), Unit: "µs", Note: "of all processes, for each query"})
	r.Add(Figure{Name: "asker_cpu_us", Value: m.MicrosecondsEach(n), Unit: "µs", Note: "with load generator and ledger"})
	r.Add(Figure{Name: "provider_cpu_us", Value: each(doorCPU), Unit: "µs"})
	r.Add(Figure{Name: "database_cpu_us", Value: each(serverCPU), Unit: "µs"})
	return nil
}

// flood asks with queryAskers at once for so long, and returns how many were answered.
func flood(ctx context.Context, phase time.Duration, ask func(context.Context, int) error) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var n, next atomic.Int64
	end := time.Now().Add(phase)
	var all sync.WaitGroup
	for range queryAskers {
		all.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				if err := ask(ctx, int(next.Add(1)*7919)); err != nil {
					cancel(err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return int(n.Load()), context.Cause(ctx)
}

// paced asks perSecond times a second by the clock, whatever becomes of the earlier
// ones, and takes each time from the moment at which the request was due.
func paced(ctx context.Context, perSecond int, phase time.Duration, ask func(context.Context, int) error) (*Times, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := &Times{}
	waiting := make(chan struct{}, queryWaiting)
	var all sync.WaitGroup
	began := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		if due.Sub(began) > phase {
			break
		}
		time.Sleep(time.Until(due))
		select {
		case waiting <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		all.Go(func() {
			if err := ask(ctx, i*7919); err != nil {
				cancel(err)
			}
			took.Add(time.Since(due))
			<-waiting
		})
	}
	all.Wait()
	return took, context.Cause(ctx)
}

// directConns is how many connections a gateway has to one PostgreSQL too.
const directConns = 4

// directly asks the database itself, over as many connections as a gateway has.
func directly(ctx context.Context, p pair, rows int) (func(context.Context, int) error, func(), error) {
	free := make(chan func(context.Context, int) error, directConns)
	var ends []func()
	done := func() {
		for _, end := range ends {
			end()
		}
	}
	for range directConns {
		one, end, err := p.open(ctx)
		if err != nil {
			done()
			return nil, nil, err
		}
		ends = append(ends, end)
		free <- one
	}
	return func(ctx context.Context, i int) error {
		one := <-free
		defer func() { free <- one }()
		return one(ctx, i%rows+1)
	}, done, nil
}
