package content

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
)

func TestCityHas53DepartmentsWithDutiesAndEntries(t *testing.T) {
	all := Departments()
	duties, entries := 0, 0
	for _, d := range all {
		duties += len(d.Duties)
		entries += len(d.Entries)
		if n := len(d.Duties); n < 3 || n > 10 {
			t.Errorf("%s has %d duties", d.Short, n)
		}
		if n := len(d.Entries); n < 3 || n > 12 {
			t.Errorf("%s has %d entries", d.Short, n)
		}
	}
	if len(all) != 53 || duties < 280 || entries < 350 {
		t.Errorf("%d departments, %d duties, %d entries", len(all), duties, entries)
	}
}

func TestCodesAreWellFormedAndClearlyInvented(t *testing.T) {
	seen := map[string]string{}
	for _, d := range Departments() {
		if err := code.CheckUSCC(d.Code); err != nil {
			t.Errorf("%s %s: %v", d.Short, d.Code, err)
		}
		if err := code.CheckOrgCode(d.Code[8:17]); err != nil {
			t.Errorf("%s %s: %v", d.Short, d.Code, err)
		}
		if !strings.HasPrefix(d.Code, "11110000MULN") {
			t.Errorf("%s %s could be somebody's", d.Short, d.Code)
		}
		for _, name := range []string{d.Code, d.Name, d.Short, d.English, d.System.Name} {
			if other := seen[name]; other != "" {
				t.Errorf("%q is of %s and of %s", name, other, d.Short)
			}
			seen[name] = d.Short
		}
	}
	if err := code.CheckRegion(Region); err != nil {
		t.Error(err)
	}
}

func TestEveryEntryHangsOnDutiesOfItsOwnDepartment(t *testing.T) {
	for _, d := range Departments() {
		names := map[string]bool{}
		used := map[string]bool{}
		for _, e := range d.Entries {
			if e.Provider != d.Code || !strings.HasPrefix(e.Id, d.Code+":") || e.System != d.System.Id {
				t.Errorf("%s: entry %s is somebody else's", d.Short, e.Id)
			}
			if len(e.Duties) == 0 {
				t.Errorf("%s: %s has no duty", d.Short, e.Name)
			}
			for _, id := range e.Duties {
				used[id] = true
				if !slices.ContainsFunc(d.Duties, func(x *cataloguev1.Duty) bool { return x.Id == id }) {
					t.Errorf("%s: %s hangs on %s", d.Short, e.Name, id)
				}
			}
			key, _ := code.Key(e.Name)
			if names[key] {
				t.Errorf("%s: two entries are called %s", d.Short, e.Name)
			}
			names[key] = true
		}
	}
}

func TestEveryEntrySaysHowItIsShared(t *testing.T) {
	kinds := map[cataloguev1.ShareType]int{}
	for _, d := range Departments() {
		for _, e := range d.Entries {
			kinds[e.ShareType]++
			denied, conditional := e.ShareType == cataloguev1.ShareType_SHARE_TYPE_DENIED, e.ShareType == cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL
			if (e.DenyBasis != nil) != denied || (e.Conditions != nil) != conditional {
				t.Errorf("%s: %s is %s with basis %v, conditions %v", d.Short, e.Name, e.ShareType, e.DenyBasis, e.Conditions)
			}
			if e.ShareType == cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL && e.Personal == cataloguev1.Personal_PERSONAL_SENSITIVE {
				t.Errorf("%s: %s gives sensitive personal information to anybody", d.Short, e.Name)
			}
			if e.Personal != cataloguev1.Personal_PERSONAL_NONE && e.OpenType != cataloguev1.OpenType_OPEN_TYPE_DENIED {
				t.Errorf("%s: %s opens personal information to the public", d.Short, e.Name)
			}
			if characters(e.Abstract) < 4 || e.UpdateCycle == 0 || e.Grade == 0 || e.Format == 0 || len(e.Methods) == 0 {
				t.Errorf("%s: %s is not described", d.Short, e.Name)
			}
		}
	}
	for _, k := range []cataloguev1.ShareType{1, 2, 3} {
		if kinds[k] < 15 {
			t.Errorf("only %d entries are %s", kinds[k], k)
		}
	}
}

func TestItemsAreTypedAndKeyed(t *testing.T) {
	for _, d := range Departments() {
		for _, e := range d.Entries {
			if n := len(e.Items); n < 3 || n > 12 {
				t.Errorf("%s: %s has %d items", d.Short, e.Name, n)
			}
			codes, names, keys := map[string]bool{}, map[string]bool{}, 0
			for _, it := range e.Items {
				if codes[it.Code] || names[it.Name] || it.Name == "" {
					t.Errorf("%s: %s: item %s %q stands twice or has no name", d.Short, e.Name, it.Code, it.Name)
				}
				codes[it.Code], names[it.Name] = true, true
				if it.PrimaryKey {
					keys++
				}
				if (it.Column != "") != (e.Source != "") {
					t.Errorf("%s: %s: item %s lies on %q of %q", d.Short, e.Name, it.Name, it.Column, e.Source)
				}
			}
			if keys == 0 {
				t.Errorf("%s: %s has no key", d.Short, e.Name)
			}
		}
	}
}

func TestTypesFollowNames(t *testing.T) {
	for name, want := range map[string]string{
		"发证日期": "date", "有效期至": "date", "观测时间": "timestamp", "开放时间": "text", "用地面积": "decimal", "床位数": "integer",
		"许可证编号": "text", "评价年度": "text", "成交价款": "decimal", "缴费起始月": "text", "经营范围": "text", "空气质量指数": "decimal",
	} {
		if got := typeOf(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestBadLinesAreRefusedWithTheirPlace(t *testing.T) {
	good := "= 甲 | 某局 | Bureau | 类 | 系统\nd 许 办证 | 某法 | -\n"
	for text, want := range map[string]string{
		"x y":                    "begins no line",
		"d 许 办证 | 某法 | -":        "no department",
		good + "d 坏 办证 | 某法 | -": "no kind of power",
		good + "e 名 | 2 | 无 | 日1 | 项 | 摘要":                "no duty",
		good + "e 名 | 1 | 条 | 日1 | 项 | 摘要":                "neither",
		good + "e 名 | 1 | 禁 《某法》 保密 | 日1 | 项 | 摘要":        "neither",
		good + "e 名 | 1 | 无 | 天1 | 项 | 摘要":                "no cycle",
		good + "e 名 | 1 | 无 | 日1 | 项 | 摘要\nt tab one two": "2 columns for 1 items",
	} {
		p := &parser{}
		var err error
		for line := range strings.Lines(text) {
			if err = p.line(strings.TrimSpace(line)); err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
