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
	out.Shares, err = o.shares(ctx, p, listedRights, o.s.names(ctx))
	return respond(out, err)
}

// shares are the rights with the most accesses of a period, with their ends.
func (o overviewAPI) shares(ctx context.Context, p period, limit uint32, names func(string) string) ([]*consolev1.Share, error) {
	flows, err := o.s.index.Flows(ctx, p.fromHour, limit)
	if err != nil {
		return nil, err
	}
	var out []*consolev1.Share
	for _, f := range flows {
		sh := &consolev1.Share{Right: index.Agreement + f.Right, Granted: f.Granted, Refused: f.Refused, LastMs: f.LastHour * hourMs}
		if err := o.ends(ctx, sh, f.Right, names); err != nil {
			return nil, err
		}
		sh.ProviderName, sh.UserName = names(index.Account+sh.GetProvider()), names(index.Account+sh.GetUser())
		out = append(out, sh)
	}
	return out, nil
}

// ends finds who gives what to whom under an agreement or an owner's grant.
func (o overviewAPI) ends(ctx context.Context, sh *consolev1.Share, id string, names func(string) string) error {
	a, ok, err := index.Get[sharev1.Agreement](ctx, o.s.index, index.Agreement+id)
	if err != nil {
		return err
	}
	if ok {
		parts := a.GetTerms().GetParts()
		sh.Request, sh.Provider, sh.User, sh.Item, sh.Entries = a.GetRequest(), a.GetProvider(), a.GetConsumer(), index.Agreement+id, uint32(len(parts))
		if len(parts) == 1 {
			sh.Item = index.Entry + parts[0].GetEntry()
		}
		return o.item(ctx, sh, parts[0].GetEntry(), names)
	}
	g, ok, err := index.Get[grantv1.Grant](ctx, o.s.index, index.Grant+id)
	if err != nil || !ok {
		return err // of a grant that this server may not read: it is counted, and no more
	}
	sh.Right, sh.User, sh.Item, sh.Entries = index.Grant+id, g.GetGrantee(), index.Entry+g.GetEntry(), 1
	return o.item(ctx, sh, g.GetEntry(), names)
}

// item names the first entry of a share and the duty that it hangs on.
func (o overviewAPI) item(ctx context.Context, sh *consolev1.Share, id string, names func(string) string) error {
	e, ok, err := index.Get[cataloguev1.Entry](ctx, o.s.index, index.Entry+id)
	if err != nil || !ok {
		return err
	}
	sh.ItemName = e.GetName()
	if sh.GetProvider() == "" {
		sh.Provider = e.GetProvider()
	}
	if len(e.GetDuties()) > 0 {
		sh.Duty = e.GetDuties()[0]
		sh.DutyName = strings.Trim(names(index.Duty+sh.GetDuty()), "“”")
	}
	return nil
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
	for _, id := range ids {
		a, ok, err := index.Get[sharev1.Agreement](ctx, o.s.index, index.Agreement+id)
		if err != nil {
			return nil, err
		}
		r, asked, err := index.Get[sharev1.Request](ctx, o.s.index, index.Request+a.GetRequest())
		if err != nil {
			return nil, err
		}
		if !ok || !asked {
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
