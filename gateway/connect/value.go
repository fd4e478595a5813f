package connect

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Kind is the logical type of a value, the same for every database.
type Kind uint8

// The kinds. Their numbers travel in pages and never change; new ones are
// appended. 0 is the kind of NULL and of nothing else.
const (
	Text      Kind = iota + 1 // any Unicode text without NUL; also the kind of types that have none of their own (uuid, inet, interval, arrays, enums)
	Integer                   // "-12"
	Decimal                   // exact, with the scale it was given: "12.50"
	Boolean                   // "true", "false"
	Date                      // "2006-01-02"
	Timestamp                 // local, without a zone: "2006-01-02T15:04:05.999999"
	Instant                   // a moment: the same, in UTC, with "Z"
	Bytes                     // any bytes, raw
	Float                     // shortest text of the binary64: "0.1", "1e+30", "NaN"
	JSON                      // JSON text, as the database printed it
)

var kindNames = [...]string{"null", "text", "integer", "decimal", "boolean", "date", "timestamp", "instant", "bytes", "float", "json"}

func (k Kind) valid() bool { return k >= Text && k <= JSON }

// String is the kind's name, as in documents.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) {
	if !k.valid() {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, k)
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads a kind's name.
func (k *Kind) UnmarshalText(b []byte) error {
	for i, name := range kindNames {
		if i > 0 && name == string(b) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("%w: kind %.20q", ErrInvalid, b)
}

// A Value is one field of one row. The zero Value is NULL. Text is canonical
// for its kind (see the kinds; Check tells): two values are the same exactly if
// they are equal as Go structs.
//
// Decimal, Float, Date, Timestamp and Instant may also be "infinity" and
// "-infinity", which departments use for "until further notice".
type Value struct {
	Kind Kind
	Text string
}

// Null is the NULL value.
var Null = Value{}

// A Row is the values of one row, in the order of a Selection's columns.
type Row []Value

// IsNull tells whether v is NULL.
func (v Value) IsNull() bool { return v.Kind == 0 }

// String shows the kind and length only, so that a value printed by mistake
// shows nothing.
func (v Value) String() string {
	if v.IsNull() {
		return "NULL"
	}
	return fmt.Sprintf("%s(%d bytes)", v.Kind, len(v.Text))
}

// GoString hides the value from %#v too.
func (v Value) GoString() string { return v.String() }

// LogValue hides the value from logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalJSON writes the value for a person or program that asked for it: null,
// a JSON bool, or a string (bytes in base64). Numbers are strings, so that no reader rounds them.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.Kind {
	case 0:
		return []byte("null"), nil
	case Boolean:
		return []byte(v.Text), nil
	case Bytes:
		return json.Marshal(base64.StdEncoding.EncodeToString([]byte(v.Text)))
	default:
		return json.Marshal(v.Text)
	}
}

// maxDigits bounds a number's text: PostgreSQL's numeric has at most 131,072
// digits before and 16,383 after the point.
const maxDigits = 131_072 + 16_383 + 2

// Check tells why v is not canonical, or nil. The text never holds the value.
func (v Value) Check() error {
	if len(v.Text) > MaxValueBytes {
		return fmt.Errorf("value of %d bytes, at most %d", len(v.Text), MaxValueBytes)
	}
	switch v.Kind {
	case 0:
		if v.Text != "" {
			return fmt.Errorf("NULL with text")
		}
		return nil
	case Bytes:
		return nil
	case Text:
		return checkText(v.Text)
	case JSON:
		if err := checkText(v.Text); err != nil {
			return err
		}
		if !json.Valid([]byte(v.Text)) {
			return fmt.Errorf("not JSON")
		}
		return nil
	default:
		if !v.Kind.valid() {
			return fmt.Errorf("unknown kind %d", v.Kind)
		}
		if !v.canonicalScalar() {
			return fmt.Errorf("not a canonical %s", v.Kind)
		}
		return nil
	}
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("text is not UTF-8")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("text holds a NUL character")
	}
	return nil
}

// canonicalScalar is Check for the kinds whose text has a grammar.
func (v Value) canonicalScalar() bool {
	s := v.Text
	switch v.Kind {
	case Integer:
		return len(s) <= maxDigits && s != "-0" && isWhole(strings.TrimPrefix(s, "-"))
	case Decimal:
		return s == "NaN" || isInfinity(s) || isDecimal(s)
	case Boolean:
		return s == "true" || s == "false"
	case Float:
		c, ok := FloatValue(s)
		return ok && c.Text == s
	case Date:
		return isInfinity(s) || isDate(s)
	}
	if isInfinity(s) {
		return true
	}
	zoned := strings.HasSuffix(s, "Z")
	return zoned == (v.Kind == Instant) && isTimestamp(strings.TrimSuffix(s, "Z"))
}

// TextValue is s as Text, unchecked.
func TextValue(s string) Value { return Value{Text, s} }

// IntegerValue is i as Integer.
func IntegerValue(i int64) Value { return Value{Integer, strconv.FormatInt(i, 10)} }

// BooleanValue is b as Boolean.
func BooleanValue(b bool) Value { return Value{Boolean, strconv.FormatBool(b)} }

// BytesValue is b as Bytes.
func BytesValue(b []byte) Value { return Value{Bytes, string(b)} }

// InstantValue is the moment t as Instant.
func InstantValue(t time.Time) Value {
	return Value{Instant, t.UTC().Format("2006-01-02T15:04:05.999999999") + "Z"}
}

// DecimalValue brings a decimal number into its canonical form without changing its
// value or scale; it understands an exponent. ok is false for anything else.
func DecimalValue(s string) (v Value, ok bool) {
	if len(s) > maxDigits {
		return Value{}, false
	}
	if s == "NaN" || isDecimal(s) {
		return Value{Decimal, s}, true
	}
	if strings.EqualFold(s, "infinity") || strings.EqualFold(s, "-infinity") {
		return Value{Decimal, strings.ToLower(s)}, true
	}
	if !strings.ContainsAny(s, "0123456789") || strings.ContainsAny(s, "xXoObBpP_/") {
		return Value{}, false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	scale := 0
	if _, frac, has := strings.Cut(mantissa, "."); has {
		scale = len(frac)
	}
	if exponent != "" {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > 131_072 || e < -16_383 {
			return Value{}, false
		}
		scale = max(0, scale-e)
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return Value{}, false
	}
	text := r.FloatString(scale)
	return Value{Decimal, text}, isDecimal(text)
}

// FloatValue brings a floating point number into its canonical form.
func FloatValue(s string) (v Value, ok bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.ContainsAny(s, "xXpP_") {
		return Value{}, false
	}
	return Value{Float, formatFloat(f)}, true
}

func formatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "infinity"
	case math.IsInf(f, -1):
		return "-infinity"
	case f == 0:
		return "0" // not "-0": some databases keep no sign of zero
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// DateValue accepts YYYY-MM-DD and the infinities.
func DateValue(s string) (v Value, ok bool) {
	v = Value{Date, s}
	return v, v.canonicalScalar()
}

// TimeValue brings a point of time as databases write it (with a blank or T,
// with or without a zone) into its canonical form: Instant if it names a zone,
// else Timestamp. A bare date is not one.
func TimeValue(s string) (v Value, ok bool) {
	if isInfinity(s) {
		return Value{Timestamp, s}, true
	}
	if len(s) < len("2006-01-02T15:04:05") || len(s) > 40 || (s[10] != ' ' && s[10] != 'T') {
		return Value{}, false
	}
	day, clock := s[:10], s[11:]
	zone := strings.IndexAny(clock, "Zz+-")
	if zone < 0 {
		v = Value{Timestamp, day + "T" + trimFraction(clock)}
		return v, v.canonicalScalar()
	}
	for _, layout := range []string{"Z07:00", "Z07", "Z0700", "Z07:00:00"} {
		t, err := time.Parse("2006-01-02T15:04:05.999999999"+layout, day+"T"+strings.ToUpper(clock))
		if err == nil {
			v = InstantValue(t)
			return v, v.canonicalScalar()
		}
	}
	return Value{}, false
}

// trimFraction removes trailing zeros after the point, and a point alone.
func trimFraction(clock string) string {
	if strings.IndexByte(clock, '.') < 0 {
		return clock
	}
	return strings.TrimSuffix(strings.TrimRight(clock, "0"), ".")
}
