package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"mulian/gateway/connect"
)

func init() {
	connect.Register(connect.Driver{Source: open, Sink: openSink, Grants: grants}, "postgres", "postgresql")
}

const (
	// maxConns is how many calls are served at the same time; a department's
	// server often has 100 connections in all. Our own choice.
	maxConns = 4
	// connectTimeout is for one attempt, if the URL says nothing else.
	connectTimeout = 10 * time.Second
	// idleCheck is how long a connection may rest before it is tried again before use.
	idleCheck = time.Second
)

// session makes every server print values the same way.
var session = map[string]string{
	"application_name": "mulian gateway", "client_encoding": "UTF8", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601",
	"TimeZone": "UTC", "extra_float_digits": "1", "bytea_output": "hex", "standard_conforming_strings": "on",
}

// pool holds the connections to one database.
type pool struct {
	config *pgconn.Config
	name   feedName
	slots  chan struct{} // one token for each connection in use

	mu       sync.Mutex // guards the rest
	idle     []resting
	closed   bool
	prepared map[*pgconn.PgConn]map[string]string // of open connections: statement -> its name there
	unnamed  bool                                 // something between us and the server loses prepared statements
}

type resting struct {
	conn  *pgconn.PgConn
	since time.Time
}

func newPool(rawURL string) (*pool, error) {
	config, err := pgconn.ParseConfig(rawURL)
	if err != nil {
		// Not err: it repeats the URL.
		return nil, fmt.Errorf("%w: postgres URL", connect.ErrInvalid)
	}
	name, err := takeFeedName(config)
	if err != nil {
		return nil, err
	}
	for name, value := range session {
		config.RuntimeParams[name] = value
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		// bytea travels as two characters for a byte: twice the longest row, and room.
		f.SetMaxBodyLen(2*connect.MaxRowBytes + 1<<20)
		return f
	}
	return &pool{config: config, name: name, slots: make(chan struct{}, maxConns), prepared: map[*pgconn.PgConn]map[string]string{}}, nil
}

// acquire gives a connection that answered within the last idleCheck.
func (p *pool) acquire(ctx context.Context) (*pgconn.PgConn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			<-p.slots
			return nil, fmt.Errorf("%w: closed", connect.ErrUnreachable)
		}
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			break
		}
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if time.Since(r.since) < idleCheck || answers(ctx, r.conn) {
			return r.conn, nil
		}
		p.forget(r.conn)
		r.conn.Close(ctx)
	}
	conn, err := pgconn.ConnectConfig(ctx, p.config)
	if err != nil {
		<-p.slots
		return nil, failure(ctx, err)
	}
	return conn, nil
}

// answers tells whether a connection that has rested is still there. One behind a network
// that was cut says nothing: it must not use up the time of who asks.
func answers(ctx context.Context, conn *pgconn.PgConn) bool {
	ctx, cancel := context.WithTimeout(ctx, idleCheck)
	defer cancel()
	return conn.Ping(ctx) == nil
}

// release takes a connection back, or closes it if it is in the middle of something.
func (p *pool) release(conn *pgconn.PgConn) {
	defer func() { <-p.slots }()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || conn.IsClosed() || conn.IsBusy() || conn.TxStatus() != 'I' {
		delete(p.prepared, conn)
		ctx, cancel := context.WithTimeout(context.Background(), idleCheck)
		defer cancel()
		conn.Close(ctx)
		return
	}
	p.idle = append(p.idle, resting{conn, time.Now()})
}

// forget drops what is known of a connection that is closed.
func (p *pool) forget(conn *pgconn.PgConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.prepared, conn)
}

// maxPrepared bounds the prepared statements of one connection: an agreement asks for
// the same columns by the same key again and again. Our own choice.
const maxPrepared = 200

// repeated is query for a statement that comes often: the server keeps its plan. A plan
// that no longer fits the table is made anew.
func (p *pool) repeated(ctx context.Context, conn *pgconn.PgConn, sql string, args [][]byte, fn rowFunc) error {
	name, err := p.prepare(ctx, conn, sql)
	if err != nil {
		return err
	}
	if name == "" {
		return query(ctx, conn, sql, args, fn)
	}
	any := false
	err = run(ctx, func(ctx context.Context) *pgconn.ResultReader { return conn.ExecPrepared(ctx, name, args, nil, nil) },
		func(fields []pgconn.FieldDescription, v [][]byte) error { any = true; return fn(fields, v) })
	var pe *pgconn.PgError
	if any || !errors.As(err, &pe) || pe.Code != "0A000" && pe.Code != "26000" {
		return asFailure(ctx, err)
	}
	// 0A000: the table's columns have other types than when it was prepared; 26000: there
	// is no such statement, for the connection is not always to the same server process.
	p.mu.Lock()
	delete(p.prepared[conn], sql)
	p.unnamed = p.unnamed || pe.Code == "26000"
	p.mu.Unlock()
	if pe.Code == "0A000" {
		if err := conn.Deallocate(ctx, name); err != nil {
			return failure(ctx, err)
		}
	}
	return query(ctx, conn, sql, args, fn)
}

// prepare gives the name of a statement on a connection; "" if it has none there.
func (p *pool) prepare(ctx context.Context, conn *pgconn.PgConn, sql string) (string, error) {
	p.mu.Lock()
	names := p.prepared[conn]
	name, unnamed, n := names[sql], p.unnamed, len(names)
	p.mu.Unlock()
	if name != "" || unnamed || n >= maxPrepared {
		return name, nil
	}
	sum := sha256.Sum256([]byte(sql))
	name = "mulian_" + hex.EncodeToString(sum[:16])
	if _, err := conn.Prepare(ctx, name, sql, nil); err != nil {
		return "", failure(ctx, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.prepared[conn] == nil {
		p.prepared[conn] = map[string]string{}
	}
	p.prepared[conn][sql] = name
	return name, nil
}

// Close ends the connections that rest; the others end when they are released.
func (p *pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	ctx, cancel := context.WithTimeout(context.Background(), idleCheck)
	defer cancel()
	for _, r := range p.idle {
		r.conn.Close(ctx)
	}
	p.idle = nil
	return nil
}

// exec runs statements without parameters and results.
func exec(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return failure(ctx, err)
}

// rowFunc takes a row's texts; nil is NULL. The slices are valid until it returns.
type rowFunc = func(fields []pgconn.FieldDescription, values [][]byte) error

// query runs one statement and hands each row to fn.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, args [][]byte, fn rowFunc) error {
	return asFailure(ctx, run(ctx, func(ctx context.Context) *pgconn.ResultReader {
		return conn.ExecParams(ctx, sql, args, nil, nil, nil)
	}, fn))
}

// ofFunc marks an error of a rowFunc: it is returned as it is.
type ofFunc struct{ error }

// run reads a result to its end. The error is the connection's, or an ofFunc.
func run(ctx context.Context, exec func(context.Context) *pgconn.ResultReader, fn rowFunc) error {
	// An abandoned result would be read to its end: a table of any size. Ending
	// the context instead closes the connection.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rr := exec(ctx)
	for rr.NextRow() {
		if err := fn(rr.FieldDescriptions(), rr.Values()); err != nil {
			cancel()
			rr.Close()
			return ofFunc{err}
		}
	}
	_, err := rr.Close()
	return err
}

// asFailure is failure, for an error of run.
func asFailure(ctx context.Context, err error) error {
	if of, ok := err.(ofFunc); ok {
		return of.error
	}
	return failure(ctx, err)
}

// failure turns an error into one of connect's.
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		// What is no answer of the server is a failure to reach it.
		return fmt.Errorf("%w: %s", connect.ErrUnreachable, reachText(err))
	}
	text := fmt.Sprintf("postgres %s", pe.Code)
	switch class := pe.Code[:min(2, len(pe.Code))]; class {
	case "22":
		text += place(" column ", pe.ColumnName)
	case "23":
		text += place(" table ", pe.TableName) + place(" column ", pe.ColumnName) + place(" constraint ", pe.ConstraintName)
	default:
		text += ": " + pe.Message
	}
	return &codeError{code: pe.Code, text: text, kind: kindOfFailure(pe.Code)}
}

// codeError is what the server has against a statement.
type codeError struct {
	code, text string
	kind       error // connect's; nil: none fits
}

func (e *codeError) Error() string {
	if e.kind == nil {
		return e.text
	}
	return e.kind.Error() + ": " + e.text
}

func (e *codeError) Unwrap() error { return e.kind }

func kindOfFailure(code string) error {
	switch code {
	case "42501":
		return connect.ErrDenied
	case "42P01", "3F000":
		return connect.ErrNoTable
	case "42703":
		return connect.ErrNoColumn
	case "3D000":
		return connect.ErrUnreachable
	case "53100":
		return connect.ErrFull
	case "57014": // statement_timeout of the server
		return connect.ErrTooLarge
	}
	switch code[:min(2, len(code))] {
	case "08", "53", "57":
		return connect.ErrUnreachable
	case "28":
		return connect.ErrDenied
	case "23":
		return connect.ErrConflict
	case "22":
		return connect.ErrInvalid
	}
	return nil
}

// reachText is the innermost error's text: the outer ones repeat user and address.
func reachText(err error) string {
	var ce *pgconn.ConnectError
	if errors.As(err, &ce) {
		for inner := error(ce); inner != nil; inner = errors.Unwrap(inner) {
			err = inner
		}
		if _, same := err.(*pgconn.ConnectError); same {
			return "cannot connect"
		}
	}
	return err.Error()
}

func place(word, name string) string {
	if name == "" {
		return ""
	}
	return word + fmt.Sprintf("%q", name)
}
