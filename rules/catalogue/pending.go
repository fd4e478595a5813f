package catalogue

import (
	"bytes"
	"slices"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/state"
)

// sealPending gives a change that waits the hash that its signers sign. For new
// content it is the content's own hash. Where the content alone would not say what
// is signed (the lock is removed; the same content on a new schema; another table,
// whose schema nobody has locked yet), the hash covers that too, so that a signature
// for the one never serves for the other.
func sealPending(v state.View, p *cataloguev1.PendingChange, was *cataloguev1.Entry) {
	sum := hashOf(content(p.Next))
	switch {
	case p.Unlock:
		sum = canon.Digest("mulian/catalogue/unlock/v1", sum[:])
	case moves(p, was):
		t, _ := tables.Get(v, p.Next.Table)
		sum = canon.Digest("mulian/catalogue/move/v1", sum[:], t.GetSchemaHash())
	case outdated(v, was):
		t, _ := tables.Get(v, was.Table)
		sum = canon.Digest("mulian/catalogue/relock/v1", sum[:], t.GetSchemaHash())
	}
	p.Next.ContentHash = sum[:]
}

// moves reports whether the change brings a locked entry to another table.
func moves(p *cataloguev1.PendingChange, was *cataloguev1.Entry) bool {
	return was.Lock != nil && p.Next.Table != "" && p.Next.Table != was.Table
}

// checkSeal refuses with VersionConflict a move to a table whose schema is no longer
// what the signers of the change saw.
func checkSeal(v state.View, rule string, p *cataloguev1.PendingChange, was *cataloguev1.Entry) error {
	if !moves(p, was) {
		return nil
	}
	now := proto.CloneOf(p)
	sealPending(v, now, was)
	if !bytes.Equal(now.Next.ContentHash, p.Next.ContentHash) {
		return act.Refuse(fault.VersionConflict, rule, "table %s has changed since the change of entry %s was proposed; propose it again", p.Next.Table, p.Entry)
	}
	return nil
}

// putPending stores a change that waits, and the entry whose state says so.
func putPending(a *act.Act, rule string, p *cataloguev1.PendingChange, was *cataloguev1.Entry) error {
	if err := claimName(a.Tx, rule, p.Next); err != nil {
		return err
	}
	p.By, p.SinceMs = a.Signer(), a.TimeMs
	if p.NeedsReview {
		days, _ := governance.Limit(a.Tx, governancev1.Clock_CLOCK_CATALOGUE_REVIEW)
		p.ReviewDueMs = governance.AddWorkingDays(a.Tx, a.TimeMs, days)
		dueIndex.Put(a.Tx, key(state.Ordered(p.ReviewDueMs), duePending, p.Entry), "")
	}
	pendings.Put(a.Tx, p.Entry, p)
	was.State = rest(was, true)
	entries.Put(a.Tx, was.Id, was)
	return nil
}

// dropPending forgets a change that waits. The caller stores the entry.
func dropPending(a *act.Act, was *cataloguev1.Entry, p *cataloguev1.PendingChange) {
	releaseName(a.Tx, p.Next, was.Name)
	pendings.Delete(a.Tx, p.Entry)
}

// apply carries out a change that has all its signatures. It returns the entry.
func apply(a *act.Act, rule string, p *cataloguev1.PendingChange, was *cataloguev1.Entry) (*cataloguev1.Entry, error) {
	pendings.Delete(a.Tx, p.Entry)
	if p.Unlock {
		was.Lock = nil
		was.State = rest(was, false)
		entries.Put(a.Tx, was.Id, was)
		return was, nil
	}
	if err := act.First(checkMapping(a.Tx, rule, p.Next), checkSeal(a.Tx, rule, p, was)); err != nil {
		return nil, err // the table has changed while the change waited
	}
	return p.Next, install(a, rule, p.Next, was)
}

// ReviewEntries publishes or returns what waits for the AUTHORITY, OFFICER. All or
// nothing. What also waits for counter-signers goes on waiting for them.
//
// Empty, TooLong (the list), Forbidden, RefusalNeedsReason, TooLong (reason), Missing
// (a content hash for each entry that is published), then element by element NotFound,
// IllegalTransition (nothing waits), VersionConflict (something else waits than what
// the reviewer saw), ItemUnmapped, VersionConflict (the table has changed meanwhile).
func ReviewEntries(a *act.Act, m *cataloguev1.ReviewEntries) error {
	const rule = "catalogue/review_entries"
	if err := act.Count(rule, len(m.GetEntries()), MaxEntries); err != nil {
		return err
	}
	if err := a.NeedRole(governancev1.Role_ROLE_AUTHORITY, officer); err != nil {
		return err
	}
	if !m.Publish && m.Reason == "" {
		return act.Refuse(fault.RefusalNeedsReason, rule, "entries are returned with a reason")
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, false); err != nil {
		return err
	}
	if m.Publish && len(m.ContentHashes) != len(m.Entries) {
		return act.Refuse(fault.Missing, rule, "%d content hashes for %d entries: the reviewer signs what he saw", len(m.ContentHashes), len(m.Entries))
	}
	for i, id := range m.Entries {
		e, err := review(a, rule, i, m)
		if err != nil {
			return act.In(rule, i, err)
		}
		emitEntry(a, rule, e, pendingKey(id))
	}
	return nil
}

func review(a *act.Act, rule string, i int, m *cataloguev1.ReviewEntries) (*cataloguev1.Entry, error) {
	id := m.Entries[i]
	e, ok := entries.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no entry %.80q", id)
	}
	p, waits := pendings.Get(a.Tx, id)
	seen := func(hash []byte) error {
		if !bytes.Equal(m.ContentHashes[i], hash) {
			return act.Refuse(fault.VersionConflict, rule, "what waits of entry %s now is another version: %x", id, hash)
		}
		return nil
	}
	switch {
	case e.State == stateSubmitted && m.Publish:
		if err := seen(e.ContentHash); err != nil {
			return nil, err
		}
		if err := checkMapping(a.Tx, rule, e); err != nil {
			return nil, err
		}
		markItems(a.Tx, e)
		e.State, e.ReturnedReason, e.UpdatedMs = rest(e, false), "", a.TimeMs
	case e.State == stateSubmitted:
		e.State, e.ReturnedReason = stateReturned, m.Reason
	case !waits || !p.NeedsReview:
		return nil, act.Refuse(fault.IllegalTransition, rule, "entry %s is %s, nothing of it waits for review", id, e.State)
	case m.Publish && seen(p.Next.ContentHash) != nil:
		return nil, seen(p.Next.ContentHash)
	case m.Publish && len(p.Needed) == 0:
		return apply(a, rule, p, e)
	case m.Publish:
		p.NeedsReview, p.ReviewDueMs = false, 0
		pendings.Put(a.Tx, id, p)
		return e, nil
	default:
		dropPending(a, e, p)
		e.State, e.ReturnedReason = rest(e, false), m.Reason
	}
	entries.Put(a.Tx, id, e)
	return e, nil
}

// CounterSign agrees to a change that waits, or refuses it and so drops it. Signed
// by one of the organisations that the lock names, OFFICER, over the hash of the
// change that the signer saw (PendingChange.next.content_hash). The change takes
// effect with the last signature. To sign twice is no fault.
//
// NotFound, Forbidden, VersionConflict (the change is another one meanwhile),
// RefusalNeedsReason, TooLong (reason), ItemUnmapped, VersionConflict (the table has
// changed).
func CounterSign(a *act.Act, m *cataloguev1.CounterSign) error {
	const rule = "catalogue/counter_sign"
	p, ok := pendings.Get(a.Tx, m.GetEntry())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "no change of entry %.80q waits", m.GetEntry())
	}
	org := a.Org()
	signed := slices.Contains(p.Signed, org)
	if !signed && !slices.Contains(p.Needed, org) {
		return act.Refuse(fault.Forbidden, rule, "%s is no counter-signer of entry %s", a.Signer(), p.Entry)
	}
	if err := a.Need(officer); err != nil {
		return err
	}
	if !bytes.Equal(m.ContentHash, p.Next.ContentHash) {
		return act.Refuse(fault.VersionConflict, rule, "the change of entry %s that waits now is another one: %x", p.Entry, p.Next.ContentHash)
	}
	if m.Refuse && m.Reason == "" {
		return act.Refuse(fault.RefusalNeedsReason, rule, "a change is refused with a reason")
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, false); err != nil {
		return err
	}
	e, _ := entries.Get(a.Tx, p.Entry)
	switch {
	case m.Refuse:
		dropPending(a, e, p)
		e.State = rest(e, false)
		entries.Put(a.Tx, e.Id, e)
		a.Emit(rule, "refused", entryKey(e.Id), pendingKey(e.Id))
		return nil
	case signed:
		return nil
	}
	p.Needed = slices.DeleteFunc(p.Needed, func(s string) bool { return s == org })
	p.Signed = append(p.Signed, org)
	if len(p.Needed) > 0 || p.NeedsReview {
		pendings.Put(a.Tx, p.Entry, p)
		a.Emit(rule, "signed", pendingKey(e.Id), entryKey(e.Id))
		return nil
	}
	e, err := apply(a, rule, p, e)
	if err != nil {
		return err
	}
	emitEntry(a, rule, e, pendingKey(e.Id))
	return nil
}
