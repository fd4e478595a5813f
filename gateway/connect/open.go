package connect

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Driver opens the databases of one URL scheme.
type Driver struct {
	// Source opens a database to read. It returns without error only if the
	// database answered.
	Source func(ctx context.Context, url string) (Source, error)
	// Sink opens a database to load into; nil if this kind cannot be loaded.
	Sink func(ctx context.Context, url string) (Sink, error)
	// Grants is GrantStatements for databases with accounts; nil: this kind has none. It
	// opens nothing.
	Grants func(url string, g Grant) ([]string, error)
}

var drivers = struct {
	sync.Mutex
	by map[string]Driver
}{by: map[string]Driver{}}

// Register makes a driver known under its schemes. It is called from init and
// panics on a scheme that is taken.
func Register(d Driver, schemes ...string) {
	drivers.Lock()
	defer drivers.Unlock()
	for _, s := range schemes {
		if _, taken := drivers.by[s]; taken {
			panic("connect: scheme registered twice: " + s)
		}
		drivers.by[s] = d
	}
}

// Schemes lists what Open knows in this program, sorted.
func Schemes() []string {
	drivers.Lock()
	defer drivers.Unlock()
	var out []string
	for s := range drivers.by {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// Open opens a database to read, by the scheme of its URL:
//
//	sqlite:PATH  sqlite://PATH  postgres://USER@HOST:PORT/NAME?passfile=FILE
//	files:FOLDER  csv:FOLDER  parquet:FOLDER  documents:FOLDER  api:MAPPING
//	mysql://USER@HOST:PORT/NAME?passfile=FILE (and mariadb:, oceanbase:, tidb:)
//
// A password inside the URL is refused (ErrInvalid): URLs are seen in process
// lists, configurations and logs. Errors never repeat the URL.
func Open(ctx context.Context, rawURL string) (Source, error) {
	d, err := driver(rawURL)
	if err != nil {
		return nil, err
	}
	return d.Source(ctx, rawURL)
}

// OpenSink opens a database to load into; the URL is as in Open.
func OpenSink(ctx context.Context, rawURL string) (Sink, error) {
	d, err := driver(rawURL)
	if err != nil {
		return nil, err
	}
	if d.Sink == nil {
		return nil, fmt.Errorf("%w: this kind of database cannot be loaded into", ErrInvalid)
	}
	return d.Sink(ctx, rawURL)
}

func driver(rawURL string) (Driver, error) {
	scheme, _, ok := strings.Cut(rawURL, ":")
	if !ok {
		return Driver{}, fmt.Errorf("%w: database URL has no scheme; known here: %s", ErrInvalid, strings.Join(Schemes(), ", "))
	}
	drivers.Lock()
	d, known := drivers.by[scheme]
	drivers.Unlock()
	if !known {
		return Driver{}, fmt.Errorf("%w: no driver for database scheme %q; known here: %s", ErrInvalid, scheme, strings.Join(Schemes(), ", "))
	}
	if u, err := url.Parse(rawURL); err == nil {
		if _, has := u.User.Password(); has || u.Query().Has("password") {
			return Driver{}, fmt.Errorf("%w: password in the database URL; put it in a passfile (mode 0600) and give passfile=FILE", ErrInvalid)
		}
	}
	return d, nil
}
