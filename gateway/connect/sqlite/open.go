package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

func init() {
	connect.Register(connect.Driver{Source: open, Sink: openSink}, "sqlite")
}

// busyMillis is how long a statement waits for a writer's lock; our own choice.
const busyMillis = 10_000

// maxConns is how many calls one file serves at the same time.
const maxConns = 4

// address is a parsed URL.
type address struct {
	path      string
	immutable bool
}

func parse(rawURL string) (address, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(rawURL, "sqlite:"), "?")
	path = strings.TrimPrefix(path, "//")
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return address{}, fmt.Errorf("%w: sqlite URL needs the path of a file", connect.ErrInvalid)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return address{}, fmt.Errorf("%w: sqlite URL: parameters", connect.ErrInvalid)
	}
	for name, v := range values {
		if name != "immutable" || len(v) != 1 || v[0] != "1" {
			return address{}, fmt.Errorf("%w: sqlite URL: only immutable=1 is known", connect.ErrInvalid)
		}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return address{}, fmt.Errorf("%w: sqlite path: %w", connect.ErrInvalid, err)
	}
	return address{path: abs, immutable: values.Has("immutable")}, nil
}

// dsn is the driver's own URL.
func (a address) dsn(write bool) string {
	q := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", busyMillis), "trusted_schema(0)"}}
	switch {
	case write:
		q.Add("_pragma", "synchronous(FULL)") // Commit promises durability
		q.Set("_txlock", "immediate")
		q.Set("mode", "rwc")
	case a.immutable:
		q.Set("immutable", "1")
		fallthrough
	default:
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	}
	return "file:" + (&url.URL{Path: a.path}).EscapedPath() + "?" + q.Encode()
}

// file is a SQLite file that is open until it is replaced.
type file struct {
	at    address
	write bool

	mu  sync.Mutex // guards the rest
	db  *sql.DB
	was os.FileInfo // of the file that db has open
}

// conn gives a connection to the file that has the path now.
func (f *file) conn(ctx context.Context) (*sql.Conn, error) {
	db, err := f.current()
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, failure(ctx, err)
	}
	// The greatest row that SQLite may hand us, so that one value cannot fill the memory.
	if _, err := sqlite.Limit(c, sqlite3.SQLITE_LIMIT_LENGTH, connect.MaxRowBytes); err != nil {
		c.Close()
		return nil, failure(ctx, err)
	}
	return c, nil
}

func (f *file) current() (*sql.DB, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	is, err := os.Stat(f.at.path)
	if err != nil && !f.write {
		return nil, fmt.Errorf("%w: %w", connect.ErrUnreachable, errors.Unwrap(err))
	}
	if f.db != nil && (f.write || os.SameFile(f.was, is)) {
		return f.db, nil
	}
	if f.db != nil {
		f.db.Close() // its connections end when they are given back
	}
	db, err := sql.Open("sqlite", f.at.dsn(f.write))
	if err != nil {
		return nil, fmt.Errorf("%w: sqlite: %w", connect.ErrInvalid, err)
	}
	db.SetMaxOpenConns(maxConns)
	f.db, f.was = db, is
	return db, nil
}

// Close ends all connections.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return nil
	}
	return f.db.Close()
}

// failure turns an error of SQLite into one of connect's. SQLite's own texts
// name tables and columns, never values.
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("sqlite: %w", err)
	}
	kind := map[int]error{
		sqlite3.SQLITE_CANTOPEN:   connect.ErrUnreachable,
		sqlite3.SQLITE_BUSY:       connect.ErrUnreachable,
		sqlite3.SQLITE_IOERR:      connect.ErrUnreachable,
		sqlite3.SQLITE_NOTADB:     connect.ErrInvalid,
		sqlite3.SQLITE_READONLY:   connect.ErrDenied,
		sqlite3.SQLITE_PERM:       connect.ErrDenied,
		sqlite3.SQLITE_AUTH:       connect.ErrDenied,
		sqlite3.SQLITE_TOOBIG:     connect.ErrTooLarge,
		sqlite3.SQLITE_CONSTRAINT: connect.ErrConflict,
		sqlite3.SQLITE_FULL:       connect.ErrFull,
	}[e.Code()&0xff]
	if kind == nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	return fmt.Errorf("%w: sqlite: %w", kind, err)
}

// isBusy tells whether somebody else holds the file's lock.
func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// dialect is SQLite's SQL.
var dialect = statement.Dialect{
	Param: func(n int) string { return fmt.Sprintf("?%d", n) },
	// The unary plus changes no value; it hides the declared type, by which the driver
	// would turn dates into time.Time and lose how they were written.
	Read: func(q string) string { return "+" + q },
	Compare: func(c connect.Column, q string) string {
		if c.Kind == connect.Timestamp || c.Kind == connect.Instant {
			return "rtrim(replace(" + q + ", ' ', 'T'), 'Zz')"
		}
		return q
	},
	// Whatever collation the column has: keys are ordered by their bytes.
	Key: func(c connect.Column, q string) string { return q + " COLLATE BINARY" },
}
