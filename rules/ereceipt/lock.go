package ereceipt

import (
	"bytes"
	"encoding/hex"
	"strings"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
	"mulian/internal/sm"
	"mulian/rules/act"
	"mulian/state"
)

// LockReceipts locks 1 to 50 receipts for the signer's organisation, MACHINE: the
// compare-and-set on which it rests that nothing is reimbursed twice. All or nothing.
//
// In this order: Forbidden (level, no organisation), Empty, TooLong; then receipt by receipt
// Missing, Malformed (handle, claim), NotFound, OutOfRange (until), RedOfRed, RedFlushed,
// SuperviseMissing, PeriodClosed, ReimbursedElsewhere, AlreadyLocked (also by the signer's
// own organisation), CheckCodeBad, AmountMismatch, PayerMismatch, HoldingUnproved, SplitSum
// (no room for one more part, or nothing is left).
func LockReceipts(a *act.Act, m *ereceiptv1.LockReceipts) error {
	const rule = "ereceipt/lock_receipts"
	if err := a.NeedOrg(a.Org(), machine); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.Locks), MaxBatch); err != nil {
		return err
	}
	for i, l := range m.Locks {
		if err := act.In(rule, i, lock(a, rule, l)); err != nil {
			return err
		}
	}
	return nil
}

func lock(a *act.Act, rule string, l *ereceiptv1.NewLock) error {
	r, err := find(a, rule, l.GetHandle())
	if err != nil {
		return err
	}
	if err := act.Hash(rule, "claim_commitment", l.ClaimCommitment, true); err != nil {
		return err
	}
	if l.UntilMs <= a.TimeMs || l.UntilMs > a.TimeMs+MaxLockMs {
		return act.Refuse(fault.OutOfRange, rule, "until_ms: within 30 days from now")
	}
	if err := act.First(lockable(a, rule, r), fits(a, rule, r, l)); err != nil {
		return err
	}
	if r.ScaledRest == 0 || len(r.Reimbursements)+len(r.Flushes) >= MaxParts {
		return act.Refuse(fault.SplitSum, rule, "nothing is left of receipt %x", r.Handle)
	}
	r.State = locked
	r.Lock = &ereceiptv1.ReimbursementLock{
		Org: a.Org(), ClaimCommitment: l.ClaimCommitment, UntilMs: l.UntilMs, AtMs: a.TimeMs, Height: a.Height, By: a.Signer(),
	}
	dueIndex.Put(a.Tx, dueKey(l.UntilMs, r.Handle), "")
	put(a, rule, "", r, "identity/account/"+a.Org())
	return nil
}

// lockable is the compare of the compare-and-set: nobody has it, and somebody may.
func lockable(a *act.Act, rule string, r *ereceiptv1.EReceipt) error {
	switch {
	case len(r.FlushesHandle) > 0:
		return act.Refuse(fault.RedOfRed, rule, "receipt %x is a red one", r.Handle)
	case r.State == flushed || r.State == pending:
		return act.Refuse(fault.RedFlushed, rule, "receipt %x was cancelled", r.Handle)
	case r.State == issued:
		return act.Refuse(fault.SuperviseMissing, rule, "receipt %x: the finance bureau has not signed", r.Handle)
	case a.TimeMs >= r.ClosesMs:
		return act.Refuse(fault.PeriodClosed, rule, "receipt %x closed", r.Handle)
	case r.State == reimbursed:
		return act.Refuse(fault.ReimbursedElsewhere, rule, "receipt %x was reimbursed", r.Handle)
	case r.State == locked:
		return act.Refuse(fault.AlreadyLocked, rule, "receipt %x is locked by %s", r.Handle, Masked(r.Lock.Org))
	}
	return nil
}

// fits compares what the claimant reads in the document with what was issued, and checks
// that he has the document.
func fits(a *act.Act, rule string, r *ereceiptv1.EReceipt, l *ereceiptv1.NewLock) error {
	switch {
	case !bytes.Equal(l.CheckCommitment, r.CheckCommitment):
		return act.Refuse(fault.CheckCodeBad, rule, "receipt %x has another check code", r.Handle)
	case l.ScaledAmount != r.ScaledAmount:
		return act.Refuse(fault.AmountMismatch, rule, "receipt %x has another amount", r.Handle)
	case !bytes.Equal(l.PayerCommitment, r.PayerCommitment):
		return act.Refuse(fault.PayerMismatch, rule, "receipt %x has another payer", r.Handle)
	}
	holder, err := sm.ParsePublic(sm.SM2, r.HoldingKey)
	if err != nil || !holder.Verify(fiscal.HoldStatement(a.ChainID, a.Org(), r.Handle, l.ClaimCommitment, l.UntilMs), l.HoldingSignature) {
		return act.Refuse(fault.HoldingUnproved, rule, "receipt %x: the signature of its holder for %s, this claim and term does not hold", r.Handle, a.Org())
	}
	return nil
}

// ReleaseReceipts gives up 1 to 50 locks of the signer's organisation, MACHINE. All or nothing.
//
// In this order: Forbidden, Empty, TooLong; then receipt by receipt Missing, Malformed
// (handle), NotFound, LockExpired, NotLockedFirst, LockNotOwner.
func ReleaseReceipts(a *act.Act, m *ereceiptv1.ReleaseReceipts) error {
	const rule = "ereceipt/release_receipts"
	if err := a.NeedOrg(a.Org(), machine); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.Handles), MaxBatch); err != nil {
		return err
	}
	for i, h := range m.Handles {
		if err := act.In(rule, i, release(a, rule, h)); err != nil {
			return err
		}
	}
	return nil
}

func release(a *act.Act, rule string, handle []byte) error {
	r, err := find(a, rule, handle)
	if err != nil {
		return err
	}
	l, err := lockOf(a, rule, r)
	if err != nil {
		return err
	}
	dueIndex.Delete(a.Tx, dueKey(l.UntilMs, r.Handle))
	r.LastLock, r.Lock = l, nil
	r.State = unlocked(r)
	put(a, rule, "", r, "identity/account/"+a.Org())
	return nil
}

func dueKey(untilMs int64, handle []byte) string {
	return state.Ordered(untilMs) + "\x00" + hex.EncodeToString(handle)
}

// End opens locks that have run out by this block, at most [MaxDuePerBlock], the oldest
// first ("ereceipt/lock_expired"). One that waits for a later block counts as open already.
func End(a *act.Act) {
	for k := range a.Due(dueIndex, MaxDuePerBlock) {
		_, handle, _ := strings.Cut(k, "\x00")
		if r, ok := receipts.Get(a.Tx, handle); ok && open(r, a.TimeMs) {
			put(a, "ereceipt/lock_expired", "", r, "identity/account/"+r.LastLock.Org)
		}
	}
}
