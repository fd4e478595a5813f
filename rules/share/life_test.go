package share_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

// give lets one delivery of the agreement be given and loaded.
func give(w *towntest.Town, id string, number uint64) {
	w.TB.Helper()
	w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: number, Entry: w.EntryID})
	w.Must(w.ProviderGateway, &sharev1.CompleteDelivery{Agreement: id, Number: number, Rows: 3, Bytes: 64, Digest: digest("rows")})
	w.Must(w.ConsumerGateway, &sharev1.ConfirmDelivery{Agreement: id, Number: number, Rows: 3, Digest: digest("rows")})
}

// certificate is what the consumer files when it has destroyed everything up to a
// delivery.
func certificate(id string, upTo uint64) *sharev1.FileDisposal {
	return &sharev1.FileDisposal{
		Agreement: id, Reason: "协议终止", Method: sharev1.DisposalMethod_DISPOSAL_METHOD_OVERWRITTEN, CertificateHash: digest("certificate"),
		UpToDelivery: upTo, Copies: 2,
	}
}

// reach brings a new agreement into the state.
func reach(t *testing.T, w *towntest.Town, s sharev1.AgreementState) string {
	t.Helper()
	if s == offered {
		ids := w.Must(w.Consumer, w.Request(func(t *sharev1.Terms) { t.MaxCalls = uint64(w.Now % 1000) }))
		return w.Must(w.Provider, &sharev1.Answer{Request: ids[0], Accept: true})[0]
	}
	_, id := w.Agree(nil)
	end := &sharev1.EndAgreement{Agreement: id, Reason: "不再需要"}
	switch s {
	case amending:
		propose(w, w.Consumer, id, wider)
	case renewing:
		w.Must(w.Consumer, &sharev1.ProposeRenewal{Agreement: id, Version: 2, Days: 9, Reason: "续期"})
	case suspended:
		w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"})
	case rectifying:
		w.Must(w.Provider, &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", Days: 5})
	case ending:
		end.EndsMs = w.Now + 5*rulestest.Day
		w.Must(w.Consumer, end)
	case ended:
		w.Must(w.Consumer, end)
	case disposing, disposed:
		give(w, id, 1)
		w.Must(w.Consumer, end)
		if s == disposed {
			w.Must(w.Consumer, certificate(id, 1))
		}
	}
	if g := agreement(w, id); g.State != s {
		t.Fatalf("agreement is %s, want %s", g.State, s)
	}
	return id
}

func states() (all []sharev1.AgreementState) {
	values := sharev1.AgreementState(0).Descriptor().Values()
	for i := range values.Len() {
		if n := values.Get(i).Number(); n != 0 {
			all = append(all, sharev1.AgreementState(n))
		}
	}
	return all
}

// TestNothingIsStuck: from every state there is a way to the end that needs neither
// party: the clock, or the authority. Both are tried.
func TestNothingIsStuck(t *testing.T) {
	for _, s := range states() {
		t.Run(s.String(), func(t *testing.T) {
			w := towntest.New(t)
			w.Publish(nil)
			id := reach(t, w, s)
			switch s {
			case ended, disposed:
				if after := share.After(s); s == disposed && after != nil {
					t.Fatalf("after %s comes %v", s, after)
				}
				return
			case disposing:
				w.Want(fault.OutOfRange, w.Authority, certificate(id, 0))
				w.Must(w.Authority, certificate(id, 1)) // the consumer is gone for ever
				wantAgreement(t, w, id, disposed, agreement(w, id).Version)
				return
			}
			w.Must(w.Authority, &sharev1.EndAgreement{Agreement: id, Reason: "当事方已撤销"})
			if g := agreement(w, id); g.State != ended {
				t.Errorf("the authority brought it to %s", g.State)
			}
			other := reach(t, w, s)
			w.Wait(40 * rulestest.Day)
			if g := agreement(w, other); g.State != ended {
				t.Errorf("the clock brought it to %s", g.State)
			}
		})
	}
}

// TestEveryTransitionIsListed: what is not in the list of transitions cannot be done,
// and its refusal names from, to and what is possible.
func TestEveryTransitionIsListed(t *testing.T) {
	acts := func(w *towntest.Town, id string, version uint64) map[string]struct {
		by string
		m  proto.Message
		to sharev1.AgreementState
	} {
		return map[string]struct {
			by string
			m  proto.Message
			to sharev1.AgreementState
		}{
			"confirm": {w.Consumer, &sharev1.ConfirmAgreement{Agreement: id, Version: version}, active},
			"suspend": {w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"}, suspended},
			"violate": {w.Provider, &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", Days: 5}, rectifying},
			"renew":   {w.Consumer, &sharev1.ProposeRenewal{Agreement: id, Version: version, Days: 9, Reason: "续期"}, renewing},
			"notice":  {w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要", EndsMs: w.Now + rulestest.Day}, ending},
			"end":     {w.Consumer, &sharev1.EndAgreement{Agreement: id, Reason: "不再需要"}, ended},
			"dispose": {w.Consumer, certificate(id, 1), disposed},
		}
	}
	for _, s := range states() {
		w := towntest.New(t)
		w.Publish(nil)
		for name := range acts(w, "", 0) {
			id := reach(t, w, s)
			act := acts(w, id, agreement(w, id).Version)[name]
			code := w.Do(act.by, act.m)
			listed := slices.Contains(share.After(s), act.to)
			switch {
			case code == fault.IllegalTransition:
				if !strings.Contains(w.Text, "from "+strings.TrimPrefix(s.String(), "AGREEMENT_STATE_")) || !strings.Contains(w.Text, "allowed") {
					t.Errorf("%s from %s: %s", name, s, w.Text)
				}
			case code != fault.OK:
				t.Errorf("%s from %s: %s %s", name, s, code, w.Text)
			default:
				if got := agreement(w, id).State; !listed && got != s || got != s && !slices.Contains(share.After(s), got) {
					t.Errorf("%s from %s came to %s, which is not listed", name, s, got)
				}
			}
			w.Wait(rulestest.Minute)
		}
	}
}

// TestNotice: until its day the agreement holds, then it is over; the provider's
// notice needs the filing number.
func TestNotice(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	day := w.Now + 10*rulestest.Day
	end := &sharev1.EndAgreement{Agreement: id, Reason: "职责调整", EndsMs: day}
	w.Want(fault.Missing, w.Provider, end)
	end.Filing = "备〔2026〕7号"
	late := proto.CloneOf(end)
	late.EndsMs = agreement(w, id).EndsMs
	w.Want(fault.OutOfRange, w.Provider, late)
	w.Must(w.Provider, end)
	w.WantEvent("share/end_agreement", "ending", "share/agreement/"+id)
	if g := wantAgreement(t, w, id, ending, 3); g.EndsMs != day || g.NoticeMs != w.Now || g.Filing != end.Filing {
		t.Fatalf("%v", g)
	}
	w.Want(fault.IllegalTransition, w.Provider, end)
	give(w, id, 1)
	w.Wait(10*rulestest.Day - 1)
	w.Must(w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 2, Entry: w.EntryID})
	w.Wait(1)
	w.WantEvent("share/expired", "ending", "share/agreement/"+id)
	if g := agreement(w, id); g.State != disposing || g.EndedMs != day {
		t.Errorf("%v", g)
	}
	w.Want(fault.Expired, w.ProviderGateway, &sharev1.StartDelivery{Agreement: id, Number: 3, Entry: w.EntryID})
}

// TestRectification: a violation stops releases at once; made good and accepted it
// goes on, with its notice and its clock; not made good, it is ended.
func TestRectification(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(func(t *sharev1.Terms) { t.Days = 100 })
	find := &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", Days: 5}
	w.Want(fault.Forbidden, w.Consumer, find)
	w.Want(fault.OutOfRange, w.Provider, &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", Days: 61})
	w.Want(fault.Missing, w.Provider, &sharev1.RecordViolation{Agreement: id, Days: 5})
	w.Must(w.Provider, find)
	w.WantEvent("share/record_violation", "rectifying", "share/agreement/"+id)
	start := &sharev1.StartDelivery{Agreement: id, Number: 1, Entry: w.EntryID}
	w.Want(fault.AgreementSuspended, w.ProviderGateway, start)
	w.Want(fault.IllegalTransition, w.Provider, find)

	accept := &sharev1.SettleViolation{Agreement: id, Number: 1, Accept: true}
	end := &sharev1.SettleViolation{Agreement: id, Number: 1, Decision: "未整改", Filing: "备〔2026〕8号"}
	w.Want(fault.IllegalTransition, w.Provider, end) // it has five working days
	w.Want(fault.Forbidden, w.Provider, &sharev1.RectifyViolation{Agreement: id, Number: 1, Measures: "x"})
	w.Must(w.Consumer, &sharev1.RectifyViolation{Agreement: id, Number: 1, Measures: "已停用越权账号"})
	w.Want(fault.IllegalTransition, w.Consumer, &sharev1.RectifyViolation{Agreement: id, Number: 1, Measures: "again"})
	w.Want(fault.Forbidden, w.Consumer, accept)
	w.Must(w.Provider, accept)
	wantAgreement(t, w, id, active, 4)
	w.Must(w.ProviderGateway, start)

	w.Must(w.Provider, find)
	w.Wait(10 * rulestest.Day)
	w.WantEvent("share/overdue", "rectify", "share/violation/"+id+"/0000000002")
	end.Number = 2
	w.Want(fault.RefusalNeedsReason, w.Provider, &sharev1.SettleViolation{Agreement: id, Number: 2})
	w.Want(fault.Missing, w.Provider, &sharev1.SettleViolation{Agreement: id, Number: 2, Decision: "未整改"})
	w.Must(w.Provider, end)
	if g := agreement(w, id); g.State != disposing || g.EndReason != "未整改" || g.Filing != end.Filing {
		t.Errorf("%v", g)
	}
	if s, _ := share.FindStanding(w.View(), w.Consumer); s.Violations != 2 || s.LateRectifications != 1 {
		t.Errorf("%v", s)
	}
}

// TestViolationAndSuspensionAreTwoThings: each goes away by itself.
func TestViolationAndSuspensionAreTwoThings(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, id := w.Agree(nil)
	w.Must(w.Provider, &sharev1.SuspendAgreement{Agreement: id, Cause: "检查"})
	w.Must(w.Authority, &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", Days: 5})
	w.Must(w.Authority, &sharev1.SettleViolation{Agreement: id, Number: 1, Accept: true})
	wantAgreement(t, w, id, suspended, 5)
	w.Must(w.Authority, &sharev1.RecordViolation{Agreement: id, Finding: "超范围使用", Days: 5})
	w.Must(w.Provider, &sharev1.ResumeAgreement{Agreement: id})
	wantAgreement(t, w, id, rectifying, 7)
	w.Want(fault.IllegalTransition, w.Provider, &sharev1.ResumeAgreement{Agreement: id})
	w.Must(w.Authority, &sharev1.SettleViolation{Agreement: id, Number: 2, Accept: true})
	wantAgreement(t, w, id, active, 8)
}
