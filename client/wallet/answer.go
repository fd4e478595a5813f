package wallet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mulian/internal/dcql"
	"mulian/internal/fault"
	"mulian/internal/jwe"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// Request is a verifier's request whose signature holds.
type Request struct {
	ClientID     string // x509_hash:…
	Name         string // as the verifier calls itself; what Trust knows counts more
	Chain        [][]byte
	Query        *dcql.Query
	Transactions []Transaction
	Registration []string // verifier_info: what the verifier says the ledger has of it

	nonce, state, place string
	transaction         []string // as they stood in the request
	seal                *encryption
}

// Transaction is what the holder's key signs along with the presentation.
type Transaction struct {
	Type        string
	Credentials []string // ids of credential queries
	Grant       string   // of type mulian.grant.v1: the grant
	Request     string   // and the hash of the data request
}

// grantType is the one type of transaction data that is understood.
const grantType = "mulian.grant.v1"

// wrong is a request that the wallet refuses, with the code of the protocol (8.5).
func wrong(c fault.Code, text string) error { return fault.Newf(c, "the request is refused: %s", text) }

// Resolve fetches and checks what a request link leads to. It is fetched once: whoever
// comes second gets nothing. Errors are those of OpenID4VP 8.5: ClientInvalid,
// RequestInvalid, FormatUnsupported, TransactionInvalid, UriMethodInvalid.
func (w *Wallet) Resolve(ctx context.Context, link string) (*Request, error) {
	q, err := linked(link)
	if err != nil {
		return nil, err
	}
	method, walletNonce, body := http.MethodGet, "", url.Values{}
	switch q.Get("request_uri_method") {
	case "", "get":
	case "post":
		method, walletNonce = http.MethodPost, fresh()
		body.Set("wallet_nonce", walletNonce)
	default:
		return nil, wrong(fault.UriMethodInvalid, "request_uri_method is neither get nor post")
	}
	kind := ""
	if method == http.MethodPost {
		kind = "application/x-www-form-urlencoded"
	}
	raw, contentType, err := w.fetch(ctx, method, q.Get("request_uri"), "", kind, []byte(body.Encode()))
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(contentType, "application/oauth-authz-req+jwt") {
		return nil, wrong(fault.RequestInvalid, "it is no signed request object")
	}
	return w.read(strings.TrimSpace(string(raw)), q.Get("client_id"), walletNonce)
}

// read checks a request object.
func (w *Wallet) read(text, client, walletNonce string) (*Request, error) {
	j, err := sdjwt.ParseJWS(text)
	if err != nil || j.Type() != "oauth-authz-req+jwt" {
		return nil, wrong(fault.RequestInvalid, "it is no signed request object with ES256")
	}
	r := &Request{ClientID: client}
	if r.Chain, err = signedBy(j, client); err != nil {
		return nil, err
	}
	if w.Trust == nil {
		return nil, wrong(fault.ClientInvalid, "no verifier is trusted here")
	}
	if err := w.Trust(r.Chain); err != nil {
		return nil, wrong(fault.ClientInvalid, err.Error())
	}
	p := j.Payload
	exp, hasExp := p.Whole("exp")
	switch {
	case p.Text("client_id") != client:
		return nil, wrong(fault.ClientInvalid, "the link names another verifier than the request")
	case p.Text("wallet_nonce") != walletNonce:
		return nil, wrong(fault.RequestInvalid, "the request was made for somebody else")
	case p.Text("response_type") != "vp_token":
		return nil, wrong(fault.RequestInvalid, "response_type is not vp_token")
	case hasExp && w.now().After(time.Unix(exp, 0)):
		return nil, wrong(fault.RequestInvalid, "the request has ended")
	case !slices.Contains([]string{"direct_post", "direct_post.jwt"}, p.Text("response_mode")):
		return nil, wrong(fault.RequestInvalid, "response_mode is none that leads away from this device safely")
	}
	r.nonce, r.state, r.place = p.Text("nonce"), p.Text("state"), p.Text("response_uri")
	if len(r.nonce) < 16 || len(r.nonce) > 512 || len(r.state) > 512 {
		return nil, wrong(fault.RequestInvalid, "the nonce or the state is too short or too long")
	}
	return r, w.contents(r, p)
}

// contents reads what is asked and how it is answered.
func (w *Wallet) contents(r *Request, p sdjwt.Object) (err error) {
	if r.Query, err = dcql.FromObject(objectOf(p, "dcql_query")); err != nil {
		return wrong(fault.RequestInvalid, err.Error())
	}
	if !slices.ContainsFunc(r.Query.Credentials, func(c dcql.Credential) bool { return c.Format == dcql.FormatSDJWT }) {
		return wrong(fault.FormatUnsupported, "only "+dcql.FormatSDJWT+" is kept here")
	}
	if err := r.transactions(p); err != nil {
		return err
	}
	infos, _ := p.Get("verifier_info")
	list, _ := infos.(sdjwt.Array)
	for _, e := range list {
		o, _ := e.(sdjwt.Object)
		r.Registration = append(r.Registration, o.Text("data"))
	}
	meta := objectOf(p, "client_metadata")
	r.Name = cut(meta.Text("client_name"), 64)
	if p.Text("response_mode") == "direct_post.jwt" {
		return r.sealing(meta)
	}
	return nil
}

// transactions reads transaction_data: one that is not understood refuses the request
// (OpenID4VP 8.4), for the holder would sign what he was not shown.
func (r *Request) transactions(p sdjwt.Object) error {
	_, has := p.Get("transaction_data")
	r.transaction = texts(p, "transaction_data")
	if has && (len(r.transaction) == 0 || len(r.transaction) > sdjwt.MaxTransaction) {
		return wrong(fault.TransactionInvalid, "transaction_data is no list of texts")
	}
	for _, t := range r.transaction {
		raw, err := sdjwt.Decode(t)
		if err != nil {
			return wrong(fault.TransactionInvalid, "not base64url")
		}
		o, err := sdjwt.ParseObject(raw)
		if err != nil {
			return wrong(fault.TransactionInvalid, "not a JSON object")
		}
		td := Transaction{Type: o.Text("type"), Credentials: texts(o, "credential_ids"), Grant: o.Text("grant"), Request: o.Text("req")}
		_, hashes := o.Get("transaction_data_hashes_alg")
		if td.Type != grantType || td.Grant == "" || td.Request == "" || len(td.Credentials) == 0 || hashes && !slices.Contains(texts(o, "transaction_data_hashes_alg"), "sha-256") {
			return wrong(fault.TransactionInvalid, "a type or a form that is not understood")
		}
		for _, id := range td.Credentials {
			if c := r.Query.Find(id); c == nil || c.Unbound {
				return wrong(fault.TransactionInvalid, "it names no credential that is asked for")
			}
		}
		r.Transactions = append(r.Transactions, td)
	}
	return nil
}

// sealing finds the key that the answer is sealed to.
func (r *Request) sealing(meta sdjwt.Object) error {
	v, _ := objectOf(meta, "jwks").Get("keys")
	keys, _ := v.(sdjwt.Array)
	for _, e := range keys {
		k, _ := e.(sdjwt.Object)
		if _, err := jwe.ParseJWK(k); err != nil || k.Text("use") == "sig" || k.Text("alg") != "" && k.Text("alg") != "ECDH-ES" {
			continue
		}
		r.seal = &encryption{key: k, kid: k.Text("kid"), enc: jwe.A128GCM}
		if encs := texts(meta, "encrypted_response_enc_values_supported"); len(encs) > 0 {
			at := slices.IndexFunc(encs, func(s string) bool { return s == string(jwe.A128GCM) || s == string(jwe.A256GCM) })
			if at < 0 {
				return wrong(fault.RequestInvalid, "no encryption that is understood")
			}
			r.seal.enc = jwe.Encryption(encs[at])
		}
		return nil
	}
	return wrong(fault.RequestInvalid, "no key to encrypt the answer to")
}

// signedBy checks a request object against its certificate, which client must name.
func signedBy(j *sdjwt.JWS, client string) ([][]byte, error) {
	var chain [][]byte
	for _, c := range texts(j.Header, "x5c") {
		der, err := base64.StdEncoding.DecodeString(c)
		if err != nil || len(chain) == 4 {
			return nil, wrong(fault.ClientInvalid, "x5c is no short list of certificates")
		}
		chain = append(chain, der)
	}
	if len(chain) == 0 {
		return nil, wrong(fault.ClientInvalid, "no certificate")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, wrong(fault.ClientInvalid, "the certificate cannot be read")
	}
	sum := sha256.Sum256(chain[0])
	if hash, ok := strings.CutPrefix(client, "x509_hash:"); !ok || hash != sdjwt.Encode(sum[:]) {
		return nil, wrong(fault.ClientInvalid, "client_id is not the hash of the certificate")
	}
	pub, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, wrong(fault.ClientInvalid, "the certificate has no key of P-256")
	}
	point, err := pub.ECDH()
	if err != nil {
		return nil, wrong(fault.ClientInvalid, "the certificate has no key of P-256")
	}
	key, err := sm.ParsePublic(sm.P256, point.Bytes())
	if err != nil || j.Check(key) != nil {
		return nil, wrong(fault.ClientInvalid, "the signature of the request does not hold")
	}
	return chain, nil
}
