package connecttest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mulian/gateway/connect"
)

// An Account is how a driver's test becomes the account of a connect.Grant.
type Account struct {
	Name string // unique on the server
	// Open are statements after which it can log in, such as those that give it a password.
	Open []string
	// URL is the database's for the account.
	URL string
	// Refused are statements that the account must not be able to run.
	Refused []string
	// Run runs a statement as the account.
	Run func(statement string) error
	// Feed: follow the table too.
	Feed bool
	// Excess are rights too many, and how they are told.
	Excess []Excess
}

// Excess is a statement that gives an account a right too many, the phrase that tells it, and
// the statement that takes it back.
type Excess struct{ Grant, Says, Revoke string }

// RunGrants prints the statements of a least account, runs them on the real server, and finds
// that the account reads what it was given, and nothing else.
func RunGrants(t *testing.T, db Database, url string, account Account) {
	t.Helper()
	db.Exec(t, url, "CREATE TABLE firm (code varchar(20) PRIMARY KEY, name varchar(20), secret varchar(20), n int)", "CREATE TABLE hidden (a varchar(20) PRIMARY KEY)",
		"INSERT INTO firm VALUES ('a', 'A', 's', 1), ('b', 'B', 's', 2)", "CREATE VIEW firm_view AS SELECT code, secret, n FROM firm")
	all, err := Source(t, url).Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g := connect.Grant{Role: account.Name, Feed: account.Feed}
	for _, table := range all.Tables {
		if keep := map[string]int{"firm": 2, "firm_view": 1}[table.Name]; keep > 0 {
			table.Columns = table.Columns[:keep]
			g.Tables = append(g.Tables, table)
		}
	}
	statements, err := connect.GrantStatements(url, g)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if !strings.HasPrefix(s, "--") {
			db.Exec(t, url, s)
		}
	}
	db.Exec(t, url, account.Open...)

	source := Source(t, account.URL)
	seen, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range seen.Tables {
		got = append(got, table.Name+" "+strings.Join(Names(table.Columns), ","))
	}
	if got, want := strings.Join(got, "; "), "firm code,name; firm_view code"; got != want {
		t.Errorf("the account sees %s, want %s", got, want)
	}
	sel := connect.Selection{Table: table("firm"), Columns: []string{"code", "name"}}
	if diff := Diff([]connect.Row{R("text a", "text A"), R("text b", "text B")}, All(t, source, sel)); diff != "" {
		t.Error(diff)
	}
	if f, err := source.Freshness(t.Context(), table("firm"), "name"); err != nil || f.Rows != 2 {
		t.Errorf("freshness: %+v, %v", f, err)
	}
	sel.Table.Name, sel.Columns, sel.OrderBy = "firm_view", []string{"code"}, []string{"code"}
	if rows := All(t, source, sel); len(rows) != 2 {
		t.Errorf("%d rows of the view", len(rows))
	}
	for _, bad := range []connect.Selection{{Table: table("hidden"), Columns: []string{"a"}}, {Table: table("firm"), Columns: []string{"secret"}}, {Table: table("firm_view"), Columns: []string{"n"}}} {
		err := source.Scan(t.Context(), bad, func(connect.Batch) error { return nil })
		if !errors.Is(err, connect.ErrNoTable) && !errors.Is(err, connect.ErrNoColumn) && !errors.Is(err, connect.ErrDenied) {
			t.Errorf("%s %s was read: %v", bad.Table, bad.Columns, err)
		}
	}
	for _, s := range append(account.Refused, "INSERT INTO firm (code) VALUES ('c')", "UPDATE firm SET name = 'x'", "DELETE FROM firm", "DROP TABLE firm", "SELECT secret FROM firm", "SELECT a FROM hidden") {
		if account.Run(s) == nil {
			t.Errorf("the account could run %s", s)
		}
	}
	if !account.Feed {
		testExcess(t, db, url, source, account)
		return
	}
	feeder, ok := source.(connect.Feeder)
	if !ok {
		t.Fatal("the source tells no changes")
	}
	err = feeder.Follow(t.Context(), []connect.TableName{all.Tables[indexOf(all, "firm")].TableName}, "", func(connect.Change) error { return errEnough })
	if !errors.Is(err, errEnough) {
		t.Errorf("follow: %v", err)
	}
	testExcess(t, db, url, source, account)
	if keeper, ok := source.(connect.FeedKeeper); ok {
		if err := keeper.DropFeed(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("drop the feed: %v", err)
		}
	}
}

// testExcess: the least account has no right too many, and each further one is named.
func testExcess(t *testing.T, db Database, url string, source connect.Source, account Account) {
	t.Helper()
	r, ok := source.(connect.Restricted)
	if !ok {
		t.Fatal("the source does not tell what its account may do")
	}
	if excess, err := r.Excess(t.Context()); err != nil || len(excess) > 0 {
		t.Errorf("the least account may do more: %q, %v", excess, err)
	}
	for _, e := range account.Excess {
		db.Exec(t, url, e.Grant)
		// On a connection of its own: some rights count from the next one on.
		again, err := connect.Open(t.Context(), account.URL)
		if err != nil {
			t.Fatal(err)
		}
		excess, err := again.(connect.Restricted).Excess(t.Context())
		if closed := again.Close(); closed != nil {
			t.Error(closed)
		}
		if err != nil || !slices.Contains(excess, e.Says) {
			t.Errorf("after %s: %q, %v, want %q", e.Grant, excess, err, e.Says)
		}
		if e.Revoke != "" {
			db.Exec(t, url, e.Revoke)
		}
	}
}

func indexOf(s *connect.Schema, name string) int {
	for i, t := range s.Tables {
		if t.Name == name {
			return i
		}
	}
	return -1
}
