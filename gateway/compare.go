package gateway

import (
	"context"
	"strings"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Compare finds where a table of the own database differs from the entry that it is a copy
// of; see [deliver.Asker.Compare]. Usage: this gateway has no database, or one of a kind that
// it cannot read.
func (g *Gateway) Compare(ctx context.Context, agreement, entry string, table connect.TableName) (*deliver.Likeness, error) {
	url, err := databaseURL(g.cfg.Sink.URL, g.cfg.Sink.URLFile)
	if err != nil {
		return nil, err
	}
	if url == "" {
		return nil, fault.Newf(fault.Usage, "this gateway has no database of its own (sink)")
	}
	own, err := connect.Open(ctx, url)
	if err != nil {
		return nil, fault.Wrap(fault.SourceUnreachable, err, "the own database, to read it")
	}
	defer own.Close()
	return g.asker.Compare(ctx, own, table, agreement, entry)
}

func (c controlAPI) Compare(ctx context.Context, req *rpc.Request[gatewayv1.CompareRequest]) (*rpc.Response[gatewayv1.CompareResponse], error) {
	m := req.Msg
	entry, err := c.entry(ctx, m.GetAgreement(), m.GetEntry())
	if err != nil {
		return nil, wire.Error(err)
	}
	table := parseTableName(m.GetTable())
	if table.Name == "" {
		_, table.Name, _ = strings.Cut(entry, ":")
	}
	r, err := c.g.Compare(ctx, m.GetAgreement(), entry, table)
	if err != nil {
		return nil, wire.Error(err)
	}
	out := &gatewayv1.CompareResponse{Rows: r.Mine, OtherRows: r.Theirs, Columns: r.Columns, Key: r.Key, Narrowed: r.Narrowed, Questions: uint32(r.Questions)}
	for _, d := range r.Differences {
		out.Differences = append(out.Differences, &gatewayv1.CompareDifference{After: shown(d.Span.After), UpTo: shown(d.Span.UpTo), Rows: d.Mine, OtherRows: d.Theirs})
	}
	return rpc.NewResponse(out), nil
}

// shown is a row for who asked; nil for none.
func shown(row connect.Row) *gatewayv1.ResultRow {
	if row == nil {
		return nil
	}
	r := &gatewayv1.ResultRow{}
	for _, v := range row {
		r.Values = append(r.Values, &gatewayv1.ResultValue{Null: v.IsNull(), Text: v.Text})
	}
	return r
}
