package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

const createSubscriptions = `CREATE TABLE IF NOT EXISTS "` + connect.SubscriptionTable + `" (
	subscription TEXT NOT NULL PRIMARY KEY, table_name TEXT NOT NULL, number INTEGER NOT NULL, applied_at TEXT NOT NULL)`

func (s *sink) Applied(ctx context.Context, _, subscription string) (a connect.Applied, err error) {
	c, err := s.conn(ctx)
	if err != nil {
		return a, err
	}
	defer c.Close()
	a.Number, err = lastApplied(ctx, c, subscription)
	return a, err
}

// lastApplied reads the table of subscriptions, if there is one.
func lastApplied(ctx context.Context, q queryer, subscription string) (n uint64, err error) {
	if _, err := describeOne(ctx, q, connect.TableName{Name: connect.SubscriptionTable}); errors.Is(err, connect.ErrNoTable) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	err = q.QueryRowContext(ctx, `SELECT number FROM "`+connect.SubscriptionTable+`" WHERE subscription = ?1`, subscription).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, failure(ctx, err)
}

func (s *sink) Apply(ctx context.Context, c connect.Changes) (connect.Applied, error) {
	if err := c.Check(); err != nil {
		return connect.Applied{}, err
	}
	if c.Table.Schema != "" && c.Table.Schema != "main" {
		return connect.Applied{}, fmt.Errorf("%w: SQLite has the schema main only", connect.ErrInvalid)
	}
	c.Table.Schema = ""
	conn, err := s.conn(ctx)
	if err != nil {
		return connect.Applied{}, err
	}
	l := &load{target: c.Target(), conn: conn, digest: connect.NewDigest()}
	defer l.Rollback() // nothing after a commit
	if err := l.immediately(ctx); err != nil {
		return connect.Applied{}, err
	}
	last, err := lastApplied(ctx, conn, c.Subscription)
	switch {
	case err != nil:
		return connect.Applied{}, err
	case c.Number <= last:
		return connect.Applied{Number: last, Repeated: true}, nil
	case c.Number != last+1:
		return connect.Applied{Number: last}, fmt.Errorf("%w: %d after %d", connect.ErrOutOfTurn, c.Number, last)
	}
	if err := l.place(ctx); err != nil {
		return connect.Applied{}, err
	}
	if err := l.apply(ctx, c); err != nil {
		return connect.Applied{}, err
	}
	_, err = conn.ExecContext(ctx, createSubscriptions)
	if err == nil {
		_, err = conn.ExecContext(ctx, `INSERT INTO "`+connect.SubscriptionTable+`" VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (subscription) DO UPDATE SET table_name = excluded.table_name, number = excluded.number, applied_at = excluded.applied_at`,
			c.Subscription, c.Table.Name, int64(c.Number), time.Now().UTC().Format(time.RFC3339Nano))
	}
	if err == nil {
		// Power fails here: the journal decides; the rows and the number are both there or neither.
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		return connect.Applied{}, failure(ctx, err)
	}
	return connect.Applied{Number: c.Number}, l.end()
}

// apply deletes, then puts.
func (l *load) apply(ctx context.Context, c connect.Changes) error {
	if c.Deletes != nil {
		var by []string
		for i, k := range l.target.PrimaryKey {
			by = append(by, fmt.Sprintf("%s = ?%d", statement.Quote(k), i+1))
		}
		remove := "DELETE FROM " + statement.Table(l.target.Table) + " WHERE " + strings.Join(by, " AND ")
		keys, n := c.Keys(), int64(0)
		err := c.Deletes.Each(func(row connect.Row, _ string) error {
			n++
			args := make([]any, len(row))
			for i, v := range row {
				if keys.Columns[i].Kind == connect.Text && !v.IsNull() {
					v.Kind = connect.Text
				}
				stored, reason := store(v)
				if reason != "" {
					return &connect.ValueError{Table: l.target.Table, Column: keys.Columns[i].Name, Row: n, Reason: reason}
				}
				args[i] = stored
			}
			_, err := l.conn.ExecContext(ctx, remove, args...)
			return failure(ctx, err)
		})
		if err != nil {
			return err
		}
	}
	if c.Upserts == nil {
		return nil
	}
	if err := l.prepare(); err != nil {
		return failure(ctx, err)
	}
	return c.Upserts.Each(func(row connect.Row, encoded string) error {
		l.digest.AddEncoded(len(row), encoded) // its number is the row's in errors
		return l.one(ctx, row)
	})
}
