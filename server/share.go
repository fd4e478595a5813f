package server

import (
	"context"

	"connectrpc.com/connect"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// ListCorrections lists what has to be put right; for a holder, what it has been
// told of, in the order of the corrections.
func (a shareAPI) ListCorrections(ctx context.Context, req *connect.Request[sharev1.ListCorrectionsRequest]) (*connect.Response[sharev1.ListCorrectionsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetProvider(), m.GetFiledBy(), m.GetEntry(), m.GetHolder(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	if m.GetHolder() != "" {
		return a.held(ctx, m)
	}
	f := index.Filter{Kind: index.Correction, Org: m.GetProvider(), Peer: m.GetFiledBy(), Flag: m.GetOverdue(), After: m.GetAfter(), Limit: m.GetLimit()}
	f.States = numbers(m.GetStates())
	if m.GetEntry() != "" {
		f.Parent = index.Entry + m.GetEntry()
	}
	page, next, total, err := index.List[sharev1.Correction](ctx, a.s.index, f)
	return respond(&sharev1.ListCorrectionsResponse{Corrections: page, Next: next, Total: total}, err)
}

// held lists the corrections that a holder was told of; overdue are those that it
// has not applied in time.
func (a shareAPI) held(ctx context.Context, m *sharev1.ListCorrectionsRequest) (*connect.Response[sharev1.ListCorrectionsResponse], error) {
	f := index.Filter{Kind: index.Holder, Org: m.GetHolder(), Flag: m.GetOverdue(), After: m.GetAfter(), Limit: m.GetLimit()}
	holders, next, total, err := index.List[sharev1.Holder](ctx, a.s.index, f)
	out := &sharev1.ListCorrectionsResponse{Next: next, Total: total}
	for _, h := range holders {
		c, ok, err := index.Get[sharev1.Correction](ctx, a.s.index, index.Correction+h.GetCorrection())
		if err != nil {
			return nil, wire.Error(err)
		}
		if n := len(out.Corrections); ok && (n == 0 || out.Corrections[n-1].GetId() != c.GetId()) {
			out.Corrections = append(out.Corrections, c) // two agreements may hold the same entry
		}
	}
	return respond(out, err)
}

// GetCorrection returns one correction with a page of its holders.
func (a shareAPI) GetCorrection(ctx context.Context, req *connect.Request[sharev1.GetCorrectionRequest]) (*connect.Response[sharev1.GetCorrectionResponse], error) {
	m := req.Msg
	if err := checkText(m.GetId(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	c, ok, err := index.Get[sharev1.Correction](ctx, a.s.index, index.Correction+m.GetId())
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "correction %s: there is none", m.GetId())
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &sharev1.GetCorrectionResponse{Correction: c}
	out.Holders, out.Next, _, err = index.List[sharev1.Holder](ctx, a.s.index, index.Filter{Kind: index.Holder, Under: c.GetId() + "/", After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(out, err)
}

// ListObjections lists objections.
func (a shareAPI) ListObjections(ctx context.Context, req *connect.Request[sharev1.ListObjectionsRequest]) (*connect.Response[sharev1.ListObjectionsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetFiledBy(), m.GetAgainst(), m.GetSubject(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	page, next, total, err := index.List[sharev1.Objection](ctx, a.s.index, index.Filter{
		Kind: index.Objection, Org: m.GetAgainst(), Peer: m.GetFiledBy(), States: numbers(m.GetStates()), Ref: m.GetSubject(),
		Flag: m.GetOverdue(), After: m.GetAfter(), Limit: m.GetLimit(),
	})
	return respond(&sharev1.ListObjectionsResponse{Objections: page, Next: next, Total: total}, err)
}

// ListDisputes lists disputes.
func (a shareAPI) ListDisputes(ctx context.Context, req *connect.Request[sharev1.ListDisputesRequest]) (*connect.Response[sharev1.ListDisputesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetClaimant(), m.GetRespondent(), m.GetSubject(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	page, next, total, err := index.List[sharev1.Dispute](ctx, a.s.index, index.Filter{
		Kind: index.Dispute, Org: m.GetRespondent(), Peer: m.GetClaimant(), States: numbers(m.GetStates()), Ref: m.GetSubject(),
		Flag: m.GetOverdue(), After: m.GetAfter(), Limit: m.GetLimit(),
	})
	return respond(&sharev1.ListDisputesResponse{Disputes: page, Next: next, Total: total}, err)
}

// ListStandings lists what the ledger noted of each organisation's clocks.
func (a shareAPI) ListStandings(ctx context.Context, req *connect.Request[sharev1.ListStandingsRequest]) (*connect.Response[sharev1.ListStandingsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	a.s.fresh(ctx)
	page, next, total, err := index.List[sharev1.Standing](ctx, a.s.index, index.Filter{Kind: index.Standing, After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&sharev1.ListStandingsResponse{Standings: page, Next: next, Total: total}, err)
}

// numbers turns the states of a filter into those of the index.
func numbers[S ~int32](states []S) []int32 {
	out := make([]int32, len(states))
	for i, s := range states {
		out[i] = int32(s)
	}
	return out
}
