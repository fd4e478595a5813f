package gateway

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"sync"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/issue"
	"mulian/gateway/openid"
	"mulian/gateway/reference"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/wire"
)

// openWallets opens the door for wallets, if the configuration has one.
func (g *Gateway) openWallets(ctx context.Context) (err error) {
	if g.cfg.OpenID == nil {
		return nil
	}
	parts := g.opts.Wallets
	if parts.Now == nil {
		parts.Now = g.opts.Clock
	}
	if parts.Reported == nil {
		parts.Reported = func(_ context.Context, r reference.Report) {
			g.log.Warn("a person says that he did not start this request", "asker", r.Asker, "at", r.At)
		}
	}
	if len(g.cfg.OpenID.Offers) > 0 && parts.Issue == nil {
		w, err := g.openWindow(ctx)
		if err != nil {
			return err
		}
		parts.Configurations, parts.Issue, parts.Told = w.offers, w.issue, w.told
	}
	if parts.Policy.Keys == nil {
		parts.Policy.Keys, parts.Policy.Status = g.issuerKey, g.statusOf
	}
	if parts.Show == nil {
		parts.Show = &openid.Showing{Audience: g.cfg.Account, Policy: parts.Policy, Verifier: g.registeredVerifier}
	}
	g.wallets, err = openid.Open(*g.cfg.OpenID, cmp.Or(g.cfg.URL, "http://"+g.Addr()), parts)
	return err
}

// Wallets is the door for wallets, or nil: who composes a gateway offers and asks by it.
func (g *Gateway) Wallets() *openid.Door { return g.wallets }

// window is where wallets get what the office makes.
type window struct {
	g      *Gateway
	offers []openid.Configuration
	kinds  map[string]openid.Offered // by what wallets call them

	mu    sync.Mutex
	given map[string][]string // ids of the credentials of an order; mu
	order []string            // of the keys of given, the oldest first; mu
}

// maxGiven bounds the orders of which is remembered what was given: for a notification, which
// comes within seconds.
const maxGiven = 10_000

// openWindow describes what is offered, as the ledger has it. Usage without an office.
func (g *Gateway) openWindow(ctx context.Context) (*window, error) {
	if g.office == nil {
		return nil, fault.Newf(fault.Usage, "openid.offers: this gateway is no issuer yet: mulian credential issuer")
	}
	w := &window{g: g, kinds: map[string]openid.Offered{}, given: map[string][]string{}}
	for _, o := range g.cfg.OpenID.Offers {
		t, err := w.newest(ctx, o.Type)
		if err != nil {
			return nil, err
		}
		c := openid.Configuration{ID: o.ID, Type: t.GetVct(), Names: map[string]string{"zh-CN": t.GetName()}}
		for _, f := range t.GetFields() {
			c.Claims = append(c.Claims, openid.ClaimName{Path: sdjwt.Path{f.GetName()}, Names: map[string]string{"zh-CN": f.GetTitle()}})
		}
		w.offers, w.kinds[o.ID] = append(w.offers, c), o
	}
	return w, nil
}

// newest is the newest version of a type as the server has it; what is issued in it is held
// against the proved one.
func (w *window) newest(ctx context.Context, id string) (*credentialv1.CredentialType, error) {
	res, err := w.g.chain.Credential.GetCredentialType(ctx, rpc.NewRequest(&credentialv1.GetCredentialTypeRequest{Id: id}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg.GetType(), nil
}

// holder is what the department's system says of who may have a credential: the subject of
// /desk/offer and /desk/authorize.
type holder struct {
	Row     string `json:"row"`     // value of the row's primary key
	Serial  string `json:"serial"`  // of a licence
	Account string `json:"account"` // of the owner; empty: the department has looked itself whose row it is
	Salt    string `json:"salt"`    // hex: what opens his proofing, from his proof of identity
}

// issue makes the credentials of an order: of a licence one, for the first key, which takes
// the place of the one that is in force; of others one for each key.
func (w *window) issue(ctx context.Context, o openid.Order) ([]string, error) {
	var who holder
	if err := json.Unmarshal([]byte(o.Subject), &who); err != nil {
		return nil, &openid.Error{Code: openid.CredentialDenied, Text: "the department does not say which record it is"}
	}
	kind := w.kinds[o.Configuration]
	t, err := w.newest(ctx, kind.Type)
	if err != nil {
		return nil, err
	}
	order := issue.Order{
		Type: kind.Type, Version: t.GetVersion(), RowKey: who.Row, Serial: who.Serial, Own: kind.Own, Validity: time.Duration(kind.Days) * 24 * time.Hour, Renew: true,
	}
	if who.Account != "" {
		salt, err := hex.DecodeString(who.Salt)
		if err != nil {
			return nil, &openid.Error{Code: openid.CredentialDenied, Text: "the proof of identity cannot be read"}
		}
		order.Owner = &issue.Owner{Account: who.Account, Salt: salt}
	}
	keys := o.Holders
	if t.GetLicenceCode() != "" {
		keys = keys[:1]
	}
	var texts, ids []string
	for _, key := range keys {
		order.Holder = key
		made, err := w.g.office.Issue(ctx, order)
		if err != nil {
			w.g.log.Warn("a wallet did not get a credential", "type", kind.Type, "code", fault.CodeOf(err).String())
			return nil, denied(err)
		}
		texts, ids = append(texts, made.Outward), append(ids, made.ID)
	}
	w.remember(o.ID, ids)
	return texts, nil
}

// denied tells a wallet what will not change by asking again; all else is temporary.
func denied(err error) error {
	switch fault.CodeOf(err) {
	case fault.SubjectMismatch, fault.SourceMissing, fault.Missing, fault.SchemaUnknownVersion, fault.IssuerNotAuthorised, fault.DuplicateActive:
		return &openid.Error{Code: openid.CredentialDenied, Text: "the department cannot issue this credential: " + fault.CodeOf(err).String()}
	}
	return err
}

func (w *window) remember(order string, ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.order) >= maxGiven {
		delete(w.given, w.order[0])
		w.order = w.order[1:]
	}
	w.given[order] = ids
	w.order = append(w.order, order)
}

// told takes what became of credentials in a wallet. What was not kept there, or was deleted,
// is suspended: nobody shows it any more, and an officer revokes it or issues another one.
func (w *window) told(ctx context.Context, n openid.Notice) {
	w.mu.Lock()
	ids := w.given[n.Order]
	w.mu.Unlock()
	if n.Event == "credential_accepted" || len(ids) == 0 {
		return
	}
	m := &credentialv1.SetCredentialStatus{}
	for _, id := range ids {
		m.Changes = append(m.Changes, &credentialv1.StatusChange{
			Id: id, State: credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED, Cause: credentialv1.StatusCause_STATUS_CAUSE_HOLDER_ASKED, Note: "the wallet says " + n.Event,
		})
	}
	if err := w.g.office.Send(context.WithoutCancel(ctx), m); err != nil {
		w.g.log.Warn("credentials that a wallet does not keep are not suspended yet", "first", ids[0], "code", fault.CodeOf(err).String())
	}
}
