package catalogue

import (
	"strings"

	"mulian/rules/act"
	"mulian/state"
)

// Kinds of deadlines in dueIndex.
const (
	dueDrift     = "drift"     // id of a drift: CATALOGUE_UPDATE
	duePending   = "pending"   // id of an entry: CATALOGUE_REVIEW of a change that waits
	dueSubmitted = "submitted" // id of an entry, with the time of its submission: CATALOGUE_REVIEW of a new one
)

// End logs the deadlines that ran out with this block, at most MaxDuePerBlock of
// them, the oldest first: "catalogue/overdue". Nothing but the event comes of it:
// what is overdue follows from due_ms, and what is frozen stays frozen.
func End(a *act.Act) {
	var at, values []string
	end := state.Ordered(a.TimeMs)
	dueIndex.Range(a.Tx, "", "", func(k, value string) bool {
		if due, _, _ := strings.Cut(k, "\x00"); due > end || len(at) == MaxDuePerBlock {
			return false
		}
		at, values = append(at, k), append(values, value)
		return true
	})
	for i, k := range at {
		dueIndex.Delete(a.Tx, k)
		part := strings.Split(k, "\x00")
		overdue(a, part[0], part[1], part[2], values[i])
	}
}

// overdue logs a deadline, unless what it was for has happened meanwhile.
func overdue(a *act.Act, due, kind, id, value string) {
	const verb = "catalogue/overdue"
	switch kind {
	case dueDrift:
		if d, ok := drifts.Get(a.Tx, id); ok && d.Settlement == 0 {
			a.Emit(verb, kind, driftKey(id), tableKey(d.Table))
		}
	case duePending:
		if p, ok := pendings.Get(a.Tx, id); ok && p.NeedsReview && state.Ordered(p.ReviewDueMs) == due {
			a.Emit(verb, kind, pendingKey(id), entryKey(id))
		}
	case dueSubmitted:
		if e, ok := entries.Get(a.Tx, id); ok && e.State == stateSubmitted && state.Ordered(e.UpdatedMs) == value {
			a.Emit(verb, kind, entryKey(id))
		}
	}
}
