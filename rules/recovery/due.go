package recovery

import (
	"strings"

	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state"
)

// End does what is due with this block, the oldest first, at most MaxDuePerBlock of it:
// locks that are over are executed, attempts for which too few came and reviews that
// nobody made expire, changes of rosters take effect. It returns the accounts that have
// new keys, for the nouns that hang on them.
func End(a *act.Act) (recovered []string) {
	for k := range a.Due(dueIndex, MaxDuePerBlock) {
		part := strings.SplitN(k, "/", 3)
		if part[1] == duePolicy {
			changeRoster(a, part[2])
			continue
		}
		// Every due time that an attempt ever had is in the index: ask whether it holds.
		r, ok := recoveries.Get(a.Tx, part[2])
		if !ok || r.DueMs == 0 || state.Ordered(r.DueMs) != part[0] {
			continue
		}
		if attemptDue(a, r) {
			recovered = append(recovered, r.Account)
		}
	}
	return recovered
}

// attemptDue reports whether the account has a new key.
func attemptDue(a *act.Act, r *recoveryv1.Recovery) bool {
	switch {
	case r.State == open:
		finish(a, "recovery/expired", r, expired, fault.QuorumShort)
	case r.State == review:
		finish(a, "recovery/expired", r, expired, fault.VetoByLostKey)
	case !identity.ReplaceKeys(a.Tx, r.Account, r.NewKey, a.TimeMs):
		finish(a, "recovery/expired", r, expired, fault.AlreadyExists) // the key was added meanwhile
	default:
		execute(a, r)
		return true
	}
	return false
}

// execute writes what follows from new keys. A change of the roster that waits was made
// with the old ones, and the code is spent if it was the way. The event names every record
// that is written: whoever reads only what events name would show a spent code for ever.
func execute(a *act.Act, r *recoveryv1.Recovery) {
	last, _ := executed.Get(a.Tx, r.Account)
	written := []string{executed.Name() + "/" + r.Account}
	executed.Put(a.Tx, r.Account, &recoveryv1.LastRecovery{Account: r.Account, Recovery: r.Id, ExecutedMs: a.TimeMs, Count: last.GetCount() + 1})
	if p, ok := policies.Get(a.Tx, r.Account); ok && (p.Pending != nil || r.Path == byCode) {
		p.Pending, p.PendingMs, p.Version = nil, 0, p.Version+1
		if r.Path == byCode {
			p.CodeKey = nil
		}
		policies.Put(a.Tx, r.Account, p)
		written = append(written, policyKey(r.Account))
	}
	finish(a, "recovery/executed", r, done, fault.OK, written...)
}
