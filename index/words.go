package index

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxQueryRunes bounds what is searched for: a title, not a document.
const maxQueryRunes = 100

// Grams writes text as the words that are searched: runs of letters and digits as
// they are, runs of Han characters as overlapping pairs, because Chinese has no
// blanks and most queries are two characters (the trigram tokenizer of SQLite
// cannot find those). A single Han character stands alone.
func Grams(text string) string {
	var out strings.Builder
	var han []rune
	flush := func() {
		if len(han) == 1 {
			out.WriteRune(han[0])
			out.WriteByte(' ')
		}
		for i := 0; i+1 < len(han); i++ {
			out.WriteRune(han[i])
			out.WriteRune(han[i+1])
			out.WriteByte(' ')
		}
		han = han[:0]
	}
	for _, r := range norm.NFKC.String(text) {
		switch {
		case unicode.Is(unicode.Han, r):
			if len(han) == 0 && out.Len() > 0 && !strings.HasSuffix(out.String()[out.Len()-1:], " ") {
				out.WriteByte(' ')
			}
			han = append(han, r)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			flush()
			out.WriteRune(unicode.ToLower(r))
		default:
			flush()
			if out.Len() > 0 && out.String()[out.Len()-1] != ' ' {
				out.WriteByte(' ')
			}
		}
	}
	flush()
	return strings.TrimSpace(out.String())
}

// match turns a query into FTS5's language: every word has to be there, the last
// run of letters or digits may be a beginning. "" if there is no word in it.
func match(query string) string {
	if r := []rune(query); len(r) > maxQueryRunes {
		query = string(r[:maxQueryRunes])
	}
	words := strings.Fields(Grams(query))
	for i, w := range words {
		quoted := `"` + strings.ReplaceAll(w, `"`, `""`) + `"`
		if first := []rune(w)[0]; len([]rune(w)) == 1 || !unicode.Is(unicode.Han, first) {
			quoted += "*"
		}
		words[i] = quoted
	}
	return strings.Join(words, " ")
}
