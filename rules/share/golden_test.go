package share_test

import (
	"fmt"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

// TestGolden pins the state and the events after a fixed history that uses every
// verb. A change of it is a change of the chain: it needs a new state version and a
// note in docs/decisions.
func TestGolden(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, w.Request(nil))[0]
	w.Must(w.Provider, &sharev1.AskMore{Request: id, Missing: []string{"依据"}})
	w.Must(w.Consumer, &sharev1.Supplement{Request: id, Terms: w.Request(nil).Terms})
	w.Must(w.Provider, &sharev1.AskExtension{Request: id, Days: 3, Reason: "会商"})
	w.Must(w.Authority, &sharev1.DecideExtension{Request: id, Approve: true})
	made := w.Must(w.Provider, &sharev1.Answer{Request: id, Accept: true})[0]
	w.Must(w.Consumer, &sharev1.ConfirmAgreement{Agreement: made, Version: 1})
	w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: made, Cause: "检查"})
	w.Must(w.Authority, &sharev1.ResumeAgreement{Agreement: made})
	for n := uint64(1); n <= 2; n++ {
		w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: made, Number: n, Entry: w.EntryID})
		w.Must(w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: made, Number: n, Rows: 10, Bytes: 640, Digest: digest("rows")})
	}
	w.Must(w.ConsumerGateway, &sharev1.ConfirmDelivery{Agreement: made, Number: 1, Rows: 10, Digest: digest("rows")})
	w.Must(w.ConsumerGateway, &sharev1.FailDelivery{Agreement: made, Number: 2, Cause: "中断"})
	w.Must(w.Consumer, &sharev1.RecordUse{Agreement: made, Purpose: "公积金贷款审批", Effect: "少交一份材料"})
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: made, Reason: "系统下线"})
	second := w.Must(w.Consumer, w.Request(nil))[0]
	w.Wait(30 * rulestest.Day)
	w.Must(w.Authority, &sharev1.UrgeRequest{Request: second, Note: "请尽快答复"})
	w.Must(w.Consumer, &sharev1.WithdrawRequest{Request: second, Reason: "逾期"})
	w.Publish(towntest.Open)
	_, third := w.Agree(nil)
	wholeLife(w, third)
	quarrels(w, third)
	const want = "fc2c7c639f61ebcb94cabd6ba3bfb8fdfd5d59625724ca4679d3a67bf974a575"
	if got := w.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}

// wholeLife uses the verbs of an agreement after both have signed it.
func wholeLife(w *towntest.Town, id string) {
	propose(w, w.Consumer, id, wider)
	w.Must(w.Provider, &sharev1.SignAmendment{Agreement: id, Number: 1})
	w.Must(w.Provider, &sharev1.ProposeRenewal{Agreement: id, Version: agreement(w, id).Version, Days: 9, Reason: "续期"})
	w.Must(w.Consumer, &sharev1.DropAmendment{Agreement: id, Number: 2, Reason: "不需要"})
	give(w, id, 1)
	w.Must(w.Provider, &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", EvidenceHash: digest("log"), Days: 5})
	w.Must(w.Consumer, &sharev1.RectifyViolation{Agreement: id, Number: 1, Measures: "已停用", MeasuresHash: digest("report")})
	w.Must(w.Authority, &sharev1.SettleViolation{Agreement: id, Number: 1, Accept: true, Decision: "已复核"})
	w.Must(w.Consumer, &sharev1.FileFeedback{Agreement: id, Effect: "少交两份材料", Cases: 3, Materials: 2, Score: 5})
	w.Must(w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "系统下线", EndsMs: w.Now + rulestest.Day})
}

// quarrels uses the verbs of corrections, objections and disputes.
func quarrels(w *towntest.Town, id string) {
	c := w.Must(w.Consumer, wrong(w, "1"))[0]
	w.Must(w.Provider, &sharev1.AnswerCorrection{Correction: c, Answer: confirmed})
	w.Must(w.ProviderGateway, &sharev1.CompleteCorrection{Correction: c, Note: "已更正"})
	w.Must(w.ConsumerGateway, &sharev1.ApplyCorrection{Correction: c, Agreement: id})
	w.Must(w.Authority, &sharev1.CloseCorrection{Correction: c, Solved: true})
	o := w.Must(w.Consumer, &sharev1.FileObjection{Kind: 3, Subject: "share/agreement/" + id, Statement: "交付不及时"})[0]
	w.Must(w.Provider, &sharev1.AnswerObjection{Objection: o, Answer: "已改进"})
	d := w.Must(w.Consumer, &sharev1.RaiseDispute{Subject: "share/objection/" + o, Statement: "仍不及时"})[0]
	w.Must(w.Provider, &sharev1.DecideDispute{Dispute: d, Level: 1, Text: "双方约定时间"})
	w.Must(w.Consumer, &sharev1.EscalateDispute{Dispute: d, Cause: "未履行"})
	w.Must(w.Authority, &sharev1.DecideDispute{Dispute: d, Level: 2, Body: "数据局", Text: "限期交付", Upheld: true})
	w.Must(w.Provider, &sharev1.SettleDispute{Dispute: d})
	w.Must(w.Consumer, &sharev1.CloseObjection{Objection: o, Solved: true, Score: 3})
	w.Wait(rulestest.Day)
	w.Must(w.Consumer, certificate(id, 1))
}

// TestLimits: at a bound it works, one more does not.
func TestLimits(t *testing.T) {
	w := towntest.New(t)
	w.Publish(func(e *cataloguev1.Entry) {
		towntest.Open(e)
		e.Items = nil
		for i := range share.MaxItems {
			e.Items = append(e.Items, &cataloguev1.Item{Code: fmt.Sprint(i), Name: "项"})
		}
	})
	ask := func(items int) *sharev1.FileRequest {
		return w.Request(func(t *sharev1.Terms) {
			t.Parts[0].Items = nil
			for i := range items {
				t.Parts[0].Items = append(t.Parts[0].Items, fmt.Sprint(i))
			}
		})
	}
	w.Want(fault.TooLong, w.Consumer, ask(share.MaxItems+1))
	id := w.Must(w.Consumer, ask(share.MaxItems))[0]
	missing := make([]string, share.MaxMissing+1)
	for i := range missing {
		missing[i] = "缺"
	}
	w.Want(fault.TooLong, w.Provider, &sharev1.AskMore{Request: id, Missing: missing})
	w.Must(w.Provider, &sharev1.AskMore{Request: id, Missing: missing[1:]})

	m := &cataloguev1.SubmitEntries{}
	parts := make([]*sharev1.Part, share.MaxParts)
	for i := range parts {
		e := w.Entry(func(e *cataloguev1.Entry) { e.Id, e.Name = fmt.Sprintf("%s-%d", e.Id, i), fmt.Sprintf("目录%d", i) })
		m.Entries = append(m.Entries, e)
		parts[i] = &sharev1.Part{Entry: e.Id, Items: []string{"no"}}
	}
	w.Must(w.Provider, m)
	w.Must(w.Consumer, w.Request(func(t *sharev1.Terms) { t.Parts, t.Days = parts, 1826 }))
}

// TestDueIsBounded: of many clocks in one moment each block takes its share, and
// none is lost.
func TestDueIsBounded(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	var ids []string
	for i := range share.MaxDuePerBlock + 10 {
		ids = append(ids, w.Must(w.Consumer, w.Request(func(t *sharev1.Terms) { t.MaxCalls = uint64(i + 1) }))...)
	}
	w.Wait(20 * rulestest.Day)
	if got := len(w.Events()); got != share.MaxDuePerBlock {
		t.Fatalf("%d clocks in one block, want %d", got, share.MaxDuePerBlock)
	}
	w.Block()
	if got := len(w.Events()); got != 10 {
		t.Fatalf("%d clocks in the next block, want 10", got)
	}
	for _, id := range ids {
		if !request(w, id).Clock.Overdue {
			t.Fatalf("request %s was forgotten", id)
		}
	}
}
