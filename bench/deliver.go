package bench

import (
	"context"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// Deliver measures a batch: a whole table goes from one department's database into
// another's, agreed, sealed, logged, verified and confirmed on a real ledger, through
// two gateways in processes of their own. Beside it, before and after, the same rows
// go from server to server by a plain COPY. With [Options.Kill] it measures instead what
// a kill in the middle costs.
//
// Usage, SourceUnreachable (no database), VerificationFailed (not equal), Cancelled.
func Deliver(ctx context.Context, o Options) (Result, error) {
	if o.Rows == 0 {
		o.Rows = 1_000_000
	}
	run := deliver
	switch o.Kill {
	case "":
	case "provider", "asker":
		run = deliverKilled
	default:
		return Result{Bench: "deliver"}, fault.Newf(fault.Usage, "kill %q: provider or asker", o.Kill)
	}
	return onStage(ctx, o, "deliver", o.rows, func(ctx context.Context, s *stage) error {
		return s.between(ctx, cataloguev1.Method_METHOD_BATCH, func(door, tap *part, agreement string) error {
			return run(ctx, s, door, tap, agreement)
		})
	})
}

func deliver(ctx context.Context, s *stage, door, tap *part, agreement string) error {
	o, p, r := s.o, s.pair, s.r
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
	got, err := tap.fetch(ctx, agreement, s.entry, rowsLoaded, nil)
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
	if err := s.arrived(ctx, got.GetRows()); err != nil {
		return err
	}
	copied := rate(2*o.Rows, before+after)
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(o.Rows) }
	r.Add(Figure{Name: "rows_per_second", Value: rate(o.Rows, took), Unit: "/s", Note: "asked for until confirmed on the ledger"})
	r.Add(Figure{Name: "copy_rows_per_second", Value: copied, Unit: "/s", Note: "the bare counterpart, before and after"})
	r.Add(Figure{Name: "ratio", Value: rate(o.Rows, took) / copied, Goal: "≥ 0.5"})
	r.Add(Figure{Name: "peak_mib", Value: max(door.peak(), tap.peak()), Unit: "MiB", Goal: "< 256", Note: "of the larger of the two gateways"})
	s.peaks(door, tap)
	r.Add(Figure{Name: "provider_cpu_us_per_row", Value: each(doorCPU), Unit: "µs"})
	r.Add(Figure{Name: "asker_cpu_us_per_row", Value: each(tapCPU), Unit: "µs"})
	r.Add(Figure{Name: "servers_cpu_us_per_row", Value: each(serverCPU), Unit: "µs", Note: "of the two database servers"})
	r.Add(Figure{Name: "copy_cpu_us_per_row", Value: each(bareCPU), Unit: "µs", Note: "of the two database servers, bare"})
	r.Add(Figure{Name: "bytes_per_row", Value: float64(got.GetBytes()) / float64(o.Rows), Unit: "B", Note: "sealed, as they travelled"})
	s.delivered()
	r.Note("bare counterpart: COPY TO piped into COPY FROM (SQLite: INSERT … SELECT), into a table with the same columns and key")
	return nil
}

// arrived tells as an error if not exactly the rows that were there have come.
func (s *stage) arrived(ctx context.Context, rows int64) error {
	if rows != int64(s.o.Rows) {
		return fault.Newf(fault.VerificationFailed, "%d rows were delivered, %d were there", rows, s.o.Rows)
	}
	return s.pair.same(ctx)
}

func (s *stage) delivered() {
	s.r.Note("%d rows of %d columns, %s; equal on both sides afterwards", s.o.Rows, len(rowsColumns), s.pair.what())
	s.r.Note("SM2 and SM4-GCM; ledger of one validator in this process; each gateway in a process of its own")
}

// killAfter is after which part of the rows a gateway is killed: one of so many.
const killAfter = 8

// deliverKilled kills one of the two with SIGKILL as soon as enough rows are loaded, starts
// it again, and asks until the delivery is whole.
func deliverKilled(ctx context.Context, s *stage, door, tap *part, agreement string) error {
	victim := door
	if s.o.Kill == "asker" {
		victim = tap
	}
	var killed time.Time
	var at int64
	first := func(rows, expected int64) error {
		if rows < expected/killAfter || rows >= expected || !killed.IsZero() {
			return nil
		}
		s.o.Say("%d rows are loaded: killing the %s's gateway", rows, s.o.Kill)
		killed, at = time.Now(), rows
		return victim.kill()
	}
	got, err := tap.fetch(ctx, agreement, s.entry, rowsLoaded, first)
	if killed.IsZero() {
		return joined(err, fault.Newf(fault.Usage, "the delivery was over before anything could be killed: more rows"))
	}
	if err := s.restart(ctx, victim); err != nil {
		return err
	}
	if err = until(ctx, "the delivery goes on", func() (bool, error) {
		got, err = tap.fetch(ctx, agreement, s.entry, rowsLoaded, nil)
		return err == nil, err
	}); err != nil {
		return err
	}
	took := time.Since(killed)
	if err := s.arrived(ctx, got.GetRows()); err != nil {
		return err
	}
	s.r.Add(Figure{Name: "killed_at_rows", Value: float64(at), Note: "loaded when the " + s.o.Kill + "'s gateway got its SIGKILL"})
	s.r.Add(Figure{Name: "kill_to_confirmed_ms", Value: float64(took.Milliseconds()), Unit: "ms", Note: "its start and the rest of the delivery included"})
	s.r.Add(Figure{Name: "peak_mib", Value: max(door.peak(), tap.peak()), Unit: "MiB", Goal: "< 256", Note: "of the larger of the two gateways"})
	s.peaks(door, tap)
	s.delivered()
	return nil
}
