package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

const (
	// maxColumns of a table of InnoDB (its own limit).
	maxColumns = 1_017
	// maxKeyBytes of an index of InnoDB, in the row format that is the default since 5.7.
	maxKeyBytes = 3_072
	// madeByUs is the comment of a table that a load created.
	madeByUs = "mulian load"
)

// declared is the type that a Load creates for a kind: the widest that gives the value
// back as it was. What MySQL has no such type for is text, or a datetime in UTC, with a
// mark in the column's comment: decimals of any scale, moments outside 1970 to 2038, JSON
// (which MySQL rewrites). An asker who wants to calculate creates the table himself.
func (l *load) declared(c connect.Column) string {
	text, bytes := "LONGTEXT", "LONGBLOB"
	if slices.Contains(l.target.PrimaryKey, c.Name) {
		n := l.keyBytes()
		text, bytes = fmt.Sprintf("VARCHAR(%d)", max(1, min(n/4, 500))), fmt.Sprintf("VARBINARY(%d)", max(1, min(n, 2000)))
	}
	utf8 := text + " CHARACTER SET utf8mb4 COLLATE " + l.pool.server.collation
	var mark string
	for comment, kind := range marks {
		if kind == c.Kind {
			mark = " COMMENT '" + comment + "'"
		}
	}
	null := ""
	if !c.Nullable {
		null = " NOT NULL"
	}
	switch c.Kind {
	case connect.Integer:
		return "BIGINT" + null
	case connect.Decimal:
		return text + " CHARACTER SET ascii COLLATE ascii_bin" + null + mark
	case connect.Boolean:
		return "TINYINT(1)" + null
	case connect.Date:
		return "DATE" + null
	case connect.Timestamp, connect.Instant:
		return "DATETIME(6)" + null + mark
	case connect.Bytes:
		return bytes + null
	case connect.Float:
		return "DOUBLE" + null
	default:
		return utf8 + null + mark
	}
}

// keyBytes is what each text of the key has of InnoDB's bytes.
func (l *load) keyBytes() int {
	left, texts := maxKeyBytes, 0
	for _, name := range l.target.PrimaryKey {
		c, _ := (&connect.Table{Columns: l.target.Columns}).Column(name)
		switch c.Kind {
		case connect.Text, connect.Bytes, connect.Decimal, connect.JSON:
			texts++
		default:
			left -= 8
		}
	}
	return max(left, 0) / max(texts, 1)
}

func (l *load) create() string {
	var parts []string
	for _, c := range l.target.Columns {
		parts = append(parts, statement.Quote(c.Name)+" "+l.declared(c))
	}
	if key := l.target.PrimaryKey; len(key) > 0 {
		parts = append(parts, "PRIMARY KEY ("+quoteAll(key)+")")
	}
	return "CREATE TABLE " + statement.Table(l.target.Table) + " (" + strings.Join(parts, ", ") + ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='" + madeByUs + "'"
}

func quoteAll(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, statement.Quote(n))
	}
	return strings.Join(out, ", ")
}

// dropUnborn drops what a load left that ended before its first commit: a table that a
// load created, that is empty, and that no delivery and no
// subscription names. It is called under the
// table's lock.
func (p *pool) dropUnborn(ctx context.Context, c *session, name string) (dropped bool, err error) {
	ours := false
	err = c.query(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND TABLE_COMMENT = ?",
		[]sqldriver.Value{p.name, name, madeByUs}, func(v []sqldriver.Value) error { ours = text(v[0]) == name; return nil })
	if err != nil || !ours {
		return false, err
	}
	used := false
	see := func([]sqldriver.Value) error { used = true; return nil }
	for _, ledger := range []string{control, subscriptions} {
		err = c.query(ctx, "SELECT 1 FROM "+ledger+" WHERE table_name = ? LIMIT 1", []sqldriver.Value{name}, see)
		if err != nil && !errors.Is(err, connect.ErrNoTable) || used {
			return false, err
		}
	}
	quoted := statement.Table(connect.TableName{Name: name})
	if err := c.query(ctx, "SELECT 1 FROM "+quoted+" LIMIT 1", nil, see); err != nil || used {
		return false, err
	}
	return true, c.exec(ctx, "DROP TABLE "+quoted)
}
