package wallet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mulian/internal/fault"
	"mulian/internal/jwe"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// patience ends a call to an issuer or verifier.
const patience = 30 * time.Second

// maxAnswer bounds what is read of one: ten credentials with photographs.
const maxAnswer = 4 << 20

// Wallet speaks with issuers and verifiers. Safe for concurrent use.
type Wallet struct {
	// Trust says whether a verifier's certificates (DER, its own first) belong to somebody
	// who may ask, as the ledger's register of data users has it; its error is told to the
	// person. Required by Resolve.
	Trust func(chain [][]byte) error
	// Transport carries the calls. Nil: http.DefaultTransport.
	Transport http.RoundTripper
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

func (w *Wallet) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

// Refusal is what an issuer or verifier answered instead of what was asked.
type Refusal struct {
	Status int
	Code   string // of the protocol: invalid_grant, invalid_proof, …
	Text   string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the other side refused with %s (HTTP %d): %s", r.Code, r.Status, r.Text)
}

// call sends one request and reads one JSON object; an empty answer is an empty object.
func (w *Wallet) call(ctx context.Context, method, to, token, kind string, body []byte) (sdjwt.Object, error) {
	raw, _, err := w.fetch(ctx, method, to, token, kind, body)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	o, err := sdjwt.ParseObject(raw)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "an answer that is no JSON object")
	}
	return o, nil
}

func (w *Wallet) fetch(ctx context.Context, method, to, token, kind string, body []byte) (raw []byte, contentType string, err error) {
	u, err := url.Parse(to)
	if err != nil || !qr.Safe(u) {
		return nil, "", fault.Newf(fault.Malformed, "%.200q is no https place", to)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(string(body)))
	if err != nil {
		return nil, "", fault.Wrap(fault.Malformed, err, "ask")
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	c := http.Client{Transport: w.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := c.Do(r)
	if err != nil {
		return nil, "", fault.Wrap(fault.Unreachable, err, "ask")
	}
	defer answer.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil || len(raw) > maxAnswer {
		return nil, "", fault.Newf(fault.Unreachable, "an answer that ends early or is longer than %d bytes", maxAnswer)
	}
	if answer.StatusCode/100 != 2 {
		return nil, "", refusal(answer.StatusCode, raw)
	}
	return raw, answer.Header.Get("Content-Type"), nil
}

// refusal reads an error of the protocols; text of others is cut.
func refusal(status int, raw []byte) error {
	o, err := sdjwt.ParseObject(raw)
	if err != nil {
		return fault.Wrap(fault.Unreachable, &Refusal{status, "no_answer", http.StatusText(status)}, "ask")
	}
	r := &Refusal{status, cut(o.Text("error"), 64), cut(o.Text("error_description"), 200)}
	code, ok := refusals[r.Code]
	if !ok {
		code = fault.RequestInvalid
	}
	return fault.Wrap(code, r, "ask")
}

// refusals are our codes for those of the protocols.
var refusals = map[string]fault.Code{
	"invalid_grant": fault.OfferUsed, "invalid_token": fault.OfferExpired, "invalid_proof": fault.HolderProofBad, "invalid_nonce": fault.NonceStale,
	"access_denied": fault.AccessDenied, "invalid_client": fault.ClientInvalid, "temporarily_unavailable": fault.Busy, "credential_request_denied": fault.AccessDenied,
}

// cut keeps a foreign text from filling a screen or moving its cursor.
func cut(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		s = string(r[:most])
	}
	return s
}

func objectOf(o sdjwt.Object, name string) sdjwt.Object {
	v, _ := o.Get(name)
	m, _ := v.(sdjwt.Object)
	return m
}

func texts(o sdjwt.Object, name string) (out []string) {
	v, _ := o.Get(name)
	a, _ := v.(sdjwt.Array)
	for _, e := range a {
		s, ok := e.(string)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}

// ErrLink says that a link is no offer or request.
var ErrLink = errors.New("not a link that a wallet answers")

// linked reads the parameters of a link as qr.Parse takes it.
func linked(link string) (url.Values, error) {
	p, err := qr.Parse(link)
	if err != nil || p.Link == "" {
		return nil, fault.Wrap(fault.Malformed, errors.Join(ErrLink, err), "read the link")
	}
	u, err := url.Parse(p.Link)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "read the link")
	}
	return u.Query(), nil
}

// encryption is what a request wants its answer sealed with, or nil.
type encryption struct {
	key sdjwt.Object
	kid string
	enc jwe.Encryption
}
