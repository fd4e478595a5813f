package gateway_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"mulian/internal/servertest"
)

// isMaria tells a MariaDB database's URL from a PostgreSQL one's.
func isMaria(url string) bool { return strings.HasPrefix(url, "mysql://") }

// network is a fresh database of a server, by a URL that leads over the network: MariaDB's
// names a socket otherwise, over which no link leads.
func network(t *testing.T, s *servertest.Server, name string) string {
	t.Helper()
	made := s.Database(t, name)
	u, err := url.Parse(made)
	if err != nil {
		t.Fatal(err)
	}
	if isMaria(made) {
		u.Host, u.RawQuery = fmt.Sprintf("127.0.0.1:%d", s.Port()), ""
	}
	return u.String()
}

// maria opens a database by the driver itself.
func maria(t *testing.T, raw string) *sql.DB {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.Collation = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/"), "utf8mb4_bin"
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func mariaExec(t *testing.T, url, statement string) {
	t.Helper()
	if _, err := maria(t, url).ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// mariaFill is fill.
func mariaFill(t *testing.T, url, table string, header []string, rows [][]string) {
	t.Helper()
	defs := []string{"id integer PRIMARY KEY"}
	for _, h := range header {
		defs = append(defs, "`"+h+"` varchar(400)")
	}
	mariaExec(t, url, "CREATE TABLE "+table+" ("+strings.Join(defs, ", ")+") CHARACTER SET utf8mb4")
	db := maria(t, url)
	for from := 0; from < len(rows); from += 1000 {
		var marks []string
		var values []any
		for i, row := range rows[from:min(from+1000, len(rows))] {
			marks = append(marks, "(?"+strings.Repeat(", ?", len(row))+")")
			values = append(values, from+i+1)
			for _, v := range row {
				values = append(values, v)
			}
		}
		if _, err := db.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES "+strings.Join(marks, ", "), values...); err != nil {
			t.Fatal(err)
		}
	}
}

// mariaDump is dump.
func mariaDump(t *testing.T, url, table string, columns []string) (out []string) {
	t.Helper()
	rows, err := maria(t, url).QueryContext(t.Context(), "SELECT `"+strings.Join(columns, "`, `")+"` FROM "+table+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	values, into := make([]string, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%q", values))
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}
