package index

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// Bounds of a search. Our own choice, but for those that the schema promises.
const (
	defaultHits    = 20
	maxHits        = 100 // as the schema promises
	countHits      = 10_000
	maxFacetValues = 100 // of one facet: asked for, and answered
)

// query is what a person asked for, ready to be put to FTS5. Nothing of the person's
// text reaches FTS5 but letters and digits inside quotation marks: there is no
// operator that he could write.
type query struct {
	text    string
	words   []string // folded; pairs of Han characters and words without blanks
	exact   string   // the whole text as one word
	latin   bool     // letters and digits only: it may be a code
	blank   bool     // a blank inside
	begins  bool     // the last word may be a beginning
	codes   []string // whole codes that are meant, too: those that begin so, or the one that was mistyped
	only    bool     // codes alone, not the words
	facets  string   // expression of the facet column, "" = all
	states  map[uint8]bool
	limit   int
	counted bool // facets are wanted
}

// parse reads a request. TooLong, OutOfRange.
func parse(req *cataloguev1.SearchRequest) (*query, error) {
	if n := utf8.RuneCountInString(req.GetText()); n > maxQueryRunes || len(req.GetText()) > 4*maxQueryRunes {
		return nil, fault.Newf(fault.TooLong, "a search of %d characters, at most %d", n, maxQueryRunes)
	}
	for _, n := range []int{
		len(req.GetKinds()), len(req.GetOrgs()), len(req.GetShareTypes()), len(req.GetFormats()), len(req.GetUpdateCycles()), len(req.GetGrades()), len(req.GetStates()),
	} {
		if n > maxFacetValues {
			return nil, fault.Newf(fault.TooLong, "%d values of one facet, at most %d", n, maxFacetValues)
		}
	}
	q := &query{text: strings.TrimSpace(req.GetText()), limit: defaultHits, counted: req.GetWithFacets()}
	if req.GetLimit() > 0 {
		q.limit = int(min(req.GetLimit(), maxHits))
	}
	q.read()
	if err := q.narrow(req); err != nil {
		return nil, err
	}
	return q, nil
}

// read takes the words out of the text.
func (q *query) read() {
	q.words = queryWords(q.text)
	q.exact = whole(q.text)
	q.latin = len(q.words) > 0
	fold(q.text, func(f folded) {
		q.latin = q.latin && f.class != han
		q.blank = q.blank || f.class == gap && strings.ContainsAny(q.text[f.from:f.to], " \t\n　")
	})
}

// mayBegin says that the last word is one without blanks and long enough to be taken
// for a beginning. A word of a code is not: codes have [beginnings] of their own, and
// the stemmer would take letters off it.
func (q *query) mayBegin() bool {
	last := q.words[len(q.words)-1]
	for _, r := range last {
		if plain(r).class != latin || q.latin && unicode.IsDigit(r) {
			return false
		}
	}
	return len(last) >= minCode
}

// queryWords are the words that have to be there, each once.
func queryWords(text string) []string {
	var words []string
	seen := map[string]bool{}
	for w := range strings.FieldsSeq(string(appendWords(nil, text, pairsOnly))) {
		if len(words) < maxWords && !seen[w] {
			words, seen[w] = append(words, w), true
		}
	}
	return words
}

// narrow reads the facets.
func (q *query) narrow(req *cataloguev1.SearchRequest) error {
	var all []string
	facet := func(letter string, values []string) {
		if len(values) == 0 {
			return
		}
		for i, v := range values {
			values[i] = `"` + letter + v + `"`
		}
		all = append(all, fmt.Sprintf("({facet} : (%s))", strings.Join(values, " OR ")))
	}
	if len(req.GetStates()) > 0 {
		q.states = map[uint8]bool{}
		for _, s := range req.GetStates() {
			if s < 1 || s > 255 {
				return fault.Newf(fault.OutOfRange, "%d is no state", s)
			}
			q.states[uint8(s)] = true
		}
	}
	kinds, err := q.kinds(req.GetKinds())
	if err != nil {
		return err
	}
	facet("k", kinds)
	orgs := make([]string, 0, len(req.GetOrgs()))
	for _, o := range req.GetOrgs() {
		k := key(o)
		if k == "" || len(k) > 4*maxWordBytes {
			return fault.Newf(fault.OutOfRange, "organisation %q is none", o)
		}
		orgs = append(orgs, k)
	}
	facet("o", orgs)
	for letter, values := range map[string][]protoreflect.EnumNumber{
		"s": numbersOf(req.GetShareTypes()), "f": numbersOf(req.GetFormats()), "u": numbersOf(req.GetUpdateCycles()), "g": numbersOf(req.GetGrades()),
	} {
		tokens := make([]string, len(values))
		for i, v := range values {
			if v < 1 || v > 255 {
				return fault.Newf(fault.OutOfRange, "%d is no value of a facet", v)
			}
			tokens[i] = strconv.Itoa(int(v))
		}
		facet(letter, tokens)
	}
	slices.Sort(all) // the same facets make the same cursor
	q.facets = strings.Join(all, " AND ")
	return nil
}

// kinds are the tokens of the kinds that can be hits; none = all. Only entries and
// their items have a state.
func (q *query) kinds(kinds []cataloguev1.HitKind) ([]string, error) {
	var out []string
	for _, k := range kinds {
		o := orderOf(k)
		if o == 0 {
			return nil, fault.Newf(fault.OutOfRange, "kind %d is none", k)
		}
		out = append(out, strconv.Itoa(int(o)))
	}
	if len(out) == 0 && q.states != nil {
		out = []string{strconv.Itoa(int(orderEntry)), strconv.Itoa(int(orderItem))}
	}
	return out, nil
}

func orderOf(k cataloguev1.HitKind) order {
	for o, h := range hitKinds {
		if h == k {
			return o
		}
	}
	return 0
}

func numbersOf[E protoreflect.Enum](values []E) []protoreflect.EnumNumber {
	out := make([]protoreflect.EnumNumber, len(values))
	for i, v := range values {
		out[i] = v.Number()
	}
	return out
}

// everything is what a search without text and facets finds.
const everything = `{facet} : ("k1" OR "k2" OR "k3" OR "k4" OR "k5" OR "k6" OR "k7")`

// tiers is how many expressions [query.tier] has for q.
func (q *query) tiers() int {
	switch {
	case q.text == "":
		return 1
	case len(q.words) == 0:
		return 0 // no letter, no digit: nothing is found
	}
	return int(fieldFacet)
}

// all is the expression of all that q finds.
func (q *query) all() string {
	if q.text == "" {
		return q.narrowed("")
	}
	return q.narrowed("(" + q.within(fieldBody) + ") OR (" + q.whole() + ")")
}

// tier is the expression of what q finds with field t as the worst field that is
// needed, without what better fields find. Between the exact field and first none finds
// anything.
func (q *query) tier(t, first int) string {
	switch {
	case q.text == "":
		return q.narrowed("")
	case field(t) == fieldExact:
		return q.narrowed(q.whole())
	case field(t) == fieldName, t <= first:
		return q.narrowed("(" + q.within(field(t)) + ") NOT (" + q.whole() + ")")
	}
	return q.narrowed("(" + q.within(field(t)) + ") NOT ((" + q.within(field(t-1)) + ") OR (" + q.whole() + "))")
}

// upTo is the expression of what q finds with field t as the worst field that is needed;
// what better fields find may be among it.
func (q *query) upTo(t int) string {
	switch {
	case q.text == "":
		return q.narrowed("")
	case field(t) == fieldExact:
		return q.narrowed(q.whole())
	}
	return q.narrowed(q.within(field(t)))
}

// whole asks for what is called exactly so.
func (q *query) whole() string {
	names := []string{q.exact}
	if q.only {
		names = q.codes
	}
	return "{exact} : (" + quoted(names, " OR ") + ")"
}

// within asks for all words in the fields up to worst.
func (q *query) within(worst field) string {
	words := quoted(q.words, " AND ")
	if q.begins {
		words += " *"
	}
	out := "{" + strings.Join(columnNames[fieldName:worst+1], " ") + "} : (" + words + ")"
	if len(q.codes) == 0 {
		return out
	}
	codes := "{code} : (" + quoted(q.codes, " OR ") + ")"
	switch {
	case q.only && worst < fieldCode:
		return "{exact} : (" + quoted(q.codes, " OR ") + ")"
	case q.only:
		return codes
	case worst < fieldCode:
		return out
	}
	return "(" + out + ") OR (" + codes + ")"
}

func (q *query) narrowed(expr string) string {
	switch {
	case expr == "" && q.facets == "":
		return everything
	case expr == "":
		return q.facets
	case q.facets == "":
		return expr
	}
	return "(" + expr + ") AND " + q.facets
}

// quoted joins words as FTS5 strings. A word is letters and digits: fold made it.
func quoted(words []string, with string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = `"` + w + `"`
	}
	return strings.Join(out, with)
}
