package openid

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mulian/internal/dcql"
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
