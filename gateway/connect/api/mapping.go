package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"mulian/gateway/connect"
)

// Mapping is the YAML file that an api: URL names. Unknown keys are errors.
type Mapping struct {
	// OpenAPI is the document: a file beside this one, or a URL on the server's host. Required.
	OpenAPI string `yaml:"openapi"`
	// Server is the base URL of the interface. No other host is ever called. Empty: the
	// first of the document's servers, which must be https.
	Server string `yaml:"server"`
	// CA is a PEM file with the authorities that are trusted instead of the system's.
	CA string `yaml:"ca"`
	// Auth is how the gateway shows who it is. Empty: not at all.
	Auth Auth `yaml:"auth"`
	// TimeoutSeconds bounds one call with its whole answer. 0: 60.
	TimeoutSeconds int `yaml:"timeout_seconds"`
	// MaxPages bounds the calls of one scan. 0: 100000.
	MaxPages int `yaml:"max_pages"`
	// Temp is the folder in which rows are sorted. Empty: the system's.
	Temp string `yaml:"temp"`
	// Tables are the operations that are tables, by the table's name. Empty: all GET
	// operations of the document that answer with rows and need no parameter that is not mapped.
	Tables map[string]Rows `yaml:"tables"`
}

// Auth names a credential. It is read from a file that only its owner may read (0600).
type Auth struct {
	// Kind is bearer, basic or header. Empty: none.
	Kind string `yaml:"kind"`
	// File holds the token, the password or the header's value; one line.
	File string `yaml:"file"`
	// User is for basic.
	User string `yaml:"user"`
	// Name is the header's, for header.
	Name string `yaml:"name"`
}

// Rows says how an operation's answers are rows. Each key may also stand in the operation
// itself as an extension: x-mulian-rows, x-mulian-key, x-mulian-paging, x-mulian-params,
// x-mulian-after, x-mulian-fixed, and x-mulian-table for the table's name.
type Rows struct {
	// Operation is the operationId, or METHOD /path. A POST must be named here to be used.
	Operation string `yaml:"operation"`
	// Rows is the JSON pointer to the array of rows: /data/items. Empty: the answer itself, or
	// the only property of it that is an array of objects.
	Rows string `yaml:"rows"`
	// Key is the primary key. Its values must be there and differ.
	Key []string `yaml:"key"`
	// Paging is how one goes on. Empty: the answer is all there is.
	Paging Paging `yaml:"paging"`
	// Params maps a column to the parameter that selects rows with a value of it.
	Params map[string]string `yaml:"params"`
	// After maps a column to the parameter that selects rows with a greater value.
	After map[string]string `yaml:"after"`
	// Fixed are parameters that are always sent.
	Fixed map[string]string `yaml:"fixed"`
}

// Paging is how an interface hands out more rows than one answer holds.
type Paging struct {
	// Kind is page, offset, cursor or link. Empty: none.
	Kind string `yaml:"kind"`
	// Param carries the number of the page, the offset or the cursor. Empty: page, offset, cursor.
	Param string `yaml:"param"`
	// First is the number of the first page. Empty: 1.
	First *int `yaml:"first"`
	// SizeParam carries how many rows are wanted, if Size is not 0. Empty: size, or limit for offset.
	SizeParam string `yaml:"size_param"`
	// Size is how many rows are asked for at once. 0: what the interface likes.
	Size int `yaml:"size"`
	// Next is the JSON pointer to the next cursor. Required for cursor.
	Next string `yaml:"next"`
	// Total is the JSON pointer to the number of all rows. If given, it must be right.
	Total string `yaml:"total"`
}

const (
	// maxDocument bounds the mapping and the OpenAPI document. The largest that we know of
	// (a cloud's whole interface) have 12 MB.
	maxDocument = 16 << 20
	maxSecret   = 16 << 10
	maxTimeout  = time.Hour
)

// readMapping reads the file of an api: URL. A document of OpenAPI itself stands for a
// mapping that names it and nothing else.
func readMapping(path string) (*Mapping, error) {
	text, err := readFile(path, maxDocument)
	if err != nil {
		return nil, err
	}
	m := &Mapping{}
	var probe struct {
		OpenAPI string `yaml:"openapi"`
	}
	if err := yaml.Unmarshal(text, &probe); err == nil && strings.HasPrefix(probe.OpenAPI, "3.") {
		m.OpenAPI = filepath.Base(path)
		return m, nil
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField()).Decode(m); err != nil {
		return nil, fmt.Errorf("%w: the mapping: %s", connect.ErrInvalid, firstLine(err))
	}
	return m, m.check()
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func (m *Mapping) check() error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: the mapping: %s", connect.ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case m.OpenAPI == "":
		return invalid("openapi is missing")
	case m.TimeoutSeconds < 0 || time.Duration(m.TimeoutSeconds)*time.Second > maxTimeout || m.MaxPages < 0:
		return invalid("timeout_seconds or max_pages is out of bounds")
	case m.Auth.Kind != "" && m.Auth.File == "":
		return invalid("auth needs a file")
	}
	switch m.Auth.Kind {
	case "", "bearer", "basic":
	case "header":
		if m.Auth.Name == "" {
			return invalid("auth of kind header needs a name")
		}
	default:
		return invalid("auth.kind is bearer, basic or header")
	}
	for name, r := range m.Tables {
		if err := r.Paging.check(); err != nil {
			return fmt.Errorf("table %.60q: %w", name, err)
		}
	}
	return nil
}

func (p *Paging) check() error {
	switch p.Kind {
	case "", "page", "offset", "link":
	case "cursor":
		if p.Next == "" {
			return fmt.Errorf("%w: paging by cursor needs next", connect.ErrInvalid)
		}
	default:
		return fmt.Errorf("%w: paging.kind is page, offset, cursor or link", connect.ErrInvalid)
	}
	if p.Size < 0 || p.Size > connect.MaxPageRows {
		return fmt.Errorf("%w: paging.size %d", connect.ErrInvalid, p.Size)
	}
	return nil
}

// baseURL is the server's URL: checked, and without a slash at its end.
func baseURL(raw string, fromDocument bool, auth Auth) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: the server is no http or https URL, or holds more than host and path", connect.ErrInvalid)
	case u.Scheme == "http" && fromDocument:
		return nil, fmt.Errorf("%w: the document's server is not https; name it in the mapping if that is meant", connect.ErrInvalid)
	case u.Scheme == "http" && auth.Kind != "" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("%w: a credential is not sent without TLS", connect.ErrInvalid)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// secret reads a credential. ErrDenied: others may read it too.
func (m *Mapping) secret(dir string) (string, error) {
	path := beside(dir, m.Auth.File)
	is, err := os.Stat(path)
	if err != nil {
		return "", fileFailure(err)
	}
	if is.Mode().Perm()&0o077 != 0 || !is.Mode().IsRegular() {
		return "", fmt.Errorf("%w: the credential's file must be readable by its owner only (mode 0600)", connect.ErrDenied)
	}
	text, err := readFile(path, maxSecret)
	secret := strings.TrimSpace(string(text))
	if err == nil && (secret == "" || strings.ContainsAny(secret, "\r\n\x00")) {
		err = fmt.Errorf("%w: the credential's file is empty or has more than one line", connect.ErrDenied)
	}
	return secret, err
}

func beside(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileFailure(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fileFailure(err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%w: a file of more than %d bytes", connect.ErrTooLarge, most)
	}
	return text, nil
}

// fileFailure gives an error of a file its meaning, without its path.
func fileFailure(err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		err = perr.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: a file of the mapping: %w", connect.ErrDenied, err)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: a file of the mapping: %w", connect.ErrUnreachable, err)
}
