package openid

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mulian/gateway/reference"
	"mulian/internal/dcql"
	"mulian/internal/jwe"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// fuzzed is an issuer and a verifier without a network.
func fuzzed(f *testing.F) (*Issuer, *Verifier) {
	f.Helper()
	k, err := sm.FromSeed(sm.P256, [32]byte{31: 1})
	if err != nil {
		f.Fatal(err)
	}
	i, err := NewIssuer(IssuerConfig{
		URL: "https://fund.gov.example/vci", Configurations: []Configuration{{ID: "fund", Type: vct}},
		Issue: func(_ context.Context, o Order) ([]string, error) { return make([]string, len(o.Holders)), nil },
	})
	if err != nil {
		f.Fatal(err)
	}
	v, err := NewVerifier(VerifierConfig{
		URL: "https://bank.example/vp", Key: k, Chain: [][]byte{{1}},
		Policy: sdjwt.Policy{Keys: func(sdjwt.Signature) (sm.PublicKey, error) { return k.Public(), nil }},
	})
	if err != nil {
		f.Fatal(err)
	}
	return i, v
}

// ask sends a body and holds that the answer is JSON without a trouble of ours.
func ask(t *testing.T, h http.Handler, path, kind, token string, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code >= 500 || w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
		t.Fatalf("HTTP %d: %s", w.Code, w.Body)
	}
	return w
}

// FuzzCredential: no body makes an issuer give a credential without a proof of ours.
func FuzzCredential(f *testing.F) {
	i, _ := fuzzed(f)
	h := i.Handler()
	f.Add([]byte(`{"credential_configuration_id":"fund","proofs":{"jwt":["a.b.c"]}}`))
	f.Add([]byte(`{"credential_configuration_id":"fund","proofs":{"jwt":["eyJhbGciOiJFUzI1NiIsInR5cCI6Im9wZW5pZDR2Y2ktcHJvb2Yrand0In0.e30.AAAA"]}}`))
	f.Add([]byte(`{"credential_identifier":"x"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, body []byte) {
		token := "t"
		i.tokens = newShelf[*offer](maxOffers, time.Now)
		i.tokens.keep(token, &offer{configurations: []string{"fund"}}, tokenLife)
		if w := ask(t, h, "/vci/credential", "application/json", token, body); w.Code == http.StatusOK {
			t.Fatalf("%s: %s", body, w.Body)
		}
		ask(t, h, "/vci/notification", "application/json", token, body)
	})
}

// FuzzToken: no form spends an offer without its code.
func FuzzToken(f *testing.F) {
	i, _ := fuzzed(f)
	h := i.Handler()
	if _, err := i.Offer("1", true, "fund"); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code&pre-authorized_code=x&tx_code=123456"))
	f.Add([]byte("grant_type=authorization_code"))
	f.Add([]byte("a=%zz&a=b;c"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if w := ask(t, h, "/vci/token", "application/x-www-form-urlencoded", "", body); w.Code == http.StatusOK {
			t.Fatalf("%s: %s", body, w.Body)
		}
	})
}

// FuzzResponse: no form is taken for a presentation.
func FuzzResponse(f *testing.F) {
	_, v := fuzzed(f)
	h := v.Handler()
	query := &dcql.Query{Credentials: []dcql.Credential{{ID: "fund", Format: dcql.FormatSDJWT, Types: []string{vct}}}}
	f.Add([]byte("state=s&vp_token=%7B%22fund%22%3A%5B%22x%22%5D%7D"))
	f.Add([]byte("state=s&error=access_denied"))
	f.Add([]byte("response=eyJhbGciOiJFQ0RILUVTIiwia2lkIjoicyJ9...."))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &request{Question: Question{Query: query, Session: "s"}, id: "i", state: "s", nonce: "n"}
		v.states = newShelf[*request](maxRequests, time.Now)
		v.states.keep("s", r, RequestLife)
		ask(t, h, "/vp/response", "application/x-www-form-urlencoded", "", body)
		if r.result.State == Answered {
			t.Fatalf("%s is taken", body)
		}
	})
}

// FuzzProof goes past the signature: a key signs any proof, in which @nonce@ stands for a
// nonce of ours. A credential is given only for one that is for this issuer, in time, with
// the nonce.
func FuzzProof(f *testing.F) {
	i, _ := fuzzed(f)
	at := time.Unix(1_790_000_000, 0)
	i.cfg.Now, i.nonces.now = func() time.Time { return at }, func() time.Time { return at }
	h := i.Handler()
	k, err := sm.FromSeed(sm.P256, [32]byte{31: 9})
	if err != nil {
		f.Fatal(err)
	}
	jwk, err := sdjwt.JWK(k.Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"typ":"openid4vci-proof+jwt"}`), []byte(`{"aud":"https://fund.gov.example/vci","iat":1790000000,"nonce":"@nonce@"}`))
	f.Add([]byte(`{"typ":"openid4vci-proof+jwt"}`), []byte(`{"aud":"https://fund.gov.example/vci","iat":1690000000,"nonce":"@nonce@"}`))
	f.Add([]byte(`{"typ":"JWT","jwk":{"kty":"EC"}}`), []byte(`{"nonce":""}`))
	f.Fuzz(func(t *testing.T, header, payload []byte) {
		nonce := i.nonces.fresh()
		head, err := sdjwt.ParseObject(header)
		if err != nil {
			return
		}
		claims, err := sdjwt.ParseObject(bytes.ReplaceAll(payload, []byte("@nonce@"), []byte(nonce)))
		if err != nil {
			return
		}
		if _, given := head.Get("alg"); given {
			return // SignJWS sets it
		}
		if _, given := head.Get("jwk"); !given {
			head = append(head, sdjwt.Member{Name: "jwk", Value: jwk})
		}
		proof, err := sdjwt.SignJWS(head, claims, k)
		if err != nil {
			t.Fatal(err)
		}
		i.tokens = newShelf[*offer](maxOffers, i.cfg.Now)
		i.tokens.keep("t", &offer{configurations: []string{"fund"}}, tokenLife)
		body, err := json.Marshal(map[string]any{"credential_configuration_id": "fund", "proofs": map[string]any{"jwt": []string{proof}}})
		if err != nil {
			t.Fatal(err)
		}
		w := ask(t, h, "/vci/credential", "application/json", "t", body)
		if w.Code != http.StatusOK {
			return
		}
		iat, _ := claims.Whole("iat")
		age := at.Sub(time.Unix(iat, 0))
		if claims.Text("aud") != i.cfg.URL || claims.Text("nonce") != nonce || head.Text("typ") != "openid4vci-proof+jwt" || age > proofMaxAge || age < -proofMaxAge {
			t.Fatalf("a credential for %s of %s", payload, header)
		}
		if again := ask(t, h, "/vci/credential", "application/json", "t", body); again.Code == http.StatusOK {
			t.Fatal("one proof, and two credentials")
		}
	})
}

// FuzzAnswer goes past the encryption: any answer sealed to the request's own key. Without a
// credential of the issuer none is taken, a second one never.
func FuzzAnswer(f *testing.F) {
	_, v := fuzzed(f)
	h := v.Handler()
	key, err := ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{3}, 32))
	if err != nil {
		f.Fatal(err)
	}
	query := &dcql.Query{Credentials: []dcql.Credential{{ID: "fund", Format: dcql.FormatSDJWT, Types: []string{vct}, Multiple: true}}}
	f.Add([]byte(`{"vp_token":{"fund":["a.b.c~"]},"state":"s"}`))
	f.Add([]byte(`{"vp_token":{"fund":[],"other":[1]}}`))
	f.Add([]byte(`{"error":"access_denied","vp_token":7}`))
	f.Add([]byte(`{"vp_token":{}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := &request{Question: Question{Query: query, Session: "s"}, id: "i", state: "s", nonce: "n", key: key}
		v.states = newShelf[*request](maxRequests, time.Now)
		v.states.keep("s", r, RequestLife)
		sealed, err := jwe.Seal(key.PublicKey(), "s", jwe.A128GCM, answer)
		if err != nil {
			t.Fatal(err)
		}
		form := []byte(url.Values{"response": {sealed}}.Encode())
		ask(t, h, "/vp/response", "application/x-www-form-urlencoded", "", form)
		if r.result.State == Answered {
			t.Fatalf("%s is taken", answer)
		}
		if r.result.State == 0 && len(form) < 1<<16 {
			t.Fatalf("%s is not judged", answer)
		}
		if w := ask(t, h, "/vp/response", "application/x-www-form-urlencoded", "", form); w.Code == http.StatusOK {
			t.Fatal("a request was answered twice")
		}
	})
}

// FuzzDesk: no body at the desk, and none of a device with a code, is a trouble of ours or
// makes a code longer than a code may be.
func FuzzDesk(f *testing.F) {
	i, v := fuzzed(f)
	d := &Door{Issuer: i, Verifier: v, Codes: &reference.Codes{}, url: "https://bank.example", token: deskToken}
	mux := http.NewServeMux()
	d.Routes(mux)
	f.Add("/desk/offer", []byte(`{"subject":"1","configurations":["fund"],"code":true}`))
	f.Add("/desk/request", []byte(`{"session":"s","query":{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["x"]}}]},"grant":{"id":"g","request":"r"},"return":"https://x"}`))
	f.Add("/R/0123456789ABCDEFGHJKMNPQRS", []byte(`{}`))
	f.Add("/R/0123456789ABCDEFGHJKMNPQRS/match", []byte(`{"ticket":"t","number":"10"}`))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		u, err := url.Parse("https://bank.example/" + strings.TrimLeft(path, "/"))
		if err != nil || u.Host != "bank.example" {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "https://bank.example/", bytes.NewReader(body))
		r.URL = u
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+deskToken)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		var out struct{ Code, Link string }
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable || w.Code == http.StatusOK && json.Unmarshal(w.Body.Bytes(), &out) != nil {
			t.Fatalf("HTTP %d: %s", w.Code, w.Body)
		}
		if out.Code != "" {
			if p, err := qr.Parse(out.Code); err != nil || p.Kind != qr.Request || len(out.Code) > qr.MaxLink {
				t.Fatalf("the code %q: %v", out.Code, err)
			}
		}
		if len(out.Link) > qr.MaxLink {
			t.Fatalf("a link of %d bytes", len(out.Link))
		}
	})
}
