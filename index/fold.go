package index

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mulian/internal/hanzi"
)

// Han characters, most of what is folded, of which some have a simplified form.
const (
	firstHan = 0x3400
	lastHan  = 0x9FFF
)

// Folding makes texts comparable: full width becomes half width (NFKC, rune by
// rune), capitals become small, accents are dropped, traditional characters become
// the simplified ones. It keeps no blanks and no punctuation of its own mind: it
// tells the class of each character, and where in the source it came from, so that
// what matched can be shown in the text as it was written.

// class says how a character takes part in words.
type class uint8

const (
	gap   class = iota // between words
	latin              // letters and digits that form a word with their neighbours
	han                // Han, kana, hangul: no blanks between words, searched by pairs
)

// folded is one character of a folded text and the bytes [from, to) that it came from.
type folded struct {
	r        rune
	class    class
	from, to int
}

// fold calls emit for the characters of a folded text in order, with the bytes of
// text that each came from. One character may become several (㈱, ﬁ) or none (a
// combining accent).
func fold(text string, emit func(folded)) {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			end := accents(text, i+1)
			emit(folded{asciiFold[c].r, asciiFold[c].class, i, end})
			i = end
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		n = accents(text, i+n) - i
		switch {
		case r >= firstHan && r <= lastHan:
			emit(folded{hanzi.Simplified(r), han, i, i + n})
		case r == utf8.RuneError && n == 1:
			emit(folded{' ', gap, i, i + 1})
		case unicode.Is(unicode.Mn, r): // an accent of its own
		case unicode.Is(unicode.Hangul, r):
			emit(folded{r, han, i, i + n})
		default:
			for _, d := range norm.NFKD.String(text[i : i+n]) {
				if !unicode.Is(unicode.Mn, d) {
					f := plain(d)
					f.from, f.to = i, i+n
					emit(f)
				}
			}
		}
		i += n
	}
}

// accents returns where the combining accents U+0300-U+036F that stand at i end: they
// belong to the character before them.
func accents(text string, i int) int {
	for i+1 < len(text) && (text[i] == 0xCC || text[i] == 0xCD && text[i+1] <= 0xAF) {
		i += 2
	}
	return i
}

// plain folds a character that has no decomposition.
func plain(r rune) folded {
	switch {
	case r < utf8.RuneSelf:
		return folded{r: asciiFold[r].r, class: asciiFold[r].class}
	case r == 'ー' || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul):
		return folded{r: hanzi.Simplified(r), class: han}
	case unicode.IsLetter(r) || unicode.IsDigit(r):
		return folded{r: unicode.ToLower(r), class: latin}
	}
	return folded{r: ' ', class: gap}
}

// asciiFold is what becomes of the first 128 characters.
var asciiFold = func() (t [utf8.RuneSelf]struct {
	r     rune
	class class
},
) {
	for c := range t {
		t[c].r = ' '
		r := rune(c)
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			t[c].r, t[c].class = r, latin
		}
	}
	return t
}()

// key folds a text and leaves out all that is no letter and no digit: two texts with
// the same key are the same name or code for a search.
func key(text string) string {
	out := make([]byte, 0, len(text))
	fold(text, func(f folded) {
		if f.class != gap {
			out = utf8.AppendRune(out, f.r)
		}
	})
	return string(out)
}
