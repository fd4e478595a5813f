package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
	"mulian/internal/pgtest"
)

// patience is for what has to happen by itself, on the busiest machine.
const patience = 60 * time.Second

// database is one fresh database with the administrator's connection.
type database struct {
	t   *testing.T
	url string
	own *pgconn.PgConn
}

func newDatabase(t *testing.T, url string, statements ...string) *database {
	t.Helper()
	d := &database{t: t, url: url}
	d.reconnect()
	t.Cleanup(func() { d.own.Close(context.Background()) })
	d.do(statements...)
	return d
}

func (d *database) reconnect() {
	d.t.Helper()
	var err error
	if d.own, err = pgconn.Connect(d.t.Context(), d.url); err != nil {
		d.t.Fatal(err)
	}
}

func (d *database) do(statements ...string) {
	d.t.Helper()
	for _, s := range statements {
		if _, err := d.own.Exec(context.WithoutCancel(d.t.Context()), s).ReadAll(); err != nil { // also from Cleanup
			d.t.Fatalf("%s: %v", s, err)
		}
	}
}

// as is the database's URL for another role.
func (d *database) as(role string) string {
	u, err := url.Parse(d.url)
	if err != nil {
		d.t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}

func openFeed(t *testing.T, url string) *source {
	t.Helper()
	s, err := open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	src := s.(*source)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = src.DropFeed(ctx) // a slot would be kept for the server's life, if that has not ended
		s.Close()
	})
	return src
}

// follower collects what a Follow tells, line by line.
type follower struct {
	t    *testing.T
	told chan connect.Change
	done chan error
	stop context.CancelFunc
	last connect.Position
}

func follow(t *testing.T, s *source, from connect.Position, tables ...string) *follower {
	t.Helper()
	var names []connect.TableName
	for _, name := range tables {
		names = append(names, connect.TableName{Schema: "public", Name: name})
	}
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t: t, told: make(chan connect.Change), done: make(chan error, 1), stop: cancel, last: from}
	go func() {
		f.done <- s.Follow(ctx, names, from, func(c connect.Change) error {
			select {
			case f.told <- c:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(f.end)
	return f
}

func (f *follower) end() {
	f.stop()
	select {
	case err := <-f.done:
		f.done <- err
	case <-time.After(patience):
		f.t.Error("Follow does not end with its context")
	}
}

// next is the next Change, the empty ones passed over unless wanted.
func (f *follower) next(empty bool) connect.Change {
	f.t.Helper()
	for {
		select {
		case c := <-f.told:
			if c.Position < f.last {
				f.t.Fatalf("position %s after %s", c.Position, f.last)
			}
			f.last = c.Position
			if empty || !c.Empty() || c.Last {
				return c
			}
		case err := <-f.done:
			f.done <- err
			f.t.Fatalf("Follow ended: %v", err)
		case <-time.After(patience):
			f.t.Fatal("nothing was told")
		}
	}
}

// ended is what Follow ends with. Until then it may tell how far it is, and nothing else.
func (f *follower) ended() error {
	f.t.Helper()
	for over := time.After(patience); ; {
		select {
		case err := <-f.done:
			f.done <- err
			return err
		case c := <-f.told:
			if !c.Empty() || c.Last {
				f.t.Fatalf("told %+v before its end", c)
			}
		case <-over:
			f.t.Fatal("Follow does not end")
		}
	}
}

// wants reads transactions until the lines are told.
func (f *follower) wants(step string, lines ...string) {
	f.t.Helper()
	var got []string
	for len(got) < len(lines) {
		got = append(got, linesOf(f.next(false))...)
	}
	if !slices.Equal(got, lines) {
		f.t.Fatalf("%s: told\n%q, want\n%q", step, got, lines)
	}
}

func linesOf(c connect.Change) (out []string) {
	if c.DDL != nil {
		out = append(out, fmt.Sprintf("ddl %s %v", c.DDL.Tag, c.DDL.Tables))
	}
	for _, r := range c.Rows {
		line := fmt.Sprintf("%s %s%s", r.Op, r.Table.Name, keyText(r.Key))
		if r.OldKey != nil {
			line += " was" + keyText(r.OldKey)
		}
		out = append(out, line)
	}
	if c.Last {
		out = append(out, "end")
	}
	return out
}

func keyText(k connect.Row) string {
	out := ""
	for _, v := range k {
		out += " " + v.Text
	}
	return out
}

const firmSQL = `CREATE TABLE firm (name text, code varchar(18), n numeric(6,2), at timestamptz, PRIMARY KEY (n, code))`

// TestFeedTellsWhatWasCommitted: by key, in order, transaction by transaction.
func TestFeedTellsWhatWasCommitted(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), firmSQL, "CREATE TABLE other (a int PRIMARY KEY)", "INSERT INTO firm VALUES ('before', 'a', 1, now())")
	s := openFeed(t, d.url)
	f := follow(t, s, "", "firm")
	if c := f.next(true); !c.Empty() || c.Position == "" || c.Last {
		t.Fatalf("the first Change is %+v", c)
	}
	began := time.Now()
	d.do("INSERT INTO firm VALUES ('x', 'b', 2.5, now()), ('y', 'c', 3, now())")
	f.wants("insert", "insert firm 2.50 b", "insert firm 3.00 c", "end")
	d.do("BEGIN; UPDATE firm SET name = 'z' WHERE code = 'b'; UPDATE firm SET code = 'd' WHERE code = 'c'; INSERT INTO other VALUES (1); DELETE FROM firm WHERE code = 'a'; COMMIT")
	f.wants("three in one", "update firm 2.50 b", "update firm 3.00 d was 3.00 c", "delete firm 1.00 a", "end")
	d.do("BEGIN; DELETE FROM firm; ROLLBACK", "INSERT INTO other VALUES (2)", "TRUNCATE firm, other")
	f.wants("a rollback, another table, truncate", "truncate firm", "end")
	d.do("INSERT INTO firm SELECT 'many', 'k' || i, i % 100, now() FROM generate_series(1, 2500) i")
	var rows, pieces int
	before := connect.Position("")
	for {
		c := f.next(false)
		rows, pieces = rows+len(c.Rows), pieces+1
		if len(c.Rows) > connect.MaxChangeRows {
			t.Fatalf("a piece of %d rows", len(c.Rows))
		}
		if c.Committed.Before(began.Add(-time.Hour)) || c.Committed.After(time.Now().Add(time.Hour)) {
			t.Fatalf("committed at %s", c.Committed)
		}
		if pieces == 1 {
			before = c.Position
		}
		if !c.Last && c.Position != before || c.Last && c.Position <= before {
			t.Fatalf("piece %d has position %s, the transaction began after %s", pieces, c.Position, before)
		}
		if c.Last {
			break
		}
	}
	if rows != 2500 || pieces < 3 {
		t.Errorf("%d rows in %d pieces", rows, pieces)
	}
	if err := s.Follow(t.Context(), []connect.TableName{{Schema: "public", Name: "firm"}}, "", func(connect.Change) error { return nil }); !errors.Is(err, connect.ErrFeedBusy) {
		t.Errorf("a second Follow: %v", err)
	}
	if lag, err := s.FeedLag(t.Context()); err != nil || !lag.There || !lag.Active || lag.Lost || lag.Limit != 256<<20 || lag.Bytes <= 0 || lag.Warn(time.Now()) {
		t.Errorf("FeedLag = %+v, %v", lag, err)
	}
	if err := s.DropFeed(t.Context()); !errors.Is(err, connect.ErrFeedBusy) {
		t.Errorf("DropFeed while it is followed: %v", err)
	}
}

// TestFeedGoesOnWhereItWas: after our own end, in the middle of a transaction, and after the server's.
func TestFeedGoesOnWhereItWas(t *testing.T) {
	server := pgtest.Durable(t)
	d := newDatabase(t, server.Database(t, "feed"), "CREATE TABLE firm (code text PRIMARY KEY)")
	s := openFeed(t, d.url)
	f := follow(t, s, "", "firm")
	f.next(true)
	d.do("INSERT INTO firm VALUES ('a')")
	f.wants("a", "insert firm a", "end")
	kept := f.last
	d.do("INSERT INTO firm SELECT 'm' || i FROM generate_series(1, 1500) i")
	c := f.next(false)
	if c.Last || c.Position < kept {
		t.Fatalf("the first piece of two: last %t, position %s, after %s", c.Last, c.Position, kept)
	}
	kept = c.Position // safe to keep with any piece
	f.end()
	d.do("INSERT INTO firm VALUES ('b')")
	f = follow(t, s, kept, "firm")
	if c := f.next(true); !c.Empty() || c.Position != kept {
		t.Fatalf("goes on with %+v", c)
	}
	rows := 0
	for c := f.next(false); ; c = f.next(false) {
		if rows += len(c.Rows); c.Last {
			break
		}
	}
	if rows != 1500 {
		t.Errorf("the transaction that was told in part has %d rows again", rows)
	}
	f.wants("b", "insert firm b", "end")
	kept = f.last
	if err := s.Acknowledge(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	d.do("INSERT INTO firm VALUES ('c')")
	f.wants("c", "insert firm c", "end")
	server.Kill(t)
	select {
	case err := <-f.done:
		f.done <- err
		if !errors.Is(err, connect.ErrUnreachable) {
			t.Fatalf("the server is gone: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Follow does not notice that the server is gone")
	}
	server.Start(t)
	d.reconnect()
	d.do("DELETE FROM firm WHERE code = 'a'")
	s2 := openFeed(t, d.url) // the gateway too begins anew
	f = follow(t, s2, kept, "firm")
	f.wants("after both have ended", "insert firm c", "end", "delete firm a", "end")
}

// TestSnapshotAndFeedLackNothing: writers are at work while a feed begins; snapshot and feed
// together know every row.
func TestSnapshotAndFeedLackNothing(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), "CREATE TABLE firm (id bigint PRIMARY KEY)")
	const writers, each = 4, 150
	ended := make(chan error, writers)
	for w := range writers {
		conn, err := pgconn.Connect(t.Context(), d.url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		go func() {
			for i := range each {
				if _, err := conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO firm VALUES (%d)", w*each+i)).ReadAll(); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	s := openFeed(t, d.url)
	f := follow(t, s, "", "firm")
	f.next(true)
	known := map[string]bool{}
	err := s.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: "firm"}, Columns: []string{"id"}}, func(b connect.Batch) error {
		for _, r := range b.Rows {
			known[r[0].Text] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	snapshot := len(known)
	for range writers {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	d.do("INSERT INTO firm VALUES (-1)")
	for !known["-1"] {
		for _, r := range f.next(false).Rows {
			known[r.Key[0].Text] = true
		}
	}
	if len(known) != writers*each+1 {
		t.Errorf("%d rows are known of %d, %d by the snapshot", len(known), writers*each+1, snapshot)
	}
}

// TestPrintedStatementsAreEnough: an account that may only read is told what is missing, all
// at once; an administrator runs it; then it works, and nobody had to be superuser.
func TestPrintedStatementsAreEnough(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), firmSQL, "CREATE TABLE bare (a int)", "CREATE VIEW seen AS SELECT 1 AS a",
		"DROP ROLE IF EXISTS feed_reader, feed_dba", "CREATE ROLE feed_reader LOGIN", "CREATE ROLE feed_dba LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO feed_reader", "GRANT CREATE ON SCHEMA public TO feed_dba")
	t.Cleanup(func() { d.do("DROP OWNED BY feed_reader, feed_dba", "DROP ROLE feed_reader, feed_dba") })
	s := openFeed(t, d.as("feed_reader"))
	try := func(from connect.Position, tables ...connect.TableName) *connect.NoFeedError {
		t.Helper()
		err := s.Follow(t.Context(), tables, from, func(connect.Change) error { return errors.New("it began") })
		var no *connect.NoFeedError
		if !errors.As(err, &no) || !errors.Is(err, connect.ErrNoFeed) {
			t.Fatalf("Follow = %v", err)
		}
		return no
	}
	no := try("", connect.TableName{Name: "bare"}, connect.TableName{Name: "seen"})
	if !strings.Contains(no.Cause, "bare: has no primary key") || !strings.Contains(no.Cause, "seen: has no primary key") || no.Tables != nil {
		t.Errorf("tables that cannot be followed: %v, %v", no, no.Tables)
	}
	no = try("", connect.TableName{Name: "firm"})
	want := []string{`ALTER ROLE "feed_reader" REPLICATION;`, `CREATE PUBLICATION "mulian_gateway" FOR TABLE "public"."firm" ("n", "code") WITH (publish_via_partition_root = true);`}
	if !slices.Equal(sqlOf(no.Statements), want) {
		t.Fatalf("it needs %q", no.Statements)
	}
	d.do(sqlOf(no.Statements)...)
	if err := s.Followable(t.Context(), []connect.TableName{{Name: "firm"}}); err != nil {
		t.Fatalf("after what was printed: %v", err)
	}
	// Of a source that can be followed the unfit tables are named.
	d.do("CREATE TABLE unseen (a int PRIMARY KEY)", "CREATE TABLE theirs (a int PRIMARY KEY)", "GRANT SELECT ON theirs TO feed_reader")
	no = try("", connect.TableName{Name: "firm"}, connect.TableName{Name: "bare"}, connect.TableName{Name: "unseen"}, connect.TableName{Name: "theirs"})
	if unfit := []connect.TableName{{Schema: "public", Name: "bare"}, {Schema: "public", Name: "unseen"}, {Schema: "public", Name: "theirs"}}; !slices.Equal(no.Tables, unfit) {
		t.Errorf("unfit are %v", no.Tables)
	}
	if want := []string{`ALTER PUBLICATION "mulian_gateway" ADD TABLE "public"."theirs" ("a");`}; !slices.Equal(no.Statements, want) {
		t.Errorf("they need %q", no.Statements)
	}
	if no := try(""); !slices.Equal(no.Statements, triggerSQL) {
		t.Errorf("DDL alone needs %q", no.Statements)
	}
	all, err := s.FeedSQL(t.Context(), []connect.TableName{{Name: "firm"}})
	if err != nil {
		t.Fatal(err)
	}
	d.do(sqlOf(all)...)
	f := follow(t, s, "", "firm")
	f.next(true)
	heard := follow(t, s, "")
	heard.next(true)
	d.do("INSERT INTO firm VALUES ('secret', 'a', 1, now())")
	f.wants("rows", "insert firm 1.00 a", "end")

	dba := newDatabase(t, d.as("feed_dba"), "CREATE TABLE mine (a int PRIMARY KEY)")
	for _, g := range []*follower{f, heard} {
		g.wants("DDL of somebody who is no superuser", "ddl CREATE TABLE [public.mine]", "end")
	}
	dba.do("CREATE TEMP TABLE mine_alone (a int)", "BEGIN; ALTER TABLE mine ADD b text; ROLLBACK", "CREATE INDEX by_a ON mine (a)")
	heard.wants("temporary tables are nobody's business", "ddl CREATE INDEX [public.mine]", "end")
	f.wants("the same in the log", "ddl CREATE INDEX [public.mine]", "end")
	dba.do("BEGIN; ALTER TABLE mine ADD c text; DROP TABLE mine; COMMIT")
	f.wants("in one transaction", "ddl ALTER TABLE [public.mine]", "ddl DROP TABLE []", "end")
	heard.wants("each heard", "ddl ALTER TABLE [public.mine]", "end", "ddl DROP TABLE []", "end")
	d.do("NOTIFY " + ddlName + ", 'no json'")
	heard.wants("nonsense only makes us look", "ddl DDL []", "end")
}

// sqlOf leaves the remarks out.
func sqlOf(statements []string) []string {
	return slices.DeleteFunc(slices.Clone(statements), func(s string) bool { return strings.HasPrefix(s, "--") })
}

// TestWhatWouldSpoilTheirTableIsRefused: a table without a usable key is never published, for
// then its UPDATEs would fail.
func TestWhatWouldSpoilTheirTableIsRefused(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"),
		"CREATE TABLE deferred (a int PRIMARY KEY DEFERRABLE)", "CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY)",
		"CREATE TABLE nothing (a int PRIMARY KEY)", "ALTER TABLE nothing REPLICA IDENTITY NOTHING", "CREATE TABLE bare (a int)")
	s := openFeed(t, d.url)
	for name, cause := range map[string]string{
		"deferred": "deferrable", "unlogged": "unlogged", "nothing": "does not log its primary key", "bare": "no primary key",
	} {
		err := s.Follow(t.Context(), []connect.TableName{{Name: name}}, "", func(connect.Change) error { return errors.New("it began") })
		if !errors.Is(err, connect.ErrNoFeed) || !strings.Contains(err.Error(), cause) {
			t.Errorf("%s: %v, want %s", name, err, cause)
		}
	}
	d.do("INSERT INTO bare VALUES (1)", "UPDATE bare SET a = 2", "INSERT INTO nothing VALUES (1)", "UPDATE nothing SET a = 2")
}

// TestLongKeysAndChangedTables: keys that the server stores apart, and tables that change
// while they are followed.
func TestLongKeysAndChangedTables(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), "CREATE TABLE long (k text PRIMARY KEY, v text)", "ALTER TABLE long ALTER k SET STORAGE EXTERNAL",
		"CREATE TABLE part (region text, id int, PRIMARY KEY (region, id)) PARTITION BY LIST (region)", "CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a')")
	key := strings.Repeat("木", 830) // 2,490 bytes: an index takes it, a page of rows rather not
	// A publication of the administrator's own, with all columns.
	d.do("INSERT INTO long VALUES ('"+key+"', 'x')", "CREATE PUBLICATION mulian_gateway FOR TABLE long, part WITH (publish_via_partition_root = true)")
	s := openFeed(t, d.url)
	f := follow(t, s, "", "long", "part")
	f.next(true)
	d.do("UPDATE long SET v = 'y'")
	f.wants("a long key that did not change", "update long "+key, "end")
	d.do("UPDATE long SET k = 'short', v = 'z'")
	f.wants("and one that did", "update long short was "+key, "end")
	d.do("INSERT INTO part VALUES ('a', 7)")
	f.wants("a partition has its table's name", "insert part a 7", "end")
	d.do("ALTER TABLE long ADD w text", "INSERT INTO long VALUES ('new', '')")
	f.wants("another look, noticed without a trigger", "ddl RELATION [public.long]", "insert long new", "end")
	d.do("ALTER TABLE long RENAME k TO kk", "INSERT INTO long VALUES ('newer', '')")
	var no *connect.NoFeedError
	if err := f.ended(); !errors.As(err, &no) || !slices.Equal(no.Tables, []connect.TableName{{Schema: "public", Name: "long"}}) {
		t.Errorf("the key has another name: %v", err)
	}
	f = follow(t, s, f.last, "part") // the other goes on from there
	d.do("INSERT INTO part VALUES ('a', 8)")
	f.wants("without the table whose key is another", "insert part a 8", "end")
}

// TestSnapshotsAreReadAcrossTheWrap of 32-bit transaction numbers.
func TestSnapshotsAreReadAcrossTheWrap(t *testing.T) {
	const epoch = uint64(3) << 32
	for _, c := range []struct {
		text string
		xid  uint32
		want bool
	}{
		{"100:120:105,110", 99, true},
		{"100:120:105,110", 105, false},
		{"100:120:105,110", 106, true},
		{"100:120:", 120, false},
		{"100:120:", 4_000_000_000, false},
		{fmt.Sprintf("%d:%d:", epoch+5, epoch+5), 0xffff_fff0, true},
		{fmt.Sprintf("%d:%d:", epoch-10, epoch-5), 3, false},
		{fmt.Sprintf("%d:%d:%d", epoch-10, epoch+5, epoch+1), 1, false},
	} {
		s, err := readSnapshot(c.text)
		if err != nil || s.sees(c.xid) != c.want {
			t.Errorf("%s sees %d: %t, %v", c.text, c.xid, s.sees(c.xid), err)
		}
	}
	for _, bad := range []string{"", "1:2", "a:1:", "1:b:", "1:2:c"} {
		if _, err := readSnapshot(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// FuzzFeedMessage: no message of a server, however damaged, takes the gateway with it.
func FuzzFeedMessage(f *testing.F) {
	const begin = "B\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01"
	const relation = "R\x00\x00\x00\x07public\x00firm\x00d\x00\x01\x01code\x00\x00\x00\x00\x19\xff\xff\xff\xff"
	for _, seed := range []string{
		begin, relation, "C\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00",
		"I\x00\x00\x00\x07N\x00\x01t\x00\x00\x00\x01a", "U\x00\x00\x00\x07K\x00\x01t\x00\x00\x00\x01aN\x00\x01t\x00\x00\x00\x01b", "D\x00\x00\x00\x07K\x00\x01t\x00\x00\x00\x01a",
		"U\x00\x00\x00\x07N\x00\x01u", "T\x00\x00\x00\x01\x00\x00\x00\x00\x07", "M\x01\x00\x00\x00\x00\x00\x00\x00\x01mulian_ddl\x00\x00\x00\x00\x02{}",
	} {
		f.Add([]byte(seed))
		f.Add([]byte(seed[:len(seed)-1]))
		f.Add([]byte("w000000000000000000000000" + seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		told := 0
		table := &followed{name: connect.TableName{Schema: "public", Name: "firm"}, key: []string{"code"}, kind: []connect.Kind{connect.Text}}
		a := newAssembly(1, []*followed{table}, 0, func(uint32) error { return nil }, func(c connect.Change) error {
			told += len(c.Rows)
			return c.Position.Check()
		})
		if err := errors.Join(a.message([]byte(relation)), a.message([]byte(begin))); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_ = a.message(b) // an error is an answer
			_ = a.copyData(b)
		}
		if told+len(a.rows) > 6*max(1, len(b)) {
			t.Errorf("%d rows of a message of %d bytes", told+len(a.rows), len(b))
		}
	})
}

// TestTableVersions: what makes rows others without a change of rows shows, and changes of rows do not.
func TestTableVersions(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "version"), "CREATE TYPE mood AS ENUM ('good', 'bad')", "CREATE TABLE a (id int PRIMARY KEY, n int, t text, m mood, at timestamp, g int GENERATED ALWAYS AS (n * 2) STORED)",
		"CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)", "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)", "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)")
	s := openFeed(t, d.url)
	run := func(sql string) { d.do(sql) }
	connecttest.RunVersions(t, s, connect.TableName{Schema: "public", Name: "a"}, run,
		[]string{"INSERT INTO a (id, n, t, m, at) VALUES (1, 2, 'x', 'good', now())", "UPDATE a SET n = 3", "CREATE INDEX a_n ON a (n)", "ALTER TABLE a ALTER n SET DEFAULT 4", "VACUUM a", "ANALYZE a", "DELETE FROM a"},
		[]string{
			"ALTER TABLE a DROP g, ADD g int GENERATED ALWAYS AS (n * 3) STORED", "ALTER TABLE a DROP g", "ALTER TABLE a ALTER n TYPE int USING n * 100",
			"ALTER TABLE a ALTER at TYPE timestamptz", "ALTER TABLE a ADD v float DEFAULT random()", "ALTER TYPE mood RENAME VALUE 'bad' TO 'worse'", "ALTER TABLE a RENAME t TO u",
			"ALTER TABLE a ADD t text DEFAULT 'same for all'", "ALTER TABLE a ENABLE ROW LEVEL SECURITY", "CREATE POLICY own ON a USING (n > 0)", "ALTER POLICY own ON a USING (n > 1)",
		})
	connecttest.RunVersions(t, s, connect.TableName{Schema: "public", Name: "p"}, run, []string{"INSERT INTO p VALUES (1), (11)"},
		[]string{"TRUNCATE p1", "ALTER TABLE p DETACH PARTITION p1", "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10)", "DROP TABLE p2"})
}

// TestIdleFeedLives: where nothing happens an empty Change still comes, with the position of
// before, but not with every answer of the server.
func TestIdleFeedLives(t *testing.T) {
	told := 0
	a := newAssembly(1, nil, 7, nil, func(c connect.Change) error {
		if told++; !c.Empty() || c.Position != position(1, 7) {
			t.Errorf("it tells %+v", c)
		}
		return nil
	})
	for range 3 {
		if err := a.reached(7); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 {
		t.Fatalf("it tells %d times at once", told)
	}
	a.quiet = time.Now().Add(-statusEvery)
	if err := a.reached(7); err != nil || told != 2 {
		t.Errorf("after %s it has told %d times, %v", statusEvery, told, err)
	}
	if 2*statusEvery > connect.FeedAlive {
		t.Error("a feed that lives may be silent for longer than FeedAlive")
	}
}
