package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

const (
	yes     = gatewayv1.Verdict_VERDICT_YES
	nay     = gatewayv1.Verdict_VERDICT_NO
	unknown = gatewayv1.Verdict_VERDICT_UNKNOWN
)

func kv(item, value string) *gatewayv1.KeyValue { return &gatewayv1.KeyValue{Item: item, Value: value} }

// TestYesOrNo: an agreement on predicates gives their answers and nothing else; the log
// says which was asked about whom, and no value; who asks too often is refused, also
// after a restart.
func TestYesOrNo(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(100)
	w.exec(w.permits, `UPDATE permit SET issued = NULL WHERE no = 'P0000007'`)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byQuery, func(m *sharev1.Terms) {
		m.Parts[0].Items = []string{"area", "issued"}
		m.RowScope = `no != "P0000009"`
		m.Predicates = []*sharev1.Predicate{
			{Name: "larger", Entry: w.entry, Condition: `area > least`, Parameters: []*sharev1.Parameter{{Name: "least", Type: "decimal"}}, MaxPerSubject: 3},
			{Name: "recent", Entry: w.entry, Condition: `issued > date("2026-01-01") && years(issued, today) < 100`, MaxPerDay: 4},
		}
	})
	ask := func(name string, parameters []*gatewayv1.KeyValue, where ...*gatewayv1.KeyValue) (*deliver.Asked, error) {
		return tap.Predicate(t.Context(), agreement, w.entry, name, parameters, where...)
	}
	for _, x := range []struct {
		name, least, no string
		want            gatewayv1.Verdict
	}{
		{"larger", "5", "P0000005", yes},
		{"larger", "5.50", "P0000005", nay},
		{"larger", "0.5", "P0000000", nay},
		{"larger", "1", "P9999999", unknown}, // no such row
		{"larger", "1", "P0000009", unknown}, // out of the scope: as if it were not there
		{"recent", "", "P0000005", yes},
		{"recent", "", "P0000007", unknown}, // it has no date
	} {
		var par []*gatewayv1.KeyValue
		if x.least != "" {
			par = append(par, kv("least", x.least))
		}
		got, err := ask(x.name, par, no(x.no))
		if err != nil || got.Verdict != x.want {
			t.Fatalf("%s %s of %s: %v, %v; want %s", x.name, x.least, x.no, got, err, x.want)
		}
		if got.Record.GetPredicate() != x.name || got.Record.GetRows() != 0 || len(got.Record.GetSubject()) != 32 || len(got.Rows)+len(got.Columns) != 0 {
			t.Errorf("%s: rows %d, record %v", x.name, len(got.Rows), got.Record)
		}
		if e, err := door.Records().Record(got.Receipt.GetLeafIndex()); err != nil || strings.Contains(string(e.Raw), "P000000") {
			t.Errorf("the record names its key, or is not there: %v", err)
		}
	}
	// The sealed answers tell nothing by their length.
	lengths := map[uint64]bool{}
	if err := door.Records().Of(agreement, func(e receipt.Entry) bool {
		if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED {
			lengths[e.Record.GetBytes()] = true
		}
		return true
	}); err != nil || len(lengths) != 1 {
		t.Errorf("answers of %d lengths, %v", len(lengths), err)
	}
	refused := func(want fault.Code, err error) {
		t.Helper()
		if fault.CodeOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		} else if text := err.Error(); !strings.Contains(text, "entry version 1, ledger height ") {
			t.Errorf("%s: does not tell what it rests on", text)
		}
	}
	third, err := ask("larger", []*gatewayv1.KeyValue{kv("least", "5.25")}, no("P0000005"))
	if err != nil || third.Verdict != yes {
		t.Fatalf("third: %v, %v", third, err)
	}
	_, err = ask("larger", []*gatewayv1.KeyValue{kv("least", "5.375")}, no("P0000005"))
	refused(fault.DailyLimit, err)
	_, err = ask("larger", nil, no("P0000005"))
	refused(fault.Malformed, err)
	_, err = ask("larger", []*gatewayv1.KeyValue{kv("least", "many")}, no("P0000005"))
	refused(fault.Malformed, err)
	_, err = ask("larger", []*gatewayv1.KeyValue{kv("least", "1")}, kv("area", "5.5"))
	refused(fault.Malformed, err)
	_, err = ask("smaller", nil, no("P0000005"))
	refused(fault.FieldNotGranted, err)
	_, err = tap.Query(t.Context(), agreement, w.entry, []string{"area"}, 1, no("P0000005"))
	refused(fault.FormatMethodMismatch, err)
	// What was answered is counted from the log.
	door.stop()
	w.open(w.planningConfig())
	_, err = ask("larger", []*gatewayv1.KeyValue{kv("least", "5.375")}, no("P0000005"))
	refused(fault.DailyLimit, err)
	for i := range 2 {
		if _, err := ask("recent", nil, no(fmt.Sprintf("P000002%d", i))); err != nil {
			t.Error(err)
		}
	}
	_, err = ask("recent", nil, no("P0000030"))
	refused(fault.DailyLimit, err)
}

// TestScopeAndMasks: what lies outside of the scope does not leave, by query or batch;
// masked items leave masked, in columns of the mask's type.
func TestScopeAndMasks(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(3000)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	terms := func(m *sharev1.Terms) {
		m.RowScope = `note == "内部" && (area >= decimal("100") || no == "P0000003")` // note is not given
		m.Masks = []*sharev1.Mask{
			{Entry: w.entry, Item: "project", Kind: sharev1.MaskKind_MASK_KIND_KEEP, First: 2, Last: 1},
			{Entry: w.entry, Item: "area", Kind: sharev1.MaskKind_MASK_KIND_ROUND, Unit: 100},
			{Entry: w.entry, Item: "issued", Kind: sharev1.MaskKind_MASK_KIND_MONTH},
		}
	}
	w.exec(w.permits, `UPDATE permit SET note = '公开' WHERE no = 'P0000200'`)
	w.exec(w.permits, `UPDATE permit SET note = NULL WHERE no = 'P0000201'`)
	query, batch := w.agree(byQuery, terms), w.agree(byBatch, terms)
	row := func(id string) string {
		t.Helper()
		res, err := tap.Query(t.Context(), query, w.entry, nil, 1, no(id))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, r := range res.Rows {
			var texts []string
			for _, v := range r {
				texts = append(texts, v.Text)
			}
			lines = append(lines, strings.Join(texts, ","))
		}
		return strings.Join(lines, ";")
	}
	for id, want := range map[string]string{
		"P0000003": "P0000003,项目**,0,2026-03", "P0000250": "P0000250,项目***0,300,2026-03", "P0000249": "P0000249,项目***9,200,2026-03",
		"P0000099": "", "P0000200": "", "P0000201": "",
	} {
		got := row(id)
		if id == "P0000003" {
			want = "P0000003,项目*3,0,2026-03"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	_, err := tap.Query(t.Context(), query, w.entry, nil, 1, kv("project", "项目 250"))
	want(t, fault.FieldNotGranted, err)
	got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
	if err != nil || got.Rows != 2900-2+1 {
		t.Fatalf("fetched %d rows, %v", got.Rows, err)
	}
	w.equal(`SELECT no, substr(project, 1, 2) || replace(substr('          ', 1, length(project) - 3), ' ', '*') || substr(project, -1), CAST(round(area / 100) * 100 AS INTEGER), '2026-03'
		FROM permit WHERE note = '内部' AND (area >= 100 OR no = 'P0000003') ORDER BY no`, `SELECT permit_no, project, CAST(area AS INTEGER), issued FROM permits ORDER BY permit_no`)
}

// TestScopeNeverWidens: whatever the database makes of it.
func TestScopeNeverWidens(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	w.exec(w.permits, `DROP TABLE permit`)
	w.exec(w.permits, `CREATE TABLE permit (no TEXT NOT NULL PRIMARY KEY, project TEXT COLLATE NOCASE, area NUMERIC(12,2), issued DATE, note TEXT)`)
	w.exec(w.permits, `INSERT INTO permit VALUES ('A', 'open', 1, NULL, NULL), ('B', 'OPEN', 1, NULL, NULL), ('C', NULL, 1, NULL, NULL)`)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	terms := func(m *sharev1.Terms) { m.RowScope = `project == "open"` }
	query, batch := w.agree(byQuery, terms), w.agree(byBatch, terms)
	for id, rows := range map[string]int{"A": 1, "B": 0, "C": 0} {
		res, err := tap.Query(t.Context(), query, w.entry, []string{"no"}, 1, no(id))
		if err != nil || len(res.Rows) != rows {
			t.Errorf("%s: %v, %v", id, res, err)
		}
	}
	got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
	if err != nil || got.Rows != 1 {
		t.Errorf("fetched %+v, %v", got, err)
	}
}

// TestVolumes: rows of a day and in all are counted over queries and batches, and over a
// restart; nothing is given beyond them.
func TestVolumes(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(50)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	query := w.agree(byQuery, func(m *sharev1.Terms) { m.MaxRows, m.MaxRowsPerDay = 3, 2 })
	batch := w.agree(byBatch, func(m *sharev1.Terms) { m.MaxRows = 80 })
	small := w.agree(byQuery, func(m *sharev1.Terms) { m.MaxBytes, m.Purpose = 10, "小" })
	fetch := func() error {
		_, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
		return err
	}
	ask := func(agreement, id string) error {
		_, err := tap.Query(t.Context(), agreement, w.entry, nil, 1, no(id))
		return err
	}
	want(t, fault.OK, ask(query, "P0000001"))
	want(t, fault.OK, ask(query, "P9999999")) // no row, none counted
	want(t, fault.OK, ask(query, "P0000002"))
	want(t, fault.DailyLimit, ask(query, "P0000003"))
	want(t, fault.TotalLimit, ask(small, "P0000003"))
	want(t, fault.OK, fetch())
	want(t, fault.TotalLimit, fetch()) // 50 more are more than 80
	door.stop()
	w.open(w.planningConfig())
	want(t, fault.DailyLimit, ask(query, "P0000003"))
	want(t, fault.TotalLimit, fetch())
}

// TestWindows: outside of the agreed days nothing is given, and the refusal is logged.
func TestWindows(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(5)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	beijing := time.Now().In(time.FixedZone("UTC+8", 8*3600))
	today := uint32(1) << ((int(beijing.Weekday()) + 6) % 7)
	near := today | today<<1&127 | today>>6 // midnight may come
	never := w.agree(byQuery, func(m *sharev1.Terms) { m.Windows = []*sharev1.Window{{Days: 127 &^ near}} })
	always := w.agree(byQuery, func(m *sharev1.Terms) {
		m.Purpose, m.Windows = "另一用途", []*sharev1.Window{{Days: 127 &^ near}, {Days: near}}
	})
	_, err := tap.Query(t.Context(), never, w.entry, nil, 1, no("P0000001"))
	want(t, fault.OutsideWindow, err)
	if _, err := tap.Query(t.Context(), always, w.entry, nil, 1, no("P0000001")); err != nil {
		t.Error(err)
	}
	logged := false
	if err := door.Records().Of(never, func(e receipt.Entry) bool {
		logged = logged || e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_REFUSED && e.Record.GetCode() == uint32(fault.OutsideWindow)
		return true
	}); err != nil || !logged {
		t.Errorf("the refusal is not in the log: %v", err)
	}
}

// TestTogether: queries of one signature are each answered, refused and logged by
// themselves, and the same bytes a second time are not.
func TestTogether(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(100)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	body := r.body("", nil)
	all := &gatewayv1.QueriesBody{}
	for i := range 20 {
		all.Queries = append(all.Queries, r.body(agreement, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) {
			q.Where = []*gatewayv1.KeyValue{no(fmt.Sprintf("P%07d", i))}
			if i == 7 {
				q.Purpose = "别的"
			}
		}).GetQuery())
	}
	body.Kind = &gatewayv1.RequestBody_Queries{Queries: all}
	m := r.sign(body)
	got, err := r.together(m)
	if err != nil || len(got) != 20 {
		t.Fatalf("%d answers, %v", len(got), err)
	}
	seqs := map[uint64]bool{}
	for n, one := range got {
		if n == 7 {
			if fault.Code(one.GetRefusal().GetCode()) != fault.PurposeMismatch || one.GetRefusal().GetReference() == "" {
				t.Errorf("the seventh: %v", one)
			}
			continue
		}
		e, err := door.Records().Record(one.GetAnswer().GetReceipt().GetLeafIndex())
		if err != nil || string(e.Raw) != string(one.GetAnswer().GetReceipt().GetRecord()) || seqs[e.Record.GetSeq()] || !strings.HasSuffix(e.Record.GetRequestId(), fmt.Sprintf(".%d", n)) {
			t.Errorf("answer %d: %v, %v", n, e.Record, err)
			continue
		}
		seqs[e.Record.GetSeq()] = true
	}
	_, err = r.together(m)
	want(t, fault.Replayed, err)
	door.stop()
	door = w.open(w.planningConfig())
	r = w.rogue(door)
	_, err = r.together(m)
	want(t, fault.Replayed, err)
	body = r.body("", nil)
	body.RequestId = "rogue-request-of-none"
	body.Kind = &gatewayv1.RequestBody_Queries{Queries: &gatewayv1.QueriesBody{}}
	_, err = r.together(r.sign(body))
	want(t, fault.Malformed, err)
}

func (r *rogue) together(m *gatewayv1.SignedRequest) (map[int]*gatewayv1.NumberedAnswer, error) {
	stream, err := r.client.QueryTogether(context.Background(), rpc.NewRequest(m))
	if err != nil {
		return nil, wire.Fault(err)
	}
	defer stream.Close()
	out := map[int]*gatewayv1.NumberedAnswer{}
	for stream.Receive() {
		for _, one := range stream.Msg().GetAnswers() {
			out[int(one.GetNumber())] = one
		}
	}
	return out, wire.Fault(stream.Err())
}
