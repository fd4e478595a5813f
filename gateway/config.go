package gateway

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/dsp"
	"mulian/gateway/openid"
	"mulian/gateway/register"
	"mulian/internal/fault"
	"mulian/internal/tracing"
)

// Config is a gateway's YAML file. Unknown keys are errors (the reader's affair).
type Config struct {
	// Home is the folder of the gateway's log, journals and open deliveries. It
	// belongs to one gateway and is never shared. Required.
	Home string `yaml:"home"`
	// Account is the gateway's id on the ledger: 11110000000021928Y/g/main. Required.
	Account string `yaml:"account"`
	// Keys is the folder with the account's keys machine, seal and log. Empty: keys in Home.
	Keys string `yaml:"keys"`
	// Server is the base URL of a member's server. It need not be trusted. Required.
	Server string `yaml:"server"`
	// Genesis is the file with the chain's signed genesis: what is trusted. Required.
	Genesis string `yaml:"genesis"`
	// Boxes are the base URLs of the members that keep safe boxes, into which this gateway
	// deposits and at which it asks for the row keys of grants. Empty: Server alone.
	Boxes []string `yaml:"boxes,omitempty"`
	// Listen is the address for other gateways, host:port. Empty: 127.0.0.1:0, a free port.
	Listen string `yaml:"listen"`
	// URL is under which other gateways reach Listen. If the ledger has another one,
	// the gateway corrects it there at its start. Empty: what the ledger has.
	URL string `yaml:"url"`
	// Sources are the department's databases, read only.
	Sources []Source `yaml:"sources"`
	// Sink is the department's database into which deliveries are loaded. Empty: none.
	Sink Sink `yaml:"sink"`
	// Documents is the folder into which files are delivered, each agreement's into a folder
	// of their own below it. Empty: none are taken.
	Documents string `yaml:"documents"`
	// Registers are catalogue entries of this gateway's sources from whose rows mandates follow
	// (legal representatives, guardians, heirs). Their rows are looked at as often as the sources'
	// structure; a mandate whose row is another one, or gone, is suspended. Empty: none.
	Registers []register.Watched `yaml:"registers"`
	// PollSeconds is how often the sources' structure is looked at. 0: 5.
	PollSeconds int `yaml:"poll_seconds"`
	// AnchorSeconds is how soon a record of the access log is on the ledger. 0: 3, or
	// what the consortium has set.
	AnchorSeconds int `yaml:"anchor_seconds"`
	// DSP lets connectors of other data spaces speak the Dataspace Protocol with this
	// gateway. Absent: none can.
	DSP *dsp.Config `yaml:"dsp"`
	// OpenID lets wallets come for credentials and be asked for presentations (OpenID4VCI,
	// OpenID4VP, short codes). Absent: none can.
	OpenID *openid.Config `yaml:"openid,omitempty"`
	// Tracing says where the way of single calls is told, for whoever measures. No value, key
	// or account is in it. Absent or without an endpoint: $OTEL_EXPORTER_OTLP_ENDPOINT, else nowhere.
	Tracing *Tracing `yaml:"tracing,omitempty"`
}

// Tracing is where spans go.
type Tracing struct {
	// Endpoint is the base URL of a collector that speaks OTLP over HTTP.
	Endpoint string `yaml:"endpoint"`
	// Ratio is the share of calls that are followed, above 0 to 1; 0: all.
	Ratio float64 `yaml:"ratio"`
}

func (c *Config) tracing(version string) (*tracing.Tracer, error) {
	to := tracing.Config{Endpoint: os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), Service: "mulian-gateway", Version: version, Instance: c.Account}
	if c.Tracing != nil {
		to.Endpoint, to.Ratio = cmp.Or(c.Tracing.Endpoint, to.Endpoint), c.Tracing.Ratio
	}
	return tracing.Open(context.Background(), to)
}

// Source is one database that is read.
type Source struct {
	// Name is the gateway's own name for it, [a-z0-9-], part of its tables' ids. Required.
	Name string `yaml:"name"`
	// URL is sqlite:PATH, postgres://USER@HOST:PORT/NAME?passfile=FILE or
	// mysql://USER@HOST:PORT/NAME?passfile=FILE. A password in it is refused.
	// Folders of tables are files:FOLDER, folders of files that are delivered as they are
	// documents:FOLDER, interfaces api:MAPPING (docs/sources.md).
	URL string `yaml:"url"`
	// URLFile is a file that holds the URL, instead of URL.
	URLFile string `yaml:"url_file"`
	// Tables are the tables and views that are registered and watched, with or without
	// their schema's name. Empty: all that the account may read.
	Tables []string `yaml:"tables"`
}

// Sink is the database that is loaded into.
type Sink struct {
	// URL as of a source; the account needs to create tables. csv:FOLDER and parquet:FOLDER
	// load into files.
	URL string `yaml:"url"`
	// URLFile is a file that holds the URL, instead of URL.
	URLFile string `yaml:"url_file"`
}

var sourceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// Check tells what is wrong with the configuration, before anything is opened:
// Usage with the key's name.
func (c *Config) Check() error {
	for key, value := range map[string]string{"home": c.Home, "account": c.Account, "server": c.Server, "genesis": c.Genesis} {
		if value == "" {
			return fault.Newf(fault.Usage, "gateway configuration: %s is missing", key)
		}
	}
	if c.PollSeconds < 0 || c.AnchorSeconds < 0 {
		return fault.Newf(fault.Usage, "gateway configuration: seconds cannot be negative")
	}
	seen := map[string]bool{}
	for i, s := range c.Sources {
		switch {
		case !sourceName.MatchString(s.Name):
			return fault.Newf(fault.Usage, "gateway configuration: sources[%d].name %q: a-z, 0-9 and -, at most 32", i, s.Name)
		case seen[s.Name]:
			return fault.Newf(fault.Usage, "gateway configuration: source %s stands twice", s.Name)
		case (s.URL == "") == (s.URLFile == ""):
			return fault.Newf(fault.Usage, "gateway configuration: source %s needs either url or url_file", s.Name)
		}
		seen[s.Name] = true
	}
	if c.Sink.URL != "" && c.Sink.URLFile != "" {
		return fault.Newf(fault.Usage, "gateway configuration: sink has both url and url_file")
	}
	if err := register.Check(c.Registers); err != nil {
		return err
	}
	if c.OpenID != nil {
		if err := c.OpenID.Check(); err != nil {
			return err
		}
	}
	if c.DSP != nil {
		return c.DSP.Check()
	}
	return nil
}

// KeysDir is where the private keys are.
func (c *Config) KeysDir() string {
	if c.Keys != "" {
		return c.Keys
	}
	return filepath.Join(c.Home, "keys")
}

func (c *Config) poll() time.Duration { return time.Duration(c.PollSeconds) * time.Second }

// maxURLFile bounds a file with a URL.
const maxURLFile = 4 << 10

func databaseURL(url, file string) (string, error) {
	if file == "" {
		return url, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("url_file: %w", err)
	}
	if len(b) > maxURLFile {
		return "", fault.Newf(fault.TooLong, "url_file %s has %d bytes", file, len(b))
	}
	return strings.TrimSpace(string(b)), nil
}

// Address is the source's URL, read from its file where it has one.
func (s *Source) Address() (string, error) { return databaseURL(s.URL, s.URLFile) }

// Address is the sink's URL, read from its file where it has one; empty: there is none.
func (s *Sink) Address() (string, error) { return databaseURL(s.URL, s.URLFile) }

// wants tells whether a table is registered and watched.
func (s *Source) wants(n connect.TableName) bool {
	if len(s.Tables) == 0 {
		return true
	}
	for _, t := range s.Tables {
		if t == n.String() || t == n.Name {
			return true
		}
	}
	return false
}
