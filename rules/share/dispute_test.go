package share_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

const (
	openDispute = sharev1.DisputeState_DISPUTE_STATE_OPEN
	decided     = sharev1.DisputeState_DISPUTE_STATE_DECIDED
	settled     = sharev1.DisputeState_DISPUTE_STATE_SETTLED
	dropped     = sharev1.DisputeState_DISPUTE_STATE_WITHDRAWN
)

func dispute(w *towntest.Town, id string) *sharev1.Dispute {
	d, ok := share.FindDispute(w.View(), id)
	if !ok {
		w.TB.Fatalf("there is no dispute %s", id)
	}
	return d
}

// TestObjection: of each kind about its own thing, answered in time, closed with a mark.
func TestObjection(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	request, id := w.Agree(nil)
	object := func(kind sharev1.ObjectionKind, subject string) *sharev1.FileObjection {
		return &sharev1.FileObjection{Kind: kind, Subject: subject, Statement: "更新周期与实际不符"}
	}
	const catalogueKind, applicationKind, useKind, otherKind = 1, 2, 3, 4
	entry := "catalogue/entry/" + w.EntryID
	w.Want(fault.NotFound, w.Consumer, object(catalogueKind, "catalogue/entry/none"))
	w.Want(fault.NotFound, w.Consumer, object(catalogueKind, "elsewhere"))
	w.Want(fault.Forbidden, w.Provider, object(catalogueKind, entry))
	w.Want(fault.Missing, w.Consumer, object(0, entry))
	w.Want(fault.OutOfRange, w.Consumer, object(9, entry))
	w.Want(fault.CodeInconsistent, w.Consumer, object(useKind, entry))
	w.Want(fault.Forbidden, w.Authority, object(useKind, "share/agreement/"+id))
	w.Must(w.Consumer, object(applicationKind, "share/request/"+request))
	w.Must(w.Provider, object(useKind, "share/agreement/"+id))
	w.Must(w.Consumer, object(otherKind, "share/agreement/"+id))
	o := w.Must(w.Authority, object(catalogueKind, entry))[0]
	w.Want(fault.AlreadyExists, w.Authority, object(catalogueKind, entry))

	answer := &sharev1.AnswerObjection{Objection: o, Answer: "已改为每日"}
	finish := &sharev1.CloseObjection{Objection: o, Solved: true, Score: 3, Comment: "较慢"}
	w.Want(fault.Forbidden, w.Consumer, answer)
	w.Wait(20 * rulestest.Day)
	w.WantEvent("share/overdue", "objection", "share/objection/"+o)
	w.Must(w.Provider, answer)
	w.Want(fault.IllegalTransition, w.Provider, answer)
	w.Want(fault.Forbidden, w.Provider, finish)
	w.Must(w.Authority, finish)
	w.Want(fault.IllegalTransition, w.Authority, finish)
	got, _ := share.FindObjection(w.View(), o)
	s, _ := share.FindStanding(w.View(), w.Provider)
	if got.Against != w.Provider || !got.Solved || s.ScoreSum != 3 || s.LateObjections != 3 { // of four, the consumer owes one
		t.Errorf("%v, %v", got, s)
	}
	w.Must(w.Authority, object(catalogueKind, entry))
}

// TestDisputeLadder: negotiation, the authority, the common superior, the government,
// whose word is the last.
func TestDisputeLadder(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, g := w.Agree(nil)
	raise := &sharev1.RaiseDispute{Subject: "share/agreement/" + g, Statement: "交付内容不完整"}
	w.Want(fault.Forbidden, w.Authority, raise)
	id := w.Must(w.Consumer, raise)[0]
	w.Want(fault.AlreadyExists, w.Consumer, raise)
	up := &sharev1.EscalateDispute{Dispute: id, Cause: "协商不成"}
	say := func(level sharev1.DisputeLevel, upheld bool) *sharev1.DecideDispute {
		return &sharev1.DecideDispute{Dispute: id, Level: level, Body: "市人民政府", Document: "京政办〔2026〕9号", Text: "补充交付", Upheld: upheld}
	}
	accept := &sharev1.SettleDispute{Dispute: id}
	w.Want(fault.IllegalTransition, w.Consumer, up) // the other side has time
	w.Want(fault.Forbidden, w.Consumer, say(1, true))
	w.Want(fault.VersionConflict, w.Provider, say(2, true))
	w.Want(fault.IllegalTransition, w.Consumer, accept)
	w.Must(w.Provider, say(1, true))
	w.Want(fault.Forbidden, w.Provider, accept)
	w.Must(w.Consumer, up)
	w.Want(fault.Forbidden, w.Provider, say(2, false))
	w.Must(w.Authority, say(2, false))
	w.Want(fault.Forbidden, w.Authority, up)
	w.Must(w.Consumer, up)
	bare := say(3, true)
	bare.Body = ""
	w.Want(fault.Missing, w.Authority, bare)
	w.Wait(30 * rulestest.Day)
	w.WantEvent("share/overdue", "dispute", "share/dispute/"+id)
	w.Must(w.Provider, up) // the level has not decided in its time
	w.Must(w.Authority, say(4, true))
	if d := dispute(w, id); d.State != settled || len(d.Decisions) != 3 || d.Level != 4 {
		t.Errorf("%v", d)
	}
	w.Want(fault.IllegalTransition, w.Consumer, up)
	w.Must(w.Consumer, raise)
}

// TestADecisionNobodyTakesHigherIsFinal, by the clock.
func TestADecisionNobodyTakesHigherIsFinal(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	_, g := w.Agree(nil)
	id := w.Must(w.Provider, &sharev1.RaiseDispute{Subject: "share/agreement/" + g, Statement: "用途不符"})[0]
	w.Must(w.Authority, &sharev1.DecideDispute{Dispute: id, Level: 1, Text: "双方同意改正"})
	w.Wait(40 * rulestest.Day)
	w.WantEvent("share/settle_dispute", "settled", "share/dispute/"+id)
	if d := dispute(w, id); d.SettledBy != "clock" {
		t.Errorf("%v", d)
	}
}

// TestAnObjectionLeadsToADispute once, and only when it was answered or is late.
func TestAnObjectionLeadsToADispute(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	o := w.Must(w.Consumer, &sharev1.FileObjection{Kind: 1, Subject: "catalogue/entry/" + w.EntryID, Statement: "缺项"})[0]
	raise := &sharev1.RaiseDispute{Subject: "share/objection/" + o, Statement: "未获答复"}
	w.Want(fault.IllegalTransition, w.Consumer, raise)
	w.Must(w.Provider, &sharev1.AnswerObjection{Objection: o, Answer: "不缺"})
	id := w.Must(w.Consumer, raise)[0]
	w.Want(fault.IllegalTransition, w.Consumer, raise)
	if d := dispute(w, id); d.Claimant != w.Consumer || d.Respondent != w.Provider {
		t.Errorf("%v", d)
	}
	w.Must(w.Consumer, &sharev1.SettleDispute{Dispute: id, Withdraw: true, Cause: "已解决"})
}

// TestTheAuthorityDoesNotDecideItsOwn.
func TestTheAuthorityDoesNotDecideItsOwn(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Authority, &sharev1.RaiseDispute{Subject: "catalogue/entry/" + w.EntryID, Statement: "应无条件共享"})[0]
	say := &sharev1.DecideDispute{Dispute: id, Level: 1, Text: "同意"}
	w.Want(fault.Forbidden, w.Authority, say)
	w.Wait(40 * rulestest.Day)
	w.Must(w.Provider, &sharev1.EscalateDispute{Dispute: id, Cause: "未协商"})
	say.Level = 2
	w.Want(fault.Forbidden, w.Authority, say)
	w.Wait(40 * rulestest.Day)
	w.Must(w.Provider, &sharev1.EscalateDispute{Dispute: id, Cause: "未处理"})
	say.Level, say.Body, say.Document = 3, "省数据局", "1号"
	w.Must(w.Authority, say) // it records what its superior decided
}

// ladder is one random history of a dispute against a model of its rules.
type ladder struct {
	w     *towntest.Town
	id    string
	state sharev1.DisputeState
	level sharev1.DisputeLevel
	right bool  // the last decision is for the claimant
	due   int64 // of the present clock
}

func (l *ladder) want(t *rapid.T, ok bool, by string, m proto.Message) bool {
	if code := l.w.Do(by, m); (code == fault.OK) != ok {
		t.Fatalf("%T: %s (%s), the model says %t of %+v", m, code, l.w.Text, ok, l)
	}
	return ok
}

func (l *ladder) next(s sharev1.DisputeState) {
	l.state, l.due = s, dispute(l.w, l.id).Clock.DueMs
}

// TestDisputeHistories: two replicas agree with each other and with the model.
func TestDisputeHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := towntest.New(t)
		w.Publish(nil)
		_, g := w.Agree(nil)
		id := w.Must(w.Consumer, &sharev1.RaiseDispute{Subject: "share/agreement/" + g, Statement: "交付内容不完整"})[0]
		l := &ladder{w: w, id: id, level: 1}
		l.next(openDispute)
		rt.Repeat(map[string]func(*rapid.T){
			"decide": func(t *rapid.T) {
				by := rapid.SampledFrom([]string{w.Consumer, w.Provider, w.Authority}).Draw(t, "by")
				right := rapid.Bool().Draw(t, "right")
				ok := l.state == openDispute && (by == w.Authority || by == w.Provider && l.level == 1)
				if l.want(t, ok, by, &sharev1.DecideDispute{Dispute: id, Level: l.level, Body: "机关", Document: "1号", Text: "意见", Upheld: right}) {
					l.right = right
					if l.level == 4 {
						l.state = settled
					} else {
						l.next(decided)
					}
				}
			},
			"escalate": func(t *rapid.T) {
				by := rapid.SampledFrom([]string{w.Consumer, w.Provider}).Draw(t, "by")
				ok := l.level < 4 && (l.state == decided || l.state == openDispute && w.Now >= l.due)
				if l.want(t, ok, by, &sharev1.EscalateDispute{Dispute: id, Cause: "不服"}) {
					l.level++
					l.next(openDispute)
				}
			},
			"accept": func(t *rapid.T) {
				by := rapid.SampledFrom([]string{w.Consumer, w.Provider}).Draw(t, "by")
				who := w.Consumer
				if l.level > 1 && l.right {
					who = w.Provider
				}
				if l.want(t, l.state == decided && by == who, by, &sharev1.SettleDispute{Dispute: id}) {
					l.state = settled
				}
			},
			"withdraw": func(t *rapid.T) {
				if rapid.IntRange(0, 5).Draw(t, "withdraw") > 0 {
					t.Skip("not yet")
				}
				if l.want(t, l.state == openDispute || l.state == decided, w.Consumer, &sharev1.SettleDispute{Dispute: id, Withdraw: true, Cause: "和解"}) {
					l.state = dropped
				}
			},
			"wait": func(t *rapid.T) {
				w.Wait(int64(rapid.IntRange(1, 40).Draw(t, "days")) * rulestest.Day)
				if l.state == decided && w.Now >= l.due {
					l.state = settled
				}
			},
			"": func(t *rapid.T) {
				if d := dispute(w, id); d.State != l.state || d.Level != l.level {
					t.Fatalf("%v, the model says %+v", d, l)
				}
			},
		})
	})
}
