package catalogue

import (
	"slices"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// LockEntries locks published entries on their content and on the schema of their
// table: from now on they change only with the signatures of all counter-signers.
// Signed by the provider, OFFICER. All or nothing. To lock again with the same
// counter-signers is no change.
//
// Empty, TooLong (entries, then counter-signers), Duplicate, NotFound
// (counter-signers), then element by element NotFound, Forbidden, CodeInconsistent
// (the provider as its own counter-signer), LockHeld (locked with others),
// IllegalTransition (not PUBLISHED).
func LockEntries(a *act.Act, m *cataloguev1.LockEntries) error {
	const rule = "catalogue/lock_entries"
	if err := act.Count(rule, len(m.GetEntries()), MaxEntries); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.GetCounterSigners()), MaxCounterSigners); err != nil {
		return err
	}
	signers := slices.Sorted(slices.Values(m.CounterSigners))
	for i, org := range signers {
		if i > 0 && signers[i-1] == org {
			return act.Refuse(fault.Duplicate, rule, "counter-signer %.40q stands twice", org)
		}
		if _, ok := identity.Org(a.Tx, org); !ok {
			return act.Refuse(fault.NotFound, rule, "counter-signer %.40q is not on board", org)
		}
	}
	for i, id := range m.Entries {
		if err := act.In(rule, i, lock(a, rule, id, signers)); err != nil {
			return err
		}
	}
	return nil
}

func lock(a *act.Act, rule, id string, signers []string) error {
	e, err := ownEntry(a, rule, id)
	switch {
	case err != nil:
		return err
	case slices.Contains(signers, e.Provider):
		return act.Refuse(fault.CodeInconsistent, rule, "entry %s: %s cannot counter-sign its own entry", id, e.Provider)
	case e.Lock != nil && slices.Equal(e.Lock.CounterSigners, signers):
		return nil
	case e.Lock != nil:
		return act.Refuse(fault.LockHeld, rule, "entry %s is locked with %v", id, e.Lock.CounterSigners)
	case e.State != statePublished:
		return act.Refuse(fault.IllegalTransition, rule, "entry %s is %s; only a published entry can be locked", id, e.State)
	}
	t, _ := tables.Get(a.Tx, e.Table)
	e.Lock = &cataloguev1.Lock{CounterSigners: signers, Version: e.Version, SchemaHash: t.GetSchemaHash(), SinceMs: a.TimeMs, By: a.Signer()}
	entries.Put(a.Tx, id, e)
	emitEntry(a, rule, e)
	return nil
}

// UnlockEntry asks to remove the lock, which needs the same signatures as any
// change of the entry. Signed by the provider, OFFICER. To ask twice is no change.
//
// NotFound, Forbidden, IllegalTransition (not locked, or another change waits).
func UnlockEntry(a *act.Act, m *cataloguev1.UnlockEntry) error {
	const rule = "catalogue/unlock_entry"
	e, err := ownEntry(a, rule, m.GetEntry())
	if err != nil {
		return err
	}
	waiting, waits := pendings.Get(a.Tx, e.Id)
	switch {
	case e.Lock == nil:
		return act.Refuse(fault.IllegalTransition, rule, "entry %s is not locked", e.Id)
	case waits && waiting.Unlock:
		return nil
	case waits:
		return act.Refuse(fault.IllegalTransition, rule, "a change of entry %s waits already", e.Id)
	}
	p := &cataloguev1.PendingChange{Entry: e.Id, Next: content(e), Unlock: true, Needed: e.Lock.CounterSigners}
	sealPending(a.Tx, p, e)
	if err := putPending(a, rule, p, e); err != nil {
		return err
	}
	emitEntry(a, rule, e, pendingKey(e.Id))
	return nil
}

// WithdrawEntry ends an entry; its history stays, its id is never used again, its
// name is free. Signed by the provider, OFFICER.
//
// NotFound, Forbidden, IllegalTransition (withdrawn before), LockHeld,
// RefusalNeedsReason, TooLong.
func WithdrawEntry(a *act.Act, m *cataloguev1.WithdrawEntry) error {
	const rule = "catalogue/withdraw_entry"
	e, err := ownEntry(a, rule, m.GetEntry())
	switch {
	case err != nil:
		return err
	case e.State == stateWithdrawn:
		return act.Refuse(fault.IllegalTransition, rule, "entry %s is withdrawn", e.Id)
	case e.Lock != nil:
		return act.Refuse(fault.LockHeld, rule, "entry %s is locked with %v; unlock it first", e.Id, e.Lock.CounterSigners)
	case m.Reason == "":
		return act.Refuse(fault.RefusalNeedsReason, rule, "an entry is withdrawn with a reason")
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, true); err != nil {
		return err
	}
	objects := []string{}
	if p, ok := pendings.Get(a.Tx, e.Id); ok {
		dropPending(a, e, p)
		objects = append(objects, pendingKey(e.Id))
	}
	releaseName(a.Tx, e, "")
	if e.Table != "" {
		tableIndex.Delete(a.Tx, key(e.Table, e.Id))
	}
	e.State, e.UpdatedMs = stateWithdrawn, a.TimeMs
	entries.Put(a.Tx, e.Id, e)
	emitEntry(a, rule, e, objects...)
	return nil
}

// SuspendEntry stops requests and deliveries of an entry, or lets them go on again.
// Signed by the provider or the AUTHORITY, OFFICER; what the one suspended the
// AUTHORITY may resume, but the provider cannot resume what the AUTHORITY suspended.
//
// NotFound, Forbidden, IllegalTransition (not in force, suspended already, or not
// suspended), Missing (cause), TooLong.
func SuspendEntry(a *act.Act, m *cataloguev1.SuspendEntry) error {
	const rule = "catalogue/suspend_entry"
	e, ok := entries.Get(a.Tx, m.GetEntry())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no entry %.80q", m.GetEntry())
	}
	authority := a.Has(governancev1.Role_ROLE_AUTHORITY)
	if a.Org() != e.Provider && !authority {
		return act.Refuse(fault.Forbidden, rule, "%s is neither the provider nor the authority", a.Signer())
	}
	if err := a.Need(officer); err != nil {
		return err
	}
	switch {
	case e.State == stateSubmitted || e.State == stateReturned || e.State == stateWithdrawn:
		return act.Refuse(fault.IllegalTransition, rule, "entry %s is %s, not in force", e.Id, e.State)
	case m.Resume == (e.SuspendedCause == ""):
		return act.Refuse(fault.IllegalTransition, rule, "entry %s is %s", e.Id, e.State)
	case m.Resume && e.SuspendedBy != a.Org() && !authority:
		return act.Refuse(fault.Forbidden, rule, "entry %s was suspended by %s", e.Id, e.SuspendedBy)
	}
	if m.Resume {
		e.SuspendedCause, e.SuspendedBy = "", ""
	} else {
		if err := act.Text(rule, "cause", m.Cause, maxCause, true); err != nil {
			return err
		}
		e.SuspendedCause, e.SuspendedBy = m.Cause, a.Org()
	}
	e.State = rest(e, pendings.Has(a.Tx, e.Id))
	entries.Put(a.Tx, e.Id, e)
	emitEntry(a, rule, e)
	return nil
}

// ownEntry returns the entry; NotFound, or Forbidden unless the signer acts for its
// provider as OFFICER.
func ownEntry(a *act.Act, rule, id string) (*cataloguev1.Entry, error) {
	e, ok := entries.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no entry %.80q", id)
	}
	if err := a.NeedOrg(e.Provider, officer); err != nil {
		return nil, err
	}
	return e, nil
}
