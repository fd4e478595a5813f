package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// feedParameter is the parameter of the URL that names a gateway's feed. Two gateways that
// follow one database need two names.
const feedParameter = "mulian_feed"

const defaultFeed feedName = "gateway"

// feedState is what a source remembers of its feed.
type feedState struct {
	name feedName

	mu           sync.Mutex // guards the rest
	following    bool
	system       uint64 // of the last Follow
	acknowledged lsn
	told         chan struct{} // has a token when acknowledged went forward
}

// takeFeedName removes the feed's name from the parameters that go to the server.
func takeFeedName(config *pgconn.Config) (feedName, error) {
	name, given := config.RuntimeParams[feedParameter]
	delete(config.RuntimeParams, feedParameter)
	if !given {
		return defaultFeed, nil
	}
	const most = 40 // a slot's name has 63 bytes, with ours and the database's number
	if name == "" || len(name) > most || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "", fmt.Errorf("%w: %s is 1 to %d of a-z, 0-9 and _", connect.ErrInvalid, feedParameter, most)
	}
	return feedName(name), nil
}

// Follow is connect.Feeder's, see the package comment for what it needs and leaves.
func (s *source) Follow(ctx context.Context, tables []connect.TableName, from connect.Position, fn func(connect.Change) error) error {
	if err := connect.CheckFollow(tables, from); err != nil {
		return err
	}
	if len(tables) == 0 {
		return s.listen(ctx, fn)
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.end()
	p, err := s.survey(ctx, tables)
	if err != nil {
		return err
	}
	if err := p.Err(); err != nil {
		return err
	}
	if err := s.publish(ctx, p); err != nil {
		return err
	}
	return s.stream(ctx, p, from, fn)
}

// Followable is connect.Feeder's.
func (s *source) Followable(ctx context.Context, tables []connect.TableName) error {
	if err := connect.CheckFollow(tables, ""); err != nil {
		return err
	}
	p, err := s.survey(ctx, tables)
	if err != nil {
		return err
	}
	return p.Err()
}

// versionSQL is all that makes rows others without a change of rows. attnum tells a column that was
// dropped and made again; relfilenode changes when the rows are written anew; partitions come
// and go (xmin tells one that was away for a while), and are emptied, without a word in the feed.
const versionSQL = `
SELECT md5(concat_ws('|',
  (SELECT string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attnum)
     FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attgenerated <> '' AND d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT string_agg(e.enumtypid || ' ' || e.oid || ' ' || e.enumlabel, ',' ORDER BY e.oid)
     FROM pg_enum e WHERE e.enumtypid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped)),
  (SELECT string_agg(p::text, ',' ORDER BY p.oid) FROM pg_policy p WHERE p.polrelid = c.oid), c.relrowsecurity, c.relforcerowsecurity,
  c.oid, c.relfilenode,
  (SELECT string_agg(concat_ws(' ', part.oid, part.relfilenode, i.xmin), ',' ORDER BY part.oid)
     FROM pg_partition_tree(c.oid) t JOIN pg_class part ON part.oid = t.relid LEFT JOIN pg_inherits i ON i.inhrelid = part.oid)))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text AND c.relname = $2::text`

// TableVersion is connect.Feeder's.
func (s *source) TableVersion(ctx context.Context, table connect.TableName) (version string, err error) {
	n := named(table)
	err = s.read(ctx, func(conn *pgconn.PgConn) error {
		err := query(ctx, conn, versionSQL, [][]byte{[]byte(n.Schema), []byte(n.Name)}, func(_ []pgconn.FieldDescription, v [][]byte) error {
			version = string(v[0])
			return nil
		})
		if err == nil && version == "" {
			err = fmt.Errorf("%w: %s", connect.ErrNoTable, n)
		}
		return err
	})
	return version, err
}

func (s *source) begin() error {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.feed.following {
		return fmt.Errorf("%w: by this program", connect.ErrFeedBusy)
	}
	s.feed.following = true
	return nil
}

func (s *source) end() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.following = false
}

// publish makes what is missing, if the account may. It has to be there before the slot: the
// server reads the log with the publication of that time. It waits until every transaction
// that was writing then has ended: their rows are told by nobody, and a snapshot sees them.
func (s *source) publish(ctx context.Context, p *plan) error {
	sql := p.publish()
	if sql == "" {
		return nil
	}
	err := s.alone(ctx, func(conn *pgconn.PgConn) error {
		if err := exec(ctx, conn, sql); err != nil {
			return err
		}
		return settle(ctx, conn)
	})
	if errors.Is(err, connect.ErrDenied) { // it owns neither the tables nor the publication
		p.Source("the tables are not published, and the account may not do it", sql)
		return p.Err()
	}
	return err
}

// alone lends a connection that is in no transaction.
func (s *source) alone(ctx context.Context, do func(conn *pgconn.PgConn) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.release(conn)
	return do(conn)
}

// slot finds where to begin, and makes the slot if there is none. It waits until every
// transaction that was writing at that moment has ended: what is behind the beginning is then
// visible to a snapshot, and nothing is missed between the two.
func (s *source) slot(ctx context.Context, p *plan, system uint64, from connect.Position) (lsn, error) {
	if from != "" {
		at, ours := placeOf(system, from)
		switch {
		case !ours:
			return 0, fmt.Errorf("%w: the position is not of this server", connect.ErrPositionLost)
		case !p.slot.there:
			return 0, fmt.Errorf("%w: there is no slot %s", connect.ErrPositionLost, p.slotName())
		case p.slot.lost:
			return 0, fmt.Errorf("%w: the slot kept more of the log than max_slot_wal_keep_size", connect.ErrPositionLost)
		case at < p.slot.confirmed:
			return 0, fmt.Errorf("%w: it was acknowledged", connect.ErrPositionLost)
		}
		return at, nil
	}
	var at lsn
	return at, s.alone(ctx, func(conn *pgconn.PgConn) error {
		// Always a new slot: where it begins is on the server's disk, which the end of the log
		// as a query tells it is not (synchronous_commit = off).
		if p.slot.there {
			if err := s.dropSlot(ctx); err != nil {
				return err
			}
		}
		const sql = `SELECT (lsn - '0/0'::pg_lsn)::text FROM pg_create_logical_replication_slot($1::text, 'pgoutput')`
		err := query(ctx, conn, sql, [][]byte{[]byte(p.slotName())}, func(_ []pgconn.FieldDescription, v [][]byte) error {
			n, err := strconv.ParseUint(string(v[0]), 10, 64)
			at = lsn(n)
			return err
		})
		if err != nil {
			return err
		}
		p.slot = slotState{there: true, confirmed: at}
		return settle(ctx, conn)
	})
}

// settlePoll is how often settle asks.
const settlePoll = 20 * time.Millisecond

// settle waits until all transactions that write now have ended.
func settle(ctx context.Context, conn *pgconn.PgConn) error {
	var until []byte
	if err := query(ctx, conn, `SELECT txid_snapshot_xmax(txid_current_snapshot())::text`, nil, func(_ []pgconn.FieldDescription, v [][]byte) error {
		until = append(until, v[0]...)
		return nil
	}); err != nil {
		return err
	}
	for {
		over := false
		if err := query(ctx, conn, `SELECT txid_snapshot_xmin(txid_current_snapshot()) >= $1::text::bigint`, [][]byte{until}, func(_ []pgconn.FieldDescription, v [][]byte) error {
			over = isTrue(v[0])
			return nil
		}); err != nil || over {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settlePoll):
		}
	}
}

// Acknowledge is connect.Feeder's. The server hears of it with the next status, at once
// if a Follow runs, else when one begins.
func (s *source) Acknowledge(_ context.Context, p connect.Position) error {
	if p == "" {
		return nil
	}
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	at, ours := placeOf(s.feed.system, p)
	if !ours {
		return fmt.Errorf("%w: a position that this feed has not told", connect.ErrInvalid)
	}
	if at > s.feed.acknowledged {
		s.feed.acknowledged = at
		select {
		case s.feed.told <- struct{}{}:
		default:
		}
	}
	return nil
}

// slotIs picks this feed's slot: $1 is the name without the database's number.
const slotIs = ` slot_name = $1::text || (SELECT oid FROM pg_database WHERE datname = current_database())`

// FeedLag is connect.FeedKeeper's. inactive_since is of version 17.
func (s *source) FeedLag(ctx context.Context) (lag connect.FeedLag, err error) {
	const sql = `
SELECT coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint, active, coalesce(wal_status = 'lost', false),
       (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
       coalesce(extract(epoch FROM (to_jsonb(s)->>'inactive_since')::timestamptz)::bigint, 0)
FROM pg_replication_slots s WHERE` + slotIs
	err = s.read(ctx, func(conn *pgconn.PgConn) error {
		return query(ctx, conn, sql, [][]byte{[]byte(s.slotPrefix())}, func(_ []pgconn.FieldDescription, v [][]byte) error {
			kept, err1 := strconv.ParseInt(string(v[0]), 10, 64)
			limit, err2 := strconv.ParseInt(string(v[3]), 10, 64)
			idle, err3 := strconv.ParseInt(string(v[4]), 10, 64)
			lag = connect.FeedLag{There: true, Bytes: kept, Active: isTrue(v[1]), Lost: isTrue(v[2])}
			if limit > 0 {
				lag.Limit = limit << 20 // the setting is in MiB
			}
			if idle > 0 {
				lag.IdleSince = time.Unix(idle, 0).UTC()
			}
			return errors.Join(err1, err2, err3)
		})
	})
	return lag, err
}

func (s *source) slotPrefix() string { return "mulian_" + string(s.feed.name) + "_" }

// DropFeed is connect.FeedKeeper's: it removes the slot, and the publication if it is the
// account's own: as long as a table is published the type of its key cannot be changed.
func (s *source) DropFeed(ctx context.Context) error {
	s.feed.mu.Lock()
	following := s.feed.following
	s.feed.mu.Unlock()
	if following {
		return fmt.Errorf("%w: by this program", connect.ErrFeedBusy)
	}
	if err := s.dropSlot(ctx); err != nil {
		if errors.Is(err, connect.ErrDenied) {
			return &connect.NoFeedError{Cause: "the account may not remove what the feed left", Statements: s.DropSQL()}
		}
		return err
	}
	const own = `SELECT true FROM pg_publication WHERE pubname = $1::text AND pg_get_userbyid(pubowner) = current_user`
	return s.alone(ctx, func(conn *pgconn.PgConn) error {
		there := false
		err := query(ctx, conn, own, [][]byte{[]byte(s.feed.name.publication())}, func([]pgconn.FieldDescription, [][]byte) error { there = true; return nil })
		if err != nil || !there {
			return err
		}
		return exec(ctx, conn, "DROP PUBLICATION IF EXISTS "+statement.Quote(s.feed.name.publication()))
	})
}

// DropSQL is connect.FeedKeeper's.
func (s *source) DropSQL() []string {
	return []string{
		"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND" + strings.Replace(slotIs, "$1::text", "'"+s.slotPrefix()+"'", 1) + ";",
		"DROP PUBLICATION IF EXISTS " + statement.Quote(s.feed.name.publication()) + ";",
	}
}

// dropSlot waits a little for the end of our own connection of before.
func (s *source) dropSlot(ctx context.Context) error {
	const sql = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE` + slotIs
	return s.alone(ctx, func(conn *pgconn.PgConn) error {
		return patient(ctx, func() error {
			return query(ctx, conn, sql, [][]byte{[]byte(s.slotPrefix())}, func([]pgconn.FieldDescription, [][]byte) error { return nil })
		})
	})
}

// FeedSQL is connect.FeedKeeper's.
func (s *source) FeedSQL(ctx context.Context, tables []connect.TableName) ([]string, error) {
	p, err := s.survey(ctx, tables)
	if err != nil {
		return nil, err
	}
	if sql := p.publish(); sql != "" && len(p.tables) > 0 {
		p.Source("not published", sql)
	}
	out := append(p.Statements(), "-- for DDL events, by a superuser:")
	return append(out, triggerSQL...), nil
}

// triggerSQL lets the database tell each change of its structure, to whoever listens and
// into the log. Only a superuser can make an event trigger (PostgreSQL 15); what fires it needs no
// right. It must never be the reason why somebody's statement fails, so it swallows its own errors.
// The text has 8,000 bytes at most in a notification: with many tables it names none, which means all.
var triggerSQL = []string{
	`CREATE SCHEMA IF NOT EXISTS mulian;`,
	`CREATE OR REPLACE FUNCTION mulian.tell_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE told text; others bigint; touched bigint;
BEGIN
  SELECT count(*), count(*) FILTER (WHERE c.schema_name IS DISTINCT FROM 'pg_temp'),
         json_build_object('tag', tg_tag, 'tables', coalesce(json_agg(DISTINCT jsonb_build_array(n.nspname, r.relname)) FILTER (WHERE r.oid IS NOT NULL), '[]'))::text
    INTO touched, others, told
    FROM pg_event_trigger_ddl_commands() c
    LEFT JOIN pg_index i ON i.indexrelid = c.objid AND c.classid = 'pg_class'::regclass
    LEFT JOIN pg_class r ON r.oid = coalesce(i.indrelid, c.objid) AND c.classid = 'pg_class'::regclass AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
    LEFT JOIN pg_namespace n ON n.oid = r.relnamespace;
  IF touched > 0 AND others = 0 THEN RETURN; END IF;
  IF octet_length(told) > 7000 THEN told := json_build_object('tag', tg_tag, 'tables', '[]'::json)::text; END IF;
  PERFORM pg_notify('` + ddlName + `', told);
  PERFORM pg_logical_emit_message(true, '` + ddlName + `', told);
EXCEPTION WHEN OTHERS THEN
  RAISE LOG 'mulian.tell_ddl: %', SQLSTATE;
END $$;`,
	`DROP EVENT TRIGGER IF EXISTS ` + ddlName + `;`,
	`CREATE EVENT TRIGGER ` + ddlName + ` ON ddl_command_end EXECUTE FUNCTION mulian.tell_ddl();`,
}

// listenIdle is how long a connection that listens may be silent before it is tried.
const listenIdle = 20 * time.Second

// listen follows DDL events alone, by LISTEN: that needs no right and leaves nothing on
// the server. Anybody in the database can send such a notification; it only makes us look.
func (s *source) listen(ctx context.Context, fn func(connect.Change) error) error {
	granted := false
	err := s.read(ctx, func(conn *pgconn.PgConn) error {
		return query(ctx, conn, `SELECT evtenabled <> 'D' FROM pg_event_trigger WHERE evtname = $1::text`, [][]byte{[]byte(ddlName)},
			func(_ []pgconn.FieldDescription, v [][]byte) error { granted = isTrue(v[0]); return nil })
	})
	if err != nil {
		return err
	}
	if !granted {
		return &connect.NoFeedError{Cause: "no event trigger tells changes of the structure", Statements: triggerSQL}
	}
	var heard []*connect.DDL
	config := s.config.Copy()
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if n.Channel == ddlName && len(heard) < connect.MaxChangeRows {
			heard = append(heard, readDDL([]byte(n.Payload)))
		}
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return failure(ctx, err)
	}
	defer closeNow(conn)
	if err := exec(ctx, conn, "LISTEN "+statement.Quote(ddlName)); err != nil {
		return err
	}
	if err := fn(connect.Change{}); err != nil {
		return err
	}
	for {
		for len(heard) > 0 {
			next := heard[0]
			heard = heard[1:]
			if err := fn(connect.Change{DDL: next, Last: true}); err != nil {
				return err
			}
		}
		waiting, cancel := context.WithTimeout(ctx, listenIdle)
		err := conn.WaitForNotification(waiting)
		silent := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		if silent {
			err = exec(ctx, conn, "SELECT 1")
		}
		if err != nil {
			return failure(ctx, err)
		}
	}
}

// closeNow ends a connection without waiting for the caller's context.
func closeNow(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), idleCheck)
	defer cancel()
	conn.Close(ctx)
}
