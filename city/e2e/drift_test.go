package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway"
	database "mulian/gateway/connect"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/pgtest"
	"mulian/internal/sm"
)

const (
	breaking = cataloguev1.DriftClass_DRIFT_CLASS_BREAKING
	review   = cataloguev1.DriftClass_DRIFT_CLASS_REVIEW
	frozen   = cataloguev1.ItemState_ITEM_STATE_FROZEN
)

// mostSeconds is how soon a drift has to be on the ledger with default settings.
const mostSeconds = 10

// change is one table to which one thing happens.
type change struct {
	table  string
	ddl    string
	kind   string // of the change on the ledger
	class  cataloguev1.DriftClass
	back   []string // puts the source back
	settle cataloguev1.Settlement
	remap  string // column on which the item lies after it
	locked bool   // the entry is locked with a counter-signer

	entry            *cataloguev1.Entry
	wide, part, asks string // agreements: batch of all items, batch without the changed one, query
}

func changes() []*change {
	return []*change{
		{
			table: "renamed", ddl: `ALTER TABLE renamed RENAME title TO caption`, kind: "column_dropped", class: breaking,
			settle: cataloguev1.Settlement_SETTLEMENT_UPDATED, remap: "caption",
		},
		{
			table: "widened", ddl: `ALTER TABLE widened ALTER title TYPE varchar(80)`, kind: "type_widened", class: review,
			settle: cataloguev1.Settlement_SETTLEMENT_UPDATED,
		},
		{
			table: "narrowed", ddl: `ALTER TABLE narrowed ALTER title TYPE varchar(30)`, kind: "type_narrowed", class: breaking,
			back: []string{`ALTER TABLE narrowed ALTER title TYPE varchar(40)`}, settle: cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK,
		},
		{
			table: "dropped", ddl: `ALTER TABLE dropped DROP title`, kind: "column_dropped", class: breaking, locked: true,
			// Put back it stands in another place: that is a new structure, to be accepted.
			back: []string{`ALTER TABLE dropped ADD title varchar(40)`, `UPDATE dropped SET title = '补录'`}, settle: cataloguev1.Settlement_SETTLEMENT_UPDATED,
		},
		{
			table: "required", ddl: `ALTER TABLE required ALTER title SET NOT NULL`, kind: "not_null_set", class: breaking,
			settle: cataloguev1.Settlement_SETTLEMENT_FALSE_ALARM,
		},
		{
			table: "gone", ddl: `DROP TABLE gone`, kind: "table_dropped", class: breaking,
			back: append(made("gone"), `GRANT SELECT ON gone TO drift_reader`), settle: cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK,
		},
	}
}

// made is a table with some rows.
func made(table string) []string {
	return []string{
		fmt.Sprintf(`CREATE TABLE %s (id varchar(18) PRIMARY KEY, title varchar(40), amount numeric(12,2) NOT NULL, note text)`, table),
		fmt.Sprintf(`INSERT INTO %s SELECT to_char(i, 'FM000000'), '标题' || i, i * 1.25, NULL FROM generate_series(1, 300) i`, table),
	}
}

// drifting is the town in which it happens.
type drifting struct {
	*town
	t         *testing.T
	from, to  *department
	door, tap *running
	source    *pgDatabase
	own       *pgDatabase
}

// TestDriftOnPostgres: whatever happens to a PostgreSQL source is on the ledger with
// its class within ten seconds at default settings; what it breaks is refused with
// 13018 until a person settles it, and nothing else is.
func TestDriftOnPostgres(t *testing.T) {
	t.Parallel() // it waits most of its time
	server := pgtest.Durable(t)
	d := &drifting{t: t, town: newTown(t, t.TempDir())}
	d.source, d.own = openDatabase(t, server.Database(t, "source")), openDatabase(t, pgtest.URL(t, "own"))
	all := changes()
	var tables []string
	for _, c := range all {
		d.source.exec(made(c.table)...)
		tables = append(tables, c.table)
	}
	d.from, d.to = d.department(3, "规划和自然资源委员会", sm.SM2), d.department(4, "水务局", sm.SM2)
	d.door = d.open(d.from, "", gateway.Source{Name: "plan", URL: d.source.reader("drift_reader", tables...)})
	d.tap = d.open(d.to, d.own.url)
	d.prepare(all)
	for i, c := range all {
		switch i {
		case 2:
			server.Stop(t)
			server.Start(t)
			d.source = openDatabase(t, d.source.url)
		case 4:
			d.outage(server, all[0])
		}
		d.happens(c)
	}
	if n := d.drifts(); n != len(all) {
		t.Fatalf("%d drifts on the ledger after %d changes and two restarts of the server", n, len(all))
	}
	for _, c := range all {
		d.settled(c)
	}
}

// prepare catalogues each table, agrees on it, and delivers it once.
func (d *drifting) prepare(all []*change) {
	d.t.Helper()
	ids, err := d.door.RegisterTables(d.t.Context())
	if err != nil || len(ids) != len(all) {
		d.t.Fatalf("tables: %v, %v", ids, err)
	}
	for _, c := range all {
		e := d.entryOf(d.from, c.table, "库表"+c.table, d.tableID(c), nil)
		e.ShareType, e.Conditions = cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, nil
		e.StandingOrder = &cataloguev1.StandingOrder{Automatic: true}
		d.as(d.from.Signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
		if c.locked {
			d.as(d.from.Signer, &cataloguev1.LockEntries{Entries: []string{e.Id}, CounterSigners: []string{d.staffing.Account}})
		}
		c.entry = e
		c.wide = d.agree(d.to, d.from, terms(d.to, e, byBatch))
		c.part = d.agree(d.to, d.from, terms(d.to, e, byBatch, "id", "amount"))
		c.asks = d.agree(d.to, d.from, terms(d.to, e, byQuery))
		d.delivered(c)
	}
}

func (d *drifting) tableID(c *change) string {
	return d.door.TableID("plan", database.TableName{Schema: "public", Name: c.table})
}

// fetch takes the entry under an agreement into a table of its own.
func (d *drifting) fetch(c *change, agreement, into string) error {
	_, err := d.tap.Fetch(d.t.Context(), deliver.Fetch{Agreement: agreement, Entry: c.entry.Id, Into: database.TableName{Name: into}})
	return err
}

func (d *drifting) query(c *change, items ...string) error {
	res, err := d.tap.Query(d.t.Context(), c.asks, c.entry.Id, items, 1, &gatewayv1.KeyValue{Item: "id", Value: "000042"})
	if err == nil && len(res.Rows) != 1 {
		err = fmt.Errorf("%d rows", len(res.Rows))
	}
	return err
}

// delivered holds that all of the table comes, equal, in both ways.
func (d *drifting) delivered(c *change) {
	d.t.Helper()
	d.ok(d.fetch(c, c.wide, "all_"+c.table))
	d.ok(d.query(c))
	title := "title"
	if c.remap != "" && len(d.source.read(`SELECT 1 FROM information_schema.columns WHERE table_name = '`+c.table+`' AND column_name = '`+c.remap+`'`)) == 1 {
		title = c.remap
	}
	sameRows(d.t, c.table, d.source.read(`SELECT id, `+title+`, amount::text, note FROM `+c.table+` ORDER BY 1`),
		d.own.read(`SELECT id, title, amount::text, note FROM all_`+c.table+` ORDER BY 1`))
}

// happens makes the change, waits for it on the ledger, and looks who is refused.
func (d *drifting) happens(c *change) {
	d.t.Helper()
	before := d.drifts()
	d.source.exec(c.ddl)
	drift := &cataloguev1.Drift{}
	took := d.eventually("the drift of "+c.table+" is on the ledger", func() bool { return d.get("catalogue/drift/"+d.tableID(c)+"@1", drift) })
	d.t.Logf("%-9s %-10s on the ledger after %4.1f s  (%s)", c.table, strings.ToLower(strings.TrimPrefix(drift.Class.String(), "DRIFT_CLASS_")), took.Seconds(), c.ddl)
	if took.Seconds() >= mostSeconds {
		d.t.Errorf("%s: on the ledger after %s, at most %d s", c.table, took, mostSeconds)
	}
	if drift.Class != c.class || drift.Changes[0].Kind != c.kind || drift.Changes[0].Class != c.class {
		d.t.Fatalf("%s: %v", c.table, drift)
	}
	if c.remap != "" && drift.Changes[0].Candidate != c.remap {
		d.t.Errorf("%s: the candidate is %q, want %q", c.table, drift.Changes[0].Candidate, c.remap)
	}
	if n := d.drifts(); n != before+1 {
		d.t.Errorf("%s: %d drifts, want %d", c.table, n, before+1)
	}
	if c.class != breaking {
		d.delivered(c)
		return
	}
	d.refused(fault.EntryDrifted, d.fetch(c, c.wide, "all_"+c.table))
	d.refused(fault.EntryDrifted, d.query(c))
	if c.kind == "table_dropped" {
		d.refused(fault.EntryDrifted, d.fetch(c, c.part, "part_"+c.table))
		return
	}
	d.ok(d.fetch(c, c.part, "part_"+c.table))
	d.ok(d.query(c, "id", "amount"))
	sameRows(d.t, c.table+" without the item", d.source.read(`SELECT id, amount::text FROM `+c.table+` ORDER BY 1`),
		d.own.read(`SELECT id, amount::text FROM part_`+c.table+` ORDER BY 1`))
}

// drifts counts the drifts on the ledger.
func (d *drifting) drifts() (n int) {
	d.t.Helper()
	d.ok(d.chain.List(d.t.Context(), "catalogue/drift/", func(string, []byte) bool { n++; return true }))
	return n
}

// outage kills the source's server for longer than the watch's interval.
func (d *drifting) outage(server *pgtest.Server, c *change) {
	d.t.Helper()
	server.Kill(d.t)
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Second)
	defer cancel()
	_, err := d.tap.Query(ctx, c.asks, c.entry.Id, []string{"id", "amount"}, 1, &gatewayv1.KeyValue{Item: "id", Value: "000042"})
	d.refused(fault.SourceUnreachable, err)
	time.Sleep(7 * time.Second) // two looks and the second glance
	server.Start(d.t)
	d.source = openDatabase(d.t, d.source.url)
	d.ok(d.query(c, "id", "amount"))
}

// settled puts back what is to be put back, settles the drift as it fits, and holds
// that the item is delivered again, and not before.
func (d *drifting) settled(c *change) {
	d.t.Helper()
	m := &cataloguev1.SettleDrift{Drift: d.tableID(c) + "@1", Settlement: c.settle, Note: "核对完毕"}
	if c.remap != "" {
		m.Remaps = []*cataloguev1.Remap{{Entry: c.entry.Id, Item: "title", Column: c.remap}}
	}
	first := &cataloguev1.Drift{}
	d.get("catalogue/drift/"+m.Drift, first)
	if c.settle == cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK {
		_, err := d.chain.Send(d.t.Context(), d.from.Signer, proto.CloneOf(m))
		d.refused(fault.IllegalTransition, err) // the gateway has not seen it
	}
	if len(c.back) > 0 {
		d.source.exec(c.back...)
		d.eventually(c.table+": the gateway sees that the source was put back", func() bool {
			if c.settle != cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK {
				m.Drift = d.tableID(c) + "@2"
				return d.get("catalogue/drift/"+m.Drift, &cataloguev1.Drift{})
			}
			now := &cataloguev1.Table{}
			return d.get("catalogue/table/"+d.tableID(c), now) && now.SeenMs > first.AtMs
		})
		d.refused(fault.EntryDrifted, d.fetch(c, c.wide, "all_"+c.table))
	}
	d.as(d.from.Signer, m)
	if c.locked {
		d.refused(fault.EntryDrifted, d.fetch(c, c.wide, "all_"+c.table)) // until the counter-signer has agreed
		p := &cataloguev1.PendingChange{}
		if !d.get("catalogue/pending/"+c.entry.Id, p) {
			d.t.Fatalf("%s: nothing waits for the counter-signer", c.table)
		}
		d.as(d.staffing, &cataloguev1.CounterSign{Entry: c.entry.Id, ContentHash: p.GetNext().GetContentHash()})
	}
	e := &cataloguev1.Entry{}
	d.get("catalogue/entry/"+c.entry.Id, e)
	for _, it := range e.Items {
		if it.State == frozen {
			d.t.Errorf("%s: item %s is frozen after the drift is settled", c.table, it.Code)
		}
	}
	took := d.eventually(c.table+" is delivered again", func() bool { return d.query(c) == nil })
	d.delivered(c)
	d.t.Logf("%-9s %s, delivered again %d ms later", c.table, c.settle, took.Milliseconds())
}
