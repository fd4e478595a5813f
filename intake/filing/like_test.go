package filing

import (
	"slices"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/intake/sheet"
)

// TestSpellingsOfTheLedgerAreSuggested: who is written in other characters, with or
// without a prefix or marks, is suggested and never taken for the one he looks like.
func TestSpellingsOfTheLedgerAreSuggested(t *testing.T) {
	var all []*identityv1.Account
	for _, name := range []string{
		"臺北市政府環境保護局", "北京市水务局", "Office of Government-wide Policy", "Women's Bureau", "U.S. Department of Labor Office of the Assistant Secretary for Policy",
		"东城区教育局", "西城区教育局", "海淀区教育局", "朝阳区教育局", "General Services Administration",
	} {
		all = append(all, &identityv1.Account{Id: "C" + name, Profile: &identityv1.OrgProfile{Name: name}})
	}
	all = append(all, &identityv1.Account{Id: ProvisionalPrefix + "X", Profile: &identityv1.OrgProfile{Name: "市气象局" + provisionalMark, ShortName: "市气象局"}})
	d := &Desk{orgs: byName(all), names: namesOf(all), Lang: sheet.English}
	for name, want := range map[string][]string{
		"台北市政府环境保护局":                               {"臺北市政府環境保護局"},
		"水务局":                                      {"北京市水务局"},
		"市水務局":                                     {"北京市水务局"},
		"北京市气象局":                                   {"市气象局"},
		"Office of Governmentwide Policy":          {"Office of Government-wide Policy"},
		"Women’s Bureau":                           {"Women's Bureau"},
		"Office of Assistant Secretary for Policy": {"U.S. Department of Labor Office of the Assistant Secretary for Policy"},
		"General Service Administration":           {"General Services Administration"},
		"教育局":                                      nil, // four of them end so
		"Office":                                   nil,
		"上海市水务局":                                   nil,
		"东城区教育局":                                   nil, // it is on the ledger
	} {
		if got := d.like(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if _, merged := d.org(name); merged && len(want) > 0 {
			t.Errorf("%s was taken for another", name)
		}
	}
	out := &Outcome{Applied: &intake.Applied{Counts: map[string]int{}}}
	if d.tellLike([]string{"台北市政府环境保护局", "新局新局"}, out); len(out.Problems) != 1 || out.Counts["11030"] != 1 {
		t.Errorf("%+v", out.Problems)
	}
}
