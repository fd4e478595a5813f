package sdjwt_test

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"mulian/internal/judgetest"
	"mulian/internal/sdjwt"
)

// TestJudgesVerifyOurCredentials: @sd-jwt/sd-jwt-vc reads the same claims from our
// credential and presentations, accepts the holder's binding with its transaction data, and
// refuses each of them tampered.
func TestJudgesVerifyOurCredentials(t *testing.T) {
	s := suites(t)[0]
	issued := issue(t, s)
	token, err := sdjwt.Parse(issued.Text)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := token.Present(path{"balance_fen"}, path{"over", "12"}, path{"loans", 1})
	if err != nil {
		t.Fatal(err)
	}
	bound, err := sdjwt.Bind(shown, sdjwt.Request{Audience: "x509_hash:bank", Nonce: "n-0123456789abcdef", Transaction: []string{"e30"}}, s.holder, now)
	if err != nil {
		t.Fatal(err)
	}
	dot := strings.Index(bound, ".")
	swap := func(text string, at int) string {
		b := []byte(text)
		if b[at]++; b[at] > 'y' {
			b[at] = 'a'
		}
		return string(b)
	}
	type ask struct {
		Text     string   `json:"text"`
		Nonce    *string  `json:"nonce,omitempty"`
		Aud      string   `json:"aud,omitempty"`
		Required []string `json:"required,omitempty"`

		Suspended bool `json:"suspended,omitempty"`
	}
	nonce, other := "n-0123456789abcdef", "n-other"
	cases := []struct {
		name string
		ask  ask
		ok   bool
	}{
		{"issued", ask{Text: issued.Text}, true},
		{"shown", ask{Text: shown, Required: []string{"balance_fen"}}, true},
		{"bound", ask{Text: bound, Nonce: &nonce, Aud: "x509_hash:bank"}, true},
		{"a claim that is not shown", ask{Text: shown, Required: []string{"name"}}, false},
		{"suspended", ask{Text: shown, Suspended: true}, false},
		{"another nonce", ask{Text: bound, Nonce: &other, Aud: "x509_hash:bank"}, false},
		{"another verifier", ask{Text: bound, Nonce: &nonce, Aud: "x509_hash:shop"}, false},
		{"payload", ask{Text: swap(bound, dot+20)}, false},
		{"disclosure", ask{Text: swap(bound, strings.Index(bound, "~")+8), Nonce: &nonce}, false},
		{"binding", ask{Text: swap(bound, len(bound)-20), Nonce: &nonce}, false},
	}
	jwk, err := sdjwt.JWK(s.issuer.Public())
	if err != nil {
		t.Fatal(err)
	}
	question := map[string]any{"issuer": jwk, "now": now.Unix(), "valid": statusList(t, s.issuer, 0), "suspended": statusList(t, s.issuer, 2)}
	var asks []ask
	for _, c := range cases {
		asks = append(asks, c.ask)
	}
	question["cases"] = asks
	var got []struct {
		OK struct {
			Claims      json.RawMessage
			Transaction []string
		}
		Error string
	}
	judgetest.Ask(t, "credentials", question, &got)
	for i, c := range cases {
		if (got[i].Error == "") != c.ok {
			t.Errorf("%s: %q, want ok %v", c.name, got[i].Error, c.ok)
		}
		if !c.ok || got[i].Error != "" {
			continue
		}
		mine, err := sdjwt.Parse(c.ask.Text)
		if err != nil {
			t.Fatal(err)
		}
		claims, _, err := mine.Expand()
		if err != nil {
			t.Fatal(err)
		}
		if theirs := sorted(t, got[i].OK.Claims); theirs != sorted(t, sdjwt.AppendJSON(nil, claims)) {
			t.Errorf("%s: the judge reads %s", c.name, theirs)
		}
	}
	if want := []string{sdjwt.Digest("sha-256", "e30")}; !slices.Equal(got[2].OK.Transaction, want) {
		t.Errorf("transaction %v", got[2].OK.Transaction)
	}
}

// statusList is a Token Status List of 1,000 entries of two bits; entry 412, that of the
// test's credential, has the status.
func statusList(t *testing.T, issuer sdjwt.Signer, status byte) map[string]string {
	t.Helper()
	list := make([]byte, 250)
	list[412/4] = status << (412 % 4 * 2)
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(list); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	const uri = "https://chain.gov.example/st/fund/7"
	text, err := sdjwt.SignJWS(object{{"typ", "statuslist+jwt"}}, object{
		{"sub", uri}, {"iat", int(now.Unix())}, {"ttl", 300}, {"status_list", object{{"bits", 2}, {"lst", sdjwt.Encode(packed.Bytes())}}},
	}, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{uri: text}
}

// sorted is JSON with its members in one order.
func sorted(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
