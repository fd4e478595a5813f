package custody

import (
	"bytes"

	custodyv1 "mulian/gen/mulian/custody/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	codes "mulian/internal/custody"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// OpenCustody begins an account for a person without a device.
//
// In this order: Forbidden (role, level, desk); Malformed (id); AlreadyExists (account, or an
// opening that runs); NotFound (custodian); Forbidden (he has not the role, or is the officer's
// own organisation); Missing, Malformed (evidence); OutOfRange, FaceMismatch.
func OpenCustody(a *act.Act, m *custodyv1.OpenCustody) error {
	const rule = "custody/open_custody"
	o, err := officer(a, rule, m.Custodian, nil)
	if err != nil {
		return err
	}
	if !identity.PersonID(m.Account) {
		return act.Refuse(fault.Malformed, rule, "account %.50q: want p- and 32 hex digits of a random number", m.Account)
	}
	if _, taken := identity.Shared(a.Tx, m.Account); taken {
		return act.Refuse(fault.AlreadyExists, rule, "%s is open already", m.Account)
	}
	if c, ok := custodies.Get(a.Tx, m.Account); ok && c.State != lapsed {
		return act.Refuse(fault.AlreadyExists, rule, "%s is being opened already", m.Account)
	}
	custodian, ok := identity.Org(a.Tx, m.Custodian)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "there is no organisation %.40q", m.Custodian)
	case !act.Holds(a.Tx, custodian, governancev1.Role_ROLE_CUSTODIAN):
		return act.Refuse(fault.Forbidden, rule, "%s is no custodian", m.Custodian)
	}
	if err := seen(rule, o, m.Evidence, m.Face); err != nil {
		return err
	}
	c := &custodyv1.Custody{
		Account: m.Account, Custodian: m.Custodian, State: opening, Officers: []*custodyv1.CustodyOfficer{o},
		OpenedMs: a.TimeMs, DueMs: a.TimeMs + openMs,
	}
	keepOpening(a, rule, c)
	return nil
}

func keepOpening(a *act.Act, rule string, c *custodyv1.Custody) {
	custodies.Put(a.Tx, c.Account, c)
	if c.DueMs != 0 {
		due(a, c.DueMs, dueOpening, c.Account)
	}
	tell(a, rule, "", c.Account, custodyKey(c.Account))
}

// ConfirmCustody vouches for the person, too.
//
// NotFound; Forbidden (role, level, desk); SameDesk; IllegalTransition; Missing, Malformed
// (evidence); OutOfRange, FaceMismatch.
func ConfirmCustody(a *act.Act, m *custodyv1.ConfirmCustody) error {
	const rule = "custody/confirm_custody"
	c, err := find(a.Tx, rule, m.Account)
	if err != nil {
		return err
	}
	o, err := officer(a, rule, c.Custodian, c.Officers)
	if err != nil {
		return err
	}
	if c.State != opening {
		return act.Refuse(fault.IllegalTransition, rule, "the custody of %s is %s", c.Account, c.State)
	}
	if err := seen(rule, o, m.Evidence, m.Face); err != nil {
		return err
	}
	c.Officers, c.State, c.DueMs = append(c.Officers, o), vouched, a.TimeMs+openMs
	keepOpening(a, rule, c)
	return nil
}

// AcceptCustody opens the account: its only key is in the custodian's hardware.
//
// NotFound; Forbidden (another custodian, or no longer one); IllegalTransition; what is wrong
// with the key; BadAuthorisation (possession); Malformed, CodeInconsistent (seal_key); Busy.
func AcceptCustody(a *act.Act, m *custodyv1.AcceptCustody) error {
	const rule = "custody/accept_custody"
	c, err := find(a.Tx, rule, m.Account)
	if err != nil {
		return err
	}
	if err := needCustodian(a, rule, c.Custodian); err != nil {
		return err
	}
	if c.State != vouched {
		return act.Refuse(fault.IllegalTransition, rule, "the custody of %s is %s", c.Account, c.State)
	}
	public, err := identity.CheckCustodial(a.Tx, rule, c.Account, m.Key, a.TimeMs)
	if err != nil {
		return err
	}
	if !public.Verify(codes.KeyMessage(a.ChainID, c.Account, m.Key.Id), m.Possession) {
		return act.Refuse(fault.BadAuthorisation, rule, "possession: the signature is not that of key %s over this account", m.Key.Id)
	}
	if _, err := sm.ParsePublic(sm.P256, m.SealKey); err != nil {
		return act.Refuse(fault.Malformed, rule, "seal_key: %v", err)
	}
	if bytes.Equal(m.SealKey, m.Key.PublicKey) {
		return act.Refuse(fault.CodeInconsistent, rule, "seal_key: a key that signs does not open anything as well")
	}
	if err := identity.OpenCustodial(a, rule, c.Account, m.Key, c.Custodian); err != nil {
		return err
	}
	c.State, c.Key, c.SealKey, c.ActiveMs, c.DueMs = active, m.Key.Id, m.SealKey, a.TimeMs, 0
	keepOpening(a, rule, c)
	return nil
}
