package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// sink is a SQLite file that is loaded into.
type sink struct{ file }

func openSink(ctx context.Context, rawURL string) (connect.Sink, error) {
	at, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	_, statErr := os.Stat(at.path)
	s := &sink{file{at: at, write: true}}
	c, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	setup := "SELECT count(*) FROM sqlite_schema"
	if os.IsNotExist(statErr) {
		// A file of our own making: its readers should not wait for a load. The mode of
		// one that was there is its owner's affair.
		setup = "PRAGMA journal_mode(WAL)"
	}
	if _, err := c.ExecContext(ctx, setup); err != nil {
		s.Close()
		return nil, failure(ctx, err)
	}
	return s, nil
}

const createControl = `CREATE TABLE IF NOT EXISTS "` + connect.ControlTable + `" (
	delivery TEXT NOT NULL PRIMARY KEY, table_name TEXT NOT NULL, row_count INTEGER NOT NULL, digest TEXT NOT NULL, loaded_at TEXT NOT NULL)`

func (s *sink) Loaded(ctx context.Context, schema, delivery string) (connect.Receipt, bool, error) {
	c, err := s.conn(ctx)
	if err != nil {
		return connect.Receipt{}, false, err
	}
	defer c.Close()
	return receipt(ctx, c, delivery)
}

// receipt reads the control table, if there is one.
func receipt(ctx context.Context, q queryer, delivery string) (r connect.Receipt, found bool, err error) {
	if _, err := describeOne(ctx, q, connect.TableName{Name: connect.ControlTable}); errors.Is(err, connect.ErrNoTable) {
		return r, false, nil
	} else if err != nil {
		return r, false, err
	}
	var at string
	err = q.QueryRowContext(ctx, `SELECT delivery, table_name, row_count, digest, loaded_at FROM "`+connect.ControlTable+`" WHERE delivery = ?1`, delivery).
		Scan(&r.Delivery, &r.Table.Name, &r.Rows, &r.Digest, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, failure(ctx, err)
	}
	r.At, err = time.Parse(time.RFC3339Nano, at)
	return r, true, err
}

func (s *sink) Begin(ctx context.Context, t connect.Target) (connect.Load, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if t.Table.Schema != "" && t.Table.Schema != "main" {
		return nil, fmt.Errorf("%w: SQLite has the schema main only", connect.ErrInvalid)
	}
	t.Table.Schema = ""
	c, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	l := &load{target: t, conn: c, digest: connect.NewDigest()}
	if err := l.begin(ctx); err != nil {
		l.Rollback()
		return nil, err
	}
	return l, nil
}

// load is one transaction. BEGIN IMMEDIATE makes it the file's only writer, and
// the file's lock is given back by the kernel if the process dies.
type load struct {
	target connect.Target
	conn   *sql.Conn
	before connect.Receipt // of the first time, if repeated
	repeat bool
	digest *connect.Digest
	insert driver.Stmt
	args   []driver.NamedValue
	narrow []bool // by column of the target: a number of more than 15 digits would be rounded
	done   bool
}

func (l *load) begin(ctx context.Context) (err error) {
	if err := l.immediately(ctx); err != nil {
		return err
	}
	l.before, l.repeat, err = receipt(ctx, l.conn, l.target.Delivery)
	if err != nil || l.repeat {
		return err
	}
	if _, err := l.conn.ExecContext(ctx, createControl); err != nil {
		return failure(ctx, err)
	}
	if err := l.place(ctx); err != nil {
		return err
	}
	return l.prepare()
}

// immediately begins the transaction. Another load may hold the file for longer than a
// statement waits for a lock.
func (l *load) immediately(ctx context.Context) error {
	for {
		_, err := l.conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		if err == nil {
			return nil
		}
		if !isBusy(err) || ctx.Err() != nil {
			return failure(ctx, err)
		}
	}
}

// place creates the target, or finds out whether it can take the columns.
func (l *load) place(ctx context.Context) error {
	is, err := describeOne(ctx, l.conn, l.target.Table)
	switch {
	case errors.Is(err, connect.ErrNoTable):
		_, err = l.conn.ExecContext(ctx, l.create())
	case err != nil:
	case l.fits(is) != nil:
		return l.fits(is)
	case l.target.Mode == connect.Replace:
		_, err = l.conn.ExecContext(ctx, "DELETE FROM "+statement.Table(l.target.Table))
	}
	return failure(ctx, err)
}

// fits finds columns of an asker's own table that would spoil what is stored in
// them: SQLite turns text that looks like a number into one where the declared
// type does not say TEXT, CHAR, CLOB or BLOB.
func (l *load) fits(is connect.Table) error {
	if err := l.target.Fits(is); err != nil {
		return err
	}
	l.narrow = make([]bool, len(l.target.Columns))
	for i, c := range l.target.Columns {
		has, _ := is.Column(c.Name)
		if keepsText(has.Type) {
			continue
		}
		switch c.Kind {
		case connect.Text, connect.JSON:
			return fmt.Errorf("%w: %s: column %q is declared %.40q, where SQLite turns 007 into 7", connect.ErrTargetDiffers, l.target.Table, c.Name, has.Type)
		case connect.Decimal:
			l.narrow[i] = true
		}
	}
	return nil
}

// significant counts the digits of a decimal number that matter.
func significant(text string) int {
	digits := strings.TrimLeft(strings.Replace(strings.TrimPrefix(text, "-"), ".", "", 1), "0")
	return len(strings.TrimRight(digits, "0"))
}

func (l *load) create() string {
	var parts []string
	for _, c := range l.target.Columns {
		part := statement.Quote(c.Name) + " " + declared(c.Kind)
		if !c.Nullable {
			part += " NOT NULL"
		}
		parts = append(parts, part)
	}
	if key := l.target.PrimaryKey; len(key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+quoteAll(key)+")")
	}
	return "CREATE TABLE " + statement.Table(l.target.Table) + " (" + strings.Join(parts, ", ") + ")"
}

// prepare makes the insert statement at the driver itself: database/sql would
// convert each of the values twice.
func (l *load) prepare() error {
	var names, places, updates []string
	for i, c := range l.target.Columns {
		names = append(names, c.Name)
		places = append(places, fmt.Sprintf("?%d", i+1))
		updates = append(updates, statement.Quote(c.Name)+" = excluded."+statement.Quote(c.Name))
	}
	text := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", statement.Table(l.target.Table), quoteAll(names), strings.Join(places, ", "))
	if l.target.Mode == connect.Merge {
		text += fmt.Sprintf(" ON CONFLICT (%s) DO UPDATE SET %s", quoteAll(l.target.PrimaryKey), strings.Join(updates, ", "))
	}
	l.args = make([]driver.NamedValue, len(names))
	return l.conn.Raw(func(dc any) (err error) {
		l.insert, err = dc.(driver.Conn).Prepare(text)
		return err
	})
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
		return l.one(ctx, row)
	})
	return cmp.Or(err, ctx.Err())
}

func (l *load) one(ctx context.Context, row connect.Row) error {
	for i, v := range row {
		if l.target.Columns[i].Kind == connect.Text && !v.IsNull() {
			v.Kind = connect.Text
		}
		stored, reason := store(v)
		if l.narrow != nil && l.narrow[i] && !v.IsNull() && significant(v.Text) > 15 {
			reason = "the column would round it to 15 digits; DECIMAL_TEXT would not"
		}
		if reason != "" {
			return &connect.ValueError{Table: l.target.Table, Column: l.target.Columns[i].Name, Row: l.digest.Rows(), Reason: reason}
		}
		l.args[i] = driver.NamedValue{Ordinal: i + 1, Value: stored}
	}
	// Without ctx: the driver starts a goroutine for each statement whose context can end.
	err := l.conn.Raw(func(any) error {
		_, err := l.insert.(driver.StmtExecContext).ExecContext(context.Background(), l.args)
		return err
	})
	if err != nil {
		return fmt.Errorf("row %d: %w", l.digest.Rows(), failure(ctx, err))
	}
	return nil
}

func (l *load) Commit(ctx context.Context) (connect.Receipt, error) {
	if l.done {
		return connect.Receipt{}, fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	sum := l.digest.Sum()
	r := connect.Receipt{
		Delivery: l.target.Delivery, Table: l.target.Table, Rows: l.digest.Rows(),
		Digest: hex.EncodeToString(sum[:]), At: time.Now().UTC().Truncate(time.Microsecond),
	}
	if l.repeat {
		defer l.Rollback()
		l.before.Repeated = true
		if r.Rows > 0 && (r.Digest != l.before.Digest || r.Rows != l.before.Rows) {
			return connect.Receipt{}, fmt.Errorf("%w: %s", connect.ErrDeliveryDiffers, r.Delivery)
		}
		return l.before, nil
	}
	_, err := l.conn.ExecContext(ctx, `INSERT INTO "`+connect.ControlTable+`" VALUES (?1, ?2, ?3, ?4, ?5)`,
		r.Delivery, r.Table.Name, r.Rows, r.Digest, r.At.Format(time.RFC3339Nano))
	if err == nil {
		// Power fails here: the journal decides; the rows and the delivery id are both there or neither.
		_, err = l.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		l.Rollback()
		return connect.Receipt{}, failure(ctx, err)
	}
	return r, l.end()
}

func (l *load) Rollback() error {
	if l.done {
		return nil
	}
	// Before the connection may be thrown away: the driver would finalize it in the
	// memory of a closed one.
	l.finalize()
	// Not the caller's context: it may have ended, and the lock must go all the same.
	_, err := l.conn.ExecContext(context.Background(), "ROLLBACK")
	if err != nil {
		// The connection is not what we think: throw it away, SQLite rolls back on close.
		l.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if err := l.end(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

// finalize ends the insert statement, once.
func (l *load) finalize() {
	if l.insert != nil {
		l.insert.Close()
		l.insert = nil
	}
}

func (l *load) end() error {
	l.done = true
	l.finalize()
	return l.conn.Close()
}
