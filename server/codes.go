package server

import (
	"context"
	"strings"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/index"
	"mulian/internal/wire"
)

// ListMatters lists matters by id; by organisation, by the duty that they rest on,
// by words of their names and inputs.
func (c catalogueAPI) ListMatters(ctx context.Context, req *connect.Request[cataloguev1.ListMattersRequest]) (*connect.Response[cataloguev1.ListMattersResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetDuty(), m.GetText(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	f := index.Filter{Kind: index.Matter, Org: m.GetOrg(), Text: m.GetText(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetDuty() != "" {
		f.Parent = index.Duty + m.GetDuty()
	}
	page, next, total, err := index.List[cataloguev1.Matter](ctx, c.s.index, f)
	return respond(&cataloguev1.ListMattersResponse{Matters: page, Next: next, Total: total}, err)
}

// ListCodes lists the code tables, or with a table its codes, by code; those below
// one parent only, if it is named.
func (c catalogueAPI) ListCodes(ctx context.Context, req *connect.Request[cataloguev1.ListCodesRequest]) (*connect.Response[cataloguev1.ListCodesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetTable(), m.GetParent(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	out := &cataloguev1.ListCodesResponse{}
	var err error
	if m.GetTable() == "" {
		out.Tables, out.Next, out.Total, err = index.List[cataloguev1.CodeTable](ctx, c.s.index, index.Filter{Kind: index.CodeTable, After: m.GetAfter(), Limit: m.GetLimit()})
		return respond(out, err)
	}
	under := m.GetTable() + "/"
	f := index.Filter{Kind: index.Code, Under: under, Ref: m.GetTable(), Peer: m.GetParent(), Limit: m.GetLimit()}
	if m.GetAfter() != "" {
		f.After = under + m.GetAfter()
	}
	out.Codes, out.Next, out.Total, err = index.List[cataloguev1.Code](ctx, c.s.index, f)
	out.Next = strings.TrimPrefix(out.Next, under)
	return respond(out, err)
}

type evidenceAPI struct{ s *Server }

// ListEvidence lists what was anchored, by id; by one account only, if it is named.
func (e evidenceAPI) ListEvidence(ctx context.Context, req *connect.Request[evidencev1.ListEvidenceRequest]) (*connect.Response[evidencev1.ListEvidenceResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAccount(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	e.s.fresh(ctx)
	page, next, total, err := index.List[evidencev1.Evidence](ctx, e.s.index, index.Filter{Kind: index.Evidence, Org: m.GetAccount(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&evidencev1.ListEvidenceResponse{Evidence: page, Next: next, Total: total}, err)
}
