package sheet

import (
	"regexp"
	"strings"
)

// A spreadsheet program computes a cell of a text file that begins with one of
// these (a formula, or what CSV injection makes of it), and turns into a number or a
// date what looks like one. An apostrophe before the text stops both; it is the mark
// that these programs use themselves.
const formulaStarts = "=+-@\t\r＝＋－＠"

var numberLike = regexp.MustCompile(`^[0-9][0-9.,eE+/: \-]*$`)

// shortNumber is a number that comes out of a spreadsheet as it went in.
var shortNumber = regexp.MustCompile(`^(0|[1-9][0-9]{0,10})$`)

// Guard makes a text harmless for spreadsheet programs. [Unguard] gives it back.
func Guard(text string) string {
	if guarded(strings.TrimLeft(text, "'")) {
		return "'" + text
	}
	return text
}

// Unguard takes the apostrophe away that [Guard] or a spreadsheet program has put
// before a text. Any other apostrophe stays.
func Unguard(text string) string {
	if strings.HasPrefix(text, "'") && guarded(strings.TrimLeft(text, "'")) {
		return text[1:]
	}
	return text
}

// guarded reports whether a text, without apostrophes before it, needs one.
func guarded(text string) bool {
	if text == "" {
		return false
	}
	if strings.ContainsRune(formulaStarts, []rune(text)[0]) {
		return true
	}
	return len(text) <= 64 && numberLike.MatchString(text) && !shortNumber.MatchString(text)
}
