package identity

import (
	"mulian/internal/fault"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// FreezeAccount stops the account of a person or firm. Its holder signs with any of its
// keys, also one that may have been copied: what it can do is stop, and who was robbed has
// no time. Or an identity authority signs for a holder who called or came, OFFICER.
//
// It returns, in this order: NotFound; OutOfRange if the account is no person's or firm's;
// Forbidden; what is wrong with the cause; IllegalTransition if the account is not active.
func FreezeAccount(a *act.Act, m *identityv1.FreezeAccount) error {
	const rule = "identity/freeze_account"
	acc, err := owned(a, rule, m.Account)
	if err != nil {
		return err
	}
	if a.Signer() != acc.Id {
		if err := a.NeedRole(governancev1.Role_ROLE_IDENTITY, officerLevel); err != nil {
			return err
		}
	}
	if err := act.Text(rule, "cause", m.Cause, MaxCause, false); err != nil {
		return err
	}
	if !Freeze(a, acc.Id, a.Signer(), m.Cause) {
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s", acc.Id, acc.State)
	}
	a.Emit(rule, "", subject(acc.Id))
	return nil
}

// UnfreezeAccount lets the account sign again. Its holder signs, OFFICER, with a step-up:
// a thief has the device, perhaps its code, but not the face.
//
// It returns, in this order: NotFound; OutOfRange if the account is no person's or firm's;
// Forbidden; LevelTooLow without a step-up; IllegalTransition if it is not frozen.
func UnfreezeAccount(a *act.Act, m *identityv1.UnfreezeAccount) error {
	const rule = "identity/unfreeze_account"
	acc, err := owned(a, rule, m.Account)
	if err != nil {
		return err
	}
	if a.Signer() != acc.Id {
		return act.Refuse(fault.Forbidden, rule, "%s is unfrozen by its holder", acc.Id)
	}
	if err := a.Need(officerLevel); err != nil {
		return err
	}
	if err := a.NeedStepUp(); err != nil {
		return err
	}
	if acc.State != identityv1.AccountState_ACCOUNT_STATE_FROZEN {
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s", acc.Id, acc.State)
	}
	acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_ACTIVE, "", ""
	put(a.Tx, acc)
	a.Emit(rule, "", subject(acc.Id))
	return nil
}

// Freeze freezes an active account and reports whether it was one. by is who or what did
// it; the caller has checked that it may, and emits the event.
func Freeze(a *act.Act, account, by, cause string) bool {
	acc, ok := accounts.Get(a.Tx, account)
	if !ok || acc.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return false
	}
	acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_FROZEN, cause, by
	put(a.Tx, acc)
	return true
}
