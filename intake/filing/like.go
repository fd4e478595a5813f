package filing

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/internal/fault"
)

// mostLike is how many organisations a suggestion names: a name that ends those of
// more, such as 教育局, says nothing.
const mostLike = 3

// spelling is the name of an organisation on the ledger, and how it is compared.
type spelling struct{ org, name, key string }

func spellingOf(org, name string) spelling { return spelling{org, name, intake.OwnerKey(name)} }

// namesOf are the names by which people know organisations: of a provisional one that
// whose place it keeps.
func namesOf(all []*identityv1.Account) []spelling {
	var out []spelling
	for _, acc := range all {
		name, _ := strings.CutSuffix(acc.GetProfile().GetName(), provisionalMark)
		out = append(out, spellingOf(acc.GetId(), name))
		if short := acc.GetProfile().GetShortName(); short != name && !strings.HasPrefix(acc.GetId(), ProvisionalPrefix) {
			out = append(out, spellingOf(acc.GetId(), short))
		}
	}
	out = slices.DeleteFunc(out, func(s spelling) bool { return s.name == "" })
	slices.SortFunc(out, func(a, b spelling) int { return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.org, b.org)) })
	return out
}

// like is intake.Target.Like: the names on the ledger that are written almost like one
// that is not, those that differ only in how they are written before those that end in
// it; each organisation once.
func (d *Desk) like(name string) []string {
	var same, ends []spelling
	key := intake.OwnerKey(name)
	for _, other := range d.names {
		switch kin := intake.Kin(key, other.key); {
		case other.name == name:
			return nil // it is on the ledger
		case kin == 2:
			same = append(same, other)
		case kin == 1:
			ends = append(ends, other)
		}
	}
	if len(ends) > mostLike {
		ends = nil
	}
	var names []string
	told := map[string]bool{}
	for _, s := range append(same, ends...) {
		if !told[s.org] && len(names) < mostLike {
			told[s.org] = true
			names = append(names, s.name)
		}
	}
	return names
}

// remembered asks f once for each name, and not for more names than a list has owners.
func remembered(f func(string) []string) func(string) []string {
	known := map[string][]string{}
	return func(name string) []string {
		list, ok := known[name]
		if !ok && len(known) < maxAsked {
			list = f(name)
			known[name] = list
		}
		return list
	}
}

// maxAsked is for how many names of a list a suggestion is sought: each is compared
// with every organisation.
const maxAsked = 5000

// tellLike tells which of the names that are about to be registered are probably on
// the ledger already.
func (d *Desk) tellLike(names []string, out *Outcome) {
	like := remembered(d.like)
	for _, name := range names {
		if others := like(name); len(others) > 0 {
			out.Problems = append(out.Problems, intake.Problem{
				Field: string(intake.Owner), Code: fault.Doubtful,
				Message:    d.Lang.Say("代登记了“%s”，账本上已有写法相近的单位", "%q is registered provisionally, though the ledger has one that is written much like it", name),
				Suggestion: intake.SuggestMerge(d.Lang, name, others),
			})
			out.Counts[strconv.Itoa(int(fault.Doubtful))]++
		}
	}
}
