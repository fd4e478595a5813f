package openid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"mulian/client/wallet"
	"mulian/internal/judgetest"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// privateJWK makes a key as a stranger holds it.
func privateJWK(t *testing.T) map[string]string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jwkOf(t, k)
}

func jwkOf(t *testing.T, k *ecdsa.PrivateKey) map[string]string {
	t.Helper()
	secret, err := k.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	p := secret.PublicKey().Bytes()
	return map[string]string{"kty": "EC", "crv": "P-256", "x": sdjwt.Encode(p[1:33]), "y": sdjwt.Encode(p[33:]), "d": sdjwt.Encode(secret.Bytes())}
}

// TestAForeignWallet: @openid4vc accepts our offer with a transaction code and two keys,
// notifies, and answers our request sealed, in the clear, and again after the first.
func TestAForeignWallet(t *testing.T) {
	w := newTown(t)
	link, code := w.offerLink(true)
	jwk, err := sdjwt.JWK(w.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var requests, ids []string
	for _, plain := range []bool{false, true} {
		q := question()
		q.Plain = plain
		r, id := w.requestLink(q)
		requests, ids = append(requests, r), append(ids, id)
	}
	requests = append(requests, requests[0]) // a second device with the same photograph
	var got struct {
		Version string // of OpenID4VCI, as the judge takes us
		Issued  struct {
			OK    []string
			Error string
		}
		Answered []struct {
			OK struct {
				Status              int
				Mode, Client, Grant string
				Version             int
			}
			Error string
		}
	}
	judgetest.Ask(t, "wallet", map[string]any{
		"offer": link, "txCode": code, "keys": []any{privateJWK(t), privateJWK(t)}, "requests": requests, "issuer": jwk, "now": w.clock.now().Unix(),
	}, &got)
	if len(got.Issued.OK) != 2 || len(w.told) != 1 || got.Version != "V1" {
		t.Fatalf("issued %d, told %v: %s", len(got.Issued.OK), w.told, got.Issued.Error)
	}
	for i, mode := range []string{"direct_post.jwt", "direct_post"} {
		a := got.Answered[i]
		if a.Error != "" || a.OK.Status != http.StatusOK || a.OK.Mode != mode || a.OK.Client != "x509_hash" || a.OK.Version != 100 {
			t.Errorf("%s: %+v", mode, a)
		}
		res, err := w.verifier.Result(ids[i], "till 7")
		if err != nil || res.State != Answered || res.Presented[0].Claims.Text("balance_fen") != "1234500" || len(res.Presented[0].Shown) != 2 {
			t.Errorf("%s: %v, %v", mode, res, err)
		}
	}
	if got.Answered[2].Error == "" {
		t.Error("a request was fetched twice")
	}
}

// TestAForeignVerifier: our wallet answers a request that @openid4vc made and signed, and
// @openid4vc reads the answer, verifies the presentation and its transaction data.
func TestAForeignVerifier(t *testing.T) {
	w := newTown(t)
	held := w.held(1)
	signer, chain := certificate(t)
	sum := sha256.Sum256(chain[0])
	jwk, err := sdjwt.JWK(w.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var object, posted string
	place := httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			a.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
			_, _ = io.WriteString(a, object)
			return
		}
		raw, _ := io.ReadAll(r.Body)
		posted = string(raw)
		_, _ = io.WriteString(a, "{}")
	}))
	t.Cleanup(place.Close)
	td := sdjwt.Encode([]byte(`{"type":"mulian.grant.v1","credential_ids":["fund"],"grant":"g-9","req":"aA"}`))
	query := question().Query.Object()
	for _, mode := range []string{"direct_post.jwt", "direct_post"} {
		key := signer.(certKey).key
		ask := map[string]any{
			"step": "ask", "mode": mode, "client": "x509_hash:" + sdjwt.Encode(sum[:]), "place": place.URL + "/answer", "requestURI": place.URL + "/request", "nonce": "nonce-of-a-stranger-1", "state": "state-of-a-stranger",
			"query": query, "transaction": []string{td}, "chain": []string{base64.StdEncoding.EncodeToString(chain[0])}, "key": jwkOf(t, key), "secret": privateJWK(t), "issuer": jwk, "now": w.clock.now().Unix(),
		}
		var made struct {
			OK    string
			Error string
		}
		judgetest.Ask(t, "verifier", ask, &made)
		if made.Error != "" {
			t.Fatal(made.Error)
		}
		object, posted = made.OK, ""
		link, err := qr.RequestLink(place.URL+"/a", ask["client"].(string), ask["requestURI"].(string))
		if err != nil {
			t.Fatal(err)
		}
		c := &wallet.Wallet{Now: w.clock.now, Trust: func([][]byte) error { return nil }}
		r, err := c.Resolve(t.Context(), link.String())
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
		j, err := sdjwt.ParseJWS(object)
		if err != nil {
			t.Fatal(err)
		}
		ask["step"], ask["form"], ask["request"] = "read", posted, json.RawMessage(sdjwt.AppendJSON(nil, j.Payload))
		var read struct {
			OK struct {
				Claims map[string]any
				Sealed bool
				Hashes int
			}
			Error string
		}
		judgetest.Ask(t, "verifier", ask, &read)
		if read.Error != "" || read.OK.Claims["balance_fen"] != "1234500" || read.OK.Claims["name"] != nil || read.OK.Hashes != 1 || read.OK.Sealed != (mode == "direct_post.jwt") {
			t.Errorf("%s: %+v", mode, read)
		}
	}
}
