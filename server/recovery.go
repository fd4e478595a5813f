package server

import (
	"context"

	"connectrpc.com/connect"

	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

type recoveryAPI struct{ s *Server }

// ListRecoveries lists attempts by id.
func (r recoveryAPI) ListRecoveries(ctx context.Context, req *connect.Request[recoveryv1.ListRecoveriesRequest]) (*connect.Response[recoveryv1.ListRecoveriesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAccount(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	r.s.fresh(ctx)
	f := index.Filter{Kind: index.Recovery, Org: m.GetAccount(), Flag: m.GetRunning(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetState() != 0 {
		f.States = []int32{int32(m.GetState())}
	}
	page, next, total, err := index.List[recoveryv1.Recovery](ctx, r.s.index, f)
	return respond(&recoveryv1.ListRecoveriesResponse{Recoveries: page, Next: next, Total: total}, err)
}

// GetRecoveryPolicy gives what an account has arranged, and what stands against it.
func (r recoveryAPI) GetRecoveryPolicy(ctx context.Context, req *connect.Request[recoveryv1.GetRecoveryPolicyRequest]) (*connect.Response[recoveryv1.GetRecoveryPolicyResponse], error) {
	account := req.Msg.GetAccount()
	if err := checkText(account); err != nil {
		return nil, wire.Error(err)
	}
	r.s.fresh(ctx)
	out := &recoveryv1.GetRecoveryPolicyResponse{}
	var err error
	if out.Policy, _, err = index.Get[recoveryv1.RecoveryPolicy](ctx, r.s.index, index.RecoveryPolicy+account); err != nil {
		return nil, wire.Error(err)
	}
	if out.Last, _, err = index.Get[recoveryv1.LastRecovery](ctx, r.s.index, index.Recovered+account); err != nil {
		return nil, wire.Error(err)
	}
	if out.Death, _, err = index.Get[recoveryv1.Death](ctx, r.s.index, index.Death+account); err != nil {
		return nil, wire.Error(err)
	}
	out.Running, _, _, err = index.List[recoveryv1.Recovery](ctx, r.s.index, index.Filter{Kind: index.Recovery, Org: account, Flag: true})
	return respond(out, err)
}

type mandateAPI struct{ s *Server }

// ListMandates lists mandates by id.
func (x mandateAPI) ListMandates(ctx context.Context, req *connect.Request[mandatev1.ListMandatesRequest]) (*connect.Response[mandatev1.ListMandatesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetPrincipal(), m.GetAgent(), m.GetOffice(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	x.s.fresh(ctx)
	f := index.Filter{
		Kind: index.Mandate, Org: m.GetPrincipal(), Peer: m.GetAgent(), Class: int32(m.GetKind()), Ref: m.GetOffice(), After: m.GetAfter(), Limit: m.GetLimit(),
	}
	if m.GetState() != 0 {
		f.States = []int32{int32(m.GetState())}
	}
	page, next, total, err := index.List[mandatev1.Mandate](ctx, x.s.index, f)
	return respond(&mandatev1.ListMandatesResponse{Mandates: page, Next: next, Total: total}, err)
}

// GetMandate gives one mandate, with the policy of the firm that it is of.
func (x mandateAPI) GetMandate(ctx context.Context, req *connect.Request[mandatev1.GetMandateRequest]) (*connect.Response[mandatev1.GetMandateResponse], error) {
	id := req.Msg.GetId()
	if err := checkText(id); err != nil {
		return nil, wire.Error(err)
	}
	x.s.fresh(ctx)
	m, ok, err := index.Get[mandatev1.Mandate](ctx, x.s.index, index.Mandate+id)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "there is no mandate %s: mulian mandate list", id)
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	p, _, err := index.Get[mandatev1.OperatorPolicy](ctx, x.s.index, index.Operators+m.GetPrincipal())
	return respond(&mandatev1.GetMandateResponse{Mandate: m, Operators: p}, err)
}
