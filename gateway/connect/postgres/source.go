package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// source is a PostgreSQL database that is read.
type source struct{ *pool }

func open(ctx context.Context, rawURL string) (connect.Source, error) {
	p, err := newPool(rawURL)
	if err != nil {
		return nil, err
	}
	conn, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	p.release(conn)
	return &source{p}, nil
}

// read runs do in a transaction that sees one state and cannot write.
func (s *source) read(ctx context.Context, do func(conn *pgconn.PgConn) error) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.release(conn)
	if err := exec(ctx, conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return err
	}
	err = do(conn)
	if conn.IsClosed() {
		return err
	}
	if end := exec(ctx, conn, "ROLLBACK"); err == nil { // nothing was written
		err = end
	}
	return err
}

func (s *source) Inspect(ctx context.Context) (schema *connect.Schema, err error) {
	err = s.read(ctx, func(conn *pgconn.PgConn) error {
		d, err := describe(ctx, conn, nil)
		if err == nil {
			schema = &d.schema
		}
		return err
	})
	return schema, err
}

// one describes one table, which must be there.
func one(ctx context.Context, conn *pgconn.PgConn, n connect.TableName) (connect.Table, *description, error) {
	d, err := describe(ctx, conn, &n)
	if err != nil {
		return connect.Table{}, nil, err
	}
	if len(d.schema.Tables) == 0 {
		return connect.Table{}, nil, fmt.Errorf("%w: %s", connect.ErrNoTable, n)
	}
	return d.schema.Tables[0], d, nil
}

// dialect is PostgreSQL's SQL. local tells of which columns the order depends on
// the server's locale.
func dialect(local func(column string) bool) statement.Dialect {
	return statement.Dialect{
		Param:   func(n int) string { return "$" + strconv.Itoa(n) },
		Read:    func(q string) string { return q },
		Compare: func(_ connect.Column, q string) string { return q },
		Key: func(c connect.Column, q string) string {
			if local(c.Name) {
				return q + ` COLLATE "C"`
			}
			return q
		},
	}
}

func arguments(st *statement.Statement) [][]byte {
	var out [][]byte
	for _, b := range st.Args {
		out = append(out, bind(b.Value))
	}
	return out
}

func (s *source) Query(ctx context.Context, sel connect.Selection) ([]connect.Row, error) {
	if err := statement.Check(sel, true); err != nil {
		return nil, err
	}
	// No description: the server checks names and rights, and tells each value's
	// type with the result. That saves half of the time of the hot path.
	t := connect.Table{TableName: named(sel.Table)}
	ask := func(name string) {
		if _, ok := t.Column(name); !ok {
			t.Columns = append(t.Columns, connect.Column{Name: name})
		}
	}
	for _, name := range slices.Concat(sel.Columns, sel.OrderBy) {
		ask(name)
	}
	for _, c := range sel.Where {
		ask(c.Column)
	}
	st, err := dialect(func(string) bool { return false }).Select(t, sel, nil, "")
	if err != nil {
		return nil, err
	}
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(conn)
	var out []connect.Row
	b := batcher{table: t.TableName, st: st, fn: func(b connect.Batch) error {
		out = append(out, b.Rows...)
		return nil
	}}
	if err := query(ctx, conn, st.SQL, arguments(st), b.row); err != nil {
		return nil, err
	}
	return out, b.flush()
}

func (s *source) Scan(ctx context.Context, sel connect.Selection, fn func(connect.Batch) error) error {
	if err := statement.Check(sel, false); err != nil {
		return err
	}
	return s.read(ctx, func(conn *pgconn.PgConn) error {
		t, d, err := one(ctx, conn, sel.Table)
		if err != nil {
			return err
		}
		st, err := dialect(func(column string) bool { return d.local[localKey(t.TableName, column)] }).Select(t, sel, t.PrimaryKey, "")
		if err != nil {
			return err
		}
		b := batcher{table: t.TableName, st: st, fn: whileLive(ctx, fn), noNullKey: len(sel.OrderBy) > 0}
		if err := query(ctx, conn, st.SQL, arguments(st), b.row); err != nil {
			return err
		}
		return b.flush()
	})
}

// whileLive ends a scan whose context ended while fn had the batch: rows that the
// driver holds already would go on for a while.
func whileLive(ctx context.Context, fn func(connect.Batch) error) func(connect.Batch) error {
	return func(b connect.Batch) error {
		if err := fn(b); err != nil {
			return err
		}
		return ctx.Err()
	}
}

// batcher makes batches of rows.
type batcher struct {
	table     connect.TableName
	st        *statement.Statement
	fn        func(connect.Batch) error
	noNullKey bool
	batch     connect.Batch
	bytes     int
	n         int64
}

func (b *batcher) row(fields []pgconn.FieldDescription, texts [][]byte) error {
	b.n++
	row := make(connect.Row, len(texts))
	for i, text := range texts {
		v, reason := read(fields[i].DataTypeOID, text)
		if reason != "" {
			return &connect.ValueError{Table: b.table, Column: b.st.Columns[i].Name, Row: b.n, Reason: reason}
		}
		row[i] = v
		b.bytes += len(v.Text)
	}
	if b.noNullKey {
		for _, at := range b.st.Key {
			if row[at].IsNull() {
				return fmt.Errorf("%w: %s: NULL in column %q of the order, row %d", connect.ErrNoKey, b.table, b.st.Columns[at].Name, b.n)
			}
		}
	}
	b.batch.Last = row // trimmed to the key by flush
	b.batch.Rows = append(b.batch.Rows, row[:b.st.Wanted:b.st.Wanted])
	if len(b.batch.Rows) >= connect.BatchRows || b.bytes >= connect.BatchBytes {
		return b.flush()
	}
	return nil
}

func (b *batcher) flush() error {
	if len(b.batch.Rows) == 0 {
		return nil
	}
	out := b.batch
	out.Last = nil
	for _, at := range b.st.Key {
		out.Last = append(out.Last, b.batch.Last[at])
	}
	b.batch, b.bytes = connect.Batch{Rows: make([]connect.Row, 0, connect.BatchRows)}, 0
	return b.fn(out)
}

func (s *source) Freshness(ctx context.Context, table connect.TableName, watermark string) (f connect.Freshness, err error) {
	err = s.read(ctx, func(conn *pgconn.PgConn) error {
		t, _, err := one(ctx, conn, table)
		if err != nil {
			return err
		}
		if err := rows(ctx, conn, t, &f); err != nil || watermark == "" {
			return err
		}
		if _, ok := t.Column(watermark); !ok {
			return fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, table, watermark)
		}
		sql := fmt.Sprintf("SELECT max(%s) FROM %s", statement.Quote(watermark), statement.Table(t.TableName))
		return query(ctx, conn, sql, nil, func(fields []pgconn.FieldDescription, v [][]byte) error {
			var reason string
			if f.Watermark, reason = read(fields[0].DataTypeOID, v[0]); reason != "" {
				return &connect.ValueError{Table: table, Column: watermark, Reason: reason}
			}
			return nil
		})
	})
	return f, err
}

// exactRows is up to how many rows we count; above, the server's estimate does.
// Counting 100,000 rows takes some 10 ms. Our own choice.
const exactRows = 100_000

func rows(ctx context.Context, conn *pgconn.PgConn, t connect.Table, f *connect.Freshness) error {
	name := statement.Table(t.TableName)
	number := func(_ []pgconn.FieldDescription, v [][]byte) (err error) {
		f.Rows, err = strconv.ParseInt(string(v[0]), 10, 64)
		return err
	}
	if err := query(ctx, conn, fmt.Sprintf("SELECT count(*) FROM (SELECT FROM %s LIMIT %d) AS counted", name, exactRows+1), nil, number); err != nil {
		return err
	}
	if f.Rows <= exactRows {
		return nil
	}
	f.Estimated = true
	return query(ctx, conn, fmt.Sprintf("SELECT greatest(reltuples, %d)::int8 FROM pg_class WHERE oid = $1::text::regclass", exactRows+1),
		[][]byte{[]byte(name)}, number)
}
