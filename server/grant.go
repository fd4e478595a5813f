package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/standard"
	"mulian/internal/wire"
)

type grantAPI struct{ s *Server }

// need reads one object; NotFound.
func need[M any, P index.Message[M]](ctx context.Context, x *index.Index, kind, what, id string) (P, error) {
	p, ok, err := index.Get[M, P](ctx, x, kind+id)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "%s %.80s: there is none", what, id)
	}
	return p, err
}

// ListUses lists what data users have registered that they may ask for.
func (g grantAPI) ListUses(ctx context.Context, req *connect.Request[grantv1.ListUsesRequest]) (*connect.Response[grantv1.ListUsesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetEntry(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	g.s.fresh(ctx)
	page, next, total, err := index.List[grantv1.IntendedUse](ctx, g.s.index, index.Filter{
		Kind: index.IntendedUse, Org: m.GetOrg(), Ref: m.GetEntry(), States: numbers(m.GetStates()), After: m.GetAfter(), Limit: m.GetLimit(),
	})
	return respond(&grantv1.ListUsesResponse{Uses: page, Next: next, Total: total}, err)
}

// ListDataRequests lists requests, of an owner or of a data user; the asker's own, if none is
// named. Those with one business reference are a case: Malformed if it is no commitment.
func (g grantAPI) ListDataRequests(ctx context.Context, req *connect.Request[grantv1.ListDataRequestsRequest]) (*connect.Response[grantv1.ListDataRequestsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOwner(), m.GetOrg(), m.GetUse(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	if err := g.named(ctx, req.Header(), &m.Owner, &m.Org, ""); err != nil {
		return nil, err
	}
	g.s.fresh(ctx)
	f := index.Filter{Kind: index.DataRequest, Org: m.GetOrg(), Peer: m.GetOwner(), States: numbers(m.GetStates()), After: m.GetAfter(), Limit: m.GetLimit()}
	if n := len(m.GetBusinessReference()); n != 0 && n != sha256.Size {
		return nil, wire.Error(fault.Newf(fault.Malformed, "business_reference has %d bytes: it is a commitment of %d", n, sha256.Size))
	}
	f.Ref = hex.EncodeToString(m.GetBusinessReference())
	if m.GetUse() != "" {
		f.Parent = index.IntendedUse + m.GetUse()
	}
	page, next, total, err := index.List[grantv1.DataRequest](ctx, g.s.index, f)
	return respond(&grantv1.ListDataRequestsResponse{Requests: page, Next: next, Total: total}, err)
}

// GetDataRequest returns a request with the text that its owner is to be shown, made from
// what this member knows; who signs makes it again himself (internal/consent).
func (g grantAPI) GetDataRequest(ctx context.Context, req *connect.Request[grantv1.GetDataRequestRequest]) (*connect.Response[grantv1.GetDataRequestResponse], error) {
	m := req.Msg
	if err := checkText(m.GetId(), m.GetOwner(), m.GetLanguage(), string(m.GetItems())); err != nil {
		return nil, wire.Error(err)
	}
	g.s.fresh(ctx)
	r, err := need[grantv1.DataRequest](ctx, g.s.index, index.DataRequest, "data request", m.GetId())
	if err != nil {
		return nil, wire.Error(err)
	}
	if r.GetOwner() != "" { // an open one is for whoever scans its code
		_, err = g.party(ctx, req.Header(), ofRequest(r))
	} else {
		_, err = g.s.asker(ctx, req.Header())
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &grantv1.GetDataRequestResponse{Request: r}
	if out.Use, err = need[grantv1.IntendedUse](ctx, g.s.index, index.IntendedUse, "use", r.GetUse()); err != nil {
		return nil, wire.Error(err)
	}
	if out.Grant, _, err = index.Get[grantv1.Grant](ctx, g.s.index, index.Grant+r.GetGrant()); err != nil || out.Use.GetEntry() == "" {
		return respond(out, err)
	}
	f, err := g.facts(ctx, r, out.Use)
	if err != nil {
		return nil, wire.Error(err)
	}
	for _, it := range itemset.Items(f.Entry, r.GetItems()) {
		out.Items = append(out.Items, it.GetName())
	}
	out.Text = consent.Text(m.GetLanguage(), f, consent.Choice{Items: m.GetItems(), NotAfterMs: m.GetNotAfterMs(), MaxUses: m.GetMaxUses()})
	out.UiTextHash = consent.TextHash(out.Text)
	return respond(out, nil)
}

// facts reads what a text is made of.
func (g grantAPI) facts(ctx context.Context, r *grantv1.DataRequest, u *grantv1.IntendedUse) (consent.Facts, error) {
	f := consent.Facts{Request: r, Use: u}
	x := g.s.index
	var err error
	if f.Entry, err = need[cataloguev1.Entry](ctx, x, index.Entry, "entry", u.GetEntry()); err != nil {
		return f, err
	}
	org, err := need[identityv1.Account](ctx, x, index.Account, "organisation", u.GetOrg())
	if err != nil {
		return f, err
	}
	p, _, err := index.Get[governancev1.Parameters](ctx, x, index.Parameters)
	if f.OrgName = org.GetProfile().GetName(); f.OrgName == "" {
		f.OrgName = u.GetOrg()
	}
	f.Purpose, _ = standard.Purpose(p, u.GetPurpose())
	f.CoolingSecs = standard.GrantCooling(p)
	return f, err
}

// ListGrants lists grants, of an owner, a data user, or a gateway that takes part in them; the
// asker's own, if none is named.
func (g grantAPI) ListGrants(ctx context.Context, req *connect.Request[grantv1.ListGrantsRequest]) (*connect.Response[grantv1.ListGrantsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOwner(), m.GetGrantee(), m.GetGateway(), m.GetEntry(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	if err := g.named(ctx, req.Header(), &m.Owner, &m.Grantee, m.GetGateway()); err != nil {
		return nil, err
	}
	g.s.fresh(ctx)
	f := index.Filter{
		Kind: index.Grant, Org: m.GetGrantee(), Peer: m.GetOwner(), States: numbers(m.GetStates()), Flag: m.GetLive(), After: m.GetAfter(), Limit: m.GetLimit(),
	}
	switch {
	case m.GetEntry() != "":
		f.Parent = index.Entry + m.GetEntry()
	case m.GetGateway() != "":
		f.Parent = index.Account + m.GetGateway()
	}
	page, next, total, err := index.List[grantv1.Grant](ctx, g.s.index, f)
	return respond(&grantv1.ListGrantsResponse{Grants: page, Next: next, Total: total}, err)
}

// GetGrant returns a grant with the request that it came of.
func (g grantAPI) GetGrant(ctx context.Context, req *connect.Request[grantv1.GetGrantRequest]) (*connect.Response[grantv1.GetGrantResponse], error) {
	if err := checkText(req.Msg.GetId()); err != nil {
		return nil, wire.Error(err)
	}
	g.s.fresh(ctx)
	out, err := g.grant(ctx, req.Msg.GetId())
	if err == nil {
		_, err = g.party(ctx, req.Header(), ofGrant(out.Grant))
	}
	return respond(out, err)
}

func (g grantAPI) grant(ctx context.Context, id string) (*grantv1.GetGrantResponse, error) {
	out := &grantv1.GetGrantResponse{}
	var err error
	if out.Grant, err = need[grantv1.Grant](ctx, g.s.index, index.Grant, "grant", id); err != nil {
		return nil, err
	}
	if out.Request, err = need[grantv1.DataRequest](ctx, g.s.index, index.DataRequest, "data request", out.Grant.GetRequest()); err != nil {
		return nil, err
	}
	out.Use, err = need[grantv1.IntendedUse](ctx, g.s.index, index.IntendedUse, "use", out.Grant.GetUse())
	return out, err
}

// FindUsage lists what was done under a grant, or with anything of an owner's. Of a grant
// the sequence comes with it; its state proof shows that none is kept back.
func (g grantAPI) FindUsage(ctx context.Context, req *connect.Request[grantv1.FindUsageRequest]) (*connect.Response[grantv1.FindUsageResponse], error) {
	m := req.Msg
	if err := checkText(m.GetGrant(), m.GetOwner(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	if (m.GetGrant() == "") == (m.GetOwner() == "") {
		return nil, wire.Error(fault.Newf(fault.Missing, "name a grant or an owner"))
	}
	if m.GetOwner() != "" {
		if _, err := g.party(ctx, req.Header(), parties{owner: m.GetOwner()}); err != nil {
			return nil, err
		}
	}
	g.s.fresh(ctx)
	out := &grantv1.FindUsageResponse{}
	f := index.Filter{Kind: index.GrantUse, Peer: m.GetOwner(), After: m.GetAfter(), Limit: m.GetLimit()}
	if id := m.GetGrant(); id != "" {
		found, err := need[grantv1.Grant](ctx, g.s.index, index.Grant, "grant", id)
		if err != nil {
			return nil, wire.Error(err)
		}
		if _, err := g.party(ctx, req.Header(), ofGrant(found)); err != nil {
			return nil, err
		}
		out.Sequence, f.Parent = found.GetSequence(), index.Grant+id
	}
	var err error
	out.Uses, out.Next, out.Total, err = index.List[grantv1.Use](ctx, g.s.index, f)
	_, out.Height = g.s.index.Next()
	return respond(out, err)
}

// ListDuties lists what has to be deleted.
func (g grantAPI) ListDuties(ctx context.Context, req *connect.Request[grantv1.ListDutiesRequest]) (*connect.Response[grantv1.ListDutiesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOwner(), m.GetGrantee(), m.GetGrant(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	g.s.fresh(ctx)
	if id := m.GetGrant(); id != "" {
		found, err := need[grantv1.Grant](ctx, g.s.index, index.Grant, "grant", id)
		if err == nil {
			_, err = g.party(ctx, req.Header(), ofGrant(found))
		}
		if err != nil {
			return nil, wire.Error(err)
		}
	} else if err := g.named(ctx, req.Header(), &m.Owner, &m.Grantee, ""); err != nil {
		return nil, err
	}
	f := index.Filter{
		Kind: index.DeletionDuty, Org: m.GetGrantee(), Peer: m.GetOwner(), States: numbers(m.GetStates()), Flag: m.GetOverdue(), After: m.GetAfter(), Limit: m.GetLimit(),
	}
	if m.GetGrant() != "" {
		f.Parent = index.Grant + m.GetGrant()
	}
	page, next, total, err := index.List[grantv1.DeletionDuty](ctx, g.s.index, f)
	return respond(&grantv1.ListDutiesResponse{Duties: page, Next: next, Total: total}, err)
}

// ListNotifications lists what an owner was told, by number. count is the number of the
// last; its state proof ("grant/feed/<owner>") shows that none is kept back. For the owner, who
// acts for him, and the auditor.
func (g grantAPI) ListNotifications(ctx context.Context, req *connect.Request[grantv1.ListNotificationsRequest]) (*connect.Response[grantv1.ListNotificationsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOwner()); err != nil {
		return nil, wire.Error(err)
	}
	if _, err := g.party(ctx, req.Header(), parties{owner: m.GetOwner()}); err != nil {
		return nil, err
	}
	g.s.fresh(ctx)
	// From the state: events name the notifications of a feed, not the feed itself, so that the
	// index has none.
	feed := &grantv1.NotificationFeed{}
	res, err := g.s.chain.Object(ctx, index.GrantFeed+m.GetOwner(), 0, false)
	if err == nil && res.GetFound() {
		err = decode(res.GetValue(), feed)
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	steps, err := g.s.index.Notified(ctx, m.GetOwner(), m.GetAfter(), m.GetLimit())
	out := &grantv1.ListNotificationsResponse{Count: feed.GetCount()}
	for _, st := range steps {
		if n, ok := notification(m.GetOwner(), st.Seq, st.Event); ok {
			out.Notifications = append(out.Notifications, n)
		}
	}
	return respond(out, err)
}

// notification is the event as the owner's notification, if it is one.
func notification(owner string, seq int64, ev *tracev1.Event) (*grantv1.Notification, bool) {
	objects := ev.GetObjects()
	if len(objects) == 0 {
		return nil, false
	}
	digits, ok := strings.CutPrefix(objects[len(objects)-1], index.GrantFeed+owner+"/")
	n, err := strconv.ParseUint(digits, 10, 64)
	return &grantv1.Notification{Number: n, Event: ev, LogIndex: seq}, ok && err == nil
}

// WatchNotifications sends what the owner was told behind a number, and then what he is
// told as it happens, without a gap.
func (g grantAPI) WatchNotifications(ctx context.Context, req *connect.Request[grantv1.WatchNotificationsRequest], stream *connect.ServerStream[grantv1.WatchNotificationsResponse]) error {
	owner, last := req.Msg.GetOwner(), req.Msg.GetAfter()
	if err := checkText(owner); err != nil || owner == "" {
		return wire.Error(fault.Newf(fault.Missing, "the owner is missing, or too long"))
	}
	if _, err := g.party(ctx, req.Header(), parties{owner: owner}); err != nil {
		return err
	}
	ctx, done := g.s.streaming(ctx)
	defer done()
	g.s.fresh(ctx)
	from, _ := g.s.index.Next()
	send := func(seq int64, ev *tracev1.Event) error {
		n, ok := notification(owner, seq, ev)
		if !ok || n.GetNumber() <= last {
			return nil
		}
		last = n.GetNumber()
		return stream.Send(&grantv1.WatchNotificationsResponse{Notification: n})
	}
	for {
		steps, err := g.s.index.Notified(ctx, owner, last, maxPage)
		if err != nil {
			return wire.Error(err)
		}
		for _, st := range steps {
			if err := send(st.Seq, st.Event); err != nil {
				return err
			}
		}
		if len(steps) < maxPage {
			break
		}
	}
	return wire.Error(g.s.chain.Watch(ctx, from, func(u *ledgerv1.WatchResponse) error {
		first := u.GetNext() - int64(len(u.GetEvents()))
		for i, ev := range u.GetEvents() {
			if err := send(first+int64(i), ev); err != nil {
				return err
			}
		}
		return nil
	}))
}

// GetReceipt makes the content of the newest consent receipt of a grant, for a gateway to
// sign.
func (g grantAPI) GetReceipt(ctx context.Context, req *connect.Request[grantv1.GetReceiptRequest]) (*connect.Response[grantv1.GetReceiptResponse], error) {
	if err := checkText(req.Msg.GetGrant(), req.Msg.GetLanguage()); err != nil {
		return nil, wire.Error(err)
	}
	g.s.fresh(ctx)
	found, err := g.grant(ctx, req.Msg.GetGrant())
	if err != nil {
		return nil, wire.Error(err)
	}
	if _, err := g.party(ctx, req.Header(), ofGrant(found.Grant)); err != nil {
		return nil, err
	}
	st, err := g.s.chain.Status(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	names := consent.ReceiptNames{}
	if found.Use.GetEntry() != "" {
		if names, err = g.names(ctx, found); err != nil {
			return nil, wire.Error(err)
		}
	}
	out := consent.Receipt(req.Msg.GetLanguage(), found.Grant, found.Use, names)
	out.ChainId = st.GetChainId()
	_, out.Height = g.s.index.Next()
	return respond(&grantv1.GetReceiptResponse{Receipt: out}, nil)
}

// names are those that the ledger has: of data user, provider, entry and purpose.
func (g grantAPI) names(ctx context.Context, found *grantv1.GetGrantResponse) (consent.ReceiptNames, error) {
	f, err := g.facts(ctx, found.Request, found.Use)
	if err != nil {
		return consent.ReceiptNames{}, err
	}
	provider, _, err := index.Get[identityv1.Account](ctx, g.s.index, index.Account+f.Entry.GetProvider())
	return consent.ReceiptNames{Grantee: f.OrgName, Provider: provider.GetProfile().GetName(), Entry: f.Entry, Purpose: f.Purpose}, err
}
