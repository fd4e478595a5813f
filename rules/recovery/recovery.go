package recovery

import (
	"cmp"
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
)

// The tables. Their encoding is part of the chain.
var (
	policies   = state.NewTable[recoveryv1.RecoveryPolicy]("recovery/policy") // by account
	recoveries = state.NewTable[recoveryv1.Recovery]("recovery/recovery")     // by id
	executed   = state.NewTable[recoveryv1.LastRecovery]("recovery/executed") // by account
	deaths     = state.NewTable[recoveryv1.Death]("recovery/death")           // by account

	running  = state.NewIndex("recovery/running") // account -> id of the attempt that runs
	lostAt   = state.NewIndex("recovery/lost")    // "<account>/<key>" -> desk that reported the loss, "" = the holder
	dueIndex = state.NewIndex("recovery/due")     // "<ms, ordered>/<kind>/<id or account>"
)

// Kinds in dueIndex.
const (
	dueAttempt = "attempt"
	duePolicy  = "policy"
)

const (
	open      = recoveryv1.RecoveryState_RECOVERY_STATE_OPEN
	locked    = recoveryv1.RecoveryState_RECOVERY_STATE_LOCKED
	review    = recoveryv1.RecoveryState_RECOVERY_STATE_REVIEW
	done      = recoveryv1.RecoveryState_RECOVERY_STATE_EXECUTED
	vetoed    = recoveryv1.RecoveryState_RECOVERY_STATE_VETOED
	cancelled = recoveryv1.RecoveryState_RECOVERY_STATE_CANCELLED
	expired   = recoveryv1.RecoveryState_RECOVERY_STATE_EXPIRED

	byCounter   = recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER
	byGuardians = recoveryv1.RecoveryPath_RECOVERY_PATH_GUARDIANS
	byCode      = recoveryv1.RecoveryPath_RECOVERY_PATH_CODE

	officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER
	root    = identityv1.KeyLevel_KEY_LEVEL_ROOT
)

func recoveryKey(id string) string { return recoveries.Name() + "/" + id }

func accountKey(id string) string { return "identity/account/" + id }

// Desk is the department under which an officer signs: that of his post, or the department
// itself. It is "" for who has none: an organisation, a gateway, a person, a post that
// belongs to no department.
func Desk(acc *identityv1.Account) string {
	switch acc.GetKind() {
	case identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT:
		return acc.Id
	case identityv1.AccountKind_ACCOUNT_KIND_POST:
		if acc.Parent != "" {
			return acc.Org + "/d/" + acc.Parent
		}
	}
	return ""
}

// NeedDesk returns the desk of an officer of an identity authority, or refuses with
// Forbidden: no role, no OFFICER key, no desk.
func NeedDesk(a *act.Act, rule string) (string, error) {
	if err := a.NeedRole(governancev1.Role_ROLE_IDENTITY, officer); err != nil {
		return "", err
	}
	desk := Desk(a.Account)
	if desk == "" {
		return "", act.Refuse(fault.Forbidden, rule, "%s signs for no desk: an officer signs under a post of a department", a.Signer())
	}
	return desk, nil
}

// holder returns the account if it is one that can be recovered: NotFound, OutOfRange.
func holder(v state.View, rule, id string) (*identityv1.Account, error) {
	acc, ok := identity.Lookup(v, id)
	switch {
	case !ok:
		return nil, act.Refuse(fault.NotFound, rule, "there is no account %.100q", id)
	case acc.Kind != identityv1.AccountKind_ACCOUNT_KIND_PERSON && acc.Kind != identityv1.AccountKind_ACCOUNT_KIND_FIRM:
		return nil, act.Refuse(fault.OutOfRange, rule, "%s is an account of an organisation, whose authority keeps its keys", acc.Id)
	}
	return acc, nil
}

// attempt returns the attempt with the id, or refuses with NotFound.
func attempt(v state.View, rule, id string) (*recoveryv1.Recovery, error) {
	r, ok := recoveries.Get(v, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no recovery %.40q", id)
	}
	return r, nil
}

// wrongState is the refusal of a step that the attempt's state does not have.
func wrongState(rule string, r *recoveryv1.Recovery) error {
	return act.Refuse(fault.IllegalTransition, rule, "recovery %s is %s", r.Id, short(r))
}

func short(r *recoveryv1.Recovery) string {
	return strings.TrimPrefix(r.State.String(), "RECOVERY_STATE_")
}

// lockHours is how long an attempt is locked.
func lockHours(v state.View, r *recoveryv1.Recovery) int64 {
	p := governance.Parameters(v)
	hours := cmp.Or(p.RecoveryGuardianHours, guardianHours)
	switch r.Path {
	case byCounter:
		faces := true
		for _, x := range r.Approvals {
			faces = faces && x.Face == recoveryv1.FaceResult_FACE_RESULT_MATCHED
		}
		if faces {
			hours = cmp.Or(p.RecoveryCounterHours, counterHours)
		}
	case byCode:
		hours = cmp.Or(p.RecoveryCodeHours, codeHours)
	}
	policy, _ := policies.Get(v, r.Account)
	return int64(max(hours, policy.GetLockHours()))
}

// due lets the ledger look at something again.
func due(a *act.Act, atMs int64, kind, id string) {
	dueIndex.Put(a.Tx, state.Ordered(atMs)+"/"+kind+"/"+id, "")
}

// proceed lets an attempt wait for those who still have to vouch, or locks it.
func proceed(a *act.Act, r *recoveryv1.Recovery) {
	if len(r.Approvals) >= int(r.Needed) {
		lock(a, r)
		return
	}
	hours := int64(cmp.Or(governance.Parameters(a.Tx).RecoveryOpenHours, openHours))
	r.State, r.DueMs = open, a.TimeMs+hours*hourMs
	due(a, r.DueMs, dueAttempt, r.Id)
}

// lock starts the time in which an attempt can be vetoed, from now on.
func lock(a *act.Act, r *recoveryv1.Recovery) {
	r.State, r.LockedMs, r.DueMs = locked, a.TimeMs, a.TimeMs+lockHours(a.Tx, r)*hourMs
	due(a, r.DueMs, dueAttempt, r.Id)
}

// keep writes an attempt and says so, and which other records were written with it.
func keep(a *act.Act, rule string, r *recoveryv1.Recovery, others ...string) {
	recoveries.Put(a.Tx, r.Id, r)
	a.Emit(rule, strings.ToLower(short(r)), append([]string{recoveryKey(r.Id), accountKey(r.Account)}, others...)...)
}

// finish ends an attempt: the account can sign again, if only the review held it, and a
// change of the roster that waited for the end takes effect.
func finish(a *act.Act, rule string, r *recoveryv1.Recovery, s recoveryv1.RecoveryState, code fault.Code, others ...string) {
	if r.VetoKey != "" && s != done {
		identity.LetGo(a.Tx, r.Account)
	}
	r.State, r.Code, r.DueMs, r.EndedMs, r.EndedBy = s, uint32(code), 0, a.TimeMs, a.Signer()
	running.Delete(a.Tx, r.Account)
	keep(a, rule, r, others...)
	changeRoster(a, r.Account)
}
