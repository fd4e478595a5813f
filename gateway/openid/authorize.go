package openid

import (
	"cmp"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// The authorization code flow: a wallet that begins at the issuer sends its person to the
// department's own log-in, and gets a code when the department says who he is.
//
//	wallet ─POST /par─▶ request_uri ─browser─▶ /authorize ─▶ the department's log-in, with an interaction
//	    department's system ─POST /desk/authorize {interaction, subject}─▶ redirect ─browser─▶ wallet, with a code
//	wallet ─POST /token (code, verifier)─▶ access token
//
// A code is bound to the wallet, to where it is sent, and by PKCE (S256) to who began. Only
// wallets that the configuration names can begin: with any other a person could be sent
// through his own log-in for somebody else's wallet.

const (
	pushedLife      = time.Minute      // RFC 9126, 2.2: short
	interactionLife = 10 * time.Minute // a person logs in
	codeLife        = time.Minute      // RFC 6749, 4.1.2: at most ten
	requestPrefix   = "urn:ietf:params:oauth:request_uri:"
	maxState        = 512

	asRequest     = "request_uri"
	asInteraction = "interaction"
)

// Client is a wallet that may begin at the issuer.
type Client struct {
	// ID is its client_id. Required.
	ID string `yaml:"client_id"`
	// Redirects are where its person is sent back to, compared as they are: https, or a
	// scheme of the wallet's own with a dot in it (RFC 8252). Required.
	Redirects []string `yaml:"redirect_uris"`
}

// pushed is an authorization request through its life. Until the department's desk says who
// came, its sender carries it, sealed: the request_uri and the interaction are the request.
type pushed struct {
	ID             string // drawn here: one request leads to one code
	Client         string
	Redirect       string
	State          string
	Challenge      string // S256 of the verifier
	Configurations []string
}

// authorized is a code that was given.
type authorized struct {
	pushed
	offer *offer
}

// push takes an authorization request (RFC 9126).
func (i *Issuer) push(w http.ResponseWriter, r *http.Request) {
	f, err := form(w, r)
	if err == nil {
		var p *pushed
		if p, err = i.asked(f); err == nil {
			var text string
			if text, err = i.sealer.seal(asRequest, p, pushedLife); err == nil {
				written(w, http.StatusCreated, map[string]any{"request_uri": requestPrefix + text, "expires_in": int(pushedLife / time.Second)})
				return
			}
		}
	}
	refused(w, err)
}

// asked checks the parameters of a request. Before client and redirect are known to be right
// nobody is sent anywhere: all errors go to the wallet itself.
func (i *Issuer) asked(f url.Values) (*pushed, error) {
	p := &pushed{ID: fresh(), Client: f.Get("client_id"), Redirect: f.Get("redirect_uri"), State: f.Get("state"), Challenge: f.Get("code_challenge")}
	at := slices.IndexFunc(i.cfg.Clients, func(c Client) bool { return c.ID == p.Client })
	sum, err := sdjwt.Decode(p.Challenge)
	switch {
	case at < 0:
		return nil, refuse(InvalidClient, "this wallet is not known here")
	case !slices.Contains(i.cfg.Clients[at].Redirects, p.Redirect):
		return nil, refuse(InvalidRequest, "redirect_uri is none of the wallet's")
	case f.Get("response_type") != "code":
		return nil, refuse("unsupported_response_type", "response_type is code")
	case f.Get("code_challenge_method") != "S256" || err != nil || len(sum) != sha256.Size:
		return nil, refuse(InvalidRequest, "PKCE with S256 is needed")
	case len(p.State) > maxState:
		return nil, refuse(InvalidRequest, "state is too long")
	case f.Has("request_uri") || f.Has("request"):
		return nil, refuse(InvalidRequest, "a pushed request holds its parameters itself")
	case f.Has("authorization_details"):
		return nil, refuse("invalid_authorization_details", "ask by scope: see the issuer's metadata")
	}
	for _, id := range strings.Fields(f.Get("scope")) {
		if i.configuration(id) != nil && !slices.Contains(p.Configurations, id) {
			p.Configurations = append(p.Configurations, id)
		}
	}
	if len(p.Configurations) == 0 {
		return nil, refuse("invalid_scope", "scope names no credential of this issuer")
	}
	return p, nil
}

// authorize sends the person to the department's log-in. A request is used once.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	q := r.URL.Query()
	secret, ok := strings.CutPrefix(q.Get("request_uri"), requestPrefix)
	var p *pushed
	if ok {
		p, ok = i.sealer.open(asRequest, secret)
	}
	if !ok || q.Get("client_id") != p.Client || !i.visited.first(p.ID, pushedLife) { // where to send him to is not known: he stays here
		http.Error(w, "请求已过期或已使用，请回到钱包重新开始。 / The request has ended or was used: begin again in the wallet.", http.StatusBadRequest)
		return
	}
	interaction, err := i.sealer.seal(asInteraction, p, interactionLife)
	if err != nil {
		http.Redirect(w, r, i.back(p, url.Values{"error": {string(UnavailableNow)}}), http.StatusFound)
		return
	}
	http.Redirect(w, r, with(i.cfg.Login, url.Values{"interaction": {interaction}}), http.StatusFound)
}

// back is where a person is sent with an answer; iss keeps answers of issuers apart (RFC 9207).
func (i *Issuer) back(p *pushed, answer url.Values) string {
	answer.Set("iss", i.cfg.URL)
	if p.State != "" {
		answer.Set("state", p.State)
	}
	return with(p.Redirect, answer)
}

// with adds parameters to a URL.
func with(to string, more url.Values) string {
	u, err := url.Parse(to)
	if err != nil { // it was checked when it was configured
		return to
	}
	q := u.Query()
	for name, v := range more {
		q[name] = v
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Authorize says who came of an interaction, and returns where his browser is sent: the
// department's system has logged him in. Empty subject: he is not to have it, or does not
// want to. An *Error once it was used or has ended.
func (i *Issuer) Authorize(interaction, subject string) (string, error) {
	p, ok := i.sealer.open(asInteraction, interaction)
	if !ok || !i.done.keep(p.ID, struct{}{}, interactionLife) {
		return "", refuse(InvalidRequest, "the interaction has ended or was used")
	}
	if subject == "" {
		return i.back(p, url.Values{"error": {string(AccessDenied)}}), nil
	}
	o := &offer{subject: subject, configurations: p.Configurations, used: true}
	code, ok := i.authorized.put(&authorized{*p, o}, codeLife)
	if !ok {
		return i.back(p, url.Values{"error": {string(UnavailableNow)}}), nil
	}
	return i.back(p, url.Values{"code": {code}}), nil
}

// redeem gives the offer of a code, once. A second use ends the token of the first (RFC 6749,
// 4.1.2): one of the two is a thief, and nobody can tell which.
func (i *Issuer) redeem(f url.Values) (*offer, error) {
	code := f.Get("code")
	a, ok := i.authorized.take(code)
	if !ok {
		if o, was := i.redeemed.take(code); was {
			o.end()
		}
		return nil, refuse(InvalidGrant, "the code has ended or was used")
	}
	sum := sha256.Sum256([]byte(f.Get("code_verifier")))
	switch {
	case f.Get("client_id") != a.Client || f.Get("redirect_uri") != a.Redirect:
		return nil, refuse(InvalidGrant, "the code was given to another wallet, or for another place")
	case !verifier43(f.Get("code_verifier")) || !equal(sdjwt.Encode(sum[:]), a.Challenge):
		return nil, refuse(InvalidGrant, "the code verifier is not that of the request")
	}
	i.redeemed.keep(code, a.offer, tokenLife)
	return a.offer, nil
}

// verifier43 says whether a text can be a code verifier (RFC 7636, 4.1).
func verifier43(s string) bool {
	return len(s) >= 43 && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
	})
}

// flows are the parts of the metadata that say how a wallet may begin.
func (i *Issuer) flows(m map[string]any) {
	if len(i.cfg.Clients) == 0 {
		return
	}
	m["grant_types_supported"] = []string{preAuthorised, "authorization_code"}
	m["response_types_supported"] = []string{"code"}
	m["authorization_endpoint"] = i.cfg.URL + "/authorize"
	m["pushed_authorization_request_endpoint"] = i.cfg.URL + "/par"
	m["require_pushed_authorization_requests"] = true
	m["code_challenge_methods_supported"] = []string{"S256"}
	m["authorization_response_iss_parameter_supported"] = true
	var scopes []string
	for _, c := range i.cfg.Configurations {
		scopes = append(scopes, c.ID)
	}
	m["scopes_supported"] = scopes
}

// checkClients refuses wallets that cannot be sent back to, or a log-in that is none.
func checkClients(clients []Client, login string) string {
	if len(clients) > 0 && login == "" {
		return "login is missing: wallets that begin here need a place where their person logs in"
	}
	for _, at := range append([]string{cmp.Or(login, "https://none.example")}, redirects(clients)...) {
		u, err := url.Parse(at)
		own := err == nil && strings.Contains(u.Scheme, ".") // com.example.wallet:/back
		if err != nil || u.Fragment != "" || !own && !qr.Safe(u) {
			return "the address " + at + " is neither https nor a wallet's own scheme"
		}
	}
	for _, c := range clients {
		if c.ID == "" || len(c.Redirects) == 0 {
			return "a wallet needs client_id and redirect_uris"
		}
	}
	return ""
}

func redirects(clients []Client) (out []string) {
	for _, c := range clients {
		out = append(out, c.Redirects...)
	}
	return out
}
