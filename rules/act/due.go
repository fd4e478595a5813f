package act

import (
	"iter"

	"mulian/state"
)

// Due takes out of an index what is due with this block, the oldest first, at most most of it:
// entries whose keys begin with [state.Ordered] of a moment that is not after the block's. Each
// is out of the index when it is yielded, so that whoever carries it out may put it in again.
func (a *Act) Due(index state.Index, most int) iter.Seq2[string, string] {
	type entry struct{ key, value string }
	var due []entry
	now := state.Ordered(a.TimeMs)
	index.Range(a.Tx, "", "", func(key, value string) bool {
		if key[:len(now)] > now || len(due) == most {
			return false
		}
		due = append(due, entry{key, value})
		return true
	})
	return func(yield func(key, value string) bool) {
		for _, e := range due {
			index.Delete(a.Tx, e.key)
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}
