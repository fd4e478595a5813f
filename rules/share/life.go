package share

import (
	"fmt"
	"slices"
	"strings"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// after lists the states that can follow each one. ENDED is followed by DISPOSING
// only when it turns out late that something had been given.
var after = [...][]sharev1.AgreementState{
	offered:    {active, ended},
	active:     {amending, renewing, ending, suspended, rectifying, ended, disposing},
	amending:   {active, ending, suspended, rectifying, ended, disposing},
	renewing:   {active, ending, suspended, rectifying, ended, disposing},
	ending:     {suspended, rectifying, ended, disposing},
	suspended:  {active, amending, renewing, ending, rectifying, ended, disposing},
	rectifying: {active, amending, renewing, ending, suspended, ended, disposing},
	ended:      {disposing},
	disposing:  {disposed},
	disposed:   nil,
}

// After returns the states that can follow that one, none for the last.
func After(s sharev1.AgreementState) []sharev1.AgreementState {
	if s <= 0 || int(s) >= len(after) {
		return nil
	}
	return slices.Clone(after[s])
}

// Holds reports whether data may be released in that state, as long as the term is
// not over.
func Holds(s sharev1.AgreementState) bool {
	return s == active || s == amending || s == renewing || s == ending
}

// Over reports whether nothing can be released again, ever.
func Over(s sharev1.AgreementState) bool { return s == ended || s == disposing || s == disposed }

// illegal is the refusal of a transition: from where, to where, and what is possible.
func illegal[S fmt.Stringer](rule, what, id string, from, to S, allowed []S) error {
	names := make([]string, len(allowed))
	for i, s := range allowed {
		names[i] = short(s)
	}
	can := "nothing more"
	if len(names) > 0 {
		can = strings.Join(names, ", ")
	}
	return act.Refuse(fault.IllegalTransition, rule, "%s %s: from %s to %s is not possible; allowed: %s", what, id, short(from), short(to), can)
}

// short is "RECTIFYING" for AGREEMENT_STATE_RECTIFYING.
func short(s fmt.Stringer) string {
	name := s.String()
	if i := strings.Index(name, "_STATE_"); i >= 0 {
		return name[i+len("_STATE_"):]
	}
	return strings.TrimPrefix(name, "DISPUTE_LEVEL_")
}

// lower is "rectifying", for events.
func lower(s fmt.Stringer) string { return strings.ToLower(short(s)) }

// leave refuses to move an agreement to another state: Expired if its term is over,
// IllegalTransition unless it is in one of those states.
func leave(a *act.Act, rule string, g *sharev1.Agreement, to sharev1.AgreementState, from ...sharev1.AgreementState) error {
	switch {
	case Expired(g, a.TimeMs):
		return act.Refuse(fault.Expired, rule, "agreement %s: its term is over", g.Id)
	case !slices.Contains(from, g.State):
		return illegal(rule, "agreement", g.Id, g.State, to, After(g.State))
	}
	return nil
}

// usable refuses what an agreement allows: Expired if its term ended it,
// AgreementSuspended unless it holds, then Expired.
func usable(a *act.Act, rule string, g *sharev1.Agreement) error {
	switch {
	case Expired(g, a.TimeMs) && (Over(g.State) || Holds(g.State)):
		return act.Refuse(fault.Expired, rule, "agreement %s: its term is over", g.Id)
	case !Holds(g.State):
		return act.Refuse(fault.AgreementSuspended, rule, "agreement %s is %s", g.Id, short(g.State))
	}
	return nil
}

// rest is the strongest state of what holds for a confirmed agreement that is not
// over.
func rest(v state.View, g *sharev1.Agreement) sharev1.AgreementState {
	switch {
	case g.Violation != 0:
		return rectifying
	case g.SuspendedBy != "":
		return suspended
	case g.NoticeMs != 0:
		return ending
	case g.Amendment != 0:
		if m, _ := amendments.Get(v, numbered(g.Id, g.Amendment)); m.GetKind() == renewalKind {
			return renewing
		}
		return amending
	}
	return active
}

// settle brings an agreement to the state of what holds now; its clock to deliver
// stands while nothing may be released.
func settle(a *act.Act, verb string, g *sharev1.Agreement, also ...string) {
	s := rest(a.Tx, g)
	if !Holds(s) {
		pause(a, g.Clock)
	} else if paused(g.Clock) {
		goOn(a, g.Clock, dueAgreement, g.Id)
	}
	move(a, verb, g, s, also...)
}

// move stores the next state of an agreement as a new version of it.
func move(a *act.Act, verb string, g *sharev1.Agreement, s sharev1.AgreementState, also ...string) {
	g.State = s
	g.Version++
	agreements.Put(a.Tx, g.Id, g)
	a.Emit(verb, lower(s), agreementObjects(g, also...)...)
}

func agreementObjects(g *sharev1.Agreement, also ...string) []string {
	objects := append([]string{agreementKey(g.Id), requestKey(g.Request)}, also...)
	return append(objects, entryKeys(g.Terms)...)
}

// finish ends an agreement. What waits for a signature or for rectification lapses;
// what was given has to be destroyed. note is that of the event, "" = the state.
func finish(a *act.Act, verb, note string, g *sharev1.Agreement, endedMs int64, also ...string) {
	also = append(also, lapse(a, g)...)
	stop(a, g.Clock)
	g.SuspendedBy, g.SuspendedCause = "", ""
	g.EndedMs = endedMs
	g.State = ended
	if g.Given {
		beginDisposal(a, g)
	}
	g.Version++
	agreements.Put(a.Tx, g.Id, g)
	if note == "" {
		note = lower(g.State)
	}
	a.Emit(verb, note, agreementObjects(g, also...)...)
}

// lapse closes the amendment and the violation that are open, and returns their keys.
func lapse(a *act.Act, g *sharev1.Agreement) (keys []string) {
	keys = lapseAmendment(a, g)
	if x, ok := violations.Get(a.Tx, numbered(g.Id, g.Violation)); ok {
		stop(a, x.Clock)
		x.State, x.DecidedMs = sharev1.ViolationState_VIOLATION_STATE_LAPSED, a.TimeMs
		keys = append(keys, putViolation(a, x))
	}
	g.Violation = 0
	return keys
}

// lapseAmendment closes the amendment that waits and returns its key.
func lapseAmendment(a *act.Act, g *sharev1.Agreement) []string {
	m, ok := amendments.Get(a.Tx, numbered(g.Id, g.Amendment))
	if !ok {
		return nil
	}
	g.Amendment = 0
	m.State, m.DecidedMs = sharev1.AmendmentState_AMENDMENT_STATE_LAPSED, a.TimeMs
	return []string{putAmendment(a, m)}
}

// termOver is what the ledger does when the term of an agreement is over, by itself
// or after a notice. "share/expired", with the state that it was in.
func termOver(a *act.Act, due, id string) {
	g, ok := agreements.Get(a.Tx, id)
	if !ok || Over(g.State) || state.Ordered(g.EndsMs) != due {
		return // ended before, or the term was moved
	}
	finish(a, "share/expired", lower(g.State), g, g.EndsMs)
}

// gave notes that something was released of these entries under an agreement. The
// caller stores it.
func gave(a *act.Act, g *sharev1.Agreement, entries ...string) {
	g.Given = true
	for _, e := range entries {
		heldIndex.Put(a.Tx, key(e, g.Id), "")
	}
}

// entriesOf are the entries of all parts.
func entriesOf(t *sharev1.Terms) []string {
	ids := make([]string, 0, len(t.GetParts()))
	for _, p := range t.GetParts() {
		ids = append(ids, p.Entry)
	}
	return ids
}
