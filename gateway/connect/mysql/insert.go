package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"regexp"
	"strconv"
	"strings"

	driver "github.com/go-sql-driver/mysql"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

const (
	// insertRows, insertParams and insertBytes end a statement's rows, whichever comes
	// first. MySQL takes 65,535 parameters in one, and packets of 16 MB or more. Measured with
	// 100,000 rows of 8 columns, CPU time of us and of MariaDB 10.11: 20 rows a statement 0.50 +
	// 0.58 s, 100 rows 0.38 + 0.52, 500 rows 0.24 + 0.50, 1,000 rows 0.31 + 0.50, 4,000 0.28 + 0.58.
	insertRows   = 500
	insertParams = 8_000
	insertBytes  = 1 << 20
)

// inserter brings a load's rows to the server, many with one prepared INSERT.
//
// Not LOAD DATA LOCAL: the server cannot stop a client that sends a file, so it takes what
// it can and makes warnings of the rest, equal keys and cut values among them. Measured
// as above it would save 0.1 s of the server's 0.5.
type inserter struct {
	target *connect.Target
	forms  []columnForm // by column of the target
	guards []guard      // nil: whatever has the kind fits
	never  []bool       // NULL: MySQL would take the present time for one in a timestamp
	full   int          // rows of a full statement
	many   sqldriver.Stmt
	one    sqldriver.Stmt
	args   []sqldriver.NamedValue
	rows   int
	bytes  int
	first  int64 // the number of the first row that waits
}

func newInserter(t *connect.Target, is *tableDescription) inserter {
	in := inserter{target: t, full: max(1, min(insertRows, insertParams/len(t.Columns)))}
	for _, c := range t.Columns {
		f := is.more[c.Name]
		has, _ := is.Column(c.Name)
		in.forms, in.guards, in.never = append(in.forms, f), append(in.guards, guardOf(f)), append(in.never, !has.Nullable)
	}
	return in
}

// add takes a row; n is its number.
func (in *inserter) add(ctx context.Context, c *session, row connect.Row, n int64) error {
	if in.rows == 0 {
		in.first = n
	}
	for i, v := range row {
		arg, reason := in.argument(i, v)
		if reason != "" {
			return &connect.ValueError{Table: in.target.Table, Column: in.target.Columns[i].Name, Row: n, Reason: reason}
		}
		in.args = append(in.args, sqldriver.NamedValue{Ordinal: len(in.args) + 1, Value: arg})
		in.bytes += len(v.Text)
	}
	in.rows++
	if in.rows < in.full && in.bytes < insertBytes {
		return nil
	}
	return in.flush(ctx, c)
}

// argument is what the driver gets for a value.
func (in *inserter) argument(i int, v connect.Value) (arg sqldriver.Value, reason string) {
	if v.IsNull() {
		if in.never[i] {
			return nil, "NULL in a column that has none"
		}
		return nil, ""
	}
	if g := in.guards[i]; g != nil {
		if reason := g(v); reason != "" {
			return nil, reason
		}
	}
	switch v.Kind {
	case connect.Integer:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return n, ""
		}
	case connect.Boolean:
		if in.forms[i].kind == connect.Boolean {
			return map[string]int64{"true": 1}[v.Text], ""
		}
	case connect.Float:
		if in.forms[i].kind == connect.Float {
			x, err := strconv.ParseFloat(v.Text, 64)
			if err != nil {
				return nil, "no number"
			}
			return x, ""
		}
	case connect.Instant:
		if in.forms[i].kind == connect.Instant {
			return strings.TrimSuffix(v.Text, "Z"), ""
		}
	}
	return v.Text, ""
}

// flush sends the rows that wait.
func (in *inserter) flush(ctx context.Context, c *session) error {
	width := len(in.forms)
	for in.rows > 0 {
		n := in.rows
		st := in.many
		var err error
		switch {
		case n == in.full && in.many == nil:
			in.many, err = c.PrepareContext(ctx, in.statement(n))
			st = in.many
		case n == in.full:
		case n < 8: // one after the other: not worth a statement
			n = 1
			if in.one == nil {
				in.one, err = c.PrepareContext(ctx, in.statement(1))
			}
			st = in.one
		default:
			st, err = c.PrepareContext(ctx, in.statement(n))
		}
		if err != nil {
			return failure(ctx, err)
		}
		_, err = st.(sqldriver.StmtExecContext).ExecContext(ctx, in.args[:n*width])
		if st != in.many && st != in.one {
			st.Close()
		}
		if err != nil {
			return in.refused(ctx, err)
		}
		in.args = append(in.args[:0], in.args[n*width:]...)
		for i := range in.args {
			in.args[i].Ordinal = i + 1
		}
		in.rows -= n
		in.first += int64(n)
	}
	in.bytes = 0
	return nil
}

func (in *inserter) statement(rows int) string {
	var names, updates []string
	for _, c := range in.target.Columns {
		q := statement.Quote(c.Name)
		names = append(names, q)
		updates = append(updates, q+" = VALUES("+q+")")
	}
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(names)), ",") + ")"
	out := "INSERT INTO " + statement.Table(in.target.Table) + " (" + strings.Join(names, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+",", rows), ",")
	if in.target.Mode == connect.Merge {
		out += " ON DUPLICATE KEY UPDATE " + strings.Join(updates, ", ")
	}
	return out
}

// refusedPlace finds column and row in a message: "... for column `d`.`t`.`a` at row 3".
var refusedPlace = regexp.MustCompile("for column ['`]?(?:`?[^`']*`\\.`[^`']*`\\.`)?([^'`]{1,256})['`]? at row ([0-9]+)$")

// refused tells what the server has against the rows.
func (in *inserter) refused(ctx context.Context, err error) error {
	done := failure(ctx, err)
	var me *driver.MySQLError
	if !errors.Is(done, connect.ErrInvalid) || !errors.As(err, &me) {
		return done
	}
	if m := refusedPlace.FindStringSubmatch(me.Message); m != nil {
		row, _ := strconv.ParseInt(m[2], 10, 64)
		return &connect.ValueError{Table: in.target.Table, Column: m[1], Row: in.first + row - 1, Reason: "mysql " + strconv.Itoa(int(me.Number)) + ": does not fit the column"}
	}
	return done
}

// close forgets the statements; the server does so too.
func (in *inserter) close() {
	for _, st := range []sqldriver.Stmt{in.many, in.one} {
		if st != nil {
			st.Close()
		}
	}
	in.many, in.one = nil, nil
}
