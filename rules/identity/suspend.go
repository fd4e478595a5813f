package identity

import (
	"mulian/internal/fault"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// SuspendAccount stops an account from signing, and with an organisation all that
// acts for it. The signer holds the role AUTHORITY, or acts for the account's
// organisation; OFFICER. An organisation does not suspend itself, for it could not
// come back; and a member of the consortium is not suspended, for the authority
// could then outvote the others by silencing them: its membership ends by vote
// first.
//
// It returns, in this order: NotFound; Forbidden; what is wrong with the cause;
// IllegalTransition if the account is not active.
func SuspendAccount(a *act.Act, m *identityv1.SuspendAccount) error {
	const rule = "identity/suspend_account"
	acc, ok := accounts.Get(a.Tx, m.Account)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no account %.100q", m.Account)
	}
	if err := needOver(a, rule, acc); err != nil {
		return err
	}
	if _, member := act.Members.Get(a.Tx, acc.Id); member {
		return act.Refuse(fault.Forbidden, rule, "%s is a member of the consortium: its membership has to end by vote first", acc.Id)
	}
	if err := act.Text(rule, "cause", m.Cause, MaxCause, true); err != nil {
		return err
	}
	if acc.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s", acc.Id, acc.State)
	}
	acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_SUSPENDED, m.Cause, a.Signer()
	put(a.Tx, acc)
	a.Emit(rule, "", subject(acc.Id))
	return nil
}

// ResumeAccount ends a suspension. The signer holds the role AUTHORITY, or acts for
// the account's organisation if it had suspended it; OFFICER.
//
// It returns, in this order: NotFound; Forbidden; IllegalTransition if the account
// is not suspended; Forbidden if the suspension is the authority's, or was voted.
func ResumeAccount(a *act.Act, m *identityv1.ResumeAccount) error {
	const rule = "identity/resume_account"
	acc, ok := accounts.Get(a.Tx, m.Account)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no account %.100q", m.Account)
	}
	if err := needOver(a, rule, acc); err != nil {
		return err
	}
	if acc.State != identityv1.AccountState_ACCOUNT_STATE_SUSPENDED {
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s", acc.Id, acc.State)
	}
	if acc.SuspendedBy == ByVote {
		return act.Refuse(fault.Forbidden, rule, "%s was suspended by vote, and a vote has to end it", acc.Id)
	}
	if acc.SuspendedBy == ByRecovery {
		return act.Refuse(fault.Forbidden, rule, "%s is held while persons look at its recovery, or because its holder has died", acc.Id)
	}
	if !a.Has(governancev1.Role_ROLE_AUTHORITY) {
		by, _ := accounts.Get(a.Tx, acc.SuspendedBy)
		if by.GetOrg() != acc.Org {
			return act.Refuse(fault.Forbidden, rule, "%s was suspended by %s, who has to end it", acc.Id, acc.SuspendedBy)
		}
	}
	acc.State, acc.SuspendedCause, acc.SuspendedBy = identityv1.AccountState_ACCOUNT_STATE_ACTIVE, "", ""
	put(a.Tx, acc)
	a.Emit(rule, "", subject(acc.Id))
	return nil
}

// needOver refuses with Forbidden unless the signer may suspend the account: as
// authority, or as the organisation of a department, post or gateway.
func needOver(a *act.Act, rule string, acc *identityv1.Account) error {
	if a.Has(governancev1.Role_ROLE_AUTHORITY) {
		return a.Need(officerLevel)
	}
	if acc.Org == "" || acc.Org == acc.Id {
		return act.Refuse(fault.Forbidden, rule, "%s may not suspend or resume %s", a.Signer(), acc.Id)
	}
	return a.NeedOrg(acc.Org, officerLevel)
}
