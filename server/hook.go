package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"connectrpc.com/connect"

	"mulian/client/sentence"
	consolev1 "mulian/gen/mulian/console/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/signer"
	"mulian/internal/wire"
	"mulian/server/hooks"
)

// hookAPI answers HookService.
type hookAPI struct{ s *Server }

// hookTypes are the types of events that a hook can bring.
var hookTypes = sync.OnceValue(func() (out []string) {
	for _, v := range sentence.Verbs() {
		out = append(out, strings.ReplaceAll(v, "/", "."))
	}
	slices.Sort(out)
	return out
})

// HooksAccount refuses an account that may not ask here: what a node's hooks are opened with.
func HooksAccount(chain Chain) func(ctx context.Context, id string) error {
	s := &Server{chain: chain}
	return func(ctx context.Context, id string) error {
		_, err := signer.Account(ctx, id, s.account)
		return err
	}
}

// who is the asker as hooks know him. Forbidden: he is in no organisation.
func (a hookAPI) who(ctx context.Context, h http.Header) (*hooks.Hooks, hooks.Asker, error) {
	if a.s.opts.Hooks == nil {
		return nil, hooks.Asker{}, fault.Newf(fault.NotFound, "this server has no hooks: ask the member's node itself")
	}
	x, err := a.s.asker(ctx, h)
	if err != nil {
		return nil, hooks.Asker{}, err
	}
	if x.org == "" {
		return nil, hooks.Asker{}, fault.Newf(fault.Forbidden, "%s is in no organisation: hooks are for the programs of departments, banks and other members", x.id)
	}
	return a.s.opts.Hooks, hooks.Asker{Account: x.id, Org: x.org}, nil
}

// ListHookTypes implements HookService.
func (a hookAPI) ListHookTypes(_ context.Context, req *connect.Request[consolev1.ListHookTypesRequest]) (*connect.Response[consolev1.ListHookTypesResponse], error) {
	lang := sentence.Accept(req.Header().Get("Accept-Language"))
	out := &consolev1.ListHookTypesResponse{}
	for _, t := range hookTypes() {
		out.Types = append(out.Types, &consolev1.HookType{Type: t, Title: sentence.Event(lang, &tracev1.Event{Verb: strings.Replace(t, ".", "/", 1)})})
	}
	return respond(out, nil)
}

// ListHooks implements HookService.
func (a hookAPI) ListHooks(ctx context.Context, req *connect.Request[consolev1.ListHooksRequest]) (*connect.Response[consolev1.ListHooksResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	return respond(h.List(ctx, who))
}

// CreateHook implements HookService.
func (a hookAPI) CreateHook(ctx context.Context, req *connect.Request[consolev1.CreateHookRequest]) (*connect.Response[consolev1.CreateHookResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	hook, secret, err := h.Create(ctx, who, req.Msg, hookTypes())
	return respond(&consolev1.CreateHookResponse{Hook: hook, Secret: secret}, err)
}

// UpdateHook implements HookService.
func (a hookAPI) UpdateHook(ctx context.Context, req *connect.Request[consolev1.UpdateHookRequest]) (*connect.Response[consolev1.UpdateHookResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	hook, err := h.Update(ctx, who, req.Msg, hookTypes())
	return respond(&consolev1.UpdateHookResponse{Hook: hook}, err)
}

// DeleteHook implements HookService.
func (a hookAPI) DeleteHook(ctx context.Context, req *connect.Request[consolev1.DeleteHookRequest]) (*connect.Response[consolev1.DeleteHookResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	return respond(&consolev1.DeleteHookResponse{}, h.Delete(who, req.Msg.GetId()))
}

// RotateHookSecret implements HookService.
func (a hookAPI) RotateHookSecret(ctx context.Context, req *connect.Request[consolev1.RotateHookSecretRequest]) (*connect.Response[consolev1.RotateHookSecretResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	hook, secret, err := h.Rotate(ctx, who, req.Msg.GetId())
	return respond(&consolev1.RotateHookSecretResponse{Hook: hook, Secret: secret}, err)
}

// ListHookAttempts implements HookService.
func (a hookAPI) ListHookAttempts(ctx context.Context, req *connect.Request[consolev1.ListHookAttemptsRequest]) (*connect.Response[consolev1.ListHookAttemptsResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	list, err := h.Attempts(who, req.Msg.GetId(), req.Msg.GetLimit())
	return respond(&consolev1.ListHookAttemptsResponse{Attempts: list}, err)
}

// ReplayHook implements HookService.
func (a hookAPI) ReplayHook(ctx context.Context, req *connect.Request[consolev1.ReplayHookRequest]) (*connect.Response[consolev1.ReplayHookResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	return respond(h.Replay(ctx, who, req.Msg))
}

// TestHook implements HookService.
func (a hookAPI) TestHook(ctx context.Context, req *connect.Request[consolev1.TestHookRequest]) (*connect.Response[consolev1.TestHookResponse], error) {
	h, who, err := a.who(ctx, req.Header())
	if err != nil {
		return nil, wire.Error(err)
	}
	t, err := h.Test(ctx, who, req.Msg.GetId())
	return respond(&consolev1.TestHookResponse{Attempt: t}, err)
}
