package custody

import (
	"strings"

	"mulian/rules/act"
	"mulian/state"
)

// End lets run out what is due with this block, the oldest first, at most MaxDuePerBlock of
// it: openings for which nobody came, uses that were not carried out, unwraps that the
// custodian did not answer.
func End(a *act.Act) {
	for k := range a.Due(dueIndex, MaxDuePerBlock) {
		part := strings.SplitN(k, "/", 3)
		switch kind, key := part[1], part[2]; kind {
		case dueOpening:
			// Every due time that an opening ever had is in the index: ask whether it holds.
			if c, ok := custodies.Get(a.Tx, key); ok && c.DueMs != 0 && state.Ordered(c.DueMs) == part[0] {
				c.State, c.DueMs = lapsed, 0
				keepOpening(a, "custody/expired", c)
			}
		case dueUse:
			if u, ok := uses.Get(a.Tx, key); ok && (u.State == open || u.State == confirmed) {
				finish(a, "custody/use_expired", u, expired)
			}
		case dueUnwrap:
			if w, ok := unwraps.Get(a.Tx, key); ok && w.State == asked {
				w.State, w.EndedMs = tooLate, a.TimeMs
				keepUnwrap(a, "custody/unwrap_expired", w)
			}
		}
	}
}
