package server

import (
	"cmp"
	"context"
	"slices"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Bounds of one answer; our own choice.
const (
	maxSourceTables = 2000 // of which an answer about sources is made
	maxGrantEntries = 100  // whose grants are counted
)

// ListSources implements ConsoleService: the tables that gateways have registered, by source.
func (c consoleAPI) ListSources(ctx context.Context, req *connect.Request[consolev1.ListSourcesRequest]) (*connect.Response[consolev1.ListSourcesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetGateway()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	out := &consolev1.ListSourcesResponse{}
	seen := map[[2]string]*consolev1.Source{}
	f := index.Filter{Kind: index.Table, Org: m.GetOrg(), Peer: m.GetGateway(), Limit: 500}
	for read := 0; ; {
		page, next, _, err := index.List[cataloguev1.Table](ctx, c.s.index, f)
		if err != nil {
			return nil, wire.Error(err)
		}
		for _, t := range page {
			if err := c.addTable(ctx, seen, t); err != nil {
				return nil, wire.Error(err)
			}
		}
		if read += len(page); next == "" || read >= maxSourceTables {
			out.More = next != ""
			break
		}
		f.After = next
	}
	for _, s := range seen {
		out.Sources = append(out.Sources, s)
	}
	slices.SortFunc(out.Sources, func(a, b *consolev1.Source) int {
		return cmp.Or(cmp.Compare(a.GetGateway(), b.GetGateway()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return respond(out, nil)
}

// addTable counts one table to its source.
func (c consoleAPI) addTable(ctx context.Context, seen map[[2]string]*consolev1.Source, t *cataloguev1.Table) error {
	s, err := c.source(ctx, seen, t)
	if err != nil {
		return err
	}
	entries, err := index.Children[cataloguev1.Entry](ctx, c.s.index, index.Entry, index.Table+t.GetId())
	if err != nil {
		return err
	}
	_, _, drifts, err := index.List[cataloguev1.Drift](ctx, c.s.index, index.Filter{Kind: index.Drift, Parent: index.Table + t.GetId(), Flag: true, Limit: 1})
	if err != nil {
		return err
	}
	s.Tables++
	s.OpenDrifts += uint32(drifts)
	if t.GetSeenMs() >= s.GetSeenMs() {
		s.SeenMs, s.SeenTable, s.Fingerprint = t.GetSeenMs(), t.GetId(), t.GetSchemaHash()
	}
	if !slices.Contains(s.Kinds, t.GetKind()) {
		s.Kinds = append(s.Kinds, t.GetKind())
		slices.Sort(s.Kinds)
	}
	if t.GetGone() {
		s.Gone++
		return nil
	}
	mapped, filed := map[string]bool{}, false
	for _, e := range entries {
		if e.GetState() == cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN {
			continue
		}
		filed = true
		for _, it := range e.GetItems() {
			mapped[it.GetColumn()] = true
		}
	}
	if !filed {
		s.Unfiled++
	}
	for _, col := range t.GetColumns() {
		s.Columns++
		if mapped[col.GetName()] {
			s.Mapped++
		}
	}
	return nil
}

// source is the one of a table, made when its first table comes.
func (c consoleAPI) source(ctx context.Context, seen map[[2]string]*consolev1.Source, t *cataloguev1.Table) (*consolev1.Source, error) {
	k := [2]string{t.GetGateway(), t.GetSource()}
	if s := seen[k]; s != nil {
		return s, nil
	}
	gateway, _, err := index.Get[identityv1.Account](ctx, c.s.index, index.Account+t.GetGateway())
	if err != nil {
		return nil, err
	}
	head, _, err := index.Get[tracev1.Head](ctx, c.s.index, index.Head+t.GetGateway())
	if err != nil {
		return nil, err
	}
	seen[k] = &consolev1.Source{Gateway: t.GetGateway(), Org: t.GetOrg(), Name: t.GetSource(), Url: gateway.GetGateway().GetUrl(), HeardMs: head.GetAtMs()}
	return seen[k], nil
}

// ListDeliveries implements ConsoleService.
func (c consoleAPI) ListDeliveries(ctx context.Context, req *connect.Request[consolev1.ListDeliveriesRequest]) (*connect.Response[consolev1.ListDeliveriesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetEntry(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	f := index.Filter{Kind: index.Delivery, Org: m.GetOrg(), Ref: m.GetEntry(), After: m.GetAfter(), Limit: m.GetLimit()}
	for _, st := range m.GetStates() {
		f.States = append(f.States, int32(st))
	}
	page, next, total, err := index.List[sharev1.Delivery](ctx, c.s.index, f)
	if err != nil {
		return nil, wire.Error(err)
	}
	out, known := &consolev1.ListDeliveriesResponse{Deliveries: page, Next: next, Total: total}, map[string]string{}
	for _, d := range page {
		consumer, ok := known[d.GetAgreement()]
		if !ok {
			g, _, err := index.Get[sharev1.Agreement](ctx, c.s.index, index.Agreement+d.GetAgreement())
			if err != nil {
				return nil, wire.Error(err)
			}
			consumer = g.GetConsumer()
			known[d.GetAgreement()] = consumer
		}
		out.Consumers = append(out.Consumers, consumer)
	}
	return respond(out, nil)
}

// CountGrants implements ConsoleService. Who gave them only the parties may read (asker.go).
func (c consoleAPI) CountGrants(ctx context.Context, req *connect.Request[consolev1.CountGrantsRequest]) (*connect.Response[consolev1.CountGrantsResponse], error) {
	entries := req.Msg.GetEntries()
	if len(entries) > maxGrantEntries {
		return nil, wire.Error(fault.Newf(fault.TooLong, "%d entries, at most %d", len(entries), maxGrantEntries))
	}
	if err := checkText(entries...); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	out := &consolev1.CountGrantsResponse{}
	for _, e := range entries {
		_, _, n, err := index.List[grantv1.Grant](ctx, c.s.index, index.Filter{Kind: index.Grant, Parent: index.Entry + e, Flag: true, Limit: 1})
		if err != nil {
			return nil, wire.Error(err)
		}
		out.Live += n
	}
	return respond(out, nil)
}
