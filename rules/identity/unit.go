package identity

import (
	"mulian/internal/fault"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// RegisterUnit adds a department or post to the organisation that signs, ROOT.
//
// It returns, in this order: Forbidden; OutOfRange for another kind; what is wrong
// with local id, name and keys; NotFound if the department above is not there;
// AlreadyExists if the id is taken.
func RegisterUnit(a *act.Act, m *identityv1.RegisterUnit) error {
	const rule = "identity/register_unit"
	if err := needItself(a, rule); err != nil {
		return err
	}
	letter := ""
	switch m.Kind {
	case identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT:
		letter = "d"
	case identityv1.AccountKind_ACCOUNT_KIND_POST:
		letter = "p"
	default:
		return act.Refuse(fault.OutOfRange, rule, "kind %s: a department or a post can be added", m.Kind)
	}
	if err := checkLocal(rule, "local_id", m.LocalId); err != nil {
		return err
	}
	if err := act.Line(rule, "name", m.Name, MaxName, true); err != nil {
		return err
	}
	if err := checkNewKeys(rule, m.Keys, m.Kind, a.TimeMs); err != nil {
		return err
	}
	org := a.Signer()
	if m.Parent != "" {
		if err := checkLocal(rule, "parent", m.Parent); err != nil {
			return err
		}
		if _, ok := accounts.Get(a.Tx, org+"/d/"+m.Parent); !ok {
			return act.Refuse(fault.NotFound, rule, "%s has no department %s", org, m.Parent)
		}
	}
	id := org + "/" + letter + "/" + m.LocalId
	if _, taken := accounts.Get(a.Tx, id); taken {
		return act.Refuse(fault.AlreadyExists, rule, "%s is there already", id)
	}
	put(a.Tx, &identityv1.Account{
		Id: id, Kind: m.Kind, State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE, Org: org,
		Keys: activate(m.Keys, a.TimeMs), CreatedMs: a.TimeMs, Name: m.Name, Parent: m.Parent,
	})
	a.Emit(rule, "", subject(id), subject(org))
	return nil
}

// checkLocal refuses what is no local id: Missing, TooLong or Malformed.
func checkLocal(rule, field, id string) error {
	switch {
	case id == "":
		return act.Refuse(fault.Missing, rule, "%s is missing", field)
	case len(id) > MaxLocalID:
		return act.Refuse(fault.TooLong, rule, "%s: %d characters, at most %d", field, len(id), MaxLocalID)
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return act.Refuse(fault.Malformed, rule, "%s %q: small letters, digits and - are possible", field, id)
		}
	}
	return nil
}
