package filing

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mulian/intake"
	"mulian/internal/code"
)

// TestProvisionalCodesAreWellFormedAndNobodys: both check characters hold, the region
// is none, and the same name in whatever width and spacing has the same code.
func TestProvisionalCodesAreWellFormedAndNobodys(t *testing.T) {
	seen := map[string]string{}
	for i := range 5000 {
		name := fmt.Sprintf("某市第%d局", i)
		c := ProvisionalCode(name)
		if err := code.CheckUSCC(c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := code.CheckOrgCode(c[8:17]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.HasPrefix(c, ProvisionalPrefix) || code.CheckRegion(c[2:8]) == nil {
			t.Fatalf("%s: %s could be somebody's", name, c)
		}
		if other, ok := seen[c]; ok {
			t.Fatalf("%s and %s have the code %s", name, other, c)
		}
		seen[c] = name
	}
	if a, b := ProvisionalCode("General Services Administration"), ProvisionalCode(" Ｇeneral  Services Administration "); a != b {
		t.Errorf("%s and %s", a, b)
	}
	// The codes stand on ledgers: they never change.
	for name, want := range map[string]string{"臺北市政府": "Y1000000EHD23ARJ0M", "": "Y1000000LRA9N1UT4U"} {
		if got := ProvisionalCode(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// TestAnOwnerIsFoundByItsOwnNameFirst: who comes on board himself has the entries of
// his name from then on, not the one that kept his place.
func TestAnOwnerIsFoundByItsOwnNameFirst(t *testing.T) {
	const name = "市水文站"
	d := &Desk{orgs: map[string]string{}}
	if _, ok := d.org(name); ok {
		t.Error("nobody is on board")
	}
	provisional := ProvisionalCode(name)
	d.orgs[provisional] = provisional
	if id, ok := d.org(name); !ok || id != provisional {
		t.Errorf("%s", id)
	}
	d.orgs[nameKey(name)] = "11110000000021928Y"
	if id, _ := d.org(name); id != "11110000000021928Y" {
		t.Errorf("%s", id)
	}
	if id, ok := d.org(""); ok {
		t.Errorf("no name is %s", id)
	}
}

// TestAProvisionalOwnerStaysTheSameOne: the mark that an export writes behind the name
// makes nobody else of him, however often, and a provisional code that a list gives is
// taken as it is.
func TestAProvisionalOwnerStaysTheSameOne(t *testing.T) {
	const name = "Data.gov"
	for _, spelt := range []string{name + provisionalMark, name + provisionalMark + provisionalMark, name + " (代登记)"} {
		if ProvisionalCode(spelt) != ProvisionalCode(name) || bareName(spelt) != name {
			t.Errorf("%q is %q, %s", spelt, bareName(spelt), ProvisionalCode(spelt))
		}
	}
	if bareName(provisionalMark) != provisionalMark {
		t.Error("a mark alone is a name like any other")
	}
	given := ProvisionalCode("as it was spelt once")
	list := "资源名称,资源提供方,提供方代码,共享类型\nA," + name + provisionalMark + "," + given + ",1\nB,水文站,,1\nC,水文站（代登记）,,1\n"
	path := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, _, err := intake.MakePlan(t.Context(), path, intake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &Desk{orgs: map[string]string{}}
	want := []newcomer{{"水文站", ProvisionalCode("水文站")}, {name, given}}
	if got := d.newcomers(plan, Order{}); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	d.orgs[given] = given
	if id, ok := d.instead(given, ""); !ok || id != given {
		t.Errorf("%s", id)
	}
	delete(d.orgs, given)
	d.orgs[nameKey(name)] = "11110000000021928Y" // he came on board himself
	if id, ok := d.instead(given, name+provisionalMark); !ok || id != "11110000000021928Y" {
		t.Errorf("%s", id)
	}
}
