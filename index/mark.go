package index

import (
	"slices"
	"strings"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// Bounds of what is shown of a hit. Our own choice, but for the schema's three fields.
const (
	maxMarked   = 3
	pieceBefore = 30  // characters of a long text before the first match
	pieceLength = 120 // characters of a long text in all
)

// marker finds in the texts of a hit what matched. It works on the folded text and
// answers with bytes of the text as it was written.
type marker struct {
	words  map[string]bool // pairs, single characters, words without blanks
	latin  []string
	begins bool
	codes  []string // keys of codes that are marked as a whole, or at their beginning
}

func newMarker(q *query, meant string) *marker {
	m := &marker{words: map[string]bool{}, begins: q.begins}
	if q.only {
		m.codes = []string{key(meant)}
		return m
	}
	for _, w := range q.words {
		m.words[w] = true
		if r, _ := utf8.DecodeRuneInString(w); plain(r).class == latin {
			m.latin = append(m.latin, w)
		}
	}
	if q.latin {
		m.codes = []string{key(q.text)}
	}
	return m
}

// mark returns the fields that matched, best first, at most three; of a long text the
// piece around the first match.
func (m *marker) mark(d document) []*cataloguev1.Marked {
	var out []*cataloguev1.Marked
	for f := fieldName; f <= fieldBody && len(out) < maxMarked; f++ {
		for _, t := range d.texts {
			if t.in != f || len(out) == maxMarked {
				continue
			}
			if spans := m.spans(t); len(spans) > 0 {
				out = append(out, piece(t, spans))
			}
		}
	}
	return out
}

// spans are the bytes of a text that matched, ascending, none touching the next.
func (m *marker) spans(t text) []*cataloguev1.Span {
	var all []folded
	fold(t.text, func(f folded) { all = append(all, f) })
	var spans []*cataloguev1.Span
	add := func(from, to int) {
		if n := len(spans); n > 0 && int(spans[n-1].To) >= from {
			spans[n-1].To = max(spans[n-1].To, uint32(to))
			return
		}
		spans = append(spans, &cataloguev1.Span{From: uint32(from), To: uint32(to)})
	}
	if t.in == fieldCode {
		if from, to, ok := m.code(all); ok {
			add(from, to)
			return spans
		}
	}
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].class == all[i].class {
			j++
		}
		switch run := all[i:j]; run[0].class {
		case han:
			for k := range run {
				if m.words[string(run[k].r)] {
					add(run[k].from, run[k].to)
				}
				if k+1 < len(run) && m.words[string([]rune{run[k].r, run[k+1].r})] {
					add(run[k].from, run[k+1].to)
				}
			}
		case latin:
			word := runes(run)
			for n, w := range m.latin {
				if alike(word, w) {
					add(run[0].from, run[len(run)-1].to)
					break
				}
				if m.begins && n == len(m.latin)-1 && strings.HasPrefix(word, w) {
					add(run[0].from, run[utf8.RuneCountInString(w)-1].to)
					break
				}
			}
		}
		i = j
	}
	return spans
}

// code finds a code in a text: from its beginning, or behind the colon of
// "<org>:<local>".
func (m *marker) code(all []folded) (from, to int, ok bool) {
	local := 0 // first letter or digit behind the first gap
	solid := slices.DeleteFunc(slices.Clone(all), func(f folded) bool { return f.class == gap })
	for i, f := range all {
		if f.class == gap {
			local = i
			break
		}
	}
	whole := runes(solid)
	for _, c := range m.codes {
		n := utf8.RuneCountInString(c)
		if c != "" && strings.HasPrefix(whole, c) {
			return solid[0].from, solid[n-1].to, true
		}
		if c != "" && local < len(solid) && strings.HasPrefix(runes(solid[local:]), c) {
			return solid[local].from, solid[local+n-1].to, true
		}
	}
	return 0, 0, false
}

func runes(fs []folded) string {
	var out strings.Builder
	for _, f := range fs {
		out.WriteRune(f.r)
	}
	return out.String()
}

// endings of English words that the stemmer of FTS5 takes off, or puts others in place of.
var endings = strings.Fields("e s es ed er ers or ors ing ings y ies ied ion ions ation ations ate ates ated al ally ment ments ness ful ly ity ities ive able ible ence ance ent ant ism ist ize izes ized ise")

// alike says that two words are forms of one, near enough to the stemmer for showing:
// what was found is decided by FTS5.
func alike(a, b string) bool {
	if a == b {
		return true
	}
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n >= 3 && ending(a[n:]) && ending(b[n:])
}

func ending(rest string) bool { return rest == "" || slices.Contains(endings, rest) }

// piece cuts a long text to what is around its first match.
func piece(t text, spans []*cataloguev1.Span) *cataloguev1.Marked {
	out := &cataloguev1.Marked{Field: t.label, Text: t.text, Spans: spans}
	if utf8.RuneCountInString(t.text) <= pieceLength {
		return out
	}
	from := int(spans[0].GetFrom())
	for range pieceBefore {
		if from == 0 {
			break
		}
		_, n := utf8.DecodeLastRuneInString(t.text[:from])
		from -= n
	}
	to := from
	for range pieceLength {
		_, n := utf8.DecodeRuneInString(t.text[to:])
		to += n
	}
	out.Text, out.Spans = t.text[from:to], nil
	for _, s := range spans {
		if int(s.GetFrom()) < to {
			out.Spans = append(out.Spans, &cataloguev1.Span{From: s.GetFrom() - uint32(from), To: min(s.GetTo(), uint32(to)) - uint32(from)})
		}
	}
	return out
}
