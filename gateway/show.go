package gateway

import (
	"context"
	"strings"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/issue"
	credentialv1 "mulian/gen/mulian/credential/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// ShowCall is what a verifier asks with a code of a licence that is shown: under which
// intended use of his organisation he looks. It is the question of a call (client/caller)
// named ShowWhat, posted to /S/<code> of the gateway.
type ShowCall struct {
	Use string `json:"use"`
}

// ShowWhat names the call.
const ShowWhat = "show"

// registeredVerifier tells who asks: an account of an organisation that has registered the
// use under which it looks, and whose registration counts. NotWhitelisted, NotFound, and what
// caller.Door refuses with.
func (g *Gateway) registeredVerifier(ctx context.Context, raw []byte) (string, error) {
	var ask ShowCall
	acc, err := g.calls.Admit(ctx, ShowWhat, raw, &ask)
	if err != nil {
		return "", err
	}
	if acc.GetOrg() == "" {
		return "", fault.Newf(fault.NotWhitelisted, "%s acts for no organisation", acc.GetId())
	}
	use := &grantv1.IntendedUse{}
	found, _, err := g.proved.Get(ctx, "grant/register/"+ask.Use, use)
	switch {
	case err != nil:
		return "", err
	case !found || use.GetOrg() != acc.GetOrg() || use.GetState() != grantv1.IntendedUseState_INTENDED_USE_STATE_ACTIVE:
		return "", fault.Newf(fault.NotWhitelisted, "%s has not registered the use %.80q", acc.GetOrg(), ask.Use)
	}
	return acc.GetId(), nil
}

// ledgerWait bounds what is asked of the ledger for one signature.
const ledgerWait = 10 * time.Second

// issuerNamed finds the issuer on the ledger with a URL: IssuerNotAuthorised.
func (g *Gateway) issuerNamed(ctx context.Context, fits func(*credentialv1.Issuer) bool) (*credentialv1.Issuer, error) {
	for after := ""; ; {
		res, err := g.chain.Credential.ListIssuers(ctx, rpc.NewRequest(&credentialv1.ListIssuersRequest{After: after, Limit: 500}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		for _, i := range res.Msg.GetIssuers() {
			if fits(i) {
				return i, nil
			}
		}
		if after = res.Msg.GetNext(); after == "" {
			return nil, fault.Newf(fault.IssuerNotAuthorised, "the ledger knows no such issuer")
		}
	}
}

// issuerKey is the key of an issuer that the ledger knows: the server says which organisation
// it is, and its keys are proved.
func (g *Gateway) issuerKey(s sdjwt.Signature) (sm.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), ledgerWait)
	defer cancel()
	i, err := g.issuerNamed(ctx, func(i *credentialv1.Issuer) bool { return i.GetUrl() == s.Issuer })
	if err != nil {
		return sm.PublicKey{}, err
	}
	known, keys, err := issue.Keys(ctx, g.get, i.GetOrg())
	if err != nil {
		return sm.PublicKey{}, err
	}
	return issue.Trust(known, keys)(s)
}

// statusOf reads the status of a credential from the ledger, with proof.
func (g *Gateway) statusOf(ctx context.Context, at sdjwt.StatusAt) (sdjwt.Status, error) {
	i, err := g.issuerNamed(ctx, func(i *credentialv1.Issuer) bool {
		return strings.HasPrefix(at.URI, i.GetStatusUrl()+"/"+i.GetOrg()+"/")
	})
	if err != nil {
		return 0, err
	}
	known, _, err := issue.Keys(ctx, g.get, i.GetOrg())
	if err != nil {
		return 0, err
	}
	return issue.StatusOf(ctx, g.get, known, at)
}
