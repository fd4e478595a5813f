package share

import (
	"encoding/hex"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
)

const (
	filedCorrection     = sharev1.CorrectionState_CORRECTION_STATE_FILED
	acknowledged        = sharev1.CorrectionState_CORRECTION_STATE_ACKNOWLEDGED
	confirmedCorrection = sharev1.CorrectionState_CORRECTION_STATE_CONFIRMED
	rejected            = sharev1.CorrectionState_CORRECTION_STATE_REJECTED
	corrected           = sharev1.CorrectionState_CORRECTION_STATE_CORRECTED
	fannedOut           = sharev1.CorrectionState_CORRECTION_STATE_FANNED_OUT
	closedCorrection    = sharev1.CorrectionState_CORRECTION_STATE_CLOSED
)

// afterCorrection lists the states that can follow each one.
var afterCorrection = [...][]sharev1.CorrectionState{
	filedCorrection:     {acknowledged, confirmedCorrection, rejected, closedCorrection},
	acknowledged:        {confirmedCorrection, rejected, closedCorrection},
	confirmedCorrection: {corrected, closedCorrection},
	rejected:            {closedCorrection},
	corrected:           {fannedOut},
	fannedOut:           {closedCorrection},
	closedCorrection:    nil,
}

// FileCorrection says that a value of an entry is wrong (art. 26). Signed for any
// organisation, OFFICER: one that holds the data, the source, or the one that the
// owner asked. The row is named by a salted pseudonym; whoever filed gives salt and
// evidence to the provider outside the ledger. The provider has the clock CORRECTION.
//
// Forbidden, NotFound (entry), FieldNotGranted (item), Malformed (row), Missing,
// TooLong, Malformed (statement, evidence), AlreadyExists (the same is open).
func FileCorrection(a *act.Act, m *sharev1.FileCorrection) error {
	const rule = "share/file_correction"
	if err := a.NeedOrg(a.Org(), officer); err != nil {
		return err
	}
	e, ok := catalogue.FindEntry(a.Tx, m.GetEntry())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no entry %.80q", m.GetEntry())
	}
	known := m.Item == ""
	for _, it := range e.Items {
		known = known || it.Code == m.Item
	}
	if !known {
		return act.Refuse(fault.FieldNotGranted, rule, "entry %s has no item %.80q", e.Id, m.Item)
	}
	if err := act.First(
		act.Hash(rule, "row", m.Row, false),
		act.Text(rule, "statement", m.Statement, maxStatement, true),
		act.Hash(rule, "evidence_hash", m.EvidenceHash, false),
	); err != nil {
		return err
	}
	c := &sharev1.Correction{
		Entry: e.Id, EntryVersion: e.Version, Item: m.Item, Row: m.Row, Statement: m.Statement, EvidenceHash: m.EvidenceHash,
		FiledBy: a.Org(), Account: a.Signer(), Provider: e.Provider, State: filedCorrection, CreatedMs: a.TimeMs,
	}
	open := pointer(c)
	if other, taken := pointedIndex.Get(a.Tx, open); taken {
		return act.Refuse(fault.AlreadyExists, rule, "correction %s points at the same and is not answered", other)
	}
	c.Id = newID(a, func(id string) bool { return corrections.Has(a.Tx, id) })
	c.Clock = begin(a, governancev1.Clock_CLOCK_CORRECTION, dueCorrection, c.Id)
	pointedIndex.Put(a.Tx, open, c.Id)
	putCorrection(a, rule, c)
	return nil
}

// pointer is where an open correction is kept by what it points at.
func pointer(c *sharev1.Correction) string {
	return key(c.Entry, c.Item, hex.EncodeToString(c.Row))
}

// answered lets another correction point at the same.
func answered(a *act.Act, c *sharev1.Correction) {
	stop(a, c.Clock)
	if id, _ := pointedIndex.Get(a.Tx, pointer(c)); id == c.Id {
		pointedIndex.Delete(a.Tx, pointer(c))
	}
}

func correctionKey(id string) string { return corrections.Name() + "/" + id }

// putCorrection stores a correction and logs its state.
func putCorrection(a *act.Act, verb string, c *sharev1.Correction, also ...string) {
	corrections.Put(a.Tx, c.Id, c)
	a.Emit(verb, lower(c.State), append([]string{correctionKey(c.Id), entryKey(c.Entry)}, also...)...)
}

func stepCorrection(a *act.Act, rule, id string, to sharev1.CorrectionState, need func(*sharev1.Correction) error) (*sharev1.Correction, error) {
	return stepOf(a, rule, "correction", corrections, id, to, afterCorrection[:], need)
}

// AnswerCorrection acknowledges it, confirms that the value is wrong, or rejects it
// with a reason. Signed by the provider, or the AUTHORITY in its place, OFFICER.
//
// NotFound, Forbidden, OutOfRange (no such answer), IllegalTransition,
// RefusalNeedsReason, TooLong, Malformed (reason).
func AnswerCorrection(a *act.Act, m *sharev1.AnswerCorrection) error {
	const rule = "share/answer_correction"
	c, err := stepCorrection(a, rule, m.GetCorrection(), m.GetAnswer(), func(c *sharev1.Correction) error {
		if err := partyOrAuthority(a, rule, c.Provider); err != nil {
			return err
		}
		if m.Answer != acknowledged && m.Answer != confirmedCorrection && m.Answer != rejected {
			return act.Refuse(fault.OutOfRange, rule, "answer: ACKNOWLEDGED, CONFIRMED or REJECTED")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if m.Answer == rejected && m.Reason == "" {
		return act.Refuse(fault.RefusalNeedsReason, rule, "a correction is rejected with a reason")
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, false); err != nil {
		return err
	}
	c.State, c.Reason, c.AnsweredBy = m.Answer, m.Reason, a.Signer()
	if m.Answer == rejected {
		answered(a, c)
	}
	putCorrection(a, rule, c)
	return nil
}

// CompleteCorrection says that the source is put right. Signed for the provider by
// any of its accounts, its gateway included. The ledger then tells every agreement
// that holds rows of the entry, MaxToldPerBlock in each block.
//
// NotFound, Forbidden, IllegalTransition (not CONFIRMED), Missing, TooLong, Malformed
// (note).
func CompleteCorrection(a *act.Act, m *sharev1.CompleteCorrection) error {
	const rule = "share/complete_correction"
	c, err := stepCorrection(a, rule, m.GetCorrection(), corrected, func(c *sharev1.Correction) error { return a.NeedOrg(c.Provider, machine) })
	if err != nil {
		return err
	}
	if err := act.First(act.Text(rule, "note", m.Note, maxStatement, true), act.Hash(rule, "note_hash", m.NoteHash, false)); err != nil {
		return err
	}
	answered(a, c)
	c.State, c.Note, c.NoteHash, c.CorrectedMs = corrected, m.Note, m.NoteHash, a.TimeMs
	queue(a, a.TimeMs, dueHolders, c.Id)
	putCorrection(a, rule, c)
	return nil
}

// CloseCorrection ends it. Whoever filed it withdraws it before it is confirmed, or
// says at the end whether it solved his case; the AUTHORITY closes it in any state but
// CORRECTED, which the ledger itself leaves.
//
// NotFound, Forbidden, IllegalTransition (not yet; holders have not applied it),
// OutOfRange (score, or one where nothing was answered), TooLong, Malformed (feedback).
//
// A mark counts for the provider only if it is the filer's, who is another, and an answer
// was there to be judged.
func CloseCorrection(a *act.Act, m *sharev1.CloseCorrection) error {
	const rule = "share/close_correction"
	authority := a.Has(governancev1.Role_ROLE_AUTHORITY)
	c, err := stepCorrection(a, rule, m.GetCorrection(), closedCorrection, func(c *sharev1.Correction) error {
		return partyOrAuthority(a, rule, c.FiledBy)
	})
	switch {
	case err != nil:
		return err
	case c.State == confirmedCorrection && !authority:
		return illegal(rule, "correction", c.Id, c.State, closedCorrection, []sharev1.CorrectionState{corrected})
	case c.State == fannedOut && c.Applied < c.Holders && !authority:
		return act.Refuse(fault.IllegalTransition, rule, "correction %s: %d of %d holders have put it right", c.Id, c.Applied, c.Holders)
	}
	judged := a.Org() == c.FiledBy && c.FiledBy != c.Provider && c.State != filedCorrection && c.State != acknowledged
	if err := act.First(checkMark(rule, m.Score, judged), act.Text(rule, "feedback", m.Feedback, maxEffect, false)); err != nil {
		return err
	}
	answered(a, c)
	c.State, c.ClosedMs, c.ClosedBy, c.Solved, c.Score, c.Feedback = closedCorrection, a.TimeMs, a.Signer(), m.Solved, m.Score, m.Feedback
	putCorrection(a, rule, c, mark(a, c.Provider, m.Score)...)
	return nil
}

// correctionDue marks a correction that was not answered or made in time.
func correctionDue(a *act.Act, due, id string) {
	c, ok := corrections.Get(a.Tx, id)
	if !ok || !ranOut(c.Clock, due) {
		return
	}
	corrections.Put(a.Tx, id, c)
	standing := note(a, c.Provider, func(s *sharev1.Standing) { s.LateCorrections++ })
	a.Emit("share/overdue", clockName(c.Clock), correctionKey(id), entryKey(c.Entry), standing)
}
