package mandate

import (
	"fmt"
	"slices"

	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/state"
)

// Find returns the mandate with the id, and whether there is one. The caller owns what the
// functions of this file return; only this package writes it back.
func Find(v state.View, id string) (*mandatev1.Mandate, bool) { return mandates.Get(v, id) }

// FindPolicy returns how the operators of a firm act together, and whether it has said so.
func FindPolicy(v state.View, firm string) (*mandatev1.OperatorPolicy, bool) {
	return operators.Get(v, firm)
}

// Counts reports whether the mandate counts at that moment.
func Counts(v state.View, m *mandatev1.Mandate, timeMs int64) bool { return counts(v, m, timeMs) }

// ActsFor reports whether the account acts for the principal at that moment, under whatever
// mandate: who does may stop what others do for him.
func ActsFor(v state.View, actor, principal string, timeMs int64) bool {
	return slices.ContainsFunc(between(v, actor, principal), func(m *mandatev1.Mandate) bool { return counts(v, m, timeMs) })
}

// Check returns the first breach of the invariants that the mandate shows in that state, or
// nil. For tests and audits: no verb asks it.
func Check(v state.View, m *mandatev1.Mandate) error {
	in := slices.ContainsFunc(standing(v, m.Principal), func(o *mandatev1.Mandate) bool { return o.Id == m.Id })
	switch {
	case in != stands(m.State) || in != slices.ContainsFunc(between(v, m.Agent, m.Principal), func(o *mandatev1.Mandate) bool { return o.Id == m.Id }):
		return fmt.Errorf("mandate %s is %s, and the indices say otherwise", m.Id, m.State)
	case in == (m.DueMs == 0) || in != (m.EndedMs == 0):
		return fmt.Errorf("mandate %s: %s, due %d, ended %d", m.Id, m.State, m.DueMs, m.EndedMs)
	case (m.State == suspended) != (len(m.Suspensions) > 0) && stands(m.State):
		return fmt.Errorf("mandate %s: %s for %v", m.Id, m.State, m.Suspensions)
	case (m.State == active || m.State == suspended || m.State == exhausted) && m.AcceptedMs == 0:
		return fmt.Errorf("mandate %s is %s, and nobody accepted it", m.Id, m.State)
	case (m.PrincipalBy == "") == (m.Office == ""):
		return fmt.Errorf("mandate %s was signed by %q and %q", m.Id, m.PrincipalBy, m.Office)
	case m.State == active && m.OfficeDesk != "" && m.WitnessBy == "":
		return fmt.Errorf("mandate %s was given at a counter without a witness", m.Id)
	case m.MaxUses != 0 && m.Uses > m.MaxUses:
		return fmt.Errorf("mandate %s: used %d times of %d", m.Id, m.Uses, m.MaxUses)
	case m.UntilMs <= m.FromMs:
		return fmt.Errorf("mandate %s ends before it begins", m.Id)
	}
	if m.Kind == legalRep && in {
		for _, o := range standing(v, m.Principal) {
			if o.Kind == legalRep && o.Id != m.Id {
				return fmt.Errorf("mandates %s and %s: two legal representatives", m.Id, o.Id)
			}
		}
	}
	return nil
}
