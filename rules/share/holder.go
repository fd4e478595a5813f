package share

import (
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// tellHolders tells the agreements that hold rows of a corrected entry, from the one
// that cursor names on, at most budget of them. It returns how many it told, and goes
// on in the next block if it did not get to the end.
func tellHolders(a *act.Act, due, id, cursor string, budget int) int {
	c, ok := corrections.Get(a.Tx, id)
	if !ok || c.State != corrected {
		return 0
	}
	prefix := key(c.Entry, "")
	var found []string
	next := ""
	heldIndex.Range(a.Tx, prefix, prefix+cursor, func(k, _ string) bool {
		agreement := strings.TrimPrefix(k, prefix)
		if len(found) == budget {
			next = agreement
			return false
		}
		found = append(found, agreement)
		return true
	})
	for _, agreement := range found {
		tell(a, c, agreement)
	}
	if next != "" || budget == 0 {
		dueIndex.Put(a.Tx, key(due, dueHolders, id), max(next, cursor))
		corrections.Put(a.Tx, id, c)
		return len(found)
	}
	c.State = fannedOut
	putCorrection(a, "share/fan_out", c)
	return len(found)
}

// tell makes the record of one holder. The caller stores the correction.
func tell(a *act.Act, c *sharev1.Correction, agreement string) {
	g, ok := agreements.Get(a.Tx, agreement)
	if !ok || g.State == disposed {
		return
	}
	h := &sharev1.Holder{Correction: c.Id, Agreement: g.Id, Consumer: g.Consumer}
	h.Clock = begin(a, governancev1.Clock_CLOCK_CORRECTION, dueHolder, holderID(c.Id, g.Id))
	c.Holders++
	a.Emit("share/fan_out", "told", putHolder(a, h), correctionKey(c.Id), agreementKey(g.Id), entryKey(c.Entry))
}

func holderID(correction, agreement string) string { return correction + "/" + agreement }

// putHolder stores a holder and returns its key as events name it.
func putHolder(a *act.Act, h *sharev1.Holder) string {
	id := holderID(h.Correction, h.Agreement)
	holders.Put(a.Tx, id, h)
	return holders.Name() + "/" + id
}

// ApplyCorrection says that the copy is put right, too. Signed for the holder by any
// of its accounts, its gateway included; late is possible, also once it is closed.
//
// NotFound, Forbidden, IllegalTransition (applied before), TooLong, Malformed (note).
func ApplyCorrection(a *act.Act, m *sharev1.ApplyCorrection) error {
	const rule = "share/apply_correction"
	h, ok := holders.Get(a.Tx, holderID(m.GetCorrection(), m.GetAgreement()))
	if !ok {
		return act.Refuse(fault.NotFound, rule, "agreement %.40q was not told of correction %.40q", m.GetAgreement(), m.GetCorrection())
	}
	if err := a.NeedOrg(h.Consumer, machine); err != nil {
		return err
	}
	if h.Applied {
		return act.Refuse(fault.IllegalTransition, rule, "correction %s: agreement %s has put it right", h.Correction, h.Agreement)
	}
	if err := act.Text(rule, "note", m.Note, maxMissing, false); err != nil {
		return err
	}
	stop(a, h.Clock)
	h.Applied, h.AppliedMs, h.Note, h.By = true, a.TimeMs, m.Note, a.Signer()
	c, _ := corrections.Get(a.Tx, h.Correction)
	c.Applied++
	corrections.Put(a.Tx, c.Id, c)
	a.Emit(rule, "applied", putHolder(a, h), correctionKey(c.Id), agreementKey(h.Agreement), entryKey(c.Entry))
	return nil
}

// holderDue marks a holder that has not put its copy right in time.
func holderDue(a *act.Act, due, id string) {
	h, ok := holders.Get(a.Tx, id)
	if !ok || !ranOut(h.Clock, due) {
		return
	}
	standing := note(a, h.Consumer, func(s *sharev1.Standing) { s.LateCorrections++ })
	a.Emit("share/overdue", clockName(h.Clock), putHolder(a, h), correctionKey(h.Correction), agreementKey(h.Agreement), standing)
}
