package hostcert

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulian/internal/fault"
)

// shaken returns what a client that trusts the roots sees of the server under a name.
func shaken(t *testing.T, k *Keeper, root []byte, name string, at time.Time) (*x509.Certificate, error) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	l, err := tls.Listen("tcp", "127.0.0.1:0", k.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		s, err := l.Accept()
		if err != nil {
			return
		}
		defer s.Close()
		_, _ = s.Read(make([]byte, 1)) // shakes hands, and waits for the end
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, ServerName: name, Time: func() time.Time { return at }})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

// TestServesItsNames: who trusts the authority reaches the server under its names, and the
// authority can speak for nobody else.
func TestServesItsNames(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	dir := filepath.Join(t.TempDir(), "https")
	names := []string{"mulian.example.cn", "localhost"}
	k, err := Open(Config{Dir: dir, Names: names, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	if s := k.State(); !s.Own || !s.Fresh || len(s.Fingerprint) != 95 {
		t.Errorf("state %+v", s)
	}
	for _, name := range names {
		if _, err := shaken(t, k, k.Authority(), name, now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := shaken(t, k, k.Authority(), "other.example.cn", now); err == nil {
		t.Error("another name was believed")
	}
	for _, file := range []string{authorityFile, certificateFile} {
		at, err := os.Stat(filepath.Join(dir, file))
		if err != nil || at.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, at.Mode(), err)
		}
	}
	thief := &Keeper{cfg: Config{Dir: t.TempDir(), Names: []string{"bank.example.com"}, Now: clock}, authority: k.authority}
	if err := thief.renew(); err != nil {
		t.Fatal(err)
	}
	if _, err := shaken(t, thief, k.Authority(), "bank.example.com", now); err == nil || !strings.Contains(err.Error(), "constraint") && !strings.Contains(err.Error(), "permitted") {
		t.Errorf("a certificate outside the names: %v", err)
	}
}

// TestRenewsBeforeTheEnd: while the server runs, and after a month off; the authority stays.
func TestRenewsBeforeTheEnd(t *testing.T) {
	now := time.Now()
	cfg := Config{Dir: filepath.Join(t.TempDir(), "https"), Names: []string{"a.example.cn"}, Now: func() time.Time { return now }}
	k, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	root := k.Authority()
	one, err := shaken(t, k, root, "a.example.cn", now)
	if err != nil {
		t.Fatal(err)
	}
	now = one.NotAfter.Add(-RenewBefore + time.Minute)
	two, err := shaken(t, k, root, "a.example.cn", now)
	if err != nil || !two.NotAfter.After(one.NotAfter) {
		t.Fatalf("not renewed: %v", err)
	}
	again, err := Open(cfg)
	if err != nil || string(again.Authority()) != string(root) || again.State().Fresh || !again.State().Ends.Equal(two.NotAfter) {
		t.Errorf("after a restart: %+v, %v", again.State(), err)
	}
	now = two.NotAfter.Add(24 * time.Hour)
	if off, err := Open(cfg); err != nil || !off.State().Ends.After(now) {
		t.Errorf("after a long time off: %v", err)
	}
	cfg.Names = []string{"b.example.org"}
	if other, err := Open(cfg); err != nil || !other.State().Fresh || string(other.Authority()) == string(root) {
		t.Errorf("another name takes another authority: %v", err)
	}
}

// TestRefusals: what a certificate is not made for or of.
func TestRefusals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "https")
	for _, c := range []struct {
		names []string
		code  fault.Code
	}{
		{nil, fault.OutOfRange}, {[]string{"10.0.0.5"}, fault.OutOfRange}, {[]string{"[::1]"}, fault.OutOfRange}, {[]string{"A.example.cn"}, fault.Malformed}, {[]string{"a..b"}, fault.Malformed},
	} {
		if _, err := Open(Config{Dir: dir, Names: c.names}); !fault.Is(err, c.code) {
			t.Errorf("%q: %v, want %v", c.names, err, c.code)
		}
	}
	cfg := Config{Dir: dir, Names: []string{"a.example.cn"}}
	if _, err := Open(cfg); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, authorityFile)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !fault.Is(err, fault.Usage) {
		t.Errorf("a key that others may read: %v", err)
	}
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil || os.Chmod(file, 0o600) != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !fault.Is(err, fault.Usage) {
		t.Errorf("a damaged authority: %v", err)
	}
}

// TestFilesOfAnotherAuthority: they are served, read again when they change, and refused if
// they are for another name.
func TestFilesOfAnotherAuthority(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	dir := t.TempDir()
	maker := Config{Dir: filepath.Join(dir, "made"), Names: []string{"a.example.cn"}, Now: clock}
	made, err := Open(maker)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(maker.Dir, certificateFile)
	cfg := Config{Names: maker.Names, Certificate: file, Key: file, Now: clock}
	k, err := Open(cfg)
	if err != nil || k.Authority() != nil || k.State().Own {
		t.Fatalf("%v", err)
	}
	first := k.State().Ends
	now = now.Add(CertificateLife - RenewBefore + time.Hour)
	made.current() // renews the file
	if err := os.Chtimes(file, now, now); err != nil {
		t.Fatal(err)
	}
	if !k.State().Ends.After(first) {
		t.Error("the new file is not served")
	}
	cfg.Names = []string{"b.example.cn"}
	if _, err := Open(cfg); !fault.Is(err, fault.Usage) {
		t.Errorf("a certificate for another name: %v", err)
	}
}
