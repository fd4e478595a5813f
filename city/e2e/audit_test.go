package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
)

// auditor looks at all that the killed process has left behind, once it runs again.
type auditor struct {
	*life
	t       *testing.T
	acts    []act
	granted map[uint64]int // by delivery; 0 is the queries
}

// audit opens the home a last time and compares the ledger, the access log, the
// receipts, the delivered table and the index with what was acknowledged.
func audit(t *testing.T, dir string) {
	t.Helper()
	all, err := readActs(filepath.Join(dir, "acts"))
	if err != nil {
		t.Fatal(err)
	}
	a := &auditor{t: t, life: newLife(t, dir, "audit"), acts: all, granted: map[uint64]int{}}
	a.eventually("interrupted fetches are finished", func() bool {
		left, err := filepath.Glob(a.path("gateway", a.water.Account, "fetches", "*.fetch"))
		a.ok(err)
		return len(left) == 0
	})
	a.ok(a.member.Node.Ledger().State().Check(t.Context()))
	a.transactions()
	a.entries()
	a.shares()
	a.deliveries()
	a.uses()
	a.accessLog()
	a.table()
	a.index()
}

// done returns the acknowledged acts of a kind.
func (a *auditor) done(kind string) (out []act) {
	for _, x := range a.acts {
		if x.Done && x.Kind == kind {
			out = append(out, x)
		}
	}
	return out
}

// list reads all objects under a prefix.
func list[M proto.Message](a *auditor, prefix string, make func() M) (out []M) {
	a.t.Helper()
	a.ok(a.chain.List(a.t.Context(), prefix, func(key string, value []byte) bool {
		m := make()
		if err := proto.Unmarshal(value, m); err != nil {
			a.t.Fatalf("%s: %v", key, err)
		}
		out = append(out, m)
		return true
	}))
	return out
}

func (a *auditor) transactions() {
	a.t.Helper()
	n := 0
	for _, x := range a.acts {
		if x.Done && x.Tx != "" {
			committed(a.t, context.Background(), a.chain, x)
			n++
		}
	}
	a.t.Logf("%d acknowledged transactions are in their blocks", n)
}

// entries: each acknowledged batch is there, each batch wholly or not at all, and no
// entry was made twice.
func (a *auditor) entries() {
	a.t.Helper()
	batches := map[string]int{}
	for _, e := range list(a, "catalogue/entry/"+a.plan.Account+":", func() *cataloguev1.Entry { return &cataloguev1.Entry{} }) {
		if e.Version != 1 {
			a.t.Errorf("entry %s has version %d", e.Id, e.Version)
		}
		local := strings.TrimPrefix(e.Id, a.plan.Account+":")
		if i := strings.LastIndexByte(local, '.'); i > 0 {
			batches[local[:i]]++
		}
	}
	for name, n := range batches {
		if n != liveBatch {
			a.t.Errorf("batch %s has %d of %d entries", name, n, liveBatch)
		}
	}
	acknowledged := a.done("import")
	for _, x := range acknowledged {
		if batches[x.Name] == 0 {
			a.t.Errorf("the acknowledged batch %s is not there", x.Name)
		}
	}
	a.t.Logf("%d batches of %d entries on the ledger, %d acknowledged", len(batches), liveBatch, len(acknowledged))
}

// shares: each matter was asked for once, and came as far as was acknowledged.
func (a *auditor) shares() {
	a.t.Helper()
	requests, agreements := map[string]*sharev1.Request{}, map[string]*sharev1.Agreement{}
	for _, r := range list(a, "share/request/", func() *sharev1.Request { return &sharev1.Request{} }) {
		name, ours := strings.CutPrefix(r.GetTerms().GetMatter(), "事项 ")
		if ours && requests[name] != nil {
			a.t.Errorf("matter %s was asked for twice: %s and %s", name, requests[name].Id, r.Id)
		}
		requests[name] = r
	}
	for _, g := range list(a, "share/agreement/", func() *sharev1.Agreement { return &sharev1.Agreement{} }) {
		name, ours := strings.CutPrefix(g.GetTerms().GetMatter(), "事项 ")
		if ours && agreements[name] != nil {
			a.t.Errorf("matter %s was agreed on twice: %s and %s", name, agreements[name].Id, g.Id)
		}
		agreements[name] = g
	}
	for _, x := range a.done("request") {
		if requests[x.Name].GetId() != x.ID {
			a.t.Errorf("the acknowledged request %s of matter %s is %q", x.ID, x.Name, requests[x.Name].GetId())
		}
	}
	for _, x := range a.done("answer") {
		if agreements[x.Name].GetId() != x.ID || requests[x.Name].GetAgreement() != x.ID {
			a.t.Errorf("the acknowledged agreement %s of matter %s is %q", x.ID, x.Name, agreements[x.Name].GetId())
		}
	}
	for _, x := range a.done("confirm") {
		if agreements[x.Name].GetState() != sharev1.AgreementState_AGREEMENT_STATE_ACTIVE {
			a.t.Errorf("the agreement on matter %s was confirmed, and is %s", x.Name, agreements[x.Name].GetState())
		}
	}
	a.t.Logf("%d requests and %d agreements on the ledger; %d, %d and %d confirmations acknowledged", len(requests), len(agreements),
		len(a.done("request")), len(a.done("answer")), len(a.done("confirm")))
}

// deliveries: numbers without gaps; each acknowledged one is confirmed with its rows
// and digest; none hangs.
func (a *auditor) deliveries() {
	a.t.Helper()
	g := &sharev1.Agreement{}
	a.get("share/agreement/"+a.standing.Batch, g)
	all := list(a, "share/delivery/"+a.standing.Batch+"/", func() *sharev1.Delivery { return &sharev1.Delivery{} })
	if uint64(len(all)) != g.Deliveries {
		a.t.Errorf("%d deliveries, the agreement has counted %d", len(all), g.Deliveries)
	}
	states := map[string]int{}
	for i, d := range all {
		if d.Number != uint64(i+1) {
			a.t.Errorf("delivery %d stands in place %d", d.Number, i+1)
		}
		states[strings.ToLower(strings.TrimPrefix(d.State.String(), "DELIVERY_STATE_"))]++
		if d.State == sharev1.DeliveryState_DELIVERY_STATE_STARTED || d.State == sharev1.DeliveryState_DELIVERY_STATE_COMPLETED {
			a.t.Errorf("delivery %d hangs: %s", d.Number, d.State)
		}
	}
	seen := map[uint64]bool{}
	for _, x := range a.done("deliver") {
		if seen[x.Number] {
			a.t.Errorf("delivery %d was acknowledged twice", x.Number)
		}
		seen[x.Number] = true
		if x.Number == 0 || x.Number > uint64(len(all)) {
			a.t.Fatalf("the acknowledged delivery %d is not on the ledger", x.Number)
		}
		d := all[x.Number-1]
		if d.State != sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED || d.Rows != uint64(x.Rows) || hex.EncodeToString(d.Digest) != x.Sum {
			a.t.Errorf("delivery %d was acknowledged with %d rows, the ledger has %v", x.Number, x.Rows, d)
		}
	}
	a.t.Logf("%d deliveries on the ledger %v, %d acknowledged", len(all), states, len(seen))
}

// uses: each acknowledged use is counted once, none was counted twice.
func (a *auditor) uses() {
	a.t.Helper()
	g := &sharev1.Agreement{}
	a.get("share/agreement/"+a.standing.Batch, g)
	all := list(a, "share/use/"+a.standing.Batch+"/", func() *sharev1.Use { return &sharev1.Use{} })
	if uint64(len(all)) != g.Uses {
		a.t.Errorf("%d uses, the agreement has counted %d", len(all), g.Uses)
	}
	cases := map[string]int{}
	for i, u := range all {
		if u.Number != uint64(i+1) {
			a.t.Errorf("use %d stands in place %d", u.Number, i+1)
		}
		if cases[u.MatterCase]++; cases[u.MatterCase] > 1 {
			a.t.Errorf("case %s was used twice", u.MatterCase)
		}
	}
	for _, x := range a.done("use") {
		if cases["办件 "+x.Name] != 1 {
			a.t.Errorf("the acknowledged use %s is counted %d times", x.Name, cases["办件 "+x.Name])
		}
	}
	a.t.Logf("%d uses on the ledger, %d acknowledged", len(all), len(a.done("use")))
}

// accessLog: every acknowledged access has its record where its receipt says, numbers
// have no gap and no double, an access ended at most once, and the ledger's head is
// that of this log.
func (a *auditor) accessLog() {
	a.t.Helper()
	log := a.door.Records()
	received := map[uint64]bool{}
	a.ok(a.tap.Receipts().Each(0, func(_ int, r *tracev1.Receipt) bool {
		received[r.GetLeafIndex()] = true
		return true
	}))
	for _, x := range a.done("query") {
		e, err := log.Record(x.Number)
		if err != nil {
			a.t.Fatalf("the record of the acknowledged query %s: %v", x.Name, err)
		}
		if sum := sha256.Sum256(e.Raw); hex.EncodeToString(sum[:]) != x.Sum || e.Record.Seq != x.Seq || !received[x.Number] {
			a.t.Errorf("query %s: record %d is another one, or its receipt was not kept", x.Name, x.Number)
		}
	}
	for _, agreement := range []string{a.standing.Batch, a.standing.Query} {
		a.sequence(log, agreement)
	}
	for number, n := range a.granted {
		if number != 0 && n != 1 {
			a.t.Errorf("delivery %d was granted %d times", number, n)
		}
	}
	for _, x := range a.done("deliver") {
		if a.granted[x.Number] == 0 {
			a.t.Errorf("delivery %d was acknowledged and never granted", x.Number)
		}
	}
	a.eventually("the whole log is anchored", func() bool { return a.door.Status().Anchored == log.Size() })
	head := &tracev1.Head{}
	found, _, err := a.chain.Verify(a.trust).Get(a.t.Context(), receipt.HeadKey(a.plan.gateway), head)
	a.ok(err)
	size, root, err := log.Head(a.t.Context())
	a.ok(err)
	if !found || head.Size != size || !bytes.Equal(head.Root, root) {
		a.t.Errorf("the ledger has a head of %d records, the log has %d, or another root", head.GetSize(), size)
	}
	a.t.Logf("%d records in the access log, %d of acknowledged queries, all under the head on the ledger", size, len(a.done("query")))
}

// sequence looks at the numbers of one agreement.
func (a *auditor) sequence(log *receipt.Log, agreement string) {
	a.t.Helper()
	next, ends := uint64(1), map[uint64]int{}
	a.ok(log.Of(agreement, func(e receipt.Entry) bool {
		switch e.Record.Outcome {
		case tracev1.Outcome_OUTCOME_GRANTED, tracev1.Outcome_OUTCOME_REFUSED:
			if e.Record.Seq != next {
				a.t.Errorf("agreement %s: number %d after %d", agreement, e.Record.Seq, next-1)
			}
			if next++; e.Record.Outcome == tracev1.Outcome_OUTCOME_GRANTED {
				a.granted[e.Record.Delivery]++
			}
		default:
			if ends[e.Record.Seq]++; ends[e.Record.Seq] > 1 {
				a.t.Errorf("agreement %s: access %d ended %d times", agreement, e.Record.Seq, ends[e.Record.Seq])
			}
		}
		return true
	}))
	s := &tracev1.Sequence{}
	a.eventually("the numbers of "+agreement+" are anchored", func() bool {
		return a.get("trace/sequence/"+agreement+"/"+a.plan.gateway, s) && s.Last == next-1
	})
}

// table: what was delivered is whole, of one generation, and not older than the last
// acknowledged delivery.
func (a *auditor) table() {
	a.t.Helper()
	own, err := sql.Open("sqlite", a.path("own.db"))
	a.ok(err)
	defer own.Close()
	var rows, from, to, numbers int64
	a.ok(own.QueryRow(`SELECT count(*), min(gen), max(gen), count(DISTINCT no) FROM permits`).Scan(&rows, &from, &to, &numbers))
	done := a.done("deliver")
	if rows != liveRows || numbers != liveRows || from != to {
		a.t.Errorf("the delivered table has %d rows of the generations %d to %d", rows, from, to)
	}
	if len(done) > 0 && to < done[len(done)-1].Gen {
		a.t.Errorf("the delivered table is of generation %d, %d was acknowledged", to, done[len(done)-1].Gen)
	}
	for _, x := range done {
		var n int64
		a.ok(own.QueryRow(`SELECT count(*) FROM mulian_delivery WHERE delivery = ?`, fmt.Sprintf("%s/%d", a.standing.Batch, x.Number)).Scan(&n))
		if n != 1 {
			a.t.Errorf("the database knows delivery %d %d times", x.Number, n)
		}
	}
	a.t.Logf("the delivered table: %d rows of generation %d", rows, to)
}

// index: the projection that lived through the kills, and one made anew from the
// ledger, hold the same.
func (a *auditor) index() {
	a.t.Helper()
	a.door.stop()
	a.tap.stop()
	lived := a.dump()
	a.stop()
	a.ok(index.Remove(a.path("index.db")))
	a.start()
	anew := a.dump()
	if lived != anew {
		a.t.Errorf("the index that lived through the kills differs from one made anew:\n%s", difference(lived, anew))
	}
	a.t.Logf("the index made anew is equal: %d lines", strings.Count(anew, "\n"))
}

// dump waits until the index has taken all events and lists what is in its file.
func (a *auditor) dump() string {
	a.t.Helper()
	st, err := a.chain.Status(a.t.Context())
	a.ok(err)
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	a.ok(a.member.Index.Await(ctx, st.GetEvents()))
	db, err := sql.Open("sqlite", "file:"+a.path("index.db")+"?mode=ro")
	a.ok(err)
	defer db.Close()
	db.SetMaxOpenConns(1) // a temporary table belongs to its connection
	var out strings.Builder
	for _, table := range column(a, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'words%' AND name NOT LIKE 'sqlite%'`) {
		fmt.Fprintln(&out, table)
		columns := "*"
		if table == "doc" { // its numbers are in the order of arrival
			columns = "key, traits, org"
		}
		rows := column(a, db, `SELECT `+columns+` FROM "`+table+`"`)
		slices.Sort(rows)
		fmt.Fprintln(&out, strings.Join(rows, "\n"))
	}
	_, err = db.Exec(`CREATE VIRTUAL TABLE temp.term USING fts5vocab('main', 'words', 'col')`)
	a.ok(err)
	words := column(a, db, `SELECT term, col, doc, cnt FROM term`)
	slices.Sort(words)
	fmt.Fprintln(&out, strings.Join(words, "\n"))
	return out.String()
}

// column reads a query's rows as lines.
func column(a *auditor, db *sql.DB, query string) (out []string) {
	a.t.Helper()
	rows, err := db.Query(query)
	a.ok(err)
	defer rows.Close()
	names, err := rows.Columns()
	a.ok(err)
	for rows.Next() {
		cells, into := make([]sql.RawBytes, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		a.ok(rows.Scan(into...))
		line := make([]string, len(cells))
		for i, c := range cells {
			line[i] = fmt.Sprintf("%q", c)
		}
		if len(line) == 1 {
			line[0] = string(cells[0])
		}
		out = append(out, strings.Join(line, " "))
	}
	a.ok(rows.Err())
	return out
}

// difference is the first lines that differ.
func difference(x, y string) string {
	a, b := strings.Split(x, "\n"), strings.Split(y, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d:\n  %.400s\n  %.400s", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(a), len(b))
}
