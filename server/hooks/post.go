package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Headers of the Standard Webhooks specification.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"

	secretPrefix = "whsec_"
)

// TestType is the type of what TestHook posts; no event of the ledger has it.
const TestType = "mulian.test"

// Payload is the body of a post. Its form is docs/spec/hooks.md: fields may be added.
type Payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // the block's time, UTC
	Data      Place     `json:"data"`
}

// Place says which event of the ledger it is. What it was about the receiver reads by the API,
// under its own rights.
type Place struct {
	Chain  string `json:"chain"`
	Event  int64  `json:"event"`  // number in the ledger's log; -1 of a test
	Height int64  `json:"height"` // of the block
	// Of the transaction in the block; left out for what the ledger did by itself, and by a node
	// that keeps the block no longer.
	Index        *uint32 `json:"index,omitempty"`
	Message      uint32  `json:"message"`      // in the transaction
	Tx           string  `json:"tx"`           // hex; empty for what the ledger did by itself
	Object       string  `json:"object"`       // state key that it is about
	Organisation string  `json:"organisation"` // that it concerns: the hook's
}

// typeOf is a verb of the ledger as the specification writes types.
func typeOf(verb string) string { return strings.ReplaceAll(verb, "/", ".") }

// anchors are left out unless somebody names them: of these there is one every few seconds.
const anchors = "trace.anchor_head"

// wants reports whether a filter has a type.
func wants(types []string, t string) bool {
	for _, x := range types {
		if area, ok := strings.CutSuffix(x, ".*"); ok && strings.HasPrefix(t, area+".") && t != anchors || x == t {
			return true
		}
	}
	return len(types) == 0 && t != anchors
}

// body is what is posted of an event: the same each time.
func (h *Hooks) body(ctx context.Context, org string, seq int64, e *tracev1.Event) ([]byte, error) {
	p := Payload{Type: typeOf(e.GetVerb()), Timestamp: time.UnixMilli(e.GetTimeMs()).UTC(), Data: Place{
		Chain: h.cfg.ChainID, Event: seq, Height: e.GetHeight(), Message: e.GetMessage(), Tx: hex.EncodeToString(e.GetTxId()), Organisation: org,
	}}
	if len(e.GetObjects()) > 0 {
		p.Data.Object = e.GetObjects()[0]
	}
	if len(e.GetTxId()) > 0 {
		res, err := h.cfg.Chain.Tx(ctx, e.GetTxId())
		switch fault.CodeOf(err) {
		case fault.OK:
			p.Data.Index = &res.Index
		case fault.NotFound, fault.Pruned:
		default:
			return nil, err
		}
	}
	return json.Marshal(p)
}

// newSecret is a secret as a receiver's library takes it.
func newSecret() string {
	raw := make([]byte, secretBytes)
	rand.Read(raw)
	return secretPrefix + base64.StdEncoding.EncodeToString(raw)
}

// Sign is the entry of webhook-signature for a secret: Malformed if that is none.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		return "", fault.Newf(fault.Malformed, "the secret of a hook") // and nothing of it
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// newClient posts under a guard: no proxy, no redirect, no compression, small answers.
func newClient(g *Guard, timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: g.dial, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders, TLSHandshakeTimeout: timeout,
			ResponseHeaderTimeout: timeout, MaxIdleConnsPerHost: 1, MaxIdleConns: MaxHooks, IdleConnTimeout: time.Minute,
		},
	}
}

// answer is what became of a post.
type answer struct {
	status int
	err    string        // empty: taken
	after  time.Duration // that the receiver asks to wait
	took   time.Duration
}

// post sends one body, signed with the secrets.
func (h *Hooks) post(ctx context.Context, to string, secrets []string, id string, body []byte) answer {
	at := h.cfg.Now()
	var signatures []string
	for _, s := range secrets {
		sig, err := Sign(s, id, at, body)
		if err != nil {
			return answer{err: err.Error()}
		}
		signatures = append(signatures, sig)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return answer{err: "the URL cannot be called"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "mulian-hooks/"+h.cfg.Version)
	req.Header.Set(headerID, id)
	req.Header.Set(headerTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(headerSignature, strings.Join(signatures, " "))
	start := time.Now()
	res, err := h.client.Do(req)
	out := answer{took: time.Since(start)}
	if err != nil {
		out.err = reason(err)
		return out
	}
	// Read so that the connection can be used again; a longer answer costs the receiver that.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	res.Body.Close()
	out.took, out.status = time.Since(start), res.StatusCode
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
	case res.StatusCode >= 300 && res.StatusCode < 400:
		out.err = fmt.Sprintf("HTTP %d: redirects are not followed: enter the address that it leads to", res.StatusCode)
	default:
		out.err = "HTTP " + strings.TrimSpace(strconv.Itoa(res.StatusCode)+" "+http.StatusText(res.StatusCode))
		out.after = retryAfter(res.Header.Get("Retry-After"), h.cfg.Now())
	}
	return out
}

// retryAfter reads the header (RFC 9110, 10.2.3): seconds or a date; bounded.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return min(max(0, time.Duration(min(n, int(maxRetryAfter/time.Second)))*time.Second), maxRetryAfter)
	}
	if t, err := http.ParseTime(text); err == nil {
		return min(max(0, t.Sub(now)), maxRetryAfter)
	}
	return 0
}

// reason says why there was no answer, without the URL, in which a receiver may have put
// something that is for nobody else.
func reason(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Error()
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		if u.Timeout() {
			return "no answer in time"
		}
		err = u.Err
	}
	if d, ok := errors.AsType[*net.OpError](err); ok {
		return d.Op + ": " + d.Err.Error()
	}
	text := err.Error()
	return text[:min(len(text), 200)]
}
