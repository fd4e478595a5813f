package recovery

import (
	"slices"

	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// VetoRecovery stops an attempt on the signer's account; any key of it. By a key that was
// reported lost it does not: nobody can tell the thief from the holder, so the account is
// frozen and a person has to look.
//
// NotFound; Forbidden; IllegalTransition (not Open or Locked); TooLong, Malformed (cause).
func VetoRecovery(a *act.Act, m *recoveryv1.VetoRecovery) error {
	const rule = "recovery/veto_recovery"
	r, err := attempt(a.Tx, rule, m.Recovery)
	if err != nil {
		return err
	}
	if a.Signer() != r.Account {
		return act.Refuse(fault.Forbidden, rule, "it is the keys of %s that veto", r.Account)
	}
	if r.State != open && r.State != locked {
		return wrongState(rule, r)
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, false); err != nil {
		return err
	}
	r.Cause, r.VetoKey = m.Cause, a.Key.GetId()
	if a.Key.GetLostMs() == 0 {
		finish(a, rule, r, vetoed, fault.OK)
		return nil
	}
	r.State, r.Code, r.DueMs = review, uint32(fault.VetoByLostKey), a.TimeMs+reviewHours*hourMs
	due(a, r.DueMs, dueAttempt, r.Id)
	identity.Hold(a.Tx, r.Account, "veto_by_lost_key")
	keep(a, "recovery/frozen", r)
	return nil
}

// CancelRecovery ends an attempt that the signer has opened.
//
// NotFound; Forbidden; IllegalTransition (not Open or Locked); Missing, TooLong, Malformed
// (cause).
func CancelRecovery(a *act.Act, m *recoveryv1.CancelRecovery) error {
	const rule = "recovery/cancel_recovery"
	r, err := attempt(a.Tx, rule, m.Recovery)
	if err != nil {
		return err
	}
	if a.Signer() != r.Approvals[0].By {
		return act.Refuse(fault.Forbidden, rule, "%s has opened it", r.Approvals[0].By)
	}
	if err := a.Need(officer); err != nil {
		return err
	}
	if r.State != open && r.State != locked {
		return wrongState(rule, r)
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, true); err != nil {
		return err
	}
	r.Cause = m.Cause
	finish(a, rule, r, cancelled, fault.OK)
	return nil
}

// ReviewRecovery decides about a veto by a lost key. Two officers of different desks say
// the same, one after the other: it goes on, with a new lock or, if not all have vouched, with
// new time for them; or it ends and the key that vetoed counts as found.
//
// NotFound; Forbidden (no role, no desk; his desk has vouched or reviewed);
// IllegalTransition (not in review); Missing, TooLong, Malformed (cause);
// CodeInconsistent (the first has said otherwise).
func ReviewRecovery(a *act.Act, m *recoveryv1.ReviewRecovery) error {
	const rule = "recovery/review_recovery"
	r, err := attempt(a.Tx, rule, m.Recovery)
	if err != nil {
		return err
	}
	desk, err := NeedDesk(a, rule)
	if err != nil {
		return err
	}
	if r.ReviewDesk == desk || slices.ContainsFunc(r.Approvals, func(x *recoveryv1.RecoveryApproval) bool { return x.Desk == desk }) {
		return act.Refuse(fault.Forbidden, rule, "the desk %s has signed already: it takes an officer of another one", desk)
	}
	if r.State != review {
		return wrongState(rule, r)
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, true); err != nil {
		return err
	}
	if len(r.Reviewers) > 0 && r.ReviewProceeds != m.Proceed {
		return act.Refuse(fault.CodeInconsistent, rule, "%s has said otherwise", r.Reviewers[0])
	}
	r.Reviewers, r.ReviewDesk, r.ReviewProceeds, r.Cause = append(r.Reviewers, a.Signer()), desk, m.Proceed, m.Cause
	switch {
	case len(r.Reviewers) < 2:
		keep(a, rule, r)
	case m.Proceed: // who still has to vouch is not spared it
		proceed(a, r)
		keep(a, rule, r)
	default:
		identity.MarkLost(a.Tx, r.Account, r.VetoKey, 0)
		finish(a, rule, r, vetoed, fault.OK)
	}
	return nil
}

// lostKey is the key of lostAt: which desk has reported the loss, "" = the holder.
func lostKey(account, key string) string { return account + "/" + key }

// ReportKey says that a key is lost, or found again.
//
// NotFound, OutOfRange (account); NotFound (key); Forbidden (who reports a loss: the
// account, or an officer with a desk; who finds: another key of the account, ROOT, or an
// officer of another desk than the one that reported it); TooLong, Malformed (cause);
// IllegalTransition (revoked, or said already).
func ReportKey(a *act.Act, m *recoveryv1.ReportKey) error {
	const rule = "recovery/report_key"
	acc, err := holder(a.Tx, rule, m.Account)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(acc.Keys, func(k *identityv1.Key) bool { return k.Id == m.Key })
	if at < 0 {
		return act.Refuse(fault.NotFound, rule, "%s has no key %.40q", acc.Id, m.Key)
	}
	k := acc.Keys[at]
	desk := ""
	switch {
	case a.Signer() != acc.Id:
		if desk, err = NeedDesk(a, rule); err != nil {
			return err
		}
		if was, _ := lostAt.Get(a.Tx, lostKey(acc.Id, k.Id)); m.Found && was == desk {
			return act.Refuse(fault.Forbidden, rule, "the desk %s has reported the loss: it takes an officer of another one", desk)
		}
	case m.Found && a.Key.GetId() == k.Id:
		return act.Refuse(fault.Forbidden, rule, "a lost key does not find itself")
	case m.Found:
		if err := a.Need(root); err != nil {
			return err
		}
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, false); err != nil {
		return err
	}
	if k.State != identityv1.KeyState_KEY_STATE_ACTIVE || (k.LostMs == 0) == m.Found {
		return act.Refuse(fault.IllegalTransition, rule, "key %s is revoked, or this was said already", k.Id)
	}
	note, since := "lost", a.TimeMs
	if m.Found {
		note, since = "found", 0
		lostAt.Delete(a.Tx, lostKey(acc.Id, k.Id))
	} else {
		lostAt.Put(a.Tx, lostKey(acc.Id, k.Id), desk)
	}
	identity.MarkLost(a.Tx, acc.Id, k.Id, since)
	a.Emit(rule, note+" "+k.Id, accountKey(acc.Id))
	return nil
}

// RecordDeath freezes the account of a holder who has died, and ends a recovery of it; or
// undoes this.
//
// NotFound, OutOfRange (account); Forbidden (no role, no desk; undone by the desk that
// recorded it); Missing, Malformed (evidence); IllegalTransition (said already).
func RecordDeath(a *act.Act, m *recoveryv1.RecordDeath) error {
	const rule = "recovery/record_death"
	acc, err := holder(a.Tx, rule, m.Account)
	if err != nil {
		return err
	}
	desk, err := NeedDesk(a, rule)
	if err != nil {
		return err
	}
	d, ok := deaths.Get(a.Tx, acc.Id)
	if m.Withdrawn && d.GetDesk() == desk {
		return act.Refuse(fault.Forbidden, rule, "the desk %s has recorded it: it takes an officer of another one", desk)
	}
	if err := act.Hash(rule, "evidence", m.Evidence, true); err != nil {
		return err
	}
	if (ok && !d.Withdrawn) != m.Withdrawn {
		return act.Refuse(fault.IllegalTransition, rule, "this is how it stands already")
	}
	note := "recorded"
	if m.Withdrawn {
		note, d.Withdrawn, d.WithdrawnBy = "withdrawn", true, a.Signer()
		identity.LetGo(a.Tx, acc.Id)
	} else {
		if id, busy := running.Get(a.Tx, acc.Id); busy {
			r, _ := recoveries.Get(a.Tx, id)
			finish(a, "recovery/ended_by_death", r, cancelled, fault.Deceased)
		}
		d = &recoveryv1.Death{Account: acc.Id, Evidence: m.Evidence, By: a.Signer(), Desk: desk, AtMs: a.TimeMs}
		identity.Hold(a.Tx, acc.Id, "deceased")
	}
	deaths.Put(a.Tx, acc.Id, d)
	a.Emit(rule, note, deaths.Name()+"/"+acc.Id, accountKey(acc.Id))
	return nil
}
