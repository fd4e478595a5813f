package mysql

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mulian/gateway/connect"
)

// A guard tells why MySQL would change a canonical value of the column's kind without
// an error, or refuse it; "" if it would not. Strict mode refuses much of it itself, but
// with its row inside one statement and sometimes with the value in its message.
type guard func(v connect.Value) (reason string)

var printedForm = regexp.MustCompile(`^([a-z]+)(?:\(([0-9]+)(?:,([0-9]+))?\))?`)

// guardOf reads the column's type.
func guardOf(f columnForm) guard {
	m := printedForm.FindStringSubmatch(f.full)
	if m == nil {
		return nil
	}
	first, _ := strconv.Atoi(m[2])
	second, _ := strconv.Atoi(m[3])
	switch base := m[1]; base {
	case "tinyint", "smallint", "mediumint", "int", "bigint":
		return fitsInteger(base, strings.Contains(f.full, "unsigned"))
	case "bit":
		return fitsRange(new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(max(first, 1))), big.NewInt(1)))
	case "year":
		return fitsYear
	case "decimal":
		return fitsDecimal(first, second)
	case "float", "double":
		return fitsFloat(base == "float", m[2] != "", second)
	case "date", "datetime", "timestamp":
		return fitsTime(base, first)
	case "time":
		return fitsFraction(first)
	case "char", "varchar":
		return fitsText(first, base == "char")
	case "binary":
		return func(v connect.Value) string {
			if len(v.Text) != first {
				return fmt.Sprintf("the column would fill it up to %d bytes", first)
			}
			return ""
		}
	case "varbinary":
		return fitsBytes(first)
	case "tinyblob", "tinytext":
		return fitsBytes(1<<8 - 1)
	case "blob", "text":
		return fitsBytes(1<<16 - 1)
	case "mediumblob", "mediumtext":
		return fitsBytes(1<<24 - 1)
	}
	return nil
}

var integerBits = map[string]uint{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}

func fitsInteger(base string, unsigned bool) guard {
	bits, one := integerBits[base], big.NewInt(1)
	if unsigned {
		return fitsRange(new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(one, bits), one))
	}
	half := new(big.Int).Lsh(one, bits-1)
	return fitsRange(new(big.Int).Neg(half), new(big.Int).Sub(half, one))
}

func fitsRange(low, high *big.Int) guard {
	small := low.IsInt64() && high.IsInt64()
	return func(v connect.Value) string {
		if v.Kind != connect.Integer {
			return ""
		}
		outside := fmt.Sprintf("outside the column's %s to %s", low, high)
		if i, err := strconv.ParseInt(v.Text, 10, 64); err == nil && small {
			if i < low.Int64() || i > high.Int64() {
				return outside
			}
			return ""
		}
		if len(v.Text) > 25 {
			return outside
		}
		if n, ok := new(big.Int).SetString(v.Text, 10); !ok || n.Cmp(low) < 0 || n.Cmp(high) > 0 {
			return outside
		}
		return ""
	}
}

// fitsYear: MySQL takes 24 for 2024.
func fitsYear(v connect.Value) string {
	if n, err := strconv.Atoi(v.Text); err != nil || n != 0 && (n < 1901 || n > 2155) {
		return "the column (year) holds 0 and 1901 to 2155"
	}
	return ""
}

func fitsDecimal(precision, scale int) guard {
	return func(v connect.Value) string {
		whole, fraction, ok := decimalDigits(v.Text)
		switch {
		case !ok:
			return "MySQL's decimals have no NaN and no infinity"
		case fraction > scale:
			return fmt.Sprintf("the column would round it to scale %d", scale)
		case whole > precision-scale:
			return fmt.Sprintf("more than the column's %d digits before the point", precision-scale)
		}
		return ""
	}
}

func fitsFloat(single, fixed bool, scale int) guard {
	return func(v connect.Value) string {
		bits := 64
		if single {
			bits = 32
		}
		x, err := strconv.ParseFloat(v.Text, bits)
		if err != nil || x-x != 0 {
			return "the column has no NaN, no infinity, and not this size"
		}
		if again := strconv.FormatFloat(x, 'g', -1, bits); again != v.Text {
			return "the column (float) would round it"
		}
		if _, fraction, _ := strings.Cut(strconv.FormatFloat(x, 'f', -1, bits), "."); fixed && len(fraction) > scale {
			return fmt.Sprintf("the column would round it to %d digits", scale)
		}
		return ""
	}
}

// fitsTime is for days and points of time. A timestamp of MySQL ends in January 2038.
func fitsTime(base string, digits int) guard {
	fraction := fitsFraction(digits)
	return func(v connect.Value) string {
		t := strings.TrimSuffix(v.Text, "Z")
		switch {
		case strings.HasSuffix(t, "infinity"):
			return "MySQL's dates have no infinity"
		case strings.HasPrefix(t, "0000"):
			return "the column takes no year 0"
		case base == "timestamp" && (t < "1970-01-01T00:00:01" || t >= "2038-01-19T03:14:08"):
			return "the column (timestamp) holds 1970 to January 2038"
		case base == "date":
			return ""
		}
		return fraction(v)
	}
}

// fitsFraction is for points of time: at most digits after the second.
func fitsFraction(digits int) guard {
	return func(v connect.Value) string {
		_, fraction, _ := strings.Cut(strings.TrimSuffix(v.Text, "Z"), ".")
		if len(strings.TrimRight(fraction, "0")) > digits {
			return fmt.Sprintf("the column would round it to %d digits of a second", digits)
		}
		return ""
	}
}

// fitsText is for varchar(n), which drops blanks beyond its length, and char(n), which
// drops all at the end.
func fitsText(n int, char bool) guard {
	return func(v connect.Value) string {
		if utf8.RuneCountInString(v.Text) > n {
			return fmt.Sprintf("longer than the column's %d characters", n)
		}
		if char && strings.HasSuffix(v.Text, " ") {
			return "the column (char) would drop the blanks at the end"
		}
		return ""
	}
}

// fitsBytes is for blobs and texts; of a text, the bytes in UTF-8.
func fitsBytes(n int) guard {
	return func(v connect.Value) string {
		if len(v.Text) > n {
			return fmt.Sprintf("longer than the column's %d bytes", n)
		}
		return ""
	}
}

// mergeable tells why a merge into an existing table would not be exact: what MySQL takes
// for an equal key must be the same key, and nothing but the key may decide it.
func (t *tableDescription) mergeable(key []string) (reason string) {
	for _, name := range key {
		f := t.more[name]
		if f.kind == connect.Text && !f.byBytes {
			return fmt.Sprintf("by the rules of column %q (%s) keys that differ may be equal; give it a collation that ends in _nopad_bin or _0900_bin", name, or(f.collation, f.base))
		}
	}
	for _, ix := range t.Indexes {
		if ix.Unique && !slices.Equal(ix.Columns, t.PrimaryKey) {
			return fmt.Sprintf("its unique index %q would decide too which row is overwritten", ix.Name)
		}
	}
	return ""
}
