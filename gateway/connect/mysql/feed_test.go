package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	"mulian/internal/mariatest"
)

// feed is a Follow that runs.
type feed struct {
	changes chan connect.Change
	end     chan error
	stop    context.CancelFunc
}

func follow(t *testing.T, s connect.Source, from connect.Position, names ...string) *feed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &feed{make(chan connect.Change), make(chan error, 1), cancel}
	var tables []connect.TableName
	for _, n := range names {
		tables = append(tables, connect.TableName{Name: n})
	}
	go func() {
		f.end <- s.(connect.Feeder).Follow(ctx, tables, from, func(c connect.Change) error {
			select {
			case f.changes <- c:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(cancel)
	return f
}

// next is the next piece that is not empty.
func (f *feed) next(t *testing.T) connect.Change {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case c := <-f.changes:
			if !c.Empty() {
				return c
			}
		case err := <-f.end:
			t.Fatalf("the feed ended: %v", err)
		case <-late:
			t.Fatal("nothing comes")
		}
	}
}

// begun waits for the first piece, which is empty.
func (f *feed) begun(t *testing.T) connect.Position {
	t.Helper()
	select {
	case c := <-f.changes:
		if !c.Empty() {
			t.Fatalf("the first piece is %+v", c)
		}
		return c.Position
	case err := <-f.end:
		t.Fatalf("the feed ended: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("nothing comes")
	}
	return ""
}

// ended waits for the feed's end; what still comes is passed over.
func (f *feed) ended(t *testing.T) error {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case <-f.changes:
		case err := <-f.end:
			return err
		case <-late:
			t.Fatal("the feed does not end")
		}
	}
}

// show is a piece as a line.
func show(c connect.Change) string {
	if c.DDL != nil {
		return fmt.Sprint(c.DDL.Tag, c.DDL.Tables)
	}
	var out []string
	for _, r := range c.Rows {
		line := r.Table.Name + " " + r.Op.String()
		for _, v := range r.OldKey {
			line += " (" + v.Text + ")"
		}
		for _, v := range r.Key {
			line += " " + v.Text
		}
		out = append(out, line)
	}
	return strings.Join(out, "; ")
}

func TestFeed(t *testing.T) {
	server := mariatest.Durable(t, mariatest.Log...)
	url := server.Database(t, "feed")
	execSQL(t, url, "CREATE TABLE a (id int PRIMARY KEY, v text)", "CREATE TABLE other (id int PRIMARY KEY)", "INSERT INTO a VALUES (1, 'x')",
		"CREATE TABLE keys_ (v int, u bigint unsigned, d decimal(12,3), t varchar(20) CHARACTER SET utf8mb4, at datetime(3), b binary(3), day date, m mediumint unsigned, PRIMARY KEY (t, u, d, at, b, day, m))")
	source := connecttest.Source(t, url)
	f := follow(t, source, "", "a", "keys_")
	first := f.begun(t)
	expect := func(sql, want string) connect.Change {
		t.Helper()
		execSQL(t, url, sql)
		c := f.next(t)
		if show(c) != want {
			t.Errorf("%s: told %q, want %q", sql, show(c), want)
		}
		if c.DDL == nil && !c.Last || c.Position < first || c.Committed.IsZero() {
			t.Errorf("%s: %+v", sql, c)
		}
		return c
	}
	expect("INSERT INTO a VALUES (2, 'y'), (3, NULL)", "a insert 2; a insert 3")
	expect("UPDATE a SET v = 'z' WHERE id = 2", "a update 2")
	execSQL(t, url, "INSERT INTO other VALUES (1)")
	second := expect("UPDATE a SET id = 9 WHERE id = 3", "a update (3) 9")
	expect("DELETE FROM a WHERE id = 9", "a delete 9")
	expect("INSERT INTO keys_ VALUES (1, 18446744073709551615, -1.50, '北京', '2024-01-02 03:04:05.120', x'01', '2024-02-29', 16777215)",
		"keys_ insert 北京 18446744073709551615 -1.500 2024-01-02T03:04:05.12 \x01\x00\x00 2024-02-29 16777215")
	expect("CREATE INDEX a_v ON a (v(10))", "CREATE INDEX[a]")
	expect("ALTER TABLE a ADD w int FIRST", "ALTER TABLE[a]")
	expect("INSERT INTO a VALUES (7, 8, 'nine')", "a insert 8") // by its name, not by its place
	expect("TRUNCATE TABLE a", "TRUNCATE TABLE[a]")
	if c := f.next(t); show(c) != "a truncate" || !c.Last {
		t.Errorf("after TRUNCATE: %q", show(c))
	}
	if _, err := connecttest.Source(t, url).Inspect(t.Context()); err != nil {
		t.Error(err)
	}
	if err := source.(connect.Feeder).Follow(t.Context(), []connect.TableName{{Name: "a"}}, "", nil); !errors.Is(err, connect.ErrFeedBusy) {
		t.Errorf("a second feed of one source: %v", err)
	}

	// A large transaction comes in pieces, each with the position before it.
	execSQL(t, url, "INSERT INTO a SELECT 0, seq, NULL FROM seq_1_to_2500")
	total := 0
	for {
		c := f.next(t)
		if total += len(c.Rows); len(c.Rows) > connect.MaxChangeRows {
			t.Errorf("a piece of %d rows", len(c.Rows))
		}
		if c.Last {
			break
		}
	}
	if total != 2500 {
		t.Errorf("%d rows told, want 2500", total)
	}
	f.stop()
	if err := f.ended(t); !errors.Is(err, context.Canceled) {
		t.Errorf("the feed ended with %v", err)
	}

	// After a restart of both sides it goes on behind the position.
	server.Kill(t)
	server.Start(t)
	again := follow(t, connecttest.Source(t, url), second.Position, "a", "keys_")
	if at := again.begun(t); at != second.Position {
		t.Errorf("it goes on at %s, not at %s", at, second.Position)
	}
	if c := again.next(t); show(c) != "a delete 9" {
		t.Errorf("the first change after the restart: %q", show(c))
	}
	again.stop()
	again.ended(t)
	for _, from := range []connect.Position{"000000000000.0000000001.000000000000004", connect.Position(strings.Replace(string(first), ".0000000001.", ".0000000077.", 1)), "x"} {
		if err := connecttest.Source(t, url).(connect.Feeder).Follow(t.Context(), []connect.TableName{{Name: "a"}}, from, nil); !errors.Is(err, connect.ErrPositionLost) {
			t.Errorf("from %s: %v", from, err)
		}
	}
}

// TestFeedTellsWhatIsVisible: a row that is told can be read at once, as it was told or newer.
func TestFeedTellsWhatIsVisible(t *testing.T) {
	server := mariatest.Logging(t)
	url := server.Database(t, "visible")
	execSQL(t, url, "CREATE TABLE a (id int PRIMARY KEY, n int)", "INSERT INTO a VALUES (1, 0)")
	source := connecttest.Source(t, url)
	f := follow(t, source, "", "a")
	f.begun(t)
	go func() {
		for range 200 {
			execSQL(t, url, "UPDATE a SET n = n + 1")
		}
	}()
	for i := 1; i <= 200; i++ {
		f.next(t)
		rows, err := source.Query(t.Context(), connect.Selection{
			Table: connect.TableName{Name: "a"}, Columns: []string{"n"}, Limit: 1,
			Where: []connect.Condition{{Column: "id", Op: connect.OpIn, Values: connecttest.R("integer 1")}},
		})
		var n int
		if err == nil {
			_, err = fmt.Sscan(rows[0][0].Text, &n)
		}
		if err != nil || n < i {
			t.Fatalf("change %d was told, and the row holds %d, %v", i, n, err)
		}
	}
}

// TestFeedThatCannotBeComplete says so instead of leaving changes out.
func TestFeedThatCannotBeComplete(t *testing.T) {
	tables := []connect.TableName{{Name: "a"}}
	plain := mariatest.URL(t, "nolog")
	execSQL(t, plain, "CREATE TABLE a (id int PRIMARY KEY)")
	err := connecttest.Source(t, plain).(connect.Feeder).Follow(t.Context(), tables, "", nil)
	var no *connect.NoFeedError
	if !errors.As(err, &no) || len(no.Statements) == 0 {
		t.Errorf("a server without a log: %v", err)
	}

	server := mariatest.Logging(t)
	url := server.Database(t, "feed")
	execSQL(t, url, "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE nokey (id int)", "CREATE TABLE e (id enum('a') PRIMARY KEY)",
		"CREATE TABLE child (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)")
	source := connecttest.Source(t, url)
	for _, name := range []string{"nokey", "e", "child"} {
		if err := source.(connect.Feeder).Follow(t.Context(), []connect.TableName{{Name: name}}, "", nil); !errors.Is(err, connect.ErrNoFeed) {
			t.Errorf("table %s: %v", name, err)
		}
	}
	// The unfit tables are named, and the others can be followed.
	names := []connect.TableName{{Name: "a"}, {Name: "nokey"}, {Name: "absent"}}
	err = source.(connect.Feeder).Follow(t.Context(), names, "", nil)
	if !errors.As(err, &no) || !slices.Equal(no.Tables, names[1:]) {
		t.Errorf("two of three tables are unfit: %v", err)
	}
	if err := source.(connect.Feeder).Followable(t.Context(), names[:1]); err != nil {
		t.Errorf("the third: %v", err)
	}
	for _, c := range []struct { // in this order: while there is a child the table cannot be replaced
		sql   string
		unfit []connect.TableName
	}{
		{"SET STATEMENT binlog_format = 'STATEMENT' FOR INSERT INTO a VALUES (1)", nil},
		{"DROP TABLE child, a", []connect.TableName{{Name: "a"}}},
		{"CREATE OR REPLACE TABLE a (id int PRIMARY KEY)", []connect.TableName{{Name: "a"}}},
	} {
		sql, unfit := c.sql, c.unfit
		execSQL(t, url, "CREATE TABLE IF NOT EXISTS a (id int PRIMARY KEY)")
		f := follow(t, connecttest.Source(t, url), "", "a")
		f.begun(t)
		execSQL(t, url, sql)
		err := f.ended(t)
		if unfit == nil && !errors.Is(err, connect.ErrPositionLost) || unfit != nil && (!errors.As(err, &no) || !slices.Equal(no.Tables, unfit)) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	execSQL(t, url, "SET GLOBAL binlog_row_metadata = 'NO_LOG'")
	defer execSQL(t, url, "SET GLOBAL binlog_row_metadata = 'FULL'")
	err = source.(connect.Feeder).Follow(t.Context(), tables, "", nil)
	if !errors.As(err, &no) || len(no.Statements) != 1 || no.Statements[0] != "SET GLOBAL binlog_row_metadata = 'FULL';" {
		t.Errorf("a log that names no columns: %v", err)
	}
	// DDL alone needs no table and no such log, and has no positions.
	f := follow(t, connecttest.Source(t, url), "")
	if at := f.begun(t); at != "" {
		t.Errorf("position %s", at)
	}
	execSQL(t, url, "INSERT INTO a VALUES (5)", "CREATE VIEW v AS SELECT id FROM a")
	if c := f.next(t); c.DDL == nil || c.DDL.Tag != "CREATE VIEW" || c.Position != "" {
		t.Errorf("%+v", c)
	}
}

// TestFeedOfTheLeastAccount runs the printed statements with the feed's.
func TestFeedOfTheLeastAccount(t *testing.T) {
	server := mariatest.Logging(t)
	url := server.Database(t, "least")
	connecttest.RunGrants(t, database(), url, connecttest.Account{
		Name: "follower", Feed: true, Open: []string{"ALTER USER 'follower'@'%' ACCOUNT UNLOCK"}, URL: as(url, "follower"),
		Run: func(string) error { return errors.New("tried in TestLeastAccount") },
	})
}

// TestTableVersions: what writes rows anew shows, and what changes rows does not.
func TestTableVersions(t *testing.T) {
	url := mariatest.URL(t, "version")
	execSQL(t, url, "CREATE TABLE a (id int PRIMARY KEY, n int, g int AS (n * 2) STORED, t varchar(20))", "CREATE TABLE b (id int PRIMARY KEY)")
	source := connecttest.Source(t, url)
	connecttest.RunVersions(t, source, connect.TableName{Name: "a"}, func(sql string) { execSQL(t, url, sql) },
		[]string{"INSERT INTO a (id, n, t) VALUES (1, 2, 'x')", "UPDATE a SET n = 3", "ALTER TABLE b ADD COLUMN v int", "DELETE FROM a"},
		[]string{
			"ALTER TABLE a MODIFY g int AS (n * 3) STORED", "ALTER TABLE a DROP COLUMN n, DROP COLUMN g, ADD COLUMN n int DEFAULT 7",
			"ALTER TABLE a DROP COLUMN t", "ALTER TABLE a ADD COLUMN t varchar(20) DEFAULT 'y'", "ALTER TABLE a PARTITION BY HASH (id) PARTITIONS 2",
		})
}
