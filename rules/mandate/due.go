package mandate

import (
	"strings"

	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/rules/act"
	"mulian/state"
)

// Recovered is told that an account has new keys. From this block on [Acting] refuses what
// its old keys have signed; that the records say so, too, End does little by little.
func Recovered(a *act.Act, account string) { recovered.Put(a.Tx, account, "") }

// End does what is due with this block: proposals that nobody answered and terms that are
// over expire, the oldest first, at most MaxDuePerBlock; mandates of recovered accounts are
// marked, at most MaxMarkedPerBlock.
func End(a *act.Act) {
	for k := range a.Due(dueIndex, MaxDuePerBlock) {
		ms, id, _ := strings.Cut(k, "/")
		if m, ok := mandates.Get(a.Tx, id); ok && m.DueMs != 0 && state.Ordered(m.DueMs) == ms {
			finish(a, "mandate/expired", m, expired)
		}
	}
	mark(a)
}

// mark suspends the mandates that recovered accounts have signed. The cursor of an account
// is the key that was looked at last, behind "p" in the index of principals, behind "a" in
// that of agents.
func mark(a *act.Act) {
	type place struct{ account, cursor string }
	var queue []place
	recovered.Range(a.Tx, "", "", func(account, cursor string) bool {
		queue = append(queue, place{account, cursor})
		return len(queue) < MaxMarkedPerBlock
	})
	budget := MaxMarkedPerBlock
	for _, q := range queue {
		if budget <= 0 {
			return
		}
		stage, from := "p", ""
		if q.cursor != "" {
			stage, from = q.cursor[:1], q.cursor[1:]
		}
		if stage == "p" {
			if from = markFrom(a, byPrincipal, q.account, from, ofPrincipal, &budget); from != "" {
				recovered.Put(a.Tx, q.account, "p"+from)
				return
			}
		}
		if from = markFrom(a, byAgent, q.account, from, ofAgent, &budget); from != "" {
			recovered.Put(a.Tx, q.account, "a"+from)
			return
		}
		recovered.Delete(a.Tx, q.account)
	}
}

// markFrom looks at the mandates of one account from a key on, and returns the key at which
// the budget ended, "" if it did not.
func markFrom(a *act.Act, index state.Index, account, from string, side mandatev1.SuspensionKind, budget *int) (next string) {
	var ids []string
	index.Range(a.Tx, account+"\x00", from, func(k, _ string) bool {
		if *budget == 0 {
			next = k
			return false
		}
		*budget--
		ids = append(ids, k[strings.LastIndexByte(k, 0)+1:])
		return true
	})
	for _, id := range ids {
		if m, ok := mandates.Get(a.Tx, id); ok && (m.State == active || m.State == suspended) && staleOf(a.Tx, m, side) {
			suspend(m, side)
			keep(a, "mandate/suspended_by_recovery", m)
		}
	}
	return next
}
