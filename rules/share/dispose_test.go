package share_test

import (
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

func standing(w *towntest.Town, org string) *sharev1.Standing {
	s, _ := share.FindStanding(w.View(), org)
	return s
}

// TestDisposal: what was given is destroyed after the end, in time, with a
// certificate over all of it.
func TestDisposal(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	w.Want(fault.IllegalTransition, w.Consumer, certificate(id, 0)) // nothing was given
	give(w, id, 1)
	give(w, id, 2)
	w.Want(fault.Forbidden, w.Provider, certificate(id, 2))
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "系统下线"})
	w.WantEvent("share/end_agreement", "disposing", "share/agreement/"+id)
	if c := agreement(w, id).Disposal; c == nil || c.StoppedMs != 0 || c.DueMs <= w.Now {
		t.Fatalf("%v", c)
	}
	for name, edit := range map[string]func(*sharev1.FileDisposal){
		"not all":       func(d *sharev1.FileDisposal) { d.UpToDelivery = 1 },
		"more than all": func(d *sharev1.FileDisposal) { d.UpToDelivery = 3 },
		"no copy":       func(d *sharev1.FileDisposal) { d.Copies = 0 },
		"nothing kept":  func(d *sharev1.FileDisposal) { d.Method = sharev1.DisposalMethod_DISPOSAL_METHOD_NONE_KEPT },
	} {
		d := certificate(id, 2)
		edit(d)
		if code := w.Do(w.Consumer, d); code != fault.OutOfRange {
			t.Errorf("%s: %s", name, code)
		}
	}
	bare := certificate(id, 2)
	bare.CertificateHash = nil
	w.Want(fault.Missing, w.Consumer, bare)
	w.Must(w.Consumer, certificate(id, 2))
	if d, _ := share.FindDisposal(w.View(), id, 1); !d.Final || d.Late || d.By != w.Consumer {
		t.Errorf("%v", d)
	}
	wantAgreement(t, w, id, disposed, 4)
	w.Want(fault.IllegalTransition, w.Consumer, certificate(id, 2))
	w.Wait(40 * rulestest.Day)
	w.WantSilence()
}

// TestDisposalOverdue: the authority sees it, the standing keeps it, and a late
// certificate says that it is.
func TestDisposalOverdue(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	give(w, id, 1)
	w.Must(w.Authority, &sharev1.EndAgreement{Agreement: id, Reason: "检查"})
	w.Wait(agreement(w, id).Disposal.DueMs - w.Now - 1)
	w.WantSilence()
	w.Wait(1)
	objects := w.WantEvent("share/overdue", "dispose", "share/agreement/"+id)
	if s := standing(w, w.Consumer); s.GetLateDisposals() != 1 || objects[2] != "share/standing/"+w.Consumer {
		t.Errorf("%v, %v", s, objects)
	}
	w.Must(w.Consumer, certificate(id, 1))
	if d, _ := share.FindDisposal(w.View(), id, 1); !d.Late {
		t.Errorf("%v", d)
	}
}

// TestDataLife: a copy has its own end while the agreement goes on; until it is
// certified as destroyed there is no other.
func TestDataLife(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Days, t.DataLifeDays = 100, 10 })
	give(w, id, 1)
	w.Wait(5 * rulestest.Day)
	give(w, id, 2)
	w.Wait(5 * rulestest.Day)
	w.WantEvent("share/overdue", "copy", "share/agreement/"+id)
	start := &sharev1.StartDelivery{Agreement: id, Number: 3, Entry: w.EntryID}
	w.Want(fault.DisposalOverdue, w.ProviderGateway, start)
	w.Must(w.Consumer, certificate(id, 1))
	w.Want(fault.OutOfRange, w.Consumer, certificate(id, 1))
	if d, _ := share.FindDisposal(w.View(), id, 1); d.Final || !d.Late {
		t.Errorf("%v", d)
	}
	w.Must(w.ProviderGateway, start)
	w.Must(w.Consumer, certificate(id, 2))
	w.Wait(5 * rulestest.Day)
	w.WantSilence() // the second copy was destroyed in time
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "系统下线"})
	if g := agreement(w, id); g.State != disposing || g.Disposal.DueMs < w.Now+5*rulestest.Day {
		t.Errorf("%v", g)
	}
	w.Must(w.Consumer, certificate(id, 3))
}

// TestDataLifeOutlivesTheAgreement: the copy may be kept as long as was agreed.
func TestDataLifeOutlivesTheAgreement(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.DataLifeDays = 90 })
	give(w, id, 1)
	given := w.Now
	w.Wait(30 * rulestest.Day)
	w.WantEvent("share/expired", "active", "share/agreement/"+id)
	if g := agreement(w, id); g.State != disposing || g.Disposal.DueMs != given+90*rulestest.Day {
		t.Errorf("%v", g)
	}
	w.Wait(59 * rulestest.Day)
	w.WantSilence()
	w.Wait(rulestest.Day)
	w.WantEvent("share/overdue", "dispose", "share/agreement/"+id)
}

// TestCertificateKnowsTheReceipts: it names each gateway that anchored receipts, and
// not fewer of them.
func TestCertificateKnowsTheReceipts(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Method = query })
	w.Must(w.ProviderGateway, &tracev1.AnchorHead{
		Gateway: w.ProviderGateway, Size: 4, Root: digest("root"), Ranges: []*tracev1.Range{{Agreement: id, First: 1, Last: 4, Granted: 3, Refused: 1}},
	})
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "系统下线"})
	file := func(receipts ...*sharev1.LastReceipt) *sharev1.FileDisposal {
		d := certificate(id, 0)
		d.Method, d.Copies, d.Receipts = sharev1.DisposalMethod_DISPOSAL_METHOD_NONE_KEPT, 0, receipts
		return d
	}
	w.Want(fault.Missing, w.Consumer, file())
	w.Want(fault.ReceiptGap, w.Consumer, file(&sharev1.LastReceipt{Gateway: w.ProviderGateway, Number: 3}))
	w.Want(fault.CodeInconsistent, w.Consumer, file(&sharev1.LastReceipt{Gateway: w.ConsumerGateway, Number: 4}))
	w.Must(w.Consumer, file(&sharev1.LastReceipt{Gateway: w.ProviderGateway, Number: 4}))
	wantAgreement(t, w, id, disposed, 4)
}

// TestGivenBeforeTheEndAnchoredAfterIt: receipts that come late bring an agreement
// that seemed unused to its disposal.
func TestGivenBeforeTheEndAnchoredAfterIt(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Method = query })
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "系统下线"})
	wantAgreement(t, w, id, ended, 3)
	w.Must(w.ProviderGateway, &tracev1.AnchorHead{
		Gateway: w.ProviderGateway, Size: 2, Root: digest("root"), Ranges: []*tracev1.Range{{Agreement: id, First: 1, Last: 2, Granted: 2}},
	})
	wantAgreement(t, w, id, disposing, 4)
}

// TestServedWhileSuspendedOwesNothingMore: the clock to deliver does not come back.
func TestServedWhileSuspendedOwesNothingMore(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Days = 100 })
	w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"})
	w.Must(w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: id, Number: 1, Digest: digest("")})
	w.Must(w.Provider, &sharev1.ResumeAgreement{Agreement: id})
	w.Wait(60 * rulestest.Day)
	w.WantSilence()
}

// TestFeedback: of what was received, with a mark for the provider.
func TestFeedback(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	say := &sharev1.FileFeedback{Agreement: id, Effect: "少交两份材料", Cases: 120, Materials: 2, Score: 5}
	w.Want(fault.IllegalTransition, w.Consumer, say)
	give(w, id, 1)
	w.Want(fault.Forbidden, w.Provider, say)
	w.Want(fault.OutOfRange, w.Consumer, &sharev1.FileFeedback{Agreement: id, Effect: "x", Score: 6})
	w.Must(w.Consumer, say)
	f, ok := share.FindFeedback(w.View(), id, 1)
	if s := standing(w, w.Provider); !ok || f.Cases != 120 || s.GetScores() != 1 || s.GetScoreSum() != 5 {
		t.Errorf("%v, %v", f, s)
	}
	// One agreement is one voice, however often it speaks; another one is another.
	for _, again := range []struct {
		score    uint32
		has, sum uint64
	}{{1, 1, 1}, {1, 1, 1}, {4, 1, 4}, {0, 0, 0}, {3, 1, 3}} {
		w.Must(w.Consumer, &sharev1.FileFeedback{Agreement: id, Effect: "又一次", Score: again.score})
		if s := standing(w, w.Provider); uint64(s.GetScores()) != again.has || s.GetScoreSum() != again.sum {
			t.Errorf("after %d: %v", again.score, s)
		}
	}
	_, other := w.Agree(nil)
	give(w, other, 1)
	w.Must(w.Consumer, &sharev1.FileFeedback{Agreement: other, Effect: "另一份", Score: 5})
	if s := standing(w, w.Provider); s.GetScores() != 2 || s.GetScoreSum() != 8 {
		t.Errorf("two agreements: %v", s)
	}
}

// TestGatewaysOfAnAmendmentJoin: those that took part stay, for they have records to
// anchor.
func TestGatewaysOfAnAmendmentJoin(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	other := w.Gateway(w.Provider, "archive")
	table := w.TableOf("old", "cert_no")
	table.Id, table.Gateway = other+":estate.old", other
	w.Must(other, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}})
	old := w.Entry(func(e *cataloguev1.Entry) {
		e.Id, e.Name, e.Table, e.Items = e.Id+"-old", "历史证书", table.Id, e.Items[:1]
	})
	w.Must(w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{old}})
	_, id := w.Agree(nil)
	propose(w, w.Consumer, id, func(t *sharev1.Terms) { t.Parts = []*sharev1.Part{{Entry: old.Id, Items: []string{"no"}}} })
	w.Must(w.Provider, &sharev1.SignAmendment{Agreement: id, Number: 1})
	if g := agreement(w, id); len(g.ProviderGateways) != 2 {
		t.Errorf("%v", g.ProviderGateways)
	}
	w.Want(fault.FieldNotGranted, w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	w.Must(other, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: old.Id})
}
