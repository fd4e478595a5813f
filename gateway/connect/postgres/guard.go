package postgres

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"mulian/gateway/connect"
)

// A guard tells why PostgreSQL would change a canonical text of the column's
// kind without an error; "" if it would not.
type guard func(text string) (reason string)

// guardsOf gives the guards of the target's columns. is is the table that is
// there; one without columns is to be created.
func guardsOf(t connect.Target, is connect.Table) []guard {
	out := make([]guard, len(t.Columns))
	for i, c := range t.Columns {
		printed := declared[c.Kind]
		if has, ok := is.Column(c.Name); ok {
			printed = has.Type
		}
		out[i] = guardOf(printed)
	}
	return out
}

var printedForm = regexp.MustCompile(`^(numeric|character varying|character|timestamp|real)(?:\(([0-9]+)(?:,(-?[0-9]+))?\))?`)

// guardOf reads the type as format_type prints it.
func guardOf(printed string) guard {
	m := printedForm.FindStringSubmatch(printed)
	if m == nil {
		return nil
	}
	first, _ := strconv.Atoi(m[2])
	second, _ := strconv.Atoi(m[3])
	switch {
	case m[1] == "real":
		return fitsReal
	case m[1] == "timestamp" && m[2] == "":
		return fitsFraction(6)
	case m[1] == "timestamp":
		return fitsFraction(first)
	case m[2] == "":
		return nil
	case m[1] == "numeric":
		return fitsScale(second)
	default:
		return fitsLength(first)
	}
}

func fitsReal(text string) string {
	f, err := strconv.ParseFloat(text, 32)
	if again := strconv.FormatFloat(f, 'g', -1, 32); err != nil || again != text && strings.Trim(text, "-0123456789.e+") == "" {
		return "the column (real) would round it"
	}
	return ""
}

// fitsFraction is for points of time: at most digits after the second.
func fitsFraction(digits int) guard {
	return func(text string) string {
		_, fraction, _ := strings.Cut(strings.TrimSuffix(text, "Z"), ".")
		if len(fraction) > digits {
			return fmt.Sprintf("the column would round it to %d digits of a second", digits)
		}
		return ""
	}
}

// fitsScale is for numeric(p,scale); a negative scale rounds before the point.
func fitsScale(scale int) guard {
	return func(text string) string {
		whole, fraction, _ := strings.Cut(text, ".")
		fraction = strings.TrimRight(fraction, "0")
		zeros := len(whole) - len(strings.TrimRight(whole, "0"))
		isZero := strings.Trim(whole, "-0") == ""
		if scale >= 0 && len(fraction) > scale || scale < 0 && (fraction != "" || zeros < -scale && !isZero) {
			return fmt.Sprintf("the column would round it to scale %d", scale)
		}
		return ""
	}
}

// fitsLength is for varchar(n) and char(n), which drop blanks beyond their length.
func fitsLength(n int) guard {
	return func(text string) string {
		if utf8.RuneCountInString(text) > n {
			return fmt.Sprintf("longer than the column's %d characters", n)
		}
		return ""
	}
}
