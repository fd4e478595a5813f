package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

const (
	// statusEvery is how often the server hears of us at least; its wal_sender_timeout is
	// 60 s unless set otherwise, and a third of it counts if that is less.
	statusEvery = 10 * time.Second
	// busyPatience is how long a slot may still belong to our own connection of before:
	// the server notices its end within a moment.
	busyPatience = 5 * time.Second
)

// stream follows the log from a position.
func (s *source) stream(ctx context.Context, p *plan, from connect.Position, fn func(connect.Change) error) error {
	config := s.config.Copy()
	config.RuntimeParams["replication"] = "database"
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return failure(ctx, err)
	}
	defer closeNow(conn)
	system, err := systemOf(ctx, conn)
	if err != nil {
		return err
	}
	at, err := s.slot(ctx, p, system, from)
	if err != nil {
		return err
	}
	s.feed.mu.Lock()
	if s.feed.system != system || s.feed.acknowledged < p.slot.confirmed {
		s.feed.system, s.feed.acknowledged = system, p.slot.confirmed
	}
	s.feed.mu.Unlock()
	if err := start(ctx, conn, p, at); err != nil {
		return lost(err)
	}
	eye, err := pgconn.ConnectConfig(ctx, s.config)
	if err != nil {
		return failure(ctx, err)
	}
	defer closeNow(eye)
	wire, err := conn.Hijack()
	if err != nil {
		return failure(ctx, err)
	}
	return lost(s.run(ctx, wire, &sight{conn: eye}, p, at, system, fn))
}

// run hands Changes to fn while one goroutine reads and another answers the server, which
// would take us for dead while fn works. It waits for the end of both.
func (s *source) run(ctx context.Context, wire *pgconn.HijackedConn, eye *sight, p *plan, at lsn, system uint64, fn func(connect.Change) error) (err error) {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	var goroutines sync.WaitGroup
	defer goroutines.Wait()
	defer wire.Conn.Close() // ends a read and a write that are under way
	defer cancel()

	pieces, failed := make(chan connect.Change), make(chan error, 2)
	goroutines.Go(func() {
		await := func(xid uint32) error { return eye.await(ctx, xid) }
		a := newAssembly(system, p.tables, at, await, func(c connect.Change) error {
			select {
			case pieces <- c:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		failed <- receive(wire.Frontend, a)
	})
	goroutines.Go(func() { failed <- s.answer(ctx, wire.Conn, p.ending) })
	if err := fn(connect.Change{Position: position(system, at)}); err != nil {
		return err
	}
	for {
		select {
		case c := <-pieces:
			if err := fn(c); err != nil {
				return err
			}
		case err := <-failed:
			return failureOf(outer, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// failureOf is failure for what receive and answer return.
func failureOf(ctx context.Context, err error) error {
	var value *connect.ValueError
	var of ofFunc
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &of):
		return of.error
	case errors.As(err, &value), errors.Is(err, connect.ErrPositionLost), errors.Is(err, connect.ErrTooLarge):
		return err
	}
	return failure(ctx, err)
}

// lost knows what the server says of a place that it cannot read any more.
func lost(err error) error {
	var ce *codeError
	if errors.As(err, &ce) && slices.Contains([]string{"42704", "58P01", "55000"}, ce.code) { // publication or slot gone, file of the log gone, slot invalidated
		return fmt.Errorf("%w: %w", connect.ErrPositionLost, err)
	}
	return err
}

// systemOf asks which server this is.
func systemOf(ctx context.Context, conn *pgconn.PgConn) (uint64, error) {
	results, err := conn.Exec(ctx, "IDENTIFY_SYSTEM").ReadAll()
	if err != nil {
		return 0, failure(ctx, err)
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < 3 {
		return 0, fmt.Errorf("postgres: the server does not identify itself")
	}
	return strconv.ParseUint(string(results[0].Rows[0][0]), 10, 64)
}

// start turns the connection into a feed. The slot may still be held by our own connection
// of a moment ago.
func start(ctx context.Context, conn *pgconn.PgConn, p *plan, at lsn) error {
	sql := fmt.Sprintf(`START_REPLICATION SLOT %s LOGICAL %X/%X (proto_version '1', publication_names '%s', messages 'true')`,
		statement.Quote(p.slotName()), uint32(at>>32), uint32(at), statement.Quote(p.feed.publication()))
	return patient(ctx, func() error { return startOnce(ctx, conn, sql) })
}

// patient tries again while the slot is in use, and then says ErrFeedBusy.
func patient(ctx context.Context, try func() error) error {
	for until := time.Now().Add(busyPatience); ; {
		err := try()
		var ce *codeError
		if !errors.As(err, &ce) || ce.code != "55006" {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("%w: %w", connect.ErrFeedBusy, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func startOnce(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	conn.Frontend().Send(&pgproto3.Query{String: sql})
	if err := conn.Frontend().Flush(); err != nil {
		return failure(ctx, err)
	}
	var refused error
	for {
		msg, err := conn.ReceiveMessage(ctx)
		if err != nil {
			return failure(ctx, err)
		}
		switch m := msg.(type) {
		case *pgproto3.CopyBothResponse:
			return nil
		case *pgproto3.ErrorResponse:
			refused = failure(ctx, pgconn.ErrorResponseToPgError(m))
		case *pgproto3.ReadyForQuery:
			return refused
		}
	}
}

// receive reads until the connection or the assembly fails.
func receive(frontend *pgproto3.Frontend, a *assembly) error {
	for {
		msg, err := frontend.Receive()
		if err != nil {
			return err
		}
		switch m := msg.(type) {
		case *pgproto3.CopyData:
			if err := a.copyData(m.Data); err != nil {
				return ofFunc{err}
			}
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.CopyDone, *pgproto3.CommandComplete:
			return fmt.Errorf("the server ended the feed")
		}
	}
}

// copyData takes the envelope of a message: data of the log, or a sign of life.
func (a *assembly) copyData(b []byte) error {
	const dataHead, lifeBytes = 1 + 24, 1 + 17
	switch {
	case len(b) > dataHead && b[0] == 'w':
		return a.message(b[dataHead:])
	case len(b) >= lifeBytes && b[0] == 'k':
		return a.reached(lsn(binary.BigEndian.Uint64(b[1:])))
	}
	return fmt.Errorf("postgres: feed: damaged envelope")
}

// answer tells the server that we live and how far we are: when something was
// acknowledged, and every so often.
func (s *source) answer(ctx context.Context, wire net.Conn, ending time.Duration) error {
	every := statusEvery
	if ending > 0 {
		every = min(every, ending/3)
	}
	tick := time.NewTicker(max(every, 100*time.Millisecond))
	defer tick.Stop()
	for {
		s.feed.mu.Lock()
		at := s.feed.acknowledged
		s.feed.mu.Unlock()
		// Asked for an answer, the server also tells how far it is though nothing changed.
		text, err := (&pgproto3.CopyData{Data: status(at, true, time.Now())}).Encode(nil)
		if err != nil {
			return err
		}
		if err := wire.SetWriteDeadline(time.Now().Add(connectTimeout)); err != nil {
			return err
		}
		if _, err := wire.Write(text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.feed.told:
		}
	}
}
