package openid

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mulian/internal/judgetest"
	"mulian/internal/sdjwt"
)

const (
	walletID     = "wallet.example"
	back         = "https://wallet.example/back"
	codeVerifier = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-._~"
)

// begins is a town whose issuer lets a wallet begin, with the department's desk.
func begins(t *testing.T) (*town, *Door, string) {
	t.Helper()
	w := newTown(t)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	var err error
	d := &Door{url: server.URL, token: deskToken}
	d.Issuer, err = NewIssuer(IssuerConfig{
		URL: server.URL + "/vci", Names: w.issuer.cfg.Names, Now: w.clock.now, Issue: w.issue, Told: w.issuer.cfg.Told, Configurations: w.issuer.cfg.Configurations,
		Clients: []Client{{ID: walletID, Redirects: []string{back}}}, Login: server.URL + "/login?page=1",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Routes(mux)
	w.url = server.URL // credentials name the issuer so
	return w, d, server.URL
}

// request is a pushed request as it should be.
func request1() url.Values {
	sum := sha256.Sum256([]byte(codeVerifier))
	return url.Values{
		"client_id": {walletID}, "redirect_uri": {back}, "response_type": {"code"}, "scope": {"openid fund"}, "state": {"s 1"},
		"code_challenge": {sdjwt.Encode(sum[:])}, "code_challenge_method": {"S256"},
	}
}

// pushForm sends a form and reads the answer.
func pushForm(t *testing.T, to string, f url.Values) (int, map[string]any) {
	t.Helper()
	res, err := http.PostForm(to, f)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, out
}

// visit is a browser that does not follow.
func visit(t *testing.T, to string) (int, *url.URL) {
	t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	at, _ := res.Location()
	return res.StatusCode, at
}

// TestWhoMayBegin: only a wallet that is known, to a place of its own, with PKCE, for what
// there is; and each refusal goes to the wallet, never to the address it names.
func TestWhoMayBegin(t *testing.T) {
	_, _, base := begins(t)
	for name, x := range map[string]struct {
		change func(url.Values)
		code   Code
	}{
		"another wallet":      {func(f url.Values) { f.Set("client_id", "thief") }, InvalidClient},
		"another place":       {func(f url.Values) { f.Set("redirect_uri", back+"/x") }, InvalidRequest},
		"an implicit flow":    {func(f url.Values) { f.Set("response_type", "token") }, "unsupported_response_type"},
		"a plain challenge":   {func(f url.Values) { f.Set("code_challenge_method", "plain") }, InvalidRequest},
		"no challenge":        {func(f url.Values) { f.Del("code_challenge") }, InvalidRequest},
		"a short challenge":   {func(f url.Values) { f.Set("code_challenge", "YWJj") }, InvalidRequest},
		"a scope of nobody's": {func(f url.Values) { f.Set("scope", "openid") }, "invalid_scope"},
		"details":             {func(f url.Values) { f.Set("authorization_details", "[]") }, "invalid_authorization_details"},
		"a request by place":  {func(f url.Values) { f.Set("request_uri", "https://thief.example") }, InvalidRequest},
		"a name twice":        {func(f url.Values) { f.Add("scope", "fund") }, InvalidRequest},
	} {
		f := request1()
		x.change(f)
		if status, out := pushForm(t, base+"/vci/par", f); status != http.StatusBadRequest || out["error"] != string(x.code) {
			t.Errorf("%s: %d %v, want %s", name, status, out, x.code)
		}
	}
	if status, at := visit(t, base+"/vci/authorize?client_id="+walletID+"&request_uri="+requestPrefix+"none"); status != http.StatusBadRequest || at != nil {
		t.Errorf("a request that nobody pushed: %d, %v", status, at)
	}
}

// TestACodeIsForOneWallet: the person logs in at the department; the code counts once, for who
// began, and a second use ends what came of the first.
func TestACodeIsForOneWallet(t *testing.T) {
	w, d, base := begins(t)
	begin := func() url.Values {
		t.Helper()
		status, pushed := pushForm(t, base+"/vci/par", request1())
		if status != http.StatusCreated {
			t.Fatalf("%d %v", status, pushed)
		}
		to := base + "/vci/authorize?" + url.Values{"client_id": {walletID}, "request_uri": {pushed["request_uri"].(string)}}.Encode()
		status, login := visit(t, to)
		if status != http.StatusFound || login.Path != "/login" || login.Query().Get("page") != "1" {
			t.Fatalf("%d %v", status, login)
		}
		if status, _ := visit(t, to); status != http.StatusBadRequest {
			t.Errorf("a request is used twice: %d", status)
		}
		return login.Query()
	}
	code := func(subject string) url.Values {
		t.Helper()
		status, out := atDesk(t, "POST", base+"/desk/authorize", deskToken, `{"interaction":"`+begin().Get("interaction")+`","subject":`+subject+`}`)
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, out)
		}
		at, err := url.Parse(out["redirect"].(string))
		if err != nil || !strings.HasPrefix(at.String(), back+"?") || at.Query().Get("state") != "s 1" || at.Query().Get("iss") != base+"/vci" {
			t.Fatalf("%v, %v", at, err)
		}
		return at.Query()
	}
	if q := code(`null`); q.Get("error") != "access_denied" || q.Has("code") {
		t.Errorf("he does not want to: %v", q)
	}
	token := func(q url.Values, change func(url.Values)) (int, map[string]any) {
		f := url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {back}, "client_id": {walletID}, "code_verifier": {codeVerifier}}
		if change != nil {
			change(f)
		}
		return pushForm(t, base+"/vci/token", f)
	}
	for name, change := range map[string]func(url.Values){
		"another verifier": func(f url.Values) { f.Set("code_verifier", codeVerifier+"x") },
		"no verifier":      func(f url.Values) { f.Del("code_verifier") },
		"another place":    func(f url.Values) { f.Set("redirect_uri", "https://thief.example") },
		"another wallet":   func(f url.Values) { f.Set("client_id", "thief") },
	} {
		if status, out := token(code(`"7"`), change); status != http.StatusBadRequest || out["error"] != "invalid_grant" {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	q := code(`{"row":"京1","account":"p-1"}`)
	status, got := token(q, nil)
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, got)
	}
	secret := got["access_token"].(string)
	if o, ok := d.Issuer.tokens.get(secret); !ok || o.subject != `{"row":"京1","account":"p-1"}` {
		t.Errorf("%+v", o)
	}
	if status, _ := token(q, nil); status != http.StatusBadRequest {
		t.Errorf("a code is used twice: %d", status)
	}
	if _, err := d.Issuer.bearer(&http.Request{Header: http.Header{"Authorization": {"Bearer " + secret}}}); err == nil {
		t.Error("a stolen code leaves its token in force")
	}
	late := code(`"7"`)
	w.clock.forward(codeLife)
	if status, _ := token(late, nil); status != http.StatusBadRequest {
		t.Errorf("a code that has ended: %d", status)
	}
}

// TestAFloodOfRequests: who pushes requests and opens them, any number, as anybody may, keeps no
// wallet from beginning; one request leads to one code.
func TestAFloodOfRequests(t *testing.T) {
	w, d, base := begins(t)
	p, err := d.Issuer.asked(request1())
	if err != nil {
		t.Fatal(err)
	}
	_, mine := pushForm(t, base+"/vci/par", request1())
	for range maxOffers + 100 {
		flood := *p
		flood.ID = fresh()
		uri, err := d.Issuer.sealer.seal(asRequest, &flood, pushedLife)
		if err != nil {
			t.Fatal(err)
		}
		out := httptest.NewRecorder()
		d.Issuer.authorize(out, httptest.NewRequest("GET", "/vci/authorize?"+url.Values{"client_id": {walletID}, "request_uri": {requestPrefix + uri}}.Encode(), nil))
		if out.Code != http.StatusFound || !strings.Contains(out.Header().Get("Location"), "/login?") {
			t.Fatalf("%d %s", out.Code, out.Header())
		}
	}
	status, login := visit(t, base+"/vci/authorize?"+url.Values{"client_id": {walletID}, "request_uri": {mine["request_uri"].(string)}}.Encode())
	if status != http.StatusFound || login.Path != "/login" {
		t.Fatalf("%d %v", status, login)
	}
	interaction := login.Query().Get("interaction")
	if to, err := d.Issuer.Authorize(interaction, "7"); err != nil || !strings.Contains(to, "code=") {
		t.Errorf("%s, %v", to, err)
	}
	if to, err := d.Issuer.Authorize(interaction, "7"); err == nil {
		t.Errorf("an interaction counts twice: %s", to)
	}
	uri := strings.TrimPrefix(mine["request_uri"].(string), requestPrefix)
	if _, err := d.Issuer.Authorize(uri, "7"); err == nil {
		t.Error("a request counts as an interaction")
	}
	changed := []byte(interaction)
	changed[len(changed)/2] ^= 1
	if _, err := d.Issuer.Authorize(string(changed), "7"); err == nil {
		t.Error("a changed interaction counts")
	}
	_, late := pushForm(t, base+"/vci/par", request1())
	w.clock.forward(pushedLife)
	if status, _ := visit(t, base+"/vci/authorize?"+url.Values{"client_id": {walletID}, "request_uri": {late["request_uri"].(string)}}.Encode()); status != http.StatusBadRequest {
		t.Errorf("a request that has ended: %d", status)
	}
}

// TestAForeignWalletBegins: @openid4vc goes the whole way with PAR and PKCE, and notifies.
func TestAForeignWalletBegins(t *testing.T) {
	w, _, base := begins(t)
	var got struct {
		PAR    bool
		PKCE   string
		Again  int
		State  string
		Issued struct {
			OK    []string
			Error string
		}
		Replayed, After struct{ Error string }
	}
	judgetest.Ask(t, "authorize", map[string]any{
		"issuer": base + "/vci", "client": walletID, "redirect": back, "scope": "fund", "state": "s-2", "keys": []any{privateJWK(t)},
		"desk": base + "/desk/authorize", "token": deskToken, "subject": "7",
	}, &got)
	if len(got.Issued.OK) != 1 || !got.PAR || got.PKCE != "S256" || got.Again != http.StatusBadRequest || got.State != "s-2" {
		t.Fatalf("%+v", got)
	}
	if got.Replayed.Error == "" || got.After.Error == "" {
		t.Errorf("a code counts twice: %+v", got)
	}
	if len(w.told) != 1 || w.told[0].Event != "credential_deleted" || w.told[0].Order == "" || w.told[0].Subject != "7" {
		t.Errorf("told %+v", w.told)
	}
}
