package mysql

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// sink is a MySQL database that is loaded into.
type sink struct{ *pool }

func openSink(ctx context.Context, rawURL string) (connect.Sink, error) {
	p, err := newPool(ctx, rawURL, true)
	if err != nil {
		return nil, err
	}
	return &sink{p}, nil
}

const (
	control       = `"` + connect.ControlTable + `"`
	createControl = "CREATE TABLE IF NOT EXISTS " + control + ` (delivery VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
		table_name VARCHAR(256) CHARACTER SET utf8mb4 NOT NULL, row_count BIGINT NOT NULL, digest CHAR(64) CHARACTER SET ascii NOT NULL, loaded_at DATETIME(6) NOT NULL) ENGINE=InnoDB`
)

func (s *sink) Loaded(ctx context.Context, schema, delivery string) (r connect.Receipt, found bool, err error) {
	if _, err := s.named(connect.TableName{Schema: schema}); err != nil {
		return r, false, err
	}
	err = s.on(ctx, func(ctx context.Context, c *session) error {
		r, found, err = receipt(ctx, c, delivery)
		return err
	})
	return r, found, err
}

// receipt reads the control table, if there is one.
func receipt(ctx context.Context, c *session, delivery string) (r connect.Receipt, found bool, err error) {
	sql := "SELECT delivery, table_name, row_count, digest, loaded_at FROM " + control + " WHERE delivery = ? AND digest <> ''"
	err = c.query(ctx, sql, []sqldriver.Value{delivery}, func(v []sqldriver.Value) (err error) {
		found = true
		r = connect.Receipt{Delivery: text(v[0]), Table: connect.TableName{Name: text(v[1])}, Digest: text(v[3])}
		r.Rows, _ = v[2].(int64)
		r.At, err = time.Parse("2006-01-02 15:04:05.999999", text(v[4]))
		return err
	})
	if errors.Is(err, connect.ErrNoTable) {
		return connect.Receipt{}, false, nil
	}
	return r, found, err
}

func (s *sink) Begin(ctx context.Context, t connect.Target) (connect.Load, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if len(t.Columns) > maxColumns {
		return nil, fmt.Errorf("%w: %d columns, a table of InnoDB has %d", connect.ErrTooLarge, len(t.Columns), maxColumns)
	}
	name, err := s.named(t.Table)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", connect.ErrInvalid, err)
	}
	t.Table = name
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, failure(ctx, err)
	}
	l := &load{pool: s.pool, target: t, conn: conn, digest: connect.NewDigest()}
	if err := l.on(ctx, l.begin); err != nil {
		l.Rollback()
		return nil, err
	}
	return l, nil
}

// load is one transaction on one connection. If we die, the server notices the
// lost connection and rolls back.
type load struct {
	pool   *pool
	target connect.Target
	conn   *sql.Conn
	before connect.Receipt // of the first time, if repeated
	repeat bool
	made   bool // by this load: the table
	digest *connect.Digest
	insert inserter
	done   bool
}

func (l *load) on(ctx context.Context, do func(ctx context.Context, c *session) error) error {
	return onConn(ctx, l.conn, do)
}

func (l *load) begin(ctx context.Context, c *session) (err error) {
	// One load at a time for each table. The lock ends with the connection.
	if err := lock(ctx, c, l.lockName()); err != nil {
		return err
	}
	if l.before, l.repeat, err = receipt(ctx, c, l.target.Delivery); err != nil || l.repeat {
		return err
	}
	// MySQL ends a transaction with each CREATE: both tables come before it, and a
	// target of ours without a row of the control table is as good as absent.
	if err := l.control(ctx, c); err != nil {
		return err
	}
	t, err := l.table(ctx, c)
	if err != nil {
		return err
	}
	if err := c.exec(ctx, "START TRANSACTION"); err != nil {
		return err
	}
	// A load of the same delivery into another table that is under way is waited
	// for here, by the control table's key.
	err = c.exec(ctx, "INSERT INTO "+control+" (delivery, table_name, row_count, digest, loaded_at) VALUES (?, ?, 0, '', UTC_TIMESTAMP(6))", l.target.Delivery, l.target.Table.Name)
	if isNumber(err, 1062) {
		if err := c.exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
		l.before, l.repeat, err = receipt(ctx, c, l.target.Delivery)
		if err == nil && !l.repeat {
			err = fmt.Errorf("%w: delivery %s vanished from the control table", connect.ErrConflict, l.target.Delivery)
		}
		return err
	}
	if err != nil {
		return err
	}
	if l.target.Mode == connect.Replace && !l.made {
		if err := c.exec(ctx, "DELETE FROM "+statement.Table(l.target.Table)); err != nil {
			return err
		}
	}
	l.insert = newInserter(&l.target, t)
	return nil
}

func isNumber(err error, number uint16) bool {
	var me *driver.MySQLError
	return errors.As(err, &me) && me.Number == number
}

// lockName is the table's, on a server where all databases share one space of names.
func (l *load) lockName() string {
	sum := sha256.Sum256([]byte(l.pool.name + "\x00" + l.target.Table.Name))
	return "mulian load " + hex.EncodeToString(sum[:16])
}

// lockWait is how long the server waits at a time, so that a connection that is gone is
// noticed. Our own choice.
const lockWait = 60

func lock(ctx context.Context, c *session, name string) error {
	for {
		got := int64(0)
		err := c.query(ctx, "SELECT GET_LOCK(?, ?)", []sqldriver.Value{name, int64(lockWait)}, func(v []sqldriver.Value) error {
			got, _ = v[0].(int64)
			return nil
		})
		if err != nil || got == 1 {
			return err
		}
	}
}

// control makes the control table.
func (l *load) control(ctx context.Context, c *session) error {
	err := c.exec(ctx, "DO (SELECT 1 FROM "+control+" LIMIT 1)")
	if !errors.Is(err, connect.ErrNoTable) {
		return err
	}
	return c.exec(ctx, createControl)
}

// table finds out whether the target can take the columns, or creates it.
func (l *load) table(ctx context.Context, c *session) (*tableDescription, error) {
	if _, err := l.pool.dropUnborn(ctx, c, l.target.Table.Name); err != nil {
		return nil, err
	}
	t, err := l.pool.described(ctx, c, l.target.Table, 0)
	if errors.Is(err, connect.ErrNoTable) {
		if err := c.exec(ctx, l.create()); err != nil {
			return nil, err
		}
		l.made = true
		return l.pool.described(ctx, c, l.target.Table, 0)
	}
	if err != nil {
		return nil, err
	}
	if err := l.target.Fits(t.Table); err != nil {
		return nil, err
	}
	if l.target.Mode == connect.Merge {
		if reason := t.mergeable(l.target.PrimaryKey); reason != "" {
			return nil, fmt.Errorf("%w: %s: %s", connect.ErrTargetDiffers, l.target.Table, reason)
		}
	}
	return t, nil
}

func (l *load) Repeated() bool { return l.repeat }

func (l *load) Sum() (rows int64, digest [32]byte) { return l.digest.Rows(), l.digest.Sum() }

func (l *load) Append(ctx context.Context, p *connect.Page) error {
	if l.done {
		return fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	err := l.on(ctx, func(ctx context.Context, c *session) error {
		return p.Each(func(row connect.Row, encoded string) error {
			if err := l.target.CheckRow(l.digest.Rows()+1, row); err != nil {
				return err
			}
			l.digest.AddEncoded(len(row), encoded)
			if l.repeat {
				return nil
			}
			return l.insert.add(ctx, c, row, l.digest.Rows())
		})
	})
	return cmp.Or(err, ctx.Err())
}

func (l *load) Commit(ctx context.Context) (r connect.Receipt, err error) {
	if l.done {
		return r, fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	defer l.Rollback() // nothing after a commit
	sum := l.digest.Sum()
	digest := hex.EncodeToString(sum[:])
	if l.repeat {
		l.before.Repeated = true
		if l.digest.Rows() > 0 && (digest != l.before.Digest || l.digest.Rows() != l.before.Rows) {
			return r, fmt.Errorf("%w: %s", connect.ErrDeliveryDiffers, l.target.Delivery)
		}
		return l.before, nil
	}
	err = l.on(ctx, func(ctx context.Context, c *session) error {
		if err := l.insert.flush(ctx, c); err != nil {
			return err
		}
		err := c.exec(ctx, "UPDATE "+control+" SET row_count = ?, digest = ?, loaded_at = UTC_TIMESTAMP(6) WHERE delivery = ?", l.digest.Rows(), digest, l.target.Delivery)
		if err != nil {
			return err
		}
		if r, _, err = receipt(ctx, c, l.target.Delivery); err != nil {
			return err
		}
		// Power fails here, on either side: the server's log decides; the rows and the
		// delivery id are both there or neither.
		if err := c.exec(ctx, "COMMIT"); err != nil {
			return err
		}
		l.made = false
		return nil
	})
	if err != nil {
		return connect.Receipt{}, err
	}
	return r, nil
}

func (l *load) Rollback() error {
	if l.done {
		return nil
	}
	l.done = true
	// Not the caller's context, which may have ended.
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	lost := true
	err := l.on(ctx, func(ctx context.Context, c *session) error {
		lost = !c.IsValid()
		if lost {
			return nil
		}
		l.insert.close()
		err := c.exec(ctx, "ROLLBACK")
		if err == nil && l.made {
			_, err = l.pool.dropUnborn(ctx, c, l.target.Table.Name)
		}
		if err == nil {
			err = c.exec(ctx, "DO RELEASE_LOCK('"+l.lockName()+"')")
		}
		if err != nil {
			c.Close() // the server rolls back and gives up the lock
		}
		return err
	})
	l.conn.Close()
	if !lost || !l.made {
		return err
	}
	// On a new connection, as soon as the server has noticed the end of the old one.
	return l.pool.on(ctx, func(ctx context.Context, c *session) error {
		if err := lock(ctx, c, l.lockName()); err != nil {
			return err
		}
		_, err := l.pool.dropUnborn(ctx, c, l.target.Table.Name)
		return cmp.Or(err, c.exec(ctx, "DO RELEASE_LOCK('"+l.lockName()+"')"))
	})
}
