package gateway

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	"mulian/gateway/drift"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// drifted is what this gateway has seen break and the ledger may not know yet.
type drifted struct {
	mu sync.Mutex
	of map[string]map[string]bool // table -> column; "" = the whole table
}

func (d *drifted) is(table, column string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.of[table][column] || d.of[table][""]
}

func (d *drifted) set(table string, columns map[string]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(columns) == 0 {
		delete(d.of, table)
		return
	}
	d.of[table] = columns
}

// watchers makes the watch over each source.
func (g *Gateway) watchers(ctx context.Context) ([]*drift.Watcher, error) {
	dir := filepath.Join(g.cfg.Home, "drift")
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, err
	}
	var out []*drift.Watcher
	for _, s := range g.sources {
		tables, err := s.watched(ctx)
		if err != nil {
			return nil, fault.Wrap(fault.SourceUnreachable, err, "source %s", s.cfg.Name)
		}
		w, err := drift.New(drift.Config{
			Source: s.db, Path: filepath.Join(dir, s.cfg.Name), Interval: g.cfg.poll(), Tables: tables, Log: g.log,
			Report: func(ctx context.Context, e drift.Event) error { return g.report(ctx, s, e) },
			Rules:  func(ctx context.Context) ([]drift.FreshnessRule, error) { return g.freshnessRules(ctx, s) },
		})
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "the watch of source %s", s.cfg.Name)
		}
		out = append(out, w)
	}
	return out, nil
}

// watched is the tables that the configuration names, as the database names them.
func (s *source) watched(ctx context.Context) (out []connect.TableName, err error) {
	if len(s.cfg.Tables) == 0 {
		return nil, nil
	}
	schema, err := s.db.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range schema.Tables {
		if s.cfg.wants(t.TableName) {
			out = append(out, t.TableName)
		}
	}
	for _, t := range s.cfg.Tables {
		if !slices.ContainsFunc(out, func(n connect.TableName) bool { return t == n.String() || t == n.Name }) {
			out = append(out, parseTableName(t)) // it may come, or have gone while we were away
		}
	}
	return out, nil
}

// report brings an event of the watch to the ledger; an error means again.
func (g *Gateway) report(ctx context.Context, s *source, e drift.Event) error {
	switch e.Kind {
	case drift.Drifted:
	case drift.Stale, drift.Fresh:
		return g.reportAge(ctx, s, e)
	default: // what the ledger has no verb for stands in our own log
		g.log.Warn("source", "source", s.cfg.Name, "event", e.Kind.String(), "table", e.Table.String(), "reason", e.Reason)
		return nil
	}
	by := map[connect.TableName][]drift.Change{}
	for _, c := range e.Changes {
		by[c.Table] = append(by[c.Table], c)
	}
	for name, changes := range by {
		g.drifted.set(g.TableID(s.cfg.Name, name), broken(changes))
	}
	schema, err := s.db.Inspect(ctx)
	if err != nil {
		return err
	}
	s.saw(schema)
	for name, changes := range by {
		if !s.cfg.wants(name) {
			continue
		}
		var now *connect.Table
		if t, ok := schema.Table(name); ok {
			now = &t
		} else if why := schema.Hidden(name); why != "" {
			return fault.Newf(fault.SourceUnreachable, "table %s cannot be read now: %s", name, why)
		}
		if err := g.reportTable(ctx, s, name, now, changes); err != nil {
			g.log.Warn("a drift is not on the ledger yet", "table", name.String(), "code", fault.CodeOf(err).String(), "err", err)
			return err
		}
		g.drifted.set(g.TableID(s.cfg.Name, name), nil)
	}
	return nil
}

// broken is the columns that deliveries must not touch any more.
func broken(changes []drift.Change) map[string]bool {
	out := map[string]bool{}
	for _, c := range changes {
		if c.Class != drift.Breaking {
			continue
		}
		if c.Kind == drift.TableDropped || len(c.Columns) == 0 {
			out[""] = true
		}
		for _, col := range c.Columns {
			out[col] = true
		}
	}
	return out
}

// reportTable reports one table's changes; now is nil if it is gone. A table that
// the ledger does not know is registered instead.
func (g *Gateway) reportTable(ctx context.Context, s *source, name connect.TableName, now *connect.Table, changes []drift.Change) error {
	id := g.TableID(s.cfg.Name, name)
	was := &cataloguev1.Table{}
	found, _, err := g.proved.Get(ctx, "catalogue/table/"+id, was)
	if err != nil {
		return err
	}
	if !found {
		if now == nil {
			return nil // came and went between two looks
		}
		m, _, err := g.compare(ctx, s, *now)
		if err != nil {
			return err
		}
		return g.put(ctx, []*cataloguev1.Table{m})
	}
	m := &cataloguev1.ReportDrift{Table: id, BeforeHash: was.SchemaHash, SeenMs: time.Now().UnixMilli()}
	if now == nil {
		m.AfterHash, m.TableGone = noTable(), true
	} else {
		m.AfterHash, m.Columns = schemaHash(*now), columnMessages(*now)
	}
	for _, c := range changes {
		m.Changes = append(m.Changes, changeMessages(c)...)
	}
	if len(m.Changes) == 0 {
		m.Changes = []*cataloguev1.DriftChange{{Kind: "index_changed", Class: cataloguev1.DriftClass_DRIFT_CLASS_COMPATIBLE}}
	}
	m = fit(m)
	_, err = g.chain.Send(ctx, g.signer(), m)
	return err
}

// fit cuts the list of changes to what the ledger takes: the columns as they are now
// say the rest.
func fit(m *cataloguev1.ReportDrift) *cataloguev1.ReportDrift {
	const most, bytes = 2000, 250 << 10 // catalogue.v1.ReportDrift; rules' MaxDriftBytes is 256 KiB
	if len(m.Changes) > most {
		m.Changes = m.Changes[:most]
	}
	for proto.Size(m) > bytes && len(m.Changes) > 1 {
		m.Changes = m.Changes[:len(m.Changes)/2]
	}
	return m
}

// changeMessages is a change for each column that it affects.
func changeMessages(c drift.Change) []*cataloguev1.DriftChange {
	class := map[drift.Class]cataloguev1.DriftClass{
		drift.Compatible: cataloguev1.DriftClass_DRIFT_CLASS_COMPATIBLE,
		drift.Review:     cataloguev1.DriftClass_DRIFT_CLASS_REVIEW,
		drift.Breaking:   cataloguev1.DriftClass_DRIFT_CLASS_BREAKING,
	}[c.Class]
	columns := c.Columns
	if len(columns) == 0 || c.Kind == drift.TableDropped {
		columns = []string{""}
	}
	var out []*cataloguev1.DriftChange
	for _, col := range columns {
		out = append(out, &cataloguev1.DriftChange{
			Kind: c.Kind.String(), Class: class, Column: col, Before: short(c.Was, maxComment), After: short(c.Is, maxComment), Candidate: c.Candidate,
		})
	}
	return out
}
