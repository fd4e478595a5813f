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
type source struct {
	*pool
	feed feedState
}

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
	return &source{pool: p, feed: feedState{name: p.name, told: make(chan struct{}, 1)}}, nil
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

// utf8Inside tells whether the server itself holds all its texts to UTF-8: then it
// sends nothing else.
func utf8Inside(conn *pgconn.PgConn) bool { return conn.ParameterStatus("server_encoding") == "UTF8" }

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
	b.trusted = utf8Inside(conn)
	if err := s.repeated(ctx, conn, st.SQL, arguments(st), b.row); err != nil {
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
		b := batcher{table: t.TableName, st: st, fn: whileLive(ctx, fn), noNullKey: len(sel.OrderBy) > 0, trusted: utf8Inside(conn)}
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

// batcher makes batches of rows. The texts of a batch are collected in one piece:
// a string of its own for each value would be most of a scan's work.
type batcher struct {
	table     connect.TableName
	st        *statement.Statement
	fn        func(connect.Batch) error
	noNullKey bool
	trusted   bool // the server holds its texts to UTF-8
	kinds     []connect.Kind
	texts     []byte // of the batch's values, one after the other
	cells     []cell
	rows      int   // in the batch
	n         int64 // before the batch
}

// cell is where a value's text ends in texts.
type cell struct {
	end  int
	kind connect.Kind // 0: NULL
}

func (b *batcher) row(fields []pgconn.FieldDescription, texts [][]byte) error {
	if b.kinds == nil {
		for _, f := range fields {
			b.kinds = append(b.kinds, kindOf(f.DataTypeOID))
		}
	}
	b.rows++
	for i, text := range texts {
		kind, reason := b.kinds[i], ""
		switch {
		case text == nil:
			kind = 0
		default:
			b.texts, reason = appendText(b.texts, kind, text)
		}
		if reason != "" {
			return b.spoilt(i, b.rows, reason)
		}
		b.cells = append(b.cells, cell{len(b.texts), kind})
	}
	if b.noNullKey {
		for _, at := range b.st.Key {
			if texts[at] == nil {
				return fmt.Errorf("%w: %s: NULL in column %q of the order, row %d", connect.ErrNoKey, b.table, b.st.Columns[at].Name, b.n+int64(b.rows))
			}
		}
	}
	if b.rows >= connect.BatchRows || len(b.texts) >= connect.BatchBytes {
		return b.flush()
	}
	return nil
}

func (b *batcher) spoilt(column, row int, reason string) error {
	return &connect.ValueError{Table: b.table, Column: b.st.Columns[column].Name, Row: b.n + int64(row), Reason: reason}
}

func (b *batcher) flush() error {
	if b.rows == 0 {
		return nil
	}
	all, width := string(b.texts), len(b.kinds)
	values := make([]connect.Value, len(b.cells))
	out := connect.Batch{Rows: make([]connect.Row, b.rows)}
	at := 0
	for i, c := range b.cells {
		v := connect.Value{Kind: c.kind, Text: all[at:c.end]}
		at = c.end
		// A NUL no server of theirs keeps.
		if !(b.trusted && v.Kind == connect.Text && len(v.Text) <= connect.MaxValueBytes) {
			if err := v.Check(); err != nil {
				return b.spoilt(i%width, i/width+1, err.Error())
			}
		}
		values[i] = v
	}
	for i := range out.Rows {
		out.Rows[i] = values[i*width : i*width+b.st.Wanted : i*width+b.st.Wanted]
	}
	for _, k := range b.st.Key {
		out.Last = append(out.Last, values[(b.rows-1)*width+k])
	}
	b.n += int64(b.rows)
	b.texts, b.cells, b.rows = b.texts[:0], b.cells[:0], 0
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
