package index

import (
	"strconv"
	"unicode/utf8"
)

// Bounds of what is searched for. Our own choice: a title, not a document.
const (
	maxQueryRunes = 200 // as the schema promises
	maxWords      = 24  // pairs and words; what comes after them no longer narrows much
	maxWordBytes  = 64  // of one word without blanks; longer ones are cut, on both sides
)

// singles says of which texts single Han characters are searched, too: of names.
// In longer texts nearly every character stands somewhere.
type singles bool

const (
	pairsOnly   singles = false
	withSingles singles = true
)

// appendWords appends the words of a text, each with a blank behind it: runs of
// letters and digits as they are, runs of Han characters as overlapping pairs,
// because Chinese has no blanks and most queries are two characters (the trigram
// tokenizer of SQLite cannot find those). A Han character that stands alone is a
// word; with singles every one is.
func appendWords(out []byte, text string, s singles) []byte {
	var last folded
	run := 0 // characters of the word or run so far, of last.class
	var cut int
	end := func() {
		switch {
		case last.class == latin:
			if len(out)-cut > maxWordBytes {
				out = cutRune(out[:cut+maxWordBytes])
			}
			out = append(out, ' ')
		case last.class == han && run == 1 && s == pairsOnly:
			out = append(utf8.AppendRune(out, last.r), ' ')
		}
	}
	fold(text, func(f folded) {
		if f.class != last.class {
			end()
			run, cut = 0, len(out)
		}
		switch f.class {
		case latin:
			out = utf8.AppendRune(out, f.r)
		case han:
			if run > 0 {
				out = append(utf8.AppendRune(utf8.AppendRune(out, last.r), f.r), ' ')
			}
			if s {
				out = append(utf8.AppendRune(out, f.r), ' ')
			}
		}
		run++
		last = f
	})
	end()
	return out
}

// cutRune drops a torn character at the end.
func cutRune(b []byte) []byte {
	for len(b) > 0 {
		if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
			break
		}
		b = b[:len(b)-1]
	}
	return b
}

// whole is the word that stands for a whole name or code: "＝" and 16 hex digits.
// Names and codes that differ in blanks, punctuation, width and case share it.
func whole(text string) string {
	k := key(text)
	if k == "" {
		return ""
	}
	raw := strconv.AppendUint(make([]byte, 0, 16), hash(k), 16)
	return "＝" + "0000000000000000"[len(raw):] + string(raw)
}

// hash is FNV-1a, 64 bits: the same on every machine, because it stands in the file.
func hash(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}
