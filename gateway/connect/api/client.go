package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mulian/gateway/connect"
)

const (
	// maxBody bounds one answer. It is read as a stream: an interface without pages may answer with
	// millions of rows.
	maxBody = 2 << 30
	// attempts is how often a call is made that is answered with 429 or 503.
	attempts = 6
	// firstPause is doubled after each attempt; maxPause bounds what Retry-After may ask for.
	firstPause = 200 * time.Millisecond
	maxPause   = 30 * time.Second
)

// client calls one host and no other.
type client struct {
	http    *http.Client
	base    *url.URL
	timeout time.Duration
	auth    func(*http.Request) error
	pause   func(ctx context.Context, d time.Duration) error
}

func newClient(m *Mapping, dir string, at *url.URL) (*client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.CA != "" {
		pem, err := readFile(beside(dir, m.CA), maxDocument)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: the file of authorities holds no certificate", connect.ErrInvalid)
		}
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, Control: onlyWhereMeant(at.Hostname())}
	c := &client{base: at, timeout: time.Duration(m.TimeoutSeconds) * time.Second, pause: wait}
	if c.timeout == 0 {
		c.timeout = time.Minute
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: config, Proxy: nil, // the environment does not choose where data goes
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 256 << 10, TLSHandshakeTimeout: 15 * time.Second,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 3 || !c.same(r.URL) {
				return fmt.Errorf("%w: redirected to another host, or too often", connect.ErrDenied)
			}
			return nil
		},
	}
	c.auth = func(r *http.Request) error {
		if m.Auth.Kind == "" {
			return nil
		}
		secret, err := m.secret(dir) // each time: it may be changed while we run
		if err != nil {
			return err
		}
		switch m.Auth.Kind {
		case "bearer":
			r.Header.Set("Authorization", "Bearer "+secret)
		case "basic":
			r.SetBasicAuth(m.Auth.User, secret)
		case "header":
			r.Header.Set(m.Auth.Name, secret)
		}
		return nil
	}
	return c, nil
}

// onlyWhereMeant refuses a name that suddenly means this machine, or an address of the link (where
// clouds keep their credentials): whoever answers for the name does not choose that.
func onlyWhereMeant(host string) func(network, address string, _ syscall.RawConn) error {
	named := net.ParseIP(host) == nil && host != "localhost"
	return func(_, address string, _ syscall.RawConn) error {
		at, _, err := net.SplitHostPort(address)
		ip := net.ParseIP(at)
		if err != nil || ip == nil {
			return fmt.Errorf("%w: an address that is none", connect.ErrDenied)
		}
		if named && (ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()) {
			return fmt.Errorf("%w: the server's name means an address of this machine or link", connect.ErrDenied)
		}
		return nil
	}
}

func (c *client) same(u *url.URL) bool {
	return u.Scheme == c.base.Scheme && strings.EqualFold(u.Host, c.base.Host)
}

// errNotFound is an answer 404: of a record by its key it means that there is none.
var errNotFound = fmt.Errorf("%w: the interface answers 404", connect.ErrUnreachable)

// call makes a call and hands its answer to read, whole or bounded. It waits and repeats on 429
// and 503, as Retry-After says.
func (c *client) call(ctx context.Context, method string, u *url.URL, body string, read func(*http.Response, io.Reader) error) error {
	if !c.same(u) {
		return fmt.Errorf("%w: a call to another host", connect.ErrDenied)
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		again, after, err := c.once(ctx, method, u, body, read)
		if err == nil || !again || attempt == attempts {
			return err
		}
		if after == 0 {
			after = pause/2 + rand.N(pause)
		}
		if after > maxPause {
			return fmt.Errorf("%w (it asks to wait for %s)", err, after.Round(time.Second))
		}
		if err := c.pause(ctx, after); err != nil {
			return err
		}
		pause *= 2
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (c *client) once(parent context.Context, method string, u *url.URL, body string, read func(*http.Response, io.Reader) error) (again bool, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(parent, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return false, 0, fmt.Errorf("%w: the call", connect.ErrInvalid)
	}
	r.Header.Set("Accept", "application/json")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if err := c.auth(r); err != nil {
		return false, 0, err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return false, 0, c.failure(parent, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusOK:
		err := read(res, &limited{res.Body, maxBody})
		if ctx.Err() != nil && parent.Err() == nil {
			err = fmt.Errorf("%w: no whole answer within %s", connect.ErrUnreachable, c.timeout)
		}
		return false, 0, cause(parent, err)
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusServiceUnavailable:
		return true, retryAfter(res.Header.Get("Retry-After"), time.Now()), fmt.Errorf("%w: the interface answers %d", connect.ErrUnreachable, res.StatusCode)
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return false, 0, fmt.Errorf("%w: the interface answers %d", connect.ErrDenied, res.StatusCode)
	case res.StatusCode == http.StatusNotFound:
		return false, 0, errNotFound
	}
	return false, 0, fmt.Errorf("%w: the interface answers %d", connect.ErrUnreachable, res.StatusCode)
}

// cause is the end of the caller's context, where that is why something failed.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// failure gives an error of the network its meaning, without the URL: its parameters are values.
func (c *client) failure(ctx context.Context, err error) error {
	var uerr *url.Error
	if errors.As(err, &uerr) {
		err = uerr.Err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, connect.ErrDenied) || errors.Is(err, connect.ErrInvalid) {
		return err
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return fmt.Errorf("%w: the server's certificate: %w", connect.ErrDenied, certificate.Err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: no answer within %s", connect.ErrUnreachable, c.timeout)
	}
	return fmt.Errorf("%w: %w", connect.ErrUnreachable, err)
}

// retryAfter is seconds or a date; 0 if there is none.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<20 {
		return max(time.Duration(n)*time.Second, time.Millisecond)
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(t.Sub(now), time.Millisecond)
	}
	return 0
}

// limited ends with ErrTooLarge where io.LimitReader would be silent.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("%w: an answer of more than %d bytes", connect.ErrTooLarge, maxBody)
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
