package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mulian/internal/fault"
)

// Config of a member, mulian.yaml in its home. Every key may be left out. A value
// comes from, in this order: flag, environment, file, default.
type Config struct {
	// Where the server answers, host:port. Only loopback unless a proxy with TLS
	// stands before it. $MULIAN_LISTEN. Default 127.0.0.1:8080.
	Listen string `yaml:"listen" env:"MULIAN_LISTEN" default:"127.0.0.1:8080"`
	// How people's browsers reach this member.
	HTTPS HTTPSConfig `yaml:"https"`
	// Where this organisation's officials prove who they are. Off without an issuer.
	OIDC OIDCConfig `yaml:"oidc"`
	// The engine among the members.
	Node NodeConfig `yaml:"node"`
	// The safe boxes that this member keeps for people and firms: ciphertext, to which it has no key.
	Box BoxConfig `yaml:"box"`
	// To whom this node may post events of the ledger. Nobody unless it is said here.
	Hooks HooksConfig `yaml:"hooks"`
	// What is written to stderr.
	Log LogConfig `yaml:"log"`
	// Where the way of single calls is told, for whoever measures. Off without an endpoint.
	Tracing TracingConfig `yaml:"tracing"`
}

// HTTPSConfig says under which names the pages are opened. Browsers give passkeys to https and
// names alone, never to an address.
type HTTPSConfig struct {
	// Where browsers connect, host:port. Empty: no https. $MULIAN_HTTPS_LISTEN.
	Listen string `yaml:"listen" env:"MULIAN_HTTPS_LISTEN"`
	// The names by which people open the pages, in lower case, at most 8. The chain accepts
	// passkeys of those that its parameters list (passkey_rp_ids, passkey_origins).
	Names []string `yaml:"names"`
	// The port that browsers see, if it is not that of listen.
	Port string `yaml:"port"`
	// Files in PEM: a certificate of an authority that devices trust already, and its key.
	// They are read again when they change. Empty: an authority of this member's own, in the
	// home's folder https, that can speak for these names alone; mulian node cert tells how
	// devices trust it.
	Certificate string `yaml:"certificate"`
	// The key of that certificate, a file of mode 0600.
	Key string `yaml:"key"`
}

// OIDCConfig names an identity provider (OpenID Connect). Who signs in there may put the key that
// his browser makes on the ledger, for the posts below; it is no session (docs/decisions/0063).
// The provider needs this member's redirect URI: the pages' address and /signin.
type OIDCConfig struct {
	// The provider's own name, https://HOST/PATH exactly as its discovery document says it.
	Issuer string `yaml:"issuer"`
	// How people call it: it stands on the button. Empty: the issuer's host.
	Name string `yaml:"name"`
	// The organisation whose posts these are, by its code. Its ROOT key is in --home.
	Org string `yaml:"org"`
	// As which this member is registered at the provider.
	ClientID string `yaml:"client_id"`
	// File of mode 0600 with the client's secret in one line. Empty: a client without one.
	ClientSecretFile string `yaml:"client_secret_file"`
	// The claim by which posts know people: sub, preferred_username, email (verified ones
	// alone) or another. Take one that the provider never gives to somebody else. Empty: sub.
	Claim string `yaml:"claim"`
	// What is asked for beside openid, like [profile].
	Scopes []string `yaml:"scopes"`
	// File in PEM with the authorities that the provider's certificate may be of. Empty: those
	// that this machine trusts.
	Authority string `yaml:"authority"`
	// After so many days a key ends, 1 to 365; signing in again gives the next. 0: 30.
	KeyDays int `yaml:"key_days"`
	// Who has which post, read again at each sign-in:
	//   - {who: zhang.wei, post: data-1, name: 数据管理岗, role: steward}
	// who is what the claim says; post the local id (small letters, digits, -), name what it is
	// called on the ledger, role whose pages he sees: operator, steward, user, auditor, clerk
	// or developer. One post for each person, so that the ledger tells their acts apart.
	// Who is taken out keeps a key until its end: mulian key revoke ends it at once.
	Posts OIDCPosts `yaml:"posts"`
}

// NodeConfig says how the node meets the others.
type NodeConfig struct {
	// Where other nodes connect, host:port. Empty: this node is the whole chain.
	// $MULIAN_NODE_LISTEN.
	Listen string `yaml:"listen" env:"MULIAN_NODE_LISTEN"`
	// The address that other nodes are told, if it is not listen. $MULIAN_NODE_EXTERNAL.
	External string `yaml:"external" env:"MULIAN_NODE_EXTERNAL"`
	// The other nodes, "<node id>@host:port".
	Peers []string `yaml:"peers"`
	// Whether only the peers above may connect.
	Closed bool `yaml:"closed"`
	// How long to wait after a block for more transactions, like 20ms. 0 answers a
	// lone transaction fastest; 20ms is kinder to a busy chain.
	TimeoutCommit time.Duration `yaml:"timeout_commit"`
	// Makes an empty block when nothing happened for so long, so that deadlines run
	// out on time, like 1h. 0: never. Default 1h.
	Heartbeat time.Duration `yaml:"heartbeat" default:"1h"`
	// How many blocks stay readable. 0: all. State, events and the headers that proofs need
	// are kept for ever; what goes are old transactions as they were signed.
	KeepBlocks int64 `yaml:"keep_blocks"`
	// How many blocks lie between two snapshots of the state, from which new nodes begin.
	// 0: 10000, or half of keep_blocks if that is less. -1: none.
	SnapshotEvery int64 `yaml:"snapshot_every"`
	// full or archive. An archive keeps every block for the others: keep_blocks must then
	// be 0. Default full.
	Role string `yaml:"role" default:"full"`
	// URL of an archive's server, that is asked for transactions of blocks that are not kept
	// here. What it answers is checked: their id is their hash.
	Archive string `yaml:"archive"`
}

// BoxConfig says where boxes are kept and how large one may be.
type BoxConfig struct {
	// Whether this member keeps no boxes.
	Off bool `yaml:"off"`
	// Folder of the boxes; of one member alone. Empty: boxes in the home. A backup of it is
	// ciphertext. What is erased is not in one that is made after it. Or a bucket that keeps
	// no versions: s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION&credentials=FILE;
	// the keys are in FILE, as the AWS tools have them, or in $AWS_ACCESS_KEY_ID and
	// $AWS_SECRET_ACCESS_KEY.
	Folder string `yaml:"folder"`
	// How many items one box may have. 0: 10000.
	Items int `yaml:"items"`
	// How many MiB the bodies of one box may have. 0: 2048.
	Megabytes int `yaml:"megabytes"`
	// How many items of one depositor may lie in a box that are not on the ledger yet. 0: 200.
	Unsettled int `yaml:"unsettled"`
	// How long such an item may lie there, by the ledger's clock, before it is destroyed,
	// like 24h. 0: 24h.
	Patience time.Duration `yaml:"patience"`
}

// HooksConfig says where the node may connect for its organisation's developers (docs/spec/hooks.md).
type HooksConfig struct {
	// Receivers: names exactly as they stand in URLs, or networks, like
	// [hooks.bank.example.cn, 10.20.0.0/16]. A name may be that of an address in your network;
	// loopback needs a line of its own, like 127.0.0.0/8. Link-local and metadata addresses and
	// this node's own ports are refused whatever stands here. Empty: no hook can be made.
	Allow []string `yaml:"allow"`
}

// TracingConfig says where spans go. No value, key or person is in one.
type TracingConfig struct {
	// Base URL of a collector that speaks OTLP over HTTP, like http://127.0.0.1:4318.
	// Empty: no call is followed. $OTEL_EXPORTER_OTLP_ENDPOINT.
	Endpoint string `yaml:"endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	// The share of calls that are followed, above 0 to 1. 0: all.
	Ratio float64 `yaml:"ratio"`
}

// LogConfig says what is logged. Never a value, a key or a person.
type LogConfig struct {
	// debug, info, warn or error. $MULIAN_LOG_LEVEL. Default info.
	Level string `yaml:"level" env:"MULIAN_LOG_LEVEL" default:"info"`
	// text or json. $MULIAN_LOG_FORMAT. Default text.
	Format string `yaml:"format" env:"MULIAN_LOG_FORMAT" default:"text"`
}

// maxConfig bounds a configuration file.
const maxConfig = 1 << 20

const configFile = "mulian.yaml"

//go:embed config.go
var configSource string

// setting is one key with its value and where that came from.
type setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

// config reads the home's configuration: an unknown key, a wrong type or an
// unreadable file is an error that names the line.
func (a *app) config() (*Config, []setting, error) {
	c := &Config{}
	raw, err := os.ReadFile(a.path(configFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, fmt.Errorf("configuration: %w", err)
	case len(raw) > maxConfig:
		return nil, nil, fault.Newf(fault.TooLong, "%s has more than %d bytes", a.path(configFile), maxConfig)
	default:
		if err := yaml.UnmarshalWithOptions(raw, c, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, fault.Newf(fault.Malformed, "%s:\n%s", a.path(configFile), yaml.FormatError(err, false, true)+meant(err.Error()))
		}
	}
	var list []setting
	err = resolve(reflect.ValueOf(c).Elem(), "", &list, a.path(configFile))
	return c, list, err
}

var unknownField = regexp.MustCompile(`unknown field "([^"]{1,40})"`)

// meant names the key that an unknown one resembles most, if one does.
func meant(text string) string {
	m := unknownField.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	// cobra measures how far two words are apart; its commands are our keys here.
	keys := &cobra.Command{SuggestionsMinimumDistance: 2}
	eachKey(reflect.TypeFor[Config](), func(key string) { keys.AddCommand(&cobra.Command{Use: key, Run: func(*cobra.Command, []string) {}}) })
	if s := keys.SuggestionsFor(m[1]); len(s) > 0 {
		return "did you mean " + strings.Join(s, ", ") + "?"
	}
	return ""
}

func eachKey(t reflect.Type, fn func(string)) {
	for i := range t.NumField() {
		fn(t.Field(i).Tag.Get("yaml"))
		if f := t.Field(i).Type; f.Kind() == reflect.Struct {
			eachKey(f, fn)
		}
	}
}

// resolve fills what the file left out from the environment and the defaults, and
// notes each value's origin.
func resolve(v reflect.Value, prefix string, list *[]setting, file string) error {
	for i := range v.NumField() {
		f, t := v.Field(i), v.Type().Field(i)
		key := prefix + t.Tag.Get("yaml")
		if f.Kind() == reflect.Struct {
			if err := resolve(f, key+".", list, file); err != nil {
				return err
			}
			continue
		}
		origin := file
		if e := os.Getenv(t.Tag.Get("env")); t.Tag.Get("env") != "" && e != "" {
			origin = "$" + t.Tag.Get("env")
			f.SetString(e) // only texts come from the environment
		} else if f.IsZero() {
			origin = "default"
			if err := setDefault(f, t.Tag.Get("default")); err != nil {
				return fmt.Errorf("default of %s: %w", key, err)
			}
		}
		value := f.Interface()
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		}
		*list = append(*list, setting{key, value, origin})
	}
	return nil
}

func setDefault(f reflect.Value, text string) error {
	if text == "" {
		return nil
	}
	if f.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		f.SetInt(int64(d))
		return err
	}
	f.SetString(text)
	return nil
}

// logger makes the process's logger on stderr.
func (a *app) logger(c LogConfig) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fault.Newf(fault.OutOfRange, "log.level %q: debug, info, warn or error", c.Level)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch c.Format {
	case "text":
		return slog.New(slog.NewTextHandler(a.err, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, opts)), nil
	}
	return nil, fault.Newf(fault.OutOfRange, "log.format %q: text or json", c.Format)
}

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "config",
		Aliases: []string{"配置"}, Short: a.t("配置：校验、查看、说明、位置", "configuration: validate, show, explain, path"),
		Example: "  mulian config show\n  mulian config explain",
	}
	c.AddCommand(
		&cobra.Command{
			Use: "validate", Short: a.t("校验配置文件", "check the file"), Args: exactly(0), Example: "  mulian config validate",
			RunE: func(*cobra.Command, []string) error {
				cfg, _, err := a.config()
				if err == nil {
					_, err = a.logger(cfg.Log)
				}
				if err != nil {
					return err
				}
				return a.print(map[string]bool{"ok": true}, func(w io.Writer) { fmt.Fprintln(w, a.t("配置有效", "valid configuration")) })
			},
		},
		&cobra.Command{
			Use: "show", Short: a.t("每一项的值和来源", "each value and where it comes from"), Args: exactly(0), Example: "  mulian config show --json",
			RunE: func(*cobra.Command, []string) error {
				_, list, err := a.config()
				if err != nil {
					return err
				}
				return a.print(list, func(w io.Writer) {
					rows := [][]string{{a.t("配置项", "KEY"), a.t("值", "VALUE"), a.t("来源", "ORIGIN")}}
					for _, s := range list {
						rows = append(rows, []string{s.Key, fmt.Sprint(s.Value), s.Origin})
					}
					table(w, rows)
				})
			},
		},
		&cobra.Command{
			Use: "explain", Short: a.t("每一项的说明", "what each key means"), Args: exactly(0), Example: "  mulian config explain",
			RunE: func(*cobra.Command, []string) error {
				text, err := explainConfig()
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(a.out, text)
				return err
			},
		},
		&cobra.Command{
			Use: "path", Short: a.t("配置文件的位置", "where the file is"), Args: exactly(0), Example: "  mulian config path",
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprintln(a.out, a.path(configFile))
				return err
			},
		},
	)
	return c
}

// explainConfig prints the comments of the structs above as a commented file:
// the sources are the manual, so the two cannot drift apart.
func explainConfig() (string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "config.go", configSource, parser.ParseComments)
	if err != nil {
		return "", fmt.Errorf("own sources: %w", err)
	}
	types := map[string]*ast.StructType{}
	ast.Inspect(f, func(n ast.Node) bool {
		if t, ok := n.(*ast.TypeSpec); ok {
			if s, ok := t.Type.(*ast.StructType); ok {
				types[t.Name.Name] = s
			}
		}
		return true
	})
	var out bytes.Buffer
	var write func(s *ast.StructType, indent string)
	write = func(s *ast.StructType, indent string) {
		for _, f := range s.Fields.List {
			for _, line := range strings.Split(strings.TrimSpace(f.Doc.Text()), "\n") {
				fmt.Fprintf(&out, "%s# %s\n", indent, line)
			}
			tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
			fmt.Fprintf(&out, "%s%s: %s\n", indent, tag.Get("yaml"), tag.Get("default"))
			if id, ok := f.Type.(*ast.Ident); ok && types[id.Name] != nil {
				write(types[id.Name], indent+"  ")
			}
		}
	}
	write(types["Config"], "")
	return out.String(), nil
}
