package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/jackc/pgx/v5"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/pgtest"
	"mulian/internal/wire"
)

// watermarked makes the town's entry one whose column issued rises with each change.
func (w *town) watermarked() {
	w.t.Helper()
	e := &cataloguev1.Entry{}
	if ok, err := w.chain.Get(w.t.Context(), "catalogue/entry/"+w.entry, e); err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	e.Items[3].Watermark = true
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
}

// following is how the only table is that a gateway follows.
func (r *running) following() *gatewayv1.Following {
	if all := r.Followings(); len(all) == 1 {
		return all[0]
	}
	return &gatewayv1.Following{}
}

// subscriber is the only one at a gateway.
func (r *running) subscriber(t testing.TB) *gatewayv1.Subscriber {
	t.Helper()
	all, err := r.Subscribers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 1 {
		return all[0]
	}
	return &gatewayv1.Subscriber{}
}

const permitsThere, permitsHere = "SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no"

// differ counts the permits of the source that the receiver has not, as they are now.
func (w *town) differ() (n int) {
	w.t.Helper()
	here := map[string]bool{}
	for _, row := range w.read(w.own, permitsHere) {
		here[row] = true
	}
	for _, row := range w.read(w.permits, permitsThere) {
		if !here[row] {
			n++
		}
	}
	return n
}

// TestFollowingWaitsForItsQuota: what is left of a day's rows is given, then the following says
// that it waits for the next day. No call is used up, whatever changes meanwhile; when more is
// agreed it goes on at once, and nothing is lost.
func TestFollowingWaitsForItsQuota(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(50)
	w.exec(w.permits, "UPDATE permit SET issued = '2026-01-01' WHERE no > 'P0000000'")
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	w.watermarked()
	agreement := w.agree(byBatch, func(m *sharev1.Terms) { m.MaxRowsPerDay = 60; m.MaxCalls = 1000 })
	if err := tap.Follow(deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}}); err != nil {
		t.Fatal(err)
	}
	w.eventually("it follows", func() bool { return tap.following().GetState() == "following" })
	w.exec(w.permits, "UPDATE permit SET project = 'a', issued = '2026-03-10' WHERE no < 'P0000030'")
	w.eventually("the day's rows are used up", func() bool { return tap.following().GetState() == "quota" })
	now := tap.following()
	if now.GetUntilMs() <= time.Now().UnixMilli() || now.GetUntilMs() > time.Now().Add(25*time.Hour).UnixMilli() {
		t.Errorf("it is asked for again at %s", time.UnixMilli(now.GetUntilMs()))
	}
	if !strings.Contains(now.GetProblem(), fault.DailyLimit.String()) {
		t.Errorf("the problem is %q", now.GetProblem())
	}
	given := uint64(0)
	if err := door.Records().Of(agreement, func(e receipt.Entry) bool {
		if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED {
			given += e.Record.GetRows()
		}
		return true
	}); err != nil || given != 60 {
		t.Errorf("%d of the day's 60 rows were given, %v", given, err)
	}
	calls, refused := door.records(t, agreement, tracev1.Outcome_OUTCOME_GRANTED), door.records(t, agreement, tracev1.Outcome_OUTCOME_REFUSED)
	if calls > 3 || door.records(t, agreement, tracev1.Outcome_OUTCOME_FAILED) != 0 {
		t.Errorf("%d calls are used, want the whole and one page or two", calls)
	}
	waits := door.subscriber(t).GetWaiting()
	w.exec(w.permits, "INSERT INTO permit SELECT 'Q' || no, project, area, '2026-03-11', note FROM permit WHERE no >= 'P0000040'")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%v; %v", tap.following(), door.subscriber(t))
		}
	})
	w.eventually("the provider has seen more changes", func() bool { return door.subscriber(t).GetWaiting() >= waits+10 })
	if s := door.subscriber(t); s.GetState() != "waiting" || s.GetLagMs() == 0 {
		t.Errorf("at the provider: %v", s)
	}
	if c, n := door.records(t, agreement, tracev1.Outcome_OUTCOME_GRANTED), door.records(t, agreement, tracev1.Outcome_OUTCOME_REFUSED); c != calls || n > refused+1 {
		t.Errorf("it goes on asking: %d calls and %d refusals, then %d and %d", calls, refused, c, n)
	}
	terms, version := w.terms(agreement, func(m *sharev1.Terms) { m.MaxRowsPerDay = 200 })
	w.must(w.water, &sharev1.ProposeAmendment{Agreement: agreement, Version: version, Terms: terms, Reason: "需要更多"})
	w.must(w.planning, &sharev1.SignAmendment{Agreement: agreement, Number: 1})
	w.eventually("all changes are there", func() bool { return w.differ() == 0 && tap.following().GetState() == "following" })
	if n := tap.following().GetTaken(); n != 1 {
		t.Errorf("the whole was taken %d times", n)
	}
}

// TestFollowingWaitsForItsWindow: outside of the agreed days nothing is asked for until the
// next of them begins, and the state says when that is.
func TestFollowingWaitsForItsWindow(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(5)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	day := time.Now().In(time.FixedZone("UTC+8", 8*60*60)).AddDate(0, 0, 3)
	agreement := w.agree(byBatch, func(m *sharev1.Terms) {
		m.Windows = []*sharev1.Window{{Days: 1 << ((int(day.Weekday()) + 6) % 7), FromMinute: 90, ToMinute: 120}}
	})
	if err := tap.Follow(deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}}); err != nil {
		t.Fatal(err)
	}
	w.eventually("it waits", func() bool { return tap.following().GetState() == "window" })
	opens := time.Date(day.Year(), day.Month(), day.Day(), 1, 30, 0, 0, day.Location())
	if until := time.UnixMilli(tap.following().GetUntilMs()); !until.Equal(opens) {
		t.Errorf("it waits until %s, the window opens at %s", until, opens)
	}
}

// inTransaction leaves a transaction of the source open until it is let go: a slow database, or
// one in which somebody writes.
func inTransaction(t *testing.T, url, statement string) (letGo func()) {
	t.Helper()
	db, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(context.Background(), "BEGIN; "+statement); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	letGo = func() {
		once.Do(func() {
			if _, err := db.Exec(context.Background(), "COMMIT"); err != nil {
				t.Error(err)
			}
			db.Close(context.Background())
		})
	}
	t.Cleanup(letGo)
	return letGo
}

// waitsForLock waits until somebody's statement waits for a lock.
func (p *pair) waitsForLock() {
	p.t.Helper()
	db, err := pgx.Connect(context.Background(), p.source)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close(context.Background())
	p.eventually("the provider waits for its database", func() bool {
		n := 0
		err := db.QueryRow(context.Background(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&n)
		return err == nil && n > 0
	})
}

// changes asks for changes as the receiver's gateway would.
func (r *rogue) changes(agreement, subscription string, b *gatewayv1.ChangesBody) (*gatewayv1.Answer, error) {
	m := r.body(agreement, nil)
	b.Agreement, b.Entry, b.Purpose, b.Subscription = agreement, r.w.entry, "排水许可审批", subscription
	m.Kind = &gatewayv1.RequestBody_Changes{Changes: b}
	res, err := r.client.Changes(context.Background(), rpc.NewRequest(r.sign(m)))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg, nil
}

const rogueSubscription = "rogue-subscription"

// begin begins the rogue's subscription, as often as it takes.
func (r *rogue) begin(agreement string) {
	r.w.t.Helper()
	r.w.eventually("the subscription has begun", func() bool {
		_, err := r.changes(agreement, rogueSubscription, &gatewayv1.ChangesBody{Begin: true})
		return err == nil
	})
}

// pageBeingRead is two gateways of which the provider reads a page of changes from a table
// that is locked, until letGo; r asked for it, and answer is what becomes of the request.
func pageBeingRead(t *testing.T) (p *pair, r *rogue, letGo func(), answer chan error) {
	t.Helper()
	p = newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 20)
	r = p.rogue(p.door)
	r.begin(p.agreement)
	pgExec(t, p.source, "UPDATE firms SET place = 'x' WHERE id < 5")
	p.eventually("the provider has seen the changes", func() bool { return p.door.subscriber(t).GetWaiting() > 0 })
	letGo = inTransaction(t, p.source, "LOCK TABLE firms IN ACCESS EXCLUSIVE MODE")
	answer = make(chan error, 1)
	go func() {
		_, err := r.changes(p.agreement, rogueSubscription, &gatewayv1.ChangesBody{})
		answer <- err
	}()
	p.waitsForLock()
	return p, r, letGo, answer
}

// TestSuspendedWhileThePageIsRead: the database is slow, and the agreement is suspended while a
// page is read: it does not go out, and no call is used.
func TestSuspendedWhileThePageIsRead(t *testing.T) {
	p, _, letGo, answer := pageBeingRead(t)
	p.must(p.planning, &sharev1.SuspendAgreement{Agreement: p.agreement, Cause: "核查"})
	other := p.rogue(p.door)
	other.n = 300 // other request ids
	p.eventually("the suspension counts", func() bool {
		return fault.Is(other.openDelivery(p.agreement, "another-request-key"), fault.AgreementSuspended)
	})
	letGo()
	want(t, fault.AgreementSuspended, <-answer)
	if n := p.door.records(t, p.agreement, tracev1.Outcome_OUTCOME_COMPLETED); n != 0 {
		t.Errorf("%d pages went out", n)
	}
	if n := p.door.records(t, p.agreement, tracev1.Outcome_OUTCOME_GRANTED); n != 0 {
		t.Errorf("%d calls were used", n)
	}
}

// TestNotReadyBeforeTheFeedStands: while a transaction that was writing at the beginning is open,
// its rows are told by nobody: the subscription is not ready, whoever else begins one. What
// the transaction wrote is in the receiver's table.
func TestNotReadyBeforeTheFeedStands(t *testing.T) {
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 50)
	letGo := inTransaction(t, p.source, "INSERT INTO firms VALUES (7777, 'lang', 'offen')")
	if err := p.tap.Follow(deliver.Fetch{Agreement: p.agreement, Entry: p.entry, Into: connect.TableName{Name: "got"}}); err != nil {
		t.Fatal(err)
	}
	p.eventually("it is beginning", func() bool { return p.door.subscriber(t).GetState() == "beginning" })
	// Another subscription to the same table wakes the sensor.
	second := p.agree(byBatch, func(m *sharev1.Terms) { m.Parts[0].Items = []string{"id", "c0", "c1"} })
	r := p.rogue(p.door)
	_, err := r.changes(second, rogueSubscription, &gatewayv1.ChangesBody{Begin: true}) // as long as a beginning waits
	want(t, fault.Busy, err)
	all, err := p.door.Subscribers(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, s := range all {
		if s.GetState() != "beginning" {
			t.Errorf("it is %s before the feed stands: %v", s.GetState(), s)
		}
	}
	letGo()
	p.state("following")
	p.same(t)
	if n := p.now().GetTaken(); n != 1 {
		t.Errorf("the whole was taken %d times", n)
	}
}

// TestComparedTableOfASlowDatabase: a table that is compared is written down at once, however
// long its database takes, and begins when it has been read; a restart of the provider
// meanwhile changes nothing.
func TestComparedTableOfASlowDatabase(t *testing.T) {
	heavy(t)
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 300)
	scoped := p.agree(byBatch, func(m *sharev1.Terms) {
		m.Parts[0].Items = []string{"id", "c0", "c1"}
		m.RowScope = `id >= 0` // a deletion would tell keys: it is compared
	})
	letGo := inTransaction(t, p.source, "LOCK TABLE firms IN ACCESS EXCLUSIVE MODE")
	if err := p.tap.Follow(deliver.Fetch{Agreement: scoped, Entry: p.entry, Into: connect.TableName{Name: "got"}}); err != nil {
		t.Fatal(err)
	}
	p.eventually("it is beginning", func() bool { return p.door.subscriber(t).GetState() == "beginning" })
	p.waitsForLock()
	p.doorConfig.Listen, p.doorConfig.URL = p.door.Addr(), "http://"+p.door.Addr()
	p.door.stop()
	p.door = p.open(p.doorConfig)
	if s := p.door.subscriber(t); s.GetState() != "beginning" || s.GetSensing() != gatewayv1.Sensing_SENSING_COMPARE {
		t.Errorf("after the restart: %v", s)
	}
	letGo()
	p.state("following")
	p.same(t)
	pgExec(t, p.source, "DELETE FROM firms WHERE id < 10")
	p.same(t)
}

// TestStaleWhileTheSourceIsDown: a provider whose database is down notices no changes, and the
// receiver says so: its table is of then. When the database is back it is equal again.
func TestStaleWhileTheSourceIsDown(t *testing.T) {
	heavy(t)
	server := pgtest.Durable(t)
	p := newPair(t, server.Database(t, "source"), pgtest.URL(t, "own"), 20)
	p.follow()
	p.same(t)
	server.Kill(t)
	down := time.Now()
	p.state("stale")
	now := p.now()
	if at := time.UnixMilli(now.GetAtMs()); now.GetAtMs() == 0 || at.After(down.Add(time.Second)) {
		t.Errorf("equal at %s, and the database went down at %s", at, down)
	}
	if now.GetLagMs() < 0 || !strings.Contains(now.GetProblem(), fault.SourceUnreachable.String()) {
		t.Errorf("lag %d ms, problem %q", now.GetLagMs(), now.GetProblem())
	}
	if s := p.door.subscriber(t); s.GetState() != "unsensed" || s.GetProblem() == "" || s.GetSensedMs() == 0 {
		t.Errorf("at the provider: %v", s)
	}
	server.Start(t)
	pgExec(t, p.source, "UPDATE firms SET place = 'wieder'")
	p.state("following")
	p.same(t)
	if at := time.UnixMilli(p.now().GetAtMs()); at.Before(down) {
		t.Errorf("equal at %s, it was down at %s", at, down)
	}
}

// TestNoOrphanOfAFollowing: a following that begins anew in the middle of its whole gives the
// delivery up that it has begun: the provider does not keep it for a day.
func TestNoOrphanOfAFollowing(t *testing.T) {
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 300)
	if err := p.tap.Follow(deliver.Fetch{Agreement: p.agreement, Entry: p.entry, Into: connect.TableName{Name: "first"}}); err != nil {
		t.Fatal(err)
	}
	p.state("following")
	if err := p.tap.Unfollow(t.Context(), p.agreement, p.entry); err != nil {
		t.Fatal(err)
	}
	// The feed stands already; the second whole waits for the table, and the answer that names its
	// delivery is never given.
	letGo := inTransaction(t, p.source, "LOCK TABLE firms IN ACCESS EXCLUSIVE MODE; TRUNCATE firms; INSERT INTO firms VALUES (1, 'neu', 'hier')")
	if err := p.tap.Follow(deliver.Fetch{Agreement: p.agreement, Entry: p.entry, Into: connect.TableName{Name: "got"}}); err != nil {
		t.Fatal(err)
	}
	delivery := func() sharev1.DeliveryState {
		d := &sharev1.Delivery{}
		if _, err := p.chain.Get(context.Background(), fmt.Sprintf("share/delivery/%s/%010d", p.agreement, 2), d); err != nil {
			t.Fatal(err)
		}
		return d.GetState()
	}
	p.eventually("the second delivery is open", func() bool { return delivery() == sharev1.DeliveryState_DELIVERY_STATE_STARTED })
	p.tap.stop()
	letGo()
	p.eventually("the provider has seen that the table was emptied", func() bool { return p.door.subscriber(t).GetState() == "again" })
	p.tap = p.open(p.tapConfig)
	p.state("following")
	p.same(t)
	p.eventually("the delivery that nobody takes is over", func() bool { return delivery() == sharev1.DeliveryState_DELIVERY_STATE_FAILED })
}
