package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/internal/fault"
	"mulian/server/signin"
)

// liar is an identity provider that does what a test tells it: a real one does not.
type liar struct {
	*httptest.Server
	key    *rsa.PrivateKey
	claims map[string]any // of the next token
	alg    string         // "none" and "HS256" as attackers have them
	key2   *rsa.PrivateKey
	status int
	answer map[string]any // of the token endpoint, instead of a token
	slow   atomic.Bool
	issuer string
	codes  map[string]bool // used
	form   url.Values
}

func lie(t *testing.T) *liar {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key, codes: map[string]bool{}}
	out := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	stop := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		if l.slow.Load() {
			select {
			case <-r.Context().Done():
			case <-stop:
			}
			return
		}
		out(w, map[string]any{
			"issuer": l.issuer, "authorization_endpoint": l.URL + "/auth", "token_endpoint": l.URL + "/token", "jwks_uri": l.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		out(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &l.key.PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		l.form = r.PostForm
		code := r.PostForm.Get("code")
		if l.answer != nil || l.codes[code] {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(max(l.status, http.StatusBadRequest))
			_ = json.NewEncoder(w).Encode(orElse(l.answer, map[string]any{"error": "invalid_grant"}))
			return
		}
		l.codes[code] = true
		out(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": l.token(t)})
	})
	l.Server = httptest.NewServer(mux)
	l.issuer = l.URL
	t.Cleanup(func() { close(stop); l.Close() })
	return l
}

func orElse(a, b map[string]any) map[string]any {
	if a != nil {
		return a
	}
	return b
}

func (l *liar) token(t *testing.T) string {
	payload, err := json.Marshal(l.claims)
	if err != nil {
		t.Error(err)
	}
	if l.alg == "none" {
		e := base64.RawURLEncoding
		return e.EncodeToString([]byte(`{"alg":"none"}`)) + "." + e.EncodeToString(payload) + "."
	}
	key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: l.key, KeyID: "k"}}
	if l.key2 != nil {
		key.Key = jose.JSONWebKey{Key: l.key2, KeyID: "k"}
	}
	if l.alg == "HS256" { // signed with what everybody can read: the provider's public key
		key = jose.SigningKey{Algorithm: jose.HS256, Key: l.key.PublicKey.N.Bytes()}
	}
	s, err := jose.NewSigner(key, nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Error(err)
		return ""
	}
	text, _ := signed.CompactSerialize()
	return text
}

const origin, clientID = "https://mulian.example.cn:8443", "mulian"

// visit is one sign-in of a page.
type visit struct {
	secret       []byte
	state, nonce string
}

func begin(t *testing.T, s *signin.SignIn) visit {
	t.Helper()
	v := visit{secret: make([]byte, 32)}
	_, _ = rand.Read(v.secret)
	sum := sha256.Sum256(v.secret)
	to, err := s.Begin(t.Context(), origin, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	v.state, v.nonce = q.Get("state"), q.Get("nonce")
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("redirect_uri") != origin+"/signin" || q.Get("response_type") != "code" || !strings.Contains(q.Get("scope"), "openid") {
		t.Fatalf("the page goes to %s", to)
	}
	return v
}

func (v visit) back() *consolev1.FinishSignInRequest {
	return &consolev1.FinishSignInRequest{State: v.state, Code: "code-of-" + v.state, Secret: v.secret}
}

func open(l *liar, chain *client.Client, root client.Signer, now func() time.Time) *signin.SignIn {
	return signin.New(signin.Config{
		Title: "统一身份认证", Issuer: l.URL, ClientID: clientID, Secret: "hush", Claim: "preferred_username", KeyLife: 24 * time.Hour,
		Posts: func() ([]signin.Post, error) {
			return []signin.Post{{Who: "zhang.wei", Post: "data-1", Name: "数据管理岗", Role: "steward"}, {Who: "zhang.wei", Post: "data-2", Name: "数据管理岗（二）", Role: "steward"}}, nil
		},
	}, chain, root, nil, now)
}

func (l *liar) honest(v visit, now time.Time) map[string]any {
	return map[string]any{"iss": l.URL, "aud": clientID, "sub": "1", "nonce": v.nonce, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "preferred_username": "li.na"}
}

// TestLiesAreNotBelieved: each way in which a provider, or who stands between, may lie or be
// out of order is refused with its own code, and gives nothing.
func TestLiesAreNotBelieved(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set := func(k string, v any) func(*liar, *consolev1.FinishSignInRequest) {
		return func(l *liar, _ *consolev1.FinishSignInRequest) {
			l.claims = maps.Clone(l.claims)
			if l.claims[k] = v; v == nil {
				delete(l.claims, k)
			}
		}
	}
	for name, c := range map[string]struct {
		lie  func(*liar, *consolev1.FinishSignInRequest)
		code fault.Code
	}{
		"another issuer":             {set("iss", "https://elsewhere.example.cn"), fault.BadAuthorisation},
		"another audience":           {set("aud", "another-client"), fault.BadAuthorisation},
		"two audiences, nobody's":    {set("aud", []string{clientID, "another"}), fault.BadAuthorisation},
		"said to another":            {set("azp", "another"), fault.BadAuthorisation},
		"run out":                    {set("exp", time.Now().Add(-signin.Skew-time.Minute).Unix()), fault.BadAuthorisation},
		"of another nonce":           {set("nonce", "another"), fault.BadAuthorisation},
		"without a nonce":            {set("nonce", nil), fault.BadAuthorisation},
		"said long ago":              {set("iat", time.Now().Add(-time.Hour).Unix()), fault.BadAuthorisation},
		"said tomorrow":              {set("iat", time.Now().Add(24*time.Hour).Unix()), fault.BadAuthorisation},
		"without the claim":          {set("preferred_username", nil), fault.BadAuthorisation},
		"a claim that is no text":    {set("preferred_username", []string{"zhang.wei"}), fault.BadAuthorisation},
		"unsigned":                   {func(l *liar, _ *consolev1.FinishSignInRequest) { l.alg = "none" }, fault.BadAuthorisation},
		"signed with its public key": {func(l *liar, _ *consolev1.FinishSignInRequest) { l.alg = "HS256" }, fault.BadAuthorisation},
		"signed by another":          {func(l *liar, _ *consolev1.FinishSignInRequest) { l.key2 = other }, fault.BadAuthorisation},
		"another iss in the address": {func(_ *liar, m *consolev1.FinishSignInRequest) { m.Iss = "https://elsewhere.example.cn" }, fault.BadAuthorisation},
		"a state that nobody began":  {func(_ *liar, m *consolev1.FinishSignInRequest) { m.State = "AAAA" }, fault.Expired},
		"another page's secret":      {func(_ *liar, m *consolev1.FinishSignInRequest) { m.Secret = make([]byte, 32) }, fault.Expired},
		"no code":                    {func(_ *liar, m *consolev1.FinishSignInRequest) { m.Code = "" }, fault.Missing},
		"a code that was used":       {func(l *liar, m *consolev1.FinishSignInRequest) { l.codes[m.Code] = true }, fault.Expired},
		"a client that it does not know": {func(l *liar, _ *consolev1.FinishSignInRequest) {
			l.answer, l.status = map[string]any{"error": "invalid_client"}, http.StatusUnauthorized
		}, fault.NotWhitelisted},
		"out of order": {func(l *liar, _ *consolev1.FinishSignInRequest) {
			l.answer, l.status = map[string]any{"error": "server_error"}, http.StatusServiceUnavailable
		}, fault.Unreachable},
		"gone since": {func(l *liar, _ *consolev1.FinishSignInRequest) { l.Close() }, fault.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			l := lie(t)
			s := open(l, nil, client.Signer{}, nil)
			v := begin(t, s)
			l.claims = l.honest(v, time.Now())
			m := v.back()
			c.lie(l, m)
			if got, err := s.Finish(t.Context(), m); !fault.Is(err, c.code) {
				t.Errorf("%v, %v: %s is expected", got, err, c.code)
			}
		})
	}
}

// TestSignInIsFinishedOnce: who is known but has no post is told as whom, and gets nothing; the
// same answer again, or one after ten minutes, is refused; another page's try spoils nothing.
func TestSignInIsFinishedOnce(t *testing.T) {
	l, now := lie(t), time.Now()
	s := open(l, nil, client.Signer{}, func() time.Time { return now })
	v := begin(t, s)
	l.claims = l.honest(v, now)
	stranger := v.back()
	stranger.Secret = make([]byte, 32)
	if _, err := s.Finish(t.Context(), stranger); !fault.Is(err, fault.Expired) {
		t.Errorf("another page: %v", err)
	}
	got, err := s.Finish(t.Context(), v.back())
	if err != nil || got.GetTicket() != "" || len(got.GetSeats()) != 0 || got.GetWho() != "li.na" || got.GetClaim() != "preferred_username" {
		t.Fatalf("%v, %v", got, err)
	}
	if l.form.Get("code_verifier") == "" || l.form.Get("redirect_uri") != origin+"/signin" {
		t.Errorf("the provider was asked %v", l.form)
	}
	if _, err := s.Finish(t.Context(), v.back()); !fault.Is(err, fault.Expired) {
		t.Errorf("a second time: %v", err)
	}
	late := begin(t, s)
	l.claims = l.honest(late, now)
	now = now.Add(signin.FlowLife)
	if _, err := s.Finish(t.Context(), late.back()); !fault.Is(err, fault.Expired) {
		t.Errorf("after %s: %v", signin.FlowLife, err)
	}
	if s.Holds("") || s.Holds("AAAA") {
		t.Error("a ticket that nobody got is held")
	}
}

// TestProviderIsDownOrSlow: a page is told within the bound, and not more than eight wait.
func TestProviderIsDownOrSlow(t *testing.T) {
	l := lie(t)
	l.slow.Store(true)
	s := open(l, nil, client.Signer{}, nil)
	sum := sha256.Sum256(nil)
	started, ended := time.Now(), make(chan error, 12)
	for range cap(ended) {
		go func() { _, err := s.Begin(t.Context(), origin, sum[:]); ended <- err }()
	}
	codes := map[fault.Code]int{}
	for range cap(ended) {
		codes[fault.CodeOf(<-ended)]++
	}
	if took := time.Since(started); took > signin.Patience+5*time.Second || codes[fault.Unreachable] != 8 || codes[fault.Busy] != 4 {
		t.Errorf("after %s: %v", took, codes)
	}
	l.slow.Store(false)
	l.issuer = "https://elsewhere.example.cn"
	if _, err := s.Begin(t.Context(), origin, sum[:]); !fault.Is(err, fault.Malformed) {
		t.Errorf("a provider that calls itself otherwise: %v", err)
	}
	l.Close()
	if _, err := s.Begin(t.Context(), origin, sum[:]); !fault.Is(err, fault.Unreachable) {
		t.Errorf("a provider that is down: %v", err)
	}
	if _, err := s.Begin(t.Context(), origin, []byte("short")); !fault.Is(err, fault.Malformed) {
		t.Errorf("no hash: %v", err)
	}
}

// TestAddressesNeedHTTPS: but for this machine.
func TestAddressesNeedHTTPS(t *testing.T) {
	for u, ok := range map[string]bool{
		"https://id.example.cn": true, "https://id.example.cn/realms/a": true, "http://127.0.0.1:1": true, "http://localhost:1": true,
		"http://id.example.cn": false, "id.example.cn": false, "ftp://localhost": false, "": false, "https://a@id.example.cn": false, "http://localhost.example.cn": false,
	} {
		if err := signin.CheckURL(u); (err == nil) != ok {
			t.Errorf("%q: %v", u, err)
		}
	}
}
