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
	if next >= 0 {
		out.Next = strconv.FormatInt(next, 10)
	}
	names := t.s.namesOf(ctx, steps)
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

// named are the tables whose objects have names, each with how to read some of them.
var named = []struct {
	table string
	read  func(ctx context.Context, x *index.Index, keys []string, put func(key, name string)) error
}{
	{index.Account, namesIn(func(a *identityv1.Account) string {
		return cmp.Or(a.GetProfile().GetShortName(), a.GetProfile().GetName(), a.GetName())
	})},
	{index.Entry, namesIn(func(e *cataloguev1.Entry) string { return "《" + e.GetName() + "》" })},
	{index.Duty, namesIn(func(d *cataloguev1.Duty) string { return "“" + d.GetTitle() + "”" })},
	{index.IntendedUse, namesIn(func(u *grantv1.IntendedUse) string { return u.GetTitle() })},
}

func namesIn[M any, P index.Message[M]](name func(P) string) func(context.Context, *index.Index, []string, func(string, string)) error {
	return func(ctx context.Context, x *index.Index, keys []string, put func(key, name string)) error {
		found, err := index.GetAll[M, P](ctx, x, keys)
		for key, m := range found {
			put(key, name(m))
		}
		return err
	}
}

// names shows organisations, gateways and entries by their names, asking the index once for
// each; of ahead, once for each table.
func (s *Server) names(ctx context.Context, ahead ...string) sentence.Names {
	known := map[string]string{}
	put := func(key, name string) { known[key] = name }
	read := func(keys ...string) {
		for _, t := range named {
			var of []string
			for _, key := range keys {
				if _, ok := known[key]; !ok && strings.HasPrefix(key, t.table) {
					known[key], of = "", append(of, key)
				}
			}
			if len(of) > 0 {
				_ = t.read(ctx, s.index, of, put) // what has no name is called by its id
			}
		}
	}
	read(ahead...)
	return func(key string) string {
		if _, ok := known[key]; !ok {
			read(key)
		}
		return known[key]
	}
}

// namesOf are the names of all that steps speak of.
func (s *Server) namesOf(ctx context.Context, steps []index.Step) sentence.Names {
	var keys []string
	for _, st := range steps {
		keys = append(append(keys, st.Event.GetObjects()...), index.Account+st.Event.GetActor())
	}
	return s.names(ctx, keys...)
}

func decode(raw []byte, m proto.Message) error {
	if err := proto.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("decode %T: %w", m, err)
	}
	return nil
}
