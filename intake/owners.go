package intake

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mulian/internal/code"
	"mulian/internal/hanzi"
)

// spelling is what is known of one way in which an owner is written.
type spelling struct {
	usual string // the way most entries of the file have it
	ways  int
}

// ownerTails are what people add to, or leave off, the name of an organisation.
// They are taken off one after the other, to compare; never to import.
var ownerTails = []string{"提供", "人民政府", "政府"}

// leads are words before a name that say whose it is: they are left out as often as not.
var leads = []string{"the", "us", "中华人民共和国", "中国"}

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

// OwnerKey is the form in which spellings are the same owner in all probability:
// letters and digits alone, small, simplified, without what stands in brackets and what
// people add. Only suggestions come from it.
func OwnerKey(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), unicode.IsSpace)
	words = slices.DeleteFunc(words, func(w string) bool { return w == "the" })
	key, ok := code.Key(strings.Join(words, ""))
	if !ok {
		return name
	}
	if i := strings.IndexByte(key, '('); i > 0 {
		key = key[:i]
	}
	if bare := strings.Map(bareRune, key); bare != "" {
		key = bare
	}
	for _, lead := range leads {
		if short := strings.TrimPrefix(key, lead); len(short) >= 6 {
			key = short
		}
	}
	for _, tail := range ownerTails {
		if short := strings.TrimSuffix(key, tail); len(short) >= 6 {
			key = short
		}
	}
	return key
}

// bareRune keeps letters and digits, in their simplified form.
func bareRune(r rune) rune {
	if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return -1
	}
	return hanzi.Simplified(r)
}

// Kin reports how probably two names, given by their [OwnerKey], are of one
// organisation: 2 where they differ in nothing but how they are written (characters,
// marks, brackets, 人民政府 behind), 1 where one is the end of the other, which names
// besides whose it is (北京市水务局, 水务局; U.S. Department of Labor Office of …), or they
// differ in one letter; else 0. It is for suggestions: a person says who is meant.
func Kin(x, y string) int {
	if len(x) < len(y) {
		x, y = y, x
	}
	switch {
	case x == y:
		return 2
	case len([]rune(y)) < fewestKin || isASCII(y) && len(y) < fewestLetters:
		return 0
	case strings.HasSuffix(x, y), isASCII(y) && oneApart(x, y):
		return 1
	}
	return 0
}

// A name of fewer characters says too little to be the end of another's: 局, office.
const (
	fewestKin     = 3
	fewestLetters = 10
)

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// oneApart reports whether one letter more, less or other makes y of x, which is not
// shorter.
func oneApart(x, y string) bool {
	if len(x)-len(y) > 1 {
		return false
	}
	i := 0
	for i < len(y) && x[i] == y[i] {
		i++
	}
	if len(x) == len(y) {
		return x[i+1:] == y[i+1:]
	}
	return x[i+1:] == y[i:]
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
		k := OwnerKey(name)
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
