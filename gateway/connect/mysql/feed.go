package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	binlog "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"mulian/gateway/connect"
)

// place is a place in the binary log: the number of a file and an offset in it.
type place struct {
	file, offset uint64
}

func (p place) before(q place) bool {
	return p.file < q.file || p.file == q.file && p.offset < q.offset
}

// position is a place as a Position: the server, then numbers of fixed width.
func (p place) position(server string) connect.Position {
	return connect.Position(fmt.Sprintf("%s.%010d.%015d", server, p.file, p.offset))
}

// placeOf reads a Position; ErrPositionLost if it is not of this server.
func placeOf(server string, at connect.Position) (place, error) {
	parts := strings.Split(string(at), ".")
	if len(parts) != 3 || parts[0] != server {
		return place{}, fmt.Errorf("%w: the position is not of this server", connect.ErrPositionLost)
	}
	file, err1 := strconv.ParseUint(parts[1], 10, 64)
	offset, err2 := strconv.ParseUint(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return place{}, fmt.Errorf("%w: the position does not read", connect.ErrPositionLost)
	}
	return place{file, offset}, nil
}

// fileNumber splits mariadb-bin.000001.
func fileNumber(name string) (base string, number uint64, err error) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return "", 0, fmt.Errorf("mysql: name of a log file")
	}
	number, err = strconv.ParseUint(name[at+1:], 10, 64)
	return name[:at], number, err
}

// Follow is connect.Feeder's, see the package comment for what it needs.
func (s *source) Follow(ctx context.Context, tables []connect.TableName, from connect.Position, fn func(connect.Change) error) error {
	if err := connect.CheckFollow(tables, from); err != nil {
		return err
	}
	if len(tables) > 0 {
		if !s.following.TryLock() {
			return fmt.Errorf("%w: by this program", connect.ErrFeedBusy)
		}
		defer s.following.Unlock()
	}
	var p *feedPlan
	err := s.on(ctx, func(ctx context.Context, c *session) (err error) {
		p, err = s.survey(ctx, c, tables)
		return err
	})
	if err != nil {
		return err
	}
	at := p.now
	if from != "" {
		if at, err = placeOf(p.server, from); err != nil {
			return err
		}
		if size, there := p.files[at.file]; !there || at.offset > size {
			return fmt.Errorf("%w: the server no longer keeps its log", connect.ErrPositionLost)
		}
	}
	f := &follower{source: s, feedPlan: p, at: at, visible: p.now, fn: fn, silent: len(tables) == 0}
	return f.run(ctx)
}

// Followable is connect.Feeder's.
func (s *source) Followable(ctx context.Context, tables []connect.TableName) error {
	if err := connect.CheckFollow(tables, ""); err != nil {
		return err
	}
	return s.on(ctx, func(ctx context.Context, c *session) error {
		_, err := s.survey(ctx, c, tables)
		return err
	})
}

// Acknowledge does nothing: the server keeps its log by its own rules (expire_logs_days,
// binlog_expire_logs_seconds).
func (s *source) Acknowledge(_ context.Context, p connect.Position) error { return p.Check() }

// follower reads the log for one Follow.
type follower struct {
	*feedPlan
	source  *source
	at      place // behind the last transaction that was told or passed over
	visible place // everything before it is visible to a new snapshot
	file    uint64
	fn      func(connect.Change) error
	silent  bool // DDL alone, without positions

	rows  []connect.RowChange // of the present transaction, not told yet
	bytes int
	begun bool // a transaction is open
	last  time.Time
}

// eventsAhead bounds what is read ahead of fn: rows come in events of 8 KB, or one row.
const eventsAhead = 8

func (f *follower) run(ctx context.Context) error {
	a := f.source.address
	config := replication.BinlogSyncerConfig{
		ServerID: f.serverID, Flavor: binlog.MariaDBFlavor, User: a.User, Host: a.Addr, TLSConfig: a.TLS, Charset: "utf8mb4",
		TimestampStringLocation: time.UTC, HeartbeatPeriod: connect.FeedEvery, ReadTimeout: 30 * time.Second, DisableRetrySync: true,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), EventCacheCount: eventsAhead, VerifyChecksum: true,
	}
	if a.passfile != "" {
		var err error
		if config.Password, err = password(a.passfile); err != nil {
			return err
		}
	}
	syncer := replication.NewBinlogSyncer(config)
	defer syncer.Close()
	f.file = f.at.file
	stream, err := syncer.StartSync(binlog.Position{Name: fmt.Sprintf("%s.%06d", f.base, f.at.file), Pos: uint32(f.at.offset)})
	if err != nil {
		return f.lost(ctx, err)
	}
	if err := f.nothing(); err != nil {
		return err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, connect.FeedEvery)
		ev, err := stream.GetEvent(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			err = f.nothing()
		case err != nil:
			return f.lost(ctx, err)
		default:
			if err = f.event(ctx, ev); err == nil && !f.begun && time.Since(f.last) >= connect.FeedEvery {
				err = f.nothing()
			}
		}
		if err != nil {
			return err
		}
	}
}

// lost tells why the log could not be read.
func (f *follower) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var me *binlog.MyError
	if !errors.As(err, &me) {
		return fmt.Errorf("%w: %s", connect.ErrUnreachable, reachText(err))
	}
	switch me.Code {
	case 1236:
		return fmt.Errorf("%w: mysql 1236: the server no longer keeps its log", connect.ErrPositionLost)
	case 1044, 1045, 1227:
		return fmt.Errorf("%w: mysql %d: to follow the log", connect.ErrDenied, me.Code)
	}
	return fmt.Errorf("%w: mysql %d", connect.ErrUnreachable, me.Code)
}

// tell hands a piece to fn.
func (f *follower) tell(c connect.Change) error {
	f.last = time.Now()
	if f.silent {
		c.Position = ""
	}
	return f.fn(c)
}

// nothing tells that everything up to here has been told.
func (f *follower) nothing() error {
	if f.begun {
		return nil
	}
	return f.tell(connect.Change{Position: f.at.position(f.server)})
}

func (f *follower) event(ctx context.Context, ev *replication.BinlogEvent) error {
	end := place{f.file, uint64(ev.Header.LogPos)}
	when := time.Unix(int64(ev.Header.Timestamp), 0).UTC()
	switch e := ev.Event.(type) {
	case *replication.RotateEvent:
		base, number, err := fileNumber(string(e.NextLogName))
		if err != nil {
			return err
		}
		f.base, f.file = base, number
		if next := (place{number, e.Position}); f.at.before(next) && !f.begun {
			f.at = next
		}
	case *replication.MariadbGTIDEvent:
		f.begun = !e.IsStandalone()
	case *replication.RowsEvent:
		return f.change(ctx, ev, e, end, when)
	case *replication.QueryEvent:
		return f.statement(ctx, string(e.Schema), string(e.Query), end, when)
	case *replication.XIDEvent:
		return f.commit(ctx, end, when)
	}
	return nil
}

// commit ends a transaction.
func (f *follower) commit(ctx context.Context, end place, when time.Time) error {
	f.at, f.begun = end, false
	if len(f.rows) == 0 && !f.told {
		return nil
	}
	f.told = false
	if err := f.wait(ctx, end); err != nil {
		return err
	}
	rows := f.rows
	f.rows, f.bytes = nil, 0
	return f.tell(connect.Change{Position: f.at.position(f.server), Committed: when, Rows: rows, Last: true})
}

// change collects the rows of one event.
func (f *follower) change(ctx context.Context, ev *replication.BinlogEvent, e *replication.RowsEvent, end place, when time.Time) error {
	t := f.tables[string(e.Table.Table)]
	if t == nil || string(e.Table.Schema) != f.source.name {
		return nil
	}
	columns, err := t.columnsIn(e.Table)
	if err != nil {
		return err
	}
	step := 1
	op := connect.RowInsert
	switch e.Type() {
	case replication.EnumRowsEventTypeUpdate:
		step, op = 2, connect.RowUpdate
	case replication.EnumRowsEventTypeDelete:
		op = connect.RowDelete
	}
	for i := 0; i+step <= len(e.Rows); i += step {
		c := connect.RowChange{Table: t.name, Op: op}
		if c.Key, err = t.keyOf(columns, e.Rows[i+step-1]); err != nil {
			return err
		}
		if step == 2 {
			before, err := t.keyOf(columns, e.Rows[i])
			if err != nil {
				return err
			}
			if !sameRow(before, c.Key) {
				c.OldKey = before
			}
		}
		f.rows = append(f.rows, c)
		f.bytes += connect.RowBytes(c.Key) + connect.RowBytes(c.OldKey)
		if len(f.rows) < connect.MaxChangeRows && f.bytes < connect.MaxChangeBytes {
			continue
		}
		// The log holds whole transactions: where a part of one is, it was committed.
		if err := f.wait(ctx, end); err != nil {
			return err
		}
		rows := f.rows
		f.rows, f.bytes, f.told = nil, 0, true
		if err := f.tell(connect.Change{Position: f.at.position(f.server), Committed: when, Rows: rows}); err != nil {
			return err
		}
	}
	return nil
}

func sameRow(a, b connect.Row) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// visibleWait bounds how long a transaction may be in the log and not yet be visible: the
// server writes the one just before the other. Our own choice.
const visibleWait = 60 * time.Second

// wait returns when a snapshot that begins now sees what the log holds up to a place. The
// server sends the log before its tables show the commit.
func (f *follower) wait(ctx context.Context, until place) error {
	deadline := time.Now().Add(visibleWait)
	for pause := time.Millisecond; f.visible.before(until); pause = min(2*pause, 50*time.Millisecond) {
		err := f.source.on(ctx, func(ctx context.Context, c *session) error {
			at, err := snapshotPlace(ctx, c)
			f.visible = at
			return err
		})
		if err != nil || !f.visible.before(until) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: a committed transaction does not become visible", connect.ErrUnreachable)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// snapshotPlace is the place in the log up to which a snapshot that begins now sees.
func snapshotPlace(ctx context.Context, c *session) (at place, err error) {
	if err := c.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		return at, err
	}
	var file string
	err = c.query(ctx, "SHOW STATUS LIKE 'binlog_snapshot_%'", nil, func(v []sqldriver.Value) (err error) {
		switch strings.ToLower(text(v[0])) {
		case "binlog_snapshot_file":
			file = text(v[1])
		case "binlog_snapshot_position":
			at.offset, err = strconv.ParseUint(text(v[1]), 10, 64)
		}
		return err
	})
	if end := c.exec(ctx, "ROLLBACK"); err == nil {
		err = end
	}
	if err != nil {
		return at, err
	}
	if _, at.file, err = fileNumber(file); err != nil {
		return at, &connect.NoFeedError{Cause: "the server does not tell which transactions a snapshot sees"}
	}
	return at, nil
}

// feedID is the number under which a follower speaks to the server, which ends the connection
// of an older one with the same number.
func feedID(feed, database string) uint32 {
	h := fnv.New32a()
	io.WriteString(h, "mulian\x00"+feed+"\x00"+database)
	return h.Sum32() | 1<<31 // people number their own from 1
}
