package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// Tables and views of the database, with the columns that the account may read. The first
// parameter is the database, the second the table, or NULL for all.
const (
	tablesSQL = `SELECT TABLE_NAME, TABLE_TYPE, TABLE_COMMENT FROM information_schema.TABLES
		WHERE TABLE_SCHEMA = ? AND (? IS NULL OR TABLE_NAME = ?)`
	columnsSQL = `SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, COLUMN_COMMENT, COLLATION_NAME
		FROM information_schema.COLUMNS
		WHERE TABLE_SCHEMA = ? AND (? IS NULL OR TABLE_NAME = ?) AND FIND_IN_SET('select', PRIVILEGES)
		ORDER BY TABLE_NAME, ORDINAL_POSITION`
	indexesSQL = `SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA = ? AND (? IS NULL OR TABLE_NAME = ?) ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`
)

// A tableDescription is what we know of a table beside its document.
type tableDescription struct {
	connect.Table
	more map[string]columnForm
	read time.Time // when
}

// columnForm is how a column's values are compared and stored.
type columnForm struct {
	kind      connect.Kind
	base      string // DATA_TYPE: varchar
	full      string // COLUMN_TYPE: varchar(18)
	marked    bool   // a kind that MySQL has no type for (marks)
	collation string
	byBytes   bool // its own order is that of its UTF-8 bytes, and blanks at the end count
}

// marks are the comments of columns that a load created, for kinds that no type of MySQL
// holds exactly: decimals of any scale, moments before 1970, JSON as it was written.
var marks = map[string]connect.Kind{"mulian:decimal": connect.Decimal, "mulian:instant": connect.Instant, "mulian:json": connect.JSON}

// named brings a table's name into the one form of this package: the URL names the
// database, so a table has no other schema.
func (p *pool) named(n connect.TableName) (connect.TableName, error) {
	if n.Schema != "" && n.Schema != p.name {
		return n, fmt.Errorf("%w: %s: the URL names the database; another one is another source", connect.ErrNoTable, n)
	}
	n.Schema = ""
	return n, nil
}

// describe reads the structure of all tables, or of one. MySQL's information_schema is no
// snapshot: indexes come first, so that a table which is renamed meanwhile is whole.
func (p *pool) describe(ctx context.Context, s *session, only string) ([]*tableDescription, error) {
	args := []sqldriver.Value{p.name, nil, nil}
	if only != "" {
		args[1], args[2] = only, only
	}
	indexes, err := indexesOf(ctx, s, args)
	if err != nil {
		return nil, err
	}
	tables := map[string]*tableDescription{}
	err = s.ask(ctx, tablesSQL, args, true, nil, func(v []sqldriver.Value) error {
		name, kind := text(v[0]), text(v[1])
		if name == connect.ControlTable || name == connect.SubscriptionTable || only != "" && name != only || kind == "SEQUENCE" || kind == "SYSTEM VIEW" {
			return nil
		}
		if len(tables) == connect.MaxTables {
			return fmt.Errorf("%w: more than %d tables", connect.ErrTooLarge, connect.MaxTables)
		}
		t := &tableDescription{more: map[string]columnForm{}, read: time.Now()}
		t.Name, t.View = name, kind == "VIEW"
		if !t.View { // a view's comment is the word VIEW
			t.Comment = text(v[2])
		}
		tables[name] = t
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.ask(ctx, columnsSQL, args, true, nil, func(v []sqldriver.Value) error {
		if t := tables[text(v[0])]; t != nil {
			t.column(v, p.server.mariadb)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []*tableDescription
	for name, t := range tables {
		if len(t.Columns) == 0 { // none that may be read
			continue
		}
		t.index(indexes[name])
		if err := t.findJSON(ctx, s, p.server.mariadb); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

var (
	displayWidth = regexp.MustCompile(`^(tinyint|smallint|mediumint|int|bigint|year)\([0-9]+\)`)
	jsonCheck    = regexp.MustCompile(`json_valid\("((?:[^"]|"")*)"\)`) // quoted as the session quotes
)

func (t *tableDescription) column(v []sqldriver.Value, mariadb bool) {
	c := connect.Column{Name: text(v[1]), Nullable: text(v[4]) == "YES", Comment: text(v[7]), Position: len(t.Columns) + 1}
	f := columnForm{base: text(v[2]), full: text(v[3]), collation: text(v[8])}
	f.kind = kindOf(f.base, f.full)
	if mark, ok := marks[c.Comment]; ok {
		f.kind, f.marked = mark, true
	}
	f.byBytes = f.collation == "utf8mb4_nopad_bin" || f.collation == "utf8mb4_0900_bin" || f.collation == "utf8mb3_nopad_bin" || f.collation == "utf8_nopad_bin" ||
		f.collation == "ascii_nopad_bin"
	c.Kind, c.Type = f.kind, f.full
	// The width of an integer is only for showing it, and newer servers do not name it.
	if !strings.Contains(c.Type, "zerofill") && !(f.kind == connect.Boolean) {
		c.Type = displayWidth.ReplaceAllString(c.Type, "$1")
	}
	extra, has := strings.ToLower(text(v[6])), v[5] != nil
	if mariadb && text(v[5]) == "NULL" { // its texts are quoted
		has = false
	}
	c.HasDefault = has || strings.Contains(extra, "auto_increment") || strings.Contains(extra, "generated")
	t.Columns = append(t.Columns, c)
	t.more[c.Name] = f
}

// part is one column of an index.
type part struct {
	index, column string
	unique, cut   bool
}

func indexesOf(ctx context.Context, s *session, args []sqldriver.Value) (map[string][]part, error) {
	out := map[string][]part{}
	return out, s.ask(ctx, indexesSQL, args, true, nil, func(v []sqldriver.Value) error {
		p := part{index: text(v[1]), unique: text(v[2]) == "0", column: text(v[3]), cut: v[4] != nil}
		if v[3] == nil {
			p.column = "(expression)"
		}
		out[text(v[0])] = append(out[text(v[0])], p)
		return nil
	})
}

// index adds the key and the indexes. One with a column that the account may not read is
// left out: its columns are not part of the document.
func (t *tableDescription) index(parts []part) {
	for len(parts) > 0 {
		n := slices.IndexFunc(parts, func(p part) bool { return p.index != parts[0].index })
		if n < 0 {
			n = len(parts)
		}
		ix := connect.Index{Name: parts[0].index, Unique: parts[0].unique}
		readable := true
		for _, p := range parts[:n] {
			ix.Columns = append(ix.Columns, p.column)
			ix.Partial = ix.Partial || p.cut // of the values' beginnings alone
			_, ok := t.Column(p.column)
			readable = readable && (ok || p.column == "(expression)")
		}
		switch {
		case !readable:
		case ix.Name == "PRIMARY" && !ix.Partial:
			t.PrimaryKey = ix.Columns
		default:
			t.Indexes = append(t.Indexes, ix)
		}
		parts = parts[n:]
	}
}

// findJSON finds MariaDB's JSON columns: a longtext of utf8mb4_bin with a check that only
// the table's statement tells to an account with no more than SELECT. One that may read some of
// the columns alone is not told it: to it they are Text, the same text.
func (t *tableDescription) findJSON(ctx context.Context, s *session, mariadb bool) error {
	candidate := false
	for _, f := range t.more {
		candidate = candidate || f.base == "longtext" && f.collation == "utf8mb4_bin" && !f.marked
	}
	if !mariadb || !candidate || t.View {
		return nil
	}
	err := s.query(ctx, "SHOW CREATE TABLE "+statement.Table(t.TableName), nil, func(v []sqldriver.Value) error {
		for _, m := range jsonCheck.FindAllStringSubmatch(text(v[1]), -1) {
			name := strings.ReplaceAll(m[1], `""`, `"`)
			at := slices.IndexFunc(t.Columns, func(c connect.Column) bool { return c.Name == name })
			if f := t.more[name]; at >= 0 && f.base == "longtext" {
				f.kind, t.Columns[at].Kind = connect.JSON, connect.JSON
				t.more[name] = f
			}
		}
		return nil
	})
	if errors.Is(err, connect.ErrDenied) || errors.Is(err, connect.ErrNoTable) {
		return nil
	}
	return err
}

// inspectTries bounds how often Inspect looks again when the structure changes under it.
const inspectTries = 5

// inspect reads the whole document, until it is the same as the last time or twice the
// same: a DDL statement between two of its questions gives no half document.
func (p *pool) inspect(ctx context.Context, s *session, last string) (*connect.Schema, error) {
	for range inspectTries {
		tables, err := p.describe(ctx, s, "")
		if err != nil {
			return nil, err
		}
		schema := &connect.Schema{Tables: []connect.Table{}}
		for _, t := range tables {
			schema.Tables = append(schema.Tables, t.Table)
		}
		schema.Normalise()
		if err := schema.Check(); err != nil {
			return nil, err
		}
		hash := schema.Hash()
		if hash == last {
			return schema, nil
		}
		last = hash
	}
	return nil, fmt.Errorf("%w: its structure changes all the time", connect.ErrUnreachable)
}

// described gives a table's description, not older than maxAge.
func (p *pool) described(ctx context.Context, s *session, n connect.TableName, maxAge time.Duration) (*tableDescription, error) {
	n, err := p.named(n)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	t := p.known[n.Name]
	p.mu.Unlock()
	if t != nil && time.Since(t.read) < maxAge {
		return t, nil
	}
	found, err := p.describe(ctx, s, n.Name)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(found) == 0 {
		delete(p.known, n.Name)
		return nil, fmt.Errorf("%w: %s", connect.ErrNoTable, n)
	}
	if len(p.known) >= connect.MaxTables {
		clear(p.known)
	}
	p.known[n.Name] = found[0]
	return found[0], nil
}
