package code

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// TestTables holds invariant 2 for every list: each code, label and synonym comes
// back to its value, none stands for two, and every label is there.
func TestTables(t *testing.T) {
	check(t, ShareTypes)
	check(t, OpenTypes)
	check(t, ShareMethods)
	check(t, Methods)
	check(t, UpdateCycles)
	check(t, ResourceFormats)
	check(t, GuideFormats)
	check(t, ResourceTypes)
	check(t, ProductForms)
	check(t, Processings)
	check(t, Acquisitions)
	check(t, ColumnTypes)
	check(t, Grades)
	check(t, fieldGrades)
	check(t, Sensitivities)
	check(t, SafetyLevels)
	check(t, Qualities)
	check(t, Personals)
	check(t, PowerTypes)
	check(t, Tiers)
	check(t, Channels)
	check(t, SystemLevels)
	check(t, Scenarios)
	check(t, Feedbacks)
	check(t, Objections)
	check(t, Controls)
}

func check[T ~uint8](t *testing.T, table Table[T]) {
	t.Helper()
	owner := map[string]T{}
	codes := map[string]bool{}
	for _, r := range table.Rows() {
		if r.Value == 0 || r.Code == "" || r.ZH == "" || r.EN == "" || codes[r.Code] {
			t.Errorf("%s: line %+v is not complete or not unique", table.Name(), r)
		}
		codes[r.Code] = true
		if label := fmt.Sprint(r.Value); !strings.HasPrefix(label, r.ZH) {
			t.Errorf("%s: %d prints as %q", table.Name(), r.Value, label)
		}
		if table.Code(r.Value) != r.Code || table.ZH(r.Value) != r.ZH || table.EN(r.Value) != r.EN || !table.Valid(r.Value) {
			t.Errorf("%s: the line of %d is found under another value", table.Name(), r.Value)
		}
		for i, text := range append([]string{r.Code, r.ZH, r.EN}, r.Synonyms...) {
			if key, ok := Key(text); !ok || i > 2 && strings.ToLower(key) != text {
				t.Errorf("%s: the synonym %q is not in the form of Key", table.Name(), text)
			}
			name := strings.ToLower(strings.ReplaceAll(text, " ", ""))
			if was, taken := owner[name]; taken && was != r.Value {
				t.Errorf("%s: %q stands for %d and %d", table.Name(), text, was, r.Value)
			}
			owner[name] = r.Value
			for _, form := range []string{text, " " + text + "　", strings.ToUpper(text), r.Code + " " + r.ZH, r.Code + "-" + r.ZH, r.Code + "：" + r.ZH, r.Code + "（" + r.ZH + "）"} {
				if got, err := table.Parse(form); err != nil || got != r.Value {
					t.Errorf("%s: Parse(%q) = %d, %v, want %d", table.Name(), form, got, err, r.Value)
				}
			}
		}
	}
	for _, bad := range []string{"", " ", "没有这个", "没有", "99999", "\xff", strings.Repeat("1", 5000)} {
		if v, err := table.Parse(bad); !errors.Is(err, ErrUnlisted) || v != 0 {
			t.Errorf("%s: Parse(%.10q) = %d, %v", table.Name(), bad, v, err)
		}
	}
	if table.Valid(0) || table.Valid(250) || table.ZH(250)+table.EN(250)+table.Code(250) != "" {
		t.Errorf("%s: values outside the list are known", table.Name())
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"1 不予共享", "2无条件共享", "有条件 无条件"} { // code and label disagree
		if v, err := ShareTypes.Parse(text); err == nil {
			t.Errorf("%q is read as %s", text, v)
		}
	}
	for _, text := range []string{"涉密", "4 涉密", "机密级", "绝密"} {
		if _, err := Grades.Parse(text); !errors.Is(err, ErrSecret) {
			t.Errorf("Grades.Parse(%q): %v, want ErrSecret", text, err)
		}
	}
	if _, err := Grades.Parse("非涉密"); !errors.Is(err, ErrUnlisted) {
		t.Errorf("非涉密 is no grade, and no secret either: %v", err)
	}
	_, err := UpdateCycles.Parse("每旬")
	if err == nil || !strings.Contains(err.Error(), "更新周期") || !strings.Contains(err.Error(), "003 每周") {
		t.Errorf("the refusal does not help: %v", err)
	}
}

func TestFieldGrade(t *testing.T) {
	for text, want := range map[string]Grade{"1": General4, "一般": General4, "2": Important, "3 核心": Core} {
		if got, err := ParseFieldGrade(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"4", "04", "涉密", "4涉密"} {
		if _, err := ParseFieldGrade(text); !errors.Is(err, ErrSecret) {
			t.Errorf("%q: %v, want ErrSecret", text, err)
		}
	}
}

func TestOrderOfValues(t *testing.T) {
	if !ShareDenied.TighterThan(ShareConditional) || !ShareConditional.TighterThan(ShareUnconditional) || ShareConditional.TighterThan(ShareConditional) {
		t.Error("the order of share types is wrong")
	}
	last := 0
	for _, c := range []UpdateCycle{Daily, Weekly, Monthly, Quarterly, HalfYearly, Yearly} {
		if c.Days() <= last {
			t.Errorf("%s is late after %d days", c, c.Days())
		}
		last = c.Days()
	}
	if RealTime.Days() != 1 || Irregular.Days() != 0 || Historical.Days() != 0 || UpdateCycle(77).Days() != 0 {
		t.Error("cycles without a term are late")
	}
	if FormatFolder.Kind() != TypeFile || FormatAPI.Kind() != TypeAPI || FormatTable.Kind() != TypeTable || FormatLink.Kind() != 0 {
		t.Error("a format is carried by another kind")
	}
}

// TestChainNumbers holds invariant 3: a value of these lists is the number of the
// enum on the chain, so that a conversion is a cast.
func TestChainNumbers(t *testing.T) {
	for _, p := range [][2]fmt.Stringer{
		{ShareDenied, cataloguev1.ShareType_SHARE_TYPE_DENIED},
		{ShareConditional, cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL},
		{OpenConditional, cataloguev1.OpenType_OPEN_TYPE_CONDITIONAL},
		{HalfYearly, cataloguev1.UpdateCycle_UPDATE_CYCLE_HALF_YEARLY},
		{Historical, cataloguev1.UpdateCycle_UPDATE_CYCLE_HISTORICAL},
		{FormatFolder, cataloguev1.Format_FORMAT_FOLDER},
		{FormatLink, cataloguev1.Format_FORMAT_LINK},
		{General4, cataloguev1.Grade_GRADE_GENERAL_4},
		{Core, cataloguev1.Grade_GRADE_CORE},
		{SensitivePersonal, cataloguev1.Personal_PERSONAL_SENSITIVE},
		{ProcessedFused, cataloguev1.Processing_PROCESSING_FUSED},
		{ProcessedOther, cataloguev1.Processing_PROCESSING_OTHER},
		{PowerRuling, cataloguev1.PowerType_POWER_TYPE_ADJUDICATION},
		{PowerRequisition, cataloguev1.PowerType_POWER_TYPE_EXPROPRIATION},
		{PowerOther, cataloguev1.PowerType_POWER_TYPE_OTHER},
		{PublicService, cataloguev1.PowerType_POWER_TYPE_SERVICE},
		{SystemCounty, cataloguev1.SystemLevel_SYSTEM_LEVEL_COUNTY},
		{DepartmentNet, cataloguev1.Network_NETWORK_PRIVATE},
		{MethodQuery, cataloguev1.Method_METHOD_QUERY},
		{MethodFile, cataloguev1.Method_METHOD_FILE},
	} {
		if ours, chain := fmt.Sprintf("%d", p[0]), fmt.Sprintf("%d", p[1]); ours != chain {
			t.Errorf("%s is %s, but %s is %s on the chain", p[0], ours, p[1], chain)
		}
	}
	size(t, ShareTypes, cataloguev1.ShareType_name)
	size(t, OpenTypes, cataloguev1.OpenType_name)
	size(t, UpdateCycles, cataloguev1.UpdateCycle_name)
	size(t, ResourceFormats, cataloguev1.Format_name)
	size(t, Grades, cataloguev1.Grade_name)
	size(t, Personals, cataloguev1.Personal_name)
	size(t, Processings, cataloguev1.Processing_name)
	size(t, PowerTypes, cataloguev1.PowerType_name)
	size(t, SystemLevels, cataloguev1.SystemLevel_name)
	size(t, Channels, cataloguev1.Network_name)
	size(t, Methods, cataloguev1.Method_name)
}

// size holds that the chain's enum has the values of the table and 0.
func size[T ~uint8](t *testing.T, table Table[T], names map[int32]string) {
	t.Helper()
	if len(names) != len(table.Rows())+1 {
		t.Errorf("%s has %d lines, the enum %v", table.Name(), len(table.Rows()), names)
	}
	for n := range names {
		if n != 0 && !table.Valid(T(n)) {
			t.Errorf("%s does not know %d %s", table.Name(), n, names[n])
		}
	}
}
