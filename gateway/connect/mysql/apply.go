package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

const (
	subscriptions       = `"` + connect.SubscriptionTable + `"`
	createSubscriptions = "CREATE TABLE IF NOT EXISTS " + subscriptions + ` (subscription VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
		table_name VARCHAR(256) CHARACTER SET utf8mb4 NOT NULL, number BIGINT NOT NULL, applied_at DATETIME(6) NOT NULL) ENGINE=InnoDB`
)

func (s *sink) Applied(ctx context.Context, schema, subscription string) (a connect.Applied, err error) {
	if _, err := s.named(connect.TableName{Schema: schema}); err != nil {
		return a, err
	}
	err = s.on(ctx, func(ctx context.Context, c *session) error {
		a.Number, err = lastApplied(ctx, c, subscription, "")
		return err
	})
	if errors.Is(err, connect.ErrNoTable) {
		return connect.Applied{}, nil
	}
	return a, err
}

// lastApplied reads the table of subscriptions; ErrNoTable if there is none.
func lastApplied(ctx context.Context, c *session, subscription, locking string) (n uint64, err error) {
	err = c.query(ctx, "SELECT number FROM "+subscriptions+" WHERE subscription = ?"+locking, []sqldriver.Value{subscription}, func(v []sqldriver.Value) error {
		if x, ok := v[0].(int64); ok && x > 0 {
			n = uint64(x)
		}
		return nil
	})
	return n, err
}

// Apply runs the page's deletes by key, then its upserts as a load does, many in one statement.
func (s *sink) Apply(ctx context.Context, c connect.Changes) (a connect.Applied, err error) {
	if err := c.Check(); err != nil {
		return a, err
	}
	if c.Table, err = s.named(c.Table); err != nil {
		return a, fmt.Errorf("%w: %w", connect.ErrInvalid, err)
	}
	if len(c.Columns) > maxColumns {
		return a, fmt.Errorf("%w: %d columns, a table of InnoDB has %d", connect.ErrTooLarge, len(c.Columns), maxColumns)
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return a, failure(ctx, err)
	}
	l := &load{pool: s.pool, target: c.Target(), conn: conn, digest: connect.NewDigest()}
	defer l.Rollback() // nothing after a commit
	err = l.on(ctx, func(ctx context.Context, sess *session) error {
		a, err = l.follow(ctx, sess, c)
		return err
	})
	return a, err
}

// turn tells where the subscription is, and whether the page is the next one.
func turn(ctx context.Context, s *session, c *connect.Changes, locking string) (a connect.Applied, next bool, err error) {
	last, err := lastApplied(ctx, s, c.Subscription, locking)
	switch {
	case err != nil:
		return a, false, err
	case c.Number <= last:
		return connect.Applied{Number: last, Repeated: true}, false, nil
	case c.Number != last+1:
		return connect.Applied{Number: last}, false, fmt.Errorf("%w: %d after %d", connect.ErrOutOfTurn, c.Number, last)
	}
	return connect.Applied{Number: c.Number}, true, nil
}

func (l *load) follow(ctx context.Context, s *session, c connect.Changes) (a connect.Applied, err error) {
	// One at a time for each table, a load too. The lock ends with the connection.
	if err := lock(ctx, s, l.lockName()); err != nil {
		return a, err
	}
	a, next, err := turn(ctx, s, &c, "")
	if errors.Is(err, connect.ErrNoTable) {
		if err := s.exec(ctx, createSubscriptions); err != nil {
			return a, err
		}
		a, next, err = turn(ctx, s, &c, "")
	}
	if err != nil || !next {
		return a, err
	}
	t, err := l.table(ctx, s)
	if err != nil {
		return connect.Applied{}, err
	}
	if err := s.exec(ctx, "START TRANSACTION"); err != nil {
		return connect.Applied{}, err
	}
	// Once more, for a page of the same subscription and another table.
	if a, next, err = turn(ctx, s, &c, " FOR UPDATE"); err != nil || !next {
		return a, err
	}
	if err := l.apply(ctx, s, t, &c); err != nil {
		return connect.Applied{}, err
	}
	err = s.exec(ctx, "INSERT INTO "+subscriptions+` (subscription, table_name, number, applied_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))
		ON DUPLICATE KEY UPDATE table_name = VALUES(table_name), number = VALUES(number), applied_at = VALUES(applied_at)`,
		c.Subscription, c.Table.Name, int64(c.Number))
	if err != nil {
		return connect.Applied{}, err
	}
	// Power fails here, on either side: the server's log decides; the rows and the number
	// are both there or neither.
	if err := s.exec(ctx, "COMMIT"); err != nil {
		return connect.Applied{}, err
	}
	l.made = false
	return a, nil
}

func (l *load) apply(ctx context.Context, s *session, t *tableDescription, c *connect.Changes) error {
	if c.Deletes != nil && c.Deletes.Rows() > 0 {
		st, err := s.PrepareContext(ctx, t.removal(c.PrimaryKey))
		if err != nil {
			return failure(ctx, err)
		}
		defer st.Close()
		err = c.Deletes.Each(func(row connect.Row, _ string) error {
			var args []sqldriver.Value
			for i, name := range c.PrimaryKey {
				arg, _ := bind(t.more[name], row[i]) // NULL finds no row
				args = append(args, arg)
			}
			_, err := st.(sqldriver.StmtExecContext).ExecContext(ctx, ordinals(args))
			return wrap(ctx, err)
		})
		if err != nil {
			return err
		}
	}
	if c.Upserts == nil {
		return nil
	}
	l.insert = newInserter(&l.target, t)
	n := int64(0)
	err := c.Upserts.Each(func(row connect.Row, _ string) error {
		n++
		return l.insert.add(ctx, s, row, n)
	})
	if err != nil {
		return err
	}
	return l.insert.flush(ctx, s)
}

// removal deletes one row by its key, which mergeable has found to be exact.
func (t *tableDescription) removal(key []string) string {
	var by []string
	for _, k := range key {
		param := "?"
		switch f := t.more[k]; {
		case f.marked && f.kind == connect.Decimal: // text: as it was written
		case f.kind == connect.Decimal:
			param = "CAST(? AS DECIMAL(65,30))"
		case f.kind == connect.Date || f.kind == connect.Timestamp || f.kind == connect.Instant:
			param = typed(f, connect.Null, false, param)
		}
		by = append(by, statement.Quote(k)+" = "+param)
	}
	return "DELETE FROM " + statement.Table(t.TableName) + " WHERE " + strings.Join(by, " AND ")
}
