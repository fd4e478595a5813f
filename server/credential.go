package server

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"mulian/client/annotated"
	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

type credentialAPI struct{ s *Server }

// ListCredentialTypes lists the versions of the types, by id and version.
func (c credentialAPI) ListCredentialTypes(ctx context.Context, req *connect.Request[credentialv1.ListCredentialTypesRequest]) (*connect.Response[credentialv1.ListCredentialTypesResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOwner(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	page, next, total, err := index.List[credentialv1.CredentialType](ctx, c.s.index, index.Filter{Kind: index.CredType, Org: m.GetOwner(), After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&credentialv1.ListCredentialTypesResponse{Types: page, Next: next, Total: total}, err)
}

// GetCredentialType gives a version of a type, the newest for version 0.
func (c credentialAPI) GetCredentialType(ctx context.Context, req *connect.Request[credentialv1.GetCredentialTypeRequest]) (*connect.Response[credentialv1.GetCredentialTypeResponse], error) {
	m := req.Msg
	if err := checkText(m.GetId()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	var found *credentialv1.CredentialType
	for after := ""; ; {
		page, next, _, err := index.List[credentialv1.CredentialType](ctx, c.s.index, index.Filter{Kind: index.CredType, Under: m.GetId() + "/", After: after, Limit: 500})
		if err != nil {
			return nil, wire.Error(err)
		}
		for _, t := range page {
			if m.GetVersion() == 0 || t.GetVersion() == m.GetVersion() {
				found = t // they ascend: the last is the newest
			}
		}
		if after = next; next == "" {
			break
		}
	}
	if found == nil {
		return nil, wire.Error(fault.Newf(fault.NotFound, "there is no credential type %s of version %d: mulian credential type", m.GetId(), m.GetVersion()))
	}
	return respond(&credentialv1.GetCredentialTypeResponse{Type: found}, nil)
}

// ListIssuers lists who is known as issuer.
func (c credentialAPI) ListIssuers(ctx context.Context, req *connect.Request[credentialv1.ListIssuersRequest]) (*connect.Response[credentialv1.ListIssuersResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	page, next, total, err := index.List[credentialv1.Issuer](ctx, c.s.index, index.Filter{Kind: index.Issuer, After: m.GetAfter(), Limit: m.GetLimit()})
	return respond(&credentialv1.ListIssuersResponse{Issuers: page, Next: next, Total: total}, err)
}

// GetCredential gives the anchor of one credential.
func (c credentialAPI) GetCredential(ctx context.Context, req *connect.Request[credentialv1.GetCredentialRequest]) (*connect.Response[credentialv1.GetCredentialResponse], error) {
	m := req.Msg
	if err := checkText(m.GetId()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	found, ok, err := index.Get[credentialv1.Credential](ctx, c.s.index, index.Credential+m.GetId())
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "there is no credential %s", m.GetId())
	}
	return respond(&credentialv1.GetCredentialResponse{Credential: found}, err)
}

// ListCredentials lists anchors by id.
func (c credentialAPI) ListCredentials(ctx context.Context, req *connect.Request[credentialv1.ListCredentialsRequest]) (*connect.Response[credentialv1.ListCredentialsResponse], error) {
	m := req.Msg
	if err := checkText(m.GetIssuer(), m.GetType(), m.GetAfter()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	f := index.Filter{Kind: index.Credential, Org: m.GetIssuer(), Ref: m.GetType(), After: m.GetAfter(), Limit: m.GetLimit()}
	if m.GetState() != 0 {
		f.States = []int32{int32(m.GetState())}
	}
	page, next, total, err := index.List[credentialv1.Credential](ctx, c.s.index, f)
	return respond(&credentialv1.ListCredentialsResponse{Credentials: page, Next: next, Total: total}, err)
}

// GetStatusList gives a list with all its pages that are there.
func (c credentialAPI) GetStatusList(ctx context.Context, req *connect.Request[credentialv1.GetStatusListRequest]) (*connect.Response[credentialv1.GetStatusListResponse], error) {
	m := req.Msg
	if err := checkText(m.GetIssuer()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	key := fmt.Sprintf("%s/%016x", m.GetIssuer(), m.GetList())
	list, ok, err := index.Get[credentialv1.StatusList](ctx, c.s.index, index.StatusList+key)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "%s has no status list %d", m.GetIssuer(), m.GetList())
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	pages, _, _, err := index.List[credentialv1.StatusPage](ctx, c.s.index, index.Filter{Kind: index.StatusPage, Under: key + "/", Limit: 100})
	return respond(&credentialv1.GetStatusListResponse{List: list, Pages: pages}, err)
}

// GetCopy gives the record of an annotated copy.
func (c credentialAPI) GetCopy(ctx context.Context, req *connect.Request[credentialv1.GetCopyRequest]) (*connect.Response[credentialv1.GetCopyResponse], error) {
	m := req.Msg
	if err := checkText(m.GetId()); err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	found, err := c.copy(ctx, m.GetId())
	return respond(&credentialv1.GetCopyResponse{Copy: found}, err)
}

func (c credentialAPI) copy(ctx context.Context, id string) (*credentialv1.AnnotatedCopy, error) {
	found, ok, err := index.Get[credentialv1.AnnotatedCopy](ctx, c.s.index, index.AnnotatedCopy+id)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "there is no annotated copy of this code")
	}
	return found, err
}

// CheckCopy checks the code of an annotated copy, as a page does for who has no program. What
// does not hold is an answer, not an error. NotFound, Malformed (the code).
func (c credentialAPI) CheckCopy(ctx context.Context, req *connect.Request[credentialv1.CheckCopyRequest]) (*connect.Response[credentialv1.CheckCopyResponse], error) {
	m := req.Msg
	if err := checkText(m.GetCode(), m.GetPresenter()); err != nil {
		return nil, wire.Error(err)
	}
	p, err := annotated.ParseCode(m.GetCode())
	if err != nil {
		return nil, wire.Error(err)
	}
	c.s.fresh(ctx)
	record, err := c.copy(ctx, annotated.ID(p.Short))
	if err != nil {
		return nil, wire.Error(err)
	}
	now := c.s.opts.Now().UnixMilli()
	out := &credentialv1.CheckCopyResponse{RecipientChecked: m.GetPresenter() != ""}
	err = annotated.CheckCode(record, p, m.GetPresenter(), now)
	if !fault.Is(err, fault.CopyCode) { // with wrong letters he has not the copy
		out.Copy = record
		var more error
		if more = c.describe(ctx, out, annotated.CredentialOf(p.Short, record)); more != nil {
			return nil, wire.Error(more)
		}
		if err == nil {
			err = annotated.CheckCredential(out.Credential, now)
		}
	}
	if err != nil {
		out.Code, out.Reason = uint32(fault.CodeOf(err)), err.Error()
	}
	return respond(out, nil)
}

// describe adds what is known of the credential of a copy, and the names of organisations.
func (c credentialAPI) describe(ctx context.Context, out *credentialv1.CheckCopyResponse, id string) error {
	anchor, ok, err := index.Get[credentialv1.Credential](ctx, c.s.index, index.Credential+id)
	if err != nil || !ok {
		return err
	}
	out.Credential = anchor
	kind, ok, err := index.Get[credentialv1.CredentialType](ctx, c.s.index, fmt.Sprintf("%s%s/%016x", index.CredType, anchor.GetType(), anchor.GetVersion()))
	if err != nil {
		return err
	}
	if ok {
		out.TypeName = kind.GetName()
	}
	for id, name := range map[string]*string{anchor.GetIssuer(): &out.IssuerName, out.Copy.GetMaker(): &out.MakerName} {
		acc, ok, err := index.Get[identityv1.Account](ctx, c.s.index, index.Account+id)
		if err != nil {
			return err
		}
		if ok {
			*name = acc.GetProfile().GetName()
		}
	}
	return nil
}
