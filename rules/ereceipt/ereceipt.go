package ereceipt

import (
	"encoding/hex"
	"fmt"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// The tables and indexes. Their encoding is part of the chain.
var (
	ranges   = state.NewTable[ereceiptv1.CodeRange]("ereceipt/range")  // by "<code>-<first>"
	receipts = state.NewTable[ereceiptv1.EReceipt]("ereceipt/receipt") // by handle in hex

	dueIndex = state.NewIndex("ereceipt/x/due") // until, handle -> ""; locks, also those that were given up since
)

const (
	issued     = ereceiptv1.EReceiptState_E_RECEIPT_STATE_ISSUED
	supervised = ereceiptv1.EReceiptState_E_RECEIPT_STATE_SUPERVISED
	delivered  = ereceiptv1.EReceiptState_E_RECEIPT_STATE_DELIVERED
	locked     = ereceiptv1.EReceiptState_E_RECEIPT_STATE_LOCKED
	partly     = ereceiptv1.EReceiptState_E_RECEIPT_STATE_PARTLY_REIMBURSED
	reimbursed = ereceiptv1.EReceiptState_E_RECEIPT_STATE_REIMBURSED
	pending    = ereceiptv1.EReceiptState_E_RECEIPT_STATE_RED_FLUSH_PENDING
	flushed    = ereceiptv1.EReceiptState_E_RECEIPT_STATE_RED_FLUSHED

	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
)

// Key returns the key of a receipt as events and proofs name it.
func Key(handle []byte) string { return receipts.Name() + "/" + hex.EncodeToString(handle) }

// RangeKey returns the key of a code range as events and proofs name it.
func RangeKey(id string) string { return ranges.Name() + "/" + id }

// Find returns the receipt with that handle, and whether there is one. The caller owns it.
func Find(v state.View, handle []byte) (*ereceiptv1.EReceipt, bool) {
	return receipts.Get(v, hex.EncodeToString(handle))
}

// FindRange returns the code range with that id, and whether there is one.
func FindRange(v state.View, id string) (*ereceiptv1.CodeRange, bool) { return ranges.Get(v, id) }

// find returns a receipt as it counts in this block: Missing, Malformed (handle), NotFound.
func find(a *act.Act, rule string, handle []byte) (*ereceiptv1.EReceipt, error) {
	if err := act.Hash(rule, "handle", handle, true); err != nil {
		return nil, err
	}
	r, ok := Find(a.Tx, handle)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no receipt %x", handle)
	}
	open(r, a.TimeMs)
	return r, nil
}

// open takes away a lock that has run out by then, and reports whether there was one.
func open(r *ereceiptv1.EReceipt, timeMs int64) bool {
	if r.Lock == nil || timeMs < r.Lock.UntilMs {
		return false
	}
	r.LastLock, r.Lock = r.Lock, nil
	r.LastLock.Expired = true
	r.State = unlocked(r)
	return true
}

// unlocked is the state of a receipt that is neither locked, paid in full nor flushed.
func unlocked(r *ereceiptv1.EReceipt) ereceiptv1.EReceiptState {
	switch {
	case len(r.Reimbursements) > 0:
		return partly
	case r.DeliveredMs != 0:
		return delivered
	}
	return supervised
}

// put writes a receipt back and tells it. objects are further keys of the event.
func put(a *act.Act, verb, note string, r *ereceiptv1.EReceipt, objects ...string) {
	r.Version++
	receipts.Put(a.Tx, hex.EncodeToString(r.Handle), r)
	a.Emit(verb, note, append([]string{Key(r.Handle)}, objects...)...)
}

// lockOf returns the lock if it is the signer's organisation's: NotLockedFirst,
// LockExpired, LockNotOwner.
func lockOf(a *act.Act, rule string, r *ereceiptv1.EReceipt) (*ereceiptv1.ReimbursementLock, error) {
	switch last := r.LastLock; {
	case r.Lock == nil && last.GetExpired() && last.Org == a.Org():
		return nil, act.Refuse(fault.LockExpired, rule, "the lock on receipt %x ran out: lock it again", r.Handle)
	case r.Lock == nil:
		return nil, act.Refuse(fault.NotLockedFirst, rule, "receipt %x is not locked", r.Handle)
	case r.Lock.Org != a.Org():
		return nil, act.Refuse(fault.LockNotOwner, rule, "receipt %x is locked by %s", r.Handle, Masked(r.Lock.Org))
	}
	return r.Lock, nil
}

// Masked shows of an organisation's code what a stranger may see in a refusal.
func Masked(org string) string {
	if len(org) < 8 {
		return "****"
	}
	return org[:4] + "****" + org[len(org)-2:]
}

// Check returns the first breach of the invariants 2, 3, 4 and 6 that a receipt shows, or nil.
// It is for tests and audits: no verb asks it.
func Check(r *ereceiptv1.EReceipt) error {
	sum, open := r.ScaledRest, 0
	for _, p := range r.Reimbursements {
		sum += p.Scaled
		if p.ReturnedMs == 0 {
			open++
		}
	}
	for _, f := range r.Flushes {
		sum += f.Scaled
	}
	switch {
	case sum != r.ScaledAmount:
		return fmt.Errorf("rest, reimbursements and flushes are %d, the amount is %d", sum, r.ScaledAmount)
	case (r.Lock != nil) != (r.State == locked):
		return fmt.Errorf("%s with lock %v", r.State, r.Lock)
	case r.State != issued && r.SupervisedMs == 0 && r.State != flushed:
		return fmt.Errorf("%s without the finance bureau's signature", r.State)
	case r.State == flushed && open > 0:
		return fmt.Errorf("flushed, and %d reimbursements were not returned", open)
	case r.State == pending && open == 0:
		return fmt.Errorf("waits for money to come back, and nobody owes any")
	case len(r.FlushesHandle) > 0 && r.State != issued && r.State != supervised && r.State != delivered:
		return fmt.Errorf("a red receipt is %s", r.State)
	case len(r.Reimbursements)+len(r.Flushes) > MaxParts+1:
		return fmt.Errorf("%d parts", len(r.Reimbursements)+len(r.Flushes))
	}
	return nil
}
