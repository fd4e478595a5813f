package mysql_test

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	"mulian/internal/mariatest"
)

func TestLeastAccount(t *testing.T) {
	rawURL := mariatest.URL(t, "grant")
	role := "least" + rawURL[strings.LastIndexByte(rawURL, '_')+1:strings.IndexByte(rawURL, '?')]
	pass := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(pass, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	c := driver.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = role, "secret", "unix", u.Query().Get("socket"), strings.TrimPrefix(u.Path, "/")
	connector, err := driver.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	connecttest.RunGrants(t, database(), rawURL, connecttest.Account{
		Name: role, Open: []string{"ALTER USER '" + role + "'@'%' IDENTIFIED BY 'secret' ACCOUNT UNLOCK"}, URL: as(rawURL, role) + "&passfile=" + url.QueryEscape(pass),
		Refused: []string{"CREATE TABLE own (a int)", "CREATE TEMPORARY TABLE own (a int)", "SELECT * FROM mysql.user", "SHOW BINARY LOGS"},
		Excess: []connecttest.Excess{
			{Grant: "GRANT INSERT (name), DELETE ON firm TO '" + role + "'@'%'", Says: "INSERT, DELETE on " + c.DBName + ".firm"},
			{Grant: "GRANT CREATE, DROP ON " + c.DBName + ".* TO '" + role + "'@'%'", Says: "CREATE, DROP on " + c.DBName + ".*"},
			{Grant: "GRANT SELECT ON firm TO '" + role + "'@'%' WITH GRANT OPTION", Says: "INSERT, DELETE, GRANT OPTION on " + c.DBName + ".firm"},
			{Grant: "GRANT FILE, SUPER ON *.* TO '" + role + "'@'%'", Says: "FILE, SUPER on *.*"},
			{Grant: "CREATE ROLE r_" + role, Says: "FILE, SUPER on *.*"},
			{Grant: "GRANT UPDATE ON " + c.DBName + ".* TO r_" + role, Says: "FILE, SUPER on *.*"},
			{Grant: "GRANT r_" + role + " TO '" + role + "'@'%'", Says: "role r_" + role},
		},
		Run: func(s string) error { _, err := db.ExecContext(t.Context(), s); return err },
	})
	table := connect.Table{TableName: connect.TableName{Schema: "other", Name: "t"}, Columns: connecttest.Columns("a text")}
	for name, g := range map[string]connect.Grant{
		"another database": {Role: "r", Tables: []connect.Table{table}},
		"a role of SQL":    {Role: "r'@'%", Tables: []connect.Table{{TableName: connect.TableName{Name: "t"}, Columns: table.Columns}}},
		"a host of SQL":    {Role: "r", Host: "' x", Tables: []connect.Table{{TableName: connect.TableName{Name: "t"}, Columns: table.Columns}}},
		"no table":         {Role: "r"},
	} {
		if s, err := connect.GrantStatements(rawURL, g); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %s, %v", name, s, err)
		}
	}
}
