package filing

import (
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
)

// TestANameThatTwoHaveFindsNeither: a list's 水务局 must not go to whoever was
// registered last.
func TestANameThatTwoHaveFindsNeither(t *testing.T) {
	org := func(id, name, short string) *identityv1.Account {
		return &identityv1.Account{Id: id, Profile: &identityv1.OrgProfile{Name: name, ShortName: short}}
	}
	city, district := org("A", "北京市水务局", "水务局"), org("B", "海淀区水务局", "水务局")
	parks, kept := org("C", "园林局", "绿化"), org(ProvisionalPrefix+"X", "市气象局", "")
	sameFull, namesake := org("D", "园林绿化局", "园林局"), org("E", "海淀区水务局", "")
	for _, c := range []struct {
		name string
		all  []*identityv1.Account
		want map[string]string
	}{
		{"one", []*identityv1.Account{city}, map[string]string{"A": "A", "水务局": "A", "北京市水务局": "A"}},
		{"two of one short name", []*identityv1.Account{city, district}, map[string]string{"水务局": "", "北京市水务局": "A", "海淀区水务局": "B"}},
		{"in the other order", []*identityv1.Account{district, city}, map[string]string{"水务局": "", "北京市水务局": "A", "海淀区水务局": "B"}},
		{"a full name goes before a short one", []*identityv1.Account{sameFull, parks}, map[string]string{"园林局": "C", "绿化": "C", "园林绿化局": "D"}},
		{"two of one full name", []*identityv1.Account{district, namesake}, map[string]string{"海淀区水务局": "", "水务局": "B"}},
		{"a provisional one by its code alone", []*identityv1.Account{kept}, map[string]string{"市气象局": "", ProvisionalPrefix + "X": ProvisionalPrefix + "X"}},
	} {
		got := byName(c.all)
		for name, want := range c.want {
			if got[nameKey(name)] != want && got[name] != want {
				t.Errorf("%s: %s finds %q, want %q", c.name, name, got[nameKey(name)], want)
			}
		}
	}
}
