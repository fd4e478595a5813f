package prooffile

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A node is one value of the file: a text, a list, or an object with its fields in
// order. There are no numbers, no true and no null: a number is its decimal digits
// as a text, so that no program rounds it.
type node struct {
	kind   byte // 's', 'l', 'o'
	text   string
	list   []*node // of a list, or the values of an object
	fields []string
}

func text(s string) *node             { return &node{kind: 's', text: s} }
func number(n uint64) *node           { return text(strconv.FormatUint(n, 10)) }
func list(items ...*node) *node       { return &node{kind: 'l', list: items} }
func object(pairs ...any) *node       { return (&node{kind: 'o'}).with(pairs...) }
func texts(items []string) *node      { return each(items, text) }
func (n *node) field(name string) int { return indexOf(n.fields, name) }

func each[T any](items []T, make func(T) *node) *node {
	n := list()
	for _, it := range items {
		n.list = append(n.list, make(it))
	}
	return n
}

func indexOf(names []string, name string) int {
	for i, f := range names {
		if f == name {
			return i
		}
	}
	return -1
}

// with adds fields: name, value, name, value. A value is a node or a string.
func (n *node) with(pairs ...any) *node {
	for i := 0; i < len(pairs); i += 2 {
		v, ok := pairs[i+1].(*node)
		if !ok {
			v = text(pairs[i+1].(string))
		}
		n.fields, n.list = append(n.fields, pairs[i].(string)), append(n.list, v)
	}
	return n
}

// bytes writes the one byte form: each value on its own line, one blank for each
// level, a line feed at the end.
func (n *node) bytes() []byte { return append(n.append(nil, 0), '\n') }

func (n *node) append(b []byte, depth int) []byte {
	if n.kind == 's' {
		return appendText(b, n.text)
	}
	open, shut := byte('{'), byte('}')
	if n.kind == 'l' {
		open, shut = '[', ']'
	}
	b = append(b, open)
	for i, v := range n.list {
		if i > 0 {
			b = append(b, ',')
		}
		b = newline(b, depth+1)
		if n.kind == 'o' {
			b = append(append(append(b, '"'), n.fields[i]...), `": `...)
		}
		b = v.append(b, depth+1)
	}
	if len(n.list) > 0 {
		b = newline(b, depth)
	}
	return append(b, shut)
}

func newline(b []byte, depth int) []byte {
	b = append(b, '\n')
	for range depth {
		b = append(b, ' ')
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendText writes a text: only the quote, the backslash and what is below the
// blank are escaped, each in one way.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// parse reads the one byte form and nothing else: whoever changes a blank is
// refused with the line in which it stands.
func parse(raw []byte) (*node, error) {
	p := &parser{raw: raw}
	n, err := p.value(0)
	if err == nil {
		err = p.want("\n")
	}
	if err == nil && p.at != len(raw) {
		err = p.refuse("the end of the file")
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

type parser struct {
	raw   []byte
	at    int
	nodes int
}

// refuse says where, and what was expected there.
func (p *parser) refuse(expected string) error {
	line := 1 + bytes.Count(p.raw[:min(p.at, len(p.raw))], []byte{'\n'})
	return fmt.Errorf("line %d: expected %s", line, expected)
}

func (p *parser) want(s string) error {
	if !bytes.HasPrefix(p.raw[min(p.at, len(p.raw)):], []byte(s)) {
		return p.refuse(strconv.Quote(s))
	}
	p.at += len(s)
	return nil
}

func (p *parser) peek() byte {
	if p.at < len(p.raw) {
		return p.raw[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (*node, error) {
	if p.nodes++; p.nodes > maxNodes {
		return nil, p.refuse(fmt.Sprintf("at most %d values", maxNodes))
	}
	if depth > maxDepth {
		return nil, p.refuse(fmt.Sprintf("at most %d levels", maxDepth))
	}
	switch p.peek() {
	case '"':
		s, err := p.text()
		return text(s), err
	case '[':
		return p.items(&node{kind: 'l'}, depth)
	case '{':
		return p.items(&node{kind: 'o'}, depth)
	}
	return nil, p.refuse("a text, a list or an object")
}

// items reads what is between the brackets.
func (p *parser) items(n *node, depth int) (*node, error) {
	shut := byte(']')
	if n.kind == 'o' {
		shut = '}'
	}
	p.at++
	if n.kind == 'l' && p.peek() == shut {
		p.at++
		return n, nil
	}
	inside, outside := string(newline(nil, depth+1)), string(newline(nil, depth))
	for {
		if err := p.want(inside); err != nil {
			return nil, err
		}
		if n.kind == 'o' {
			if err := p.name(n); err != nil {
				return nil, err
			}
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.list = append(n.list, v)
		if p.peek() != ',' {
			break
		}
		p.at++
	}
	return n, p.want(outside + string(shut))
}

// maxName is the longest name of a field; the format's longest has 20.
const maxName = 32

func (p *parser) name(n *node) error {
	if err := p.want(`"`); err != nil {
		return err
	}
	from := p.at
	for c := p.peek(); c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'; c = p.peek() {
		p.at++
	}
	if p.at == from || p.at-from > maxName {
		return p.refuse("the name of a field")
	}
	n.fields = append(n.fields, string(p.raw[from:p.at]))
	return p.want(`": `)
}

func (p *parser) text() (string, error) {
	p.at++
	var out []byte
	for {
		c := p.peek()
		switch {
		case p.at >= len(p.raw) || c < ' ':
			return "", p.refuse("the end of the text")
		case c == '"':
			p.at++
			if !utf8.Valid(out) {
				return "", p.refuse("text in UTF-8")
			}
			return string(out), nil
		case c == '\\':
			plain, err := p.escape()
			if err != nil {
				return "", err
			}
			out = append(out, plain)
		default:
			out = append(out, c)
			p.at++
		}
	}
}

func (p *parser) escape() (byte, error) {
	rest := p.raw[p.at+1:]
	switch {
	case len(rest) > 0 && (rest[0] == '"' || rest[0] == '\\'):
		p.at += 2
		return rest[0], nil
	case len(rest) > 4 && string(rest[:3]) == "u00" && (rest[3] == '0' || rest[3] == '1'):
		if low := bytes.IndexByte([]byte(hexDigits), rest[4]); low >= 0 {
			p.at += 6
			return (rest[3]-'0')<<4 | byte(low), nil
		}
	}
	return 0, p.refuse(`one of \", \\, \u0000 to \u001f`)
}
