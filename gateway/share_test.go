package gateway_test

import (
	"context"
	"database/sql"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

const (
	byQuery = cataloguev1.Method_METHOD_QUERY
	byBatch = cataloguev1.Method_METHOD_BATCH
)

// TestQuery: one record, agreed columns only, sealed, logged, receipted, anchored.
func TestQuery(t *testing.T) {
	w := newTown(t)
	w.makePermits(1000)
	door := w.open(w.planningConfig())
	tap := w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	res, err := tap.Query(t.Context(), agreement, w.entry, nil, 0, no("P0000042"))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) != 1 || len(res.Columns) != 4 || res.Rows[0][0].Text != "P0000042" || res.Rows[0][1].Text != "项目 42" || res.Rows[0][2].Text != "42.5" {
		t.Fatalf("got %d rows of %d columns: %q", len(res.Rows), len(res.Columns), res.Rows[0][2].Text)
	}
	e, err := door.Records().Record(res.Receipt.GetLeafIndex())
	if err != nil || string(e.Raw) != string(res.Receipt.GetRecord()) {
		t.Fatalf("the receipt's record is not in the log: %v", err)
	}
	if e.Record.Seq != 1 || e.Record.Rows != 1 || e.Record.Outcome != tracev1.Outcome_OUTCOME_COMPLETED || len(e.Record.Subject) != 32 {
		t.Errorf("record: %v", e.Record)
	}
	if tap.Receipts().Len() != 1 {
		t.Errorf("the asker kept %d receipts", tap.Receipts().Len())
	}
	w.eventually("the head is anchored", func() bool {
		h := &tracev1.Head{}
		ok, err := w.chain.Get(context.Background(), receipt.HeadKey(w.door), h)
		return err == nil && ok && h.GetSize() == door.Records().Size()
	})
	s := &tracev1.Sequence{}
	if ok, err := w.chain.Get(t.Context(), "trace/sequence/"+agreement+"/"+w.door, s); !ok || err != nil || s.Last != 1 || s.Granted != 1 {
		t.Errorf("sequence: %v, %v", s, err)
	}
}

// TestFetch: a whole table in the asker's database, equal, once, confirmed.
func TestFetch(t *testing.T) {
	w := newTown(t)
	w.makePermits(20_000)
	door := w.open(w.planningConfig())
	tap := w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != 20_000 || got.Delivery != 1 {
		t.Errorf("loaded %+v", got)
	}
	w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no")
	d := &sharev1.Delivery{}
	if ok, err := w.chain.Get(t.Context(), "share/delivery/"+agreement+"/0000000001", d); !ok || err != nil || d.State != sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED || d.Rows != 20_000 {
		t.Errorf("delivery: %v, %v", d, err)
	}
	if _, err := tap.Use(t.Context(), agreement, "排许 2026-1", 1, "免交证明"); err != nil {
		t.Errorf("use: %v", err)
	}
	// Again is another delivery, which replaces the first.
	got, err = tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
	if err != nil || got.Delivery != 2 || got.Rows != 20_000 {
		t.Errorf("again: %+v, %v", got, err)
	}
}

// equal compares what two queries of the two databases give, row for row.
func (w *town) equal(there, here string) {
	w.t.Helper()
	read := func(path, query string) (out [][4]string) {
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
			var r [4]string
			if err := rows.Scan(&r[0], &r[1], &r[2], &r[3]); err != nil {
				w.t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	a, b := read(w.permits, there), read(w.own, here)
	if len(a) != len(b) {
		w.t.Fatalf("%d rows there, %d here", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			w.t.Fatalf("row %d: %q there, %q here", i, a[i], b[i])
		}
	}
}

func (w *town) exec(path, statement string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		w.t.Fatal(err)
	}
}
