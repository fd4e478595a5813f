package files

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"mulian/gateway/connect"
)

// fit makes the value that column c promises of what a file holds. reason is not
// empty if it cannot be carried so. maxChars is the declared bound of text.
func fit(c connect.Column, v connect.Value, maxChars int) (_ connect.Value, reason string) {
	if !v.IsNull() && v.Kind != c.Kind {
		if v, reason = convert(c.Kind, v); reason != "" {
			return connect.Null, reason
		}
	}
	if v.IsNull() {
		if !c.Nullable {
			return connect.Null, "no value in a column that is declared as required"
		}
		return v, ""
	}
	if err := v.Check(); err != nil {
		return connect.Null, err.Error()
	}
	if maxChars > 0 && utf8.RuneCountInString(v.Text) > maxChars {
		return connect.Null, fmt.Sprintf("text is longer than the declared %d characters", maxChars)
	}
	return v, ""
}

func convert(k connect.Kind, v connect.Value) (_ connect.Value, reason string) {
	number := v.Kind == connect.Integer || v.Kind == connect.Decimal
	switch {
	case k == connect.Text && v.Kind != connect.Bytes:
		return connect.TextValue(v.Text), ""
	case v.Kind == connect.Text || v.Kind == connect.Bytes && k == connect.JSON:
		if out, ok := parse(k, v.Text); ok {
			return out, ""
		}
		return connect.Null, "not a " + k.String()
	case k == connect.Decimal && number:
		return connect.Value{Kind: k, Text: v.Text}, ""
	case k == connect.Float && number:
		if out, ok := connect.FloatValue(v.Text); ok {
			return out, ""
		}
	case k == connect.Timestamp && v.Kind == connect.Date:
		return connect.Value{Kind: k, Text: v.Text + "T00:00:00"}, ""
	case k == connect.Boolean && v.Kind == connect.Integer && (v.Text == "0" || v.Text == "1"):
		return connect.BooleanValue(v.Text == "1"), ""
	}
	return connect.Null, fmt.Sprintf("a %s in a column of kind %s", v.Kind, k)
}

// parse reads the text of a file as kind k, without losing anything of its value. Blanks
// around it do not count; nothing is NULL.
func parse(k connect.Kind, s string) (v connect.Value, ok bool) {
	if k == connect.Text || k == connect.JSON {
		return connect.Value{Kind: k, Text: s}, true
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return connect.Null, true
	}
	switch k {
	case connect.Integer:
		v = connect.Value{Kind: k, Text: s}
		return v, v.Check() == nil
	case connect.Decimal:
		return connect.DecimalValue(s)
	case connect.Float:
		return connect.FloatValue(s)
	case connect.Boolean:
		switch strings.ToLower(s) {
		case "true", "t", "1", "yes", "y", "是":
			return connect.BooleanValue(true), true
		case "false", "f", "0", "no", "n", "否":
			return connect.BooleanValue(false), true
		}
		return v, false
	case connect.Date:
		return connect.DateValue(isoDay(s))
	case connect.Timestamp, connect.Instant:
		v, ok = parseTime(s)
		if ok && strings.HasSuffix(v.Text, "infinity") {
			v.Kind = k
		}
		return v, ok && v.Kind == k
	case connect.Bytes:
		text, has := strings.CutPrefix(s, `\x`)
		raw, err := hex.DecodeString(text)
		return connect.BytesValue(raw), has && err == nil
	}
	return v, false
}

// isoDay writes 2024/1/2 and 2024-1-2 as 2024-01-02, and leaves everything else.
func isoDay(s string) string {
	if len(s) < 8 || len(s) > 10 || s[4] != '/' && s[4] != '-' {
		return s
	}
	month, day, ok := strings.Cut(s[5:], s[4:5])
	m, err1 := strconv.Atoi(month)
	d, err2 := strconv.Atoi(day)
	if !ok || err1 != nil || err2 != nil || len(month) > 2 || len(day) > 2 || m < 1 || d < 1 {
		return s
	}
	return fmt.Sprintf("%s-%02d-%02d", s[:4], m, d)
}

// parseTime is connect.TimeValue, for 2024/1/2 3:04 too.
func parseTime(s string) (connect.Value, bool) {
	at := strings.IndexAny(s, " T")
	if at < 8 || at > 10 {
		return connect.TimeValue(s)
	}
	clock := s[at+1:]
	if len(clock) >= 4 && clock[1] == ':' {
		clock = "0" + clock
	}
	if len(clock) == 5 {
		clock += ":00"
	}
	return connect.TimeValue(isoDay(s[:at]) + "T" + clock)
}

// guess is which kinds all values of a column so far could have.
type guess uint16

// everyGuess is the guess about no value at all.
const everyGuess = guess(1<<connect.Integer | 1<<connect.Decimal | 1<<connect.Boolean | 1<<connect.Date |
	1<<connect.Timestamp | 1<<connect.Instant | 1<<connect.Text | 1<<connect.Bytes | 1<<connect.Float | 1<<connect.JSON)

const onlyText = guess(1 << connect.Text)

// and takes another value into account. Text counts as what it looks like if loose (a
// csv has nothing but text), else as text.
func (g guess) and(v connect.Value, loose bool) guess {
	if g == onlyText || v.IsNull() {
		return g
	}
	switch v.Kind {
	case connect.Integer:
		return g & (1<<connect.Integer | 1<<connect.Decimal | 1<<connect.Text)
	case connect.Date:
		return g & (1<<connect.Date | 1<<connect.Timestamp | 1<<connect.Text)
	case connect.Text:
		if !loose {
			return g & onlyText
		}
		return g & looks(v.Text)
	}
	return g & (1<<v.Kind | onlyText)
}

// looks is what a text could be. It is stricter than parse: 007 is text, and so is 1
// where a boolean is declared.
func looks(s string) guess {
	s = strings.TrimSpace(s)
	if s == "" {
		return everyGuess
	}
	if (connect.Value{Kind: connect.Decimal, Text: s}).Check() == nil && (s[0] == '-' && s != "-infinity" || s[0] >= '0' && s[0] <= '9') {
		if _, err := strconv.ParseInt(s, 10, 64); err == nil {
			return 1<<connect.Integer | 1<<connect.Decimal | onlyText
		}
		return 1<<connect.Decimal | onlyText
	}
	switch lower := strings.ToLower(s); {
	case lower == "true" || lower == "false":
		return 1<<connect.Boolean | onlyText
	case len(s) < 8 || s[0] < '0' || s[0] > '9':
		return onlyText
	}
	if _, ok := connect.DateValue(isoDay(s)); ok {
		return 1<<connect.Date | onlyText
	}
	if v, ok := parseTime(s); ok {
		return 1<<v.Kind | onlyText
	}
	return onlyText
}

// kind is the narrowest kind of a guess; text where there was no value.
func (g guess) kind() connect.Kind {
	if g == everyGuess {
		return connect.Text
	}
	for _, k := range []connect.Kind{connect.Integer, connect.Decimal, connect.Boolean, connect.Date, connect.Timestamp, connect.Instant, connect.Float, connect.JSON, connect.Bytes} {
		if g&(1<<k) != 0 {
			return k
		}
	}
	return connect.Text
}
