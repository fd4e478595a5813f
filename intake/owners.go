package intake

import (
	"slices"
	"strings"

	"mulian/internal/code"
)

// spelling is what is known of one way in which an owner is written.
type spelling struct {
	usual string // the way most entries of the file have it
	ways  int
}

// ownerTails are what people add to, or leave off, the name of an organisation.
// They are taken off one after the other, to compare; never to import.
var ownerTails = []string{"提供", "人民政府", "政府"}

// plainer writes variants of one character alike: those that Taiwan's portals mix.
var plainer = strings.NewReplacer("臺", "台", "髮", "發", "祕", "秘", "佔", "占")

// addressMarks are what only addresses of pages and their parameters have, and
// stateWords what a list says of a record: neither is anybody's name. They get into
// the owner's column where a row has slipped, or a form was filled with its defaults.
var (
	addressMarks = []string{"?", "？", "=", "://", ".aspx", ".php"}
	stateWords   = []string{"published", "unpublished", "draft", "n/a", "null", "none", "nil", "error", "-", "已发布", "草稿"}
)

// namesNobody reports whether an owner's text is plainly no organisation's name. An
// account opened for it would be nobody's.
func namesNobody(owner string) bool {
	text := strings.ToLower(strings.TrimSpace(owner))
	return slices.Contains(stateWords, text) || slices.ContainsFunc(addressMarks, func(m string) bool { return strings.Contains(text, m) })
}

// ownerKey is the form in which spellings are the same owner in all probability.
// Only suggestions come from it.
func ownerKey(name string) string {
	key, ok := code.Key(name)
	if !ok {
		return name
	}
	key = plainer.Replace(strings.ToLower(key))
	if i := strings.IndexByte(key, '('); i > 0 {
		key = key[:i]
	}
	for _, tail := range ownerTails {
		if short := strings.TrimSuffix(key, tail); len(short) >= 6 {
			key = short
		}
	}
	return key
}

// spellings groups the owners of a file, counted as they are written, and returns
// for each that is not the usual way of its group what the usual way is. Of two
// equally frequent ones the shorter is taken, then the first in order.
func spellings(counts map[string]int) map[string]spelling {
	groups := make(map[string][]string)
	for name := range counts {
		if strings.TrimSpace(name) == "" {
			continue
		}
		k := ownerKey(name)
		groups[k] = append(groups[k], name)
	}
	joinShort(groups)
	out := make(map[string]spelling)
	for _, names := range groups {
		if len(names) < 2 {
			continue
		}
		slices.SortFunc(names, func(a, b string) int {
			if counts[a] != counts[b] {
				return counts[b] - counts[a]
			}
			if len(a) != len(b) {
				return len(a) - len(b)
			}
			return strings.Compare(a, b)
		})
		for _, n := range names[1:] {
			out[n] = spelling{usual: names[0], ways: len(names)}
		}
	}
	return out
}

// joinShort puts a district written without its kind (昌平) to the one district of
// that name in the file (昌平区); not where there are two (嘉義市, 嘉義縣).
func joinShort(groups map[string][]string) {
	for short, names := range groups {
		if len([]rune(short)) != 2 {
			continue
		}
		var full []string
		for _, kind := range []string{"区", "區", "县", "縣", "市", "旗"} {
			if groups[short+kind] != nil {
				full = append(full, short+kind)
			}
		}
		if len(full) == 1 {
			groups[full[0]] = append(groups[full[0]], names...)
			delete(groups, short)
		}
	}
}
