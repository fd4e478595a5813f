package server

import (
	"context"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/wire"
)

// Search looks in duties, entries, items, tables, matters, systems and codes at once.
// The index bounds text, facets, work and time itself.
func (c catalogueAPI) Search(ctx context.Context, req *connect.Request[cataloguev1.SearchRequest]) (*connect.Response[cataloguev1.SearchResponse], error) {
	m := req.Msg
	if err := checkText(append([]string{m.GetAfter()}, m.GetOrgs()...)...); err != nil {
		return nil, wire.Error(err)
	}
	c.s.freshWithin(ctx, searchCatchUp)
	out, err := c.s.index.Search(ctx, m)
	return respond(out, err)
}
