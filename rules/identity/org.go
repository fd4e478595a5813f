package identity

import (
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/state"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// RegisterOrg brings an organisation on board. The signer holds the role AUTHORITY
// with an OFFICER key: it vouches that code and keys belong together, for nothing
// on the ledger could show that.
//
// It returns, in this order: Forbidden; CodeInconsistent if the code is no
// 统一社会信用代码; what is wrong with the profile (Missing, TooLong, Malformed,
// OutOfRange, CodeInconsistent) and with the keys; AlreadyExists if the code is
// taken; DuplicateName if the name is.
func RegisterOrg(a *act.Act, m *identityv1.RegisterOrg) error {
	const rule = "identity/register_org"
	if err := a.NeedRole(governancev1.Role_ROLE_AUTHORITY, officerLevel); err != nil {
		return err
	}
	if err := createOrg(a.Tx, rule, a.TimeMs, m.Code, m.Profile, m.Keys); err != nil {
		return err
	}
	a.Emit(rule, "", subject(m.Code))
	return nil
}

// CreateFounder writes the account of an organisation of the genesis. Nobody
// vouches for it but the other founders, who sign the same bytes. It refuses like
// [RegisterOrg].
func CreateFounder(tx *state.Tx, timeMs int64, f *governancev1.Founder) error {
	return createOrg(tx, "identity/create_founder", timeMs, f.GetCode(), f.GetProfile(), f.GetKeys())
}

func createOrg(tx *state.Tx, rule string, timeMs int64, org string, profile *identityv1.OrgProfile, keys []*identityv1.Key) error {
	if err := code.CheckUSCC(org); err != nil {
		return act.Refuse(fault.CodeInconsistent, rule, "%.40q: %v", org, err)
	}
	if err := checkProfile(rule, org, profile); err != nil {
		return err
	}
	if err := checkNewKeys(rule, keys, identityv1.AccountKind_ACCOUNT_KIND_ORG, timeMs); err != nil {
		return err
	}
	if _, taken := accounts.Get(tx, org); taken {
		return act.Refuse(fault.AlreadyExists, rule, "%s is on board already", org)
	}
	if err := takeName(tx, rule, org, profile.Name, ""); err != nil {
		return err
	}
	put(tx, &identityv1.Account{
		Id: org, Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE,
		Org: org, Keys: activate(keys, timeMs), CreatedMs: timeMs, Profile: profile,
	})
	return nil
}

// UpdateOrg replaces the profile of the signer's organisation, which signs itself
// with a ROOT key.
//
// It returns, in this order: Forbidden; what is wrong with the profile;
// VersionConflict if the account has moved on since the signer saw it;
// DuplicateName.
func UpdateOrg(a *act.Act, m *identityv1.UpdateOrg) error {
	const rule = "identity/update_org"
	if err := needItself(a, rule); err != nil {
		return err
	}
	if err := checkProfile(rule, a.Signer(), m.Profile); err != nil {
		return err
	}
	acc, _ := accounts.Get(a.Tx, a.Signer())
	if acc.Version != m.Version {
		return act.Refuse(fault.VersionConflict, rule, "%s is at version %d, not %d", acc.Id, acc.Version, m.Version)
	}
	if err := takeName(a.Tx, rule, acc.Id, m.Profile.Name, acc.Profile.Name); err != nil {
		return err
	}
	acc.Profile = m.Profile
	put(a.Tx, acc)
	a.Emit(rule, "", subject(acc.Id))
	return nil
}

// needItself refuses with Forbidden unless an organisation signs itself, ROOT.
func needItself(a *act.Act, rule string) error {
	if a.Account.GetKind() != identityv1.AccountKind_ACCOUNT_KIND_ORG {
		return act.Refuse(fault.Forbidden, rule, "%s is not an organisation", a.Signer())
	}
	return a.Need(rootLevel)
}

// checkProfile returns the first fault of a profile. The organisation above need
// not be on board: ministries are above many who are.
func checkProfile(rule, org string, p *identityv1.OrgProfile) error {
	if p == nil {
		return act.Refuse(fault.Missing, rule, "the profile is missing")
	}
	for _, t := range []struct {
		field, text string
		max         int
		needed      bool
	}{
		{"name", p.Name, MaxOrgName, true},
		{"short_name", p.ShortName, MaxShortName, false},
		{"name_en", p.NameEn, MaxOrgName, false},
		{"sharing_office", p.SharingOffice, MaxOrgName, false},
	} {
		if err := act.Line(rule, t.field, t.text, t.max, t.needed); err != nil {
			return err
		}
	}
	if _, ok := code.Key(p.Name); !ok {
		return act.Refuse(fault.Malformed, rule, "the name has nothing to compare names by")
	}
	if p.Level < identityv1.OrgLevel_ORG_LEVEL_NATIONAL || p.Level > identityv1.OrgLevel_ORG_LEVEL_COUNTY {
		return act.Refuse(fault.OutOfRange, rule, "level %d: 1 to 4 are possible", p.Level)
	}
	if err := code.CheckRegion(p.Region); err != nil {
		return act.Refuse(fault.OutOfRange, rule, "region %.10q: %v", p.Region, err)
	}
	if p.Parent != "" {
		if err := code.CheckUSCC(p.Parent); err != nil {
			return act.Refuse(fault.CodeInconsistent, rule, "parent %.40q: %v", p.Parent, err)
		}
		if p.Parent == org {
			return act.Refuse(fault.CodeInconsistent, rule, "%s cannot be above itself", org)
		}
	}
	if g := p.GuidanceCode; g != "" && (len(g) != 2 || g < "02" || g > "99" || g[1] < '0' || g[1] > '9') {
		return act.Refuse(fault.OutOfRange, rule, "guidance code %.10q: 02 to 99 are possible", g)
	}
	return nil
}
