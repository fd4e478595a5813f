package code

import (
	"strings"
	"unicode/utf8"
)

// USCCLength is the length of a unified social credit code.
const USCCLength = 18

// usccChars are the digits of base 31: no I, O, S, V, Z (GB 32100-2015, table 1).
const usccChars = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// usccWeights are 3^(i-1) mod 31 (GB 32100-2015, table 4).
var usccWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}

// CheckUSCC returns nil if s is a well-formed 统一社会信用代码 in capital letters, else
// a *[Problem]: Length, Character (places 3 to 8 are the digits of a region) or
// CheckChar with the character that would be right. The organisation code in
// places 9 to 17 has a check of its own, which is not part of GB 32100's: see
// [CheckOrgCode].
func CheckUSCC(s string) error {
	const what = "统一社会信用代码"
	if n := countRunes(s); n != USCCLength {
		return &Problem{what, Length, n, "18"}
	}
	sum, place := 0, 0
	for _, r := range s {
		place++
		v := indexRune(usccChars, r)
		switch {
		case v < 0:
			return &Problem{what, Character, place, wantUSCC}
		case place >= 3 && place <= 8 && v > 9:
			return &Problem{what, Character, place, wantRegion}
		case place < USCCLength:
			sum += v * usccWeights[place-1]
			continue
		}
		if want := usccChars[(31-sum%31)%31]; rune(want) != r {
			return &Problem{what, CheckChar, place, string(want)}
		}
	}
	return nil
}

// CheckOrgCode returns nil if s is a well-formed organisation code of GB 11714: 8
// characters and a check character 0-9 or X, without the hyphen. A CheckUSCC code
// has it in places 9 to 17.
func CheckOrgCode(s string) error {
	const what = "组织机构代码"
	if n := countRunes(s); n != 9 {
		return &Problem{what, Length, n, "9"}
	}
	weights := [8]int{3, 7, 9, 10, 5, 8, 4, 2}
	sum, place := 0, 0
	for _, r := range s {
		place++
		v := indexRune(alphanumeric, r)
		if v < 0 {
			return &Problem{what, Character, place, wantAlnum}
		}
		if place <= 8 {
			sum += v * weights[place-1]
			continue
		}
		if want := "0X987654321"[sum%11]; rune(want) != r {
			return &Problem{what, CheckChar, place, string(want)}
		}
	}
	return nil
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// maxCode bounds what is looked at: no code of this package is longer.
const maxCode = 256

func countRunes(s string) int { return utf8.RuneCountInString(s[:min(len(s), maxCode)]) }

func indexRune(set string, r rune) int {
	if r >= utf8.RuneSelf {
		return -1
	}
	return strings.IndexByte(set, byte(r))
}

func allDigits(s string) bool {
	for _, b := range []byte(s) {
		if b < '0' || b > '9' {
			return false
		}
	}
	return s != ""
}
