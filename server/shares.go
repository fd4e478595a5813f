package server

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
	"mulian/internal/wire"
)

// orgOf is the organisation of a department's, post's or gateway's account.
func orgOf(account string) string { org, _, _ := strings.Cut(account, "/"); return org }

// ListShares implements OverviewService.
func (o overviewAPI) ListShares(ctx context.Context, req *connect.Request[consolev1.ListSharesRequest]) (*connect.Response[consolev1.ListSharesResponse], error) {
	out := &consolev1.ListSharesResponse{}
	o.s.freshWithin(ctx, searchCatchUp)
	now, err := o.now(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	p, err := periodOf(cmp.Or(req.Msg.GetDays(), 1), now)
	if err != nil {
		return nil, wire.Error(err)
	}
	_, out.Height = o.s.index.Next()
	out.TimeMs = now
	total, err := o.s.index.TotalFlow(ctx, p.fromHour)
	if err != nil {
		return nil, wire.Error(err)
	}
	out.Total, out.Granted, out.Refused = total.Rights, total.Granted, total.Refused
	out.Shares, err = o.shares(ctx, p, listedRights)
	return respond(out, err)
}

// shares are the rights with the most accesses of a period, with their ends.
func (o overviewAPI) shares(ctx context.Context, p period, limit uint32) ([]*consolev1.Share, error) {
	flows, err := o.s.index.Flows(ctx, p.fromHour, limit)
	if err != nil {
		return nil, err
	}
	ids, ahead := make([]string, len(flows)), []string(nil)
	for i, f := range flows {
		ids[i] = f.Right
	}
	of, err := o.endsOf(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, e := range of.entries {
		ahead = append(append(ahead, index.Account+e.GetProvider()), prefixed(index.Duty, e.GetDuties())...)
	}
	for _, a := range of.agreements {
		ahead = append(ahead, index.Account+a.GetProvider(), index.Account+a.GetConsumer())
	}
	for _, g := range of.grants {
		ahead = append(ahead, index.Account+g.GetGrantee())
	}
	called := o.s.names(ctx, ahead...)
	var out []*consolev1.Share
	for _, f := range flows {
		sh := &consolev1.Share{Right: index.Agreement + f.Right, Granted: f.Granted, Refused: f.Refused, LastMs: f.LastHour * hourMs}
		of.put(sh, f.Right, called)
		sh.ProviderName, sh.UserName = called(index.Account+sh.GetProvider()), called(index.Account+sh.GetUser())
		out = append(out, sh)
	}
	return out, nil
}

// ends are the rights of some ids, agreements or owners' grants, and the entries that they are
// for.
type ends struct {
	agreements map[string]*sharev1.Agreement
	grants     map[string]*grantv1.Grant
	entries    map[string]*cataloguev1.Entry
}

// endsOf reads who gives what to whom, by one query for each kind.
func (o overviewAPI) endsOf(ctx context.Context, ids []string) (of *ends, err error) {
	of = &ends{}
	if of.agreements, err = index.GetAll[sharev1.Agreement](ctx, o.s.index, prefixed(index.Agreement, ids)); err != nil {
		return nil, err
	}
	var others, entries []string
	for _, id := range ids {
		if a := of.agreements[index.Agreement+id]; a == nil {
			others = append(others, id)
		} else if parts := a.GetTerms().GetParts(); len(parts) > 0 {
			entries = append(entries, parts[0].GetEntry())
		}
	}
	if of.grants, err = index.GetAll[grantv1.Grant](ctx, o.s.index, prefixed(index.Grant, others)); err != nil {
		return nil, err
	}
	for _, g := range of.grants {
		entries = append(entries, g.GetEntry())
	}
	slices.Sort(entries)
	of.entries, err = index.GetAll[cataloguev1.Entry](ctx, o.s.index, prefixed(index.Entry, slices.Compact(entries)))
	return of, err
}

func prefixed(prefix string, ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = prefix + id
	}
	return out
}

// put tells in a share who gives what to whom. Of a grant that this server may not read it is
// counted, and no more.
func (of *ends) put(sh *consolev1.Share, id string, names func(string) string) {
	if a := of.agreements[index.Agreement+id]; a != nil {
		parts := a.GetTerms().GetParts()
		sh.Request, sh.Provider, sh.User, sh.Item, sh.Entries = a.GetRequest(), a.GetProvider(), a.GetConsumer(), index.Agreement+id, uint32(len(parts))
		if len(parts) == 1 {
			sh.Item = index.Entry + parts[0].GetEntry()
		}
		if len(parts) > 0 {
			of.item(sh, parts[0].GetEntry(), names)
		}
	} else if g := of.grants[index.Grant+id]; g != nil {
		sh.Right, sh.User, sh.Item, sh.Entries = index.Grant+id, g.GetGrantee(), index.Entry+g.GetEntry(), 1
		of.item(sh, g.GetEntry(), names)
	}
}

// item names the first entry of a share and the duty that it hangs on.
func (of *ends) item(sh *consolev1.Share, id string, names func(string) string) {
	e := of.entries[index.Entry+id]
	if e == nil {
		return
	}
	sh.ItemName = e.GetName()
	if sh.GetProvider() == "" {
		sh.Provider = e.GetProvider()
	}
	if len(e.GetDuties()) > 0 {
		sh.Duty = e.GetDuties()[0]
		sh.DutyName = strings.Trim(names(index.Duty+sh.GetDuty()), "“”")
	}
}

// ListStarts implements OverviewService.
func (o overviewAPI) ListStarts(ctx context.Context, req *connect.Request[consolev1.ListStartsRequest]) (*connect.Response[consolev1.ListStartsResponse], error) {
	o.s.freshWithin(ctx, searchCatchUp)
	now, err := o.now(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	p, err := periodOf(cmp.Or(req.Msg.GetDays(), 1), now)
	if err != nil {
		return nil, wire.Error(err)
	}
	out, err := o.starts(ctx, p)
	if out != nil {
		out.TimeMs = now
	}
	return respond(out, err)
}

// starts lists the latest agreements that came into force in a period; the median is over
// those that are listed.
func (o overviewAPI) starts(ctx context.Context, p period) (*consolev1.ListStartsResponse, error) {
	out := &consolev1.ListStartsResponse{}
	_, out.Height = o.s.index.Next()
	ids, total, err := o.s.index.Began(ctx, p.fromMs, listedRights)
	if err != nil {
		return nil, err
	}
	out.Total = total
	var took []int64
	agreements, err := index.GetAll[sharev1.Agreement](ctx, o.s.index, prefixed(index.Agreement, ids))
	if err != nil {
		return nil, err
	}
	asked := make([]string, 0, len(agreements))
	for _, a := range agreements {
		asked = append(asked, index.Request+a.GetRequest())
	}
	requests, err := index.GetAll[sharev1.Request](ctx, o.s.index, asked)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		a := agreements[index.Agreement+id]
		r := requests[index.Request+a.GetRequest()]
		if a == nil || r == nil {
			continue
		}
		out.Starts = append(out.Starts, &consolev1.Start{Agreement: a, FiledMs: r.GetCreatedMs(), Automatic: r.GetAutomatic()})
		took = append(took, a.GetStartsMs()-r.GetCreatedMs())
	}
	if slices.Sort(took); len(took) > 0 {
		out.MedianMs = took[(len(took)-1)/2]
	}
	return out, nil
}
