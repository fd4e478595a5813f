package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// applied is the table of subscriptions of a schema, quoted.
func applied(schema string) string {
	return statement.Table(connect.TableName{Schema: schema, Name: connect.SubscriptionTable})
}

func (s *sink) Applied(ctx context.Context, schema, subscription string) (a connect.Applied, err error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return a, err
	}
	defer s.release(conn)
	a.Number, err = lastApplied(ctx, conn, named(connect.TableName{Schema: schema}).Schema, subscription)
	if errors.Is(err, connect.ErrNoTable) {
		return connect.Applied{}, nil
	}
	return a, err
}

// lastApplied reads the table of subscriptions; ErrNoTable if there is none.
func lastApplied(ctx context.Context, conn *pgconn.PgConn, schema, subscription string) (n uint64, err error) {
	err = query(ctx, conn, "SELECT number FROM "+applied(schema)+" WHERE subscription = $1", [][]byte{[]byte(subscription)},
		func(_ []pgconn.FieldDescription, v [][]byte) (err error) {
			n, err = strconv.ParseUint(string(v[0]), 10, 63)
			return err
		})
	return n, err
}

// Apply runs each row's statement by its key, all sent at once: a page has some hundreds.
func (s *sink) Apply(ctx context.Context, c connect.Changes) (connect.Applied, error) {
	if err := c.Check(); err != nil {
		return connect.Applied{}, err
	}
	c.Table = named(c.Table)
	conn, err := s.acquire(ctx)
	if err != nil {
		return connect.Applied{}, err
	}
	l := &load{pool: s.pool, target: c.Target(), conn: conn, digest: connect.NewDigest()}
	defer l.Rollback() // nothing after a commit
	if err := l.subscriptions(ctx); err != nil {
		return connect.Applied{}, err
	}
	if err := exec(ctx, conn, "BEGIN; SET LOCAL synchronous_commit = on"); err != nil {
		return connect.Applied{}, err
	}
	// One at a time for each table, a load too. The lock ends with the transaction.
	if err := l.lock(ctx, "load "+statement.Table(c.Table)); err != nil {
		return connect.Applied{}, err
	}
	last, err := lastApplied(ctx, conn, c.Table.Schema, c.Subscription)
	switch {
	case err != nil:
		return connect.Applied{}, err
	case c.Number <= last:
		return connect.Applied{Number: last, Repeated: true}, nil
	case c.Number != last+1:
		return connect.Applied{Number: last}, fmt.Errorf("%w: %d after %d", connect.ErrOutOfTurn, c.Number, last)
	}
	if err := l.existing(ctx); err != nil {
		return connect.Applied{}, err
	}
	if err := l.apply(ctx, c); err != nil {
		return connect.Applied{}, err
	}
	// Power fails here, on either side: the server's write-ahead log decides; the rows and
	// the number are both there or neither.
	if err := exec(ctx, conn, "COMMIT"); err != nil {
		return connect.Applied{}, err
	}
	return connect.Applied{Number: c.Number}, nil
}

// subscriptions makes the table of subscriptions, in a transaction of its own.
func (l *load) subscriptions(ctx context.Context) error {
	name, there := applied(l.target.Table.Schema), false
	err := query(ctx, l.conn, "SELECT to_regclass($1) IS NOT NULL", [][]byte{[]byte(name)}, func(_ []pgconn.FieldDescription, v [][]byte) error {
		there = isTrue(v[0])
		return nil
	})
	if err != nil || there {
		return err
	}
	if err := exec(ctx, l.conn, "BEGIN"); err != nil {
		return err
	}
	if err := l.lock(ctx, "control"); err != nil {
		return err
	}
	return exec(ctx, l.conn, "CREATE TABLE IF NOT EXISTS "+name+` (subscription text PRIMARY KEY, table_name text NOT NULL,
		number bigint NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp()); COMMIT`)
}

// existing finds out whether the table can take the columns, or makes it.
func (l *load) existing(ctx context.Context) error {
	is, _, err := one(ctx, l.conn, l.target.Table)
	switch {
	case errors.Is(err, connect.ErrNoTable):
		err = exec(ctx, l.conn, l.create())
	case err == nil:
		err = l.target.Fits(is)
	}
	l.guards = guardsOf(l.target, is)
	return err
}

// apply sends a statement for each row, and the number, in one pipeline.
func (l *load) apply(ctx context.Context, c connect.Changes) error {
	remove, err := l.pool.prepare(ctx, l.conn, l.removal())
	if err != nil {
		return err
	}
	put, err := l.pool.prepare(ctx, l.conn, l.upsert())
	if err != nil {
		return err
	}
	// An abandoned pipeline would be read to its end; ending the context closes the connection.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pipe := l.conn.StartPipeline(ctx)
	send := func(name, sql string, args [][]byte) {
		if name != "" {
			pipe.SendQueryPrepared(name, args, nil, nil)
		} else {
			pipe.SendQueryParams(sql, args, nil, nil, nil)
		}
	}
	if c.Deletes != nil {
		err = c.Deletes.Each(func(row connect.Row, _ string) error {
			send(remove, l.removal(), texts(row))
			return nil
		})
	}
	if err == nil && c.Upserts != nil {
		sql := l.upsert()
		err = c.Upserts.Each(func(row connect.Row, encoded string) error {
			l.digest.AddEncoded(len(row), encoded) // its number is the row's in errors
			if err := l.fits(row); err != nil {
				return err
			}
			send(put, sql, texts(row))
			return nil
		})
	}
	if err != nil {
		cancel()
		_ = pipe.Close() // the connection is cut
		return err
	}
	send("", `INSERT INTO `+applied(c.Table.Schema)+` AS a (subscription, table_name, number) VALUES ($1, $2, $3)
		ON CONFLICT (subscription) DO UPDATE SET table_name = excluded.table_name, number = excluded.number, applied_at = clock_timestamp()`,
		[][]byte{[]byte(c.Subscription), []byte(c.Table.Name), strconv.AppendUint(nil, c.Number, 10)})
	return failure(ctx, drain(pipe))
}

// drain reads a pipeline to its end, and returns the first error in it.
func drain(pipe *pgconn.Pipeline) error {
	first := pipe.Sync()
	for first == nil {
		res, err := pipe.GetResults()
		if err != nil {
			first = err
			break
		}
		switch r := res.(type) {
		case *pgconn.ResultReader:
			_, first = r.Close()
		case *pgconn.PipelineSync:
			return pipe.Close()
		case nil:
			return pipe.Close()
		}
	}
	return cmp.Or(first, pipe.Close())
}

// texts are a row's parameters, in text format; nil is NULL.
func texts(row connect.Row) [][]byte {
	out := make([][]byte, len(row))
	for i, v := range row {
		if !v.IsNull() {
			out[i] = bind(v)
		}
	}
	return out
}

// removal deletes one row by its key.
func (l *load) removal() string {
	var by []string
	for i, k := range l.target.PrimaryKey {
		by = append(by, statement.Quote(k)+" = $"+strconv.Itoa(i+1))
	}
	return "DELETE FROM " + statement.Table(l.target.Table) + " WHERE " + strings.Join(by, " AND ")
}

// upsert puts one row in its place.
func (l *load) upsert() string {
	var places []string
	for i := range l.target.Columns {
		places = append(places, "$"+strconv.Itoa(i+1))
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s", statement.Table(l.target.Table), l.columns(""),
		strings.Join(places, ", "), quoteAll(l.target.PrimaryKey), l.columns("? = excluded.?"))
}
