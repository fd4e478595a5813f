package openid

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/gateway/reference"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

const deskToken = "0123456789abcdef0123456789abcdef"

// doorOf opens a door from files, as a gateway's configuration names them.
func doorOf(t *testing.T, w *town, reported func(context.Context, reference.Report)) (*Door, string) {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, mode os.FileMode, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	_, chain := certificateOf(t, newKey(t, 55))
	keyFile := filepath.Join(dir, "key")
	if err := sm.SavePrivate(keyFile, newKey(t, 55)); err != nil {
		t.Fatal(err)
	}
	jwk, err := sdjwt.JWK(w.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	cfg := Config{
		Name: "示范银行", Certificate: file("cert.pem", 0o644, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[0]})), Key: keyFile,
		Issuers:       []TrustedIssuer{{URL: w.url + "/vci", KeyFile: file("issuer.jwk", 0o644, sdjwt.AppendJSON(nil, jwk))}},
		DeskTokenFile: file("token", 0o600, []byte(deskToken+"\n")),
	}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	d, err := Open(cfg, server.URL, Parts{Configurations: w.issuer.cfg.Configurations, Issue: w.issue, Now: w.clock.now, Reported: reported})
	if err != nil {
		t.Fatal(err)
	}
	d.Routes(mux)
	w.chain = chain
	return d, server.URL
}

// atDesk is what the department's own system gets.
func atDesk(t *testing.T, method, to, token, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	raw, _ := io.ReadAll(a.Body)
	var out map[string]any
	if err := json.Unmarshal(bytes.TrimSpace(raw), &out); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return a.StatusCode, out
}

// TestTheDesk: the bank's system asks; the owner photographs the short code, types the
// number, answers; the bank's system sees the two fields.
func TestTheDesk(t *testing.T) {
	w := newTown(t)
	held := w.held(1)
	_, base := doorOf(t, w, nil)
	ask := `{"session":"till 7","query":{"credentials":[{"id":"fund","format":"dc+sd-jwt","meta":{"vct_values":["` + vct + `"]},"claims":[{"path":["balance_fen"]}]}]},"grant":{"id":"g-1","request":"aA"}}`
	if status, _ := atDesk(t, "POST", base+"/desk/request", "x", ask); status != http.StatusUnauthorized {
		t.Errorf("another token: %d", status)
	}
	status, asked := atDesk(t, "POST", base+"/desk/request", deskToken, ask)
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, asked)
	}
	c := w.wallet()
	code, err := c.Take(t.Context(), base, asked["code"].(string))
	if err != nil || !code.Number {
		t.Fatalf("%+v, %v", code, err)
	}
	if _, err := c.Take(t.Context(), base, asked["code"].(string)); err == nil {
		t.Error("a second device has the code, too")
	}
	if _, err := c.Match(t.Context(), code, "00"); err == nil {
		t.Error("a wrong number is taken")
	}
	link, err := c.Match(t.Context(), code, asked["number"].(string))
	if err != nil || link != asked["link"] {
		t.Fatalf("%s, %v", link, err)
	}
	r, err := c.Resolve(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	choices, err := r.Choose(held)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Answer(t.Context(), r, held, choices); err != nil {
		t.Fatal(err)
	}
	result := base + "/desk/request/" + asked["id"].(string)
	if _, got := atDesk(t, "GET", result+"?session=till+8", deskToken, ""); got["error"] != string(InvalidRequest) {
		t.Errorf("another session: %v", got)
	}
	_, got := atDesk(t, "GET", result+"?session=till+7", deskToken, "")
	shown, _ := json.Marshal(got["presented"])
	if got["state"] != "answered" || !strings.Contains(string(shown), `"balance_fen":"1234500"`) || strings.Contains(string(shown), "王小明") {
		t.Errorf("%v: %s", got, shown)
	}
}

// TestNotMe: a person was sent a photograph of somebody's code.
func TestNotMe(t *testing.T) {
	w := newTown(t)
	var reports []reference.Report
	d, base := doorOf(t, w, func(_ context.Context, r reference.Report) { reports = append(reports, r) })
	o, err := d.Codes.Ask("bank", "till 7", []byte("openid4vp://"), 0)
	if err != nil {
		t.Fatal(err)
	}
	c := w.wallet()
	code, err := c.Take(t.Context(), base, o.Payload.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.NotMe(t.Context(), code); err != nil || len(reports) != 1 || reports[0].Asker != "bank" {
		t.Errorf("%v, %v", reports, err)
	}
	if _, err := c.Match(t.Context(), code, o.Number); err == nil {
		t.Error("the code is still good")
	}
	show, err := d.Codes.Show("owner", "s", []byte("licence"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Take(t.Context(), base, show.Payload.String()); fault.CodeOf(err) != fault.Malformed {
		t.Errorf("a code to show is taken as a request: %v", err)
	}
	if _, err := c.Take(t.Context(), base, (qr.Payload{Kind: qr.Request, Short: qr.NewShort()}).String()); err == nil {
		t.Error("a code that nobody opened is taken")
	}
}

// TestDeskOffers: the department's system offers what it may.
func TestDeskOffers(t *testing.T) {
	w := newTown(t)
	_, base := doorOf(t, w, nil)
	status, got := atDesk(t, "POST", base+"/desk/offer", deskToken, `{"subject":"1","configurations":["fund"],"code":true}`)
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, got)
	}
	c := w.wallet()
	o, err := c.Offer(t.Context(), got["link"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if creds, _, err := c.Accept(t.Context(), o, got["tx_code"].(string), keys(t, 1)); err != nil || len(creds) != 1 {
		t.Errorf("%d, %v", len(creds), err)
	}
	if status, _ := atDesk(t, "POST", base+"/desk/offer", deskToken, `{"subject":"1","configurations":["other"]}`); status != http.StatusBadRequest {
		t.Errorf("what is not there: %d", status)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Name: "x"}
	for name, change := range map[string]func(*Config){
		"name": func(c *Config) { c.Name = "" }, "certificate": func(c *Config) { c.Certificate = "x" }, "url": func(c *Config) { c.URL = "http://bank.example" },
		"path": func(c *Config) { c.URL = "https://bank.example/x" }, "issuers": func(c *Config) { c.Issuers = []TrustedIssuer{{URL: "x"}} },
	} {
		c := good
		if change(&c); fault.CodeOf(c.Check()) != fault.Usage {
			t.Errorf("%s: %v", name, c.Check())
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	w := newTown(t)
	open := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(open, []byte(deskToken), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Name: "x", DeskTokenFile: open}, w.url, Parts{}); fault.CodeOf(err) != fault.Inaccessible {
		t.Errorf("a token that others may read: %v", err)
	}
}
