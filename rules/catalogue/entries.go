package catalogue

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/state"
)

const (
	stateSubmitted = cataloguev1.EntryState_ENTRY_STATE_SUBMITTED
	stateReturned  = cataloguev1.EntryState_ENTRY_STATE_RETURNED
	statePublished = cataloguev1.EntryState_ENTRY_STATE_PUBLISHED
	stateUpdating  = cataloguev1.EntryState_ENTRY_STATE_UPDATING
	stateDrifted   = cataloguev1.EntryState_ENTRY_STATE_DRIFTED
	stateSuspended = cataloguev1.EntryState_ENTRY_STATE_SUSPENDED
	stateWithdrawn = cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN
)

// SubmitEntries creates entries or new versions of them. Signed by the provider,
// OFFICER. All or nothing.
//
// Content that is in force already is no change and no event; if a change of the
// entry waits, it takes that change back. A locked entry, and any published entry
// while the consortium reviews, keeps its version until the new one has its
// signatures: it becomes a PendingChange, in place of one that waited.
//
// In this order, element by element: Empty, TooLong (the list), Malformed, TooLong
// (id), CodeInconsistent (provider), Forbidden, then each field (Missing, TooLong,
// Malformed, OutOfRange; TooLong for the whole; CodeInconsistent for a region), each item (likewise,
// Duplicate), Secret, DenyWithoutBasis, ConditionMissing, FormatMethodMismatch,
// CodeInconsistent (an item looser than its entry; an owner item that is none), NoDuty, NotFound (source
// organisation, system, table), CodeInconsistent (another's table), ItemUnmapped,
// Duplicate (twice in the message), IllegalTransition (withdrawn), DuplicateName,
// TooLong (entries of one table).
func SubmitEntries(a *act.Act, m *cataloguev1.SubmitEntries) error {
	const rule = "catalogue/submit_entries"
	if err := act.Count(rule, len(m.GetEntries()), MaxEntries); err != nil {
		return err
	}
	review := governance.Parameters(a.Tx).GetPublishNeedsReview()
	seen := make(map[string]bool, len(m.Entries))
	for i, e := range m.Entries {
		if err := act.In(rule, i, submit(a, rule, e, review, seen)); err != nil {
			return err
		}
	}
	return nil
}

func submit(a *act.Act, rule string, e *cataloguev1.Entry, review bool, seen map[string]bool) error {
	provider := owner(e.GetId())
	if err := checkID(rule, e.GetId(), provider, maxLocalBytes); err != nil {
		return err
	}
	if e.Provider != provider {
		return act.Refuse(fault.CodeInconsistent, rule, "entry %s names %.40q as its provider", e.Id, e.Provider)
	}
	if err := a.NeedOrg(provider, officer); err != nil {
		return err
	}
	if n := proto.Size(e); n > MaxEntryBytes {
		return act.Refuse(fault.TooLong, rule, "entry %s: %d bytes, at most %d", e.Id, n, MaxEntryBytes)
	}
	next := content(e)
	if err := checkContent(a.Tx, rule, next, a.TimeMs); err != nil {
		return err
	}
	if seen[e.Id] {
		return act.Refuse(fault.Duplicate, rule, "entry %s stands twice in the message", e.Id)
	}
	seen[e.Id] = true
	sum := hashOf(next)
	next.ContentHash = sum[:]
	was, ok := entries.Get(a.Tx, e.Id)
	switch {
	case !ok || was.State == stateReturned || was.State == stateSubmitted:
		return propose(a, rule, next, was, review)
	case was.State == stateWithdrawn:
		return act.Refuse(fault.IllegalTransition, rule, "entry %s is withdrawn; a new entry needs a new id", e.Id)
	}
	return amend(a, rule, next, was, review)
}

// propose brings an entry that was never published: was is nil, SUBMITTED or RETURNED.
func propose(a *act.Act, rule string, next, was *cataloguev1.Entry, review bool) error {
	same := was != nil && bytes.Equal(was.ContentHash, next.ContentHash)
	if same && was.State == stateSubmitted && review {
		return nil
	}
	next.Version, next.CreatedMs, next.UpdatedMs = 1, a.TimeMs, a.TimeMs
	if was != nil {
		next.CreatedMs, next.Version = was.CreatedMs, was.Version
		if !same {
			next.Version++
		}
	}
	next.State = stateSubmitted
	if !review {
		markItems(a.Tx, next)
		next.State = rest(next, false)
	}
	if err := putEntry(a, rule, next, was); err != nil {
		return err
	}
	if review {
		days, _ := governance.Limit(a.Tx, governancev1.Clock_CLOCK_CATALOGUE_REVIEW)
		due := governance.AddWorkingDays(a.Tx, a.TimeMs, days)
		dueIndex.Put(a.Tx, key(state.Ordered(due), dueSubmitted, next.Id), state.Ordered(a.TimeMs))
	}
	emitEntry(a, rule, next)
	return nil
}

// amend brings new content for an entry that is in force.
func amend(a *act.Act, rule string, next, was *cataloguev1.Entry, review bool) error {
	waiting, waits := pendings.Get(a.Tx, was.Id)
	if bytes.Equal(next.ContentHash, was.ContentHash) && !outdated(a.Tx, was) {
		if !waits {
			return nil
		}
		dropPending(a, was, waiting)
		was.State = rest(was, false)
		entries.Put(a.Tx, was.Id, was)
		emitEntry(a, rule, was, pendingKey(was.Id))
		return nil
	}
	if was.Lock == nil && !review {
		if waits {
			dropPending(a, was, waiting)
		}
		if err := install(a, rule, next, was); err != nil {
			return err
		}
		emitEntry(a, rule, next)
		return nil
	}
	p := &cataloguev1.PendingChange{Entry: was.Id, Next: next, Needed: was.GetLock().GetCounterSigners(), NeedsReview: review}
	sealPending(a.Tx, p, was)
	if waits && !waiting.Unlock && bytes.Equal(waiting.Next.ContentHash, p.Next.ContentHash) {
		return nil
	}
	if waits {
		dropPending(a, was, waiting)
	}
	if err := putPending(a, rule, p, was); err != nil {
		return err
	}
	emitEntry(a, rule, was, pendingKey(was.Id))
	return nil
}

// install makes next the version in force after was. Both have the same id; next
// has content and its hash.
func install(a *act.Act, rule string, next, was *cataloguev1.Entry) error {
	next.Version, next.CreatedMs, next.UpdatedMs = was.Version, was.CreatedMs, a.TimeMs
	sum := hashOf(content(next)) // the hash of a change that waits says more than that of its content
	next.ContentHash = sum[:]
	if !bytes.Equal(next.ContentHash, was.ContentHash) {
		next.Version++
	}
	next.SuspendedCause, next.SuspendedBy = was.SuspendedCause, was.SuspendedBy
	if was.Lock != nil {
		t, _ := tables.Get(a.Tx, next.Table)
		next.Lock = was.Lock
		next.Lock.Version, next.Lock.SchemaHash = next.Version, t.GetSchemaHash()
	}
	markItems(a.Tx, next)
	next.State = rest(next, false)
	if was.State == stateSubmitted || was.State == stateReturned {
		next.State, next.ReturnedReason = was.State, was.ReturnedReason
	}
	return putEntry(a, rule, next, was)
}

// putEntry stores an entry and keeps the indexes of names and tables. was is what
// is stored now, or nil.
func putEntry(a *act.Act, rule string, next, was *cataloguev1.Entry) error {
	if err := claimName(a.Tx, rule, next); err != nil {
		return err
	}
	if was != nil && was.Name != next.Name {
		releaseName(a.Tx, was, next.Name)
	}
	if was.GetTable() != next.Table {
		if next.Table != "" {
			if n := len(entriesOf(a.Tx, next.Table)); n >= MaxEntriesOfTable {
				return act.Refuse(fault.TooLong, rule, "table %s has %d entries, no more are possible", next.Table, n)
			}
			tableIndex.Put(a.Tx, key(next.Table, next.Id), "")
		}
		if was.GetTable() != "" {
			tableIndex.Delete(a.Tx, key(was.Table, was.Id))
		}
	}
	entries.Put(a.Tx, next.Id, next)
	return nil
}

// claimName takes the name for the entry; DuplicateName if another entry of the
// provider, or a change of one that waits, has it.
func claimName(tx *state.Tx, rule string, e *cataloguev1.Entry) error {
	k, ok := nameKey(e.Provider, e.Name)
	if !ok {
		return act.Refuse(fault.Missing, rule, "entry %s: nothing is left of its name %.40q", e.Id, e.Name)
	}
	if other, taken := nameIndex.Get(tx, k); taken && other != e.Id {
		return act.Refuse(fault.DuplicateName, rule, "entry %s: %s already has the name %q", e.Id, other, e.Name)
	}
	nameIndex.Put(tx, k, e.Id)
	return nil
}

// releaseName gives the name of e back, unless keep is the same name.
func releaseName(tx *state.Tx, e *cataloguev1.Entry, keep string) {
	k, _ := nameKey(e.Provider, e.Name)
	if kept, _ := nameKey(e.Provider, keep); k == kept {
		return
	}
	if id, _ := nameIndex.Get(tx, k); id == e.Id {
		nameIndex.Delete(tx, k)
	}
}

// rest is the state of an entry that is in force: the strongest of what holds.
func rest(e *cataloguev1.Entry, waits bool) cataloguev1.EntryState {
	if e.SuspendedCause != "" {
		return stateSuspended
	}
	for _, it := range e.Items {
		if it.State == frozen {
			return stateDrifted
		}
	}
	if waits {
		return stateUpdating
	}
	return statePublished
}

// outdated reports whether the entry is locked on another schema than its table
// has now: a settled drift whose signatures are still missing.
func outdated(v state.View, e *cataloguev1.Entry) bool {
	if e.Lock == nil || e.Table == "" {
		return false
	}
	t, ok := tables.Get(v, e.Table)
	return ok && behind(e, t.SchemaHash)
}

// hashOf is ContentHash of what content returned.
func hashOf(c *cataloguev1.Entry) [32]byte {
	raw, err := canon.Marshal(c)
	if err != nil {
		panic("rules/catalogue: content of " + c.GetId() + ": " + err.Error())
	}
	return sha256.Sum256(raw)
}

// emitEntry logs what became of an entry, with what it rests on, so that a trace
// leads from the duty to each use.
func emitEntry(a *act.Act, verb string, e *cataloguev1.Entry, also ...string) {
	objects := append(make([]string, 0, 2+len(also)+len(e.Duties)), entryKey(e.Id))
	objects = append(objects, also...)
	for _, d := range e.Duties {
		objects = append(objects, dutyKey(d))
	}
	if e.Table != "" {
		objects = append(objects, tableKey(e.Table))
	}
	a.Emit(verb, stateNote(e), objects...)
}

// note is what an event says of a version.
func note(version uint64) string { return fmt.Sprintf("v%d", version) }

// stateNote is "published v3".
func stateNote(e *cataloguev1.Entry) string {
	name := strings.ToLower(strings.TrimPrefix(e.State.String(), "ENTRY_STATE_"))
	return name + " " + note(e.Version)
}
