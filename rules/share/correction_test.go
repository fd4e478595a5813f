package share_test

import (
	"testing"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

const (
	acknowledged = sharev1.CorrectionState_CORRECTION_STATE_ACKNOWLEDGED
	confirmed    = sharev1.CorrectionState_CORRECTION_STATE_CONFIRMED
	rejected     = sharev1.CorrectionState_CORRECTION_STATE_REJECTED
	fannedOut    = sharev1.CorrectionState_CORRECTION_STATE_FANNED_OUT
	closed       = sharev1.CorrectionState_CORRECTION_STATE_CLOSED
)

func correction(w *towntest.Town, id string) *sharev1.Correction {
	c, ok := share.FindCorrection(w.View(), id)
	if !ok {
		w.TB.Fatalf("there is no correction %s", id)
	}
	return c
}

func wrong(w *towntest.Town, row string) *sharev1.FileCorrection {
	return &sharev1.FileCorrection{Entry: w.EntryID, Item: "area", Row: digest(row), Statement: "面积与证书不一致", EvidenceHash: digest("scan")}
}

// TestArt26FileCorrectionOrder walks the checks.
func TestArt26FileCorrectionOrder(t *testing.T) {
	type try = rulestest.Try[*sharev1.FileCorrection]
	var w *towntest.Town
	rulestest.Order(t, func(t *testing.T) *try {
		w = towntest.New(t)
		w.Publish(nil)
		return &try{World: w.World, Account: w.Consumer, Message: wrong(w, "1")}
	}, []rulestest.Breach[*sharev1.FileCorrection]{
		{Name: "a machine", Want: fault.Forbidden, Break: func(s *try) { s.Account = w.ConsumerGateway }},
		{Name: "unknown entry", Want: fault.NotFound, Break: func(s *try) { s.Message.Entry = "none" }},
		{Name: "unknown item", Want: fault.FieldNotGranted, Break: func(s *try) { s.Message.Item = "none" }},
		{Name: "a row in clear", Want: fault.Malformed, Break: func(s *try) { s.Message.Row = []byte("京(2026)第1号") }},
		{Name: "nothing is said", Want: fault.Missing, Break: func(s *try) { s.Message.Statement = "" }},
		{Name: "evidence of another length", Want: fault.Malformed, Break: func(s *try) { s.Message.EvidenceHash = []byte{1} }},
		{Name: "filed already", Want: fault.AlreadyExists, Break: func(s *try) { s.Must(w.Provider, wrong(w, "1")) }},
	})
}

// TestArt26ACorrectionReachesEveryHolder: from the one that found it, over the source,
// to every copy, and back.
func TestArt26ACorrectionReachesEveryHolder(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, first := w.Agree(nil)
	give(w, first, 1)
	_, second := w.Agree(func(t *sharev1.Terms) { t.MaxCalls = 9 })
	give(w, second, 1)
	_, over := w.Agree(func(t *sharev1.Terms) { t.MaxCalls = 8 })
	give(w, over, 1)
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: over, Reason: "系统下线"})
	_, gone := w.Agree(func(t *sharev1.Terms) { t.MaxCalls = 7 })
	give(w, gone, 1)
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: gone, Reason: "系统下线"}, certificate(gone, 1))
	_, unused := w.Agree(func(t *sharev1.Terms) { t.MaxCalls = 6 })

	id := w.Must(w.Consumer, wrong(w, "1"))[0]
	answer := func(to sharev1.CorrectionState, reason string) *sharev1.AnswerCorrection {
		return &sharev1.AnswerCorrection{Correction: id, Answer: to, Reason: reason}
	}
	done := &sharev1.CompleteCorrection{Correction: id, Note: "已更正"}
	w.Want(fault.Forbidden, w.Consumer, answer(confirmed, ""))
	w.Want(fault.OutOfRange, w.Provider, answer(closed, ""))
	w.Must(w.Provider, answer(acknowledged, ""))
	w.Want(fault.IllegalTransition, w.Provider, answer(acknowledged, ""))
	w.Want(fault.IllegalTransition, w.ProviderGateway, done)
	w.Must(w.Provider, answer(confirmed, ""))
	w.Want(fault.IllegalTransition, w.Consumer, &sharev1.CloseCorrection{Correction: id})
	w.Must(w.ProviderGateway, done)
	if c := correction(w, id); c.State != fannedOut || c.Holders != 3 || c.Clock.StoppedMs == 0 {
		t.Fatalf("%v", c)
	}
	for agreement, told := range map[string]bool{first: true, second: true, over: true, gone: false, unused: false} {
		if _, ok := share.FindHolder(w.View(), id, agreement); ok != told {
			t.Errorf("agreement %s was told: %t", agreement, ok)
		}
	}
	applied := &sharev1.ApplyCorrection{Correction: id, Agreement: first}
	w.Want(fault.Forbidden, w.ProviderGateway, applied)
	w.Must(w.ConsumerGateway, applied)
	w.Want(fault.IllegalTransition, w.ConsumerGateway, applied)
	w.Must(w.Consumer, &sharev1.ApplyCorrection{Correction: id, Agreement: second})
	finish := &sharev1.CloseCorrection{Correction: id, Solved: true, Score: 4, Feedback: "三日内更正"}
	w.Want(fault.IllegalTransition, w.Consumer, finish) // the third has not
	w.Wait(20 * rulestest.Day)
	w.WantEvent("share/overdue", "correction", "share/holder/"+id+"/"+over)
	if s := standing(w, w.Consumer); s.GetLateCorrections() != 1 {
		t.Errorf("%v", s)
	}
	w.Must(w.Consumer, &sharev1.ApplyCorrection{Correction: id, Agreement: over, Note: "逾期"})
	w.Must(w.Consumer, finish)
	if c := correction(w, id); c.State != closed || c.Applied != 3 || !c.Solved {
		t.Errorf("%v", c)
	}
	if s := standing(w, w.Provider); s.GetScoreSum() != 4 {
		t.Errorf("%v", s)
	}
}

// TestRejectedCorrection: with a reason; the same can then be filed again.
func TestRejectedCorrection(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, wrong(w, "1"))[0]
	w.Want(fault.RefusalNeedsReason, w.Provider, &sharev1.AnswerCorrection{Correction: id, Answer: rejected})
	w.Must(w.Provider, &sharev1.AnswerCorrection{Correction: id, Answer: rejected, Reason: "与档案一致"})
	again := w.Must(w.Consumer, wrong(w, "1"))[0]
	w.Must(w.Consumer, &sharev1.CloseCorrection{Correction: id})
	w.Want(fault.AlreadyExists, w.Consumer, wrong(w, "1")) // closing the first did not free the second's place
	w.Must(w.Consumer, &sharev1.CloseCorrection{Correction: again})
	w.Must(w.Consumer, wrong(w, "1"))
}

// TestLateCorrection: after ten working days the authority sees it, and may answer and
// close in the provider's place.
func TestLateCorrection(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, wrong(w, "1"))[0]
	w.Wait(correction(w, id).Clock.DueMs - w.Now)
	w.WantEvent("share/overdue", "correction", "share/correction/"+id)
	if s := standing(w, w.Provider); s.GetLateCorrections() != 1 {
		t.Errorf("%v", s)
	}
	w.Must(w.Authority, &sharev1.AnswerCorrection{Correction: id, Answer: confirmed})
	w.Must(w.Authority, &sharev1.CloseCorrection{Correction: id})
}

// TestFanOutIsBounded: of many holders each block tells its share, and none is lost.
func TestFanOutIsBounded(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	const n = share.MaxToldPerBlock + 5
	for i := range n {
		_, id := w.Agree(func(t *sharev1.Terms) { t.MaxCalls = uint64(i + 1) })
		w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID})
	}
	id := w.Must(w.Consumer, wrong(w, "1"))[0]
	w.Must(w.Provider, &sharev1.AnswerCorrection{Correction: id, Answer: confirmed})
	w.Must(w.Provider, &sharev1.CompleteCorrection{Correction: id, Note: "已更正"})
	if c := correction(w, id); c.Holders != share.MaxToldPerBlock || c.State != sharev1.CorrectionState_CORRECTION_STATE_CORRECTED {
		t.Fatalf("%v", c)
	}
	w.Block()
	if c := correction(w, id); c.Holders != n || c.State != fannedOut {
		t.Fatalf("%v", c)
	}
}
