package openid

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"mulian/gateway/reference"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// Parts are what a Door gets from the rest of the gateway. The zero value is a door that
// issues nothing and believes the configuration's issuers only.
type Parts struct {
	// Configurations are what can be offered; Issue and Told are those of IssuerConfig.
	Configurations []Configuration
	Issue          func(context.Context, Order) ([]string, error)
	Told           func(context.Context, Notice)
	// Policy holds Keys and Status of the ledger; issuers that its Keys does not know are
	// looked up in the configuration.
	Policy sdjwt.Policy
	// Show lets owners show licences by codes. Nil: they cannot.
	Show *Showing
	// Reported is called for each "not me".
	Reported func(context.Context, reference.Report)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Door is what wallets find at a gateway.
type Door struct {
	Issuer   *Issuer   // nil: nothing is issued
	Verifier *Verifier // nil: nobody is asked
	Codes    *reference.Codes

	url    string
	token  string // of the desk; empty: none
	show   *Showing
	nonces *nonces // of what is shown
	now    func() time.Time
}

// Open makes the door of a checked configuration. url is the gateway's own, for a
// configuration without one.
func Open(cfg Config, url string, p Parts) (*Door, error) {
	if cfg.URL != "" {
		url = cfg.URL
	}
	url = strings.TrimSuffix(url, "/")
	names := map[string]string{"zh-CN": cfg.Name, "en": cfg.NameEN}
	d := &Door{url: url, Codes: &reference.Codes{Reported: p.Reported, Now: p.Now}, show: p.Show, now: p.Now}
	if d.now == nil {
		d.now = time.Now
	}
	d.nonces = newNonces(d.now)
	var err error
	if p.Issue != nil {
		d.Issuer, err = NewIssuer(IssuerConfig{URL: url + "/vci", Names: names, Configurations: p.Configurations, Issue: p.Issue, Told: p.Told, Now: p.Now, Clients: cfg.Wallets, Login: cfg.Login})
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "open the door for wallets")
		}
	}
	if cfg.Certificate != "" {
		if d.Verifier, err = verifier(cfg, url, names, p); err != nil {
			return nil, err
		}
	}
	if cfg.DeskTokenFile != "" {
		if d.token, err = tokenOf(cfg.DeskTokenFile); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func verifier(cfg Config, url string, names map[string]string, p Parts) (*Verifier, error) {
	chain, key, err := cfg.certificate()
	if err != nil {
		return nil, err
	}
	believed, err := cfg.keys()
	if err != nil {
		return nil, err
	}
	policy, ledger := p.Policy, p.Policy.Keys
	policy.Keys = func(s sdjwt.Signature) (sm.PublicKey, error) {
		if k, ok := believed[s.Issuer]; ok {
			return k, nil
		}
		if ledger == nil {
			return sm.PublicKey{}, errors.New("the issuer is not known here")
		}
		return ledger(s)
	}
	v, err := NewVerifier(VerifierConfig{URL: url + "/vp", Key: key, Chain: chain, Names: names, Registration: cfg.Registration, Policy: policy, Now: p.Now})
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "open the door for wallets")
	}
	return v, nil
}

// leafKey is the P-256 key of a certificate.
func leafKey(der []byte) (sm.PublicKey, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return sm.PublicKey{}, err
	}
	pub, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return sm.PublicKey{}, errors.New("the certificate has no key of P-256")
	}
	point, err := pub.ECDH()
	if err != nil {
		return sm.PublicKey{}, err
	}
	return sm.ParsePublic(sm.P256, point.Bytes())
}

// tokenOf reads a bearer token that only its owner may read.
func tokenOf(path string) (string, error) {
	s, err := os.Stat(path)
	if err != nil {
		return "", fault.Wrap(fault.Inaccessible, err, "openid.desk_token_file")
	}
	if s.Mode().Perm()&0o077 != 0 {
		return "", fault.Newf(fault.Inaccessible, "openid.desk_token_file %s may be read by others: chmod 600", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Wrap(fault.Inaccessible, err, "openid.desk_token_file")
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < 32 {
		return "", fault.Newf(fault.Usage, "openid.desk_token_file %s holds less than 32 letters", path)
	}
	return token, nil
}

// Routes mounts what there is: /vci and its well-known places, /vp, /R and /S (codes) and /desk.
func (d *Door) Routes(mux *http.ServeMux) {
	if d.Issuer != nil {
		h := d.Issuer.Handler()
		mux.Handle("/vci/", h)
		mux.Handle("GET /.well-known/openid-credential-issuer/vci", h)
		mux.Handle("GET /.well-known/oauth-authorization-server/vci", h)
	}
	if d.Verifier != nil {
		mux.Handle("/vp/", d.Verifier.Handler())
	}
	mux.HandleFunc("POST /R/{code}", d.resolve)
	mux.HandleFunc("POST /R/{code}/match", d.match)
	mux.HandleFunc("POST /R/{code}/not-me", d.notMe)
	d.showRoutes(mux)
	if d.token != "" {
		mux.HandleFunc("POST /desk/offer", d.desk(d.deskOffer))
		mux.HandleFunc("POST /desk/authorize", d.desk(d.deskAuthorize))
		mux.HandleFunc("POST /desk/request", d.desk(d.deskRequest))
		mux.HandleFunc("GET /desk/request/{id}", d.desk(d.deskResult))
	}
}
