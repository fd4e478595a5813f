package openid

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"

	"mulian/internal/dcql"
	"mulian/internal/jwe"
	"mulian/internal/sdjwt"
)

// certificates are those of a chain as x5c has them: padded base64.
func certificates(chain [][]byte) (out sdjwt.Array) {
	for _, c := range chain {
		out = append(out, base64.StdEncoding.EncodeToString(c))
	}
	return out
}

// response takes a wallet's answer: exactly one for each request, right or wrong.
func (v *Verifier) response(w http.ResponseWriter, r *http.Request) {
	f, err := form(w, r)
	if err != nil {
		refused(w, err)
		return
	}
	state := f.Get("state")
	if f.Get("response") != "" {
		state = jwe.KeyID(f.Get("response")) // the key was made for the request
	}
	q, ok := v.states.take(state)
	if !ok {
		refused(w, refuse(InvalidRequest, "the request has ended or was answered"))
		return
	}
	result, err := v.judge(r.Context(), q, f)
	q.mu.Lock()
	q.result = result
	q.mu.Unlock()
	if v.cfg.Done != nil {
		v.cfg.Done(r.Context(), result)
	}
	if err != nil {
		refused(w, err)
		return
	}
	back := map[string]string{}
	if q.Return != "" {
		back["redirect_uri"] = q.Return + "?" + url.Values{"id": {q.id}, "response_code": {q.code}}.Encode()
	}
	written(w, http.StatusOK, back)
}

// judge says what an answer is worth. The wallet is told of a failure in one sentence for
// all: which check failed is for the asker.
func (v *Verifier) judge(ctx context.Context, q *request, f url.Values) (Result, error) {
	answer, err := opened(q, f)
	if err != nil {
		return Result{State: Failed, Reason: sdjwt.Malformed}, err
	}
	if answer.Text("state") != q.state {
		return Result{State: Failed, Reason: sdjwt.SessionMismatch}, refuse(InvalidRequest, "the state is another one")
	}
	if code := Code(answer.Text("error")); code != "" {
		return Result{State: Refused, Code: known(code)}, nil
	}
	tokens := objectOf(answer, "vp_token")
	presented, reason := v.presented(ctx, q, tokens)
	if reason != "" {
		return Result{State: Failed, Reason: reason}, refuse(InvalidRequest, "a presentation does not hold")
	}
	return Result{State: Answered, Presented: presented}, nil
}

// known keeps the codes that a wallet may send; all others are a plain refusal.
func known(c Code) Code {
	switch c {
	case InvalidRequest, InvalidClient, FormatsNotSupported, InvalidURIMethod, InvalidTransaction, WalletUnavailable:
		return c
	}
	return AccessDenied
}

// opened is the answer as JSON, decrypted if the request asked for that. A refusal may come
// in the clear (OpenID4VP 8.3: errors need not be encrypted).
func opened(q *request, f url.Values) (sdjwt.Object, error) {
	if text := f.Get("response"); text != "" {
		if q.key == nil || len(f) != 1 {
			return nil, refuse(InvalidRequest, "an encrypted answer was not asked for")
		}
		raw, err := jwe.Open(q.key, text)
		if err != nil {
			return nil, refuse(InvalidRequest, "the answer cannot be decrypted")
		}
		o, err := sdjwt.ParseObject(raw)
		if err != nil {
			return nil, refuse(InvalidRequest, "the answer is no JSON object")
		}
		if o.Text("state") == "" { // state may stand outside; the key names the request
			o = append(o, sdjwt.Member{Name: "state", Value: q.state})
		}
		return o, nil
	}
	o := sdjwt.Object{{Name: "state", Value: f.Get("state")}}
	if e := f.Get("error"); e != "" {
		return append(o, sdjwt.Member{Name: "error", Value: e}), nil
	}
	if q.key != nil {
		return nil, refuse(InvalidRequest, "the answer is not encrypted")
	}
	tokens, err := sdjwt.ParseObject([]byte(f.Get("vp_token")))
	if err != nil {
		return nil, refuse(InvalidRequest, "vp_token is no JSON object")
	}
	return append(o, sdjwt.Member{Name: "vp_token", Value: tokens}), nil
}

// presented checks every presentation against its own query; the reason is that of the
// first which fails.
func (v *Verifier) presented(ctx context.Context, q *request, tokens sdjwt.Object) (out []Presented, reason sdjwt.Reason) {
	has := map[string]bool{}
	for _, m := range tokens {
		c := q.Query.Find(m.Name)
		texts, _ := m.Value.(sdjwt.Array)
		if c == nil || len(texts) == 0 || len(texts) > 1 && !c.Multiple || len(texts) > dcql.MaxCredentials {
			return nil, sdjwt.ExtraDisclosure
		}
		has[m.Name] = true
		for _, t := range texts {
			text, _ := t.(string)
			shown, err := v.check(ctx, q, c, text)
			if err != nil {
				var r *sdjwt.Refusal
				if errors.As(err, &r) {
					return nil, r.Reason
				}
				return nil, sdjwt.Malformed
			}
			out = append(out, Presented{m.Name, shown})
		}
	}
	if len(q.Query.Missing(func(id string) bool { return has[id] })) > 0 {
		return nil, sdjwt.Undisclosed
	}
	return out, ""
}

// check holds one presentation against what was asked.
func (v *Verifier) check(ctx context.Context, q *request, c *dcql.Credential, text string) (*sdjwt.Verified, error) {
	p := v.cfg.Policy
	p.Now = v.cfg.Now()
	p.Accept = c.Types
	p.Holder = !c.Unbound
	p.Request = sdjwt.Request{Audience: v.client, Nonce: q.nonce, Transaction: q.transaction}
	p.Allow = []sdjwt.Path{} // nothing but what a claim names
	for _, m := range c.Claims {
		p.Allow = append(p.Allow, m.Path)
	}
	shown, err := sdjwt.Verify(ctx, text, p)
	if err != nil {
		return nil, err
	}
	if _, ok := c.Answered(shown.Claims); !ok {
		return nil, &sdjwt.Refusal{Reason: sdjwt.Undisclosed, Err: errors.New("no claim set is answered")}
	}
	return shown, nil
}
