package gateway_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/pgtest"
)

// pair is two PostgreSQL servers' databases between which a table of firms is followed.
type pair struct {
	*town
	source, own string
	door, tap   *running
	doorConfig  gateway.Config
	tapConfig   gateway.Config
	agreement   string
}

var firmHeader = []string{"name", "place"}

func newPair(t *testing.T, source, own string, rows int) *pair {
	t.Helper()
	p := &pair{source: source, own: own}
	var content [][]string
	for i := range rows {
		content = append(content, []string{fmt.Sprint("企业 ", i), "北京"})
	}
	fill(t, source, "firms", firmHeader, content)
	p.town = newTown(t)
	if isMaria(source) {
		p.schema = "plan."
	}
	p.doorConfig = p.planningConfig()
	p.doorConfig.Sources = []gateway.Source{{Name: "plan", URL: source}}
	p.tapConfig = p.waterConfig()
	p.tapConfig.Sink.URL = own
	p.door = p.open(p.doorConfig)
	p.tap = p.open(p.tapConfig)
	if _, err := p.door.RegisterTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, p.agreement = p.shareTable("firms", "企业库", firmHeader, byBatch)
	return p
}

// follow begins to keep the table equal, and waits until it is.
func (p *pair) follow() {
	p.t.Helper()
	if err := p.tap.Follow(deliver.Fetch{Agreement: p.agreement, Entry: p.entry, Into: connect.TableName{Name: "got"}}); err != nil {
		p.t.Fatal(err)
	}
	p.state("following")
}

func (p *pair) now() *gatewayv1.Following {
	all := p.tap.Followings()
	if len(all) != 1 {
		return &gatewayv1.Following{}
	}
	return all[0]
}

func (p *pair) state(want string) {
	p.t.Helper()
	p.eventually("the following is "+want, func() bool { return p.now().GetState() == want })
}

// same waits until both tables are equal.
func (p *pair) same(t *testing.T) {
	t.Helper()
	columns := append([]string{"id"}, firmHeader...)
	var there, here []string
	t.Cleanup(func() {
		if t.Failed() {
			subscribers, err := p.door.Subscribers(context.Background())
			t.Logf("%d rows there, %d here; %v; %v, %v", len(there), len(here), p.now(), subscribers, err)
		}
	})
	p.eventually("the tables are equal", func() bool {
		there, here = dump(t, p.source, "firms", columns), dump(t, p.own, "got", columns)
		return slices.Equal(there, here)
	})
}

// TestFollowFeed: what is inserted, changed, given another key and deleted in one
// PostgreSQL is so in the other; each page has its receipt on both sides.
func TestFollowFeed(t *testing.T) {
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 500)
	p.follow()
	if s := p.now().GetSensing(); s != gatewayv1.Sensing_SENSING_FEED {
		t.Fatalf("changes are noticed by %s", s)
	}
	p.same(t)
	pgExec(t, p.source, "INSERT INTO firms VALUES (1001, '新', '通州'), (1002, NULL, '海淀')")
	pgExec(t, p.source, "UPDATE firms SET place = '雄安' WHERE id BETWEEN 10 AND 20")
	pgExec(t, p.source, "UPDATE firms SET id = 5000 WHERE id = 30")
	pgExec(t, p.source, "DELETE FROM firms WHERE id > 480 AND id < 490")
	p.same(t)
	// More keys than one page has.
	pgExec(t, p.source, "UPDATE firms SET place = 'x' || id")
	pgExec(t, p.source, "INSERT INTO firms SELECT n, 'viele', 'hier' FROM generate_series(10000, 13000) n")
	p.same(t)
	pgExec(t, p.source, "DELETE FROM firms WHERE id >= 10000")
	p.same(t)
	now := p.now()
	if now.GetTaken() != 1 || now.GetDeleted() < 3000 || now.GetUpserted() < 3500 {
		t.Errorf("taken %d times, %d upserts, %d deletes", now.GetTaken(), now.GetUpserted(), now.GetDeleted())
	}
	// What is emptied is taken whole.
	pgExec(t, p.source, "TRUNCATE firms")
	pgExec(t, p.source, "INSERT INTO firms VALUES (1, 'after', NULL)")
	p.same(t)
	p.eventually("the receiver has taken it again", func() bool { return p.now().GetTaken() == 2 })
	p.wantReceipts(t)

	subscribers, err := p.door.Subscribers(t.Context())
	if err != nil || len(subscribers) != 1 || subscribers[0].GetAsker() != p.tapConfig.Account {
		t.Errorf("subscribers: %v, %v", subscribers, err)
	}
	if err := p.tap.Unfollow(t.Context(), p.agreement, p.entry); err != nil {
		t.Fatal(err)
	}
	if subscribers, err = p.door.Subscribers(t.Context()); err != nil || len(subscribers) != 0 {
		t.Errorf("after the end: %v, %v", subscribers, err)
	}
	want(t, fault.NotFound, p.tap.Unfollow(t.Context(), p.agreement, p.entry))
}

// wantReceipts holds the receiver's book against the provider's log: each page of changes
// that was applied has a receipt of a record that is in the log.
func (p *pair) wantReceipts(t *testing.T) {
	t.Helper()
	pages, kept := 0, map[string]bool{}
	if err := p.tap.Receipts().Each(0, func(_ int, r *tracev1.Receipt) bool {
		kept[string(r.GetRecord())] = true
		e, err := p.door.Records().Record(r.GetLeafIndex())
		if err != nil || string(e.Raw) != string(r.GetRecord()) {
			t.Errorf("the receipt's record %d is not in the log: %v", r.GetLeafIndex(), err)
		}
		if e.Record.GetDelivery() == 0 {
			pages++
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	now := p.now()
	if uint64(pages) < now.GetNumber() || pages == 0 {
		t.Errorf("%d receipts of pages, the last page is %d", pages, now.GetNumber())
	}
}

// TestFollowWithoutFeed: SQLite tells no changes. With a watermark column inserts and
// updates arrive, by page; without one the whole is compared and taken again.
func TestFollowWithoutFeed(t *testing.T) {
	heavy(t)
	for _, c := range []struct {
		name      string
		watermark bool
		sensing   gatewayv1.Sensing
	}{
		{"watermark", true, gatewayv1.Sensing_SENSING_WATERMARK},
		{"compare", false, gatewayv1.Sensing_SENSING_COMPARE},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTown(t)
			w.makePermits(300)
			w.exec(w.permits, "CREATE INDEX by_issued ON permit (issued)")
			door := w.open(w.planningConfig())
			w.publish(door)
			if c.watermark {
				e := &cataloguev1.Entry{}
				if _, err := w.chain.Get(t.Context(), "catalogue/entry/"+w.entry, e); err != nil {
					t.Fatal(err)
				}
				e.Items[3].Watermark = true
				w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
			}
			agreement := w.agree(byBatch, nil)
			tap := w.open(w.waterConfig())
			if err := tap.Follow(deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}}); err != nil {
				t.Fatal(err)
			}
			w.eventually("it follows", func() bool {
				now := tap.Followings()[0]
				return now.GetState() == "following" && now.GetSensing() == c.sensing
			})
			there, here := "SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no"
			w.equal(there, here)
			w.exec(w.permits, "UPDATE permit SET project = 'neu', issued = '2026-03-10' WHERE no < 'P0000010'")
			w.exec(w.permits, "INSERT INTO permit VALUES ('Q1', 'q', '1.5', '2026-03-11', '')")
			w.eventually("the changes are there", func() bool {
				return strings.Join(w.read(w.permits, there), "\n") == strings.Join(w.read(w.own, here), "\n")
			})
			if now := tap.Followings()[0]; c.watermark && (now.GetTaken() != 1 || now.GetUpserted() < 11) {
				t.Errorf("taken %d times, %d upserts", now.GetTaken(), now.GetUpserted())
			}
		})
	}
}

// read is a SQLite file's answer, a line for each row.
func (w *town) read(path, query string) (out []string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r [4]sql.NullString
		if err := rows.Scan(&r[0], &r[1], &r[2], &r[3]); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, fmt.Sprint(r))
	}
	if rows.Err() != nil {
		w.t.Fatal(rows.Err())
	}
	return out
}
