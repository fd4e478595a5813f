package act

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"mulian/internal/fault"
)

// Line checks a text of one line: a name, a label, a title. It returns Missing if
// the text is needed and empty (blanks alone count as empty), TooLong if it has
// more than max characters (Unicode code points), and Malformed if it has a
// control character in it, or a blank at an end.
func Line(rule, field, text string, max int, needed bool) error {
	if err := bounds(rule, field, text, max, needed); err != nil {
		return err
	}
	if strings.ContainsFunc(text, unicode.IsControl) || strings.TrimSpace(text) != text {
		return Refuse(fault.Malformed, rule, "%s: control characters, or blanks at an end", field)
	}
	return nil
}

// Text is [Line] for a text of several lines: a cause, a reason. Line feeds and
// tabs may stand in it.
func Text(rule, field, text string, max int, needed bool) error {
	if err := bounds(rule, field, text, max, needed); err != nil {
		return err
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return Refuse(fault.Malformed, rule, "%s: control characters", field)
	}
	return nil
}

func bounds(rule, field, text string, max int, needed bool) error {
	if n := utf8.RuneCountInString(text); n > max {
		return Refuse(fault.TooLong, rule, "%s: %d characters, at most %d", field, n, max)
	}
	if needed && strings.TrimSpace(text) == "" {
		return Refuse(fault.Missing, rule, "%s is missing", field)
	}
	return nil
}
