package openid

import (
	"bytes"
	"encoding/pem"
	"net/url"
	"os"
	"regexp"

	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// Config is the part `openid` of a gateway's configuration: wallets may come to this
// gateway for credentials, and be asked for presentations.
type Config struct {
	// URL is under which wallets reach this gateway, https://host; /vci, /vp and /R are
	// below it. Empty: the gateway's url. http only for this machine itself.
	URL string `yaml:"url"`
	// Name is what wallets call this department, in Chinese. Required.
	Name string `yaml:"name"`
	// NameEN is the same in English. Empty: none.
	NameEN string `yaml:"name_en"`
	// Certificate is a PEM file with the certificate under which wallets are asked, then
	// those that lead to its authority. Empty: wallets are not asked.
	Certificate string `yaml:"certificate"`
	// Key is the key file of the certificate: P-256, only its owner may read it (0600).
	// Required with certificate.
	Key string `yaml:"key"`
	// Registration is the id on the ledger of the intended use that wallets are shown.
	// Empty: none.
	Registration string `yaml:"registration"`
	// Issuers are whose credentials are believed beside those of the ledger.
	Issuers []TrustedIssuer `yaml:"issuers"`
	// DeskTokenFile holds the bearer token of the department's own system, which offers and
	// asks through /desk; only its owner may read it (0600). Empty: there is no /desk.
	DeskTokenFile string `yaml:"desk_token_file"`
	// Offers are the credential types of this issuer that wallets can have. Empty: nothing is
	// issued to wallets. They need the desk, which says who may have them.
	Offers []Offered `yaml:"offers"`
	// Wallets are those that may begin here by themselves, and be sent to login. Empty: a
	// wallet needs an offer.
	Wallets []Client `yaml:"wallets"`
	// Login is the department's own page where a wallet's person logs in; it gets
	// ?interaction=… and tells /desk/authorize who came. Required with wallets.
	Login string `yaml:"login"`
}

// Offered is a credential type that wallets can have.
type Offered struct {
	// ID is what wallets and the desk call it: a-z, 0-9, - and _. Required.
	ID string `yaml:"id"`
	// Type is its id on the ledger, OWNER:LOCAL. The newest version is issued. Required.
	Type string `yaml:"type"`
	// Own are the values of fields that come from no item.
	Own map[string]string `yaml:"own,omitempty"`
	// Days is how long a credential holds. 0: as long as its type allows.
	Days int `yaml:"days"`
}

var offeredID = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// TrustedIssuer is one issuer that is believed by this configuration.
type TrustedIssuer struct {
	// URL is its identifier, the iss of its credentials. Required.
	URL string `yaml:"url"`
	// KeyFile holds its public key as JWK: P-256 or SM2. Required.
	KeyFile string `yaml:"key_file"`
}

// Check tells what is wrong before anything is opened: Usage with the key's name.
func (c *Config) Check() error {
	wrong := func(text string, args ...any) error {
		return fault.Newf(fault.Usage, "gateway configuration: openid."+text, args...)
	}
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || !qr.Safe(u) || u.Path != "" || u.RawQuery != "" {
			return wrong("url %q is no https://host", c.URL)
		}
	}
	switch {
	case c.Name == "":
		return wrong("name is missing")
	case (c.Certificate == "") != (c.Key == ""):
		return wrong("certificate and key belong together")
	}
	seen := map[string]bool{}
	for i, o := range c.Offers {
		if !offeredID.MatchString(o.ID) || o.Type == "" || o.Days < 0 || seen[o.ID] {
			return wrong("offers[%d] needs an id of its own (a-z, 0-9, - and _), and a type", i)
		}
		seen[o.ID] = true
	}
	if len(c.Offers) > 0 && c.DeskTokenFile == "" {
		return wrong("offers need desk_token_file: the department's system says who may have them")
	}
	if text := checkClients(c.Wallets, c.Login); text != "" {
		return wrong("%s", text)
	}
	for i, s := range c.Issuers {
		if s.URL == "" || s.KeyFile == "" {
			return wrong("issuers[%d] needs url and key_file", i)
		}
	}
	return nil
}

// certificate reads the certificate with its chain, and its key.
func (c *Config) certificate() (chain [][]byte, key sm.PrivateKey, err error) {
	raw, err := os.ReadFile(c.Certificate)
	if err != nil {
		return nil, key, fault.Wrap(fault.Inaccessible, err, "openid.certificate")
	}
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
		}
	}
	if len(chain) == 0 || len(chain) > 4 {
		return nil, key, fault.Newf(fault.Malformed, "openid.certificate %s has %d certificates, not 1 to 4", c.Certificate, len(chain))
	}
	key, err = sm.LoadPrivate(c.Key)
	if err != nil {
		return nil, key, fault.Wrap(fault.Inaccessible, err, "openid.key")
	}
	pub, err := leafKey(chain[0])
	if err != nil || !bytes.Equal(pub.Bytes(), key.Public().Bytes()) {
		return nil, key, fault.Newf(fault.Usage, "openid.key is not the key of openid.certificate")
	}
	return chain, key, nil
}

// keys reads the issuers that are believed.
func (c *Config) keys() (map[string]sm.PublicKey, error) {
	out := map[string]sm.PublicKey{}
	for _, s := range c.Issuers {
		raw, err := os.ReadFile(s.KeyFile)
		if err != nil {
			return nil, fault.Wrap(fault.Inaccessible, err, "openid.issuers")
		}
		o, err := sdjwt.ParseObject(bytes.TrimSpace(raw))
		if err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "openid.issuers")
		}
		if out[s.URL], err = sdjwt.ParseJWK(o); err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "openid.issuers")
		}
	}
	return out, nil
}
