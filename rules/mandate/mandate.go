package mandate

import (
	"slices"
	"strings"

	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/recovery"
	"mulian/state"
)

// The tables. Their encoding is part of the chain.
var (
	mandates  = state.NewTable[mandatev1.Mandate]("mandate/mandate")           // by id
	operators = state.NewTable[mandatev1.OperatorPolicy]("mandate/operators")  // by firm
	approvals = state.NewTable[mandatev1.OperatorApproval]("mandate/approval") // by "<firm>/<digest, hex>"
	uses      = state.NewTable[mandatev1.OperatorUse]("mandate/use")           // by "<firm>/<entry or matter>"

	// byPrincipal and byAgent have the mandates that stand: "<principal>\x00<id>" and
	// "<agent>\x00<principal>\x00<id>".
	byPrincipal = state.NewIndex("mandate/principal")
	byAgent     = state.NewIndex("mandate/agent")
	dueIndex    = state.NewIndex("mandate/due")       // "<ms, ordered>/<id>"
	recovered   = state.NewIndex("mandate/recovered") // "<account>" -> how far its mandates are marked
)

const (
	agency        = mandatev1.MandateKind_MANDATE_KIND_AGENT
	legalRep      = mandatev1.MandateKind_MANDATE_KIND_LEGAL_REP
	operator      = mandatev1.MandateKind_MANDATE_KIND_OPERATOR
	guardianMinor = mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_MINOR
	guardianAdult = mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_ADULT
	heir          = mandatev1.MandateKind_MANDATE_KIND_HEIR

	proposed  = mandatev1.MandateState_MANDATE_STATE_PROPOSED
	active    = mandatev1.MandateState_MANDATE_STATE_ACTIVE
	suspended = mandatev1.MandateState_MANDATE_STATE_SUSPENDED
	declined  = mandatev1.MandateState_MANDATE_STATE_DECLINED
	revoked   = mandatev1.MandateState_MANDATE_STATE_REVOKED
	expired   = mandatev1.MandateState_MANDATE_STATE_EXPIRED
	exhausted = mandatev1.MandateState_MANDATE_STATE_EXHAUSTED

	ofSource    = mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE
	ofPrincipal = mandatev1.SuspensionKind_SUSPENSION_KIND_PRINCIPAL
	ofAgent     = mandatev1.SuspensionKind_SUSPENSION_KIND_AGENT

	machine = identityv1.KeyLevel_KEY_LEVEL_MACHINE
	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT
)

// stands reports whether a mandate can still count one day.
func stands(s mandatev1.MandateState) bool { return s == proposed || s == active || s == suspended }

func mandateKey(id string) string { return mandates.Name() + "/" + id }

func accountKey(id string) string { return "identity/account/" + id }

func short(m *mandatev1.Mandate) string {
	return strings.TrimPrefix(m.State.String(), "MANDATE_STATE_")
}

// find returns the mandate with the id, or refuses with NotFound.
func find(v state.View, rule, id string) (*mandatev1.Mandate, error) {
	m, ok := mandates.Get(v, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no mandate %.40q", id)
	}
	return m, nil
}

func wrongState(rule string, m *mandatev1.Mandate) error {
	return act.Refuse(fault.IllegalTransition, rule, "mandate %s is %s", m.Id, short(m))
}

// keep writes a mandate and says so.
func keep(a *act.Act, rule string, m *mandatev1.Mandate) {
	mandates.Put(a.Tx, m.Id, m)
	a.Emit(rule, strings.ToLower(short(m)), mandateKey(m.Id), accountKey(m.Principal), accountKey(m.Agent))
}

// enter and leave keep the indices of the mandates that stand.
func enter(tx *state.Tx, m *mandatev1.Mandate) {
	byPrincipal.Put(tx, m.Principal+"\x00"+m.Id, "")
	byAgent.Put(tx, m.Agent+"\x00"+m.Principal+"\x00"+m.Id, "")
}

func leave(tx *state.Tx, m *mandatev1.Mandate) {
	byPrincipal.Delete(tx, m.Principal+"\x00"+m.Id)
	byAgent.Delete(tx, m.Agent+"\x00"+m.Principal+"\x00"+m.Id)
}

// finish ends a mandate for good.
func finish(a *act.Act, rule string, m *mandatev1.Mandate, s mandatev1.MandateState) {
	m.State, m.DueMs, m.EndedMs, m.EndedBy = s, 0, a.TimeMs, a.Signer()
	leave(a.Tx, m)
	keep(a, rule, m)
}

// due lets the ledger look at a mandate again.
func due(a *act.Act, m *mandatev1.Mandate, atMs int64) {
	m.DueMs = atMs
	dueIndex.Put(a.Tx, state.Ordered(atMs)+"/"+m.Id, "")
}

// standing returns the mandates of a principal that stand.
func standing(v state.View, principal string) (out []*mandatev1.Mandate) {
	byPrincipal.Range(v, principal+"\x00", "", func(k, _ string) bool {
		if m, ok := mandates.Get(v, k[len(principal)+1:]); ok {
			out = append(out, m)
		}
		return true
	})
	return out
}

// between returns the mandates that stand of an agent for a principal.
func between(v state.View, agent, principal string) (out []*mandatev1.Mandate) {
	prefix := agent + "\x00" + principal + "\x00"
	byAgent.Range(v, prefix, "", func(k, _ string) bool {
		if m, ok := mandates.Get(v, k[len(prefix):]); ok {
			out = append(out, m)
		}
		return true
	})
	return out
}

// counts reports whether a mandate counts at that moment: it is active, within its dates,
// and nobody who signed it was recovered since.
func counts(v state.View, m *mandatev1.Mandate, timeMs int64) bool {
	return m.State == active && timeMs >= m.FromMs && timeMs < m.UntilMs && !staleOf(v, m, ofPrincipal) && !staleOf(v, m, ofAgent)
}

// staleOf reports whether that side has signed with keys that a recovery has replaced, and
// has not said yes again.
func staleOf(v state.View, m *mandatev1.Mandate, side mandatev1.SuspensionKind) bool {
	if side == ofPrincipal {
		return m.PrincipalBy == m.Principal && recovery.Count(v, m.Principal) > m.PrincipalRecoveries
	}
	return m.AcceptedMs != 0 && recovery.Count(v, m.Agent) > m.AgentRecoveries
}

// suspend adds a cause to a mandate that is active or suspended already.
func suspend(m *mandatev1.Mandate, cause mandatev1.SuspensionKind) {
	if at, has := slices.BinarySearch(m.Suspensions, cause); !has {
		m.Suspensions = slices.Insert(m.Suspensions, at, cause)
	}
	m.State = suspended
}
