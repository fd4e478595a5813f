package mysql

import (
	"bytes"
	"context"
	"crypto/sha256"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/lacking"
)

// feedPlan is what a Follow needs to know, and what it found missing.
type feedPlan struct {
	server   string // who it is, in positions
	serverID uint32 // ours
	base     string // of the log's files
	now      place  // what a snapshot sees that begins now
	files    map[uint64]uint64
	tables   map[string]*followedTable

	told bool // a piece of the present transaction

	lacking.List
}

// followedTable is a table whose changes are told, by its key.
type followedTable struct {
	name  connect.TableName
	key   []string
	forms []columnForm
}

// feedSettings are the server's settings that a feed needs.
var feedSettings = []struct{ name, want, set string }{
	{"binlog_format", "ROW", "SET GLOBAL binlog_format = 'ROW';"},
	{"binlog_row_image", "FULL NOBLOB", "SET GLOBAL binlog_row_image = 'NOBLOB';"},
	// With it the log names the columns of each row: an older row is never read by a newer table's order.
	{"binlog_row_metadata", "FULL", "SET GLOBAL binlog_row_metadata = 'FULL';"},
}

// survey finds out what the server has and lacks for a feed of the tables.
func (s *source) survey(ctx context.Context, c *session, names []connect.TableName) (*feedPlan, error) {
	if !s.server.mariadb {
		return nil, &connect.NoFeedError{Cause: "only MariaDB tells which transactions a snapshot sees"}
	}
	p := &feedPlan{serverID: feedID(s.address.feed, s.name), files: map[uint64]uint64{}, tables: map[string]*followedTable{}}
	settings := map[string]string{}
	err := c.query(ctx, `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', 'binlog_row_metadata',
		'server_id', 'hostname', 'port', 'datadir', 'server_uid')`, nil, func(v []sqldriver.Value) error {
		settings[strings.ToLower(text(v[0]))] = text(v[1])
		return nil
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(settings["hostname"] + "\x00" + settings["port"] + "\x00" + settings["datadir"] + "\x00" + settings["server_id"]))
	p.server = hex.EncodeToString(sum[:6])
	if settings["log_bin"] != "ON" {
		p.Source("the server keeps no binary log", "-- in the server's configuration: log_bin, binlog_format=ROW, binlog_row_metadata=FULL; and restart it")
		return nil, p.Err()
	}
	for _, set := range feedSettings {
		// For DDL events alone any log will do.
		if len(names) > 0 && !slices.Contains(strings.Fields(set.want), settings[set.name]) {
			p.Source(fmt.Sprintf("%s is %q", set.name, settings[set.name]), set.set)
		}
	}
	if err := p.logFiles(ctx, c); err != nil {
		return nil, err
	}
	for _, n := range names {
		if err := s.followable(ctx, c, p, n); err != nil {
			return nil, err
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	p.now, err = snapshotPlace(ctx, c)
	return p, err
}

// logFiles lists what the server keeps.
func (p *feedPlan) logFiles(ctx context.Context, c *session) error {
	err := c.query(ctx, "SHOW BINARY LOGS", nil, func(v []sqldriver.Value) error {
		base, number, err := fileNumber(text(v[0]))
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(text(v[1]), 10, 64)
		p.base, p.files[number] = base, size
		return err
	})
	if errors.Is(err, connect.ErrDenied) {
		p.Source("the account may not read the log", "-- the statements of: mulian source grant-sql --feed")
		return nil
	}
	return err
}

// followable looks whether the log tells each change of a table with a key that can be read
// from it.
func (s *source) followable(ctx context.Context, c *session, p *feedPlan, n connect.TableName) error {
	t, err := s.described(ctx, c, n, 0)
	if errors.Is(err, connect.ErrNoTable) {
		p.Table(n, "is not there, or the account may not read it")
		return nil
	}
	if err != nil {
		return err
	}
	if t.View || len(t.PrimaryKey) == 0 {
		p.Table(n, "is no table with a primary key")
		return nil
	}
	f := &followedTable{name: t.TableName, key: t.PrimaryKey}
	for _, k := range t.PrimaryKey {
		form := t.more[k]
		if !form.inLog() {
			p.Table(n, "its key has a column of type "+form.full)
		}
		f.forms = append(f.forms, form)
	}
	p.tables[t.Name] = f
	// InnoDB itself carries these out, and logs only the row that began it.
	return c.query(ctx, `SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ?
		AND (DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))`, []sqldriver.Value{s.name, t.Name},
		func(v []sqldriver.Value) error {
			p.Table(n, fmt.Sprintf("changes with another one (foreign key %.64q), which the log does not tell", text(v[0])))
			return nil
		})
}

// inLog tells whether values of the column can be read from the log as the source reads them:
// there a text is in the column's own character set, and an enum a number.
func (f columnForm) inLog() bool {
	switch strings.ToLower(f.base) {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year", "decimal", "date", "datetime", "timestamp", "binary", "varbinary":
		return true
	case "char", "varchar":
		return strings.HasPrefix(f.collation, "utf8") || strings.HasPrefix(f.collation, "ascii")
	}
	return false
}

// logColumn is where a column of the key stands in an event's rows.
type logColumn struct {
	at       int
	unsigned bool
}

// columnsIn finds the key's columns by the names that the event itself carries.
func (t *followedTable) columnsIn(e *replication.TableMapEvent) ([]logColumn, error) {
	if len(e.ColumnName) != int(e.ColumnCount) {
		return nil, fmt.Errorf("%w: the log of that time names no columns", connect.ErrPositionLost)
	}
	unsigned := e.UnsignedMap()
	var out []logColumn
	for _, k := range t.key {
		at := slices.IndexFunc(e.ColumnName, func(name []byte) bool { return bytes.Equal(name, []byte(k)) })
		if at < 0 {
			return nil, &connect.NoFeedError{Cause: fmt.Sprintf("table %s: it had no column %q then", t.name, k), Tables: []connect.TableName{t.name}}
		}
		out = append(out, logColumn{at, unsigned[at]})
	}
	return out, nil
}

// keyOf reads the key of a row of the log.
func (t *followedTable) keyOf(columns []logColumn, row []any) (connect.Row, error) {
	out := make(connect.Row, len(columns))
	for i, c := range columns {
		if c.at >= len(row) {
			return nil, fmt.Errorf("%w: a row of the log is shorter than its table", connect.ErrPositionLost)
		}
		v, reason := readOne(t.forms[i], asResult(t.forms[i], row[c.at], c.unsigned))
		if reason == "" && v.IsNull() {
			reason = "NULL in a key"
		}
		if reason != "" {
			return nil, &connect.ValueError{Table: t.name, Column: t.key[i], Reason: reason}
		}
		out[i] = v
	}
	return out, nil
}

// asResult makes of a value of the log what a statement would have given.
func asResult(f columnForm, v any, unsigned bool) sqldriver.Value {
	switch x := v.(type) {
	case int8:
		if unsigned {
			return int64(uint8(x))
		}
		return int64(x)
	case int16:
		if unsigned {
			return int64(uint16(x))
		}
		return int64(x)
	case int32:
		switch {
		case unsigned && f.base == "mediumint":
			return int64(uint32(x) & 0xffffff)
		case unsigned:
			return int64(uint32(x))
		}
		return int64(x)
	case int64:
		if unsigned && x < 0 {
			return strconv.FormatUint(uint64(x), 10)
		}
		return x
	case int:
		return int64(x)
	case string:
		return padded(f, []byte(x))
	case []byte:
		return padded(f, x)
	}
	return v
}

// padded gives a binary(n) its zeros back, which the log leaves out.
func padded(f columnForm, x []byte) []byte {
	if f.base != "binary" {
		return x
	}
	n, _ := strconv.Atoi(strings.Trim(f.full, "binary()"))
	if len(x) >= n {
		return x
	}
	return append(slices.Clone(x), make([]byte, n-len(x))...)
}

// createdPause is how long TableVersion waits until the second is over in which a table was
// made: the server tells it no finer, and an ALTER TABLE within it would not show.
const createdPause = 200 * time.Millisecond

// TableVersion is connect.Feeder's. Each ALTER TABLE, and what writes the table anew, gives it
// another time of creation.
func (s *source) TableVersion(ctx context.Context, table connect.TableName) (version string, err error) {
	n, err := s.named(table)
	if err != nil {
		return "", err
	}
	for {
		old := false
		err := s.on(ctx, func(ctx context.Context, c *session) error {
			version, old, err = s.versionOf(ctx, c, n)
			return err
		})
		if err != nil || old {
			return version, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(createdPause):
		}
	}
}

// versionOf reads it once; not old: the table was made within this second.
func (s *source) versionOf(ctx context.Context, c *session, n connect.TableName) (version string, old bool, err error) {
	sum := sha256.New()
	there := false
	note := func(v []sqldriver.Value) error {
		for _, x := range v {
			fmt.Fprintf(sum, "%d\x00%s\x00", len(text(x)), text(x))
		}
		return nil
	}
	args := []sqldriver.Value{s.name, n.Name}
	err = c.query(ctx, `SELECT CREATE_TIME, ENGINE, coalesce(timestampdiff(SECOND, CREATE_TIME, now()) <> 0, 1)
		FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`, args, func(v []sqldriver.Value) error {
		there, old = true, text(v[2]) != "0"
		return note(v[:2])
	})
	if err == nil {
		err = c.query(ctx, `SELECT ORDINAL_POSITION, COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME, GENERATION_EXPRESSION
			FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`, args, note)
	}
	if err == nil {
		err = c.query(ctx, `SELECT PARTITION_NAME, SUBPARTITION_NAME, CREATE_TIME
			FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY PARTITION_NAME, SUBPARTITION_NAME`, args, note)
	}
	if err == nil && !there {
		err = fmt.Errorf("%w: %s", connect.ErrNoTable, n)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), old, err
}
