package openid

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// Lives and bounds of an issuer. Our own choice, where no source is named.
const (
	OfferLife   = 10 * time.Minute // a person takes the phone out and types six digits
	tokenLife   = 5 * time.Minute
	noticeLife  = 24 * time.Hour
	MaxBatch    = 10 // credentials of one request: spec/safebox.md, 3.3
	codeTries   = 5  // of 10^6 transaction codes
	maxOffers   = 10_000
	proofMaxAge = 5 * time.Minute // between a proof's iat and our clock, both ways
)

// Order is what a wallet may have: the credentials of one configuration, one for each key.
type Order struct {
	Subject       string // what Offer was called with: whose data it is, in the issuer's words
	Configuration string
	Holders       []sm.PublicKey // 1 to MaxBatch
	ID            string         // of this order: a Notice of what came of it has the same
}

// Notice is what a wallet tells of credentials that it got.
type Notice struct {
	Subject       string
	Configuration string
	Order         string // its ID
	Event         string // credential_accepted, credential_failure or credential_deleted
}

// Configuration is a kind of credential that is offered.
type Configuration struct {
	ID     string            // in metadata and offers
	Type   string            // vct
	Names  map[string]string // by language tag: zh-CN, en
	Claims []ClaimName
}

// ClaimName says what a field of a credential is called.
type ClaimName struct {
	Path  sdjwt.Path
	Names map[string]string // by language tag
}

// IssuerConfig is what an Issuer needs. URL, Name, Configurations and Issue are required.
type IssuerConfig struct {
	// URL is the credential issuer identifier: https://host/path without a slash at its
	// end. http only for this machine itself.
	URL string
	// Names are the issuer's names by language tag.
	Names map[string]string
	// Configurations are what can be offered.
	Configurations []Configuration
	// Clients are the wallets that may begin here, and Login is where their person logs in:
	// the department's own page, which is given ?interaction=… . None: a wallet needs an offer.
	Clients []Client
	Login   string
	// Issue makes the credentials of an order, in the order of its keys, or fewer. An *Error is told
	// to the wallet as it is; every other error as temporarily_unavailable, and the token
	// stays good. Required.
	Issue func(context.Context, Order) ([]string, error)
	// Told is called once for each notification. Nil: they are taken and forgotten.
	Told func(context.Context, Notice)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Issuer hands credentials out. Safe for concurrent use.
type Issuer struct {
	cfg    IssuerConfig
	path   string // of URL
	nonces *nonces
	offers *shelf[*offer] // by the offer's public id
	codes  *shelf[*offer] // by the pre-authorised code
	tokens *shelf[*offer] // by the access token
	given  *shelf[Notice] // by the notification id

	sealer     *sealer
	visited    *shelf[struct{}]    // requests with which a browser came; the oldest are forgotten
	done       *shelf[struct{}]    // requests that the desk has answered
	authorized *shelf[*authorized] // by the authorization code
	redeemed   *shelf[*offer]      // by a code that was used
}

// offer is one offer through its life.
type offer struct {
	subject        string
	configurations []string
	code           string // pre-authorised

	mu    sync.Mutex
	tx    string // transaction code; empty: none is asked for
	tries int    // mu: wrong transaction codes
	used  bool   // mu: it gave its token
	over  bool   // mu: its token counts no more
}

// NewIssuer checks the configuration.
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(cfg.URL, "/") || u.String() != cfg.URL {
		return nil, fmt.Errorf("issuer: url %q is no https://host/path", cfg.URL)
	}
	if cfg.Issue == nil || len(cfg.Configurations) == 0 {
		return nil, fmt.Errorf("issuer %s: nothing can be issued", cfg.URL)
	}
	if wrong := checkClients(cfg.Clients, cfg.Login); wrong != "" {
		return nil, fmt.Errorf("issuer %s: %s", cfg.URL, wrong)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	sealer, err := newSealer(cfg.Now)
	if err != nil {
		return nil, err
	}
	return &Issuer{
		cfg: cfg, path: u.Path, nonces: newNonces(cfg.Now),
		offers: newShelf[*offer](maxOffers, cfg.Now), codes: newShelf[*offer](maxOffers, cfg.Now),
		tokens: newShelf[*offer](maxOffers, cfg.Now), given: newShelf[Notice](maxOffers, cfg.Now),
		sealer: sealer, visited: newShelf[struct{}](maxOffers, cfg.Now), done: newShelf[struct{}](maxOffers, cfg.Now),
		authorized: newShelf[*authorized](maxOffers, cfg.Now), redeemed: newShelf[*offer](maxOffers, cfg.Now),
	}, nil
}

// Offer is what the owner's device is shown.
type Offer struct {
	URI     string // of the offer object: goes into a link or QR code (qr.OfferLink)
	Code    string // transaction code, told by another way than URI; empty: none
	Expires time.Time
}

// Offer makes an offer of configurations to subject. withCode asks for a transaction code
// of six digits, which keeps somebody who photographs the QR code from taking it.
func (i *Issuer) Offer(subject string, withCode bool, configurations ...string) (Offer, error) {
	for _, id := range configurations {
		if i.configuration(id) == nil {
			return Offer{}, fmt.Errorf("offer: no configuration %q", id)
		}
	}
	if len(configurations) == 0 {
		return Offer{}, fmt.Errorf("offer: no configuration")
	}
	o := &offer{subject: subject, configurations: configurations, code: fresh()}
	if withCode {
		n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
		if err != nil {
			return Offer{}, err
		}
		o.tx = fmt.Sprintf("%06d", n)
	}
	id, ok := i.offers.put(o, OfferLife)
	if !ok || !i.codes.keep(o.code, o, OfferLife) {
		return Offer{}, refuse(UnavailableNow, "too many offers are open")
	}
	return Offer{URI: i.cfg.URL + "/offer/" + id, Code: o.tx, Expires: i.cfg.Now().Add(OfferLife)}, nil
}

func (i *Issuer) configuration(id string) *Configuration {
	at := slices.IndexFunc(i.cfg.Configurations, func(c Configuration) bool { return c.ID == id })
	if at < 0 {
		return nil
	}
	return &i.cfg.Configurations[at]
}

// Handler answers below the path of URL, and the two well-known places that belong to it.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-credential-issuer"+i.path, i.metadata)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server"+i.path, i.authorization)
	mux.HandleFunc("GET "+i.path+"/offer/{id}", i.offer)
	mux.HandleFunc("POST "+i.path+"/token", i.token)
	mux.HandleFunc("POST "+i.path+"/nonce", i.nonce)
	mux.HandleFunc("POST "+i.path+"/credential", i.credential)
	mux.HandleFunc("POST "+i.path+"/notification", i.notification)
	if len(i.cfg.Clients) > 0 {
		mux.HandleFunc("POST "+i.path+"/par", i.push)
		mux.HandleFunc("GET "+i.path+"/authorize", i.authorize)
	}
	return mux
}

func (i *Issuer) metadata(w http.ResponseWriter, _ *http.Request) {
	configurations := map[string]any{}
	for _, c := range i.cfg.Configurations {
		claims := []any{}
		for _, n := range c.Claims {
			claims = append(claims, map[string]any{"path": n.Path, "display": display(n.Names)})
		}
		configurations[c.ID] = map[string]any{
			"format": sdjwt.TypeCredential, "vct": c.Type, "scope": c.ID,
			"cryptographic_binding_methods_supported": []string{"jwk"},
			"credential_signing_alg_values_supported": []string{string(sdjwt.ES256)},
			"proof_types_supported":                   map[string]any{"jwt": map[string]any{"proof_signing_alg_values_supported": []string{string(sdjwt.ES256)}}},
			"credential_metadata":                     map[string]any{"display": display(c.Names), "claims": claims},
		}
	}
	written(w, http.StatusOK, map[string]any{
		"credential_issuer":     i.cfg.URL,
		"authorization_servers": []string{i.cfg.URL},
		"credential_endpoint":   i.cfg.URL + "/credential", "nonce_endpoint": i.cfg.URL + "/nonce", "notification_endpoint": i.cfg.URL + "/notification",
		"batch_credential_issuance":           map[string]any{"batch_size": MaxBatch},
		"display":                             display(i.cfg.Names),
		"credential_configurations_supported": configurations,
	})
}

func display(names map[string]string) []map[string]string {
	out := []map[string]string{}
	for _, tag := range []string{"zh-CN", "en"} {
		if n := names[tag]; n != "" {
			out = append(out, map[string]string{"name": n, "locale": tag})
		}
	}
	return out
}

const preAuthorised = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

func (i *Issuer) authorization(w http.ResponseWriter, _ *http.Request) {
	m := map[string]any{
		"issuer": i.cfg.URL, "token_endpoint": i.cfg.URL + "/token", "response_types_supported": []string{},
		"grant_types_supported":                           []string{preAuthorised},
		"token_endpoint_auth_methods_supported":           []string{"none"},
		"pre-authorized_grant_anonymous_access_supported": true,
	}
	i.flows(m)
	written(w, http.StatusOK, m)
}

// offer gives the offer object: whoever has the link may read it as often as he likes
// until it is used, for wallets ask twice.
func (i *Issuer) offer(w http.ResponseWriter, r *http.Request) {
	o, ok := i.offers.get(r.PathValue("id"))
	if !ok || o.spent() {
		written(w, http.StatusNotFound, map[string]string{"error": string(InvalidRequest), "error_description": "the offer has ended or was used"})
		return
	}
	grant := map[string]any{"pre-authorized_code": o.code}
	if o.tx != "" {
		grant["tx_code"] = map[string]any{"input_mode": "numeric", "length": len(o.tx)}
	}
	written(w, http.StatusOK, map[string]any{
		"credential_issuer": i.cfg.URL, "credential_configuration_ids": o.configurations, "grants": map[string]any{preAuthorised: grant},
	})
}

func (o *offer) spent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.used || o.tries >= codeTries
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	f, err := form(w, r)
	if err != nil {
		refused(w, err)
		return
	}
	o, err := i.granted(f)
	if err != nil {
		refused(w, err)
		return
	}
	secret, ok := i.tokens.put(o, tokenLife)
	if !ok {
		refused(w, refuse(UnavailableNow, "too many tokens are open"))
		return
	}
	written(w, http.StatusOK, map[string]any{"access_token": secret, "token_type": "Bearer", "expires_in": int(tokenLife / time.Second)})
}

// granted finds the offer of what a token is asked for with, and uses it up.
func (i *Issuer) granted(f url.Values) (*offer, error) {
	switch f.Get("grant_type") {
	case preAuthorised:
		o, ok := i.codes.get(f.Get("pre-authorized_code"))
		if !ok {
			return nil, refuse(InvalidGrant, "the offer has ended or was used")
		}
		return o, o.spend(f.Get("tx_code"))
	case "authorization_code":
		return i.redeem(f)
	}
	return nil, refuse(UnsupportedGrant, "grant_type is none of the metadata's")
}

// end lets the offer's token count no more.
func (o *offer) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
}

func (o *offer) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

// spend uses the offer up, if the transaction code is right.
func (o *offer) spend(code string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.used || o.tries >= codeTries:
		return refuse(InvalidGrant, "the offer has ended or was used")
	case o.tx == "" && code != "":
		return refuse(InvalidRequest, "no transaction code was asked for")
	case o.tx != "" && code == "":
		return refuse(InvalidRequest, "the transaction code is missing")
	case !equal(o.tx, code):
		o.tries++
		return refuse(InvalidGrant, "the transaction code is wrong")
	}
	o.used = true
	return nil
}

// nonce gives a nonce to anybody; it costs us no memory.
func (i *Issuer) nonce(w http.ResponseWriter, _ *http.Request) {
	written(w, http.StatusOK, map[string]any{"c_nonce": i.nonces.fresh(), "c_nonce_expires_in": int(nonceLife / time.Second)})
}

// bearer returns the offer of the request's access token.
func (i *Issuer) bearer(r *http.Request) (*offer, error) {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	o, ok := i.tokens.get(secret)
	if !strings.EqualFold(scheme, "Bearer") || !ok || o.ended() {
		return nil, refuse(InvalidToken, "the access token is missing or has ended")
	}
	return o, nil
}

func (i *Issuer) notification(w http.ResponseWriter, r *http.Request) {
	if _, err := i.bearer(r); err != nil {
		refused(w, err)
		return
	}
	o, err := object(w, r)
	event := o.Text("event")
	if err != nil || !slices.Contains([]string{"credential_accepted", "credential_failure", "credential_deleted"}, event) {
		refused(w, refuse(InvalidNotified, "the event is none of the three"))
		return
	}
	n, ok := i.given.get(o.Text("notification_id"))
	if !ok {
		refused(w, refuse(InvalidNotifiedID, "no credential was given under this id"))
		return
	}
	if n.Event = event; i.cfg.Told != nil {
		i.cfg.Told(r.Context(), n)
	}
	w.WriteHeader(http.StatusNoContent)
}

// configured finds what is asked for among what was offered.
func (i *Issuer) configured(o *offer, asked sdjwt.Object) (*Configuration, error) {
	if asked.Text("credential_identifier") != "" {
		return nil, refuse("unknown_credential_identifier", "no identifiers were given with the token")
	}
	id := cmp.Or(asked.Text("credential_configuration_id"), "")
	c := i.configuration(id)
	switch {
	case id == "":
		return nil, refuse(InvalidCredential, "credential_configuration_id is missing")
	case c == nil:
		return nil, refuse(UnknownConfiguration, "there is no such credential here")
	case !slices.Contains(o.configurations, id):
		return nil, refuse(CredentialDenied, "this credential was not offered")
	}
	return c, nil
}
