package wallet

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

type answers func(*http.Request) string

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/oauth-authz-req+jwt"}}, Body: io.NopCloser(strings.NewReader(f(r)))}, nil
}

// FuzzRequest: no request object that a stranger serves is taken without a certificate that
// client_id names; the contents of one that is signed are read or refused.
func FuzzRequest(f *testing.F) {
	k, err := sm.FromSeed(sm.P256, [32]byte{31: 1})
	if err != nil {
		f.Fatal(err)
	}
	text, err := sdjwt.SignJWS(sdjwt.Object{{Name: "typ", Value: "oauth-authz-req+jwt"}, {Name: "x5c", Value: sdjwt.Array{"MIIB"}}}, sdjwt.Object{{Name: "client_id", Value: "x509_hash:x"}}, k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, []byte(`{}`))
	f.Add("", []byte(`{"dcql_query":{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["x"]}}]},"transaction_data":["e30"],"response_mode":"direct_post.jwt","client_metadata":{"jwks":{"keys":[{"kty":"EC"}]}},"verifier_info":[1,{"data":"x"}]}`))
	f.Add("a.b.c", []byte(`{"dcql_query":{"credentials":[{"id":"a","format":"mso_mdoc"}]}}`))
	f.Fuzz(func(t *testing.T, object string, payload []byte) {
		w := &Wallet{Trust: func([][]byte) error { return nil }, Transport: answers(func(*http.Request) string { return object })}
		if r, err := w.Resolve(context.Background(), "openid4vp://?client_id=x509_hash%3Ax&request_uri=https%3A%2F%2Fbank.example%2Fr"); err == nil {
			t.Fatalf("%+v", r)
		} else if fault.CodeOf(err) == fault.Internal {
			t.Fatal(err)
		}
		o, err := sdjwt.ParseObject(payload)
		if err != nil {
			return
		}
		r := &Request{}
		if err := w.contents(r, o); err == nil && (r.Query == nil || len(r.Transactions) != len(r.transaction)) {
			t.Fatalf("%+v", r)
		}
	})
}

// FuzzOffer: whatever an issuer serves, the wallet ends with an answer or a refusal.
func FuzzOffer(f *testing.F) {
	f.Add(`{"credential_issuer":"https://x/vci","credential_configuration_ids":["a"],"grants":{"urn:ietf:params:oauth:grant-type:pre-authorized_code":{"pre-authorized_code":"c","tx_code":{"length":4}}}}`,
		`{"credential_issuer":"https://x/vci","credential_endpoint":"https://x/c","nonce_endpoint":"https://x/n","batch_credential_issuance":{"batch_size":3},"credential_configurations_supported":{"a":{}},"display":[{"name":"\u001b[2J","locale":"zh-CN"}],"issuer":"https://x/vci","token_endpoint":"https://x/t","access_token":"t","c_nonce":"n","credentials":[{"credential":"x"}]}`)
	f.Add(`{}`, `{}`)
	k, err := sm.FromSeed(sm.P256, [32]byte{31: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, offer, rest string) {
		w := &Wallet{Transport: answers(func(r *http.Request) string {
			if r.URL.Path == "/offer" {
				return offer
			}
			return rest
		})}
		o, err := w.Offer(context.Background(), "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fx%2Foffer")
		if err != nil {
			return
		}
		if strings.ContainsAny(o.Name, "\x1b\n") || o.Digits < 0 || o.Digits > 16 {
			t.Fatalf("%+v", o)
		}
		if got, _, err := w.Accept(context.Background(), o, "1", []sdjwt.Signer{k}); err == nil && len(got) == 0 {
			t.Fatal("accepted, and nothing received")
		}
	})
}

// FuzzCode: a code leads to the gateway that it names and to no other address, whatever that
// gateway answers; what is shown of the asker has no control characters and an end.
func FuzzCode(f *testing.F) {
	code := qr.Payload{Kind: qr.Request, Short: qr.Short{1, 2, 3}}
	f.Add(code.String(), `{"asker":"x509_hash:abc","number":true,"ticket":"t","link":"openid4vp://?a"}`)
	code.Host = "Q.GOV.CN"
	f.Add(code.String(), `{"asker":"\u001b[2J`+strings.Repeat("a", 300)+`","number":"yes"}`)
	f.Add("MULIAN:R/", `[]`)
	f.Fuzz(func(t *testing.T, text, answer string) {
		host := "gateway.example"
		if p, err := qr.Parse(text); err == nil && p.Host != "" {
			host = p.Host
		}
		w := &Wallet{Transport: answers(func(r *http.Request) string {
			if r.URL.Host != host || r.URL.Scheme != "https" || r.URL.User != nil || r.URL.RawQuery != "" {
				t.Errorf("%q leads to %s", text, r.URL)
			}
			return answer
		})}
		c, err := w.Take(context.Background(), "https://gateway.example", text)
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Fatal(err)
			}
			return
		}
		if len(c.Asker) > 128 || strings.ContainsAny(c.Asker, "\x1b\n\r") {
			t.Fatalf("%q asks", c.Asker)
		}
		_, _ = w.Match(context.Background(), c, "10")
		_ = w.NotMe(context.Background(), c)
	})
}
