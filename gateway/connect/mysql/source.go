package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// source is a MySQL database that is read.
type source struct {
	*pool
	following sync.Mutex // held by a Follow with tables
	last      struct {   // the latest document's hash
		sync.Mutex
		hash string
	}
}

func open(ctx context.Context, rawURL string) (connect.Source, error) {
	p, err := newPool(ctx, rawURL, false)
	if err != nil {
		return nil, err
	}
	return &source{pool: p}, nil
}

// read runs do in a transaction that sees one state and cannot write.
func (s *source) read(ctx context.Context, do func(ctx context.Context, c *session) error) error {
	return s.on(ctx, func(ctx context.Context, c *session) error {
		if err := c.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); unknownSetting(err) {
			err = c.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		err := do(ctx, c)
		if !c.IsValid() {
			return err
		}
		if end := c.exec(ctx, "ROLLBACK"); end != nil { // nothing was written
			c.Close()
			err = errors.Join(err, end)
		}
		return err
	})
}

func (s *source) Inspect(ctx context.Context) (schema *connect.Schema, err error) {
	s.last.Lock()
	last := s.last.hash
	s.last.Unlock()
	err = s.on(ctx, func(ctx context.Context, c *session) error {
		schema, err = s.inspect(ctx, c, last)
		return err
	})
	if err == nil {
		s.last.Lock()
		s.last.hash = schema.Hash()
		s.last.Unlock()
	}
	return schema, err
}

// dialect is MySQL's SQL, for one table.
func (t *tableDescription) dialect() statement.Dialect {
	return statement.Dialect{
		Param:   func(int) string { return "?" },
		Read:    func(q string) string { return q },
		Compare: func(c connect.Column, q string) string { return byOrder(t.more[c.Name], q) },
		Key:     func(c connect.Column, q string) string { return byOrder(t.more[c.Name], q) },
		Place: func(b statement.Bound, param string) string {
			return typed(t.more[b.Column.Name], b.Value, b.Key || b.After, param)
		},
		In: func(c connect.Column, q string, places []string) (string, bool) {
			f, list := t.more[c.Name], strings.Join(places, ", ")
			if f.kind != connect.Text && f.kind != connect.JSON || f.byBytes {
				return byOrder(f, q) + " IN (" + list + ")", false
			}
			// By the column's own rules, for which it may have an index; and of what they find
			// what is equal byte for byte: to them A may be a, and blanks at the end nothing.
			exact := bytesOf(q) + " IN (CAST(" + strings.Join(places, " AS BINARY), CAST(") + " AS BINARY))"
			if f.collation == "" {
				return exact, false
			}
			return "(" + q + " IN (" + list + ") AND " + exact + ")", true
		},
	}
}

// arguments gives the statement's parameters.
func (t *tableDescription) arguments(st *statement.Statement) ([]sqldriver.Value, error) {
	var out []sqldriver.Value
	for _, b := range st.Args {
		arg, possible := bind(t.more[b.Column.Name], b.Value)
		if !possible {
			if b.Key || b.After {
				return nil, fmt.Errorf("%w: %s: column %q cannot be ordered by a %s like this", connect.ErrInvalid, t.TableName, b.Column.Name, b.Value.Kind)
			}
			arg = nil
		}
		out = append(out, arg)
	}
	return out, nil
}

// freshFor is how long a description serves queries: reading it costs more than the
// query itself. What a change of the table within that time would spoil is asked again
// with a new one. Our own choice.
const freshFor = time.Second

func (s *source) Query(ctx context.Context, sel connect.Selection) ([]connect.Row, error) {
	if err := statement.Check(sel, true); err != nil {
		return nil, err
	}
	begun := time.Now()
	out, age, err := s.queryOnce(ctx, sel, freshFor)
	var ve *connect.ValueError
	if again := errors.As(err, &ve) || errors.Is(err, connect.ErrNoColumn) || errors.Is(err, connect.ErrNoTable); !again || age.After(begun) {
		return out, err
	}
	out, _, err = s.queryOnce(ctx, sel, 0)
	return out, err
}

// queryOnce answers with a description of the table that is not older than maxAge; read
// is when it was made.
func (s *source) queryOnce(ctx context.Context, sel connect.Selection, maxAge time.Duration) (out []connect.Row, read time.Time, err error) {
	err = s.on(ctx, func(ctx context.Context, c *session) error {
		t, err := s.described(ctx, c, sel.Table, maxAge)
		if err != nil {
			read = time.Now()
			return err
		}
		read = t.read
		out, err = t.query(ctx, c, sel)
		return err
	})
	if err != nil {
		return nil, read, err
	}
	return out, read, nil
}

func (t *tableDescription) query(ctx context.Context, c *session, sel connect.Selection) (out []connect.Row, err error) {
	err = t.run(ctx, c, sel, nil, true, func(b connect.Batch) error {
		out = append(out, b.Rows...)
		return nil
	})
	return out, err
}

// run runs the selection's statement and hands out batches.
func (t *tableDescription) run(ctx context.Context, c *session, sel connect.Selection, key []string, keep bool, fn func(connect.Batch) error) error {
	sel.Table = t.TableName
	st, err := t.dialect().Select(t.Table, sel, key, "")
	if err != nil {
		return err
	}
	args, err := t.arguments(st)
	if err != nil {
		return err
	}
	b := batcher{table: t.TableName, st: st, fn: fn, noNullKey: len(sel.OrderBy) > 0}
	for _, col := range st.Columns {
		b.forms = append(b.forms, t.more[col.Name])
	}
	if err := c.ask(ctx, st.SQL, args, keep, b.types, b.row); err != nil {
		return err
	}
	return b.flush()
}

func (s *source) Scan(ctx context.Context, sel connect.Selection, fn func(connect.Batch) error) error {
	if err := statement.Check(sel, false); err != nil {
		return err
	}
	return s.read(ctx, func(ctx context.Context, c *session) error {
		t, err := s.described(ctx, c, sel.Table, 0)
		if err != nil {
			return err
		}
		return t.run(ctx, c, sel, t.PrimaryKey, false, whileLive(ctx, fn))
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
	forms     []columnForm // by column of the result
	texts     []byte       // of the batch's values, one after the other
	cells     []cell
	rows      int   // in the batch
	n         int64 // before the batch
}

// cell is where a value's text ends in texts.
type cell struct {
	end  int
	kind connect.Kind // 0: NULL
}

// types finds a column that is no longer what its description says, where the values' own
// form would not show it: these all come as bytes.
func (b *batcher) types(name func(int) string) error {
	for i, f := range b.forms {
		var is, was connect.Kind
		switch n := name(i); {
		case n == "DATE":
			is = connect.Date
		case n == "DATETIME":
			is = connect.Timestamp
		case n == "TIMESTAMP":
			is = connect.Instant
		case n == "DECIMAL":
			is = connect.Decimal
		case strings.HasSuffix(n, "BLOB"), strings.HasSuffix(n, "BINARY"), n == "GEOMETRY", n == "VECTOR":
			is = connect.Bytes
		}
		switch f.kind {
		case connect.Date, connect.Timestamp, connect.Instant, connect.Decimal, connect.Bytes:
			if was = f.kind; f.marked {
				was = map[connect.Kind]connect.Kind{connect.Instant: connect.Timestamp}[f.kind]
			}
		}
		if was != is {
			return b.spoilt(i, 0, notWhatWasDescribed)
		}
	}
	return nil
}

func (b *batcher) row(values []sqldriver.Value) error {
	b.rows++
	for i, v := range values {
		if v == nil {
			b.cells = append(b.cells, cell{len(b.texts), 0})
			continue
		}
		var kind connect.Kind
		var reason string
		if b.texts, kind, reason = appendText(b.texts, b.forms[i], v); reason != "" {
			return b.spoilt(i, b.rows, reason)
		}
		b.cells = append(b.cells, cell{len(b.texts), kind})
	}
	for _, at := range b.st.Key {
		if values[at] == nil && b.noNullKey {
			return fmt.Errorf("%w: %s: NULL in column %q of the order, row %d", connect.ErrNoKey, b.table, b.st.Columns[at].Name, b.n+int64(b.rows))
		}
		if long, ok := values[at].([]byte); ok && len(long) > longestKey {
			return b.spoilt(at, b.rows, fmt.Sprintf("%d bytes in the order's column, at most %d", len(long), longestKey))
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
	all, width := string(b.texts), len(b.forms)
	values := make([]connect.Value, len(b.cells))
	out := connect.Batch{Rows: make([]connect.Row, b.rows)}
	at := 0
	for i, c := range b.cells {
		v := connect.Value{Kind: c.kind, Text: all[at:c.end]}
		at = c.end
		if err := v.Check(); err != nil {
			return b.spoilt(i%width, i/width+1, err.Error())
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

// exactRows is up to how many rows we count; above, the server's estimate does.
// Counting 100,000 rows takes some 20 ms. Our own choice.
const exactRows = 100_000

func (s *source) Freshness(ctx context.Context, table connect.TableName, watermark string) (f connect.Freshness, err error) {
	err = s.read(ctx, func(ctx context.Context, c *session) error {
		t, err := s.described(ctx, c, table, 0)
		if err != nil {
			return err
		}
		if err := s.rows(ctx, c, t, &f); err != nil || watermark == "" {
			return err
		}
		form, ok := t.more[watermark]
		if !ok {
			return fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, table, watermark)
		}
		q := statement.Quote(watermark)
		// The value, and not the largest of what it is compared by.
		sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s IS NOT NULL ORDER BY %s DESC LIMIT 1", q, statement.Table(t.TableName), q, byOrder(form, q))
		if byOrder(form, q) == q {
			sql = fmt.Sprintf("SELECT MAX(%s) FROM %s", q, statement.Table(t.TableName))
		}
		return c.query(ctx, sql, nil, func(v []sqldriver.Value) error {
			var reason string
			if f.Watermark, reason = readOne(form, v[0]); reason != "" {
				return &connect.ValueError{Table: table, Column: watermark, Reason: reason}
			}
			return nil
		})
	})
	return f, err
}

func (s *source) rows(ctx context.Context, c *session, t *tableDescription, f *connect.Freshness) error {
	number := func(v []sqldriver.Value) (err error) {
		f.Rows, err = strconv.ParseInt(text(v[0]), 10, 64)
		return err
	}
	err := c.query(ctx, fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM %s LIMIT %d) AS counted", statement.Table(t.TableName), exactRows+1), nil, number)
	if err != nil || f.Rows <= exactRows {
		return err
	}
	f.Estimated = true
	return c.query(ctx, fmt.Sprintf("SELECT GREATEST(COALESCE(TABLE_ROWS, 0), %d) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", exactRows+1),
		[]sqldriver.Value{s.name, t.Name}, number)
}
