package connect

import "strings"

// The grammars of canonical texts, by hand: Check runs on each value of each
// row, and regular expressions took two thirds of a scan's time.

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isWhole is 0, or digits that do not begin with 0.
func isWhole(s string) bool {
	return isDigits(s) && (s[0] != '0' || len(s) == 1)
}

// isDecimal has no sign on a zero: PostgreSQL keeps none.
func isDecimal(s string) bool {
	if len(s) > maxDigits || strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		return false
	}
	whole, fraction, has := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return isWhole(whole) && (!has || isDigits(fraction))
}

func isInfinity(s string) bool { return s == "infinity" || s == "-infinity" }

// isDate is YYYY-MM-DD of the proleptic Gregorian calendar, years 0000 to 9999.
func isDate(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	year, ok1 := number(s[0:4])
	month, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	return ok1 && ok2 && ok3 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// isTimestamp is YYYY-MM-DDTHH:MM:SS with up to nine further digits, of which
// the last is not 0.
func isTimestamp(s string) bool {
	if len(s) < 19 || !isDate(s[:10]) || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return false
	}
	hour, ok1 := number(s[11:13])
	minute, ok2 := number(s[14:16])
	second, ok3 := number(s[17:19])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 59 {
		return false
	}
	if len(s) == 19 {
		return true
	}
	return s[19] == '.' && len(s) <= 29 && isDigits(s[20:]) && s[len(s)-1] != '0'
}

func number(s string) (n int, ok bool) {
	if !isDigits(s) {
		return 0, false
	}
	for i := range len(s) {
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}
