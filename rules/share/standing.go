package share

import (
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// note changes what the ledger keeps of an organisation's clocks and marks, and
// returns the key as events name it.
func note(a *act.Act, org string, change func(*sharev1.Standing)) string {
	s, ok := standings.Get(a.Tx, org)
	if !ok {
		s = &sharev1.Standing{Org: org}
	}
	change(s)
	standings.Put(a.Tx, org, s)
	return standings.Name() + "/" + org
}

// mark gives an organisation a mark, 0 = none, and returns what events name of it.
func mark(a *act.Act, org string, score uint32) []string {
	if score == 0 {
		return nil
	}
	return []string{note(a, org, func(s *sharev1.Standing) {
		s.Scores++
		s.ScoreSum += uint64(score)
	})}
}

// remark puts a mark in the place of one that the same side gave before, 0 = none: however
// often it speaks, it is one voice.
func remark(a *act.Act, org string, was, score uint32) []string {
	if was == 0 {
		return mark(a, org, score)
	}
	return []string{note(a, org, func(s *sharev1.Standing) {
		s.ScoreSum -= min(s.ScoreSum, uint64(was))
		if score == 0 {
			s.Scores -= min(s.Scores, 1)
		}
		s.ScoreSum += uint64(score)
	})}
}

func checkScore(rule string, score uint32) error {
	if score > 5 {
		return act.Refuse(fault.OutOfRange, rule, "a score of %d: 1 to 5, 0 = none", score)
	}
	return nil
}

// checkMark refuses a mark where there is nothing to be marked: only whoever asked for
// an answer, got one, and did not give it himself, says how good it was.
func checkMark(rule string, score uint32, judges bool) error {
	if score != 0 && !judges {
		return act.Refuse(fault.OutOfRange, rule, "a score is given by whoever filed it, for the answer of another, when there is one")
	}
	return checkScore(rule, score)
}

// FileFeedback says what the shared data brought. Signed by the consumer, OFFICER;
// its score counts for the provider, in the place of the one of the agreement's feedback
// before it: an agreement has one mark, the last one.
//
// NotFound, Forbidden, IllegalTransition (nothing was received), Missing, TooLong,
// Malformed (effect), OutOfRange (score).
func FileFeedback(a *act.Act, m *sharev1.FileFeedback) error {
	const rule = "share/file_feedback"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := a.NeedOrg(g.Consumer, officer); err != nil {
		return err
	}
	if !g.Given {
		return act.Refuse(fault.IllegalTransition, rule, "agreement %s: nothing was received yet", g.Id)
	}
	if err := act.First(act.Text(rule, "effect", m.Effect, maxEffect, true), checkScore(rule, m.Score)); err != nil {
		return err
	}
	before, _ := feedbacks.Get(a.Tx, numbered(g.Id, g.Feedbacks))
	g.Feedbacks++
	agreements.Put(a.Tx, g.Id, g)
	feedbacks.Put(a.Tx, numbered(g.Id, g.Feedbacks), &sharev1.Feedback{
		Agreement: g.Id, Number: g.Feedbacks, Effect: m.Effect, Cases: m.Cases, Materials: m.Materials, Score: m.Score, AtMs: a.TimeMs, By: a.Signer(),
	})
	objects := append([]string{feedbacks.Name() + "/" + numbered(g.Id, g.Feedbacks)}, agreementObjects(g)...)
	a.Emit(rule, "filed", append(objects, remark(a, g.Provider, before.GetScore(), m.Score)...)...)
	return nil
}
