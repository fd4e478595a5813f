package server

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client/sentence"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

type traceAPI struct{ s *Server }

func (t traceAPI) Trace(ctx context.Context, req *connect.Request[tracev1.TraceRequest]) (*connect.Response[tracev1.TraceResponse], error) {
	m := req.Msg
	if err := checkText(m.GetObject(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	after := int64(-1)
	if m.GetAfter() != "" {
		n, err := strconv.ParseInt(m.GetAfter(), 10, 64)
		if err != nil {
			return nil, wire.Error(fault.Newf(fault.Malformed, "cursor %q", m.GetAfter()))
		}
		after = n
	}
	t.s.fresh(ctx)
	steps, keys, next, err := t.s.index.Trace(ctx, m.GetObject(), m.GetDirect(), after, m.GetLimit())
	if err != nil {
		return nil, wire.Error(err)
	}
	lang := sentence.Accept(req.Header().Get("Accept-Language"))
	out := &tracev1.TraceResponse{}
	if next > 0 {
		out.Next = strconv.FormatInt(next, 10)
	}
	names := t.s.names(ctx)
	for _, st := range steps {
		out.Steps = append(out.Steps, &tracev1.TraceStep{Seq: st.Seq, Event: st.Event, Title: sentence.EventNamed(lang, st.Event, names)})
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, index.Agreement) {
			continue
		}
		seqs, err := index.Children[tracev1.Sequence](ctx, t.s.index, index.Sequence, key)
		if err != nil {
			return nil, wire.Error(err)
		}
		out.Sequences = append(out.Sequences, seqs...)
	}
	return connect.NewResponse(out), nil
}

func (t traceAPI) ListHeads(ctx context.Context, req *connect.Request[tracev1.ListHeadsRequest]) (*connect.Response[tracev1.ListHeadsResponse], error) {
	if err := checkText(req.Msg.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	t.s.fresh(ctx)
	page, next, total, err := index.List[tracev1.Head](ctx, t.s.index, index.Filter{Kind: index.Head, After: req.Msg.GetAfter(), Limit: req.Msg.GetLimit()})
	return respond(&tracev1.ListHeadsResponse{Heads: page, Next: next, Total: total}, err)
}

// names shows organisations, gateways and entries by their names, asking the index
// once for each.
func (s *Server) names(ctx context.Context) sentence.Names {
	known := map[string]string{}
	return func(key string) string {
		if n, ok := known[key]; ok {
			return n
		}
		name := ""
		switch {
		case strings.HasPrefix(key, index.Account):
			if a, ok, err := index.Get[identityv1.Account](ctx, s.index, key); err == nil && ok {
				name = cmp.Or(a.GetProfile().GetShortName(), a.GetProfile().GetName(), a.GetName())
			}
		case strings.HasPrefix(key, index.Entry):
			if e, ok, err := index.Get[cataloguev1.Entry](ctx, s.index, key); err == nil && ok {
				name = "《" + e.GetName() + "》"
			}
		case strings.HasPrefix(key, index.Duty):
			if d, ok, err := index.Get[cataloguev1.Duty](ctx, s.index, key); err == nil && ok {
				name = "“" + d.GetTitle() + "”"
			}
		case strings.HasPrefix(key, index.IntendedUse):
			if u, ok, err := index.Get[grantv1.IntendedUse](ctx, s.index, key); err == nil && ok {
				name = u.GetTitle()
			}
		}
		known[key] = name
		return name
	}
}

func decode(raw []byte, m proto.Message) error {
	if err := proto.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("decode %T: %w", m, err)
	}
	return nil
}
