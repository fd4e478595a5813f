package server

import (
	"cmp"
	"context"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/index"
	"mulian/internal/wire"
)

// GetCoverage implements OverviewService.
func (o overviewAPI) GetCoverage(ctx context.Context, _ *connect.Request[consolev1.GetCoverageRequest]) (*connect.Response[consolev1.GetCoverageResponse], error) {
	o.s.freshWithin(ctx, searchCatchUp)
	next, _ := o.s.index.Next()
	return respond(o.s.coverages.get(0, next, coverageFor, func() (*consolev1.GetCoverageResponse, error) { return o.coverage(ctx) }))
}

func (o overviewAPI) coverage(ctx context.Context) (*consolev1.GetCoverageResponse, error) {
	now, err := o.now(ctx)
	if err != nil {
		return nil, err
	}
	out := &consolev1.GetCoverageResponse{TimeMs: now}
	_, out.Height = o.s.index.Next()
	cells, err := o.s.index.Coverage(ctx, int32(cataloguev1.EntryState_ENTRY_STATE_DRIFTED), int32(cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN))
	if err != nil {
		return nil, err
	}
	orgs := make([]string, len(cells))
	for i, c := range cells {
		orgs[i] = index.Account + c.Org
	}
	names := o.s.names(ctx, orgs...)
	for _, c := range cells {
		out.Cells = append(out.Cells, &consolev1.Coverage{
			Org: c.Org, OrgName: cmp.Or(names(index.Account+c.Org), c.Org), Power: cataloguev1.PowerType(c.Power),
			Duties: c.Duties, Missing: c.Missing, Entries: c.Entries, Locked: c.Locked, Drifted: c.Drifted,
		})
	}
	return out, nil
}

// ListCovered implements OverviewService.
func (o overviewAPI) ListCovered(ctx context.Context, req *connect.Request[consolev1.ListCoveredRequest]) (*connect.Response[consolev1.ListCoveredResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	o.s.freshWithin(ctx, searchCatchUp)
	duties, next, total, err := index.List[cataloguev1.Duty](ctx, o.s.index, index.Filter{
		Kind: index.Duty, Org: m.GetOrg(), Class: int32(m.GetPower()), NoFlag: true, After: m.GetAfter(), Limit: min(cmp.Or(m.GetLimit(), coveredDefault), coveredMost),
	})
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &consolev1.ListCoveredResponse{Next: next, Total: total}
	standing := make([]int32, 0, len(cataloguev1.EntryState_name))
	for st := range int32(len(cataloguev1.EntryState_name)) {
		if st != int32(cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN) {
			standing = append(standing, st)
		}
	}
	for _, d := range duties {
		entries, _, n, err := index.List[cataloguev1.Entry](ctx, o.s.index, index.Filter{Kind: index.Entry, Parent: index.Duty + d.GetId(), States: standing, Limit: coveredEntries})
		if err != nil {
			return nil, wire.Error(err)
		}
		one := &consolev1.CoveredDuty{Duty: d, EntriesTotal: n}
		for _, e := range entries {
			one.Entries = append(one.Entries, &consolev1.CoveredEntry{Id: e.GetId(), Name: e.GetName(), State: e.GetState(), Locked: e.GetLock() != nil})
		}
		out.Duties = append(out.Duties, one)
	}
	return respond(out, nil)
}
