package ereceipt

import (
	"bytes"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// ReimburseReceipts tells that 1 to 50 locked receipts were paid. Signed for the organisation
// that has the locks, OFFICER. All or nothing.
//
// In this order: Forbidden, Empty, TooLong; then receipt by receipt Missing, Malformed
// (handle), NotFound, LockExpired, NotLockedFirst, LockNotOwner, CodeInconsistent (another
// claim than the lock's), PeriodClosed, OutOfRange (nothing paid), SplitSum.
func ReimburseReceipts(a *act.Act, m *ereceiptv1.ReimburseReceipts) error {
	const rule = "ereceipt/reimburse_receipts"
	if err := a.NeedOrg(a.Org(), officer); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.Reimbursements), MaxBatch); err != nil {
		return err
	}
	for i, n := range m.Reimbursements {
		if err := act.In(rule, i, reimburse(a, rule, n)); err != nil {
			return err
		}
	}
	return nil
}

func reimburse(a *act.Act, rule string, n *ereceiptv1.NewReimbursement) error {
	r, err := find(a, rule, n.GetHandle())
	if err != nil {
		return err
	}
	l, err := lockOf(a, rule, r)
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(n.ClaimCommitment, l.ClaimCommitment):
		return act.Refuse(fault.CodeInconsistent, rule, "receipt %x is locked for another claim", r.Handle)
	case a.TimeMs >= r.ClosesMs:
		return act.Refuse(fault.PeriodClosed, rule, "receipt %x closed", r.Handle)
	case n.Scaled == 0:
		return act.Refuse(fault.OutOfRange, rule, "receipt %x: nothing was paid; release the lock", r.Handle)
	case n.Scaled > r.ScaledRest:
		return act.Refuse(fault.SplitSum, rule, "receipt %x: more than what is left of it", r.Handle)
	}
	dueIndex.Delete(a.Tx, dueKey(l.UntilMs, r.Handle))
	r.ScaledRest -= n.Scaled
	r.Reimbursements = append(r.Reimbursements, &ereceiptv1.Reimbursement{Org: a.Org(), ClaimCommitment: l.ClaimCommitment, Scaled: n.Scaled, AtMs: a.TimeMs})
	r.LastLock, r.Lock, r.State = nil, nil, reimbursed
	note := ""
	if n.OpenRest {
		r.State, note = partly, "open rest"
	}
	put(a, rule, note, r, "identity/account/"+a.Org())
	return nil
}

// FlushReceipt cancels a receipt, or a part of it, with a red receipt. Signed for the unit
// that issued it, OFFICER.
//
// In this order: Forbidden (level), Missing, Malformed (handle), NotFound, Forbidden (another
// unit's), RedOfRed, RedFlushed, PeriodClosed, AlreadyLocked, RedAmountExceeds,
// RedAfterReimbursed, TooLong (parts), Missing, TooLong, Malformed (reason),
// CodeRangeNotAllotted, then as [IssueReceipts] for the red receipt.
func FlushReceipt(a *act.Act, m *ereceiptv1.FlushReceipt) error {
	const rule = "ereceipt/flush_receipt"
	if err := a.Need(officer); err != nil {
		return err
	}
	r, err := find(a, rule, m.Handle)
	if err != nil {
		return err
	}
	if err := act.First(flushable(a, rule, r, m.Scaled), act.Text(rule, "reason", m.Reason, maxReason, true)); err != nil {
		return err
	}
	g, err := usable(a, rule, m.Range, 1)
	if err != nil {
		return err
	}
	red, err := issue(a, rule, g, m.Red)
	if err != nil {
		return err
	}
	red.FlushesHandle = r.Handle
	g.Issued++
	ranges.Put(a.Tx, g.Id, g)
	put(a, "ereceipt/issue_receipts", "red", red, RangeKey(g.Id))
	r.ScaledRest -= m.Scaled
	r.Flushes = append(r.Flushes, &ereceiptv1.RedFlush{RedHandle: red.Handle, Scaled: m.Scaled, AtMs: a.TimeMs, Reason: m.Reason})
	note := "part"
	if m.Scaled == 0 {
		note, r.State = "all", flushed
		if owed(r) {
			note, r.State = "pending", pending
		}
	}
	put(a, rule, note, r, Key(red.Handle))
	return nil
}

// flushable is what has to hold before a receipt is cancelled; scaled 0 is all of it.
func flushable(a *act.Act, rule string, r *ereceiptv1.EReceipt, scaled uint64) error {
	left := r.ScaledAmount
	for _, f := range r.Flushes {
		left -= f.Scaled
	}
	switch {
	case r.Unit != a.Org():
		return act.Refuse(fault.Forbidden, rule, "receipt %x is another unit's", r.Handle)
	case len(r.FlushesHandle) > 0:
		return act.Refuse(fault.RedOfRed, rule, "receipt %x is a red one", r.Handle)
	case r.State == flushed || r.State == pending:
		return act.Refuse(fault.RedFlushed, rule, "receipt %x was cancelled before", r.Handle)
	case a.TimeMs >= r.ClosesMs:
		return act.Refuse(fault.PeriodClosed, rule, "receipt %x closed", r.Handle)
	case r.State == locked:
		return act.Refuse(fault.AlreadyLocked, rule, "receipt %x is locked by %s", r.Handle, Masked(r.Lock.Org))
	case scaled > left:
		return act.Refuse(fault.RedAmountExceeds, rule, "receipt %x: more than what is left of it", r.Handle)
	case scaled > r.ScaledRest:
		return act.Refuse(fault.RedAfterReimbursed, rule, "receipt %x: a part of what was reimbursed; flush all of it", r.Handle)
	case scaled > 0 && len(r.Reimbursements)+len(r.Flushes) >= MaxParts:
		return act.Refuse(fault.TooLong, rule, "receipt %x has %d parts: flush all of it", r.Handle, MaxParts)
	}
	return nil
}

// owed reports whether somebody has paid and not told that the money came back.
func owed(r *ereceiptv1.EReceipt) bool {
	for _, p := range r.Reimbursements {
		if p.ReturnedMs == 0 {
			return true
		}
	}
	return false
}

// ReturnReimbursement tells that the money for a cancelled receipt came back. Signed for the
// organisation that had paid, OFFICER.
//
// In this order: Forbidden, Missing, Malformed (handle, claim), NotFound (receipt, payment of
// this organisation for that claim), IllegalTransition (not RED_FLUSH_PENDING, or returned).
func ReturnReimbursement(a *act.Act, m *ereceiptv1.ReturnReimbursement) error {
	const rule = "ereceipt/return_reimbursement"
	if err := a.NeedOrg(a.Org(), officer); err != nil {
		return err
	}
	r, err := find(a, rule, m.Handle)
	if err != nil {
		return err
	}
	if err := act.Hash(rule, "claim_commitment", m.ClaimCommitment, true); err != nil {
		return err
	}
	var mine *ereceiptv1.Reimbursement
	for _, p := range r.Reimbursements {
		if p.Org == a.Org() && bytes.Equal(p.ClaimCommitment, m.ClaimCommitment) && (mine == nil || mine.ReturnedMs != 0) {
			mine = p
		}
	}
	switch {
	case mine == nil:
		return act.Refuse(fault.NotFound, rule, "%s has paid nothing for receipt %x and that claim", a.Org(), r.Handle)
	case r.State != pending || mine.ReturnedMs != 0:
		return act.Refuse(fault.IllegalTransition, rule, "receipt %x is %s; the money came back at %d", r.Handle, r.State, mine.ReturnedMs)
	}
	mine.ReturnedMs = a.TimeMs
	note := "pending"
	if !owed(r) {
		r.State, note = flushed, "all"
	}
	put(a, rule, note, r, "identity/account/"+a.Org())
	return nil
}
