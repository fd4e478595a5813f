package index

import (
	"strings"
	"unicode/utf8"
)

// Who types 台北公厕 means 台北 and 公厕, and the list is called 臺北市公廁點位資訊: the pair
// that lies across the two words (北公) is in no list. Where nothing is found, a run of
// Han characters is taken apart into pairs that do not overlap, once from its beginning
// and once from its end. That is no dictionary: of a run with an odd number of
// characters one is left out.

// longestWhole is the longest run that stays whole: three characters have one meaning.
const longestWhole = 3

// apart are the words of the text with its long runs taken apart; nil if it has none.
func (q *query) apart(fromEnd bool) []string {
	var words []string
	var run []rune
	class, long := gap, false
	end := func() {
		switch {
		case class == latin:
			words = append(words, string(run))
		case class == han && len(run) <= longestWhole:
			words = append(words, queryWords(string(run))...)
		case class == han:
			long = true
			if fromEnd {
				run = run[len(run)%2:]
			}
			for i := 0; i+1 < len(run); i += 2 {
				words = append(words, string(run[i:i+2]))
			}
		}
		run = run[:0]
	}
	fold(q.text, func(f folded) {
		if f.class != class {
			end()
			class = f.class
		}
		run = append(run, f.r)
	})
	end()
	if !long {
		return nil
	}
	return queryWords(strings.Join(words, " "))
}

// split reads the text apart, as mode says, and reports whether it can.
func (s *searching) split(m mode) bool {
	words := s.q.apart(m == modeApartEnd)
	if len(words) == 0 {
		return false
	}
	s.mode, s.q.words = m, words
	if s.meant = strings.Join(words, " "); utf8.RuneCountInString(s.meant) > maxQueryRunes {
		s.meant = ""
	}
	return true
}
