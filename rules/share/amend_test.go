package share_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

// terms returns those of the agreement, after the changes of edit.
func terms(w *towntest.Town, id string, edit func(*sharev1.Terms)) *sharev1.Terms {
	t := proto.CloneOf(agreement(w, id).Terms)
	edit(t)
	return t
}

func wider(t *sharev1.Terms) { t.Parts[0].Items = append(t.Parts[0].Items, "owner") }

// propose lets an organisation propose other terms.
func propose(w *towntest.Town, by, id string, edit func(*sharev1.Terms)) {
	w.TB.Helper()
	w.Must(by, &sharev1.ProposeAmendment{Agreement: id, Version: agreement(w, id).Version, Terms: terms(w, id, edit), Reason: "业务扩大"})
}

// TestArt25ProposeAmendmentOrder walks the checks before other terms can wait.
func TestArt25ProposeAmendmentOrder(t *testing.T) {
	type try = rulestest.Try[*sharev1.ProposeAmendment]
	var w *towntest.Town
	rulestest.Order(t, func(t *testing.T) *try {
		w = towntest.New(t)
		w.Publish(nil)
		_, id := w.Agree(nil)
		return &try{World: w.World, Account: w.Consumer, Message: &sharev1.ProposeAmendment{
			Agreement: id, Version: 2, Terms: terms(w, id, wider), Reason: "业务扩大",
		}}
	}, []rulestest.Breach[*sharev1.ProposeAmendment]{
		{Name: "unknown", Want: fault.NotFound, Break: func(s *try) { s.Message.Agreement = "none" }},
		{Name: "a stranger", Want: fault.Forbidden, Break: func(s *try) { s.Account = w.Authority }},
		{Name: "a machine", Want: fault.Forbidden, Break: func(s *try) {
			if s.Account == w.Consumer {
				s.Account = w.ConsumerGateway
			}
		}},
		{Name: "term over", Want: fault.Expired, Break: func(s *try) { s.Wait(30 * rulestest.Day) }},
		{Name: "suspended", Want: fault.IllegalTransition, Break: func(s *try) {
			s.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: s.Message.Agreement, Cause: "检查"})
		}},
		{Name: "another version", Want: fault.VersionConflict, Break: func(s *try) { s.Message.Version = 9 }},
		{Name: "no reason", Want: fault.Missing, Break: func(s *try) { s.Message.Reason = "" }},
		{Name: "no terms", Want: fault.Missing, Break: func(s *try) { s.Message.Terms = nil }},
		{Name: "no duty", Want: fault.NoDuty, Break: func(s *try) { s.Message.Terms.Duty = "none" }},
		{Name: "another way", Want: fault.FormatMethodMismatch, Break: func(s *try) { s.Message.Terms.Method = query }},
		{Name: "another term", Want: fault.OutOfRange, Break: func(s *try) { s.Message.Terms.Days = 31 }},
		{Name: "another purpose than the entry takes", Want: fault.PurposeMismatch, Break: func(s *try) { s.Message.Terms.Purpose = "商业用途" }},
		{Name: "these terms hold", Want: fault.Duplicate, Break: func(s *try) { s.Message.Terms.Parts[0].Items = []string{"no", "area"} }},
	})
}

// TestOldTermsHoldUntilBothHaveSigned: deliveries go on by the old terms; the other
// side's signature brings the new ones, at once and with a new version.
func TestOldTermsHoldUntilBothHaveSigned(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	for _, by := range []string{w.Consumer, w.Provider} {
		other := map[string]string{w.Consumer: w.Provider, w.Provider: w.Consumer}[by]
		_, id := w.Agree(nil)
		propose(w, by, id, wider)
		w.WantEvent("share/propose_amendment", "amending", "share/agreement/"+id)
		g := wantAgreement(t, w, id, amending, 3)
		if len(g.Terms.Parts[0].Items) != 2 {
			t.Fatal("proposed terms hold before both have signed")
		}
		w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
		w.Want(fault.IllegalTransition, by, &sharev1.ProposeRenewal{Agreement: id, Version: 3, Days: 5, Reason: "续期"})
		sign := &sharev1.SignAmendment{Agreement: id, Number: 1}
		w.Want(fault.NotFound, other, &sharev1.SignAmendment{Agreement: id, Number: 2})
		w.Want(fault.Forbidden, by, sign)
		w.Want(fault.Forbidden, w.Authority, sign)
		w.Must(other, sign)
		g = wantAgreement(t, w, id, active, 4)
		if len(g.Terms.Parts[0].Items) != 3 || g.Amended != 1 || g.Amendment != 0 {
			t.Fatalf("%v", g)
		}
		w.Want(fault.IllegalTransition, other, sign)
	}
}

// TestNarrowerTermsNeedBothAsWell.
func TestNarrowerTermsNeedBothAsWell(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	propose(w, w.Consumer, id, func(t *sharev1.Terms) { t.Parts[0].Items = t.Parts[0].Items[:1] })
	if g := wantAgreement(t, w, id, amending, 3); len(g.Terms.Parts[0].Items) != 2 {
		t.Fatalf("%v", g.Terms)
	}
	w.Must(w.Provider, &sharev1.SignAmendment{Agreement: id, Number: 1})
	if g := wantAgreement(t, w, id, active, 4); len(g.Terms.Parts[0].Items) != 1 {
		t.Fatalf("%v", g.Terms)
	}
}

// TestSigningLooksAtTheCatalogueAgain: what was denied or frozen meanwhile does not
// become part of an agreement.
func TestSigningLooksAtTheCatalogueAgain(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	propose(w, w.Consumer, id, wider)
	w.Publish(func(e *cataloguev1.Entry) { e.Items[1].ShareType = cataloguev1.ShareType_SHARE_TYPE_DENIED })
	w.Want(fault.NotShared, w.Provider, &sharev1.SignAmendment{Agreement: id, Number: 1})
	w.Want(fault.Missing, w.Provider, &sharev1.DropAmendment{Agreement: id, Number: 1})
	w.Must(w.Provider, &sharev1.DropAmendment{Agreement: id, Number: 1, Reason: "不予共享"})
	wantAgreement(t, w, id, active, 4)
}

// TestDropAmendment: withdrawn by who proposed it, declined by the other, dropped by
// the authority if both are gone; never twice.
func TestDropAmendment(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	for i, c := range []struct {
		by   string
		want sharev1.AmendmentState
	}{
		{w.Consumer, sharev1.AmendmentState_AMENDMENT_STATE_WITHDRAWN},
		{w.Provider, sharev1.AmendmentState_AMENDMENT_STATE_DECLINED},
		{w.Authority, sharev1.AmendmentState_AMENDMENT_STATE_DECLINED},
	} {
		propose(w, w.Consumer, id, wider)
		drop := &sharev1.DropAmendment{Agreement: id, Number: uint64(i) + 1, Reason: "另行协商"}
		w.Want(fault.Forbidden, w.Org("局外机构"+string(rune('甲'+i))), drop)
		w.Must(c.by, drop)
		if m, _ := share.FindAmendment(w.View(), id, drop.Number); m.State != c.want {
			t.Errorf("%v, want %s", m, c.want)
		}
		w.Want(fault.IllegalTransition, c.by, drop)
		if g := agreement(w, id); g.State != active {
			t.Errorf("%v", g)
		}
	}
}

// TestRenewal: before its end, by both, and never beyond the longest term from now.
func TestRenewal(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	renew := func(days uint32) *sharev1.ProposeRenewal {
		return &sharev1.ProposeRenewal{Agreement: id, Version: agreement(w, id).Version, Days: days, Reason: "继续办理"}
	}
	w.Want(fault.OutOfRange, w.Consumer, renew(0))
	w.Want(fault.OutOfRange, w.Consumer, renew(1797)) // 30 are left: 1826 in all
	w.Must(w.Consumer, renew(1796))
	wantAgreement(t, w, id, renewing, 3)
	w.Must(w.Provider, &sharev1.DropAmendment{Agreement: id, Number: 1, Reason: "过长"})
	w.Must(w.Consumer, renew(10))
	end := agreement(w, id).EndsMs
	w.Wait(29 * rulestest.Day)
	w.Must(w.Provider, &sharev1.SignAmendment{Agreement: id, Number: 2})
	if g := wantAgreement(t, w, id, active, 6); g.EndsMs != end+10*rulestest.Day {
		t.Fatalf("%v", g)
	}
	w.Wait(rulestest.Day)
	for _, ev := range w.Events() {
		if ev.Verb == "share/expired" {
			t.Fatal("it ran out at its old end")
		}
	}
	w.Must(w.Consumer, renew(10))
	w.Wait(10 * rulestest.Day)
	w.WantEvent("share/expired", "renewing", "share/agreement/"+id)
	if m, _ := share.FindAmendment(w.View(), id, 3); m.State != sharev1.AmendmentState_AMENDMENT_STATE_LAPSED {
		t.Errorf("%v", m)
	}
	w.Want(fault.Expired, w.Provider, &sharev1.SignAmendment{Agreement: id, Number: 3})
	w.Want(fault.Expired, w.Consumer, renew(5))
}

// TestAnAmendmentWaitsWhileSuspended, and goes on waiting after it; an end lets it lapse.
func TestAnAmendmentWaitsWhileSuspended(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	propose(w, w.Consumer, id, wider)
	w.Must(w.Authority, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"})
	w.Want(fault.AgreementSuspended, w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	w.Want(fault.IllegalTransition, w.Provider, &sharev1.SignAmendment{Agreement: id, Number: 1})
	w.Must(w.Authority, &sharev1.ResumeAgreement{Agreement: id})
	wantAgreement(t, w, id, amending, 5)
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要"})
	if m, _ := share.FindAmendment(w.View(), id, 1); m.State != sharev1.AmendmentState_AMENDMENT_STATE_LAPSED {
		t.Errorf("%v", m)
	}
}
