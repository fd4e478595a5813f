package openid

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"mulian/internal/dcql"
	"mulian/internal/jwe"
	"mulian/internal/sdjwt"
)

// Lives and bounds of a verifier.
const (
	RequestLife = 2 * time.Minute // from the code on the screen to the answer: spec/safebox.md, 3.5
	resultLife  = 10 * time.Minute
	maxRequests = 10_000
)

// GrantType is the type of our transaction data.
const GrantType = "mulian.grant.v1"

// GrantReference binds a presentation to a grant on the ledger: the holder's key signs it.
type GrantReference struct {
	ID      string // of the grant
	Request string // hash of the data request
}

// VerifierConfig is what a Verifier needs. URL, Key, Chain and Policy.Keys are required.
type VerifierConfig struct {
	// URL is below which the verifier answers: https://host/path without a slash at its end.
	URL string
	// Key signs the request objects: P-256, that of Chain[0].
	Key sdjwt.Signer
	// Chain is the verifier's certificate and its issuers in DER, the trust anchor not in it.
	// Its first is the verifier's name: client_id is x509_hash:<SHA-256>.
	Chain [][]byte
	// Names are the verifier's names by language tag, shown by wallets.
	Names map[string]string
	// Registration is what the ledger has of this data user, for wallets that can check
	// it: it travels as verifier_info. Empty: none.
	Registration string
	// Policy is what every presentation is held against: keys of issuers, status, clocks.
	// What the query asks for and what the holder binds to is filled in.
	Policy sdjwt.Policy
	// Done is called once when a request has its result. Nil: Result is asked.
	Done func(context.Context, Result)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Verifier asks wallets. Safe for concurrent use.
type Verifier struct {
	cfg      VerifierConfig
	path     string
	client   string // client_id
	requests *shelf[*request]
	states   *shelf[*request] // by what the answer names
	results  *shelf[*request]
}

// Question is one request to one person.
type Question struct {
	Query   *dcql.Query
	Session string          // of the asker: only it sees the result
	Grant   *GrantReference // nil: a presentation without a grant
	Plain   bool            // the answer is not encrypted beyond TLS: for wallets that cannot
	Return  string          // where a wallet on the same device sends its owner back; empty: nowhere
}

// State is how far a request has come.
type State int

// The states of a request; only the last three are ends.
const (
	Waiting  State = iota + 1 // nobody has fetched it
	Fetched                   // a wallet has the request object
	Answered                  // Presented holds what was shown
	Refused                   // access_denied, or the code that the wallet sent
	Failed                    // a presentation did not hold: Reason
)

// Result is what came of a request.
type Result struct {
	State     State
	Code      Code         // of a Refused one
	Reason    sdjwt.Reason // of a Failed one
	Presented []Presented  // of an Answered one
}

// Presented is one credential that was shown, checked.
type Presented struct {
	ID string // of the credential query
	*sdjwt.Verified
}

// request is one question through its life.
type request struct {
	Question
	id, state, nonce string
	code             string // response_code
	transaction      []string
	key              *ecdh.PrivateKey // nil: Plain
	ends             time.Time

	mu     sync.Mutex
	result Result // mu
}

// NewVerifier checks the configuration.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || strings.HasSuffix(cfg.URL, "/") || u.String() != cfg.URL {
		return nil, fmt.Errorf("verifier: url %q is no https://host/path", cfg.URL)
	}
	if cfg.Key == nil || len(cfg.Chain) == 0 || cfg.Policy.Keys == nil {
		return nil, fmt.Errorf("verifier %s: a key, its certificate or the issuers are missing", cfg.URL)
	}
	if alg, err := sdjwt.AlgorithmOf(cfg.Key.Public()); err != nil || alg != sdjwt.ES256 {
		return nil, fmt.Errorf("verifier %s: wallets of others want a key of P-256", cfg.URL)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	sum := sha256.Sum256(cfg.Chain[0])
	return &Verifier{
		cfg: cfg, path: u.Path, client: "x509_hash:" + sdjwt.Encode(sum[:]),
		requests: newShelf[*request](maxRequests, cfg.Now), states: newShelf[*request](maxRequests, cfg.Now), results: newShelf[*request](maxRequests, cfg.Now),
	}, nil
}

// ClientID is the verifier's name to wallets.
func (v *Verifier) ClientID() string { return v.client }

// Asked is an open request.
type Asked struct {
	ID         string // for Result
	ClientID   string
	RequestURI string // both go into a link or QR code (qr.RequestLink)
	Expires    time.Time
}

// Ask opens a request for RequestLife.
func (v *Verifier) Ask(q Question) (Asked, error) {
	if q.Query == nil || q.Session == "" {
		return Asked{}, errors.New("ask: the query or the session is missing")
	}
	if err := q.Query.Check(); err != nil {
		return Asked{}, fmt.Errorf("ask: %w", err)
	}
	r := &request{Question: q, id: fresh(), state: fresh(), nonce: fresh(), code: fresh(), ends: v.cfg.Now().Add(RequestLife), result: Result{State: Waiting}}
	if q.Grant != nil {
		ids := sdjwt.Array{}
		for _, c := range q.Query.Credentials {
			ids = append(ids, c.ID)
		}
		r.transaction = []string{sdjwt.Encode(sdjwt.AppendJSON(nil, sdjwt.Object{
			{Name: "type", Value: GrantType}, {Name: "credential_ids", Value: ids}, {Name: "grant", Value: q.Grant.ID}, {Name: "req", Value: q.Grant.Request},
		}))}
	}
	if !q.Plain {
		var err error
		if r.key, err = ecdh.P256().GenerateKey(rand.Reader); err != nil {
			return Asked{}, err
		}
	}
	fetch, ok := v.requests.put(r, RequestLife)
	if !ok || !v.states.keep(r.state, r, RequestLife) || !v.results.keep(r.id, r, resultLife) {
		return Asked{}, refuse(UnavailableNow, "too many requests are open")
	}
	return Asked{ID: r.id, ClientID: v.client, RequestURI: v.cfg.URL + "/request/" + fetch, Expires: r.ends}, nil
}

// ErrSession says that a result belongs to another session, or that there is none.
var ErrSession = errors.New(string(sdjwt.SessionMismatch))

// Result returns how far a request has come, to the session that asked: ErrSession.
// An unanswered one whose time is over is Failed with Reason "exp".
func (v *Verifier) Result(id, session string) (Result, error) {
	r, ok := v.results.get(id)
	if !ok || !equal(r.Session, session) {
		return Result{}, ErrSession
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.result.State < Answered && !v.cfg.Now().Before(r.ends) {
		return Result{State: Failed, Reason: sdjwt.Expired}, nil
	}
	return r.result, nil
}

// ByCode is Result for a wallet on the same device that came back to Return with a
// response_code: the session that comes back must be the one that asked.
func (v *Verifier) ByCode(id, session, code string) (Result, error) {
	if r, ok := v.results.get(id); !ok || !equal(r.code, code) {
		return Result{}, ErrSession
	}
	return v.Result(id, session)
}

// Handler answers below the path of URL.
func (v *Verifier) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+v.path+"/request/{id}", v.request)
	mux.HandleFunc("POST "+v.path+"/request/{id}", v.request)
	mux.HandleFunc("POST "+v.path+"/response", v.response)
	return mux
}

// request gives the signed request object to the first who comes. A second one has a
// photograph of the code.
func (v *Verifier) request(w http.ResponseWriter, r *http.Request) {
	walletNonce := ""
	if r.Method == http.MethodPost {
		f, err := form(w, r)
		if err != nil {
			refused(w, err)
			return
		}
		if walletNonce = f.Get("wallet_nonce"); len(walletNonce) > 256 {
			refused(w, refuse(InvalidRequest, "the wallet_nonce is too long"))
			return
		}
	}
	q, ok := v.requests.take(r.PathValue("id"))
	if !ok {
		written(w, http.StatusNotFound, map[string]string{"error": string(InvalidRequest), "error_description": "the request has ended or was fetched"})
		return
	}
	text, err := v.object(q, walletNonce)
	if err != nil {
		refused(w, err)
		return
	}
	q.mu.Lock()
	q.result.State = Fetched
	q.mu.Unlock()
	w.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text)) // the caller has gone
}

// object is the request object: a JWT that names everything, signed by the certificate's key.
func (v *Verifier) object(q *request, walletNonce string) (string, error) {
	now := v.cfg.Now()
	metadata := sdjwt.Object{{Name: "vp_formats_supported", Value: sdjwt.Object{{Name: sdjwt.TypeCredential, Value: sdjwt.Object{
		{Name: "sd-jwt_alg_values", Value: sdjwt.Array{string(sdjwt.ES256)}}, {Name: "kb-jwt_alg_values", Value: sdjwt.Array{string(sdjwt.ES256)}},
	}}}}}
	if n := v.cfg.Names["zh-CN"]; n != "" {
		metadata = append(metadata, sdjwt.Member{Name: "client_name", Value: n})
	}
	mode := "direct_post"
	if q.key != nil {
		mode = "direct_post.jwt"
		metadata = append(
			metadata,
			sdjwt.Member{Name: "jwks", Value: sdjwt.Object{{Name: "keys", Value: sdjwt.Array{jwe.JWK(q.key.PublicKey(), q.state)}}}},
			sdjwt.Member{Name: "encrypted_response_enc_values_supported", Value: sdjwt.Array{string(jwe.A128GCM), string(jwe.A256GCM)}},
		)
	}
	payload := sdjwt.Object{
		{Name: "iss", Value: v.client},
		{Name: "aud", Value: "https://self-issued.me/v2"},
		{Name: "iat", Value: int(now.Unix())},
		{Name: "exp", Value: int(q.ends.Unix())},
		{Name: "client_id", Value: v.client},
		{Name: "response_type", Value: "vp_token"},
		{Name: "response_mode", Value: mode},
		{Name: "response_uri", Value: v.cfg.URL + "/response"},
		{Name: "nonce", Value: q.nonce},
		{Name: "state", Value: q.state},
		{Name: "dcql_query", Value: q.Query.Object()},
		{Name: "client_metadata", Value: metadata},
	}
	if len(q.transaction) > 0 {
		td := sdjwt.Array{}
		for _, t := range q.transaction {
			td = append(td, t)
		}
		payload = append(payload, sdjwt.Member{Name: "transaction_data", Value: td})
	}
	if v.cfg.Registration != "" {
		payload = append(payload, sdjwt.Member{Name: "verifier_info", Value: sdjwt.Array{sdjwt.Object{{Name: "format", Value: "mulian.registration.v1"}, {Name: "data", Value: v.cfg.Registration}}}})
	}
	if walletNonce != "" {
		payload = append(payload, sdjwt.Member{Name: "wallet_nonce", Value: walletNonce})
	}
	return sdjwt.SignJWS(sdjwt.Object{{Name: "typ", Value: "oauth-authz-req+jwt"}, {Name: "x5c", Value: certificates(v.cfg.Chain)}}, payload, v.cfg.Key)
}
