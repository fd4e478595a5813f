package gateway_test

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/mariatest"
	"mulian/internal/pgtest"
	"mulian/internal/servertest"
)

// over leads a database's URL over a link.
func over(t *testing.T, raw string) (*link, string) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	k := newLink(t, u.Host)
	u.Host = k.addr()
	return k, u.String()
}

// newBadPair is a pair whose two servers of databases can be killed and are reached over
// links, and whose gateways are patient.
func newBadPair(t *testing.T, source, own *servertest.Server, rows int, patience time.Duration) (p *pair, there, here *link) {
	t.Helper()
	p = newPair(t, network(t, source, "source"), network(t, own, "own"), rows)
	scatter := "md5(random()::text || id) || md5(random()::text || id) || md5(random()::text || id)"
	if isMaria(p.source) {
		scatter = "concat(md5(concat(rand(), id)), md5(concat(rand(), id)), md5(concat(rand(), id)))"
	}
	pgExec(t, p.source, "UPDATE firms SET place = "+scatter)
	p.door.stop()
	p.tap.stop()
	there, p.doorConfig.Sources[0].URL = over(t, p.source)
	here, p.tapConfig.Sink.URL = over(t, p.own)
	opts := gateway.Options{Patience: patience}
	p.door, p.tap = p.openWith(p.doorConfig, opts), p.openWith(p.tapConfig, opts)
	return p, there, here
}

// arrived holds that both tables are equal, by one confirmed delivery with its receipt;
// those from a number on that came before it have failed, and say why.
func (p *pair) arrived(t *testing.T, got *deliver.Loaded, err error, from uint64) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	columns := append([]string{"id"}, firmHeader...)
	if a, b := dump(t, p.source, "firms", columns), dump(t, p.own, "got", columns); !slices.Equal(a, b) {
		t.Fatalf("%d rows there, %d here, or others", len(a), len(b))
	}
	for n := from; n <= got.Delivery; n++ {
		d, want := &sharev1.Delivery{}, sharev1.DeliveryState_DELIVERY_STATE_FAILED
		if n == got.Delivery {
			want = sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED
		}
		p.eventually("what the ledger says of each delivery", func() bool {
			ok, err := p.chain.Get(context.Background(), deliveryKey(p.agreement, n), d)
			return err == nil && ok && d.State == want
		})
		if want == sharev1.DeliveryState_DELIVERY_STATE_FAILED && d.GetCause() != fault.SourceUnreachable.String() {
			t.Errorf("delivery %d has failed for %q", n, d.GetCause())
		}
	}
	if lost := p.receiptsHold(p.door, p.tap, p.agreement); lost != 0 {
		t.Errorf("%d receipts are lost", lost)
	}
	p.well(p.door)
}

func deliveryKey(agreement string, n uint64) string {
	return "share/delivery/" + agreement + "/000000000" + string(rune('0'+n))
}

func (p *pair) fetchWith(t *testing.T, progress func()) (*deliver.Loaded, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var once sync.Once
	return p.tap.Fetch(ctx, deliver.Fetch{
		Agreement: p.agreement, Entry: p.entry, Into: connect.TableName{Name: "got"},
		Progress: func(int64, int64) { once.Do(progress) },
	})
}

// TestDatabaseRestarts: either side's database is killed and started again in the middle of
// a batch; the fetch ends by itself, with equal tables.
func TestDatabaseRestarts(t *testing.T) {
	t.Run("postgres", func(t *testing.T) { t.Parallel(); databaseRestarts(t, pgtest.Durable(t), pgtest.Durable(t)) })
	t.Run("mariadb", func(t *testing.T) { t.Parallel(); databaseRestarts(t, mariatest.Durable(t), mariatest.Durable(t)) })
}

func databaseRestarts(t *testing.T, source, own *servertest.Server) {
	p, there, here := newBadPair(t, source, own, 30_000, patience)
	restart := func(s *pgtest.Server) func() {
		return func() {
			s.Kill(t)
			s.Start(t)
		}
	}
	there.be(bad{rate: 2 << 20}) // the snapshot is under way when the first page is here
	got, err := p.fetchWith(t, restart(source))
	there.be(bad{})
	p.arrived(t, got, err, 1)
	first := got.Delivery
	if got.Delivery < 2 {
		t.Error("the snapshot was not interrupted: nothing was tested")
	}
	broken := here.connections()
	got, err = p.fetchWith(t, restart(own))
	p.arrived(t, got, err, first+1)
	if here.connections() == broken {
		t.Error("the load was not interrupted: nothing was tested")
	}
}

// TestDatabaseFallsSilent: the way to either database is cut without a word, in the middle
// of a scan, of a load and of a query.
func TestDatabaseFallsSilent(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP long: waits until a database has been silent for long enough")
	}
	t.Run("postgres", func(t *testing.T) { t.Parallel(); databaseFallsSilent(t, pgtest.Durable(t)) })
	t.Run("mariadb", func(t *testing.T) { t.Parallel(); databaseFallsSilent(t, mariatest.Durable(t)) })
}

func databaseFallsSilent(t *testing.T, server *servertest.Server) {
	p, there, here := newBadPair(t, server, server, 10_000, patience/2)
	there.be(bad{after: 500_000, mute: true})
	got, err := p.fetchWith(t, func() {})
	if !there.broken() {
		t.Error("the link did not break: nothing was tested")
	}
	p.arrived(t, got, err, 1)
	first := got.Delivery
	got, err = p.fetchWith(t, here.hush)
	p.arrived(t, got, err, first+1)
}

// TestDatabaseIsLocked: somebody holds the table for longer than anything waits. A query
// fails soon and says why; a batch waits, and comes.
func TestDatabaseIsLocked(t *testing.T) {
	t.Parallel()
	server := pgtest.Durable(t)
	p, _, _ := newBadPair(t, server, server, 1000, patience)
	_, query := p.shareAgain(t)
	ask := func() error {
		_, err := p.tap.Query(t.Context(), query, p.entry, nil, 0, kv("id", "7"))
		return err
	}
	want(t, fault.OK, ask())
	ctx := t.Context()
	db, err := pgx.Connect(ctx, p.source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	tx, err := db.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, "LOCK TABLE firms IN ACCESS EXCLUSIVE MODE")
	}
	if err != nil {
		t.Fatal(err)
	}
	before := p.door.records(t, query, tracev1.Outcome_OUTCOME_FAILED)
	want(t, fault.SourceUnreachable, ask())
	if n := p.door.records(t, query, tracev1.Outcome_OUTCOME_FAILED); n != before+1 {
		t.Errorf("%d records of an access that failed", n-before)
	}
	type result struct {
		got *deliver.Loaded
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := p.fetchWith(t, func() {})
		done <- result{got, err}
	}()
	p.eventually("the batch has begun", func() bool {
		ok, err := p.chain.Get(context.Background(), deliveryKey(p.agreement, 1), &sharev1.Delivery{})
		return err == nil && ok
	})
	want(t, fault.SourceUnreachable, ask()) // and one wait more goes by
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	r := <-done
	p.arrived(t, r.got, r.err, 1)
	p.eventually("queries are answered", func() bool { return ask() == nil })
}

// shareAgain makes an agreement on queries of the same entry.
func (p *pair) shareAgain(t *testing.T) (entry, agreement string) {
	t.Helper()
	return p.entry, p.agree(byQuery, func(m *sharev1.Terms) { m.Parts[0].Items, m.Purpose = []string{"id", "c0", "c1"}, "查询" })
}

// TestNetworkOfChanges: the way between two gateways that keep a table equal is cut, falls
// silent and breaks answers in two; what was changed meanwhile arrives once.
func TestNetworkOfChanges(t *testing.T) {
	heavy(t)
	t.Parallel()
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 200)
	p.door.stop()
	p.tap.stop()
	var k *link
	k, p.door = p.behind(p.doorConfig)
	p.tap = p.openPatient(p.tapConfig)
	p.follow()
	p.eventually("it is called when there is something", func() bool { return len(p.tap.Followings()) == 1 && p.now().GetNumber() == 0 })
	for i, b := range []bad{{after: 200}, {after: 200, times: 5}, {after: 1, mute: true}, {silent: true}, {refuse: true}, {rate: 16 << 10}} {
		k.be(b)
		if b.silent || b.refuse {
			k.cut()
		}
		pgExec(t, p.source, "UPDATE firms SET place = place || '"+string(rune('a'+i))+"' WHERE id % 7 < 3")
		pgExec(t, p.source, "DELETE FROM firms WHERE id = "+string(rune('1'+i)))
		if b.silent || b.refuse {
			p.eventually("the receiver says that it waits, and why", func() bool { return p.now().GetState() == "waiting" && p.now().GetProblem() != "" })
			k.be(bad{})
			k.cut()
		}
		p.same(t)
	}
	k.be(bad{})
	p.eventually("it follows", func() bool { return p.now().GetState() == "following" })
	if n := p.now().GetTaken(); n != 1 {
		t.Errorf("the whole was taken %d times", n)
	}
	p.wantReceipts(t)
	p.well(p.door)
}
