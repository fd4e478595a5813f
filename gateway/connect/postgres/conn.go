package postgres

import (
	"context"
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
	connect.Register(connect.Driver{Source: open, Sink: openSink}, "postgres", "postgresql")
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
	slots  chan struct{} // one token for each connection in use

	mu     sync.Mutex // guards the rest
	idle   []resting
	closed bool
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
	return &pool{config: config, slots: make(chan struct{}, maxConns)}, nil
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
		if time.Since(r.since) < idleCheck || r.conn.Ping(ctx) == nil {
			return r.conn, nil
		}
		r.conn.Close(ctx)
	}
	conn, err := pgconn.ConnectConfig(ctx, p.config)
	if err != nil {
		<-p.slots
		return nil, failure(ctx, err)
	}
	return conn, nil
}

// release takes a connection back, or closes it if it is in the middle of something.
func (p *pool) release(conn *pgconn.PgConn) {
	defer func() { <-p.slots }()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || conn.IsClosed() || conn.IsBusy() || conn.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), idleCheck)
		defer cancel()
		conn.Close(ctx)
		return
	}
	p.idle = append(p.idle, resting{conn, time.Now()})
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

// query runs one statement and hands each row's texts to fn; nil is NULL. The
// slices are valid until fn returns.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, args [][]byte, fn func(fields []pgconn.FieldDescription, values [][]byte) error) error {
	// An abandoned result would be read to its end: a table of any size. Ending
	// the context instead closes the connection.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rr := conn.ExecParams(ctx, sql, args, nil, nil, nil)
	for rr.NextRow() {
		if err := fn(rr.FieldDescriptions(), rr.Values()); err != nil {
			cancel()
			rr.Close()
			return err
		}
	}
	_, err := rr.Close()
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
	if kind := kindOfFailure(pe.Code); kind != nil {
		return fmt.Errorf("%w: %s", kind, text)
	}
	return errors.New(text)
}

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
