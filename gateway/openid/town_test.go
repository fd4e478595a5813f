package openid

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"mulian/client/wallet"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// vct is the type of the tests' credential.
const vct = "https://fund.gov.example/vct/housing-fund-deposit/1"

// clock moves when a test says so.
type clock struct {
	mu sync.Mutex
	at time.Time // mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// town is an issuer and a verifier behind one real HTTP door, and the keys of everybody.
type town struct {
	t        *testing.T
	clock    *clock
	url      string
	issuer   *Issuer
	verifier *Verifier
	key      sm.PrivateKey // the issuer's
	chain    [][]byte      // the verifier's certificate
	broken   error         // what Issue fails with
	told     []Notice
	done     []Result
}

func newTown(t *testing.T) *town {
	w := &town{t: t, clock: &clock{at: time.Now().Truncate(time.Second)}, key: newKey(t, 1)}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	var err error
	w.issuer, err = NewIssuer(IssuerConfig{
		URL: server.URL + "/vci", Names: map[string]string{"zh-CN": "住房公积金中心", "en": "Housing Fund"}, Now: w.clock.now, Issue: w.issue,
		Told:           func(_ context.Context, n Notice) { w.told = append(w.told, n) },
		Configurations: []Configuration{{ID: "fund", Type: vct, Names: map[string]string{"zh-CN": "缴存证明"}, Claims: []ClaimName{{Path: sdjwt.Path{"balance_fen"}, Names: map[string]string{"zh-CN": "余额"}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var signer sdjwt.Signer
	signer, w.chain = certificate(t)
	w.verifier, err = NewVerifier(VerifierConfig{
		URL: server.URL + "/vp", Key: signer, Chain: w.chain, Names: map[string]string{"zh-CN": "示范银行"}, Registration: "ledger:use/7", Now: w.clock.now,
		Policy: sdjwt.Policy{Keys: func(s sdjwt.Signature) (sm.PublicKey, error) {
			if s.Issuer != w.url+"/vci" {
				return sm.PublicKey{}, errors.New("unknown")
			}
			return w.key.Public(), nil
		}},
		Done: func(_ context.Context, r Result) { w.done = append(w.done, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/vp/", w.verifier.Handler())
	mux.Handle("/", w.issuer.Handler())
	return w
}

func newKey(t *testing.T, n byte) sm.PrivateKey {
	t.Helper()
	k, err := sm.FromSeed(sm.P256, [32]byte{31: n})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certKey signs with the key of a certificate, as an HSM would.
type certKey struct {
	key *ecdsa.PrivateKey
	pub sm.PublicKey
}

func (k certKey) Public() sm.PublicKey { return k.pub }

func (k certKey) Sign(msg []byte) ([]byte, error) {
	sum := sm.SHA256(msg)
	der, err := ecdsa.SignASN1(rand.Reader, k.key, sum[:])
	if err != nil {
		return nil, err
	}
	return sm.LowS(der)
}

// certificate is a verifier's: self-signed here, for who may ask is on the ledger.
func certificate(t *testing.T) (sdjwt.Signer, [][]byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := k.PublicKey.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	pub, err := sm.ParsePublic(sm.P256, point.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return certificateOf(t, certKey{k, pub})
}

// signing is a key as crypto/x509 wants it.
type signing struct{ sdjwt.Signer }

func (s signing) Public() crypto.PublicKey {
	p := s.Signer.Public().Bytes()
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(p[1:33]), Y: new(big.Int).SetBytes(p[33:])}
}

func (s signing) Sign(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.Signer.Sign(message)
}

// SignMessage gets what is not hashed yet, as our keys want it.
func (s signing) SignMessage(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.Signer.Sign(message)
}

// certificateOf is a certificate over any key.
func certificateOf(t *testing.T, k sdjwt.Signer) (sdjwt.Signer, [][]byte) {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Demo Bank"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"bank.example"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, signing{k}.Public(), signing{k})
	if err != nil {
		t.Fatal(err)
	}
	return k, [][]byte{der}
}

// issue makes real credentials of a synthetic person.
func (w *town) issue(_ context.Context, o Order) (out []string, err error) {
	if w.broken != nil {
		return nil, w.broken
	}
	now := w.clock.now()
	for _, h := range o.Holders {
		jwk, err := sdjwt.JWK(h)
		if err != nil {
			return nil, err
		}
		c := sdjwt.Object{
			{Name: "iss", Value: w.url + "/vci"},
			{Name: "iat", Value: int(now.Unix())},
			{Name: "exp", Value: int(now.Add(90 * 24 * time.Hour).Unix())},
			{Name: "vct", Value: vct},
			{Name: "cnf", Value: sdjwt.Object{{Name: "jwk", Value: jwk}}},
		}
		for _, f := range [][2]string{{"name", "王小明"}, {"account", "SYN-" + o.Subject}, {"balance_fen", "1234500"}, {"city", "泉城"}} {
			c = append(c, sdjwt.Member{Name: f[0], Value: sdjwt.Hidden{Value: f[1]}})
		}
		draft, err := sdjwt.Prepare(c, rand.Reader)
		if err != nil {
			return nil, err
		}
		issued, err := draft.Sign(sdjwt.Header{KeyID: "1"}, w.key)
		if err != nil {
			return nil, err
		}
		out = append(out, issued.Text)
	}
	return out, nil
}

func (w *town) wallet() *wallet.Wallet {
	return &wallet.Wallet{Now: w.clock.now, Trust: func(chain [][]byte) error {
		if string(chain[0]) != string(w.chain[0]) {
			return errors.New("not registered")
		}
		return nil
	}}
}

// offerLink is an open offer as a QR code holds it.
func (w *town) offerLink(withCode bool) (link, code string) {
	w.t.Helper()
	o, err := w.issuer.Offer("1", withCode, "fund")
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := qr.OfferLink(o.URI)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.String(), o.Code
}

// requestLink is an open request as a QR code holds it.
func (w *town) requestLink(q Question) (link, id string) {
	w.t.Helper()
	a, err := w.verifier.Ask(q)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := qr.RequestLink(w.url+"/a", a.ClientID, a.RequestURI)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.String(), a.ID
}

// held accepts n credentials for fresh keys, the whole way.
func (w *town) held(n int) (out []wallet.Held) {
	w.t.Helper()
	link, code := w.offerLink(true)
	c := w.wallet()
	o, err := c.Offer(w.t.Context(), link)
	if err != nil {
		w.t.Fatal(err)
	}
	got, accepted, err := c.Accept(w.t.Context(), o, code, keys(w.t, n))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := c.Tell(w.t.Context(), accepted, wallet.Accepted); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range got {
		out = append(out, wallet.Held{Text: r.Text, Holder: r.Holder})
	}
	return out
}

func keys(t *testing.T, n int) (out []sdjwt.Signer) {
	t.Helper()
	for i := range n {
		out = append(out, newKey(t, byte(100+i)))
	}
	return out
}

func (r Result) String() string {
	return fmt.Sprintf("state %d, code %q, reason %q, %d presented", r.State, r.Code, r.Reason, len(r.Presented))
}
