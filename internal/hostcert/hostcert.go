package hostcert

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Terms of what is made here. The authority outlives the devices that trust it; a
// certificate of 90 days is renewed so early that a member that was off for a month starts
// with a valid one. Our own choice, within what browsers take (825 days).
const (
	AuthorityLife   = 10 * 365 * 24 * time.Hour
	CertificateLife = 90 * 24 * time.Hour
	RenewBefore     = 30 * 24 * time.Hour

	// MaxNames bounds the names of one member.
	MaxNames = 8

	backdated   = time.Hour   // clocks of devices are late
	lookAgain   = time.Minute // at files that somebody else renews
	maxPEMBytes = 1 << 16
)

const (
	authorityFile   = "ca.pem"
	certificateFile = "server.pem"
)

// hostName is a DNS name of at least one label, in lower case.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// Config says whose certificate it is.
type Config struct {
	Dir   string   // of the own authority; made if it is not there
	Names []string // by which people open the pages, 1 to MaxNames
	// Certificate and Key are files in PEM of somebody else's authority; empty: the own one.
	// They are read again when they change.
	Certificate, Key string
	Now              func() time.Time // default time.Now
	Logger           *slog.Logger     // default slog.Default()
}

// Keeper has the certificate that is served now.
type Keeper struct {
	cfg       Config
	authority *pair // nil: somebody else's
	fresh     bool  // the authority was made by this start

	mu     sync.Mutex // guards the rest
	serves *tls.Certificate
	leaf   *x509.Certificate
	looked time.Time // at the files
	stamp  time.Time // of the certificate file
}

// pair is a certificate with its key.
type pair struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// CheckName tells whether passkeys can be made under a name. OutOfRange for an address,
// Malformed for what is no host name in lower case.
func CheckName(name string) error {
	if net.ParseIP(strings.Trim(name, "[]")) != nil {
		return fault.Newf(fault.OutOfRange, "%s is an address: browsers give passkeys to names alone", name)
	}
	if len(name) > 253 || !hostName.MatchString(name) {
		return fault.Newf(fault.Malformed, "%.100q is no host name in lower case", name)
	}
	return nil
}

// Open returns the keeper of the names' certificate, which it makes if there is none. An
// authority that is not bound to all the names is replaced: devices have to trust the new one.
func Open(cfg Config) (*Keeper, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if len(cfg.Names) == 0 || len(cfg.Names) > MaxNames {
		return nil, fault.Newf(fault.OutOfRange, "%d names of the server, 1 to %d", len(cfg.Names), MaxNames)
	}
	for _, name := range cfg.Names {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	k := &Keeper{cfg: cfg}
	if (cfg.Certificate == "") != (cfg.Key == "") {
		return nil, fault.Newf(fault.Usage, "a certificate of an authority needs both files, certificate and key")
	}
	if cfg.Certificate != "" {
		return k, k.reload()
	}
	if err := durable.MkdirPrivate(cfg.Dir); err != nil {
		return nil, err
	}
	if err := k.openAuthority(); err != nil {
		return nil, err
	}
	return k, k.openCertificate()
}

func (k *Keeper) path(name string) string { return filepath.Join(k.cfg.Dir, name) }

// openAuthority takes up the own authority, or makes one.
func (k *Keeper) openAuthority() error {
	p, err := readPair(k.path(authorityFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case p.cert.IsCA && k.covers(p.cert) && k.cfg.Now().Add(CertificateLife).Before(p.cert.NotAfter):
		k.authority = p
		return nil
	default:
		k.cfg.Logger.Warn("the authority of this server is made anew: devices have to trust it again", "names", k.cfg.Names)
	}
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Mulian " + k.cfg.Names[0], Organization: []string{"Mulian member"}}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign, PermittedDNSDomainsCritical: true, PermittedDNSDomains: k.cfg.Names,
		ExcludedIPRanges: []*net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}},
	}
	if k.authority, err = k.make(t, AuthorityLife, nil); err != nil {
		return err
	}
	k.fresh = true
	return writePair(k.path(authorityFile), k.authority)
}

// covers reports whether an authority may speak for all the names.
func (k *Keeper) covers(ca *x509.Certificate) bool {
	for _, name := range k.cfg.Names {
		if !slices.ContainsFunc(ca.PermittedDNSDomains, func(d string) bool { return name == d || strings.HasSuffix(name, "."+d) }) {
			return false
		}
	}
	return true
}

// openCertificate takes up the certificate, or makes one if it is of another authority, not
// for all the names, or near its end.
func (k *Keeper) openCertificate() error {
	p, err := readPair(k.path(certificateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && p.cert.CheckSignatureFrom(k.authority.cert) == nil && slices.Equal(p.cert.DNSNames, k.cfg.Names) && !k.due(p.cert) {
		k.serve(p)
		return nil
	}
	return k.renew()
}

// due reports whether it is time for the next certificate.
func (k *Keeper) due(c *x509.Certificate) bool {
	return k.cfg.Now().Add(RenewBefore).After(c.NotAfter)
}

// renew makes the next certificate. The caller holds mu, or is alone.
func (k *Keeper) renew() error {
	p, err := k.make(&x509.Certificate{
		Subject: pkix.Name{CommonName: k.cfg.Names[0]}, DNSNames: k.cfg.Names,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, CertificateLife, k.authority)
	if err != nil {
		return err
	}
	if err := writePair(k.path(certificateFile), p); err != nil {
		return err
	}
	k.serve(p)
	return nil
}

func (k *Keeper) serve(p *pair) {
	k.serves, k.leaf = &tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key, Leaf: p.cert}, p.cert
}

// make signs a certificate for a new key; without a parent it signs itself.
func (k *Keeper) make(t *x509.Certificate, life time.Duration, parent *pair) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "no key for the server's certificate")
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "no number for the server's certificate")
	}
	now := k.cfg.Now()
	t.NotBefore, t.NotAfter = now.Add(-backdated), now.Add(life)
	issuer, signer := t, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, &key.PublicKey, signer)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the server's certificate")
	}
	cert, err := x509.ParseCertificate(der)
	return &pair{key, cert}, err
}

// reload reads the files of somebody else's authority if they have changed.
func (k *Keeper) reload() error {
	k.looked = k.cfg.Now()
	at, err := os.Stat(k.cfg.Certificate)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the server's certificate (https.certificate)")
	}
	if k.serves != nil && at.ModTime().Equal(k.stamp) {
		return nil
	}
	c, err := tls.LoadX509KeyPair(k.cfg.Certificate, k.cfg.Key)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the server's certificate (https.certificate, https.key)")
	}
	for _, name := range k.cfg.Names {
		if err := c.Leaf.VerifyHostname(name); err != nil {
			return fault.Wrap(fault.Usage, err, "the certificate %s is not for %s", k.cfg.Certificate, name)
		}
	}
	k.serves, k.leaf, k.stamp = &c, c.Leaf, at.ModTime()
	return nil
}

// current is the certificate for the next handshake, renewed if it is time.
func (k *Keeper) current() *tls.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	switch {
	case k.authority != nil && k.due(k.leaf) && k.cfg.Now().Sub(k.looked) >= lookAgain:
		k.looked = k.cfg.Now()
		err = k.renew()
	case k.authority == nil && k.cfg.Now().Sub(k.looked) >= lookAgain:
		err = k.reload()
	}
	if err != nil {
		k.cfg.Logger.Error("the server's certificate cannot be renewed", "ends", k.leaf.NotAfter, "err", err)
	}
	return k.serves
}

// TLS is how the server talks: TLS 1.2 or newer, with the certificate of the moment.
func (k *Keeper) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current(), nil },
	}
}

// Names are those that people open the pages by.
func (k *Keeper) Names() []string { return slices.Clone(k.cfg.Names) }

// Authority is the own authority's certificate in PEM, nil if it is somebody else's.
func (k *Keeper) Authority() []byte {
	if k.authority == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.authority.cert.Raw})
}

// State is what an operator wants to know of the certificates.
type State struct {
	Names       []string
	Own         bool      // of the own authority
	Fresh       bool      // the own authority was made by this start
	Fingerprint string    // SHA-256 of the own authority's certificate, as devices show it
	Trusted     time.Time // end of the own authority
	Ends        time.Time // of the certificate that is served
}

// State tells how the certificates are now.
func (k *Keeper) State() State {
	c := k.current()
	s := State{Names: k.Names(), Own: k.authority != nil, Fresh: k.fresh, Ends: c.Leaf.NotAfter}
	if s.Own {
		sum := sha256.Sum256(k.authority.cert.Raw)
		parts := make([]string, len(sum))
		for i, b := range sum {
			parts[i] = fmt.Sprintf("%02X", b)
		}
		s.Fingerprint, s.Trusted = strings.Join(parts, ":"), k.authority.cert.NotAfter
	}
	return s
}

func writePair(path string, p *pair) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the server's key")
	}
	var out bytes.Buffer
	for _, b := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: der}, {Type: "CERTIFICATE", Bytes: p.cert.Raw}} {
		if err := pem.Encode(&out, b); err != nil {
			return err
		}
	}
	return durable.ReplaceFile(path, out.Bytes(), 0o600)
}

// readPair reads what writePair wrote. Usage if it is damaged or others may read it.
func readPair(path string) (*pair, error) {
	at, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if at.Mode().Perm()&0o077 != 0 || at.Size() > maxPEMBytes {
		return nil, fault.Newf(fault.Usage, "%s holds a key: its mode has to be 0600, not %o", path, at.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(raw, raw)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "%s is damaged: remove it, and it is made anew", path)
	}
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fault.Newf(fault.Usage, "%s is not of this server: remove it, and it is made anew", path)
	}
	return &pair{key, c.Leaf}, nil
}
