package share_test

import (
	"testing"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/towntest"
)

// TestMarksAreForAnswers: a mark counts for an organisation only if another one, which
// had asked, judges an answer that there is.
func TestMarksAreForAnswers(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	closing := func(id string, score uint32) *sharev1.CloseCorrection {
		return &sharev1.CloseCorrection{Correction: id, Solved: true, Score: score}
	}
	unmarked := func(what string) {
		t.Helper()
		if s := standing(w, w.Provider); s.GetScores() != 0 {
			t.Errorf("%s: %v", what, s)
		}
	}

	early := w.Must(w.Consumer, wrong(w, "1"))[0]
	w.Want(fault.OutOfRange, w.Consumer, closing(early, 1))
	w.Must(w.Provider, &sharev1.AnswerCorrection{Correction: early, Answer: acknowledged})
	w.Want(fault.OutOfRange, w.Consumer, closing(early, 1)) // that it was read is no answer
	w.Must(w.Consumer, closing(early, 0))
	unmarked("nothing was answered")

	own := w.Must(w.Provider, wrong(w, "2"))[0]
	w.Must(w.Provider, &sharev1.AnswerCorrection{Correction: own, Answer: rejected, Reason: "无误"})
	w.Want(fault.OutOfRange, w.Provider, closing(own, 5))
	w.Must(w.Provider, closing(own, 0))
	unmarked("its own correction")

	third := w.Must(w.Consumer, wrong(w, "3"))[0]
	w.Must(w.Provider, &sharev1.AnswerCorrection{Correction: third, Answer: rejected, Reason: "无误"})
	w.Want(fault.OutOfRange, w.Authority, closing(third, 5)) // it did not ask
	unmarked("the authority closes")
	w.Want(fault.OutOfRange, w.Consumer, closing(third, 6))
	w.Must(w.Consumer, closing(third, 2))
	if s := standing(w, w.Provider); s.GetScores() != 1 || s.GetScoreSum() != 2 {
		t.Errorf("%v", s)
	}

	o := w.Must(w.Consumer, &sharev1.FileObjection{
		Kind: sharev1.ObjectionKind_OBJECTION_KIND_CATALOGUE, Subject: "catalogue/entry/" + w.EntryID, Statement: "更新周期不符",
	})[0]
	end := &sharev1.CloseObjection{Objection: o, Score: 1}
	w.Want(fault.OutOfRange, w.Consumer, end)
	w.Must(w.Provider, &sharev1.AnswerObjection{Objection: o, Answer: "已更正"})
	w.Want(fault.OutOfRange, w.Authority, end)
	w.Must(w.Consumer, end)
	if s := standing(w, w.Provider); s.GetScores() != 2 || s.GetScoreSum() != 3 {
		t.Errorf("%v", s)
	}
}
