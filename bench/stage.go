package bench

import (
	"context"
	"time"

	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// stage is what every bench of two departments stands on: a chain on which both are
// registered, and two databases, one with the rows.
type stage struct {
	*town
	o    Options
	pair pair
	r    *Result
}

// onStage sets up, runs, and clears away: databases with what fill makes, then the town.
// settings are for the private PostgreSQL servers.
func onStage(ctx context.Context, o Options, name string, fill func(context.Context, pair) error, run func(context.Context, *stage) error, settings ...string) (Result, error) {
	r := Result{Bench: name}
	dir, remove, err := o.Folder(name)
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	return r, ended(ctx, set(ctx, &stage{o: o, r: &r}, dir, fill, run, settings))
}

func set(ctx context.Context, s *stage, dir string, fill func(context.Context, pair) error, run func(context.Context, *stage) error, settings []string) (err error) {
	if s.pair, err = openPair(ctx, s.o, dir, settings...); err != nil {
		return err
	}
	defer s.pair.close()
	if err := fill(ctx, s.pair); err != nil {
		return err
	}
	if s.town, err = found(ctx, dir); err != nil {
		return err
	}
	defer func() { err = joined(err, s.stop()) }()
	return run(ctx, s)
}

// rows fills the table with as many rows as are measured.
func (o Options) rows(ctx context.Context, p pair) error {
	o.Say("making %d rows of %d columns", o.Rows, len(rowsColumns))
	return p.fill(ctx, o.Rows)
}

// between runs both gateways and makes the agreement under which run delivers.
func (s *stage) between(ctx context.Context, method cataloguev1.Method, run func(door, tap *part, agreement string) error) (err error) {
	door, tap, err := s.gateways(ctx, s.o, s.pair)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, door.stop(), tap.stop()) }()
	if err := s.publish(ctx, s.pair); err != nil {
		return err
	}
	agreement, err := s.agree(ctx, method)
	if err != nil {
		return err
	}
	return run(door, tap, agreement)
}

// peaks adds the most memory that each of the two gateways has had.
func (s *stage) peaks(door, tap *part) {
	s.r.Add(Figure{Name: "provider_peak_mib", Value: door.peak(), Unit: "MiB", Goal: "< 256", Note: "resident, since its start"})
	s.r.Add(Figure{Name: "asker_peak_mib", Value: tap.peak(), Unit: "MiB", Goal: "< 256", Note: "resident, since its start"})
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
