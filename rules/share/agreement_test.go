package share_test

import (
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

// TestConfirmAgreement: the consumer signs the version that it saw, within the term.
func TestConfirmAgreement(t *testing.T) {
	w := towntest.New(t)
	w.Publish(towntest.Open)
	id := w.Must(w.Consumer, w.Request(nil))[1]
	confirm := func(version uint64) *sharev1.ConfirmAgreement {
		return &sharev1.ConfirmAgreement{Agreement: id, Version: version}
	}
	w.Want(fault.NotFound, w.Consumer, &sharev1.ConfirmAgreement{Agreement: "none"})
	w.Want(fault.Forbidden, w.Provider, confirm(1))
	w.Want(fault.VersionConflict, w.Consumer, confirm(2))
	w.Want(fault.AgreementSuspended, w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	w.Want(fault.IllegalTransition, w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"})
	w.Wait(30*rulestest.Day - 1)
	w.Must(w.Consumer, confirm(1))
	g := wantAgreement(t, w, id, active, 2)
	if g.Clock.Clock != governancev1.Clock_CLOCK_DELIVER || g.EndsMs != rulestest.Start+30*rulestest.Day {
		t.Errorf("%v", g)
	}
	w.Want(fault.IllegalTransition, w.Consumer, confirm(2))

	late := w.Must(w.Consumer, w.Request(nil))[1]
	w.Wait(30 * rulestest.Day)
	w.WantEvent("share/expired", "offered", "share/agreement/"+late)
	w.Want(fault.Expired, w.Consumer, &sharev1.ConfirmAgreement{Agreement: late, Version: 1})
}

// TestSuspendAndResume: whoever suspended it, or the authority, lets it go on, and
// the clock of art. 22 stands meanwhile.
func TestSuspendAndResume(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Days = 100 })
	stop := &sharev1.SuspendAgreement{Agreement: id, Cause: "超范围使用"}
	goOn := &sharev1.ResumeAgreement{Agreement: id}
	w.Want(fault.Forbidden, w.Consumer, stop)
	w.Want(fault.IllegalTransition, w.Provider, goOn)
	w.Want(fault.Missing, w.Provider, &sharev1.SuspendAgreement{Agreement: id})
	w.Wait(rulestest.Day) // Tuesday: 19 working days are left
	w.Must(w.Provider, stop)
	if g := wantAgreement(t, w, id, suspended, 3); g.Clock.LeftDays != 19 || g.SuspendedBy != w.Provider {
		t.Fatalf("%v", g)
	}
	w.Want(fault.AgreementSuspended, w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	w.Wait(40 * rulestest.Day)
	if agreement(w, id).Clock.Overdue {
		t.Fatal("the clock ran while the agreement was suspended")
	}
	w.Must(w.Provider, goOn)
	g := wantAgreement(t, w, id, active, 4)
	w.Must(w.Authority, stop)
	w.Want(fault.Forbidden, w.Provider, goOn)
	w.Must(w.Authority, goOn)
	if left := (agreement(w, id).Clock.DueMs - g.Clock.DueMs) / rulestest.Day; left != 0 {
		t.Errorf("a pause of no time moved the clock by %d days", left)
	}
	w.Wait(agreement(w, id).Clock.DueMs - w.Now)
	w.WantEvent("share/overdue", "deliver", "share/agreement/"+id)
	late := agreement(w, id).Clock
	w.Must(w.Provider, stop)
	w.Must(w.Provider, goOn)
	if c := agreement(w, id).Clock; !c.Overdue || c.DueMs != late.DueMs || c.StoppedMs != 0 {
		t.Errorf("a suspension made good what was late: %v", c)
	}
	w.Wait(agreement(w, id).EndsMs - w.Now)
	w.WantEvent("share/expired", "active", "share/agreement/"+id)
	w.Want(fault.Expired, w.Provider, stop)
	w.Want(fault.Expired, w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要"})
}

// TestArt27End: by the consumer at any time, by the provider only after a filed
// consultation.
func TestArt27End(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	end := &sharev1.EndAgreement{Agreement: id, Reason: "职责调整"}
	w.Want(fault.Forbidden, w.Org("税务局"), end)
	w.Want(fault.RefusalNeedsReason, w.Consumer, &sharev1.EndAgreement{Agreement: id})
	w.Want(fault.Missing, w.Provider, end)
	w.Must(w.Provider, &sharev1.EndAgreement{Agreement: id, Reason: "职责调整", Filing: "备〔2026〕12号"})
	wantAgreement(t, w, id, ended, 3)
	w.Want(fault.IllegalTransition, w.Consumer, end)
	w.Want(fault.AgreementSuspended, w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	for _, by := range []string{w.Consumer, w.Authority} {
		_, id := w.Agree(nil)
		w.Must(by, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要"})
		wantAgreement(t, w, id, ended, 3)
	}
	w.Wait(31 * rulestest.Day)
	w.WantSilence() // ended is ended; no clock and no term is left
}

// TestStartDeliveryOrder walks the checks before data may move.
func TestStartDeliveryOrder(t *testing.T) {
	type try = rulestest.Try[*sharev1.StartDelivery]
	var w *towntest.Town
	rulestest.Order(t, func(t *testing.T) *try {
		w = towntest.New(t)
		w.Publish(nil)
		_, id := w.Agree(func(t *sharev1.Terms) { t.MaxCalls = 1 })
		return &try{World: w.World, Account: w.ProviderGateway, Message: &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID}}
	}, []rulestest.Breach[*sharev1.StartDelivery]{
		{Name: "unknown", Want: fault.NotFound, Break: func(s *try) { s.Message.Agreement = "none" }},
		{Name: "another gateway", Want: fault.Forbidden, Break: func(s *try) { s.Account = w.ConsumerGateway }},
		{Name: "suspended", Want: fault.AgreementSuspended, Break: func(s *try) {
			s.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: s.Message.Agreement, Cause: "检查"})
		}},
		{Name: "a number is left out", Want: fault.ReceiptGap, Break: func(s *try) { s.Message.Number = 3 }},
		{Name: "no number", Want: fault.ReceiptGap, Break: func(s *try) { s.Message.Number = 0 }},
		{Name: "an entry that was not agreed", Want: fault.FieldNotGranted, Break: func(s *try) { s.Message.Entry = "other" }},
		{Name: "entry not in use", Want: fault.NotShared, Break: func(s *try) {
			s.Must(w.Provider, &cataloguev1.SuspendEntry{Entry: w.EntryID, Cause: "检查"})
		}},
		{Name: "denied since", Want: fault.NotShared, Break: func(s *try) {
			w.Publish(func(e *cataloguev1.Entry) {
				for _, it := range e.Items {
					it.ShareType = cataloguev1.ShareType_SHARE_TYPE_DENIED
				}
			})
		}},
		{Name: "an agreed item is frozen", Want: fault.EntryDrifted, Break: func(s *try) {
			s.Must(w.ProviderGateway, w.Drift("column_dropped", 3, "area", "cert_no", "owner", "issued"))
		}},
		{Name: "all deliveries have begun", Want: fault.TotalLimit, Break: func(s *try) {
			s.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: s.Message.Agreement, Number: 1, Entry: w.EntryID})
			s.Message.Number = 2
		}},
	})
}

// TestTermIsOver to the millisecond, after the state and before everything else.
func TestTermIsOver(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Days = 1 })
	_, stopped := w.Agree(func(t *sharev1.Terms) { t.Days = 2 })
	w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: stopped, Cause: "检查"})
	start := &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID}
	w.Wait(rulestest.Day - 1)
	w.Must(w.ProviderGateway, start)
	w.Wait(1)
	w.WantEvent("share/expired", "active", "share/agreement/"+id)
	start.Number, start.Entry = 9, "other"
	w.Want(fault.Expired, w.ProviderGateway, start)
	start.Agreement = stopped
	w.Want(fault.AgreementSuspended, w.ProviderGateway, start)
	w.Wait(rulestest.Day)
	w.Want(fault.Expired, w.ProviderGateway, start)
	wantAgreement(t, w, stopped, ended, 4)
	w.Wait(40 * rulestest.Day)
	w.WantEvent("share/overdue", "dispose", "share/agreement/"+id)
	if len(w.Events()) != 1 {
		t.Errorf("%d events, but the copy alone is owed under an agreement whose term is over", len(w.Events()))
	}
}

// TestDelivery: begun, given, loaded; and what went out is recorded whatever happens.
func TestDelivery(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	start := func(n uint64) *sharev1.StartDelivery {
		return &sharev1.StartDelivery{Agreement: id, Number: n, Entry: w.EntryID}
	}
	complete := &sharev1.CompleteDelivery{Agreement: id, Number: 1, Rows: 1000, Bytes: 64000, Digest: digest("rows")}
	confirm := &sharev1.ConfirmDelivery{Agreement: id, Number: 1, Rows: 1000, Digest: digest("rows")}
	use := &sharev1.RecordUse{Agreement: id, Purpose: "公积金贷款审批", MatterCase: "2026-0001", Rows: 1}
	w.Want(fault.NotFound, w.ProviderGateway, complete)
	w.Must(w.ProviderGateway, start(1))
	w.WantEvent("share/start_delivery", "started", "share/delivery/"+id+"/0000000001")
	w.Want(fault.AlreadyExists, w.ProviderGateway, start(1))
	w.Want(fault.IllegalTransition, w.ConsumerGateway, confirm)
	w.Want(fault.Forbidden, w.ConsumerGateway, complete)
	w.Want(fault.Malformed, w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: id, Number: 1, Digest: []byte{1}})
	w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"})
	w.Must(w.ProviderGateway, complete) // it has gone out: the ledger has to know
	w.Must(w.Provider, &sharev1.ResumeAgreement{Agreement: id})
	w.Want(fault.IllegalTransition, w.ProviderGateway, complete)
	w.Want(fault.IllegalTransition, w.ConsumerGateway, use)
	w.Want(fault.Forbidden, w.ProviderGateway, confirm)
	w.Want(fault.VerificationFailed, w.ConsumerGateway, &sharev1.ConfirmDelivery{Agreement: id, Number: 1, Rows: 999, Digest: digest("rows")})
	w.Want(fault.VerificationFailed, w.ConsumerGateway, &sharev1.ConfirmDelivery{Agreement: id, Number: 1, Rows: 1000, Digest: digest("other")})
	w.Must(w.ConsumerGateway, confirm)
	w.Want(fault.IllegalTransition, w.ConsumerGateway, confirm)
	d, _ := share.FindDelivery(w.View(), id, 1)
	if d.State != sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED || d.Rows != 1000 || d.EntryVersion != 1 || d.Gateway != w.ProviderGateway {
		t.Errorf("%v", d)
	}

	fail := &sharev1.FailDelivery{Agreement: id, Number: 2, Cause: "连接中断"}
	w.Must(w.ProviderGateway, start(2))
	w.Want(fault.Forbidden, w.Provider, fail)
	w.Want(fault.Missing, w.ConsumerGateway, &sharev1.FailDelivery{Agreement: id, Number: 2})
	w.Must(w.ConsumerGateway, fail)
	w.Want(fault.IllegalTransition, w.ProviderGateway, fail)
	w.Must(w.ProviderGateway, start(3))

	w.Want(fault.Forbidden, w.Provider, use)
	w.Want(fault.PurposeMismatch, w.ConsumerGateway, &sharev1.RecordUse{Agreement: id, Purpose: "商业用途"})
	w.Must(w.ConsumerGateway, use)
	w.Must(w.Consumer, use)
	u, ok := share.FindUse(w.View(), id, 2)
	if g := agreement(w, id); !ok || u.By != w.Consumer || g.Uses != 2 || g.Deliveries != 3 {
		t.Errorf("%v, %v", u, g)
	}
	w.Wait(30 * rulestest.Day)
	w.Want(fault.Expired, w.ConsumerGateway, use)
}

// TestArt22FirstDeliveryStopsTheClock.
func TestArt22FirstDeliveryStopsTheClock(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Days = 100 })
	w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	if agreement(w, id).Clock.StoppedMs != 0 {
		t.Fatal("begun is not delivered")
	}
	w.Must(w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: id, Number: 1, Digest: digest("")})
	w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"})
	w.Must(w.Provider, &sharev1.ResumeAgreement{Agreement: id})
	if c := agreement(w, id).Clock; c.StoppedMs == 0 {
		t.Fatal("a resumed agreement owes its first delivery again")
	}
	w.Wait(60 * rulestest.Day)
	w.WantSilence()
}

// TestQueryAgreement: no batches, and uses without a confirmed delivery.
func TestQueryAgreement(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Method = query })
	w.Want(fault.FormatMethodMismatch, w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	w.Must(w.ConsumerGateway, &sharev1.RecordUse{Agreement: id, Purpose: "公积金贷款审批"})
	agreement(w, id)
}

// TestOnlyTheTablesGatewayDelivers: an agreement over two gateways' tables.
func TestOnlyTheTablesGatewayDelivers(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	other := w.Gateway(w.Provider, "archive")
	table := w.TableOf("old", "cert_no")
	table.Id, table.Gateway = other+":estate.old", other
	w.Must(other, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}})
	old := w.Entry(func(e *cataloguev1.Entry) {
		e.Id, e.Name, e.Table, e.Items, e.StalenessSeconds = e.Id+"-old", "历史证书", table.Id, e.Items[:1], 3
	})
	w.Must(w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{old}})
	_, id := w.Agree(func(t *sharev1.Terms) {
		t.Parts = append(t.Parts, &sharev1.Part{Entry: old.Id, Items: []string{"no"}})
	})
	if g := agreement(w, id); len(g.ProviderGateways) != 2 || g.ProviderGateways[0] != other || g.StalenessSeconds != 3 {
		t.Fatalf("%v", g)
	}
	w.Want(fault.Forbidden, other, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	w.Must(other, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: old.Id})
	w.Want(fault.Forbidden, w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: id, Number: 1, Digest: digest("")})
	w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 2, Entry: w.EntryID})
}
