package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/internal/fault"
	"mulian/node"
	"mulian/server/signin"
)

// OIDCPost is one line of oidc.posts.
type OIDCPost struct {
	Who  string `yaml:"who"`
	Post string `yaml:"post"`
	Name string `yaml:"name"`
	Role string `yaml:"role"`
}

// OIDCPosts are who has which post. Shown or logged they are a number: they name people.
type OIDCPosts []OIDCPost

// String implements fmt.Stringer.
func (p OIDCPosts) String() string { return fmt.Sprintf("%d", len(p)) }

// MarshalJSON implements json.Marshaler.
func (p OIDCPosts) MarshalJSON() ([]byte, error) { return json.Marshal(len(p)) }

// roles of a post: whose pages somebody sees (console/src/pages/area.ts).
var roles = map[string]bool{"operator": true, "steward": true, "user": true, "auditor": true, "clerk": true, "developer": true, "identity": true}

const (
	defaultKeyDays = 30 // our own choice: who has left signs no longer than a month
	maxKeyDays     = 365
	secretBytes    = 4096 // at most, of a client
)

// posts checks who has which post. The error names the line, never the person.
func (p OIDCPosts) posts() ([]signin.Post, error) {
	var out []signin.Post
	for i, x := range p {
		bad := func(field, what string) error {
			return fault.Newf(fault.Malformed, "oidc.posts, line %d: %s %s", i+1, field, what)
		}
		switch {
		case strings.TrimSpace(x.Who) == "":
			return nil, bad("who", "is missing: what the provider says in oidc.claim")
		case x.Post == "" || len(x.Post) > 32 || strings.Trim(x.Post, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
			return nil, bad("post", "has to be a local id: 1 to 32 of a-z 0-9 -")
		case x.Name == "":
			return nil, bad("name", "is missing: what the post is called on the ledger")
		case !roles[x.Role]:
			return nil, bad("role", "has to be operator, steward, user, auditor, clerk, developer or identity")
		}
		out = append(out, signin.Post{Who: x.Who, Post: x.Post, Name: x.Name, Role: x.Role})
	}
	return out, nil
}

// signIn checks the settings. It reads the secret and the authorities, and asks nobody.
func (c OIDCConfig) signIn() (signin.Config, error) {
	out := signin.Config{Issuer: c.Issuer, ClientID: c.ClientID, Claim: c.Claim, Scopes: c.Scopes, KeyLife: time.Duration(cmp.Or(c.KeyDays, defaultKeyDays)) * 24 * time.Hour}
	if err := signin.CheckURL(c.Issuer); err != nil {
		return out, fault.Wrap(fault.Malformed, err, "oidc.issuer")
	}
	u, _ := url.Parse(c.Issuer)
	out.Title = cmp.Or(c.Name, u.Host)
	switch {
	case c.ClientID == "":
		return out, fault.Newf(fault.Missing, "oidc.client_id is missing: as which this member is registered at the provider")
	case c.Org == "":
		return out, fault.Newf(fault.Missing, "oidc.org is missing: the code of the organisation whose posts these are")
	case c.KeyDays < 0 || c.KeyDays > maxKeyDays:
		return out, fault.Newf(fault.OutOfRange, "oidc.key_days is %d: 1 to %d are possible", c.KeyDays, maxKeyDays)
	}
	if _, err := c.Posts.posts(); err != nil {
		return out, err
	}
	if c.ClientSecretFile != "" {
		secret, err := clientSecret(c.ClientSecretFile)
		if err != nil {
			return out, err
		}
		out.Secret = secret
	}
	if c.Authority != "" {
		pem, err := os.ReadFile(c.Authority)
		if err != nil {
			return out, fault.Wrap(fault.NotFound, err, "oidc.authority")
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return out, fault.Newf(fault.Malformed, "oidc.authority: %s has no certificate in PEM", c.Authority)
		}
		out.Way = http.DefaultTransport.(*http.Transport).Clone()
		out.Way.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return out, nil
}

// clientSecret reads a secret of one line. Forbidden: others can read the file.
func clientSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fault.Wrap(fault.NotFound, err, "oidc.client_secret_file")
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return "", fault.Wrap(fault.Internal, err, "oidc.client_secret_file")
	case !st.Mode().IsRegular() || st.Size() > secretBytes:
		return "", fault.Newf(fault.Malformed, "oidc.client_secret_file: %s is no file with one line", path)
	case st.Mode().Perm()&0o077 != 0:
		return "", fault.Newf(fault.Forbidden, "oidc.client_secret_file: others can read %s (mode %04o): chmod 600 %s, and have the provider make a new secret", path, st.Mode().Perm(), path)
	}
	raw := make([]byte, st.Size())
	n, _ := f.Read(raw)
	secret := strings.TrimSpace(string(raw[:n]))
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fault.Newf(fault.Malformed, "oidc.client_secret_file: %s has to have the secret in one line", path)
	}
	return secret, nil
}

// letSignIn lets officials sign in if the configuration says where.
func (a *app) letSignIn(m *node.Member, cfg *Config) error {
	if cfg.OIDC.Issuer == "" {
		if cfg.OIDC.ClientID != "" || len(cfg.OIDC.Posts) > 0 {
			return fault.Newf(fault.Missing, "oidc.issuer is missing: the name of the identity provider, https://HOST")
		}
		return nil
	}
	c, err := cfg.OIDC.signIn()
	if err != nil {
		return err
	}
	if len(m.Server.Origins()) == 0 {
		return fault.Newf(fault.Usage, "oidc: this member's pages have no name: set https.listen and https.names, or listen on 127.0.0.1")
	}
	root, err := a.keys().Signer(cfg.OIDC.Org, keyring.Root)
	if err != nil {
		return err
	}
	log, err := a.logger(cfg.Log)
	if err != nil {
		return err
	}
	c.Posts = func() ([]signin.Post, error) {
		now, _, err := a.config()
		if err != nil {
			return nil, err
		}
		return now.OIDC.Posts.posts()
	}
	m.Server.LetSignIn(signin.New(c, client.New(m.URL()), root, log, nil))
	for _, o := range m.Server.Origins() {
		a.say("%s %s → %s%s", a.t("统一身份认证：", "sign-in:"), c.Issuer, o, signin.ReturnPath)
	}
	return nil
}

// examineSignIn looks at the identity provider: the secret's file, whether it answers as the
// configured issuer, and whether it would lead people back here.
func (a *app) examineSignIn(ctx context.Context) []finding {
	g := a.t("登录", "sign-in")
	cfg, _, err := a.config()
	if err != nil || cfg.OIDC.Issuer == "" {
		return []finding{{Group: g, Name: "oidc", Mark: "skip", Value: a.t("没有配置", "not configured")}}
	}
	off := a.t("没有人能登录；已有的密钥照常签名", "nobody can sign in; keys that are there go on signing")
	c, err := cfg.OIDC.signIn()
	if err != nil {
		return []finding{{Group: g, Name: "oidc", Mark: "fail", Value: err.Error(), Cause: a.t("配置有误", "the configuration is wrong"), Effect: a.t("节点不会启动", "the node does not start"), Fix: a.t("改正 ", "correct ") + a.path(configFile)}}
	}
	out := []finding{{Group: g, Name: a.t("客户端密钥文件", "the client's secret"), Mark: "ok", Value: cmp.Or(cfg.OIDC.ClientSecretFile, a.t("没有（仅 PKCE）", "none (PKCE alone)"))}}
	if _, err := a.keys().Signer(cfg.OIDC.Org, keyring.Root); err != nil {
		out = append(out, finding{Group: g, Name: a.t("机构根密钥", "the organisation's ROOT key"), Mark: "fail", Value: err.Error(), Cause: a.t("--home 里没有它", "it is not in --home"), Effect: a.t("节点不会启动", "the node does not start"), Fix: "mulian key list"})
	}
	ctx, cancel := context.WithTimeout(ctx, 2*signin.Patience)
	defer cancel()
	for _, redirect := range a.redirects(cfg) {
		f := finding{Group: g, Name: redirect, Mark: "ok", Value: c.Issuer}
		switch err := signin.Probe(ctx, c, redirect); {
		case err == nil:
		case fault.Is(err, fault.NotWhitelisted):
			f.Mark, f.Value, f.Cause, f.Effect = "fail", err.Error(), a.t("提供方没有登记这个客户端或回调地址", "the provider has not this client, or not this redirect URI"), off
			f.Fix = a.t("在提供方登记回调地址 ", "have the provider register the redirect URI ") + redirect
		default:
			f.Mark, f.Value, f.Cause, f.Effect = "fail", err.Error(), a.t("提供方没有应答，或不是这个签发方", "the provider does not answer, or is not this issuer"), off
			f.Fix = "curl " + strings.TrimSuffix(c.Issuer, "/") + "/.well-known/openid-configuration"
		}
		out = append(out, f)
	}
	return out
}

// redirects are the addresses to which the provider leads people back.
func (a *app) redirects(cfg *Config) []string {
	port := cfg.HTTPS.Listen[strings.LastIndex(cfg.HTTPS.Listen, ":")+1:]
	var out []string
	for _, name := range cfg.HTTPS.Names {
		out = append(out, node.Origin(name, cmp.Or(cfg.HTTPS.Port, port))+signin.ReturnPath)
	}
	if cfg.HTTPS.Listen == "" {
		out = append(out, "http://localhost"+cfg.Listen[strings.LastIndex(cfg.Listen, ":"):]+signin.ReturnPath)
	}
	return out
}
