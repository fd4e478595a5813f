package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mulian/gateway/connect"
)

// describeAll reads the structure of every table and view, in one transaction.
func describeAll(ctx context.Context, q queryer) (*connect.Schema, error) {
	found, err := list(ctx, q, `SELECT name, type = 'view' FROM sqlite_schema
		WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT IN (?1, ?2) ORDER BY name`,
		func(scan func(...any) error) (t connect.Table, err error) {
			return t, scan(&t.Name, &t.View)
		}, connect.ControlTable, connect.SubscriptionTable)
	if err != nil {
		return nil, err
	}
	if len(found) > connect.MaxTables {
		return nil, fmt.Errorf("%w: %d tables", connect.ErrTooLarge, len(found))
	}
	s := &connect.Schema{}
	for _, t := range found {
		if err := describe(ctx, q, &t); err != nil {
			return nil, err
		}
		if err := describeIndexes(ctx, q, &t); err != nil {
			return nil, err
		}
		s.Tables = append(s.Tables, t)
	}
	s.Normalise()
	return s, s.Check()
}

// describeOne finds and describes the table of that name, without its indexes:
// it is part of each Query.
func describeOne(ctx context.Context, q queryer, n connect.TableName) (connect.Table, error) {
	t := connect.Table{TableName: n}
	if n.Schema != "" && n.Schema != "main" {
		return t, fmt.Errorf("%w: %s: SQLite has the schema main only", connect.ErrNoTable, n)
	}
	t.Schema = ""
	// The name as it is, not as SQLite would fold it: A and a are different to the catalogue.
	err := q.QueryRowContext(ctx, `SELECT type = 'view' FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1`, n.Name).Scan(&t.View)
	if errors.Is(err, sql.ErrNoRows) {
		return t, fmt.Errorf("%w: %s", connect.ErrNoTable, n)
	}
	if err != nil {
		return t, failure(ctx, err)
	}
	return t, describe(ctx, q, &t)
}

// describe fills in columns and key. A view that names what is no
// longer there has no columns.
func describe(ctx context.Context, q queryer, t *connect.Table) error {
	type column struct {
		connect.Column
		key    int
		hidden int
	}
	columns, err := list(ctx, q, `SELECT name, type, "notnull", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid`,
		func(scan func(...any) error) (c column, err error) {
			var notNull bool
			err = scan(&c.Name, &c.Type, &notNull, &c.HasDefault, &c.key, &c.hidden)
			c.Nullable = !notNull
			return c, err
		}, t.Name)
	if err != nil {
		if t.View && strings.Contains(err.Error(), "no such") {
			return nil
		}
		return err
	}
	keys := map[int]string{}
	for _, c := range columns {
		if c.hidden == 1 { // of a virtual table; generated columns are 2 and 3
			continue
		}
		c.Kind, c.Position = kindOf(c.Type), len(t.Columns)+1
		c.HasDefault = c.HasDefault || c.hidden > 1
		t.Columns = append(t.Columns, c.Column)
		if c.key > 0 {
			keys[c.key] = c.Name
		}
	}
	for i := 1; i <= len(keys); i++ {
		t.PrimaryKey = append(t.PrimaryKey, keys[i])
	}
	// INTEGER PRIMARY KEY is the row id and never NULL, whatever the pragma says.
	if len(t.PrimaryKey) == 1 {
		i := slices.IndexFunc(t.Columns, func(c connect.Column) bool { return c.Name == t.PrimaryKey[0] })
		if strings.EqualFold(t.Columns[i].Type, "INTEGER") {
			t.Columns[i].Nullable, t.Columns[i].HasDefault = false, true
		}
	}
	return nil
}

func describeIndexes(ctx context.Context, q queryer, t *connect.Table) error {
	indexes, err := list(ctx, q, `SELECT name, "unique", partial FROM pragma_index_list(?1) WHERE origin <> 'pk' ORDER BY name`,
		func(scan func(...any) error) (ix connect.Index, err error) {
			return ix, scan(&ix.Name, &ix.Unique, &ix.Partial)
		}, t.Name)
	if err != nil {
		return err
	}
	for i := range indexes {
		indexes[i].Columns, err = list(ctx, q, `SELECT coalesce(name, '(expression)') FROM pragma_index_info(?1) ORDER BY seqno`,
			func(scan func(...any) error) (name string, err error) { return name, scan(&name) }, indexes[i].Name)
		if err != nil {
			return err
		}
	}
	t.Indexes = indexes
	return nil
}

// queryer is a *sql.Conn or *sql.Tx.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// list runs a query and collects one T for each row.
func list[T any](ctx context.Context, q queryer, query string, one func(scan func(...any) error) (T, error), args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, failure(ctx, err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		x, err := one(rows.Scan)
		if err != nil {
			return nil, failure(ctx, err)
		}
		out = append(out, x)
	}
	return out, failure(ctx, rows.Err())
}
