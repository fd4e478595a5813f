package mysql_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	"mulian/internal/mariatest"
)

func TestChanges(t *testing.T) {
	mariatest.URL(t, "probe")
	connecttest.RunChanges(t, database())
}

// as is the URL with another account.
func as(url, account string) string { return strings.Replace(url, "tester@", account+"@", 1) }

// TestLeastPrivilege: an account with SELECT on two columns of one table and on one whole
// table sees that and no more, and its document is the same as the owner's of them.
func TestLeastPrivilege(t *testing.T) {
	url := mariatest.URL(t, "rights")
	role := "reader" + url[strings.LastIndexByte(url, '_')+1:strings.IndexByte(url, '?')]
	execSQL(t, url, "CREATE TABLE firm (code varchar(20) PRIMARY KEY, secret varchar(20), n int, UNIQUE (secret))", "CREATE TABLE hidden (a text)",
		"CREATE TABLE open (a text, j json)", "INSERT INTO firm VALUES ('a', 's', 1)", "CREATE USER '"+role+"'@'localhost'",
		"GRANT SELECT (code, n) ON firm TO '"+role+"'@'localhost'", "GRANT SELECT ON open TO '"+role+"'@'localhost'")
	source := connecttest.Source(t, as(url, role))
	schema, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range schema.Tables {
		got = append(got, fmt.Sprint(table.TableName, connecttest.Names(table.Columns), table.Columns[1].Kind, table.PrimaryKey, len(table.Indexes)))
	}
	if got, want := strings.Join(got, "; "), "firm [code n] integer [code] 0; open [a j] json [] 0"; got != want {
		t.Errorf("the account sees %s, want %s", got, want)
	}
	sel := connect.Selection{
		Table: connect.TableName{Name: "firm"}, Columns: []string{"code", "n"}, Limit: 1,
		Where: []connect.Condition{{Column: "code", Op: connect.OpIn, Values: connecttest.R("text a")}},
	}
	if rows, err := source.Query(t.Context(), sel); err != nil || len(rows) != 1 {
		t.Errorf("granted columns: %d rows, %v", len(rows), err)
	}
	if diff := connecttest.Diff([]connect.Row{connecttest.R("text a", "integer 1")}, connecttest.All(t, source, connect.Selection{Table: sel.Table, Columns: sel.Columns})); diff != "" {
		t.Error(diff)
	}
	sel.Columns = []string{"secret"}
	if _, err := source.Query(t.Context(), sel); !errors.Is(err, connect.ErrNoColumn) {
		t.Errorf("query of a column that was not granted: %v", err)
	}
	if err := source.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: "hidden"}, Columns: []string{"a"}}, nil); !errors.Is(err, connect.ErrNoTable) {
		t.Errorf("scan of a table that was not granted: %v", err)
	}
	if err := source.Scan(t.Context(), connect.Selection{Table: connect.TableName{Schema: "mysql", Name: "user"}, Columns: []string{"a"}}, nil); !errors.Is(err, connect.ErrNoTable) {
		t.Errorf("scan of another database: %v", err)
	}
}

func TestServerThatComesAndGoes(t *testing.T) { connecttest.RunRestart(t, mariatest.Durable(t)) }

// TestFirstLoadThatDies: the table was made, and power fails before the first commit. The
// next load may even have other columns.
func TestFirstLoadThatDies(t *testing.T) {
	server := mariatest.Durable(t)
	url := server.Database(t, "durable")
	sink := connecttest.Sink(t, url)
	target := connect.Target{Table: connect.TableName{Name: "t"}, Columns: connecttest.Columns("id integer!"), PrimaryKey: []string{"id"}, Mode: connect.Replace, Delivery: "1"}
	l, err := sink.Begin(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), connecttest.Page(t, connecttest.R("integer 2"))); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	l.Rollback()
	server.Start(t)
	if _, found, err := sink.Loaded(t.Context(), "", "1"); found || err != nil {
		t.Errorf("Loaded = %v, %v", found, err)
	}
	target.Columns = connecttest.Columns("id text!", "v date")
	connecttest.MustLoad(t, sink, target, connecttest.R("text a", "date 2024-01-02"))
	// A table of theirs is never taken for one of ours.
	execSQL(t, url, "CREATE TABLE theirs (a int)")
	target.Table.Name, target.Delivery = "theirs", "2"
	if _, err := sink.Begin(t.Context(), target); !errors.Is(err, connect.ErrTargetDiffers) {
		t.Errorf("an empty table of the asker: %v", err)
	}
}

func TestURLs(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, url := range []string{
		"mysql://h:x/d", "mysql://u@h/", "mysql://u@h/a/b", "mysql:d", "mysql://u:secret@h/d", "mysql://u@h/d?password=secret", "mysql://u@h/d?allowAllFiles=true",
		"mysql://u@h/d?sslmode=never", "mysql://u@h/d?sslcert=x", "mysql://u@h/d?sslrootcert=" + file("none", "no certificate", 0o600),
		"mysql://u@h/d?connect_timeout=0", "mysql://u@h/d?passfile=" + filepath.Join(dir, "absent"), "mysql://u@h/d?passfile=" + file("open", "secret", 0o644),
	} {
		_, err := connect.Open(t.Context(), url)
		if !errors.Is(err, connect.ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := connect.Open(t.Context(), "mysql://u@127.0.0.1:1/d?connect_timeout=2"); !errors.Is(err, connect.ErrUnreachable) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("nobody listens: %v", err)
	}
	server := mariatest.Shared(t)
	local := server.Database(t, "urls")
	role := "pass" + local[strings.LastIndexByte(local, '_')+1:strings.IndexByte(local, '?')]
	execSQL(t, local, "CREATE USER '"+role+"'@'127.0.0.1' IDENTIFIED BY 'secret'", "GRANT SELECT ON *.* TO '"+role+"'@'127.0.0.1'")
	url := fmt.Sprintf("mariadb://%s@127.0.0.1:%d/%s", role, server.Port(), local[strings.Index(local, "@/")+2:strings.IndexByte(local, '?')])
	connecttest.Source(t, url+"?passfile="+file("pass", "secret\n", 0o600))
	_, err := connect.Open(t.Context(), url+"?passfile="+file("wrong", "wrong", 0o600))
	if !errors.Is(err, connect.ErrDenied) || strings.Contains(err.Error(), role) {
		t.Errorf("wrong password: %v", err)
	}
	// The test's server has no certificate: it must not be spoken to in plain text then.
	if _, err := connect.Open(t.Context(), url+"?sslmode=verify-full&passfile="+filepath.Join(dir, "pass")); !errors.Is(err, connect.ErrUnreachable) {
		t.Errorf("a server without TLS: %v", err)
	}
}
