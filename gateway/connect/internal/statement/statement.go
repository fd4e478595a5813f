// Package statement writes the SQL that all database drivers of gateway/connect
// have in common: the one SELECT of a Selection, with every name quoted and
// every value a parameter.
//
// It is no SQL builder for others: there are no joins, functions or literals.
//
//	connect.Selection ── Check ──> Dialect.Select ──> Statement{SQL, Args, Columns, Key}
//
// Invariants: no value is part of the SQL text; no name is unquoted; no column
// is read that is not in the Selection's Columns or the key.
package statement

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mulian/gateway/connect"
)

// A Dialect is what differs between databases.
type Dialect struct {
	// Param is the n-th parameter's place, from 1.
	Param func(n int) string
	// Read is the expression that reads a quoted column.
	Read func(quoted string) string
	// Compare brings a quoted column into the form that Bind gives values of it.
	Compare func(c connect.Column, quoted string) string
	// Key orders a quoted key column as Source.Scan promises.
	Key func(c connect.Column, quoted string) string
	// Place gives a parameter's place the type that it is compared in; nil: the place as it is.
	Place func(b Bound, param string) string
	// In compares a quoted column with a list of places, exactly; nil: Compare(column) IN (places).
	// again tells that the SQL holds the places twice: their parameters follow once more.
	In func(c connect.Column, quoted string, places []string) (sql string, again bool)
}

// A Bound is a parameter: a value, and the column that it is compared with.
type Bound struct {
	Column connect.Column
	Value  connect.Value
	Key    bool // a Row of After: as Batch.Last gave it, not canonical
	After  bool // of an OpAfter condition
}

// A Statement is ready to be run.
type Statement struct {
	SQL     string
	Args    []Bound
	Columns []connect.Column // of the result: the wanted ones, then key columns that are not among them
	Wanted  int              // how many of Columns are wanted
	Key     []int            // where in the result the key is; nil: there is none
}

// Quote makes a name of SQL of any text without NUL.
func Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Table quotes a table's name.
func Table(n connect.TableName) string {
	if n.Schema == "" {
		return Quote(n.Name)
	}
	return Quote(n.Schema) + "." + Quote(n.Name)
}

// CheckName refuses names that no database of ours has.
func CheckName(name string) error {
	if name == "" || len(name) > connect.MaxNameBytes || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("%w: name of %d bytes", connect.ErrInvalid, len(name))
	}
	return nil
}

// Check refuses a Selection that is out of bounds. query is true for
// Source.Query, false for Source.Scan.
func Check(s connect.Selection, query bool) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: selection of %s: %s", connect.ErrInvalid, s.Table, fmt.Sprintf(format, args...))
	}
	if err := CheckName(s.Table.Name); err != nil {
		return err
	}
	if len(s.Columns) == 0 || len(s.Columns) > connect.MaxColumns || len(s.OrderBy) > connect.MaxColumns || len(s.Where) > connect.MaxConditions {
		return invalid("%d columns, %d in order, %d conditions", len(s.Columns), len(s.OrderBy), len(s.Where))
	}
	byKey := false
	for _, c := range s.Where {
		if c.Op != connect.OpIn && c.Op != connect.OpAfter || c.Op == connect.OpAfter && len(c.Values) != 1 ||
			len(c.Values) == 0 || len(c.Values) > connect.MaxConditionValues {
			return invalid("condition on %q with %d values", c.Column, len(c.Values))
		}
		for _, v := range c.Values {
			if v.IsNull() || v.Check() != nil {
				return invalid("condition on %q with NULL or a value that is not canonical", c.Column)
			}
		}
		byKey = byKey || c.Op == connect.OpIn
	}
	switch {
	case query && !byKey:
		return invalid("a query needs the values of a key")
	case query && (s.Limit < 1 || s.Limit > connect.MaxQueryRows):
		return invalid("limit %d, 1 to %d", s.Limit, connect.MaxQueryRows)
	case query && s.After != nil, s.Limit < 0:
		return invalid("After belongs to a scan, and Limit is not negative")
	}
	return nil
}

// Select makes the statement for s on table t, as the database describes it now.
// key is the order where s.OrderBy is empty: the primary key, or nil.
func (d Dialect) Select(t connect.Table, s connect.Selection, key []string, rest string) (*Statement, error) {
	st := &Statement{Wanted: len(s.Columns)}
	for _, name := range s.Columns {
		if err := st.column(t, name); err != nil {
			return nil, err
		}
	}
	if len(s.OrderBy) > 0 {
		key = s.OrderBy
	}
	for _, name := range key {
		at := slices.IndexFunc(st.Columns, func(c connect.Column) bool { return c.Name == name })
		if at < 0 {
			if err := st.column(t, name); err != nil {
				return nil, err
			}
			at = len(st.Columns) - 1
		}
		st.Key = append(st.Key, at)
	}
	var sql strings.Builder
	sql.WriteString("SELECT ")
	for i, c := range st.Columns {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString(d.Read(Quote(c.Name)))
	}
	sql.WriteString(" FROM " + Table(t.TableName))
	where, err := d.where(st, t, s)
	if err != nil {
		return nil, err
	}
	if len(where) > 0 {
		sql.WriteString(" WHERE " + strings.Join(where, " AND "))
	}
	if order := d.keys(st); len(order) > 0 {
		sql.WriteString(" ORDER BY " + strings.Join(order, ", "))
	} else {
		sql.WriteString(rest)
	}
	if s.Limit > 0 {
		fmt.Fprintf(&sql, " LIMIT %d", s.Limit)
	}
	st.SQL = sql.String()
	return st, nil
}

func (st *Statement) column(t connect.Table, name string) error {
	c, ok := t.Column(name)
	if !ok {
		return fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, t.TableName, name)
	}
	st.Columns = append(st.Columns, c)
	return nil
}

func (d Dialect) keys(st *Statement) []string {
	var out []string
	for _, at := range st.Key {
		out = append(out, d.Key(st.Columns[at], Quote(st.Columns[at].Name)))
	}
	return out
}

func (d Dialect) where(st *Statement, t connect.Table, s connect.Selection) ([]string, error) {
	var out []string
	param := func(b Bound) string {
		st.Args = append(st.Args, b)
		if d.Place != nil {
			return d.Place(b, d.Param(len(st.Args)))
		}
		return d.Param(len(st.Args))
	}
	for _, cond := range s.Where {
		c, ok := t.Column(cond.Column)
		if !ok {
			return nil, fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, t.TableName, cond.Column)
		}
		left := d.Compare(c, Quote(c.Name))
		if cond.Op == connect.OpAfter {
			out = append(out, left+" > "+param(Bound{Column: c, Value: cond.Values[0], After: true}))
			continue
		}
		var places []string
		first := len(st.Args)
		for _, v := range cond.Values {
			places = append(places, param(Bound{Column: c, Value: v}))
		}
		if d.In == nil {
			out = append(out, left+" IN ("+strings.Join(places, ", ")+")")
			continue
		}
		sql, again := d.In(c, Quote(c.Name), places)
		out = append(out, sql)
		if again {
			st.Args = append(st.Args, st.Args[first:]...)
		}
	}
	if s.After == nil {
		return out, nil
	}
	if len(st.Key) == 0 || len(s.After) != len(st.Key) {
		return nil, fmt.Errorf("%w: %s cannot go on after a row", connect.ErrNoKey, t.TableName)
	}
	var places []string
	for i, v := range s.After {
		if v.IsNull() {
			return nil, fmt.Errorf("%w: %s: NULL in the key to go on after", connect.ErrNoKey, t.TableName)
		}
		places = append(places, param(Bound{Column: st.Columns[st.Key[i]], Value: v, Key: true}))
	}
	return append(out, fmt.Sprintf("(%s) > (%s)", strings.Join(d.keys(st), ", "), strings.Join(places, ", "))), nil
}
