package code

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// MaxName is the longest name, in bytes, that [Key] takes: some 340 Chinese
// characters, longer than any name of an entry or organisation we met. Our own choice.
const MaxName = 1024

// Key returns the form of a name in which names are compared: Unicode NFKC (full
// width becomes half width) without any space and without invisible characters.
// Capital and small letters stay different. Two entries of one organ must not
// have the same key. ok is false if the name is too long, not UTF-8, or leaves
// nothing.
func Key(name string) (key string, ok bool) {
	if len(name) > MaxName || strings.ContainsRune(name, unicode.ReplacementChar) || !validUTF8(name) {
		return "", false
	}
	key = strip(norm.NFKC.String(name))
	return key, key != "" && len(key) <= 4*MaxName
}

// Clean returns a code as it was meant: Unicode NFKC, no spaces, no invisible
// characters, no leading apostrophe of a spreadsheet, capital letters. It repairs
// the writing, never the value: see [DamageOf].
func Clean(s string) string {
	if len(s) > MaxName || !validUTF8(s) {
		return s
	}
	s = strip(norm.NFKC.String(s))
	s = strings.TrimLeft(s, "'`’‘")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

func validUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }

// strip removes white space, controls, and format characters (zero-width space,
// byte order mark, soft hyphen).
func strip(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// Damage says what a spreadsheet program has done to a code that it took for a
// number. What is lost cannot be computed back: ask for the original.
type Damage uint8

// Kinds of damage; 0 is none.
const (
	Exponent  Damage = iota + 1 // 2.02E+17
	Rounded                     // 16 digits and more, zeros after the 15th
	Decimal                     // 110108.0 or 9,111: digits kept, a point or commas added
	ErrorText                   // #N/A, #REF!, ####
)

// String names the damage in English, for a person who has to repair the sheet.
func (d Damage) String() string {
	switch d {
	case Exponent:
		return "turned into a number with exponent"
	case Rounded:
		return "rounded to 15 digits"
	case Decimal:
		return "formatted as an amount"
	case ErrorText:
		return "replaced by an error text"
	}
	return "not damaged"
}

// DamageOf looks for the traces of a spreadsheet in a code. Rounded is a
// suspicion: one in a thousand digit-only codes of 18 places ends in three zeros
// by right, so ask it only of a code that fails its check.
func DamageOf(s string) Damage {
	if len(s) > maxCode {
		return 0
	}
	s = Clean(s)
	switch {
	case s == "":
		return 0
	case s[0] == '#':
		return ErrorText
	case isExponent(s):
		return Exponent
	case len(s) >= 16 && allDigits(s) && strings.Trim(s[15:], "0") == "":
		return Rounded
	case isDecimal(s):
		return Decimal
	}
	return 0
}

// isExponent matches D[.D+]E(+|-)D+. The sign is required: 9111E15 may be a code.
func isExponent(s string) bool {
	mantissa, exponent, ok := strings.Cut(s, "E")
	if !ok || len(exponent) < 2 || exponent[0] != '+' && exponent[0] != '-' || !allDigits(exponent[1:]) {
		return false
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	return allDigits(whole) && (!point || allDigits(fraction))
}

// isDecimal matches digits with a fraction of zeros, or in groups of three.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	if point && (fraction == "" || strings.Trim(fraction, "0") != "") {
		return false
	}
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if !allDigits(g) || i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(g) > 3 {
			return false
		}
	}
	return point || len(groups) > 1
}
