package openid

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mulian/client/wallet"
	"mulian/internal/dcql"
	"mulian/internal/fault"
	"mulian/internal/jwe"
	"mulian/internal/sdjwt"
)

// question asks for the balance under a grant.
func question() Question {
	return Question{
		Query: &dcql.Query{Credentials: []dcql.Credential{{
			ID: "fund", Format: dcql.FormatSDJWT, Types: []string{vct},
			Claims: []dcql.Claim{{Path: sdjwt.Path{"balance_fen"}}, {Path: sdjwt.Path{"city"}, Values: []any{"泉城"}}},
		}}},
		Session: "till 7", Grant: &GrantReference{ID: "g-1", Request: "aGFzaA"},
	}
}

// TestAnOfferIsAccepted: link, metadata, code, ten credentials for ten keys, notification;
// and the offer is good once.
func TestAnOfferIsAccepted(t *testing.T) {
	w := newTown(t)
	link, code := w.offerLink(true)
	c := w.wallet()
	o, err := c.Offer(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	if o.Digits != 6 || o.Name != "住房公积金中心" || o.Issuer != w.url+"/vci" {
		t.Errorf("%+v", o)
	}
	got, accepted, err := c.Accept(t.Context(), o, code, keys(t, 12))
	if err != nil || len(got) != MaxBatch {
		t.Fatalf("%d credentials, %v", len(got), err)
	}
	for _, r := range got {
		v, err := sdjwt.Verify(t.Context(), r.Text, sdjwt.Policy{Keys: w.verifier.cfg.Policy.Keys, Now: w.clock.now(), Accept: []string{vct}})
		if err != nil || string(v.Holder.Bytes()) != string(r.Holder.Public().Bytes()) {
			t.Errorf("%v, %v", v, err)
		}
	}
	if err := c.Tell(t.Context(), accepted, wallet.Accepted); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]Notice{{Subject: "1", Configuration: "fund", Event: wallet.Accepted}}, w.told, cmpopts.IgnoreFields(Notice{}, "Order")); d != "" {
		t.Error(d)
	}
	if _, _, err := c.Accept(t.Context(), o, code, keys(t, 1)); fault.CodeOf(err) != fault.OfferUsed {
		t.Errorf("the offer again: %v", err)
	}
	if _, err := c.Offer(t.Context(), link); err == nil {
		t.Error("a used offer is still shown")
	}
}

// TestWrongTransactionCodes: five guesses, then the offer is over, also for the right one.
func TestWrongTransactionCodes(t *testing.T) {
	w := newTown(t)
	link, code := w.offerLink(true)
	c := w.wallet()
	o, err := c.Offer(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Accept(t.Context(), o, "", keys(t, 1)); fault.CodeOf(err) != fault.RequestInvalid {
		t.Errorf("without a code: %v", err)
	}
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	for range codeTries {
		if _, _, err := c.Accept(t.Context(), o, wrong, keys(t, 1)); fault.CodeOf(err) != fault.OfferUsed {
			t.Errorf("a wrong code: %v", err)
		}
	}
	if _, _, err := c.Accept(t.Context(), o, code, keys(t, 1)); fault.CodeOf(err) != fault.OfferUsed {
		t.Errorf("the right code after %d wrong ones: %v", codeTries, err)
	}
}

// TestOffersEnd with their time.
func TestOffersEnd(t *testing.T) {
	w := newTown(t)
	link, _ := w.offerLink(false)
	c := w.wallet()
	o, err := c.Offer(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.forward(OfferLife)
	if _, _, err := c.Accept(t.Context(), o, "", keys(t, 1)); fault.CodeOf(err) != fault.OfferUsed {
		t.Errorf("after its time: %v", err)
	}
}

// post sends what a hostile wallet sends.
func (w *town) post(path, token, kind string, body []byte) (status int, code string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer a.Body.Close()
	raw, _ := io.ReadAll(a.Body)
	var e struct{ Error string }
	_ = json.Unmarshal(raw, &e)
	return a.StatusCode, e.Error
}

// open returns an access token of an offer.
func (w *town) open() string {
	w.t.Helper()
	o := &offer{subject: "1", configurations: []string{"fund"}}
	secret, ok := w.issuer.tokens.put(o, tokenLife)
	if !ok {
		w.t.Fatal("no room")
	}
	return secret
}

// proof makes a proof with one thing changed.
func (w *town) proof(change func(header, payload *sdjwt.Object)) string {
	w.t.Helper()
	k := newKey(w.t, 9)
	jwk, _ := sdjwt.JWK(k.Public())
	h := sdjwt.Object{{Name: "typ", Value: "openid4vci-proof+jwt"}, {Name: "jwk", Value: jwk}}
	p := sdjwt.Object{{Name: "aud", Value: w.url + "/vci"}, {Name: "iat", Value: int(w.clock.now().Unix())}, {Name: "nonce", Value: w.issuer.nonces.fresh()}}
	change(&h, &p)
	text, err := sdjwt.SignJWS(h, p, k)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *town) asked(id string, proofs ...string) []byte {
	raw, err := json.Marshal(map[string]any{"credential_configuration_id": id, "proofs": map[string]any{"jwt": proofs}})
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// TestCredentialRefusals: each code of OpenID4VCI 8.3.1.2 that we send, with the request
// that earns it.
func TestCredentialRefusals(t *testing.T) {
	w := newTown(t)
	same := func(_, _ *sdjwt.Object) {}
	set := func(name string, v any) func(h, p *sdjwt.Object) {
		return func(h, p *sdjwt.Object) {
			for _, o := range []*sdjwt.Object{h, p} {
				for i := range *o {
					if (*o)[i].Name == name {
						(*o)[i].Value = v
					}
				}
			}
		}
	}
	good := w.proof(same)
	tampered := good[:len(good)-6] + "AAAAAA"
	eleven := []string{}
	for range MaxBatch + 1 {
		eleven = append(eleven, good)
	}
	for _, c := range []struct {
		name, token string
		body        []byte
		status      int
		code        Code
	}{
		{"no token", "x", w.asked("fund", good), 401, InvalidToken},
		{"no JSON", "", []byte("{"), 400, InvalidCredential},
		{"a name twice", "", []byte(`{"credential_configuration_id":"fund","credential_configuration_id":"fund"}`), 400, InvalidCredential},
		{"nothing named", "", []byte(`{}`), 400, InvalidCredential},
		{"another kind", "", w.asked("other", good), 400, UnknownConfiguration},
		{"an identifier", "", []byte(`{"credential_identifier":"x"}`), 400, "unknown_credential_identifier"},
		{"encryption", "", []byte(`{"credential_configuration_id":"fund","credential_response_encryption":{}}`), 400, "invalid_encryption_parameters"},
		{"no proof", "", w.asked("fund"), 400, InvalidProof},
		{"too many", "", w.asked("fund", eleven...), 400, InvalidProof},
		{"a key twice", "", w.asked("fund", good, good), 400, InvalidProof},
		{"tampered", "", w.asked("fund", tampered), 400, InvalidProof},
		{"another type", "", w.asked("fund", w.proof(set("typ", "JWT"))), 400, InvalidProof},
		{"no key", "", w.asked("fund", w.proof(set("jwk", "x"))), 400, InvalidProof},
		{"another issuer", "", w.asked("fund", w.proof(set("aud", "https://other.example"))), 400, InvalidProof},
		{"old", "", w.asked("fund", w.proof(set("iat", int(w.clock.now().Add(-time.Hour).Unix())))), 400, InvalidProof},
		{"from the future", "", w.asked("fund", w.proof(set("iat", int(w.clock.now().Add(time.Hour).Unix())))), 400, InvalidProof},
		{"no nonce of ours", "", w.asked("fund", w.proof(set("nonce", "AAAA"))), 400, InvalidNonce},
	} {
		token := c.token
		if token == "" {
			token = w.open()
		}
		if status, code := w.post("/vci/credential", token, "application/json", c.body); status != c.status || code != string(c.code) {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, code, c.status, c.code)
		}
	}
	token := w.open()
	if status, code := w.post("/vci/credential", token, "application/json", w.asked("fund", good)); status != 200 {
		t.Errorf("the good one: %d %s", status, code)
	}
	if status, code := w.post("/vci/credential", token, "application/json", w.asked("fund", good)); code != string(InvalidNonce) {
		t.Errorf("the same nonce again: %d %s", status, code)
	}
	late := w.proof(same)
	w.clock.forward(nonceLife)
	if _, code := w.post("/vci/credential", w.open(), "application/json", w.asked("fund", late)); code != string(InvalidNonce) && code != string(InvalidProof) {
		t.Errorf("an old nonce: %s", code)
	}
	w.broken = errors.New("the database of 住房公积金 stands still")
	if status, code := w.post("/vci/credential", w.open(), "application/json", w.asked("fund", w.proof(same))); status != 503 || code != string(UnavailableNow) {
		t.Errorf("our own trouble: %d %s", status, code)
	}
	w.broken = refuse(CredentialDenied, "the source is not there")
	if _, code := w.post("/vci/credential", w.open(), "application/json", w.asked("fund", w.proof(same))); code != string(CredentialDenied) {
		t.Errorf("a refusal: %s", code)
	}
}

// TestARequestIsAnswered: exactly the fields asked for, the grant signed along, encrypted
// and in the clear; the result is for the session that asked, once.
func TestARequestIsAnswered(t *testing.T) {
	for _, plain := range []bool{false, true} {
		w := newTown(t)
		held := w.held(2)
		q := question()
		q.Plain, q.Return = plain, w.url+"/back"
		link, id := w.requestLink(q)
		c := w.wallet()
		r, err := c.Resolve(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		if r.Name != "示范银行" || len(r.Transactions) != 1 || r.Transactions[0].Grant != "g-1" || r.Registration[0] != "ledger:use/7" {
			t.Errorf("%+v", r)
		}
		choices, err := r.Choose(held)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]dcql.Choice{{ID: "fund", Held: 0, Paths: []sdjwt.Path{{"balance_fen"}, {"city"}}}}, choices); d != "" {
			t.Error(d)
		}
		back, err := c.Answer(t.Context(), r, held, choices)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(back)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.verifier.ByCode(u.Query().Get("id"), "till 7", "x"); !errors.Is(err, ErrSession) {
			t.Errorf("another response code: %v", err)
		}
		res, err := w.verifier.ByCode(u.Query().Get("id"), "till 7", u.Query().Get("response_code"))
		if err != nil || res.State != Answered || len(res.Presented) != 1 {
			t.Fatalf("%v, %v", res, err)
		}
		p := res.Presented[0]
		if p.Claims.Text("balance_fen") != "1234500" || p.Claims.Text("name") != "" || !p.Bound || len(p.Shown) != 2 {
			t.Errorf("%+v", p)
		}
		if _, err := w.verifier.Result(id, "till 8"); !errors.Is(err, ErrSession) {
			t.Errorf("another session: %v", err)
		}
		if _, err := c.Resolve(t.Context(), link); err == nil {
			t.Error("the request is fetched twice")
		}
		if _, err := c.Answer(t.Context(), r, held, choices); fault.CodeOf(err) != fault.RequestInvalid {
			t.Errorf("answered twice: %v", err)
		}
		if len(w.done) != 1 {
			t.Errorf("%d results", len(w.done))
		}
	}
}

// TestNothingFitsAndNoLookTheSame: byte for byte in the clear, and of one length sealed.
func TestNothingFitsAndNoLookTheSame(t *testing.T) {
	for _, plain := range []bool{true, false} {
		w := newTown(t)
		held := w.held(1)
		var sent []string
		c := w.wallet()
		c.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				raw, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(raw))
				sent = append(sent, string(raw))
			}
			return http.DefaultTransport.RoundTrip(r)
		})
		q := question()
		q.Plain = plain
		none := q
		none.Query = &dcql.Query{Credentials: []dcql.Credential{{ID: "fund", Format: dcql.FormatSDJWT, Types: []string{vct}, Claims: []dcql.Claim{{Path: sdjwt.Path{"city"}, Values: []any{"别处"}}}}}}
		for i, q := range []Question{q, none} {
			link, id := w.requestLink(q)
			r, err := c.Resolve(t.Context(), link)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Choose(held); (i == 1) != errors.Is(err, dcql.ErrNone) {
				t.Errorf("question %d: %v", i, err)
			}
			if _, err := c.Decline(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if res, err := w.verifier.Result(id, "till 7"); err != nil || res.State != Refused || res.Code != AccessDenied {
				t.Errorf("%v, %v", res, err)
			}
		}
		for i := range sent {
			if q, err := url.ParseQuery(sent[i]); err == nil && plain {
				q.Del("state")
				sent[i] = q.Encode()
			}
		}
		if plain && sent[0] != sent[1] || len(sent[0]) != len(sent[1]) {
			t.Errorf("a refusal %q, nothing that fits %q", sent[0], sent[1])
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestBadPresentations: what a hostile wallet sends fails with its reason, and the wallet is
// told one sentence for all.
func TestBadPresentations(t *testing.T) {
	w := newTown(t)
	held := w.held(1)[0]
	token, err := sdjwt.Parse(held.Text)
	if err != nil {
		t.Fatal(err)
	}
	paths := []sdjwt.Path{{"balance_fen"}, {"city"}}
	type bind = sdjwt.Request
	for _, c := range []struct {
		name   string
		paths  []sdjwt.Path
		change func(*bind)
		key    sdjwt.Signer
		reason sdjwt.Reason
	}{
		{"good", paths, func(*bind) {}, held.Holder, ""},
		{"too little", paths[:1], func(*bind) {}, held.Holder, sdjwt.Undisclosed},
		{"too much", append(paths[:2:2], sdjwt.Path{"name"}), func(*bind) {}, held.Holder, sdjwt.ExtraDisclosure},
		{"another nonce", paths, func(b *bind) { b.Nonce += "x" }, held.Holder, sdjwt.BadNonce},
		{"another verifier", paths, func(b *bind) { b.Audience = "x509_hash:x" }, held.Holder, sdjwt.BadAudience},
		{"without the grant", paths, func(b *bind) { b.Transaction = nil }, held.Holder, sdjwt.NoTransaction},
		{"another grant", paths, func(b *bind) { b.Transaction = []string{"e30"} }, held.Holder, sdjwt.NoTransaction},
		{"no key", paths, func(*bind) {}, nil, sdjwt.NoKeyBinding},
	} {
		q := question()
		q.Plain = true
		link, id := w.requestLink(q)
		_, err := w.wallet().Resolve(t.Context(), link)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := w.verifier.results.get(id)
		text, err := token.Present(c.paths...)
		if err != nil {
			t.Fatal(err)
		}
		if c.key != nil {
			b := bind{Audience: w.verifier.client, Nonce: r.nonce, Transaction: r.transaction}
			c.change(&b)
			if text, err = sdjwt.Bind(text, b, c.key, w.clock.now()); err != nil {
				t.Fatal(err)
			}
		}
		tokens, _ := json.Marshal(map[string][]string{"fund": {text}})
		status, _ := w.post("/vp/response", "", "application/x-www-form-urlencoded", []byte(url.Values{"state": {r.state}, "vp_token": {string(tokens)}}.Encode()))
		res, err := w.verifier.Result(id, "till 7")
		if err != nil || res.Reason != c.reason || (c.reason == "") != (status == 200) || (c.reason == "") != (res.State == Answered) {
			t.Errorf("%s: HTTP %d, %v, %v", c.name, status, res, err)
		}
	}
}

// TestBadResponses: forms that are no answer, and answers that nobody asked for.
func TestBadResponses(t *testing.T) {
	w := newTown(t)
	ask := func(plain bool) (*request, string) {
		q := question()
		q.Plain = plain
		_, id := w.requestLink(q)
		r, _ := w.verifier.results.get(id)
		return r, id
	}
	stranger, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		plain bool
		form  func(r *request) url.Values
		state State
	}{
		{"no state", true, func(*request) url.Values { return url.Values{"vp_token": {"{}"}} }, Waiting},
		{"no token", true, func(r *request) url.Values { return url.Values{"state": {r.state}} }, Failed},
		{"an empty token", true, func(r *request) url.Values { return url.Values{"state": {r.state}, "vp_token": {"{}"}} }, Failed},
		{"another query", true, func(r *request) url.Values {
			return url.Values{"state": {r.state}, "vp_token": {`{"other":["x"]}`}}
		}, Failed},
		{"no presentation", true, func(r *request) url.Values {
			return url.Values{"state": {r.state}, "vp_token": {`{"fund":["x"]}`}}
		}, Failed},
		{"in the clear", false, func(r *request) url.Values { return url.Values{"state": {r.state}, "vp_token": {"{}"}} }, Failed},
		{"an error in the clear", false, func(r *request) url.Values {
			return url.Values{"state": {r.state}, "error": {"vp_formats_not_supported"}}
		}, Refused},
		{"sealed to another", false, func(r *request) url.Values {
			text, err := jwe.Seal(stranger.PublicKey(), r.state, jwe.A128GCM, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			return url.Values{"response": {text}}
		}, Failed},
		{"another state inside", false, func(r *request) url.Values {
			text, err := jwe.Seal(r.key.PublicKey(), r.state, jwe.A256GCM, []byte(`{"state":"x","error":"access_denied"}`))
			if err != nil {
				t.Fatal(err)
			}
			return url.Values{"response": {text}}
		}, Failed},
	} {
		r, id := ask(c.plain)
		w.post("/vp/response", "", "application/x-www-form-urlencoded", []byte(c.form(r).Encode()))
		res, err := w.verifier.Result(id, "till 7")
		if err != nil || res.State != c.state {
			t.Errorf("%s: %v, %v", c.name, res, err)
		}
		// Not for what it says, which nobody has looked at.
		if want := map[string]sdjwt.Reason{"in the clear": sdjwt.Malformed, "another state inside": sdjwt.SessionMismatch}[c.name]; want != "" && res.Reason != want {
			t.Errorf("%s: %s, want %s", c.name, res.Reason, want)
		}
	}
	_, id := ask(true)
	w.clock.forward(RequestLife)
	if res, err := w.verifier.Result(id, "till 7"); err != nil || res.State != Failed || res.Reason != sdjwt.Expired {
		t.Errorf("after its time: %v, %v", res, err)
	}
}

// TestWalletRefuses: requests that a wallet must not answer, with the code of 8.5.
func TestWalletRefuses(t *testing.T) {
	w := newTown(t)
	signer, chain := certificate(t)
	c := w.wallet()
	c.Trust = nil
	link, _ := w.requestLink(question())
	if _, err := c.Resolve(t.Context(), link); fault.CodeOf(err) != fault.ClientInvalid {
		t.Errorf("without trust: %v", err)
	}
	c = w.wallet()
	link, _ = w.requestLink(question())
	if _, err := c.Resolve(t.Context(), strings.Replace(link, "x509_hash", "x509_hasg", 1)); fault.CodeOf(err) != fault.ClientInvalid {
		t.Errorf("another client_id: %v", err)
	}
	w.verifier.cfg.Key = signer
	link, _ = w.requestLink(question())
	if _, err := c.Resolve(t.Context(), link); fault.CodeOf(err) != fault.ClientInvalid {
		t.Errorf("signed by another key: %v", err)
	}
	w.verifier.cfg.Chain = chain
	link, _ = w.requestLink(question())
	if _, err := c.Resolve(t.Context(), link); fault.CodeOf(err) != fault.ClientInvalid {
		t.Errorf("another certificate: %v", err)
	}
	for _, bad := range []string{"https://x", "openid4vp://?client_id=x&request_uri=http%3A%2F%2Fbank.example%2F", "MULIAN:R/0"} {
		if _, err := c.Resolve(t.Context(), bad); fault.CodeOf(err) != fault.Malformed {
			t.Errorf("%s: %v", bad, err)
		}
	}
	w = newTown(t)
	c = w.wallet()
	link, _ = w.requestLink(question())
	w.clock.forward(-time.Hour)
	link2, _ := w.requestLink(question())
	w.clock.forward(time.Hour)
	if _, err := c.Resolve(t.Context(), link2); err == nil {
		t.Error("a request that has ended is resolved")
	}
	app := "openid4vp://" + link[strings.Index(link, "?"):]
	if _, err := c.Resolve(t.Context(), app+"&request_uri_method=put"); fault.CodeOf(err) != fault.UriMethodInvalid {
		t.Errorf("method put: %v", err)
	}
	if _, err := c.Resolve(t.Context(), app+"&request_uri_method=post"); err != nil {
		t.Errorf("method post: %v", err)
	}
}
