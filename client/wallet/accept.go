package wallet

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mulian/internal/fault"
	"mulian/internal/sdjwt"
)

// maxKeys is how many credentials of one kind are taken at once (spec/safebox.md, 3.3).
const maxKeys = 10

// Offered is an offer, resolved: what is offered, by whom, and whether a code is needed.
type Offered struct {
	Issuer         string   // its identifier, the https URL
	Name           string   // as it calls itself, in Chinese if it can
	Configurations []string // ids of what is offered
	Digits         int      // of the transaction code that its owner was told; 0: none

	code          string // pre-authorised
	token         string
	nonce         string
	credential    string
	notification  string
	batch         int
	configuration sdjwt.Object
}

// Received is a credential as it was issued, with the key that it is bound to.
type Received struct {
	Text          string
	Configuration string
	Type          string // vct
	Holder        sdjwt.Signer
}

// Offer resolves an offer's link: where it leads is asked for its metadata, which must
// name the issuer itself (OpenID4VCI 12.2.1). Nothing is spent yet. OfferExpired: the issuer
// has no such offer any more; it does not say whether it ran out or was used.
func (w *Wallet) Offer(ctx context.Context, link string) (*Offered, error) {
	q, err := linked(link)
	if err != nil {
		return nil, err
	}
	offer, err := w.call(ctx, http.MethodGet, q.Get("credential_offer_uri"), "", "", nil)
	var r *Refusal
	if errors.As(err, &r) && (r.Status == http.StatusNotFound || r.Status == http.StatusGone) {
		return nil, fault.Wrap(fault.OfferExpired, r, "the offer")
	}
	if err != nil {
		return nil, err
	}
	o := &Offered{Issuer: offer.Text("credential_issuer"), Configurations: texts(offer, "credential_configuration_ids")}
	grant := objectOf(objectOf(offer, "grants"), preAuthorised)
	if o.code = grant.Text("pre-authorized_code"); o.code == "" || len(o.Configurations) == 0 {
		return nil, fault.Newf(fault.Malformed, "the offer has no pre-authorised code, or offers nothing")
	}
	if tx := objectOf(grant, "tx_code"); tx != nil {
		length, ok := tx.Whole("length")
		if !ok || length < 1 || length > 16 {
			length = 6
		}
		o.Digits = int(length)
	}
	return o, w.described(ctx, o)
}

const preAuthorised = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// described asks the issuer and its authorization server for their metadata.
func (w *Wallet) described(ctx context.Context, o *Offered) error {
	meta, err := w.call(ctx, http.MethodGet, wellKnown(o.Issuer, "openid-credential-issuer"), "", "", nil)
	if err != nil {
		return err
	}
	if meta.Text("credential_issuer") != o.Issuer {
		return fault.Newf(fault.VerificationFailed, "the metadata belong to another issuer")
	}
	o.credential, o.notification, o.nonce = meta.Text("credential_endpoint"), meta.Text("notification_endpoint"), meta.Text("nonce_endpoint")
	o.configuration = objectOf(meta, "credential_configurations_supported")
	o.batch = 1
	if n, ok := objectOf(meta, "batch_credential_issuance").Whole("batch_size"); ok && n > 1 {
		o.batch = int(min(n, maxKeys))
	}
	for _, id := range o.Configurations {
		if objectOf(o.configuration, id) == nil {
			return fault.Newf(fault.Malformed, "the issuer does not describe what it offers")
		}
	}
	if v, _ := meta.Get("display"); v != nil {
		o.Name = named(v)
	}
	server := o.Issuer
	if servers := texts(meta, "authorization_servers"); len(servers) > 0 {
		server = servers[0]
	}
	auth, err := w.call(ctx, http.MethodGet, wellKnown(server, "oauth-authorization-server"), "", "", nil)
	if err != nil {
		return err
	}
	if auth.Text("issuer") != server {
		return fault.Newf(fault.VerificationFailed, "the metadata belong to another authorization server")
	}
	o.token = auth.Text("token_endpoint")
	return nil
}

// named is a name of a display list: the Chinese one, else the first.
func named(v any) string {
	list, _ := v.(sdjwt.Array)
	name := ""
	for _, e := range list {
		d, _ := e.(sdjwt.Object)
		if name == "" || strings.HasPrefix(d.Text("locale"), "zh") {
			name = d.Text("name")
		}
	}
	return cut(name, 64)
}

// wellKnown puts a well-known name between host and path (RFC 8615, OpenID4VCI 12.2.2).
func wellKnown(issuer, name string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	u.Path = "/.well-known/" + name + strings.TrimSuffix(u.Path, "/")
	return u.String()
}

// Acceptance is an offer that was accepted: what Tell needs.
type Acceptance struct {
	token, endpoint string
	notices         []string
}

// Accept takes what is offered: of each configuration one credential for each key, at most
// as many as the issuer gives at once. code is the transaction code, empty if none is
// needed. A *Refusal tells what the issuer has against it: invalid_grant for a wrong code
// or a used offer, invalid_proof, invalid_nonce (asked anew once by itself).
func (w *Wallet) Accept(ctx context.Context, o *Offered, code string, keys []sdjwt.Signer) ([]Received, *Acceptance, error) {
	form := url.Values{"grant_type": {preAuthorised}, "pre-authorized_code": {o.code}}
	if code != "" {
		form.Set("tx_code", code)
	}
	answer, err := w.call(ctx, http.MethodPost, o.token, "", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return nil, nil, err
	}
	a := &Acceptance{token: answer.Text("access_token"), endpoint: o.notification}
	if len(keys) == 0 || a.token == "" {
		return nil, nil, fault.Newf(fault.Malformed, "no key, or the issuer gave no token")
	}
	keys = keys[:min(len(keys), o.batch)]
	var out []Received
	for _, id := range o.Configurations {
		got, notice, err := w.credentials(ctx, o, a.token, id, keys)
		var r *Refusal
		if errors.As(err, &r) && r.Code == "invalid_nonce" {
			got, notice, err = w.credentials(ctx, o, a.token, id, keys)
		}
		if err != nil {
			return out, a, err
		}
		if notice != "" {
			a.notices = append(a.notices, notice)
		}
		out = append(out, got...)
	}
	return out, a, nil
}

// credentials asks for those of one configuration.
func (w *Wallet) credentials(ctx context.Context, o *Offered, token, id string, keys []sdjwt.Signer) (out []Received, notice string, err error) {
	nonce := ""
	if o.nonce != "" {
		answer, err := w.call(ctx, http.MethodPost, o.nonce, "", "application/x-www-form-urlencoded", nil)
		if err != nil {
			return nil, "", err
		}
		nonce = answer.Text("c_nonce")
	}
	proofs := sdjwt.Array{}
	for _, k := range keys {
		p, err := w.proof(o.Issuer, nonce, k)
		if err != nil {
			return nil, "", err
		}
		proofs = append(proofs, p)
	}
	body := sdjwt.AppendJSON(nil, sdjwt.Object{{Name: "credential_configuration_id", Value: id}, {Name: "proofs", Value: sdjwt.Object{{Name: "jwt", Value: proofs}}}})
	answer, err := w.call(ctx, http.MethodPost, o.credential, token, "application/json", body)
	if err != nil {
		return nil, "", err
	}
	v, _ := answer.Get("credentials")
	list, _ := v.(sdjwt.Array)
	if len(list) == 0 || len(list) > len(keys) { // fewer: of a licence there is one
		return nil, "", fault.Newf(fault.Malformed, "%d credentials for %d keys", len(list), len(keys))
	}
	left := slices.Clone(keys)
	for _, e := range list {
		c, _ := e.(sdjwt.Object)
		text := c.Text("credential")
		t, err := sdjwt.Parse(text)
		if err != nil {
			return nil, "", fault.Wrap(fault.VerificationFailed, err, "what was issued")
		}
		at := holderOf(t, left)
		if at < 0 {
			return nil, "", fault.Newf(fault.VerificationFailed, "what was issued is bound to another key")
		}
		out = append(out, Received{Text: text, Configuration: id, Type: t.Issuer.Payload.Text("vct"), Holder: left[at]})
		left = slices.Delete(left, at, at+1)
	}
	return out, answer.Text("notification_id"), nil
}

// holderOf returns which key a credential's cnf names, or -1.
func holderOf(t *sdjwt.Token, keys []sdjwt.Signer) int {
	jwk, err := sdjwt.ParseJWK(objectOf(objectOf(t.Issuer.Payload, "cnf"), "jwk"))
	if err != nil {
		return -1
	}
	return slices.IndexFunc(keys, func(k sdjwt.Signer) bool { return string(k.Public().Bytes()) == string(jwk.Bytes()) })
}

// proof proves a key to the issuer (OpenID4VCI, annex F.1).
func (w *Wallet) proof(issuer, nonce string, k sdjwt.Signer) (string, error) {
	jwk, err := sdjwt.JWK(k.Public())
	if err != nil {
		return "", err
	}
	payload := sdjwt.Object{{Name: "aud", Value: issuer}, {Name: "iat", Value: int(w.now().Unix())}}
	if nonce != "" {
		payload = append(payload, sdjwt.Member{Name: "nonce", Value: nonce})
	}
	return sdjwt.SignJWS(sdjwt.Object{{Name: "typ", Value: "openid4vci-proof+jwt"}, {Name: "jwk", Value: jwk}}, payload, k)
}

// Events of Tell.
const (
	Accepted = "credential_accepted" // durable in the box
	Failure  = "credential_failure"  // could not be kept
	Deleted  = "credential_deleted"  // the owner does not want it
)

// Tell tells the issuer what became of its credentials; an issuer without a place for that
// is told nothing.
func (w *Wallet) Tell(ctx context.Context, a *Acceptance, event string) error {
	if a.endpoint == "" {
		return nil
	}
	for _, id := range a.notices {
		body := sdjwt.AppendJSON(nil, sdjwt.Object{{Name: "notification_id", Value: id}, {Name: "event", Value: event}})
		if _, err := w.call(ctx, http.MethodPost, a.endpoint, a.token, "application/json", body); err != nil {
			return err
		}
	}
	return nil
}
