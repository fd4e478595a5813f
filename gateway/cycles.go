package gateway

import (
	"context"
	"strings"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/drift"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// cycles are how old a table's newest row may be, by the update cycle that its entry declares.
// Irregular and historical data promise nothing. "Real time" is taken as an hour: our own
// choice, as no rule says it; months and years are their longest.
var cycles = map[cataloguev1.UpdateCycle]time.Duration{
	cataloguev1.UpdateCycle_UPDATE_CYCLE_REALTIME:    time.Hour,
	cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY:       24 * time.Hour,
	cataloguev1.UpdateCycle_UPDATE_CYCLE_WEEKLY:      7 * 24 * time.Hour,
	cataloguev1.UpdateCycle_UPDATE_CYCLE_MONTHLY:     31 * 24 * time.Hour,
	cataloguev1.UpdateCycle_UPDATE_CYCLE_QUARTERLY:   92 * 24 * time.Hour,
	cataloguev1.UpdateCycle_UPDATE_CYCLE_HALF_YEARLY: 184 * 24 * time.Hour,
	cataloguev1.UpdateCycle_UPDATE_CYCLE_YEARLY:      366 * 24 * time.Hour,
}

// maxFreshnessRules bounds the tables of one source whose watermark is looked at.
const maxFreshnessRules = 2_000

// freshnessRules are what the published entries of our organisation declare of a source's
// tables: the shortest cycle of each. A server that leaves entries out can only keep us from
// telling that a table is stale.
func (g *Gateway) freshnessRules(ctx context.Context, s *source) ([]drift.FreshnessRule, error) {
	by := map[connect.TableName]drift.FreshnessRule{}
	req := &cataloguev1.ListEntriesRequest{Provider: g.org, Limit: 500}
	for pages := 0; pages < 100; pages++ {
		res, err := g.chain.Catalogue.ListEntries(ctx, rpc.NewRequest(req))
		if err != nil {
			return nil, fault.Wrap(fault.Unreachable, err, "the entries of %s", g.org)
		}
		for _, e := range res.Msg.GetEntries() {
			name, ok := g.tableOf(s, e.GetTable())
			cycle := cycles[e.GetUpdateCycle()]
			if !ok || cycle == 0 || len(by) >= maxFreshnessRules {
				continue
			}
			column, err := g.watermarkOf(ctx, e)
			if err != nil {
				return nil, err
			}
			if was, again := by[name]; column != "" && (!again || cycle < was.Cycle) {
				by[name] = drift.FreshnessRule{Table: name, Watermark: column, Cycle: cycle}
			}
		}
		if req.After = res.Msg.GetNext(); req.After == "" {
			break
		}
	}
	var rules []drift.FreshnessRule
	for _, r := range by {
		rules = append(rules, r)
	}
	return rules, nil
}

// tableOf is the name in a source of a table of the ledger; not ok: it lies elsewhere.
func (g *Gateway) tableOf(s *source, id string) (connect.TableName, bool) {
	name, ours := strings.CutPrefix(id, g.cfg.Account+":"+s.cfg.Name+".")
	if !ours {
		return connect.TableName{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen, ok := s.names[name]; ok {
		return seen, true
	}
	return parseTableName(name), true
}

// watermarkOf is the column that tells how fresh an entry is: that of the item which is marked
// so, else the table's; "" if nobody has named one.
func (g *Gateway) watermarkOf(ctx context.Context, e *cataloguev1.Entry) (string, error) {
	for _, it := range e.GetItems() {
		if it.GetWatermark() && it.GetColumn() != "" {
			return it.GetColumn(), nil
		}
	}
	t := &cataloguev1.Table{}
	_, _, err := g.proved.Get(ctx, "catalogue/table/"+e.GetTable(), t)
	return t.GetWatermarkColumn(), err
}

// reportAge tells the ledger that a table is older than its cycle allows, or not any more. Its
// structure is what it was.
func (g *Gateway) reportAge(ctx context.Context, s *source, e drift.Event) error {
	id := g.TableID(s.cfg.Name, e.Table)
	t := &cataloguev1.Table{}
	found, _, err := g.proved.Get(ctx, "catalogue/table/"+id, t)
	if err != nil || !found || t.GetGone() {
		return err // of a table that the ledger does not know there is nothing to say
	}
	change := &cataloguev1.DriftChange{Kind: e.Kind.String(), Column: e.Column, Class: cataloguev1.DriftClass_DRIFT_CLASS_COMPATIBLE}
	if e.Kind == drift.Stale {
		change.Class, change.After = cataloguev1.DriftClass_DRIFT_CLASS_STALE, short(e.Reason, maxComment)
	}
	_, err = g.chain.Send(ctx, g.signer(), &cataloguev1.ReportDrift{
		Table: id, BeforeHash: t.SchemaHash, AfterHash: t.SchemaHash, Columns: t.Columns, SeenMs: e.At.UnixMilli(),
		Changes: []*cataloguev1.DriftChange{change},
	})
	return err
}
