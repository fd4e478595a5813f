package order

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

// Key appends the form of v whose bytes compare as the values do, within one kind.
// Integers and decimals are comparable with each other. NULL comes first.
// No form is the beginning of another one's: several can stand after one another.
func Key(dst []byte, v connect.Value) []byte {
	switch v.Kind {
	case 0:
		return append(dst, 0)
	case connect.Integer, connect.Decimal:
		return appendNumber(append(dst, 1), v.Text)
	case connect.Float:
		f, _ := strconv.ParseFloat(v.Text, 64) // canonical: "infinity" is understood
		bits := math.Float64bits(f)
		if bits>>63 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
		return binary.BigEndian.AppendUint64(append(dst, 1), bits)
	case connect.Date, connect.Timestamp, connect.Instant:
		switch v.Text {
		case "-infinity":
			return append(dst, 1, 0)
		case "infinity":
			return append(dst, 1, 2)
		}
		return append(append(append(dst, 1, 1), strings.TrimSuffix(v.Text, "Z")...), 0)
	}
	return appendBytes(append(dst, 1), v.Text)
}

// appendBytes ends with 00 01 and writes 00 as 00 FF.
func appendBytes(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			return append(append(dst, s...), 0, 1)
		}
		dst = append(append(dst, s[:i]...), 0, 0xff)
		s = s[i+1:]
	}
}

// appendNumber writes the sign, how many digits stand before the point, and the
// digits from the first that is not 0; of a negative number each byte inverted.
func appendNumber(dst []byte, s string) []byte {
	switch s {
	case "-infinity":
		return append(dst, 0)
	case "infinity":
		return append(dst, 4)
	case "NaN": // the greatest, as in PostgreSQL
		return append(dst, 5)
	}
	abs, negative := strings.CutPrefix(s, "-")
	whole, fraction, _ := strings.Cut(abs, ".")
	whole = strings.TrimLeft(whole, "0")
	exponent := len(whole)
	digits := whole + fraction
	if whole == "" {
		digits = strings.TrimLeft(fraction, "0")
		exponent = len(digits) - len(fraction)
	}
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return append(dst, 2)
	}
	sign := byte(3)
	if negative {
		sign = 1
	}
	dst = append(dst, sign)
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(int64(exponent)+1<<31)) //nolint:gosec // within maxDigits
	dst = append(append(dst, digits...), 0)
	if negative {
		for i := at; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// compared brings a condition's value into the kind of the column, so that their
// keys can be compared. ErrInvalid: they cannot.
func compared(c connect.Column, v connect.Value) (connect.Value, error) {
	number := v.Kind == connect.Integer || v.Kind == connect.Decimal
	switch {
	case v.Kind == c.Kind, number && (c.Kind == connect.Integer || c.Kind == connect.Decimal):
		return v, nil
	case number && c.Kind == connect.Float:
		if f, ok := connect.FloatValue(v.Text); ok {
			return f, nil
		}
	case c.Kind == connect.Text && v.Kind != connect.Bytes:
		return connect.TextValue(v.Text), nil
	case v.Kind == connect.Date && c.Kind == connect.Timestamp:
		if strings.HasSuffix(v.Text, "infinity") {
			return connect.Value{Kind: c.Kind, Text: v.Text}, nil
		}
		return connect.Value{Kind: c.Kind, Text: v.Text + "T00:00:00"}, nil
	}
	return v, fmt.Errorf("%w: a %s is compared with column %q of kind %s", connect.ErrInvalid, v.Kind, c.Name, c.Kind)
}
