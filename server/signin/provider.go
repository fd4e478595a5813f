package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mulian/client"
	"mulian/internal/fault"
)

// algorithms by which a provider may sign: asymmetric ones alone. With a symmetric one whoever
// reads the client's secret could be anybody.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// backChannel is the way to the provider: bounded in time and bytes, and no redirect is
// followed, which would carry the client's secret to whom nobody has configured.
func backChannel(t *http.Transport) *http.Client {
	if t == nil {
		t = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &http.Client{
		Timeout: Patience, Transport: short{t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// short cuts answers off.
type short struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

// CheckURL refuses an address of the provider that is neither https nor on this machine.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%.200q is no address of a server", text)
	}
	host := u.Hostname()
	if u.Scheme != "https" && !(u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")) {
		return fmt.Errorf("%.200q: https is needed, or http on this machine", text)
	}
	return nil
}

// wait takes a place among those that wait for the provider. Busy: there is none.
func (s *SignIn) wait() (func(), error) {
	select {
	case s.gate <- struct{}{}:
		return func() { <-s.gate }, nil
	default:
		return nil, fault.Newf(fault.Busy, "%d sign-ins wait for the identity provider: try again in %s", maxAtOnce, Patience)
	}
}

// discover returns the provider as it describes itself: what it said within the last hour.
func (s *SignIn) discover(ctx context.Context) (*oidc.Provider, error) {
	s.mu.Lock()
	p, fresh := s.provider, s.now().Sub(s.asked) < ProviderLife
	s.mu.Unlock()
	if p != nil && fresh {
		return p, nil
	}
	done, err := s.wait()
	if err != nil {
		return nil, err
	}
	defer done()
	p, err = Discover(ctx, s.cfg.Issuer, s.http)
	if err != nil {
		s.log.Warn("identity provider", "issuer", s.cfg.Issuer, "err", err)
		return nil, err
	}
	s.mu.Lock()
	s.provider, s.asked = p, s.now()
	s.mu.Unlock()
	return p, nil
}

// Discover asks a provider what it is (OpenID Connect Discovery 1.0). Unreachable: it does not
// answer; Malformed: its answer is not that of this issuer, or names addresses without https.
// c nil is a client with the bounds of a sign-in.
func Discover(ctx context.Context, issuer string, c *http.Client) (*oidc.Provider, error) {
	if c == nil {
		c = backChannel(nil)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, c), Patience)
	defer cancel()
	p, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		if gone(err) {
			return nil, &fault.Fault{Code: fault.Unreachable, Text: fmt.Sprintf("the identity provider %s does not answer: its administrator, or that of the network, looks at it", issuer), Err: err}
		}
		return nil, &fault.Fault{Code: fault.Malformed, Text: fmt.Sprintf("%s does not answer as that issuer: the administrator compares oidc.issuer with the provider's own", issuer), Err: err}
	}
	var more struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "what %s says of itself cannot be read", issuer)
	}
	for name, u := range map[string]string{"authorization_endpoint": p.Endpoint().AuthURL, "token_endpoint": p.Endpoint().TokenURL, "jwks_uri": more.Keys} {
		if err := CheckURL(u); err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "%s of the identity provider", name)
		}
	}
	return p, nil
}

// Probe asks a provider whether it would lead people of this client back to that page, without
// signing anybody in (prompt=none). nil: it would. NotWhitelisted: it knows the client not, or
// not with this address; and what [Discover] returns.
func Probe(ctx context.Context, cfg Config, redirect string) error {
	s := New(cfg, nil, client.Signer{}, slog.New(slog.DiscardHandler), nil)
	p, err := Discover(ctx, cfg.Issuer, s.http)
	if err != nil {
		return err
	}
	to := s.oauth(p, redirect).AuthCodeURL(text(), oidc.Nonce(text()), oauth2.S256ChallengeOption(oauth2.GenerateVerifier()), oauth2.SetAuthURLParam("prompt", "none"))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "authorization_endpoint of the identity provider")
	}
	res, err := s.http.Do(req)
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "the identity provider does not answer at its authorization_endpoint")
	}
	defer res.Body.Close()
	if at, err := res.Location(); err != nil || !strings.HasPrefix(at.String(), redirect+"?") {
		return fault.Newf(fault.NotWhitelisted, "the identity provider answers %d: it does not know the client %.100q with the redirect URI %s", res.StatusCode, cfg.ClientID, redirect)
	}
	return nil
}

// gone reports whether nobody has answered.
func gone(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func (s *SignIn) oauth(p *oidc.Provider, redirect string) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID}
	for _, x := range s.cfg.Scopes {
		if !slices.Contains(scopes, x) {
			scopes = append(scopes, x)
		}
	}
	return &oauth2.Config{ClientID: s.cfg.ClientID, ClientSecret: s.cfg.Secret, Endpoint: p.Endpoint(), RedirectURL: redirect, Scopes: scopes}
}

func notBelieved(format string, args ...any) *fault.Fault {
	return fault.Newf(fault.BadAuthorisation, "what the identity provider says cannot be believed: "+format, args...)
}

// whoIs exchanges the code and returns the claim by which the configuration knows people.
func (s *SignIn) whoIs(ctx context.Context, f flow, code string) (string, error) {
	p, err := s.discover(ctx)
	if err != nil {
		return "", err
	}
	done, err := s.wait()
	if err != nil {
		return "", err
	}
	defer done()
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.http), 2*Patience)
	defer cancel()
	config := s.oauth(p, f.redirect)
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(f.verifier))
	if err != nil {
		return "", exchangeRefused(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return "", notBelieved("there is no id_token in its answer")
	}
	id, err := p.VerifierContext(ctx, &oidc.Config{ClientID: s.cfg.ClientID, SupportedSigningAlgs: algorithms, Now: s.late}).Verify(ctx, raw)
	switch {
	case err != nil && gone(err):
		return "", &fault.Fault{Code: fault.Unreachable, Text: "the identity provider does not give out its keys", Err: err}
	case err != nil:
		return "", &fault.Fault{Code: fault.BadAuthorisation, Text: "what the identity provider says cannot be believed", Err: err}
	case id.Nonce != f.nonce:
		return "", notBelieved("it answers another sign-in (nonce)")
	case id.IssuedAt.Before(f.began.Add(-Skew)) || id.IssuedAt.After(s.now().Add(Skew)):
		return "", notBelieved("it was not said in this sign-in (iat); compare the clocks")
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return "", notBelieved("its claims cannot be read")
	}
	if azp, ok := claims["azp"]; len(id.Audience) > 1 && !ok || ok && azp != s.cfg.ClientID {
		return "", notBelieved("it was said to another client (azp)")
	}
	if _, ok := claims[s.cfg.Claim]; !ok && p.UserInfoEndpoint() != "" {
		info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return "", &fault.Fault{Code: fault.Unreachable, Text: "the identity provider does not answer at its userinfo_endpoint", Err: errors.New(kind(err))}
		}
		if info.Subject != id.Subject {
			return "", notBelieved("userinfo is about another subject") // OpenID Connect Core 1.0, 5.3.2
		}
		if err := info.Claims(&claims); err != nil {
			return "", notBelieved("its userinfo cannot be read")
		}
	}
	who, _ := claims[s.cfg.Claim].(string)
	if who == "" {
		return "", notBelieved("it has no text in the claim %q: the administrator has it sent (oidc.scopes) or takes another (oidc.claim)", s.cfg.Claim)
	}
	if s.cfg.Claim == "email" && claims[verifiedClaim] != true {
		return "", notBelieved("the address was not verified there (%s)", verifiedClaim)
	}
	return who, nil
}

// late is the clock by which a token ends: the provider's may be off by so much.
func (s *SignIn) late() time.Time { return s.now().Add(-Skew) }

// exchangeRefused says what a refusal of the token endpoint means, and to whom. The answer
// itself is not kept: some providers put names into it.
func exchangeRefused(err error) error {
	r, ok := errors.AsType[*oauth2.RetrieveError](err)
	switch {
	case !ok && gone(err):
		return &fault.Fault{Code: fault.Unreachable, Text: "the identity provider does not answer at its token_endpoint", Err: err}
	case !ok:
		return notBelieved("its answer at the token_endpoint is none")
	case r.Response != nil && r.Response.StatusCode >= http.StatusInternalServerError:
		return fault.Newf(fault.Unreachable, "the identity provider is out of order: its token_endpoint answers %d", r.Response.StatusCode)
	case r.ErrorCode == "invalid_grant":
		return fault.Newf(fault.Expired, "the provider does not take this code any more, or not for this sign-in: sign in again")
	case r.ErrorCode == "invalid_client" || r.ErrorCode == "unauthorized_client":
		return fault.Newf(fault.NotWhitelisted, "the identity provider does not know this member's client: the administrator compares oidc.client_id and oidc.client_secret_file with what the provider has")
	}
	return notBelieved("its token_endpoint refused (%s)", plain(r.ErrorCode))
}

// plain is an error code of OAuth as a log may have it.
func plain(code string) string {
	if code == "" || len(code) > 40 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "no code"
	}
	return code
}

func kind(err error) string {
	if gone(err) {
		return "no answer"
	}
	return "not an answer that can be read"
}
