package dsp

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/url"
	"os"
	"strings"

	"mulian/internal/fault"
)

// Config is the part `dsp` of a gateway's configuration.
type Config struct {
	// URL is under which connectors reach this gateway; /dsp is below it. Empty: the
	// gateway's url.
	URL string `yaml:"url"`
	// Participant is our own id in the data space. Empty: urn:mulian:org: and the code
	// of the gateway's organisation.
	Participant string `yaml:"participant"`
	// Connectors are the foreign connectors that are served. At least one.
	Connectors []Participant `yaml:"connectors"`
}

// Participant is one foreign connector and for whom it acts.
type Participant struct {
	// ID is its id in the data space (a DID, a URN). Required.
	ID string `yaml:"id"`
	// Org is the organisation on our ledger for which it acts. Required.
	Org string `yaml:"org"`
	// Gateway is the account of that organisation whose keys (machine, seal, log) are
	// entrusted to this gateway: it asks for the data. Required.
	Gateway string `yaml:"gateway"`
	// Key is the label of the organisation's key in the ring that signs its requests
	// and agreements. Empty: officer.
	Key string `yaml:"key"`
	// TokenFile holds the bearer token that the connector shows us; only its owner may
	// read it (0600). Required.
	TokenFile string `yaml:"token_file"`
	// Callback is the address below which the connector takes messages: https, or http
	// on loopback. Required.
	Callback string `yaml:"callback"`
	// CallbackTokenFile holds the bearer token that we show the connector. Empty: none.
	CallbackTokenFile string `yaml:"callback_token_file"`
	// Terms are the elements of a share request that the protocol has no words for
	// (order 809, article 20). Purpose, duty and legal basis are required.
	Terms Terms `yaml:"terms"`
}

// Terms are what every request of one participant states.
type Terms struct {
	Purpose      string `yaml:"purpose"`
	Duty         string `yaml:"duty"` // duty id of the organisation
	Matter       string `yaml:"matter"`
	LegalBasis   string `yaml:"legal_basis"`
	AppSystem    string `yaml:"app_system"`
	ScopeOfUse   string `yaml:"scope_of_use"`
	Days         uint32 `yaml:"days"`              // 0: the consortium's
	CallsPerDay  uint32 `yaml:"max_calls_per_day"` // 0: no bound
	RowsPerCall  uint64 `yaml:"max_rows_per_call"` // 0: no bound
	DataLifeDays uint32 `yaml:"data_life_days"`    // 0: until the agreement's end
}

// Check tells what is wrong before anything is opened: Usage with the key's name.
func (c *Config) Check() error {
	if len(c.Connectors) == 0 {
		return fault.Newf(fault.Usage, "gateway configuration: dsp.connectors has none")
	}
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || !web(u) {
			return fault.Newf(fault.Usage, "gateway configuration: dsp.url %q is no http or https address", c.URL)
		}
	}
	ids, gateways := map[string]bool{}, map[string]bool{}
	for i := range c.Connectors {
		p := &c.Connectors[i]
		if err := p.check(i); err != nil {
			return err
		}
		if ids[p.ID] || gateways[p.Gateway] {
			return fault.Newf(fault.Usage, "gateway configuration: dsp.connectors[%d]: id or gateway stands twice", i)
		}
		ids[p.ID], gateways[p.Gateway] = true, true
	}
	return nil
}

func (p *Participant) check(i int) error {
	for _, k := range []struct{ name, value string }{
		{"id", p.ID},
		{"org", p.Org},
		{"gateway", p.Gateway},
		{"token_file", p.TokenFile},
		{"callback", p.Callback},
		{"terms.purpose", p.Terms.Purpose},
		{"terms.duty", p.Terms.Duty},
		{"terms.legal_basis", p.Terms.LegalBasis},
	} {
		if k.value == "" {
			return fault.Newf(fault.Usage, "gateway configuration: dsp.connectors[%d].%s is missing", i, k.name)
		}
	}
	if !strings.HasPrefix(p.Gateway, p.Org+"/g/") {
		return fault.Newf(fault.Usage, "gateway configuration: dsp.connectors[%d].gateway %s is none of %s", i, p.Gateway, p.Org)
	}
	if _, err := callbackURL(p.Callback, p.Callback); err != nil {
		return fault.Newf(fault.Usage, "gateway configuration: dsp.connectors[%d].callback: %v", i, err)
	}
	return nil
}

func (p *Participant) key() string {
	if p.Key == "" {
		return "officer"
	}
	return p.Key
}

func web(u *url.URL) bool {
	return (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// callbackURL reads an address that a connector names and refuses it unless it lies
// below the configured one and messages to it cannot be read on the way.
func callbackURL(below, address string) (*url.URL, error) {
	if len(address) > maxText {
		return nil, fault.Newf(fault.TooLong, "a callback address of %d bytes", len(address))
	}
	u, err := url.Parse(address)
	if err != nil || !web(u) {
		return nil, fault.Newf(fault.Malformed, "%.100q is no address for messages: https://host/path", address)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fault.Newf(fault.Malformed, "messages go over https only, not to %.100q", address)
	}
	base, err := url.Parse(below)
	if err != nil {
		return nil, fault.Newf(fault.Malformed, "%.100q is no address", below)
	}
	path, under := strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(base.Path, "/")
	clean := !strings.Contains(path, "/../") && !strings.HasSuffix(path, "/..") && !strings.Contains(path, "//") && u.RawPath == ""
	if u.Scheme != base.Scheme || u.Host != base.Host || !clean || path != under && !strings.HasPrefix(path, under+"/") {
		return nil, fault.Newf(fault.Forbidden, "the address %.100q is not below %s, which was agreed for this connector", address, below)
	}
	u.Path = path
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// readToken reads a bearer token; Inaccessible if others than its owner may read it.
func readToken(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fault.Wrap(fault.NotFound, err, "token file")
	}
	if st.Mode().Perm()&0o077 != 0 {
		return "", fault.Newf(fault.Inaccessible, "others may read %s: chmod 600 %s", path, path)
	}
	if st.Size() > maxToken {
		return "", fault.Newf(fault.TooLong, "token file %s has %d bytes", path, st.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Wrap(fault.Inaccessible, err, "token file")
	}
	token := strings.TrimSpace(string(b))
	if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
		return "", fault.Newf(fault.Malformed, "token file %s: one word of at least %d characters", path, minToken)
	}
	return token, nil
}

// secret is what is kept of a token.
type secret [sha256.Size]byte

func newSecret(token string) secret { return sha256.Sum256([]byte(token)) }

// is compares in constant time.
func (s secret) is(token string) bool {
	t := newSecret(token)
	return subtle.ConstantTimeCompare(s[:], t[:]) == 1
}
