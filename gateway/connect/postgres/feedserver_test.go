package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/internal/pgtest"
)

// TestLostPositions: what cannot be continued says so, and a new beginning works.
func TestLostPositions(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), "CREATE TABLE firm (id int PRIMARY KEY)", "CREATE TABLE later (id int PRIMARY KEY)")
	s := openFeed(t, d.url)
	lost := func(step string, from connect.Position) {
		t.Helper()
		err := s.Follow(t.Context(), []connect.TableName{{Name: "firm"}}, from, func(c connect.Change) error {
			return nil // the server may notice while it reads
		})
		if !errors.Is(err, connect.ErrPositionLost) {
			t.Errorf("%s: %v", step, err)
		}
	}
	begin := func() connect.Position {
		t.Helper()
		f := follow(t, s, "", "firm")
		at := f.next(true).Position
		d.do("INSERT INTO firm SELECT coalesce(max(id), 0) + 1 FROM firm")
		f.next(false)
		f.end()
		return at
	}
	first := begin()
	lost("of another server", "0000000000000001"+first[16:])
	lost("of no server", "binlog.000001:4")
	f := follow(t, s, first, "firm", "later") // a table more: the publication grows
	f.wants("told again", "insert firm 1", "end")
	d.do("INSERT INTO later VALUES (1)")
	f.wants("the new table", "insert later 1", "end")
	if err := s.Acknowledge(t.Context(), f.last); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		p, err := s.survey(t.Context(), nil)
		if err != nil || time.Now().After(until) {
			t.Fatalf("the server does not hear the acknowledgement: %v", err)
		}
		if position(s.feed.system, p.slot.confirmed) >= f.last {
			break
		}
	}
	f.end()
	lost("acknowledged", first)
	second := begin()
	if err := s.DropFeed(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost("the slot was dropped", second)
	third := begin()
	d.do("DROP PUBLICATION mulian_gateway", "INSERT INTO firm VALUES (100)")
	lost("the publication was dropped", third)
	f = follow(t, s, "", "firm")
	f.next(true)
	d.do("INSERT INTO firm VALUES (101)")
	f.wants("a new beginning", "insert firm 101", "end")
	if err := s.Acknowledge(t.Context(), "nonsense"); !errors.Is(err, connect.ErrInvalid) {
		t.Errorf("Acknowledge of a position that was never told: %v", err)
	}
}

// TestATableAddedWhileOthersWrite: what was written before the table was published, and is
// committed after the feed stands, is in the snapshot or in the feed.
func TestATableAddedWhileOthersWrite(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), "CREATE TABLE firm (id int PRIMARY KEY)", "CREATE TABLE later (id int PRIMARY KEY)")
	s := openFeed(t, d.url)
	f := follow(t, s, "", "firm")
	at := f.next(true).Position
	f.end()
	writer := newDatabase(t, d.url, "BEGIN", "INSERT INTO later VALUES (1)")
	f = follow(t, s, at, "firm", "later")
	waits := func() bool {
		r, err := d.own.Exec(t.Context(), fmt.Sprintf(`SELECT count(*) FROM pg_stat_activity a, pg_stat_activity writer
			WHERE writer.pid = %d AND a.query_start > writer.xact_start AND a.query LIKE 'SELECT txid_snapshot_xmin(%%'`, writer.own.PID())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return string(r[0].Rows[0][0]) != "0"
	}
	known, began := map[string]bool{}, false
	for until := time.Now().Add(patience); !began && !waitsFor(f, &began, waits); {
		if time.Now().After(until) {
			t.Fatal("the feed neither stands nor waits")
		}
	}
	if began { // too early: what the snapshot sees lacks the row
		scanKeys(t, s, "later", known)
	}
	writer.do("COMMIT")
	if !began {
		f.next(true)
		scanKeys(t, s, "later", known)
	}
	d.do("INSERT INTO later VALUES (2)")
	for !known["2"] {
		for _, r := range f.next(false).Rows {
			known[r.Key[0].Text] = true
		}
	}
	if !known["1"] {
		t.Error("a row is neither in the snapshot nor in the feed")
	}
}

// waitsFor tells whether the feed waits; began is set if it stands instead.
func waitsFor(f *follower, began *bool, waits func() bool) bool {
	select {
	case <-f.told:
		*began = true
		return false
	case <-time.After(10 * time.Millisecond):
		return waits()
	}
}

// scanKeys notes the keys of a table of one column.
func scanKeys(t *testing.T, s *source, table string, known map[string]bool) {
	t.Helper()
	err := s.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: table}, Columns: []string{"id"}}, func(b connect.Batch) error {
		for _, r := range b.Rows {
			known[r[0].Text] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWholeRowsInTheLogAreRefused: from version 15 on a publication of the key alone would make
// every UPDATE of a table fail that logs whole rows; so it is never published, and its owner
// can go on.
func TestWholeRowsInTheLogAreRefused(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), "CREATE TABLE firm (id int PRIMARY KEY, v text)", "ALTER TABLE firm REPLICA IDENTITY FULL", "INSERT INTO firm VALUES (1, 'a')")
	s := openFeed(t, d.url)
	if p, err := s.survey(t.Context(), nil); err != nil || p.version < 150000 {
		t.Skipf("SKIP the server knows no column lists (%v)", err)
	}
	err := s.Follow(t.Context(), []connect.TableName{{Name: "firm"}}, "", func(connect.Change) error { return errors.New("it began") })
	d.do("UPDATE firm SET v = 'b'", "DELETE FROM firm")
	var no *connect.NoFeedError
	if !errors.As(err, &no) || len(no.Tables) != 1 || len(no.Statements) != 1 {
		t.Fatalf("REPLICA IDENTITY FULL: %v", err)
	}
	d.do(no.Statements[0])
	f := follow(t, s, "", "firm")
	f.next(true)
	d.do("INSERT INTO firm VALUES (1, 'a')", "UPDATE firm SET v = 'b'")
	f.wants("after what was printed", "insert firm 1", "end", "update firm 1", "end")
}

// TestAFeedThatIsGivenUpLeavesNothing: neither slot nor publication; another gateway's, whose name
// begins alike, stays; and who may not remove it says what the administrator has to run.
func TestAFeedThatIsGivenUpLeavesNothing(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), "CREATE TABLE firm (id int PRIMARY KEY)", "DROP ROLE IF EXISTS feed_poor", "CREATE ROLE feed_poor LOGIN", "GRANT SELECT ON firm TO feed_poor")
	t.Cleanup(func() { d.do("DROP OWNED BY feed_poor", "DROP ROLE feed_poor") })
	left := func() (out []string) {
		t.Helper()
		r, err := d.own.Exec(t.Context(), "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() UNION ALL SELECT pubname FROM pg_publication ORDER BY 1").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r[0].Rows {
			out = append(out, strings.TrimRight(string(row[0]), "0123456789"))
		}
		return out
	}
	one, two := openFeed(t, d.url), openFeed(t, d.url+"&mulian_feed=gateway_two")
	for _, s := range []*source{one, two} {
		f := follow(t, s, "", "firm")
		f.next(true)
		f.end()
	}
	if lag, err := one.FeedLag(t.Context()); err != nil || !lag.There {
		t.Errorf("FeedLag = %+v, %v", lag, err)
	}
	poor := openFeed(t, d.as("feed_poor"))
	err := poor.DropFeed(t.Context())
	var no *connect.NoFeedError
	if !errors.As(err, &no) || len(left()) != 4 {
		t.Fatalf("DropFeed of who may not: %v, left %q", err, left())
	}
	d.do(no.Statements...)
	if got := left(); !slices.Equal(got, []string{"mulian_gateway_two", "mulian_gateway_two_"}) {
		t.Errorf("after the printed statements: %q", got)
	}
	if lag, err := one.FeedLag(t.Context()); err != nil || lag.There {
		t.Errorf("FeedLag of a feed that is gone: %+v, %v", lag, err)
	}
	if err := two.DropFeed(t.Context()); err != nil || len(left()) != 0 {
		t.Errorf("DropFeed: %v, left %q", err, left())
	}
}

// TestTheServersDiskIsSafe: a slot that nobody reads is given up by the server at its
// bound, and a server without a bound gets none.
func TestTheServersDiskIsSafe(t *testing.T) {
	server := pgtest.Durable(t, "wal_level=logical")
	d := newDatabase(t, server.Database(t, "feed"), "CREATE TABLE firm (id int PRIMARY KEY, v text)")
	s := openFeed(t, d.url)
	err := s.Follow(t.Context(), []connect.TableName{{Name: "firm"}}, "", func(connect.Change) error { return errors.New("it began") })
	var no *connect.NoFeedError
	if !errors.As(err, &no) || !strings.Contains(no.Cause, "nothing bounds") {
		t.Fatalf("a server without a bound: %v", err)
	}
	d.do(sqlOf(no.Statements)...)
	d.do("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'", "SELECT pg_reload_conf()")
	began := errors.New("it began")
	var at connect.Position
	for until := time.Now().Add(patience); !errors.Is(err, began); time.Sleep(20 * time.Millisecond) { // a process of the server takes the setting a moment later
		err = s.Follow(t.Context(), []connect.TableName{{Name: "firm"}}, "", func(c connect.Change) error { at = c.Position; return began })
		if time.Now().After(until) {
			t.Fatalf("with a bound: %v", err)
		}
	}
	for until := time.Now().Add(patience); ; {
		d.do("INSERT INTO firm VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET v = 'y'", "SELECT pg_switch_wal()", "CHECKPOINT")
		lag, err := s.FeedLag(t.Context())
		if err != nil || time.Now().After(until) {
			t.Fatalf("the slot is never given up: %+v, %v", lag, err)
		}
		if lag.Lost && lag.Warn(time.Now()) {
			break
		}
	}
	if err := s.Follow(t.Context(), []connect.TableName{{Name: "firm"}}, at, func(connect.Change) error { return began }); !errors.Is(err, connect.ErrPositionLost) {
		t.Errorf("a slot that was given up: %v", err)
	}
	if err := s.Follow(t.Context(), []connect.TableName{{Name: "firm"}}, "", func(connect.Change) error { return began }); !errors.Is(err, began) {
		t.Errorf("a new beginning: %v", err)
	}
}

// TestSlowReceiverIsNotTakenForDead: fn works for longer than the server waits for a sign of life.
func TestSlowReceiverIsNotTakenForDead(t *testing.T) {
	d := newDatabase(t, pgtest.URL(t, "feed"), "CREATE TABLE firm (id int PRIMARY KEY)")
	d.do("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET wal_sender_timeout = %L', current_database(), '1s'); END $$")
	s := openFeed(t, d.url)
	f := follow(t, s, "", "firm")
	f.next(true)
	d.do("INSERT INTO firm SELECT generate_series(1, 2500)")
	time.Sleep(2500 * time.Millisecond) // the receiver works; nothing is read meanwhile
	rows := 0
	for c := f.next(false); ; c = f.next(false) {
		if rows += len(c.Rows); c.Last {
			break
		}
	}
	if rows != 2500 {
		t.Errorf("%d rows", rows)
	}
}

// TestWhatIsToldCanBeSeen: a commit that is in the log and waits for a standby is not told
// before other connections see it.
func TestWhatIsToldCanBeSeen(t *testing.T) {
	server := pgtest.Durable(t)
	d := newDatabase(t, server.Database(t, "feed"), "CREATE TABLE firm (id int PRIMARY KEY, v text)", "INSERT INTO firm VALUES (1, 'old')")
	s := openFeed(t, d.url)
	f := follow(t, s, "", "firm")
	f.next(true)
	d.do("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
	slow := newDatabase(t, d.url)
	ended := make(chan error, 1)
	go func() {
		_, err := slow.own.Exec(context.Background(), "UPDATE firm SET v = 'new'").ReadAll()
		ended <- err
	}()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		r, err := d.own.Exec(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").ReadAll()
		if err != nil || time.Now().After(until) {
			t.Fatalf("the commit does not wait: %v", err)
		}
		if string(r[0].Rows[0][0]) == "1" {
			break
		}
	}
	select {
	case c := <-f.told:
		if len(c.Rows) > 0 {
			t.Errorf("told %v, which nobody sees yet", linesOf(c))
		}
	case <-time.After(500 * time.Millisecond): // a wrong one would be told within a moment
	}
	d.do("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
	f.wants("visible", "update firm 1", "end")
	sel := connect.Selection{Table: connect.TableName{Name: "firm"}, Columns: []string{"v"}, Limit: 1, Where: []connect.Condition{{Column: "id", Op: connect.OpIn, Values: []connect.Value{connect.IntegerValue(1)}}}}
	if rows, err := s.Query(t.Context(), sel); err != nil || rows[0][0].Text != "new" {
		t.Errorf("what was told reads as %v, %v", rows, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
