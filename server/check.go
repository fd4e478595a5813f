package server

import (
	"context"
	"time"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// maxKinds bounds the filter of Check: there are eleven kinds.
const maxKinds = 64

// checkTime bounds one Check: 100,000 entries take two or three seconds of one
// processor, and whoever waits for another's check waits as long again. Our own choice.
const checkTime = 30 * time.Second

// Check tells what is wrong with the catalogue, and scores each department.
func (c catalogueAPI) Check(ctx context.Context, req *connect.Request[cataloguev1.CheckRequest]) (*connect.Response[cataloguev1.CheckResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg(), m.GetAfter(), m.GetLanguage()); err != nil {
		return nil, wire.Error(err)
	}
	if len(m.GetKinds()) > maxKinds {
		return nil, wire.Error(fault.Newf(fault.TooLong, "%d kinds, at most %d", len(m.GetKinds()), maxKinds))
	}
	c.s.fresh(ctx)
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out, err := c.s.index.Check(ctx, m)
	return respond(out, err)
}
