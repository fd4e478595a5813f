package governance

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state"
)

// checkChange returns the first reason why a change cannot be carried out now, or
// nil. It is asked when the change is proposed, and again when it is accepted: what
// could be done then may be impossible now.
func checkChange(a *act.Act, rule string, c *governancev1.Change) error {
	v := a.Tx
	switch k := c.GetKind().(type) {
	case *governancev1.Change_AdmitMember:
		return checkAdmit(v, rule, k.AdmitMember)
	case *governancev1.Change_RemoveMember:
		return checkRemove(v, rule, k.RemoveMember)
	case *governancev1.Change_GrantRole:
		return checkGrant(v, rule, k.GrantRole)
	case *governancev1.Change_RevokeRole:
		return checkRevoke(v, rule, k.RevokeRole)
	case *governancev1.Change_SetParameters:
		return checkParameters(v, rule, k.SetParameters)
	case *governancev1.Change_SetClockProfile:
		return checkProfile(rule, k.SetClockProfile)
	case *governancev1.Change_SetCalendar:
		return checkCalendar(rule, k.SetCalendar)
	case *governancev1.Change_SetValidator:
		return checkValidator(v, rule, k.SetValidator)
	case *governancev1.Change_Admit:
		return checkAdmission(v, rule, k.Admit)
	case *governancev1.Change_ReplaceValidatorKey:
		return checkRotation(v, rule, k.ReplaceValidatorKey)
	case *governancev1.Change_Upgrade:
		return checkUpgrade(a, rule, k.Upgrade)
	case *governancev1.Change_CancelUpgrade:
		return checkCancel(v, rule, k.CancelUpgrade)
	case *governancev1.Change_Suspend:
		return checkSuspend(a, rule, k.Suspend)
	case *governancev1.Change_ConfirmSuspension:
		return checkConfirm(v, rule, k.ConfirmSuspension)
	case *governancev1.Change_LiftSuspension:
		return checkLift(v, rule, k.LiftSuspension)
	case *governancev1.Change_RemoveAbsent:
		return checkAbsent(a, rule, k.RemoveAbsent)
	}
	return checkForeign(a, rule, c)
}

// carryOut does what a change says, which checkChange has just passed.
func carryOut(a *act.Act, c *governancev1.Change) {
	const verb = "governance/carry_out"
	switch k := c.GetKind().(type) {
	case *governancev1.Change_AdmitMember:
		admit(a.Tx, a.TimeMs, k.AdmitMember)
		recount.Put(a.Tx, "", "")
		a.Emit(verb, "admit_member", subject("member", k.AdmitMember.Org))
	case *governancev1.Change_RemoveMember:
		removeMember(a, k.RemoveMember)
		a.Emit(verb, "remove_member", subject("member", k.RemoveMember))
	case *governancev1.Change_GrantRole:
		key := grant(a.Tx, a.TimeMs, k.GrantRole)
		a.Emit(verb, "grant_role", subject("role", key))
	case *governancev1.Change_RevokeRole:
		key := act.RoleKey(k.RevokeRole.Role, k.RevokeRole.Account)
		act.Roles.Delete(a.Tx, key)
		a.Emit(verb, "revoke_role", subject("role", key))
	case *governancev1.Change_SetParameters:
		putParameters(a.Tx, k.SetParameters)
		recount.Put(a.Tx, "", "")
		a.Emit(verb, "set_parameters", parametersKey)
	case *governancev1.Change_SetClockProfile:
		clocks.Put(a.Tx, k.SetClockProfile.Name, k.SetClockProfile)
		a.Emit(verb, "set_clock_profile", subject("clocks", k.SetClockProfile.Name))
	case *governancev1.Change_SetCalendar:
		calendar.Put(a.Tx, yearKey(k.SetCalendar.Year), k.SetCalendar)
		a.Emit(verb, "set_calendar", subject("calendar", yearKey(k.SetCalendar.Year)))
	case *governancev1.Change_SetValidator:
		setValidator(a.Tx, k.SetValidator)
		a.Emit(verb, "set_validator", subject("validator", validatorKey(k.SetValidator.PublicKey)))
	case *governancev1.Change_Admit:
		admit(a.Tx, a.TimeMs, k.Admit.Member)
		setValidator(a.Tx, k.Admit.Validator)
		recount.Put(a.Tx, "", "")
		a.Emit(verb, "admit", subject("member", k.Admit.Member.Org), subject("validator", validatorKey(k.Admit.Validator.PublicKey)))
	default:
		carryOutMore(a, verb, c)
	}
}

// carryOutMore is carryOut for the rarer kinds.
func carryOutMore(a *act.Act, verb string, c *governancev1.Change) {
	switch k := c.GetKind().(type) {
	case *governancev1.Change_ReplaceValidatorKey:
		rotate(a.Tx, k.ReplaceValidatorKey)
		a.Emit(verb, "replace_validator_key", subject("validator", validatorKey(k.ReplaceValidatorKey.NewKey)), subject("validator", validatorKey(k.ReplaceValidatorKey.OldKey)))
	case *governancev1.Change_Upgrade:
		schedule(a.Tx, k.Upgrade)
		a.Emit(verb, "upgrade", protocolKey)
	case *governancev1.Change_CancelUpgrade:
		schedule(a.Tx, nil)
		a.Emit(verb, "cancel_upgrade", protocolKey)
	case *governancev1.Change_Suspend:
		suspend(a, k.Suspend)
		a.Emit(verb, "suspend", touched(k.Suspend)...)
	case *governancev1.Change_ConfirmSuspension:
		confirm(a, k.ConfirmSuspension)
		a.Emit(verb, "confirm_suspension", touched(k.ConfirmSuspension)...)
	case *governancev1.Change_LiftSuspension:
		lift(a, suspensionKey(k.LiftSuspension))
		a.Emit(verb, "lift_suspension", touched(k.LiftSuspension)...)
	case *governancev1.Change_RemoveAbsent:
		removeMember(a, k.RemoveAbsent)
		a.Emit(verb, "remove_absent", subject("member", k.RemoveAbsent))
	default:
		carryOutForeign(a, c)
	}
}

// checkAdmit takes a new member, or a member with another weight.
func checkAdmit(v state.View, rule string, m *governancev1.Member) error {
	if err := checkMember(rule, m); err != nil {
		return err
	}
	org, ok := identity.Org(v, m.Org)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no organisation %.40q", m.Org)
	}
	if org.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return act.Refuse(fault.Suspended, rule, "%s is %s", m.Org, org.State)
	}
	if now, ok := act.Members.Get(v, m.Org); ok {
		if now.Weight == m.Weight {
			return act.Refuse(fault.AlreadyExists, rule, "%s is a member with weight %d", m.Org, m.Weight)
		}
		return nil
	}
	if n := len(Members(v)); n >= MaxMembers {
		return act.Refuse(fault.TooLong, rule, "there are %d members, at most %d", n, MaxMembers)
	}
	return nil
}

// checkMember checks what of a member needs no state.
func checkMember(rule string, m *governancev1.Member) error {
	switch {
	case m.GetWeight() < 1 || m.Weight > MaxWeight:
		return act.Refuse(fault.OutOfRange, rule, "weight %d: 1 to %d are possible", m.GetWeight(), MaxWeight)
	case m.SinceMs != 0 || m.ActedMs != 0:
		return act.Refuse(fault.Malformed, rule, "since_ms and acted_ms are set by the ledger")
	}
	return nil
}

func admit(tx *state.Tx, timeMs int64, m *governancev1.Member) {
	since, acted := timeMs, int64(0)
	if now, ok := act.Members.Get(tx, m.Org); ok {
		since, acted = now.SinceMs, now.ActedMs
	}
	act.Members.Put(tx, m.Org, &governancev1.Member{Org: m.Org, Weight: m.Weight, SinceMs: since, ActedMs: acted})
}

// checkAdmission takes a new member with its first validator.
func checkAdmission(v state.View, rule string, m *governancev1.Admission) error {
	n := m.GetValidator()
	switch {
	case m.GetMember() == nil || n == nil:
		return act.Refuse(fault.Missing, rule, "an admission names a member and its validator")
	case n.Power == 0:
		return act.Refuse(fault.OutOfRange, rule, "power 0 removes a validator")
	case n.Org != m.Member.Org:
		return act.Refuse(fault.CodeInconsistent, rule, "the validator is run by %.40q, not by %.40q", n.Org, m.Member.Org)
	case act.Members.Has(v, m.Member.Org):
		return act.Refuse(fault.AlreadyExists, rule, "%s is a member", m.Member.Org)
	case validators.Has(v, validatorKey(n.PublicKey)):
		return act.Refuse(fault.AlreadyExists, rule, "there is such a validator")
	case len(Validators(v)) >= MaxValidators:
		return act.Refuse(fault.TooLong, rule, "there are %d validators, at most %d", len(Validators(v)), MaxValidators)
	}
	if err := checkAdmit(v, rule, m.Member); err != nil {
		return err
	}
	if err := checkNode(rule, n); err != nil {
		return err
	}
	return checkPin(v, rule, n)
}

// checkRemove holds invariant 1: a member and a validator remain. The validators
// that the member runs go with it.
func checkRemove(v state.View, rule, org string) error {
	if !act.Members.Has(v, org) {
		return act.Refuse(fault.NotFound, rule, "%.40q is no member", org)
	}
	if len(Members(v)) == 1 {
		return act.Refuse(fault.IllegalTransition, rule, "%s is the last member", org)
	}
	if gone := len(runBy(v, org)); gone > 0 && gone == len(Validators(v)) {
		return act.Refuse(fault.IllegalTransition, rule, "%s runs all validators: another member has to run one first", org)
	}
	return nil
}

func removeMember(a *act.Act, org string) {
	for _, n := range runBy(a.Tx, org) {
		putValidator(a.Tx, &governancev1.Validator{PublicKey: n.PublicKey})
	}
	act.Members.Delete(a.Tx, org)
	recount.Put(a.Tx, "", "")
}

// runBy returns the validators that the organisation runs.
func runBy(v state.View, org string) (out []*governancev1.Validator) {
	for _, n := range Validators(v) {
		if n.Org == org {
			out = append(out, n)
		}
	}
	return out
}

func checkGrant(v state.View, rule string, r *governancev1.RoleGrant) error {
	if err := checkRole(rule, r); err != nil {
		return err
	}
	if _, ok := identity.Lookup(v, r.Account); !ok {
		return act.Refuse(fault.NotFound, rule, "there is no account %.100q", r.Account)
	}
	if act.Roles.Has(v, act.RoleKey(r.Role, r.Account)) {
		return act.Refuse(fault.AlreadyExists, rule, "%s holds the role %s", r.Account, r.Role)
	}
	return nil
}

func checkRevoke(v state.View, rule string, r *governancev1.RoleGrant) error {
	if err := checkRole(rule, r); err != nil {
		return err
	}
	if !act.Roles.Has(v, act.RoleKey(r.Role, r.Account)) {
		return act.Refuse(fault.NotFound, rule, "%.100q does not hold the role %s", r.Account, r.Role)
	}
	return nil
}

// checkRole checks what of a grant needs no state.
func checkRole(rule string, r *governancev1.RoleGrant) error {
	switch {
	case r.GetRole() < governancev1.Role_ROLE_AUTHORITY || r.Role > governancev1.Role_ROLE_CUSTODIAN:
		return act.Refuse(fault.OutOfRange, rule, "role %d: 1 to 9 are possible", r.GetRole())
	case r.SinceMs != 0:
		return act.Refuse(fault.Malformed, rule, "since_ms is set by the ledger")
	}
	return nil
}

func grant(tx *state.Tx, timeMs int64, r *governancev1.RoleGrant) (key string) {
	key = act.RoleKey(r.Role, r.Account)
	act.Roles.Put(tx, key, &governancev1.RoleGrant{Role: r.Role, Account: r.Account, SinceMs: timeMs})
	return key
}

// checkValidator takes a new validator, another power, name or SM2 key for one, or
// power 0 to remove one. A validator that another member runs passes to the new one.
func checkValidator(v state.View, rule string, n *governancev1.Validator) error {
	if err := checkNode(rule, n); err != nil {
		return err
	}
	there := validators.Has(v, validatorKey(n.PublicKey))
	count := len(Validators(v))
	switch {
	case n.Power == 0 && !there:
		return act.Refuse(fault.NotFound, rule, "there is no such validator to remove")
	case n.Power == 0 && count == 1:
		return act.Refuse(fault.IllegalTransition, rule, "it is the last validator")
	case n.Power == 0:
		return nil
	case !act.Members.Has(v, n.Org):
		return act.Refuse(fault.NotFound, rule, "%.40q is no member, and only members run validators", n.Org)
	case !there && count >= MaxValidators:
		return act.Refuse(fault.TooLong, rule, "there are %d validators, at most %d", count, MaxValidators)
	}
	return checkPin(v, rule, n)
}

// checkPin refuses an SM2 key that is pinned for another validator: one key would
// then count with the power of two.
func checkPin(v state.View, rule string, n *governancev1.Validator) error {
	if len(n.Sm2Key) == 0 {
		return nil
	}
	for _, other := range Validators(v) {
		if bytes.Equal(other.Sm2Key, n.Sm2Key) && !bytes.Equal(other.PublicKey, n.PublicKey) {
			return act.Refuse(fault.Duplicate, rule, "validator %s signs with this sm2_key", other.Name)
		}
	}
	return nil
}

// checkNode checks what of a validator needs no state.
func checkNode(rule string, n *governancev1.Validator) error {
	if _, err := sm.ParsePublic(sm.Ed25519, n.GetPublicKey()); err != nil {
		return act.Refuse(fault.Malformed, rule, "public_key: %v", err)
	}
	if n.Power > MaxPower {
		return act.Refuse(fault.OutOfRange, rule, "power %d: at most %d", n.Power, MaxPower)
	}
	if len(n.Sm2Key) > 0 {
		if n.Power == 0 {
			return act.Refuse(fault.Malformed, rule, "sm2_key: a validator that is removed has none")
		}
		if _, err := sm.ParsePublic(sm.SM2, n.Sm2Key); err != nil {
			return act.Refuse(fault.Malformed, rule, "sm2_key: %v", err)
		}
	}
	if err := act.Line(rule, "org", n.Org, MaxNodeName, n.Power > 0); err != nil {
		return err
	}
	return act.Line(rule, "name", n.Name, MaxNodeName, n.Power > 0)
}

// setValidator is putValidator for a change that was voted: one that states no SM2
// key leaves the pinned one, so that a vote on the power does not unpin it unseen.
func setValidator(tx *state.Tx, n *governancev1.Validator) {
	was, ok := validators.Get(tx, validatorKey(n.PublicKey))
	if ok && n.Power > 0 && len(n.Sm2Key) == 0 && len(was.Sm2Key) > 0 {
		n = proto.CloneOf(n)
		n.Sm2Key = was.Sm2Key
	}
	putValidator(tx, n)
}

// putValidator writes or, with power 0, removes a validator, and marks it for the
// end of the block.
func putValidator(tx *state.Tx, n *governancev1.Validator) {
	key := validatorKey(n.PublicKey)
	if n.Power == 0 {
		validators.Delete(tx, key)
	} else {
		validators.Put(tx, key, n)
	}
	changed.Put(tx, key, "")
}
