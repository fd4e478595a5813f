package bench

import (
	"context"
	"time"

	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// Deliver measures a batch: a whole table goes from one department's database into
// another's, agreed, sealed, logged, verified and confirmed on a real ledger, through
// two gateways in processes of their own. Beside it, before and after, the same rows
// go from server to server by a plain COPY.
//
// Usage, SourceUnreachable (no database), Cancelled.
func Deliver(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "deliver"}
	dir, remove, err := o.Folder("deliver")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	if o.Rows == 0 {
		o.Rows = 1_000_000
	}
	return r, ended(ctx, deliver(ctx, o, dir, &r))
}

func deliver(ctx context.Context, o Options, dir string, r *Result) (err error) {
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
	door, tap, err := w.gateways(ctx, o, p)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, door.stop(), tap.stop()) }()
	if err := w.publish(ctx, p); err != nil {
		return err
	}
	agreement, err := w.agree(ctx, cataloguev1.Method_METHOD_BATCH)
	if err != nil {
		return err
	}
	o.Say("the bare counterpart, once to warm up and once measured")
	if _, _, err := p.bare(ctx); err != nil {
		return err
	}
	before, bareCPU, err := p.bare(ctx)
	if err != nil {
		return err
	}
	o.Say("%.0f rows a second; now through the gateways", rate(o.Rows, before))
	doorCPU, tapCPU, serverCPU := door.cpu(), tap.cpu(), p.cpu()
	began := time.Now()
	got, err := tap.fetch(ctx, agreement, w.entry, rowsLoaded)
	if err != nil {
		return err
	}
	took := time.Since(began)
	doorCPU, tapCPU, serverCPU = door.cpu()-doorCPU, tap.cpu()-tapCPU, p.cpu()-serverCPU
	o.Say("%.0f rows a second; and the bare counterpart again", rate(o.Rows, took))
	after, _, err := p.bare(ctx)
	if err != nil {
		return err
	}
	if got.GetRows() != int64(o.Rows) {
		return fault.Newf(fault.VerificationFailed, "%d rows were delivered, %d were there", got.GetRows(), o.Rows)
	}
	if err := p.same(ctx); err != nil {
		return err
	}
	copied := rate(2*o.Rows, before+after)
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(o.Rows) }
	r.Add(Figure{Name: "rows_per_second", Value: rate(o.Rows, took), Unit: "/s", Note: "asked for until confirmed on the ledger"})
	r.Add(Figure{Name: "copy_rows_per_second", Value: copied, Unit: "/s", Note: "the bare counterpart, before and after"})
	r.Add(Figure{Name: "ratio", Value: rate(o.Rows, took) / copied, Goal: "≥ 0.5"})
	r.Add(Figure{Name: "peak_mib", Value: max(door.peak(), tap.peak()), Unit: "MiB", Goal: "< 256", Note: "of the larger of the two gateways"})
	r.Add(Figure{Name: "provider_peak_mib", Value: door.peak(), Unit: "MiB"})
	r.Add(Figure{Name: "asker_peak_mib", Value: tap.peak(), Unit: "MiB"})
	r.Add(Figure{Name: "provider_cpu_us_per_row", Value: each(doorCPU), Unit: "µs"})
	r.Add(Figure{Name: "asker_cpu_us_per_row", Value: each(tapCPU), Unit: "µs"})
	r.Add(Figure{Name: "servers_cpu_us_per_row", Value: each(serverCPU), Unit: "µs", Note: "of the two database servers"})
	r.Add(Figure{Name: "copy_cpu_us_per_row", Value: each(bareCPU), Unit: "µs", Note: "of the two database servers, bare"})
	r.Add(Figure{Name: "bytes_per_row", Value: float64(got.GetBytes()) / float64(o.Rows), Unit: "B", Note: "sealed, as they travelled"})
	r.Note("%d rows of %d columns, %s; equal on both sides afterwards", o.Rows, len(rowsColumns), p.what())
	r.Note("bare counterpart: COPY TO piped into COPY FROM (SQLite: INSERT … SELECT), into a table with the same columns and key")
	r.Note("SM2 and SM4-GCM; ledger of one validator in this process; each gateway in a process of its own")
	return nil
}

func rate(n int, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 1e-9) }

// gateways starts the two, each in a process of its own.
func (w *town) gateways(ctx context.Context, o Options, p pair) (door, tap *part, err error) {
	from, to := p.urls()
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	cfg := w.config(w.door, addr)
	source := gateway.Source{Name: "main", Tables: []string{rowsTable}}
	setURL(&source.URL, &source.URLFile, from)
	cfg.Sources, cfg.PollSeconds = []gateway.Source{source}, 60
	if door, err = w.startGateway(ctx, cfg, profileOf(o, "provider")); err != nil {
		return nil, nil, err
	}
	if addr, err = freeAddr(); err != nil {
		return nil, nil, joined(err, door.stop())
	}
	cfg = w.config(w.tap, addr)
	setURL(&cfg.Sink.URL, &cfg.Sink.URLFile, to)
	if tap, err = w.startGateway(ctx, cfg, profileOf(o, "asker")); err != nil {
		return nil, nil, joined(err, door.stop())
	}
	return door, tap, nil
}
