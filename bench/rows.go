package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"mulian/internal/fault"
	"mulian/internal/pgserver"
)

// rowsTable is read, rowsCopy is where the bare counterpart puts it, rowsLoaded where
// the gateway does.
const (
	rowsTable  = "mulian_bench_permit"
	rowsCopy   = "mulian_bench_copy"
	rowsLoaded = "mulian_bench_loaded"
)

// rowsColumns are those of a table of permits as a department keeps it: numbers,
// codes, Chinese text, dates.
var rowsColumns = []struct {
	name, title, kind string
	postgres, sqlite  string // declared type
	value             string // SQL for row g, the same text in both
}{
	{"id", "序号", "integer", "bigint PRIMARY KEY", "INTEGER PRIMARY KEY", "g"},
	{"permit_no", "许可证号", "text", "varchar(40) NOT NULL", "TEXT NOT NULL", "'建字第1101012026' || substr('0000000' || g, -7) || '号'"},
	{"project", "项目名称", "text", "text", "TEXT", "'城市更新项目第' || (g * 7919 % 100003) || '号地块配套工程'"},
	{"applicant", "建设单位", "text", "text", "TEXT", "'示例建设发展有限公司' || (g % 5000)"},
	{"credit_code", "统一社会信用代码", "text", "varchar(18)", "TEXT", "'91110000MA' || substr('0000000' || (g % 5000), -7) || 'X'"},
	{"district", "行政区划", "text", "varchar(40)", "TEXT", "'1101' || substr('00' || (g % 17), -2)"},
	{"address", "建设地址", "text", "text", "TEXT", "'示例路' || (g % 999) || '号院' || (g % 31) || '号楼'"},
	{"area", "建筑面积", "decimal", "numeric(12,2)", "DECIMAL_TEXT", "(g % 90000) || '.' || substr('00' || (g % 100), -2)"},
	{"floors", "层数", "integer", "integer", "INTEGER", "g % 40"},
	{"issued", "发证日期", "date", "date", "DATE", "'2026-' || substr('00' || (g % 12 + 1), -2) || '-' || substr('00' || (g % 28 + 1), -2)"},
	{"updated", "更新时间", "timestamp", "timestamp", "DATETIME", "'2026-03-' || substr('00' || (g % 28 + 1), -2) || ' 08:' || substr('00' || (g % 60), -2) || ':' || substr('00' || (g % 60), -2)"},
	{"valid", "是否有效", "boolean", "boolean", "BOOLEAN", "g % 9 <> 0"},
}

// rowsDDL makes the table, in the words of one of the two databases.
func rowsDDL(table string, postgres bool) string {
	var parts []string
	for _, c := range rowsColumns {
		declared := c.sqlite
		if postgres {
			declared = c.postgres
		}
		parts = append(parts, c.name+" "+declared)
	}
	return "CREATE TABLE " + table + " (" + strings.Join(parts, ", ") + ")"
}

// rowsSelect makes n rows.
func rowsSelect(n int, postgres bool) string {
	var parts []string
	for _, c := range rowsColumns {
		value := c.value
		if postgres {
			// substr counts from the end in SQLite only.
			value = strings.ReplaceAll(value, "|| g, -7)", "|| g, length('' || g) + 1)")
			value = strings.ReplaceAll(value, "|| (g % 5000), -7)", "|| (g % 5000), length('' || g % 5000) + 1)")
			for _, m := range []string{"17", "100", "60"} {
				value = strings.ReplaceAll(value, "(g % "+m+"), -2)", "(g % "+m+"), length('' || g % "+m+") + 1)")
			}
			for _, m := range []string{"12", "28"} {
				value = strings.ReplaceAll(value, "(g % "+m+" + 1), -2)", "(g % "+m+" + 1), length('' || g % "+m+" + 1) + 1)")
			}
			value = "(" + value + ")::" + strings.Fields(c.postgres)[0]
		}
		parts = append(parts, value)
	}
	if postgres {
		return fmt.Sprintf("SELECT %s FROM generate_series(1, %d::bigint) AS g", strings.Join(parts, ", "), n)
	}
	return fmt.Sprintf("WITH RECURSIVE counted(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM counted WHERE g < %d) SELECT %s FROM counted", n, strings.Join(parts, ", "))
}

// A pair is two databases: from one rows are read, into the other they are loaded.
type pair interface {
	// urls are what the gateways' configurations say: files with URLs.
	urls() (from, to string)
	// table is the name of the rows' table, as a gateway puts it on the ledger.
	table() string
	// fill makes n rows in the first.
	fill(ctx context.Context, n int) error
	// bare moves all rows to the second in the plainest way that the database has.
	// It returns how long that took, and what it cost the servers.
	bare(ctx context.Context) (took, cpu time.Duration, err error)
	// same compares what was delivered with what was there, row by row.
	same(ctx context.Context) error
	// open gives a direct connection to the first that reads one row by its key.
	open(ctx context.Context) (func(ctx context.Context, id int) error, func(), error)
	// cpu is the processor time that the servers have used; 0 if it is unknown.
	cpu() time.Duration
	// what is it, for people.
	what() string
	close()
}

// openPair finds the databases: those of the options, private PostgreSQL servers, or
// two SQLite files.
func openPair(ctx context.Context, o Options, dir string, settings ...string) (pair, error) {
	if o.SQLite {
		return &sqlitePair{from: filepath.Join(dir, "from.db"), to: filepath.Join(dir, "to.db")}, nil
	}
	if (o.From == "") != (o.To == "") {
		return nil, fault.Newf(fault.Usage, "--from and --to: both files with a database's URL, or neither")
	}
	p := &postgresPair{fromFile: filepath.Join(dir, "from.url"), toFile: filepath.Join(dir, "to.url")}
	if o.From != "" {
		return p, p.given(o)
	}
	for i, file := range []string{p.fromFile, p.toFile} {
		s, err := pgserver.Start(pgserver.Options{Fsync: true, Settings: append([]string{"shared_buffers=128MB", "autovacuum=off"}, settings...)})
		if err != nil {
			p.close()
			return nil, fault.Wrap(fault.SourceUnreachable, err, "no PostgreSQL can be started here: install it, give --from and --to, or measure --sqlite")
		}
		p.servers = append(p.servers, s)
		url, err := s.Create(ctx, "bench")
		if err == nil {
			err = os.WriteFile(file, []byte(url), 0o600)
		}
		if err != nil {
			p.close()
			return nil, err
		}
		*[]*string{&p.from, &p.to}[i] = url
	}
	return p, nil
}

type postgresPair struct {
	from, to         string // URLs
	fromFile, toFile string
	servers          []*pgserver.Server // our own
}

// given takes the URLs of servers that are there.
func (p *postgresPair) given(o Options) error {
	p.fromFile, p.toFile = o.From, o.To
	for file, into := range map[string]*string{o.From: &p.from, o.To: &p.to} {
		raw, err := os.ReadFile(file)
		if err != nil {
			return fault.Wrap(fault.NotFound, err, "the file with a database's URL")
		}
		if len(raw) > 4<<10 {
			return fault.Newf(fault.TooLong, "%s is no file with a URL: %d bytes", file, len(raw))
		}
		*into = strings.TrimSpace(string(raw))
	}
	return nil
}

func (p *postgresPair) urls() (from, to string) { return p.fromFile, p.toFile }

func (p *postgresPair) table() string { return "public." + rowsTable }

func (p *postgresPair) what() string {
	if len(p.servers) > 0 {
		return "two private PostgreSQL servers, fsync on, their standard settings"
	}
	return "the two PostgreSQL servers that were given"
}

func (p *postgresPair) close() {
	for _, url := range []string{p.from, p.to} {
		if len(p.servers) == 0 {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			_ = postgresDo(ctx, url, "DROP TABLE IF EXISTS "+rowsTable+", "+rowsCopy+", "+rowsLoaded) // the report says what was measured all the same
			cancel()
		}
	}
	for _, s := range p.servers {
		s.Close()
	}
}

func (p *postgresPair) cpu() (sum time.Duration) {
	for _, s := range p.servers {
		sum += treeCPU(s.PID())
	}
	return sum
}

// postgresDo runs statements on a connection of their own.
func postgresDo(ctx context.Context, url string, statements ...string) error {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return fault.Wrap(fault.SourceUnreachable, err, "the database of the run")
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s).ReadAll(); err != nil {
			return fmt.Errorf("%.60s: %w", s, err)
		}
	}
	return nil
}

func (p *postgresPair) fill(ctx context.Context, n int) error {
	return postgresDo(ctx, p.from, "DROP TABLE IF EXISTS "+rowsTable, rowsDDL(rowsTable, true), "INSERT INTO "+rowsTable+" "+rowsSelect(n, true), "ANALYZE "+rowsTable)
}

// bare pipes COPY TO into COPY FROM.
func (p *postgresPair) bare(ctx context.Context) (took, cpu time.Duration, err error) {
	if err := postgresDo(ctx, p.to, "DROP TABLE IF EXISTS "+rowsCopy, rowsDDL(rowsCopy, true)); err != nil {
		return 0, 0, err
	}
	in, err := pgconn.Connect(ctx, p.from)
	if err != nil {
		return 0, 0, err
	}
	defer in.Close(ctx)
	out, err := pgconn.Connect(ctx, p.to)
	if err != nil {
		return 0, 0, err
	}
	defer out.Close(ctx)
	cpu = p.cpu()
	r, w := io.Pipe()
	failed := make(chan error, 1)
	begin := time.Now()
	go func() {
		// 256 KiB at once, as psql would hand them on by a pipe of the system.
		b := newChunks(w, 256<<10)
		_, err := in.CopyTo(ctx, b, "COPY "+rowsTable+" TO STDOUT")
		if err == nil {
			err = b.flush()
		}
		w.CloseWithError(err)
		failed <- err
	}()
	_, err = out.CopyFrom(ctx, r, "COPY "+rowsCopy+" FROM STDIN")
	took = time.Since(begin)
	cpu = p.cpu() - cpu                // before the connections end, and their processes with them
	r.CloseWithError(io.ErrClosedPipe) // ends the writer if the reader gave up
	return took, cpu, errors.Join(err, <-failed)
}

// chunks collects small writes.
type chunks struct {
	to   io.Writer
	rest []byte
}

func newChunks(to io.Writer, size int) *chunks { return &chunks{to: to, rest: make([]byte, 0, size)} }

// Write keeps b until there is enough.
func (c *chunks) Write(b []byte) (int, error) {
	if len(c.rest)+len(b) > cap(c.rest) {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	c.rest = append(c.rest, b...)
	return len(b), nil
}

func (c *chunks) flush() error {
	_, err := c.to.Write(c.rest)
	c.rest = c.rest[:0]
	return err
}

func (p *postgresPair) same(ctx context.Context) error {
	var sums []string
	for url, table := range map[string]string{p.from: rowsTable, p.to: rowsLoaded} {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		var sum string
		err = conn.QueryRow(ctx, "SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)::numeric) FROM "+table+" AS t").Scan(&sum)
		if err := errors.Join(err, conn.Close(ctx)); err != nil {
			return err
		}
		sums = append(sums, sum)
	}
	return equal(sums)
}

func equal(sums []string) error {
	if sums[0] != sums[1] {
		return fault.Newf(fault.VerificationFailed, "the rows that were delivered are not those that were there: %s, %s", sums[0], sums[1])
	}
	return nil
}

func (p *postgresPair) open(ctx context.Context) (func(context.Context, int) error, func(), error) {
	conn, err := pgx.Connect(ctx, p.from)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, id int) error {
			rows, err := conn.Query(ctx, "SELECT * FROM "+rowsTable+" WHERE id = $1", id)
			if err != nil {
				return err
			}
			return oneRow(rows)
		}, func() {
			_ = conn.Close(context.Background()) // nothing was written
		}, nil
}

func oneRow(rows pgx.Rows) error {
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
		for _, v := range rows.RawValues() {
			_ = v
		}
	}
	if n != 1 && rows.Err() == nil {
		return fault.Newf(fault.Internal, "%d rows of one key", n)
	}
	return rows.Err()
}

type sqlitePair struct{ from, to string }

func (p *sqlitePair) urls() (from, to string) { return "sqlite:" + p.from, "sqlite:" + p.to }

func (p *sqlitePair) table() string { return rowsTable }

func (p *sqlitePair) what() string { return "two SQLite files" }

func (p *sqlitePair) close() {}

func (p *sqlitePair) cpu() time.Duration { return 0 } // SQLite runs in the processes that use it

func (p *sqlitePair) do(ctx context.Context, statements ...string) error {
	db, err := sql.Open("sqlite", p.to)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "ATTACH '"+p.from+"' AS source"); err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%.60s: %w", s, err)
		}
	}
	return nil
}

func (p *sqlitePair) fill(ctx context.Context, n int) error {
	return p.do(ctx, rowsDDL("source."+rowsTable, false), "INSERT INTO source."+rowsTable+" "+rowsSelect(n, false))
}

// bare is one INSERT … SELECT over both files.
func (p *sqlitePair) bare(ctx context.Context) (took, cpu time.Duration, err error) {
	if err := p.do(ctx, "DROP TABLE IF EXISTS "+rowsCopy, rowsDDL(rowsCopy, false)); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	err = p.do(ctx, "INSERT INTO "+rowsCopy+" SELECT * FROM source."+rowsTable)
	return time.Since(begin), 0, err
}

func (p *sqlitePair) same(ctx context.Context) error {
	var names []string
	for _, c := range rowsColumns {
		names = append(names, "t."+c.name+" IS s."+c.name)
	}
	db, err := sql.Open("sqlite", p.to)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "ATTACH '"+p.from+"' AS source"); err != nil {
		return err
	}
	// Dates may be written in another form: the key, the numbers and the texts count.
	counts := make([]string, 2)
	err = db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM source."+rowsTable+"), (SELECT count(*) FROM "+rowsLoaded+" AS t JOIN source."+rowsTable+
		" AS s ON s.id = t.id WHERE "+strings.Join(names[:7], " AND ")+")").Scan(&counts[0], &counts[1])
	if err != nil {
		return err
	}
	return equal(counts)
}

func (p *sqlitePair) open(context.Context) (func(context.Context, int) error, func(), error) {
	db, err := sql.Open("sqlite", p.from)
	if err != nil {
		return nil, nil, err
	}
	st, err := db.Prepare("SELECT * FROM " + rowsTable + " WHERE id = ?")
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return func(ctx context.Context, id int) error {
		rows, err := st.QueryContext(ctx, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			n++
		}
		if n != 1 && rows.Err() == nil {
			return fault.Newf(fault.Internal, "%d rows of one key", n)
		}
		return rows.Err()
	}, func() { _ = db.Close() }, nil
}
