package catalogue_test

import (
	"fmt"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

const (
	compatible = cataloguev1.DriftClass_DRIFT_CLASS_COMPATIBLE
	review     = cataloguev1.DriftClass_DRIFT_CLASS_REVIEW
	breaking   = cataloguev1.DriftClass_DRIFT_CLASS_BREAKING
	stale      = cataloguev1.DriftClass_DRIFT_CLASS_STALE

	inOrder = cataloguev1.ItemState_ITEM_STATE_UNSPECIFIED
	flagged = cataloguev1.ItemState_ITEM_STATE_REVIEW
	frozen  = cataloguev1.ItemState_ITEM_STATE_FROZEN

	published = cataloguev1.EntryState_ENTRY_STATE_PUBLISHED
	drifted   = cataloguev1.EntryState_ENTRY_STATE_DRIFTED

	updated    = cataloguev1.Settlement_SETTLEMENT_UPDATED
	rolledBack = cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK
	falseAlarm = cataloguev1.Settlement_SETTLEMENT_FALSE_ALARM
)

// wantItems fails unless the entry's items (no, owner, area) are in these states.
func wantItems(t *testing.T, w *towntest.Town, want ...cataloguev1.ItemState) {
	t.Helper()
	e := entry(w)
	for i, it := range e.Items {
		if it.State != want[i] {
			t.Fatalf("item %s is %s, want %s; entry %s", it.Code, it.State, want[i], e.State)
		}
	}
	check(t, w)
}

func settle(drift string, s cataloguev1.Settlement, remaps ...*cataloguev1.Remap) *cataloguev1.SettleDrift {
	return &cataloguev1.SettleDrift{Drift: drift, Settlement: s, Remaps: remaps}
}

// TestReportDriftOrder walks the checks of a report.
func TestReportDriftOrder(t *testing.T) {
	type report = rulestest.Try[*cataloguev1.ReportDrift]
	var w *towntest.Town
	rulestest.Order(t, func(t *testing.T) *report {
		w = towntest.New(t)
		return &report{World: w.World, Account: w.ProviderGateway, Message: w.Drift("column_dropped", breaking, "area", "cert_no", "owner", "issued")}
	}, []rulestest.Breach[*cataloguev1.ReportDrift]{
		{Name: "unknown table", Want: fault.NotFound, Break: func(r *report) { r.Message.Table = "none" }},
		{Name: "another gateway", Want: fault.Forbidden, Break: func(r *report) { r.Account = w.ConsumerGateway }},
		{Name: "no change", Want: fault.Empty, Break: func(r *report) { r.Message.Changes = nil }},
		{Name: "too many changes", Want: fault.TooLong, Break: func(r *report) {
			for len(r.Message.Changes) <= catalogue.MaxChanges {
				r.Message.Changes = append(r.Message.Changes, &cataloguev1.DriftChange{})
			}
		}},
		{Name: "no kind", Want: fault.Missing, Break: func(r *report) { r.Message.Changes[0].Kind = "" }},
		{Name: "unknown class", Want: fault.OutOfRange, Break: func(r *report) { r.Message.Changes[0].Class = 9 }},
		{Name: "no class", Want: fault.Missing, Break: func(r *report) { r.Message.Changes[0].Class = 0 }},
		{Name: "seen before all time", Want: fault.OutOfRange, Break: func(r *report) { r.Message.SeenMs = -1 }},
		{Name: "no hash", Want: fault.Missing, Break: func(r *report) { r.Message.BeforeHash = nil }},
		{Name: "short hash", Want: fault.Malformed, Break: func(r *report) { r.Message.AfterHash = []byte{1} }},
		{Name: "column twice", Want: fault.Duplicate, Break: func(r *report) { r.Message.Columns = towntest.Columns("a", "a") }},
		{Name: "never settled", Want: fault.TooLong, Break: func(r *report) {
			for i := range catalogue.MaxOpenDrifts {
				r.Must(w.ProviderGateway, w.Drift("comment", review, "owner", "cert_no", "owner", "area", "issued", fmt.Sprint("x", i)))
			}
		}},
	})
}

// TestDriftFreezesInItsBlock: by the worst class, by kind whatever the class, and by
// the columns whatever the changes.
func TestDriftFreezesInItsBlock(t *testing.T) {
	all := []string{"cert_no", "owner", "area", "issued"}
	tests := []struct {
		name   string
		report func(w *towntest.Town) *cataloguev1.ReportDrift
		class  cataloguev1.DriftClass
		items  []cataloguev1.ItemState
	}{
		{"dropped", func(w *towntest.Town) *cataloguev1.ReportDrift {
			return w.Drift("column_dropped", breaking, "area", "cert_no", "owner", "issued")
		}, breaking, []cataloguev1.ItemState{inOrder, inOrder, frozen}},
		{"dropped, called compatible", func(w *towntest.Town) *cataloguev1.ReportDrift {
			return w.Drift("column_dropped", compatible, "area", "cert_no", "owner", "issued")
		}, breaking, []cataloguev1.ItemState{inOrder, inOrder, frozen}},
		{"gone, and nothing said of it", func(w *towntest.Town) *cataloguev1.ReportDrift {
			return w.Drift("comment", compatible, "owner", "cert_no", "owner", "issued")
		}, compatible, []cataloguev1.ItemState{inOrder, inOrder, frozen}},
		{"widened", func(w *towntest.Town) *cataloguev1.ReportDrift {
			return w.Drift("widened", review, "owner", append(all, "x")...)
		}, review, []cataloguev1.ItemState{inOrder, flagged, inOrder}},
		{"key of the table", func(w *towntest.Town) *cataloguev1.ReportDrift {
			return w.Drift("primary_key", review, "", append(all, "x")...)
		}, review, []cataloguev1.ItemState{flagged, flagged, flagged}},
		{"table dropped", func(w *towntest.Town) *cataloguev1.ReportDrift {
			r := w.Drift("table_dropped", breaking, "")
			r.TableGone = true
			return r
		}, breaking, []cataloguev1.ItemState{frozen, frozen, frozen}},
		{"stale", func(w *towntest.Town) *cataloguev1.ReportDrift { return w.Drift("stale", stale, "", all...) }, stale, []cataloguev1.ItemState{inOrder, inOrder, inOrder}},
		{"a column that nobody maps", func(w *towntest.Town) *cataloguev1.ReportDrift {
			return w.Drift("column_dropped", breaking, "issued", "cert_no", "owner", "area")
		}, breaking, []cataloguev1.ItemState{inOrder, inOrder, inOrder}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := towntest.New(t)
			w.Publish(nil)
			id := w.Must(w.ProviderGateway, tt.report(w))[0]
			d, _ := catalogue.FindDrift(w.View(), id)
			if d.Class != tt.class || d.Settlement != 0 || (d.DueMs != 0) != (tt.class == breaking || tt.class == review) {
				t.Errorf("class %s, settlement %s, due %d", d.Class, d.Settlement, d.DueMs)
			}
			wantItems(t, w, tt.items...)
			w.Must(w.ProviderGateway, tt.report(w))
			w.WantSilence() // the same again is no second drift
		})
	}
}

// TestCompatibleDriftIsAccepted at once, and locks move along with it.
func TestCompatibleDriftIsAccepted(t *testing.T) {
	w := locked(t)
	r := w.Drift("column_added", compatible, "note", "cert_no", "owner", "area", "issued", "note")
	id := w.Must(w.ProviderGateway, r)[0]
	d, _ := catalogue.FindDrift(w.View(), id)
	table, _ := catalogue.FindTable(w.View(), w.Table)
	if d.Settlement != updated || string(table.SchemaHash) != string(r.AfterHash) || table.Version != 2 {
		t.Fatalf("settlement %s, table version %d", d.Settlement, table.Version)
	}
	if string(entry(w).Lock.SchemaHash) != string(r.AfterHash) {
		t.Error("the lock is on the old schema")
	}
	wantState(t, w, published, 1)
}

// TestArt17DriftIsOverdue after 10 working days, and only while it is open.
func TestArt17DriftIsOverdue(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.ProviderGateway, w.Drift("column_dropped", breaking, "area", "cert_no", "owner", "issued"))[0]
	d, _ := catalogue.FindDrift(w.View(), id)
	w.Wait(d.DueMs - w.Now - 1)
	w.WantSilence()
	w.Wait(1)
	w.WantEvent("catalogue/overdue", "drift", "catalogue/drift/"+id)
	w.Wait(rulestest.Day)
	w.WantSilence()
	second := w.Must(w.ProviderGateway, w.Drift("widened", review, "owner", "cert_no", "owner", "issued"))
	if len(second) != 0 {
		t.Fatalf("the same schema again is drift %v", second)
	}
	third := w.Must(w.ProviderGateway, w.Drift("widened", review, "owner", "cert_no", "owner", "area", "issued", "x"))[0]
	w.Must(w.Provider, settle(third, falseAlarm))
	w.Wait(30 * rulestest.Day)
	w.WantSilence() // what is settled is not overdue
}

// TestSettleDriftOrder walks the checks of a settlement.
func TestSettleDriftOrder(t *testing.T) {
	type try = rulestest.Try[*cataloguev1.SettleDrift]
	var w *towntest.Town
	move := func(entry, item, column string) *cataloguev1.Remap {
		return &cataloguev1.Remap{Entry: entry, Item: item, Column: column}
	}
	rulestest.Order(t, func(t *testing.T) *try {
		w = towntest.New(t)
		w.Publish(nil)
		id := w.Must(w.ProviderGateway, w.Drift("renamed", breaking, "area", "cert_no", "owner", "floor_area", "issued"))[0]
		return &try{World: w.World, Account: w.Provider, Message: settle(id, updated, move(w.EntryID, "area", "floor_area"))}
	}, []rulestest.Breach[*cataloguev1.SettleDrift]{
		{Name: "unknown", Want: fault.NotFound, Break: func(s *try) { s.Message.Drift = "none" }},
		{Name: "stranger", Want: fault.Forbidden, Break: func(s *try) { s.Account = w.Consumer }},
		{Name: "unknown settlement", Want: fault.OutOfRange, Break: func(s *try) { s.Message.Settlement = 9 }},
		{Name: "too many remaps", Want: fault.TooLong, Break: func(s *try) { s.Message.Remaps = make([]*cataloguev1.Remap, 1001); fill(s.Message.Remaps) }},
		{Name: "no settlement", Want: fault.OutOfRange, Break: func(s *try) { s.Message.Settlement = 0 }},
		{Name: "settled before", Want: fault.IllegalTransition, Break: func(s *try) {
			w.Wait(rulestest.Minute)
			s.Must(w.ProviderGateway, w.Drift("column_added", compatible, "area", "cert_no", "owner", "area", "issued"))
			s.Must(w.Provider, settle(s.Message.Drift, rolledBack))
		}},
		{Name: "remaps without update", Want: fault.CodeInconsistent, Break: func(s *try) { s.Message.Settlement = falseAlarm }},
		{Name: "not the newest", Want: fault.IllegalTransition, Break: func(s *try) {
			s.Must(w.ProviderGateway, w.Drift("widened", review, "owner", "cert_no", "owner", "floor_area"))
		}},
		{Name: "item not on the table", Want: fault.NotFound, Break: func(s *try) { s.Message.Remaps[0].Item = "nothing" }},
		{Name: "moved twice", Want: fault.Duplicate, Break: func(s *try) {
			s.Message.Remaps = append([]*cataloguev1.Remap{move(w.EntryID, s.Message.Remaps[0].Item, "")}, s.Message.Remaps...)
		}},
		{Name: "no such column", Want: fault.ItemUnmapped, Break: func(s *try) { s.Message.Remaps[0].Column = "nothing" }},
		{Name: "an item left behind", Want: fault.ItemUnmapped, Break: func(s *try) { s.Message.Remaps[0].Item, s.Message.Remaps[0].Column = "no", "issued" }},
	})
}

func fill(list []*cataloguev1.Remap) {
	for i := range list {
		list[i] = &cataloguev1.Remap{}
	}
}

// TestSettleUpdated: the catalogue follows the source with a new version.
func TestSettleUpdated(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.ProviderGateway, w.Drift("renamed", breaking, "area", "cert_no", "owner", "floor_area", "issued"))[0]
	wantState(t, w, drifted, 1)
	w.Must(w.Provider, settle(id, updated, &cataloguev1.Remap{Entry: w.EntryID, Item: "area", Column: "floor_area"}))
	wantItems(t, w, inOrder, inOrder, inOrder)
	wantState(t, w, published, 2)
	w.Must(w.ProviderGateway, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{w.TableOf("certificate", "cert_no", "owner", "floor_area", "issued")}})
	w.WantSilence() // the accepted schema is that of the source
}

// TestSettleRolledBack: only what the gateway has seen again counts.
func TestSettleRolledBack(t *testing.T) {
	for _, by := range []string{"PutTables", "ReportDrift"} {
		t.Run(by, func(t *testing.T) {
			w := towntest.New(t)
			w.Publish(nil)
			id := w.Must(w.ProviderGateway, w.Drift("column_dropped", breaking, "area", "cert_no", "owner", "issued"))[0]
			put := &cataloguev1.PutTables{Tables: []*cataloguev1.Table{w.TableOf("certificate", "cert_no", "owner", "area", "issued")}}
			w.Want(fault.EntryDrifted, w.ProviderGateway, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{w.TableOf("certificate", "cert_no", "owner")}})
			w.Wait(rulestest.Minute)
			w.Must(w.Provider, put) // an officer's word is not the gateway's
			w.Want(fault.IllegalTransition, w.Provider, settle(id, rolledBack))
			if by == "PutTables" {
				w.Must(w.ProviderGateway, put)
			} else {
				w.Must(w.ProviderGateway, w.Drift("column_added", compatible, "area", "cert_no", "owner", "area", "issued"))
				w.WantEvent("catalogue/report_drift", "back", "catalogue/table/"+w.Table)
			}
			wantItems(t, w, inOrder, inOrder, frozen)
			w.Must(w.Provider, settle(id, rolledBack))
			wantItems(t, w, inOrder, inOrder, inOrder)
			wantState(t, w, published, 1)
		})
	}
}

// TestFalseAlarm: not while a column is missing; and it stays settled.
func TestFalseAlarm(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	missing := w.Must(w.ProviderGateway, w.Drift("column_dropped", breaking, "area", "cert_no", "owner", "issued"))[0]
	narrowed := w.Drift("narrowed", breaking, "owner", "cert_no", "owner", "area", "issued", "x")
	second := w.Must(w.ProviderGateway, narrowed)[0]
	wantItems(t, w, inOrder, frozen, frozen)
	w.Want(fault.ItemUnmapped, w.Provider, settle(missing, falseAlarm))
	w.Must(w.Provider, settle(second, falseAlarm))
	wantItems(t, w, inOrder, inOrder, frozen) // the first one is still open
	w.Must(w.ProviderGateway, narrowed)
	w.WantSilence()
}

// TestLockedEntryStaysFrozenUntilSigned: the table follows the source at once, the
// locked entry with the last signature.
func TestLockedEntryStaysFrozenUntilSigned(t *testing.T) {
	w := locked(t)
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "草稿" })
	id := w.Must(w.ProviderGateway, w.Drift("renamed", breaking, "area", "cert_no", "owner", "floor_area", "issued"))[0]
	w.Must(w.Provider, settle(id, updated, &cataloguev1.Remap{Entry: w.EntryID, Item: "area", Column: "floor_area"}))
	wantItems(t, w, inOrder, inOrder, frozen)
	wantState(t, w, drifted, 1)
	if p := waiting(w); p.Next.Abstract == "草稿" || p.Next.Items[2].Column != "floor_area" {
		t.Fatal("the draft of before still waits")
	}
	signature{w}.by(w.Consumer)
	w.Must(w.Authority, signature{w}.of(true)) // one refuses: still frozen, and the provider proposes again
	wantItems(t, w, inOrder, inOrder, frozen)
	w.Publish(func(e *cataloguev1.Entry) { e.Items[2].Column = "floor_area" })
	signature{w}.by(w.Consumer)
	wantItems(t, w, inOrder, inOrder, frozen)
	signature{w}.by(w.Authority)
	wantItems(t, w, inOrder, inOrder, inOrder)
	wantState(t, w, published, 2)
	table, _ := catalogue.FindTable(w.View(), w.Table)
	if string(entry(w).Lock.SchemaHash) != string(table.SchemaHash) {
		t.Error("the lock is on another schema than the table has")
	}
}

// TestNothingButSignaturesThaws a locked entry: no later drift, and no settlement of one.
func TestNothingButSignaturesThaws(t *testing.T) {
	w := locked(t)
	id := w.Must(w.ProviderGateway, w.Drift("renamed", breaking, "area", "cert_no", "owner", "floor_area", "issued"))[0]
	w.Must(w.Provider, settle(id, updated, &cataloguev1.Remap{Entry: w.EntryID, Item: "area", Column: "floor_area"}))
	wantItems(t, w, inOrder, inOrder, frozen)
	w.Must(w.ProviderGateway, w.Drift("column_added", compatible, "note", "cert_no", "owner", "floor_area", "issued", "note"))
	wantItems(t, w, inOrder, inOrder, frozen)
	if p := waiting(w); p.Next.Items[2].Column != "floor_area" {
		t.Fatal("a change that touches nothing voided the signatures")
	}
	third := w.Must(w.ProviderGateway, w.Drift("index", review, "owner", "cert_no", "owner", "floor_area", "issued", "note", "x"))[0]
	wantItems(t, w, inOrder, flagged, frozen)
	w.Must(w.Provider, settle(third, falseAlarm))
	wantItems(t, w, inOrder, flagged, frozen) // flagged, too, until the schema is signed
	fourth := w.Must(w.ProviderGateway, w.Drift("stale", stale, "", "cert_no", "owner", "floor_area", "issued", "note"))[0]
	w.Must(w.Provider, settle(fourth, updated, &cataloguev1.Remap{Entry: w.EntryID, Item: "area", Column: "floor_area"}))
	wantItems(t, w, inOrder, flagged, frozen)
	signature{w}.by(w.Consumer)
	signature{w}.by(w.Authority)
	wantItems(t, w, inOrder, inOrder, inOrder)
}

// TestSchemaAloneIsSigned, too: the same content on another schema is a change, and
// its signature serves for nothing else.
func TestSchemaAloneIsSigned(t *testing.T) {
	w := locked(t)
	id := w.Must(w.ProviderGateway, w.Drift("widened", review, "owner", "cert_no", "owner", "area", "issued", "x"))[0]
	w.Must(w.Provider, settle(id, updated))
	wantItems(t, w, inOrder, flagged, inOrder)
	if p := waiting(w); string(p.Next.ContentHash) == string(entry(w).ContentHash) {
		t.Error("the schema is signed over the same hash as the content")
	}
	id = w.Must(w.ProviderGateway, w.Drift("column_dropped", breaking, "issued", "cert_no", "owner", "area", "x"))[0]
	w.Must(w.Provider, settle(id, updated))
	wantItems(t, w, inOrder, flagged, inOrder) // what does not touch the entry signs nothing for it
	w.Must(w.Consumer, signature{w}.of(true))
	w.Publish(nil) // the same content: proposed again, for the lock is on the old schema
	signature{w}.by(w.Consumer)
	signature{w}.by(w.Authority)
	wantItems(t, w, inOrder, inOrder, inOrder)
	wantState(t, w, published, 1)
	w.Publish(nil)
	w.WantSilence()
}

// TestTableGone: what nobody can deliver is mapped no more.
func TestTableGone(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	r := w.Drift("table_dropped", breaking, "")
	r.TableGone = true
	id := w.Must(w.ProviderGateway, r)[0]
	wantItems(t, w, frozen, frozen, frozen)
	w.Must(w.Provider, settle(id, updated))
	wantItems(t, w, inOrder, inOrder, inOrder)
	for _, it := range entry(w).Items {
		if it.Column != "" {
			t.Errorf("item %s lies on %q of a table that is gone", it.Code, it.Column)
		}
	}
	w.Want(fault.ItemUnmapped, w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.Entry(nil)}})

	back := w.Drift("table_added", compatible, "", "cert_no", "owner", "area", "issued")
	back.AfterHash = r.AfterHash // whatever a gateway gives for a table that is not there
	w.Must(w.ProviderGateway, back)
	if table, _ := catalogue.FindTable(w.View(), w.Table); table.Gone || len(table.Columns) != 4 {
		t.Errorf("the table is back, and the catalogue says %v", table)
	}
	w.Publish(nil)
}
