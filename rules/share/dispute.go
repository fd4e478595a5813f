package share

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

const (
	openDispute      = sharev1.DisputeState_DISPUTE_STATE_OPEN
	decidedDispute   = sharev1.DisputeState_DISPUTE_STATE_DECIDED
	settledDispute   = sharev1.DisputeState_DISPUTE_STATE_SETTLED
	withdrawnDispute = sharev1.DisputeState_DISPUTE_STATE_WITHDRAWN

	negotiate  = sharev1.DisputeLevel_DISPUTE_LEVEL_NEGOTIATE
	authority  = sharev1.DisputeLevel_DISPUTE_LEVEL_AUTHORITY
	government = sharev1.DisputeLevel_DISPUTE_LEVEL_GOVERNMENT
)

// afterDispute lists the states that can follow each one. OPEN follows DECIDED on the
// next level.
var afterDispute = [...][]sharev1.DisputeState{
	openDispute:      {decidedDispute, settledDispute, withdrawnDispute, openDispute},
	decidedDispute:   {openDispute, settledDispute, withdrawnDispute},
	settledDispute:   nil,
	withdrawnDispute: nil,
}

// settledByClock says that nobody went higher in time.
const settledByClock = "clock"

// RaiseDispute takes a matter to the ladder of art. 25 and 27, whose first step is
// that the parties negotiate. Signed by a party of the subject, OFFICER; of an entry
// any organisation but its provider. An objection has to be answered or overdue.
//
// Forbidden (key), NotFound (subject), Forbidden (no party), IllegalTransition (the
// objection has time to be answered, or led to a dispute before), Missing, TooLong,
// Malformed (statement, evidence), AlreadyExists (an open one about the same).
func RaiseDispute(a *act.Act, m *sharev1.RaiseDispute) error {
	const rule = "share/raise_dispute"
	c, err := complain(a, rule, "dispute", m.GetSubject())
	if err != nil {
		return err
	}
	var o *sharev1.Objection
	if c.table == objections.Name() {
		o, _ = objections.Get(a.Tx, m.Subject[len(c.table)+1:])
		if o.Dispute != "" || o.State == filedObjection && a.TimeMs < o.Clock.GetDueMs() {
			return act.Refuse(fault.IllegalTransition, rule, "objection %s has time to be answered, or led to a dispute before", o.Id)
		}
	}
	if err := c.check(a, rule, "dispute", m.Statement, maxDispute, m.EvidenceHash); err != nil {
		return err
	}
	d := &sharev1.Dispute{
		Id:      newID(a, func(id string) bool { return disputes.Has(a.Tx, id) }),
		Subject: m.Subject, Claimant: a.Org(), Respondent: c.other, Statement: m.Statement, EvidenceHash: m.EvidenceHash,
		State: openDispute, Level: negotiate, CreatedMs: a.TimeMs,
	}
	d.Clock = begin(a, governancev1.Clock_CLOCK_DISPUTE, dueDispute, d.Id)
	contestedIndex.Put(a.Tx, c.open, d.Id)
	if o != nil {
		o.Dispute = d.Id
		objections.Put(a.Tx, o.Id, o)
	}
	putDispute(a, rule, d)
	return nil
}

func disputeKey(id string) string { return disputes.Name() + "/" + id }

func putDispute(a *act.Act, verb string, d *sharev1.Dispute, also ...string) {
	disputes.Put(a.Tx, d.Id, d)
	a.Emit(verb, lower(d.State), append([]string{disputeKey(d.Id), d.Subject}, also...)...)
}

func stepDispute(a *act.Act, rule, id string, to sharev1.DisputeState, need func(*sharev1.Dispute) error) (*sharev1.Dispute, error) {
	return stepOf(a, rule, "dispute", disputes, id, to, afterDispute[:], need)
}

// mayDecide: what the parties came to is recorded by the respondent; what a higher
// level decided by the AUTHORITY, which decides itself on its own level unless it is a
// party.
func mayDecide(a *act.Act, rule string, d *sharev1.Dispute) error {
	if err := a.Need(officer); err != nil {
		return err
	}
	holds := a.Has(governancev1.Role_ROLE_AUTHORITY)
	party := a.Org() == d.Claimant || a.Org() == d.Respondent
	switch {
	case d.Level == negotiate && a.Org() == d.Respondent:
	case !holds || d.Level <= authority && party:
		return act.Refuse(fault.Forbidden, rule, "%s cannot decide dispute %s on level %s", a.Signer(), d.Id, short(d.Level))
	}
	return nil
}

// DecideDispute records what the present level decided. The last level's decision is
// final; any other can be taken higher until the clock DISPUTE has run out.
//
// NotFound, Forbidden, IllegalTransition (not OPEN), VersionConflict (another level),
// Missing, TooLong, Malformed (body from the common superior on, document, text).
func DecideDispute(a *act.Act, m *sharev1.DecideDispute) error {
	const rule = "share/decide_dispute"
	d, err := stepDispute(a, rule, m.GetDispute(), decidedDispute, func(d *sharev1.Dispute) error { return mayDecide(a, rule, d) })
	if err != nil {
		return err
	}
	if m.Level != d.Level {
		return act.Refuse(fault.VersionConflict, rule, "dispute %s is on level %s", d.Id, short(d.Level))
	}
	if err := act.First(
		act.Line(rule, "body", m.Body, maxBody, d.Level > authority),
		act.Line(rule, "document", m.Document, maxFiling, d.Level > authority),
		act.Hash(rule, "document_hash", m.DocumentHash, false),
		act.Text(rule, "text", m.Text, maxDispute, true),
	); err != nil {
		return err
	}
	d.Decisions = append(d.Decisions, &sharev1.DisputeDecision{
		Level: d.Level, Body: m.Body, Document: m.Document, DocumentHash: m.DocumentHash, Text: m.Text, Upheld: m.Upheld, By: a.Signer(), AtMs: a.TimeMs,
	})
	if d.Level == government {
		settleDispute(a, d, a.Signer())
	} else {
		stop(a, d.Clock)
		d.Clock = begin(a, governancev1.Clock_CLOCK_DISPUTE, dueDispute, d.Id)
		d.State = decidedDispute
	}
	putDispute(a, rule, d)
	return nil
}

// settleDispute ends it. The caller stores it.
func settleDispute(a *act.Act, d *sharev1.Dispute, by string) {
	stop(a, d.Clock)
	contestedIndex.Delete(a.Tx, key("dispute", d.Subject, d.Claimant))
	d.State, d.SettledMs, d.SettledBy = settledDispute, a.TimeMs, by
}

// EscalateDispute takes it to the next level. Signed by either party, OFFICER, after
// a decision, or when the level has not decided in its time.
//
// NotFound, Forbidden, IllegalTransition (settled, on the last level, or the level has
// time to decide), Missing, TooLong, Malformed (cause).
func EscalateDispute(a *act.Act, m *sharev1.EscalateDispute) error {
	const rule = "share/escalate_dispute"
	d, err := stepDispute(a, rule, m.GetDispute(), openDispute, func(d *sharev1.Dispute) error {
		if a.Org() == "" || a.Org() != d.Claimant && a.Org() != d.Respondent {
			return act.Refuse(fault.Forbidden, rule, "%s is no party of dispute %s", a.Signer(), d.Id)
		}
		return a.Need(officer)
	})
	switch {
	case err != nil:
		return err
	case d.Level == government:
		return act.Refuse(fault.IllegalTransition, rule, "dispute %s is on the last level", d.Id)
	case d.State == openDispute && a.TimeMs < d.Clock.GetDueMs():
		return act.Refuse(fault.IllegalTransition, rule, "dispute %s: level %s has time to decide", d.Id, short(d.Level))
	}
	if err := act.Text(rule, "cause", m.Cause, maxReason, true); err != nil {
		return err
	}
	stop(a, d.Clock)
	d.Level++
	d.State, d.EscalatedBy, d.Cause = openDispute, a.Org(), m.Cause
	d.Clock = begin(a, governancev1.Clock_CLOCK_DISPUTE, dueDispute, d.Id)
	putDispute(a, rule, d)
	return nil
}

// SettleDispute accepts the decision: what the parties came to, the claimant; any
// other, the side that it went against. Or the claimant withdraws. OFFICER.
//
// NotFound, Forbidden, IllegalTransition (nothing is decided, or settled), Missing,
// TooLong, Malformed (cause of a withdrawal).
func SettleDispute(a *act.Act, m *sharev1.SettleDispute) error {
	const rule = "share/settle_dispute"
	to := settledDispute
	if m.GetWithdraw() {
		to = withdrawnDispute
	}
	d, err := stepDispute(a, rule, m.GetDispute(), to, func(d *sharev1.Dispute) error {
		who := d.Claimant
		if n := len(d.Decisions); !m.Withdraw && n > 0 && d.Level > negotiate && d.Decisions[n-1].Upheld {
			who = d.Respondent
		}
		return a.NeedOrg(who, officer)
	})
	if err != nil {
		return err
	}
	if !m.Withdraw && d.State != decidedDispute {
		return illegal(rule, "dispute", d.Id, d.State, to, []sharev1.DisputeState{decidedDispute, withdrawnDispute})
	}
	if err := act.Text(rule, "cause", m.Cause, maxReason, m.Withdraw); err != nil {
		return err
	}
	settleDispute(a, d, a.Signer())
	d.State = to
	if m.Cause != "" {
		d.Cause = m.Cause
	}
	putDispute(a, rule, d)
	return nil
}

// disputeDue: a level that has not decided is overdue and can be left; a decision
// that nobody took higher is final.
func disputeDue(a *act.Act, due, id string) {
	d, ok := disputes.Get(a.Tx, id)
	if !ok || !ranOut(d.Clock, due) {
		return
	}
	if d.State == decidedDispute {
		d.Clock.Overdue = false
		settleDispute(a, d, settledByClock)
		putDispute(a, "share/settle_dispute", d)
		return
	}
	disputes.Put(a.Tx, id, d)
	objects := []string{disputeKey(id), d.Subject}
	if d.Level == negotiate {
		objects = append(objects, note(a, d.Respondent, func(s *sharev1.Standing) { s.LateDisputes++ }))
	}
	a.Emit("share/overdue", clockName(d.Clock), objects...)
}
