package dsp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"mulian/internal/fault"
)

// newCaller is the client of our messages: the system's roots, no proxy, no redirect.
func newCaller() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxConnsPerHost, t.ResponseHeaderTimeout, t.MaxResponseHeaderBytes = maxWorkers, callWait, callbackRead
	return &http.Client{Transport: t, Timeout: callWait, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// send delivers one message: nil if the connector has answered 2xx.
func (f *Facade) send(ctx context.Context, p *participant, to string, m *Message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(b))
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "callback")
	}
	req.Header.Set("Content-Type", "application/json")
	if p.shown != "" {
		req.Header.Set("Authorization", "Bearer "+p.shown)
	}
	res, err := f.caller.Do(req)
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "the connector %s", p.ID)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, callbackRead)) // so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fault.Newf(fault.Unreachable, "the connector %s answered a %s with %d", p.ID, m.Type, res.StatusCode)
	}
	f.log.Info("told", "connector", p.ID, "message", m.Type, "pid", *m.ProviderPid)
	return nil
}

func pathID(id string) string { return url.PathEscape(id) }
