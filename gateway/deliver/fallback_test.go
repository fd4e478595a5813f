package deliver

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mulian/gateway/connect"
	_ "mulian/gateway/connect/postgres"
	"mulian/internal/pgtest"
)

// watched is a sensor over a real database, with its book and no asker.
type watched struct {
	*sensor
	t    *testing.T
	url  string
	stop func()
}

func watch(t *testing.T, statements ...string) *watched {
	t.Helper()
	w := &watched{t: t, url: pgtest.URL(t, "sensor")}
	w.do(statements...)
	source, err := connect.Open(t.Context(), w.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = source.(connect.FeedKeeper).DropFeed(context.Background()) // a slot would stay for the server's life
		source.Close()
	})
	x := &Subscriptions{Provider: &Provider{cfg: ProviderConfig{Logger: slog.New(slog.DiscardHandler)}}, book: testBook(t, filepath.Join(t.TempDir(), "subscriptions.db")), stir: make(chan struct{})}
	w.sensor = newSensor(x, "plan", source)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.run(ctx) }()
	w.stop = func() { cancel(); <-done }
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *watched) do(statements ...string) {
	w.t.Helper()
	conn, err := pgx.Connect(context.Background(), w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, s := range statements {
		if _, err := conn.Exec(context.Background(), s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

func public(table string) connect.TableName {
	return connect.TableName{Schema: "public", Name: table}
}

// subscribe writes a subscription down, as begin does.
func (w *watched) subscribe(id, table string) {
	w.t.Helper()
	s := &subscription{
		ID: id, Agreement: "a" + id, Entry: "e", Asker: "x/g/main", Source: "plan", Table: public(table), Columns: []byte{1}, Sensing: sensingFeed,
		Reading: reading{Key: []string{"id"}, Version: w.version(w.t.Context(), public(table))},
	}
	if !w.feeds(s.Table) {
		s.Sensing, s.Ready, s.Reading.Fallback = sensingCompare, true, true
	}
	if err := w.subs.book.add(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
	w.nudge()
}

// find is a subscription as it is now; nil: it has ended.
func (w *watched) find(id string) *subscription {
	w.t.Helper()
	s, err := w.subs.book.find(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *watched) eventually(what string, is func() bool) {
	w.t.Helper()
	for until := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			w.t.Fatalf("never: %s", what)
		}
	}
}

func (w *watched) ready(id string) {
	w.t.Helper()
	w.eventually(id+" is ready", func() bool { s := w.find(id); return s != nil && s.Ready })
}

// waits waits until so many keys wait for a subscription.
func (w *watched) waits(id string, keys int64) {
	w.t.Helper()
	w.eventually("keys wait for "+id, func() bool { s := w.find(id); return s != nil && s.Touched == keys && !s.Again })
}

// TestAnUnfitTableFallsBackAlone: the others are followed on from where they are; and when it
// is mended it comes back by itself.
func TestAnUnfitTableFallsBackAlone(t *testing.T) {
	w := watch(t, "CREATE TABLE firm (id int PRIMARY KEY)", "CREATE TABLE shop (id int PRIMARY KEY)", "INSERT INTO firm VALUES (1)")
	w.subscribe("firm", "firm")
	w.subscribe("shop", "shop")
	w.ready("firm")
	w.ready("shop")
	w.do("INSERT INTO firm VALUES (2)", "ALTER TABLE shop REPLICA IDENTITY NOTHING", "INSERT INTO shop VALUES (1)", "INSERT INTO firm VALUES (3)")
	w.eventually("who follows the unfit table has to begin anew", func() bool { return w.find("shop").Again })
	w.do("INSERT INTO firm VALUES (4)")
	w.waits("firm", 3)
	if !w.feeds(public("firm")) || w.feeds(public("shop")) {
		t.Errorf("feeds: firm %t, shop %t", w.feeds(public("firm")), w.feeds(public("shop")))
	}

	w.subscribe("shop by comparison", "shop")
	mend := func() {
		t.Helper()
		w.mu.Lock()
		w.fallen[public("shop")].due = time.Time{} // its time has come
		w.mu.Unlock()
		all, err := w.subs.book.list(t.Context(), "again = 0")
		if err == nil {
			err = w.mend(t.Context(), all)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mend()
	if w.find("shop by comparison").Again || w.feeds(public("shop")) {
		t.Error("a table comes back that was not mended")
	}
	w.do("ALTER TABLE shop REPLICA IDENTITY DEFAULT")
	mend()
	if !w.find("shop by comparison").Again || !w.feeds(public("shop")) {
		t.Fatal("the mended table does not come back")
	}
	w.subscribe("shop again", "shop")
	w.ready("shop again")
	w.do("INSERT INTO shop VALUES (2)", "INSERT INTO firm VALUES (5)")
	w.waits("shop again", 1)
	w.waits("firm", 4)

	// One that falls back again waits twice as long.
	w.stop()
	before := w.fallen[public("shop")].wait
	if err := w.unfit(t.Context(), []connect.TableName{public("shop")}, connect.ErrNoFeed); err != nil || w.fallen[public("shop")].wait != 2*before {
		t.Errorf("waits %s, then %s, %v", before, w.fallen[public("shop")].wait, err)
	}
}

// TestWhoBeginsIsToldAtOnce that there is no feed of a table, and of no other.
func TestWhoBeginsIsToldAtOnce(t *testing.T) {
	w := watch(t, "CREATE TABLE firm (id int PRIMARY KEY)", "CREATE TABLE bare (id int)")
	if !w.followable(t.Context(), public("firm")) || w.followable(t.Context(), public("bare")) || w.feeds(public("bare")) || !w.feeds(public("firm")) {
		t.Errorf("feeds: firm %t, bare %t", w.feeds(public("firm")), w.feeds(public("bare")))
	}
}

// TestARewrittenTableIsTakenAgain: nobody tells the rows that an ALTER TABLE makes others.
func TestARewrittenTableIsTakenAgain(t *testing.T) {
	w := watch(t, "CREATE TABLE firm (id int PRIMARY KEY, v int)", "CREATE TABLE shop (id int PRIMARY KEY, v int)", "INSERT INTO firm VALUES (1, 1)")
	w.subscribe("firm", "firm")
	w.subscribe("shop", "shop")
	w.ready("firm")
	w.ready("shop")
	w.do("UPDATE firm SET v = 2", "CREATE INDEX firm_v ON firm (v)")
	w.waits("firm", 1)
	retake := func(want ...string) {
		t.Helper()
		all, err := w.subs.book.list(t.Context(), "1")
		if err == nil {
			err = w.retake(t.Context(), all)
		}
		if err != nil {
			t.Fatal(err)
		}
		var again []string
		for _, s := range all {
			if w.find(s.ID).Again {
				again = append(again, s.ID)
			}
		}
		if !slices.Equal(again, want) {
			t.Fatalf("taken again: %q, want %q", again, want)
		}
	}
	retake()
	w.do("ALTER TABLE firm ALTER v TYPE int USING v * 100")
	retake("firm")
}

// TestAFeedThatNobodyNeedsIsGivenUp: the server keeps nothing for it, and who comes next begins anew.
func TestAFeedThatNobodyNeedsIsGivenUp(t *testing.T) {
	w := watch(t, "CREATE TABLE firm (id int PRIMARY KEY)")
	lag := func() connect.FeedLag {
		t.Helper()
		l, err := w.source.(connect.FeedKeeper).FeedLag(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	w.subscribe("firm", "firm")
	w.ready("firm")
	if !lag().There {
		t.Fatal("no slot is there")
	}
	if err := w.subs.book.end(t.Context(), "id = 'firm'"); err != nil {
		t.Fatal(err)
	}
	w.nudge()
	w.eventually("the slot goes", func() bool { return !lag().There })
	w.subscribe("another", "firm")
	w.ready("another")
	w.do("INSERT INTO firm VALUES (1)")
	w.waits("another", 1)
}

// TestATableThatWasForgottenAnswers: while it was asked, so many fell back that all were
// forgotten; its answer is taken none the less.
func TestATableThatWasForgottenAnswers(t *testing.T) {
	table := connect.TableName{Name: "t"}
	for _, said := range []error{nil, connect.ErrUnreachable} {
		n := &sensor{}
		n.answered(table, said)
		if f := n.fallen[table]; f == nil || f.fit != (said == nil) || said != nil && !f.due.After(time.Now()) {
			t.Errorf("%v: %+v", said, f)
		}
	}
}
