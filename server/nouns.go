package server

import (
	"context"
	"time"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// catchUp bounds how long a read waits for the index to take what is committed.
// Longer than any batch of the index takes, short enough that a reader of a busy
// chain gets an answer. Our own choice.
const catchUp = 2 * time.Second

// searchCatchUp is the same for a search: a person types on while an import runs, and
// is told the height that the answer is of. Our own choice.
const searchCatchUp = 200 * time.Millisecond

// fresh lets the index catch up with the ledger, so that a caller who has just
// written reads what he wrote. An index that lags answers with what it has.
func (s *Server) fresh(ctx context.Context) { s.freshWithin(ctx, catchUp) }

func (s *Server) freshWithin(ctx context.Context, bound time.Duration) {
	st, err := s.chain.Status(ctx)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	_ = s.index.Await(ctx, st.GetEvents())
}

// checkText bounds a search text.
func checkText(texts ...string) error {
	for _, t := range texts {
		if len(t) > maxKey {
			return fault.Newf(fault.TooLong, "a filter of %d bytes, at most %d", len(t), maxKey)
		}
	}
	return nil
}

type catalogueAPI struct{ s *Server }

func (c catalogueAPI) ListEntries(ctx context.Context, req *connect.Request[cataloguev1.ListEntriesRequest]) (*connect.Response[cataloguev1.ListEntriesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetText(), m.GetProvider(), m.GetTable(), m.GetDuty(), m.GetAfter(), m.GetSource()); err != nil {
		return nil, wire.Error(err)
	}
	if m.GetSource() != "" { // an import has waited by itself, for as much as it needs (intake/filing)
		page, next, total, err := index.Sourced(ctx, c.s.index, m.GetSource(), m.GetAfter(), m.GetLimit())
		_, height := c.s.index.Next()
		return respond(&cataloguev1.ListEntriesResponse{Entries: page, Next: next, Total: total, Height: height}, err)
	}
	c.s.fresh(ctx)
	f := index.Filter{Kind: index.Entry, Org: m.GetProvider(), Class: int32(m.GetShareType()), Ref: m.GetTable(), Text: m.GetText(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetDuty() != "" {
		f.Parent = index.Duty + m.GetDuty()
	}
	for _, st := range m.GetStates() {
		f.States = append(f.States, int32(st))
	}
	page, next, total, err := index.List[cataloguev1.Entry](ctx, c.s.index, f)
	_, height := c.s.index.Next()
	return respond(&cataloguev1.ListEntriesResponse{Entries: page, Next: next, Total: total, Height: height}, err)
}

func (c catalogueAPI) GetEntry(ctx context.Context, req *connect.Request[cataloguev1.GetEntryRequest]) (*connect.Response[cataloguev1.GetEntryResponse], error) {
	id := req.Msg.GetId()
	if err := checkText(id); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	out, err := c.entry(ctx, id, req.Msg.GetVersion())
	return respond(out, err)
}

func (c catalogueAPI) entry(ctx context.Context, id string, version uint64) (*cataloguev1.GetEntryResponse, error) {
	x := c.s.index
	e, ok, err := index.Get[cataloguev1.Entry](ctx, x, index.Entry+id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.Newf(fault.NotFound, "entry %s: there is none", id)
	}
	out := &cataloguev1.GetEntryResponse{Entry: e}
	if out.Versions, err = x.Versions(ctx, id); err != nil {
		return nil, err
	}
	if version != 0 && version != e.GetVersion() {
		if out.Entry, err = c.oldEntry(ctx, id, version, out.Versions); err != nil {
			return nil, err
		}
	}
	for _, d := range e.GetDuties() {
		if duty, ok, err := index.Get[cataloguev1.Duty](ctx, x, index.Duty+d); err != nil {
			return nil, err
		} else if ok {
			out.Duties = append(out.Duties, duty)
		}
	}
	if out.System, _, err = index.Get[cataloguev1.System](ctx, x, index.System+e.GetSystem()); err != nil {
		return nil, err
	}
	if out.Table, _, err = index.Get[cataloguev1.Table](ctx, x, index.Table+e.GetTable()); err != nil {
		return nil, err
	}
	if out.Pending, _, err = index.Get[cataloguev1.PendingChange](ctx, x, index.Pending+id); err != nil {
		return nil, err
	}
	out.Drifts, _, _, err = index.List[cataloguev1.Drift](ctx, x, index.Filter{Kind: index.Drift, Parent: index.Entry + id, Flag: true})
	return out, err
}

// oldEntry reads an earlier version from the ledger's history.
func (c catalogueAPI) oldEntry(ctx context.Context, id string, version uint64, versions []*cataloguev1.Version) (*cataloguev1.Entry, error) {
	for _, v := range versions {
		if v.GetVersion() != version {
			continue
		}
		res, err := c.s.chain.Object(ctx, index.Entry+id, v.GetHeight(), false)
		if err != nil {
			return nil, err
		}
		e := &cataloguev1.Entry{}
		return e, decode(res.GetValue(), e)
	}
	return nil, fault.Newf(fault.NotFound, "entry %s has no version %d", id, version)
}

func (c catalogueAPI) ListDuties(ctx context.Context, req *connect.Request[cataloguev1.ListDutiesRequest]) (*connect.Response[cataloguev1.ListDutiesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetText(), m.GetOrg(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	page, next, total, err := index.List[cataloguev1.Duty](ctx, c.s.index, index.Filter{Kind: index.Duty, Org: m.GetOrg(), Text: m.GetText(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&cataloguev1.ListDutiesResponse{Duties: page, Next: next, Total: total}, err)
}

func (c catalogueAPI) ListTables(ctx context.Context, req *connect.Request[cataloguev1.ListTablesRequest]) (*connect.Response[cataloguev1.ListTablesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetGateway(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	page, next, total, err := index.List[cataloguev1.Table](ctx, c.s.index, index.Filter{Kind: index.Table, Org: m.GetOrg(), Peer: m.GetGateway(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&cataloguev1.ListTablesResponse{Tables: page, Next: next, Total: total}, err)
}

func (c catalogueAPI) ListSystems(ctx context.Context, req *connect.Request[cataloguev1.ListSystemsRequest]) (*connect.Response[cataloguev1.ListSystemsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	page, next, total, err := index.List[cataloguev1.System](ctx, c.s.index, index.Filter{Kind: index.System, Org: m.GetOrg(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&cataloguev1.ListSystemsResponse{Systems: page, Next: next, Total: total}, err)
}

func (c catalogueAPI) ListDrifts(ctx context.Context, req *connect.Request[cataloguev1.ListDriftsRequest]) (*connect.Response[cataloguev1.ListDriftsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetEntry(), m.GetTable(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	f := index.Filter{Kind: index.Drift, Org: m.GetOrg(), Flag: m.GetOpenOnly(), After: m.GetAfter(), Limit: m.GetLimit()}
	switch {
	case m.GetEntry() != "":
		f.Parent = index.Entry + m.GetEntry()
	case m.GetTable() != "":
		f.Parent = index.Table + m.GetTable()
	}
	page, next, total, err := index.List[cataloguev1.Drift](ctx, c.s.index, f)
	return respond(&cataloguev1.ListDriftsResponse{Drifts: page, Next: next, Total: total}, err)
}

func (c catalogueAPI) ListPending(ctx context.Context, req *connect.Request[cataloguev1.ListPendingRequest]) (*connect.Response[cataloguev1.ListPendingResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetNeeds(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	f := index.Filter{Kind: index.Pending, Org: m.GetOrg(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetNeeds() != "" {
		f.Parent = index.Needs(m.GetNeeds())
	}
	page, next, total, err := index.List[cataloguev1.PendingChange](ctx, c.s.index, f)
	return respond(&cataloguev1.ListPendingResponse{Pending: page, Next: next, Total: total}, err)
}

func (c catalogueAPI) Count(ctx context.Context, _ *connect.Request[cataloguev1.CountRequest]) (*connect.Response[cataloguev1.CountResponse], error) {
	c.s.fresh(ctx)
	out, err := c.s.counts(ctx)
	return respond(out, err)
}

// counts are the figures of the status page and of Count.
func (s *Server) counts(ctx context.Context) (*cataloguev1.CountResponse, error) {
	n, err := s.index.Totals(ctx)
	if err != nil {
		return nil, err
	}
	_, height := s.index.Next()
	out := &cataloguev1.CountResponse{
		Duties: n[index.Duty], Entries: n[index.Entry], Systems: n[index.System], Tables: n[index.Table], Requests: n[index.Request],
		Agreements: n[index.Agreement], Deliveries: n[index.Delivery], Uses: n[index.Use], Height: height,
	}
	for _, c := range []struct {
		into *int64
		kind string
	}{{&out.OpenDrifts, index.Drift}, {&out.Locked, index.Entry}, {&out.Overdue, index.Request}} {
		if *c.into, err = s.index.Flagged(ctx, c.kind); err != nil {
			return nil, err
		}
	}
	if out.Organisations, err = s.index.Classed(ctx, index.Account, int32(identityv1.AccountKind_ACCOUNT_KIND_ORG)); err != nil {
		return nil, err
	}
	if out.Gateways, err = s.index.Classed(ctx, index.Account, int32(identityv1.AccountKind_ACCOUNT_KIND_GATEWAY)); err != nil {
		return nil, err
	}
	out.Accesses, err = s.index.Accesses(ctx)
	return out, err
}

type shareAPI struct{ s *Server }

func (a shareAPI) ListRequests(ctx context.Context, req *connect.Request[sharev1.ListRequestsRequest]) (*connect.Response[sharev1.ListRequestsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetRequester(), m.GetProvider(), m.GetEntry(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	f := index.Filter{Kind: index.Request, Org: m.GetProvider(), Peer: m.GetRequester(), Flag: m.GetOverdue(), After: m.GetAfter(), Limit: m.GetLimit()}
	for _, st := range m.GetStates() {
		f.States = append(f.States, int32(st))
	}
	if m.GetEntry() != "" {
		f.Parent = index.Entry + m.GetEntry()
	}
	page, next, total, err := index.List[sharev1.Request](ctx, a.s.index, f)
	return respond(&sharev1.ListRequestsResponse{Requests: page, Next: next, Total: total}, err)
}

func (a shareAPI) GetRequest(ctx context.Context, req *connect.Request[sharev1.GetRequestRequest]) (*connect.Response[sharev1.GetRequestResponse], error) {
	if err := checkText(req.Msg.GetId()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	r, ok, err := index.Get[sharev1.Request](ctx, a.s.index, index.Request+req.Msg.GetId())
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "request %s: there is none", req.Msg.GetId())
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &sharev1.GetRequestResponse{Request: r}
	out.Agreement, _, err = index.Get[sharev1.Agreement](ctx, a.s.index, index.Agreement+r.GetAgreement())
	return respond(out, err)
}

func (a shareAPI) ListAgreements(ctx context.Context, req *connect.Request[sharev1.ListAgreementsRequest]) (*connect.Response[sharev1.ListAgreementsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetConsumer(), m.GetProvider(), m.GetEntry(), m.GetGateway(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	f := index.Filter{Kind: index.Agreement, Org: m.GetProvider(), Peer: m.GetConsumer(), Flag: m.GetOverdue(), After: m.GetAfter(), Limit: m.GetLimit()}
	for _, st := range m.GetStates() {
		f.States = append(f.States, int32(st))
	}
	switch {
	case m.GetEntry() != "":
		f.Parent = index.Entry + m.GetEntry()
	case m.GetGateway() != "":
		f.Parent = index.Account + m.GetGateway()
	}
	page, next, total, err := index.List[sharev1.Agreement](ctx, a.s.index, f)
	return respond(&sharev1.ListAgreementsResponse{Agreements: page, Next: next, Total: total}, err)
}

func (a shareAPI) GetAgreement(ctx context.Context, req *connect.Request[sharev1.GetAgreementRequest]) (*connect.Response[sharev1.GetAgreementResponse], error) {
	id := req.Msg.GetId()
	if err := checkText(id); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	x := a.s.index
	g, ok, err := index.Get[sharev1.Agreement](ctx, x, index.Agreement+id)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "agreement %s: there is none", id)
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &sharev1.GetAgreementResponse{Agreement: g}
	if out.Request, _, err = index.Get[sharev1.Request](ctx, x, index.Request+g.GetRequest()); err != nil {
		return nil, wire.Error(err)
	}
	for _, read := range []func() error{
		func() (err error) {
			out.Deliveries, err = index.Numbered[sharev1.Delivery](ctx, x, index.Delivery, id)
			return
		},
		func() (err error) { out.Uses, err = index.Numbered[sharev1.Use](ctx, x, index.Use, id); return },
		func() (err error) {
			out.Amendments, err = index.Numbered[sharev1.Amendment](ctx, x, index.Amendment, id)
			return
		},
		func() (err error) {
			out.Violations, err = index.Numbered[sharev1.Violation](ctx, x, index.Violation, id)
			return
		},
		func() (err error) {
			out.Disposals, err = index.Numbered[sharev1.Disposal](ctx, x, index.Disposal, id)
			return
		},
		func() (err error) {
			out.Feedbacks, err = index.Numbered[sharev1.Feedback](ctx, x, index.Feedback, id)
			return
		},
	} {
		if err = read(); err != nil {
			break
		}
	}
	return respond(out, err)
}

type identityAPI struct{ s *Server }

func (i identityAPI) ListAccounts(ctx context.Context, req *connect.Request[identityv1.ListAccountsRequest]) (*connect.Response[identityv1.ListAccountsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetText(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	i.s.fresh(ctx)
	page, next, total, err := index.List[identityv1.Account](ctx, i.s.index, index.Filter{Kind: index.Account, Org: m.GetOrg(), Class: int32(m.GetKind()), Text: m.GetText(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&identityv1.ListAccountsResponse{Accounts: page, Next: next, Total: total}, err)
}

type governanceAPI struct{ s *Server }

func (g governanceAPI) GetConsortium(ctx context.Context, _ *connect.Request[governancev1.GetConsortiumRequest]) (*connect.Response[governancev1.GetConsortiumResponse], error) {
	g.s.fresh(ctx)
	out := &governancev1.GetConsortiumResponse{}
	x := g.s.index
	var err error
	for _, read := range []func() error{
		func() (err error) { out.Members, err = all[governancev1.Member](ctx, x, index.Member); return },
		func() (err error) { out.Roles, err = all[governancev1.RoleGrant](ctx, x, index.Role); return },
		func() (err error) {
			out.ClockProfiles, err = all[governancev1.ClockProfile](ctx, x, index.Clocks)
			return
		},
		func() (err error) { out.Calendar, err = all[governancev1.CalendarYear](ctx, x, index.Calendar); return },
		func() (err error) { out.Validators, err = all[governancev1.Validator](ctx, x, index.Validator); return },
		func() (err error) {
			out.Misbehaviours, err = all[governancev1.Misbehaviour](ctx, x, index.Misbehaved)
			return
		},
		func() (err error) {
			out.Parameters, _, err = index.Get[governancev1.Parameters](ctx, x, index.Parameters)
			return
		},
		func() (err error) {
			out.Suspensions, _, _, err = index.List[governancev1.Suspension](ctx, x, index.Filter{Kind: index.Suspended, Flag: true, Limit: 500})
			return
		},
		func() (err error) {
			out.Protocol, _, err = index.Get[governancev1.Protocol](ctx, x, index.Protocol)
			return
		},
	} {
		if err = read(); err != nil {
			break
		}
	}
	return respond(out, err)
}

func (g governanceAPI) ListProposals(ctx context.Context, req *connect.Request[governancev1.ListProposalsRequest]) (*connect.Response[governancev1.ListProposalsResponse], error) {
	if err := checkText(req.Msg.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	g.s.fresh(ctx)
	page, next, total, err := index.List[governancev1.Proposal](ctx, g.s.index, index.Filter{Kind: index.Proposal, Flag: req.Msg.GetOpenOnly(), After: req.Msg.GetAfter(), Limit: req.Msg.GetLimit()})
	return respond(&governancev1.ListProposalsResponse{Proposals: page, Next: next, Total: total}, err)
}

// all reads a kind of which there are few; the index bounds it.
func all[M any, P index.Message[M]](ctx context.Context, x *index.Index, kind string) ([]P, error) {
	page, _, _, err := index.List[M, P](ctx, x, index.Filter{Kind: kind, Limit: 500})
	return page, err
}
