package mysql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"mulian/gateway/connect"
)

func init() {
	connect.Register(connect.Driver{Source: open, Sink: openSink, Grants: grants}, "mysql", "mariadb", "oceanbase", "tidb")
}

const (
	// maxConns is how many calls are served at the same time; a department's
	// server often has 150 connections in all. Our own choice.
	maxConns = 4
	// idleTime is how long a connection may rest before it is closed: shorter than what
	// firewalls between two machines commonly forget. Our own choice.
	idleTime = 5 * time.Minute
	// longestKey is how many bytes of a text or of bytes the order of a scan may hang on;
	// MySQL sorts by max_sort_length bytes alone, which sessions below set. InnoDB's own
	// keys have 3,072 at most.
	longestKey = 8 << 10
)

// settings make every server print and take values the same way. ANSI_QUOTES: names are
// quoted as in other databases. NO_AUTO_VALUE_ON_ZERO: a delivered 0 stays a 0.
const settings = `SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', ` +
	`time_zone = '+00:00', autocommit = 1`

// patience lets the other end of a delivery be slow: by itself a server cuts a
// connection that takes nothing for 60 s, or sends nothing for 30. Forks of MySQL do not
// know all of these.
var patience = []string{
	"SET SESSION max_sort_length = 8192", "SET SESSION net_write_timeout = 3600", "SET SESSION net_read_timeout = 3600",
	"SET SESSION innodb_lock_wait_timeout = 3600",
}

// readOnly refuses writes by the server, whatever the account may do.
const readOnly = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"

// pool holds the connections to one database, and what is known of its tables.
type pool struct {
	db      *sql.DB
	name    string // of the database
	address *address
	server  server

	mu    sync.Mutex                   // guards known
	known map[string]*tableDescription // by name
}

// server is what kind of server answers.
type server struct {
	mariadb   bool
	collation string // of text columns that a load creates: by bytes, blanks at the end count
}

// newPool opens a database; nothing is left open on an error.
func newPool(ctx context.Context, rawURL string, write bool) (*pool, error) {
	at, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	inner, err := driver.NewConnector(at.Config)
	if err != nil {
		return nil, invalid("refused by the driver")
	}
	p := &pool{db: sql.OpenDB(connector{inner, write}), name: at.DBName, address: at, known: map[string]*tableDescription{}}
	p.db.SetMaxOpenConns(maxConns)
	p.db.SetMaxIdleConns(maxConns)
	p.db.SetConnMaxIdleTime(idleTime)
	if err := p.on(ctx, p.meet); err != nil {
		p.db.Close()
		return nil, err
	}
	return p, nil
}

// meet finds out who answers.
func (p *pool) meet(ctx context.Context, s *session) error {
	err := s.query(ctx, "SELECT VERSION()", nil, func(v []sqldriver.Value) error {
		p.server.mariadb = strings.Contains(strings.ToLower(text(v[0])), "mariadb")
		return nil
	})
	if err != nil {
		return err
	}
	// The first that is there: neither exists in the other's server. Where there is none,
	// texts that differ by blanks at the end cannot be two keys of one table.
	p.server.collation = "utf8mb4_bin"
	return s.query(ctx, `SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')`, nil,
		func(v []sqldriver.Value) error { p.server.collation = text(v[0]); return nil })
}

// Close ends all connections that rest; the others end when they are released.
func (p *pool) Close() error { return p.db.Close() }

// on runs do on a connection that nobody else uses meanwhile.
func (p *pool) on(ctx context.Context, do func(ctx context.Context, s *session) error) error {
	c, err := p.db.Conn(ctx)
	if err != nil {
		return failure(ctx, err)
	}
	defer c.Close()
	return onConn(ctx, c, do)
}

// onConn runs do on a connection of ours.
func onConn(ctx context.Context, c *sql.Conn, do func(ctx context.Context, s *session) error) (err error) {
	raw := c.Raw(func(dc any) error {
		err = do(ctx, dc.(*session))
		return nil
	})
	if raw != nil {
		return failure(ctx, raw)
	}
	return err
}

// connector makes sessions.
type connector struct {
	sqldriver.Connector
	write bool
}

// Connect is called by database/sql for a new connection.
func (c connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{wire: conn.(wire), prepared: map[string]sqldriver.Stmt{}}
	if err := s.settle(ctx, c.write); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// wire is what the driver's connection can do.
type wire interface {
	sqldriver.Conn
	sqldriver.ConnPrepareContext
	sqldriver.ExecerContext
	sqldriver.Pinger
	sqldriver.SessionResetter
	sqldriver.Validator
}

// session is one connection and the statements that are prepared on it.
type session struct {
	wire
	prepared map[string]sqldriver.Stmt
}

// settle sets the session.
func (s *session) settle(ctx context.Context, write bool) error {
	if err := s.exec(ctx, settings); err != nil {
		return err
	}
	for _, set := range patience {
		if err := s.exec(ctx, set); err != nil && !unknownSetting(err) {
			return err
		}
	}
	if write {
		return nil
	}
	if err := s.exec(ctx, readOnly); err != nil && !unknownSetting(err) {
		return err
	}
	return nil
}

// unknownSetting tells a fork that does not have what MySQL has.
func unknownSetting(err error) bool {
	var me *driver.MySQLError
	return errors.As(err, &me) && (me.Number == 1193 || me.Number == 1235 || me.Number == 8104)
}

// exec runs a statement without a result, and without parameters unless there are args.
func (s *session) exec(ctx context.Context, sql string, args ...sqldriver.Value) error {
	if len(args) == 0 {
		_, err := s.ExecContext(ctx, sql, nil)
		return wrap(ctx, err)
	}
	st, err := s.PrepareContext(ctx, sql)
	if err != nil {
		return wrap(ctx, err)
	}
	defer st.Close()
	_, err = st.(sqldriver.StmtExecContext).ExecContext(ctx, ordinals(args))
	return wrap(ctx, err)
}

func ordinals(args []sqldriver.Value) []sqldriver.NamedValue {
	out := make([]sqldriver.NamedValue, len(args))
	for i, a := range args {
		out[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

// maxPrepared bounds the prepared statements of one connection: an agreement asks for
// the same columns by the same key again and again. Our own choice.
const maxPrepared = 100

// rowFunc takes a row's values, which are valid until it returns.
type rowFunc = func(values []sqldriver.Value) error

// typesFunc takes the types of a result's columns, before its rows.
type typesFunc = func(name func(column int) string) error

// query runs one statement, always as a prepared one: so values travel as what they are,
// and nothing is printed on the way.
func (s *session) query(ctx context.Context, sql string, args []sqldriver.Value, fn rowFunc) error {
	return s.ask(ctx, sql, args, false, nil, fn)
}

// ask is query; keep is for statements that come often, types may be nil.
func (s *session) ask(ctx context.Context, sql string, args []sqldriver.Value, keep bool, types typesFunc, fn rowFunc) error {
	st, kept := s.prepared[sql]
	if !kept {
		var err error
		if st, err = s.PrepareContext(ctx, sql); err != nil {
			return wrap(ctx, err)
		}
		if kept = keep && len(s.prepared) < maxPrepared; kept {
			s.prepared[sql] = st
		}
	}
	any := false
	err := s.read(ctx, st, args, types, func(v []sqldriver.Value) error { any = true; return fn(v) })
	if !kept {
		st.Close()
		return err
	}
	var me *driver.MySQLError
	if !any && errors.As(err, &me) && (me.Number == 1615 || me.Number == 1243) {
		// The table was changed, or something between us and the server lost the statement.
		delete(s.prepared, sql)
		st.Close()
		return s.ask(ctx, sql, args, false, types, fn)
	}
	return err
}

// read hands a result's rows to fn. When fn ends it, the connection is closed: a
// result that is given up would be read to its end otherwise, a table of any size.
func (s *session) read(ctx context.Context, st sqldriver.Stmt, args []sqldriver.Value, types typesFunc, fn rowFunc) error {
	rows, err := st.(sqldriver.StmtQueryContext).QueryContext(ctx, ordinals(args))
	if err != nil {
		return wrap(ctx, err)
	}
	if named, ok := rows.(sqldriver.RowsColumnTypeDatabaseTypeName); ok && types != nil {
		if err := types(named.ColumnTypeDatabaseTypeName); err != nil {
			s.Close()
			rows.Close()
			return err
		}
	}
	values := make([]sqldriver.Value, len(rows.Columns()))
	for {
		err := rows.Next(values)
		if err == io.EOF {
			return wrap(ctx, rows.Close())
		}
		if err != nil {
			rows.Close()
			return wrap(ctx, err)
		}
		if err := fn(values); err != nil {
			s.Close()
			rows.Close()
			return err
		}
	}
}

// wrap turns what the driver says into a connect error that still holds the server's number.
func wrap(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return failure(ctx, err)
}

// text is a result's value as text.
func text(v sqldriver.Value) string {
	switch x := v.(type) {
	case []byte:
		return string(x)
	case string:
		return x
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// serverError keeps a server's number without its message, which may hold a value.
type serverError struct {
	kind   error
	text   string
	number *driver.MySQLError
}

func (e *serverError) Error() string {
	if e.kind == nil {
		return e.text
	}
	return e.kind.Error() + ": " + e.text
}

// Unwrap is for errors.Is and errors.As.
func (e *serverError) Unwrap() []error {
	out := []error{e.number}
	if e.kind != nil {
		out = append(out, e.kind)
	}
	return out
}

// failure turns an error into one of connect's.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var done *serverError
	if errors.As(err, &done) || errors.Is(err, connect.ErrInvalid) {
		return err
	}
	var me *driver.MySQLError
	if !errors.As(err, &me) {
		// What is no answer of the server is a failure to reach it.
		return fmt.Errorf("%w: %s", connect.ErrUnreachable, reachText(err))
	}
	return &serverError{kindOfFailure(me.Number), retold(me), me}
}

// open messages name tables, columns and limits; no other message is repeated, for it
// may hold a value or the account's name.
var openMessages = map[uint16]bool{1054: true, 1059: true, 1117: true, 1118: true, 1146: true, 1153: true, 1193: true, 1205: true, 1213: true}

var (
	ofKey    = regexp.MustCompile("for key ['`]([^'`]{1,200})['`]$")
	ofColumn = regexp.MustCompile("(?:^Column|for column) ['`]?(?:`[^`]*`\\.`[^`]*`\\.`)?([^'`]{1,256})['`]")
)

func retold(me *driver.MySQLError) string {
	out := fmt.Sprintf("mysql %d", me.Number)
	switch {
	case openMessages[me.Number]:
		return out + ": " + me.Message
	case me.Number == 1062:
		if m := ofKey.FindStringSubmatch(me.Message); m != nil {
			return out + fmt.Sprintf(" key %q", m[1])
		}
	case me.Number == 1048 || me.Number == 1364:
		if m := ofColumn.FindStringSubmatch(me.Message); m != nil {
			return out + fmt.Sprintf(" column %q", m[1])
		}
	}
	return out
}

func kindOfFailure(number uint16) error {
	switch number {
	case 1044, 1045, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 3118, 4151:
		return connect.ErrDenied
	case 1051, 1146, 1356:
		return connect.ErrNoTable
	case 1054:
		return connect.ErrNoColumn
	case 1022, 1048, 1062, 1169, 1216, 1217, 1364, 1451, 1452, 1557, 1586, 3819, 4025:
		return connect.ErrConflict
	case 1021, 1041, 1114, 3, 20, 28:
		return connect.ErrFull
	case 1040, 1042, 1043, 1049, 1053, 1077, 1079, 1080, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1927, 4031:
		return connect.ErrUnreachable
	case 1071, 1117, 1118, 1153, 1317, 1969, 3024:
		return connect.ErrTooLarge
	case 1059, 1103, 1166, 1264, 1265, 1292, 1366, 1406, 1411, 1690, 3140, 4078:
		return connect.ErrInvalid
	}
	return nil
}

// reachText is the innermost error's text: the outer ones repeat user and address.
func reachText(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return err.Error()
}
