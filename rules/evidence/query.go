package evidence

import (
	"fmt"

	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/state"
)

// Find returns the evidence with the id, and whether there is one. The caller owns
// it.
func Find(v state.View, id string) (*evidencev1.Evidence, bool) { return items.Get(v, id) }

// Check returns the first breach of the invariants 2 and 4 that the evidence shows in
// that state, or nil. It is for tests and audits: no verb asks it.
func Check(v state.View, e *evidencev1.Evidence) error {
	if len(e.Commitment) != 32 || e.Id != ID(e.Commitment) {
		return fmt.Errorf("evidence %s: its id is not that of its commitment %x", e.Id, e.Commitment)
	}
	if e.Supersedes == "" {
		return nil
	}
	was, ok := items.Get(v, e.Supersedes)
	if !ok || was.Account != e.Account || was.Height > e.Height {
		return fmt.Errorf("evidence %s supersedes %s, which is not an earlier one of %s", e.Id, e.Supersedes, e.Account)
	}
	return nil
}
