package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mulian/gateway/openid"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

const deskToken = "the-desk-of-an-invented-department"

// wallets opens a department's real door for wallets: wallets FOLDER. WALLETS is its address,
// FOLDER/verifier.pem its certificate.
func wallets(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Demo Bank"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	ts.Check(err)
	ts.Check(os.WriteFile(dir+"/verifier.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	ts.Check(sm.SavePrivate(dir+"/verifier.key", ofScalar(ts, key)))
	ts.Check(os.WriteFile(dir+"/token", []byte(deskToken), 0o600))
	issuer, err := sm.Generate(sm.P256)
	ts.Check(err)
	jwk, err := sdjwt.JWK(issuer.Public())
	ts.Check(err)
	ts.Check(os.WriteFile(dir+"/issuer.jwk", sdjwt.AppendJSON(nil, jwk), 0o600))

	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	ts.Defer(server.Close)
	url := server.URL
	keys := func(sdjwt.Signature) (sm.PublicKey, error) { return issuer.Public(), nil }
	d, err := openid.Open(openid.Config{
		URL: url, Name: "试验市规划局", Certificate: dir + "/verifier.pem", Key: dir + "/verifier.key", DeskTokenFile: dir + "/token",
		Issuers: []openid.TrustedIssuer{{URL: url + "/vci", KeyFile: dir + "/issuer.jwk"}},
	}, url, openid.Parts{
		Show: &openid.Showing{
			Audience: "desk", Policy: sdjwt.Policy{Keys: keys},
			Verifier: func(context.Context, []byte) (string, error) { return "desk", nil },
		},
		Configurations: []openid.Configuration{{ID: "permit", Type: "https://plan.gov.example/vct/permit/1", Names: map[string]string{"zh-CN": "许可证"}}},
		Issue: func(_ context.Context, o openid.Order) (out []string, err error) {
			for _, h := range o.Holders {
				text, err := permit(url+"/vci", issuer, h)
				if err != nil {
					return nil, err
				}
				out = append(out, text)
			}
			return out, nil
		},
	})
	ts.Check(err)
	d.Routes(mux)
	ts.Setenv("WALLETS", url)
}

// ofScalar is a key of the standard library as one of ours.
func ofScalar(ts *testscript.TestScript, key *ecdsa.PrivateKey) sm.PrivateKey {
	raw, err := key.Bytes()
	ts.Check(err)
	k, err := sm.FromSeed(sm.P256, [32]byte(raw))
	ts.Check(err)
	return k
}

// permit is a credential of an invented holder: two fields that can be hidden.
func permit(iss string, key sm.PrivateKey, holder sm.PublicKey) (string, error) {
	jwk, err := sdjwt.JWK(holder)
	if err != nil {
		return "", err
	}
	draft, err := sdjwt.Prepare(sdjwt.Object{
		{Name: "iss", Value: iss},
		{Name: "iat", Value: int(time.Now().Unix())},
		{Name: "exp", Value: int(time.Now().Add(24 * time.Hour).Unix())},
		{Name: "vct", Value: "https://plan.gov.example/vct/permit/1"},
		{Name: "cnf", Value: sdjwt.Object{{Name: "jwk", Value: jwk}}},
		{Name: "permit_no", Value: sdjwt.Hidden{Value: "P000007"}},
		{Name: "holder", Value: sdjwt.Hidden{Value: "王小明"}},
	}, rand.Reader)
	if err != nil {
		return "", err
	}
	issued, err := draft.Sign(sdjwt.Header{KeyID: "1"}, key)
	return issued.Text, err
}

// desk acts as the department's own system: desk offer PNG, desk request PNG, desk result
// STATE TEXT..., desk show CODE TEXT..., desk spent CODE (which is refused). It sets LINK,
// TXCODE, SHORT, NUMBER, ASKED, and draws the link as a code.
func desk(ts *testscript.TestScript, _ bool, args []string) {
	ask := func(method, path string, body any) map[string]any {
		raw, err := json.Marshal(body)
		ts.Check(err)
		req, err := http.NewRequest(method, ts.Getenv("WALLETS")+path, bytes.NewReader(raw))
		ts.Check(err)
		req.Header.Set("Authorization", "Bearer "+deskToken)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		ts.Check(err)
		defer res.Body.Close()
		out := map[string]any{}
		ts.Check(json.NewDecoder(res.Body).Decode(&out))
		if refused := res.StatusCode/100 != 2; refused != (args[0] == "spent") {
			ts.Fatalf("%s: %s %v", path, res.Status, out)
		}
		return out
	}
	switch args[0] {
	case "offer":
		o := ask("POST", "/desk/offer", map[string]any{"subject": "7", "configurations": []string{"permit"}, "code": true})
		ts.Setenv("LINK", fmt.Sprint(o["link"]))
		ts.Setenv("TXCODE", fmt.Sprint(o["tx_code"]))
	case "request":
		o := ask("POST", "/desk/request", map[string]any{"session": "till-1", "query": map[string]any{"credentials": []any{map[string]any{
			"id": "permit", "format": "dc+sd-jwt", "meta": map[string]any{"vct_values": []string{"https://plan.gov.example/vct/permit/1"}}, "claims": []any{map[string]any{"path": []string{"permit_no"}}},
		}}}})
		for name, field := range map[string]string{"LINK": "link", "SHORT": "code", "NUMBER": "number", "ASKED": "id"} {
			ts.Setenv(name, fmt.Sprint(o[field]))
		}
	case "spent":
		ask("POST", "/S/"+strings.TrimPrefix(args[1], "MULIAN:S/"), nil)
		return
	case "show", "result":
		var o map[string]any
		if args[0] == "show" {
			o = ask("POST", "/S/"+strings.TrimPrefix(args[1], "MULIAN:S/"), nil)
			t, err := sdjwt.Parse(fmt.Sprint(o["presentation"]))
			ts.Check(err)
			seen := map[string]any{}
			for _, d := range t.Disclosures {
				seen[d.Name] = d.Value
			}
			o["presented"] = seen
		} else if o = ask("GET", "/desk/request/"+ts.Getenv("ASKED")+"?session=till-1", nil); o["state"] != args[1] {
			ts.Fatalf("the desk has %v, want %s", o, args[1])
		}
		raw, err := json.Marshal(o["presented"])
		ts.Check(err)
		for _, want := range args[2:] {
			absent := strings.HasPrefix(want, "!")
			if strings.Contains(string(raw), strings.TrimPrefix(want, "!")) == absent {
				ts.Fatalf("the desk was shown %s, want %s", raw, want)
			}
		}
		return
	}
	c, err := qr.Draw(ts.Getenv("LINK"))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), c.PNG(), 0o600))
}
