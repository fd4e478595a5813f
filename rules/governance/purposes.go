package governance

import (
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// Bounds of what owners may be asked for, from the schema.
const (
	maxPurposes      = 100
	maxPurposeCode   = 40
	maxPurposeName   = 100
	maxOnceDays      = 365
	maxStandingDays  = 1826
	maxLifeDays      = 3650
	maxGrantCooling  = 86_400
	maxGrantDeletion = 30
)

// checkPurposes takes purposes that ascend by code, none standing longer with sensitive
// items than without, each within its bounds.
func checkPurposes(rule string, list []*governancev1.GrantPurpose) error {
	if err := act.AtMost(rule, "grant_purposes", len(list), maxPurposes); err != nil {
		return err
	}
	for i, p := range list {
		switch {
		case p.Code == "" || len(p.Code) > maxPurposeCode || strings.ContainsFunc(p.Code, notInCode):
			return act.RefuseItem(fault.Malformed, rule, i, "code %.60q: small letters, digits and - are possible, at most %d", p.Code, maxPurposeCode)
		case i > 0 && list[i-1].Code >= p.Code:
			return act.RefuseItem(fault.Malformed, rule, i, "grant_purposes have to ascend by code")
		case p.OnceDays < 1 || p.OnceDays > maxOnceDays || p.StandingDays > maxStandingDays || p.SensitiveDays > p.StandingDays || p.MaxLifeDays < 1 || p.MaxLifeDays > maxLifeDays:
			return act.RefuseItem(fault.OutOfRange, rule, i, "%s: once %d, standing %d, sensitive %d, kept %d days", p.Code, p.OnceDays, p.StandingDays, p.SensitiveDays, p.MaxLifeDays)
		}
		if err := act.First(act.Line(rule, "name", p.Name, maxPurposeName, true), act.Line(rule, "name_en", p.NameEn, maxPurposeName, false)); err != nil {
			return act.In(rule, i, err)
		}
	}
	return nil
}

func notInCode(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' }
