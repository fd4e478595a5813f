package postgres

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// sink is a PostgreSQL database that is loaded into.
type sink struct{ *pool }

func openSink(ctx context.Context, rawURL string) (connect.Sink, error) {
	s, err := open(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	return &sink{s.(*source).pool}, nil
}

// control is the control table of a schema, quoted.
func control(schema string) string {
	return statement.Table(connect.TableName{Schema: schema, Name: connect.ControlTable})
}

func (s *sink) Loaded(ctx context.Context, schema, delivery string) (connect.Receipt, bool, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return connect.Receipt{}, false, err
	}
	defer s.release(conn)
	r, found, err := receipt(ctx, conn, named(connect.TableName{Schema: schema}).Schema, delivery)
	if errors.Is(err, connect.ErrNoTable) {
		return connect.Receipt{}, false, nil
	}
	return r, found, err
}

// receipt reads the control table; ErrNoTable if there is none.
func receipt(ctx context.Context, conn *pgconn.PgConn, schema, delivery string) (r connect.Receipt, found bool, err error) {
	sql := `SELECT delivery, table_name, row_count, digest, to_char(loaded_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM ` + control(schema) + ` WHERE delivery = $1`
	err = query(ctx, conn, sql, [][]byte{[]byte(delivery)}, func(_ []pgconn.FieldDescription, v [][]byte) (err error) {
		found = true
		r = connect.Receipt{Delivery: string(v[0]), Table: connect.TableName{Schema: schema, Name: string(v[1])}, Digest: string(v[3])}
		if r.Rows, err = strconv.ParseInt(string(v[2]), 10, 64); err != nil {
			return err
		}
		r.At, err = time.Parse(time.RFC3339Nano, string(v[4]))
		return err
	})
	return r, found, err
}

func (s *sink) Begin(ctx context.Context, t connect.Target) (connect.Load, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	t.Table = named(t.Table)
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	l := &load{pool: s.pool, target: t, conn: conn, into: statement.Table(t.Table), digest: connect.NewDigest()}
	if err := l.begin(ctx); err != nil {
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
	conn   *pgconn.PgConn
	into   string          // where COPY goes, quoted: the table, or for Merge a temporary one
	before connect.Receipt // of the first time, if repeated
	repeat bool
	digest *connect.Digest
	guards []guard // by column of the target; nil: whatever has the kind fits
	buf    []byte
	copy   *copying // nil before the first piece
	done   bool
}

func (l *load) begin(ctx context.Context) (err error) {
	if err := l.control(ctx); err != nil {
		return err
	}
	if err := exec(ctx, l.conn, "BEGIN; SET LOCAL synchronous_commit = on"); err != nil {
		return err
	}
	// One load at a time for each table. The lock ends with the transaction.
	if err := l.lock(ctx, "load "+statement.Table(l.target.Table)); err != nil {
		return err
	}
	// A load of the same delivery into another table that is under way is waited
	// for here, by the control table's key.
	claimed := false
	err = query(ctx, l.conn, "INSERT INTO "+control(l.target.Table.Schema)+` (delivery, table_name, row_count, digest)
		VALUES ($1, $2, 0, '') ON CONFLICT DO NOTHING RETURNING 1`, [][]byte{[]byte(l.target.Delivery), []byte(l.target.Table.Name)},
		func([]pgconn.FieldDescription, [][]byte) error { claimed = true; return nil })
	if err != nil {
		return err
	}
	if !claimed {
		l.before, l.repeat, err = receipt(ctx, l.conn, l.target.Table.Schema, l.target.Delivery)
		if err == nil && !l.repeat {
			err = fmt.Errorf("%w: delivery %s vanished from the control table", connect.ErrConflict, l.target.Delivery)
		}
		return err
	}
	return l.table(ctx)
}

func (l *load) lock(ctx context.Context, name string) error {
	return query(ctx, l.conn, "SELECT pg_advisory_xact_lock(hashtextextended($1, 809))", [][]byte{[]byte("mulian " + name)},
		func([]pgconn.FieldDescription, [][]byte) error { return nil })
}

// control makes the control table, in a transaction of its own: otherwise the
// first loads into different tables would wait for each other's end.
func (l *load) control(ctx context.Context) error {
	name := control(l.target.Table.Schema)
	there := false
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
	return exec(ctx, l.conn, "CREATE TABLE IF NOT EXISTS "+name+` (delivery text PRIMARY KEY, table_name text NOT NULL,
		row_count bigint NOT NULL, digest text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp()); COMMIT`)
}

// table creates the target, or finds out whether it can take the columns.
func (l *load) table(ctx context.Context) error {
	is, _, err := one(ctx, l.conn, l.target.Table)
	l.guards = guardsOf(l.target, is)
	switch {
	case errors.Is(err, connect.ErrNoTable):
		err = exec(ctx, l.conn, l.create())
	case err != nil:
	case l.target.Fits(is) != nil:
		return l.target.Fits(is)
	case l.target.Mode == connect.Replace:
		err = exec(ctx, l.conn, "DELETE FROM "+l.into)
	}
	if err != nil || l.target.Mode != connect.Merge {
		return err
	}
	l.into = "pg_temp.mulian_load"
	return exec(ctx, l.conn, fmt.Sprintf(`CREATE TEMPORARY TABLE mulian_load ON COMMIT DROP AS SELECT %s FROM %s WITH NO DATA;
		ALTER TABLE pg_temp.mulian_load ADD COLUMN "mulian row" bigint GENERATED ALWAYS AS IDENTITY`, l.columns(""), statement.Table(l.target.Table)))
}

func (l *load) create() string {
	var parts []string
	for _, c := range l.target.Columns {
		part := statement.Quote(c.Name) + " " + declared[c.Kind]
		if !c.Nullable {
			part += " NOT NULL"
		}
		parts = append(parts, part)
	}
	if len(l.target.PrimaryKey) > 0 {
		parts = append(parts, "PRIMARY KEY ("+quoteAll(l.target.PrimaryKey)+")")
	}
	return "CREATE TABLE " + statement.Table(l.target.Table) + " (" + strings.Join(parts, ", ") + ")"
}

// columns lists the target's columns, quoted.
func (l *load) columns(format string) string {
	var names []string
	for _, c := range l.target.Columns {
		if q := statement.Quote(c.Name); format == "" {
			names = append(names, q)
		} else {
			names = append(names, strings.ReplaceAll(format, "?", q))
		}
	}
	return strings.Join(names, ", ")
}

func quoteAll(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, statement.Quote(n))
	}
	return strings.Join(out, ", ")
}

func (l *load) Repeated() bool { return l.repeat }

func (l *load) Sum() (rows int64, digest [32]byte) { return l.digest.Rows(), l.digest.Sum() }

// Append encodes the page's rows while the server still takes those before them: one
// COPY runs from the first row to Commit.
func (l *load) Append(ctx context.Context, p *connect.Page) error {
	if l.done {
		return fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	err := p.Each(func(row connect.Row, encoded string) error {
		if err := l.target.CheckRow(l.digest.Rows()+1, row); err != nil {
			return err
		}
		l.digest.AddEncoded(len(row), encoded)
		if l.repeat {
			return nil
		}
		if err := l.fits(row); err != nil {
			return err
		}
		l.buf = appendCopy(l.buf, row)
		if len(l.buf) < copyBytes {
			return nil
		}
		return l.hand(ctx)
	})
	return cmp.Or(err, ctx.Err())
}

// hand gives the text so far to the COPY, which begins with the first.
func (l *load) hand(ctx context.Context) error {
	if len(l.buf) == 0 {
		return nil
	}
	if l.copy == nil {
		l.copy = beginCopy(ctx, l.conn, "COPY "+l.into+" ("+l.columns("")+") FROM STDIN")
	}
	var err error
	if l.buf, err = l.copy.give(ctx, l.buf); err != nil {
		return l.refused(ctx, err)
	}
	return nil
}

// fits asks the guards.
func (l *load) fits(row connect.Row) error {
	for i, g := range l.guards {
		if g == nil || row[i].IsNull() {
			continue
		}
		if reason := g(row[i].Text); reason != "" {
			return &connect.ValueError{Table: l.target.Table, Column: l.target.Columns[i].Name, Row: l.digest.Rows(), Reason: reason}
		}
	}
	return nil
}

// copyPlace finds line and column in the context of an error: "COPY t, line 3, column a: ...".
var copyPlace = regexp.MustCompile(`^COPY [^\n]*?, line ([0-9]+)(?:, column ([^:\n]+))?`)

// refused tells what the server has against the rows.
func (l *load) refused(ctx context.Context, err error) error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) && strings.HasPrefix(pe.Code, "22") {
		if m := copyPlace.FindStringSubmatch(pe.Where); m != nil {
			line, _ := strconv.ParseInt(m[1], 10, 64) // a line for each row, from the load's first
			return &connect.ValueError{Table: l.target.Table, Column: m[2], Row: line, Reason: "postgres " + pe.Code + ": does not fit the column"}
		}
	}
	return failure(ctx, err)
}

func (l *load) Commit(ctx context.Context) (r connect.Receipt, err error) {
	if l.done {
		return r, fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	defer l.Rollback() // nothing after a commit
	if err := l.hand(ctx); err != nil {
		return r, err
	}
	if l.copy != nil {
		if err := l.copy.end(ctx); err != nil {
			return r, l.refused(ctx, err)
		}
	}
	sum := l.digest.Sum()
	digest := hex.EncodeToString(sum[:])
	if l.repeat {
		l.before.Repeated = true
		if l.digest.Rows() > 0 && (digest != l.before.Digest || l.digest.Rows() != l.before.Rows) {
			return r, fmt.Errorf("%w: %s", connect.ErrDeliveryDiffers, l.target.Delivery)
		}
		return l.before, nil
	}
	if l.target.Mode == connect.Merge {
		if err := exec(ctx, l.conn, l.merge()); err != nil {
			return r, err
		}
	}
	err = query(ctx, l.conn, "UPDATE "+control(l.target.Table.Schema)+" SET row_count = $2, digest = $3, loaded_at = clock_timestamp() WHERE delivery = $1",
		[][]byte{[]byte(l.target.Delivery), []byte(strconv.FormatInt(l.digest.Rows(), 10)), []byte(digest)},
		func([]pgconn.FieldDescription, [][]byte) error { return nil })
	if err != nil {
		return r, err
	}
	if r, _, err = receipt(ctx, l.conn, l.target.Table.Schema, l.target.Delivery); err != nil {
		return r, err
	}
	// Power fails here, on either side: the server's write-ahead log decides; the
	// rows and the delivery id are both there or neither.
	if err := exec(ctx, l.conn, "COMMIT"); err != nil {
		return connect.Receipt{}, err
	}
	return r, nil
}

// merge brings the temporary table's rows into the target; of equal keys the
// later row counts.
func (l *load) merge() string {
	key := quoteAll(l.target.PrimaryKey)
	return fmt.Sprintf(`INSERT INTO %s (%s) SELECT DISTINCT ON (%s) %s FROM pg_temp.mulian_load ORDER BY %s, "mulian row" DESC
		ON CONFLICT (%s) DO UPDATE SET %s`, statement.Table(l.target.Table), l.columns(""), key, l.columns(""), key, key, l.columns("? = excluded.?"))
}

func (l *load) Rollback() error {
	if l.done {
		return nil
	}
	l.done = true
	defer l.pool.release(l.conn)
	if l.copy != nil {
		l.copy.abandon()
	}
	if l.conn.IsClosed() || l.conn.TxStatus() == 'I' {
		return nil
	}
	// Not the caller's context, which may have ended. If this fails, release closes the
	// connection, and the server rolls back.
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return exec(ctx, l.conn, "ROLLBACK")
}
