package sdjwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A value of JSON is one of: nil, bool, string, [Number], [Object], [Array]. A
// template for [Prepare] may also hold int, int64, [Hidden] and [Decoy].
type (
	// Object keeps its members in the order in which they came.
	Object []Member
	// Array is a list of values.
	Array []any
	// Number is the text of a JSON number, as it was written.
	Number string
)

// Member is a name with its value.
type Member struct {
	Name  string
	Value any
}

// ErrJSON is wrapped by every error of [ParseJSON].
var ErrJSON = errors.New("not strict JSON")

// Get returns the value of a name.
func (o Object) Get(name string) (any, bool) {
	for _, m := range o {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// Text returns the string of a name, or "" where there is none or it is no string.
func (o Object) Text(name string) string {
	v, _ := o.Get(name)
	s, _ := v.(string)
	return s
}

// Whole returns the number of a name as int64; ok is false if it is no whole number
// between -2^53 and 2^53, the range in which all readers of JSON agree (RFC 7493).
func (o Object) Whole(name string) (n int64, ok bool) {
	v, _ := o.Get(name)
	text, isNumber := v.(Number)
	if !isNumber {
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && n >= -1<<53 && n <= 1<<53
}

// Same says whether two objects hold the same members with the same values, in whatever
// order: the order of disclosed members is that of their digests, and differs between twins.
func (o Object) Same(p Object) bool { return sameValue(o, p) }

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		if !ok || len(a) != len(b) {
			return false
		}
		for _, m := range a {
			if v, found := b.Get(m.Name); !found || !sameValue(m.Value, v) {
				return false
			}
		}
		return true
	case Array:
		b, ok := b.(Array)
		return ok && slices.EqualFunc(a, b, sameValue)
	}
	switch b.(type) {
	case Object, Array:
		return false
	}
	return a == b
}

// ParseJSON reads one JSON value with nothing behind it (RFC 8259), and refuses
// what readers understand differently: names that come twice in an object, text
// that is not UTF-8, lone surrogates, more than [MaxDepth] levels or [MaxMembers]
// values. Numbers stay text.
func ParseJSON(raw []byte) (any, error) { return parseJSON(raw, MaxText) }

func parseJSON(raw []byte, maxBytes int) (any, error) {
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrJSON, len(raw), maxBytes)
	}
	p := parser{raw: raw}
	v, err := p.value(1)
	if err != nil {
		return nil, fmt.Errorf("%w: byte %d: %w", ErrJSON, p.at, err)
	}
	if p.space(); p.at != len(raw) {
		return nil, fmt.Errorf("%w: byte %d: something follows the value", ErrJSON, p.at)
	}
	return v, nil
}

// ParseObject is [ParseJSON] for a text that must be an object.
func ParseObject(raw []byte) (Object, error) { return parseObject(raw, MaxText) }

// parseObject: the caller has bounded the bytes.
func parseObject(raw []byte, maxBytes int) (Object, error) {
	v, err := parseJSON(raw, maxBytes)
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, fmt.Errorf("%w: want an object", ErrJSON)
	}
	return o, nil
}

type parser struct {
	raw    []byte
	at     int
	values int
}

var words = []struct {
	text  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

var errEnd = errors.New("the text ends here")

func (p *parser) space() {
	for p.at < len(p.raw) {
		switch p.raw[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// next skips white space and returns the byte that stands there, 0 at the end.
func (p *parser) next() byte {
	if p.space(); p.at < len(p.raw) {
		return p.raw[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (any, error) {
	if p.values++; p.values > MaxMembers || depth > MaxDepth {
		return nil, errors.New("too many values or levels")
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.text()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 0 && p.at >= len(p.raw):
		return nil, errEnd
	}
	for _, w := range words {
		if rest := p.raw[p.at:]; len(rest) >= len(w.text) && string(rest[:len(w.text)]) == w.text {
			p.at += len(w.text)
			return w.value, nil
		}
	}
	return nil, errors.New("no value")
}

func (p *parser) object(depth int) (any, error) {
	p.at++
	o := Object{}
	seen := map[string]bool{}
	if p.next() == '}' {
		p.at++
		return o, nil
	}
	for {
		if p.next() != '"' {
			return nil, errors.New("want a name")
		}
		name, err := p.text()
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, fmt.Errorf("the name %.40q comes twice", name)
		}
		seen[name] = true
		if p.next() != ':' {
			return nil, errors.New("want a colon")
		}
		p.at++
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o = append(o, Member{name, v})
		switch p.next() {
		case ',':
			p.at++
		case '}':
			p.at++
			return o, nil
		default:
			return nil, errors.New("want a comma or }")
		}
	}
}

func (p *parser) array(depth int) (any, error) {
	p.at++
	a := Array{}
	if p.next() == ']' {
		p.at++
		return a, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return a, nil
		default:
			return nil, errors.New("want a comma or ]")
		}
	}
}

// number reads -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?.
func (p *parser) number() (any, error) {
	start := p.at
	digits := func() int {
		n := 0
		for p.at < len(p.raw) && p.raw[p.at] >= '0' && p.raw[p.at] <= '9' {
			p.at++
			n++
		}
		return n
	}
	is := func(one ...byte) bool { return p.at < len(p.raw) && slices.Contains(one, p.raw[p.at]) }
	if is('-') {
		p.at++
	}
	zero := is('0')
	if n := digits(); n == 0 || zero && n > 1 {
		return nil, errors.New("no number")
	}
	if is('.') {
		p.at++
		if digits() == 0 {
			return nil, errors.New("no digit behind the point")
		}
	}
	if is('e', 'E') {
		p.at++
		if is('+', '-') {
			p.at++
		}
		if digits() == 0 {
			return nil, errors.New("no digit in the exponent")
		}
	}
	if p.at-start > 64 {
		return nil, errors.New("a number of more than 64 characters")
	}
	return Number(p.raw[start:p.at]), nil
}

func (p *parser) text() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.raw) && p.raw[p.at] != '"' && p.raw[p.at] != '\\' && p.raw[p.at] >= 0x20 {
		p.at++
	}
	out := p.raw[start:p.at:p.at] // an append copies
	for {
		if p.at >= len(p.raw) {
			return "", errEnd
		}
		switch c := p.raw[p.at]; {
		case c == '"':
			p.at++
			if !utf8.Valid(out) {
				return "", errors.New("text is not UTF-8")
			}
			return string(out), nil
		case c < 0x20:
			return "", errors.New("a control character in a text")
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
			p.at++
		}
	}
}

func (p *parser) escape() (rune, error) {
	p.at++
	if p.at >= len(p.raw) {
		return 0, errEnd
	}
	c := p.raw[p.at]
	p.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, err := p.hex4()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		if p.at+2 > len(p.raw) || p.raw[p.at] != '\\' || p.raw[p.at+1] != 'u' {
			return 0, errors.New("a lone surrogate")
		}
		p.at += 2
		low, err := p.hex4()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, errors.New("a lone surrogate")
		}
		return r, nil
	}
	return 0, errors.New("an unknown escape")
}

func (p *parser) hex4() (rune, error) {
	if p.at+4 > len(p.raw) {
		return 0, errEnd
	}
	var r rune
	for _, c := range p.raw[p.at : p.at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, errors.New("no hexadecimal digit")
		}
	}
	p.at += 4
	return r, nil
}

// AppendJSON writes a value without white space, members in their order, only the
// escapes that JSON asks for. It panics for a type that is no value: that is a
// mistake of the program, for templates have been checked by [Prepare].
func AppendJSON(out []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...)
	case bool:
		return strconv.AppendBool(out, v)
	case int:
		return strconv.AppendInt(out, int64(v), 10)
	case int64:
		return strconv.AppendInt(out, v, 10)
	case Number:
		return append(out, v...)
	case string:
		return appendText(out, v)
	case Array:
		out = append(out, '[')
		for i, e := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = AppendJSON(out, e)
		}
		return append(out, ']')
	case Object:
		out = append(out, '{')
		for i, m := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(appendText(out, m.Name), ':')
			out = AppendJSON(out, m.Value)
		}
		return append(out, '}')
	}
	panic(fmt.Sprintf("sdjwt: %T is no value of JSON", v))
}

// MarshalJSON lets an Object stand inside what encoding/json writes.
func (o Object) MarshalJSON() ([]byte, error) { return AppendJSON(nil, o), nil }

// MarshalJSON lets an Array stand inside what encoding/json writes.
func (a Array) MarshalJSON() ([]byte, error) { return AppendJSON(nil, a), nil }

// MarshalJSON writes the number as it is.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

var (
	_ json.Marshaler = Object{}
	_ json.Marshaler = Array{}
	_ json.Marshaler = Number("")
)

func appendText(out []byte, s string) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
