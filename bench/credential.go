package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// credentialRounds is how often each credential is issued, shown and verified.
const credentialRounds = 200

const (
	credentialIssuer = "https://fund.gov.example"
	credentialType   = "https://mulian.example/vct/housing-fund-deposit/1"
)

// credentials measures an SD-JWT VC and its twin: issued with salts and signature, shown in
// part and bound to a request by the holder's key, verified with both signatures.
func credentials(ctx context.Context, o Options, r *Result) error {
	o.Say("issue, show and verify %d credentials of each kind", credentialRounds)
	for _, of := range []struct {
		prefix, name string
		algorithm    sm.Algorithm
	}{{"", "ES256", sm.P256}, {"sm2_", "the SM2 twin", sm.SM2}} {
		w, err := newWallet(of.algorithm)
		if err != nil {
			return err
		}
		var issue, show, verify Times
		for range credentialRounds {
			if err := w.round(ctx, &issue, &show, &verify); err != nil {
				return err
			}
		}
		r.Add(Figure{Name: of.prefix + "issue_ms", Value: issue.Ms(50), Unit: "ms", Goal: "< 1", Note: "SD-JWT VC with ten hidden claims, " + of.name + ", median"})
		r.Add(Figure{Name: of.prefix + "present_ms", Value: show.Ms(50), Unit: "ms", Goal: "< 1", Note: "two claims shown, key binding signed"})
		r.Add(Figure{Name: of.prefix + "verify_ms", Value: verify.Ms(50), Unit: "ms", Goal: "< 1", Note: "both signatures, all digests"})
	}
	return ctx.Err()
}

// wallet is an issuer and a holder with keys of one algorithm.
type wallet struct {
	issuer, holder sm.PrivateKey
	template       sdjwt.Object
	request        sdjwt.Request
}

func newWallet(a sm.Algorithm) (w *wallet, err error) {
	w = &wallet{request: sdjwt.Request{Audience: "x509_hash:abc", Nonce: "n-0S6_WzA2Mj"}}
	if w.issuer, err = sm.Generate(a); err != nil {
		return nil, err
	}
	if w.holder, err = sm.Generate(a); err != nil {
		return nil, err
	}
	jwk, err := sdjwt.JWK(w.holder.Public())
	if err != nil {
		return nil, err
	}
	now := time.Now().Unix()
	w.template = sdjwt.Object{
		{Name: "iss", Value: credentialIssuer},
		{Name: "vct", Value: credentialType},
		{Name: "iat", Value: now},
		{Name: "exp", Value: now + 90*24*3600},
		{Name: "cnf", Value: sdjwt.Object{{Name: "jwk", Value: jwk}}},
	}
	for i, name := range []string{"name", "id_number", "account", "employer", "balance_fen", "monthly_fen", "since", "until", "city", "loans"} {
		w.template = append(w.template, sdjwt.Member{Name: name, Value: sdjwt.Hidden{Value: fmt.Sprintf("值 %d", i)}})
	}
	return w, nil
}

// round is the life of one credential, and adds how long its steps took.
func (w *wallet) round(ctx context.Context, issue, show, verify *Times) error {
	begin := time.Now()
	draft, err := sdjwt.Prepare(w.template, rand.Reader)
	if err != nil {
		return err
	}
	issued, err := draft.Sign(sdjwt.Header{KeyID: "1"}, w.issuer)
	if err != nil {
		return err
	}
	issue.Add(time.Since(begin))
	shown, err := w.show(issued.Text, show)
	if err != nil {
		return err
	}
	begin = time.Now()
	_, err = sdjwt.Verify(ctx, shown, sdjwt.Policy{
		Keys: func(s sdjwt.Signature) (sm.PublicKey, error) {
			if s.Issuer != credentialIssuer {
				return sm.PublicKey{}, fault.Newf(fault.NotFound, "issuer %s", s.Issuer)
			}
			return w.issuer.Public(), nil
		},
		Now: begin, Accept: []string{credentialType}, Holder: true, Request: w.request,
		Require: []sdjwt.Path{{"balance_fen"}, {"since"}}, Allow: []sdjwt.Path{},
	})
	verify.Add(time.Since(begin))
	return err
}

func (w *wallet) show(text string, took *Times) (string, error) {
	begin := time.Now()
	token, err := sdjwt.Parse(text)
	if err != nil {
		return "", err
	}
	part, err := token.Present(sdjwt.Path{"balance_fen"}, sdjwt.Path{"since"})
	if err != nil {
		return "", err
	}
	bound, err := sdjwt.Bind(part, w.request, w.holder, begin)
	took.Add(time.Since(begin))
	return bound, err
}
