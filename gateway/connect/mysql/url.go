package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"mulian/gateway/connect"
)

const (
	// connectTimeout is for one attempt, if the URL says nothing else.
	connectTimeout = 10 * time.Second
	// maxPassfile bounds a file with a password: what a person can type, and room.
	maxPassfile = 4 << 10
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: mysql URL: %s", connect.ErrInvalid, fmt.Sprintf(format, args...))
}

// address is a parsed URL: the driver's own part, and ours.
type address struct {
	*driver.Config
	passfile string
	feed     string // the name of what the feed leaves on the server: its number there
}

// feedParameter names the feed, see connect.Feeder.
const feedParameter = "mulian_feed"

// parse reads a URL. Its errors do not repeat it.
func parse(rawURL string) (*address, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Opaque != "" || u.Fragment != "" {
		return nil, invalid("not of the form mysql://USER@HOST:PORT/NAME")
	}
	c := driver.NewConfig()
	c.DBName = strings.TrimPrefix(u.Path, "/")
	if c.DBName == "" || strings.Contains(c.DBName, "/") {
		return nil, invalid("it names no database: mysql://USER@HOST:PORT/NAME")
	}
	c.User = u.User.Username()
	c.Net, c.Addr = "tcp", net.JoinHostPort(or(u.Hostname(), "127.0.0.1"), or(u.Port(), "3306"))
	// utf8mb4_bin: what we send is compared by its characters and not by a language's rules.
	c.Collation, c.Logger, c.Timeout = "utf8mb4_bin", &driver.NopLogger{}, connectTimeout
	q := u.Query()
	for name, values := range q {
		if len(values) != 1 {
			return nil, invalid("%.40q stands twice", name)
		}
	}
	get := func(name string) string {
		v := q.Get(name)
		q.Del(name)
		return v
	}
	if path := get("socket"); path != "" {
		c.Net, c.Addr = "unix", path
	}
	if text := get("connect_timeout"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 || seconds > 3600 {
			return nil, invalid("connect_timeout: seconds, 1 to 3600")
		}
		c.Timeout = time.Duration(seconds) * time.Second
	}
	a := &address{Config: c, passfile: get("passfile"), feed: or(get(feedParameter), "gateway")}
	if len(a.feed) > 40 || strings.Trim(a.feed, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return nil, invalid("%s is 1 to 40 of a-z, 0-9 and _", feedParameter)
	}
	t := transport{mode: get("sslmode"), root: get("sslrootcert"), cert: get("sslcert"), key: get("sslkey"), host: or(u.Hostname(), "127.0.0.1"), local: c.Net == "unix"}
	for name := range q {
		return nil, invalid("unknown parameter %.40q", name)
	}
	if err := t.apply(c); err != nil {
		return nil, err
	}
	if a.passfile == "" {
		return a, nil
	}
	if _, err := password(a.passfile); err != nil {
		return nil, err
	}
	// Read again for each connection: a new password needs no restart.
	return a, c.Apply(driver.BeforeConnect(func(_ context.Context, c *driver.Config) (err error) {
		c.Passwd, err = password(a.passfile)
		return err
	}))
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// password reads the first line of a file that nobody else can read.
func password(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%w: passfile: %w", connect.ErrInvalid, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: passfile: %w", connect.ErrInvalid, err)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%w: passfile %s may be read by others (mode %o); chmod 600 it", connect.ErrInvalid, filepath.Base(path), info.Mode().Perm())
	case info.Size() > maxPassfile:
		return "", fmt.Errorf("%w: passfile %s has %d bytes", connect.ErrInvalid, filepath.Base(path), info.Size())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w: passfile: %w", connect.ErrInvalid, err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// transport is how a connection is protected; the words are libpq's.
type transport struct {
	mode, root, cert, key, host string
	local                       bool // a unix socket
}

// apply sets the driver's TLS. Where nothing is asked for, a server on this machine is
// spoken to in plain text and any other must prove its name: a password and a
// department's rows travel on this connection.
func (t transport) apply(c *driver.Config) error {
	if t.mode == "" {
		t.mode = "verify-full"
		if ip := net.ParseIP(t.host); t.local || t.host == "localhost" || ip != nil && ip.IsLoopback() {
			t.mode = "disable"
		}
	}
	config := &tls.Config{ServerName: t.host, MinVersion: tls.VersionTLS12}
	if t.root != "" {
		pem, err := os.ReadFile(t.root)
		if err != nil {
			return invalid("sslrootcert: %v", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return invalid("sslrootcert holds no certificate")
		}
	}
	if (t.cert == "") != (t.key == "") {
		return invalid("sslcert and sslkey belong together")
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return invalid("sslcert: %v", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	switch t.mode {
	case "disable":
		return nil
	case "require":
		config.InsecureSkipVerify = true
	case "verify-ca":
		config.InsecureSkipVerify = true // of the name alone: verifyChain looks at the rest
		config.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(config.RootCAs, s) }
	case "verify-full":
	default:
		return invalid("sslmode: disable, require, verify-ca or verify-full")
	}
	c.TLS = config
	return nil
}

// verifyChain is the check of a certificate without that of its name.
func verifyChain(roots *x509.CertPool, s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}
