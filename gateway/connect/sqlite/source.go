package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// source is a SQLite file that is read.
type source struct{ file }

func open(ctx context.Context, rawURL string) (connect.Source, error) {
	at, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	s := &source{file{at: at}}
	// The first read finds out whether it is a database at all.
	if err := s.read(ctx, func(tx *sql.Tx) error {
		var n int
		return failure(ctx, tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n))
	}); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// read runs do in a read transaction, which sees one state of the file.
func (s *source) read(ctx context.Context, do func(tx *sql.Tx) error) error {
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return failure(ctx, err)
	}
	defer tx.Rollback() // it wrote nothing
	return do(tx)
}

func (s *source) Inspect(ctx context.Context) (schema *connect.Schema, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		schema, err = describeAll(ctx, tx)
		return err
	})
	return schema, err
}

func (s *source) Query(ctx context.Context, sel connect.Selection) ([]connect.Row, error) {
	if err := statement.Check(sel, true); err != nil {
		return nil, err
	}
	var out []connect.Row
	err := s.read(ctx, func(tx *sql.Tx) error {
		t, err := describeOne(ctx, tx, sel.Table)
		if err != nil {
			return err
		}
		return scan(ctx, tx, t, sel, nil, func(b connect.Batch) error {
			out = append(out, b.Rows...)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *source) Scan(ctx context.Context, sel connect.Selection, fn func(connect.Batch) error) error {
	if err := statement.Check(sel, false); err != nil {
		return err
	}
	return s.read(ctx, func(tx *sql.Tx) error {
		t, err := describeOne(ctx, tx, sel.Table)
		if err != nil {
			return err
		}
		return scan(ctx, tx, t, sel, t.PrimaryKey, fn)
	})
}

// scan runs the selection's statement on t and hands out batches.
func scan(ctx context.Context, tx *sql.Tx, t connect.Table, sel connect.Selection, key []string, fn func(connect.Batch) error) error {
	st, err := dialect.Select(t, sel, key, "")
	if err != nil {
		return err
	}
	var args []any
	for _, b := range st.Args {
		args = append(args, bind(b.Column, b.Value, b.Key))
	}
	rows, err := tx.QueryContext(ctx, st.SQL, args...)
	if err != nil {
		return failure(ctx, err)
	}
	defer rows.Close()
	b := batcher{table: t.TableName, st: st, fn: whileLive(ctx, fn), stored: make([]any, len(st.Columns)), places: make([]any, len(st.Columns))}
	for i := range b.stored {
		b.places[i] = &b.stored[i]
	}
	for rows.Next() {
		if err := rows.Scan(b.places...); err != nil {
			return failure(ctx, err)
		}
		if err := b.row(); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return failure(ctx, err)
	}
	return b.flush()
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
	table  connect.TableName
	st     *statement.Statement
	fn     func(connect.Batch) error
	stored []any // the current row, by column of the result
	places []any // pointers to them
	batch  connect.Batch
	bytes  int
	n      int64
}

func (b *batcher) row() error {
	b.n++
	row := make(connect.Row, b.st.Wanted)
	for i := range row {
		v, reason := read(b.st.Columns[i].Kind, b.stored[i])
		if reason != "" {
			return &connect.ValueError{Table: b.table, Column: b.st.Columns[i].Name, Row: b.n, Reason: reason}
		}
		row[i] = v
		b.bytes += len(v.Text)
	}
	b.batch.Rows = append(b.batch.Rows, row)
	if len(b.batch.Rows) >= connect.BatchRows || b.bytes >= connect.BatchBytes {
		return b.flush()
	}
	return nil
}

func (b *batcher) flush() error {
	if len(b.batch.Rows) == 0 {
		return nil
	}
	for _, at := range b.st.Key {
		b.batch.Last = append(b.batch.Last, readKey(b.stored[at]))
	}
	out := b.batch
	b.batch, b.bytes = connect.Batch{Rows: make([]connect.Row, 0, connect.BatchRows)}, 0
	return b.fn(out)
}

func (s *source) Freshness(ctx context.Context, table connect.TableName, watermark string) (f connect.Freshness, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		t, err := describeOne(ctx, tx, table)
		if err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+statement.Table(t.TableName)).Scan(&f.Rows); err != nil {
			return failure(ctx, err)
		}
		if watermark == "" {
			return nil
		}
		c, ok := t.Column(watermark)
		if !ok {
			return fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, table, watermark)
		}
		q := statement.Quote(c.Name)
		var stored any
		// Not max(): that of a mixed column would compare the forms, not the times.
		err = tx.QueryRowContext(ctx, fmt.Sprintf("SELECT +%s FROM %s WHERE %s IS NOT NULL ORDER BY %s DESC LIMIT 1",
			q, statement.Table(t.TableName), q, dialect.Compare(c, q))).Scan(&stored)
		if err != nil && err != sql.ErrNoRows {
			return failure(ctx, err)
		}
		var reason string
		if f.Watermark, reason = read(c.Kind, stored); reason != "" {
			return &connect.ValueError{Table: table, Column: watermark, Reason: reason}
		}
		return nil
	})
	return f, err
}
