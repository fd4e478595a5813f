package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/client/keyring"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

const officials = "11110000MULN00041Q" // the organisation of these tests

// wholeOIDC is a configuration with nothing wrong; issuer may be any server.
func wholeOIDC(issuer string) OIDCConfig {
	return OIDCConfig{
		Issuer: issuer, Org: officials, ClientID: "mulian",
		Posts: OIDCPosts{{Who: "zhang.wei", Post: "data-1", Name: "数据管理岗", Role: "steward"}},
	}
}

func fileOf(t *testing.T, mode os.FileMode, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

// TestSignInSettingsAreNamed: each bad field of oidc is refused by its name, with what is
// expected, and no error has the person or the secret in it.
func TestSignInSettingsAreNamed(t *testing.T) {
	const secret = "s3cret-of-the-client"
	post := func(change func(*OIDCPost)) func(*OIDCConfig) {
		return func(c *OIDCConfig) { change(&c.Posts[0]) }
	}
	for name, x := range map[string]struct {
		change func(*OIDCConfig)
		code   fault.Code
		says   string
	}{
		"issuer without https": {func(c *OIDCConfig) { c.Issuer = "http://id.example.cn" }, fault.Malformed, "oidc.issuer"},
		"issuer of no server":  {func(c *OIDCConfig) { c.Issuer = "id.example.cn" }, fault.Malformed, "oidc.issuer"},
		"issuer with a person": {func(c *OIDCConfig) { c.Issuer = "https://zhang@id.example.cn" }, fault.Malformed, "oidc.issuer"},
		"no client":            {func(c *OIDCConfig) { c.ClientID = "" }, fault.Missing, "oidc.client_id"},
		"no organisation":      {func(c *OIDCConfig) { c.Org = "" }, fault.Missing, "oidc.org"},
		"days below 0":         {func(c *OIDCConfig) { c.KeyDays = -1 }, fault.OutOfRange, "oidc.key_days"},
		"days above a year":    {func(c *OIDCConfig) { c.KeyDays = 366 }, fault.OutOfRange, "oidc.key_days"},
		"line without who":     {post(func(p *OIDCPost) { p.Who = " " }), fault.Malformed, "line 1: who"},
		"line without post":    {post(func(p *OIDCPost) { p.Post = "" }), fault.Malformed, "line 1: post"},
		"post that is no id":   {post(func(p *OIDCPost) { p.Post = "Data/1" }), fault.Malformed, "line 1: post"},
		"post too long":        {post(func(p *OIDCPost) { p.Post = strings.Repeat("a", 33) }), fault.Malformed, "line 1: post"},
		"line without name":    {post(func(p *OIDCPost) { p.Name = "" }), fault.Malformed, "line 1: name"},
		"line of no role":      {post(func(p *OIDCPost) { p.Role = "root" }), fault.Malformed, "line 1: role"},
		"no secret there":      {func(c *OIDCConfig) { c.ClientSecretFile = filepath.Join(t.TempDir(), "none") }, fault.NotFound, "oidc.client_secret_file"},
		"secret is a folder":   {func(c *OIDCConfig) { c.ClientSecretFile = t.TempDir() }, fault.Malformed, "oidc.client_secret_file"},
		"secret of the world":  {func(c *OIDCConfig) { c.ClientSecretFile = fileOf(t, 0o644, secret) }, fault.Forbidden, "chmod 600"},
		"secret of the group":  {func(c *OIDCConfig) { c.ClientSecretFile = fileOf(t, 0o640, secret) }, fault.Forbidden, "chmod 600"},
		"empty secret":         {func(c *OIDCConfig) { c.ClientSecretFile = fileOf(t, 0o600, "\n") }, fault.Malformed, "in one line"},
		"secret of two lines":  {func(c *OIDCConfig) { c.ClientSecretFile = fileOf(t, 0o600, secret+"\n"+secret) }, fault.Malformed, "in one line"},
		"secret too long":      {func(c *OIDCConfig) { c.ClientSecretFile = fileOf(t, 0o600, strings.Repeat("s", secretBytes+1)) }, fault.Malformed, "oidc.client_secret_file"},
		"no authority there":   {func(c *OIDCConfig) { c.Authority = filepath.Join(t.TempDir(), "none") }, fault.NotFound, "oidc.authority"},
		"authority not in PEM": {func(c *OIDCConfig) { c.Authority = fileOf(t, 0o644, "not PEM") }, fault.Malformed, "oidc.authority"},
	} {
		t.Run(name, func(t *testing.T) {
			c := wholeOIDC("https://id.example.cn")
			x.change(&c)
			_, err := c.signIn()
			if !fault.Is(err, x.code) || !strings.Contains(err.Error(), x.says) {
				t.Fatalf("%v; want %v that says %q", err, x.code, x.says)
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "zhang.wei") {
				t.Errorf("the error tells who or the secret: %v", err)
			}
		})
	}
}

// TestSignInSettingsAreRead: what is left out has the value that the manual says, and the
// secret is the line of its file.
func TestSignInSettingsAreRead(t *testing.T) {
	c := wholeOIDC("https://id.example.cn/realms/city")
	c.ClientSecretFile = fileOf(t, 0o600, "s3cret\n")
	got, err := c.signIn()
	if err != nil {
		t.Fatal(err)
	}
	if got.Secret != "s3cret" || got.Title != "id.example.cn" || got.KeyLife.Hours() != 24*defaultKeyDays {
		t.Errorf("secret %q, title %q, keys for %s", got.Secret, got.Title, got.KeyLife)
	}
	if s := c.Posts.String(); s != "1" {
		t.Errorf("posts are shown as %q: they name people", s)
	}
	if raw, err := json.Marshal(c.Posts); err != nil || string(raw) != "1" {
		t.Errorf("posts are printed as %s (%v): they name people", raw, err)
	}
}

// doctored is an app with a configuration and, if asked for, the organisation's ROOT key.
func doctored(t *testing.T, keyed bool, oidc string) *app {
	t.Helper()
	a := &app{lang: "en", home: t.TempDir()}
	if keyed {
		key, err := sm.Generate(sm.SM2)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.keys().Add(officials, keyring.Root, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(a.path(configFile), []byte("listen: 127.0.0.1:8080\n"+oidc), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestDoctorLooksAtSignIn: the doctor tells a wrong configuration, an absent ROOT key, a
// provider that does not answer, one that does not know this client, and one that does.
func TestDoctorLooksAtSignIn(t *testing.T) {
	knows := false
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": srv.URL, "authorization_endpoint": srv.URL + "/auth", "token_endpoint": srv.URL + "/token", "jwks_uri": srv.URL + "/keys"})
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		if !knows || r.FormValue("client_id") != "mulian" {
			http.Error(w, "unknown client", http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, r.FormValue("redirect_uri")+"?error=login_required&state="+r.FormValue("state"), http.StatusFound)
	})
	whole := "oidc:\n  issuer: " + srv.URL + "\n  org: " + officials + "\n  client_id: mulian\n"
	examine := func(keyed bool, oidc string) []finding { return doctored(t, keyed, oidc).examineSignIn(t.Context()) }

	if f := examine(true, ""); len(f) != 1 || f[0].Mark != "skip" {
		t.Errorf("no provider: %+v", f)
	}
	if f := examine(true, "oidc:\n  issuer: "+srv.URL+"\n  org: "+officials+"\n"); len(f) != 1 || f[0].Mark != "fail" || !strings.Contains(f[0].Value, "oidc.client_id") || !strings.Contains(f[0].Fix, configFile) {
		t.Errorf("a client without a name: %+v", f)
	}
	last := func(f []finding) finding { return f[len(f)-1] }
	if f := last(examine(true, whole)); f.Mark != "fail" || !strings.Contains(f.Fix, "http://localhost:8080/signin") {
		t.Errorf("a provider that does not know the client: %+v", f)
	}
	knows = true
	for _, f := range examine(true, whole) {
		if f.Mark != "ok" {
			t.Errorf("nothing is wrong: %+v", f)
		}
	}
	if f := examine(false, whole); len(f) != 3 || f[1].Mark != "fail" || f[1].Fix != "mulian key list" {
		t.Errorf("no ROOT key: %+v", f)
	}
	srv.Close()
	if f := last(examine(true, whole)); f.Mark != "fail" || !strings.Contains(f.Fix, "/.well-known/openid-configuration") {
		t.Errorf("a provider that is down: %+v", f)
	}
}
