package sheet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mulian/internal/fault"
)

// turtle reads Turtle (W3C Recommendation of 25 February 2014), and with it
// N-Triples, which is a part of it, byte by byte. Wrong words of the grammar end the
// reading: what was said before them is given, and the place is told.
type turtle struct {
	g        *graph
	r        *bufio.Reader
	line     int
	depth    int
	base     string
	prefixes map[string]string
}

// maxPrefixes bounds the prefixes of a file. Our own choice: the longest list that
// we know of (the shapes of DCAT-AP) has 25.
const maxPrefixes = 10_000

func (g *graph) readTurtle(r *bufio.Reader) error {
	t := &turtle{g: g, r: r, line: 1, prefixes: make(map[string]string)}
	err := t.document()
	var coded *fault.Fault
	switch {
	case err == nil, errors.Is(err, errStatements), errors.As(err, &coded):
		return err
	case errors.Is(err, errLong):
		g.ended(t.line, fault.TooLong, "一个词超过 %d MB", "a word is longer than %d MB", maxCellBytes>>20)
	case errors.Is(err, errDepth):
		g.ended(t.line, fault.TooLong, "括号嵌套超过 %d 层", "brackets nest deeper than %d", maxElements)
	case errors.Is(err, io.EOF):
		g.ended(t.line, fault.Torn, "文件在中间结束：可能没有下载完整", "the file ends in the middle: it may not be fetched completely")
	default:
		if f := g.file.unreadable(err); fault.Is(f, fault.Torn) {
			return f
		}
		g.ended(t.line, fault.Malformed, "不是正确的 Turtle：%v", "not valid Turtle: %v", err)
	}
	return nil
}

func (t *turtle) byte() (byte, error) {
	b, err := t.r.ReadByte()
	if b == '\n' && err == nil {
		t.line++
	}
	return b, err
}

func (t *turtle) back(b byte) {
	t.r.UnreadByte()
	if b == '\n' {
		t.line--
	}
}

// skip passes over white space and comments, and returns the next byte without
// taking it.
func (t *turtle) skip() (byte, error) {
	for {
		b, err := t.byte()
		if err != nil {
			return 0, err
		}
		switch b {
		case ' ', '\t', '\r', '\n':
		case '#':
			for b != '\n' {
				if b, err = t.byte(); err != nil {
					return 0, err
				}
			}
		default:
			t.back(b)
			return b, nil
		}
	}
}

func (t *turtle) expect(want byte) error {
	b, err := t.skip()
	if err != nil {
		return err
	}
	if b != want {
		return fmt.Errorf("%q in the place of %q", b, want)
	}
	_, err = t.byte()
	return err
}

func (t *turtle) document() error {
	for {
		b, err := t.skip()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if b == '@' || unicode.IsLetter(rune(b)) {
			word, err := t.directiveWord()
			if err != nil {
				return err
			}
			if word != "" {
				if err := t.directive(word); err != nil {
					return err
				}
				continue
			}
		}
		if err := t.statement(); err != nil {
			return err
		}
	}
}

// directiveWord takes @prefix, @base, PREFIX or BASE, when one of them is next.
func (t *turtle) directiveWord() (string, error) {
	for _, w := range []string{"@prefix", "@base", "prefix", "base"} {
		head, err := t.r.Peek(len(w) + 1)
		if err != nil && err != io.EOF {
			return "", err
		}
		if len(head) == len(w)+1 && strings.EqualFold(string(head[:len(w)]), w) && isBlank(head[len(w)]) {
			t.r.Discard(len(w))
			return w, nil
		}
	}
	return "", nil
}

func (t *turtle) directive(word string) error {
	name := ""
	if strings.HasSuffix(word, "prefix") {
		if _, err := t.skip(); err != nil {
			return err
		}
		raw, err := t.name()
		if err != nil {
			return err
		}
		prefix, ok := strings.CutSuffix(raw, ":")
		if !ok {
			return fmt.Errorf("%q is no prefix", brief(raw))
		}
		name = prefix
	}
	if b, err := t.skip(); err != nil {
		return err
	} else if b != '<' {
		return fmt.Errorf("%q in the place of an IRI", b)
	}
	iri, err := t.iri()
	if err != nil {
		return err
	}
	if strings.HasSuffix(word, "prefix") {
		if len(t.prefixes) >= maxPrefixes {
			return fmt.Errorf("more than %d prefixes", maxPrefixes)
		}
		t.prefixes[name] = iri
	} else {
		t.base = iri
	}
	if word[0] == '@' {
		return t.expect('.')
	}
	return nil
}

func brief(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// statement reads a subject with everything said of it.
func (t *turtle) statement() error {
	line := t.line
	b, err := t.skip()
	if err != nil {
		return err
	}
	subject, alone := "", false
	switch b {
	case '[':
		subject, err = t.brackets()
		alone = true
	case '(':
		var members []term
		if members, err = t.members(); err == nil {
			subject = t.g.blank()
			for _, m := range members {
				if err = t.g.add(subject, rdfNS+"member", m, line); err != nil {
					return err
				}
			}
		}
	default:
		var v term
		if v, err = t.term(); err == nil && v.kind != reference {
			err = errors.New("a text in the place of a subject")
		}
		subject = v.text
	}
	if err != nil {
		return err
	}
	if b, err = t.skip(); err != nil {
		return err
	}
	if !alone || b != '.' {
		if err := t.properties(subject, line, '.'); err != nil {
			return err
		}
	}
	return t.expect('.')
}

// properties reads predicates with their objects, up to end, which is not taken.
func (t *turtle) properties(subject string, line int, end byte) error {
	for {
		b, err := t.skip()
		if err != nil {
			return err
		}
		switch b {
		case end:
			return nil
		case ';':
			t.byte()
			continue
		}
		p, err := t.term()
		if err != nil {
			return err
		}
		if p.kind != reference || strings.HasPrefix(p.text, blankTag) {
			return errors.New("a predicate has to be an IRI")
		}
		for {
			if err := t.object(subject, p.text, line); err != nil {
				return err
			}
			if b, err = t.skip(); err != nil {
				return err
			}
			if b != ',' {
				break
			}
			t.byte()
		}
		if b != ';' && b != end {
			return fmt.Errorf("%q after an object", b)
		}
	}
}

// object reads one object; the members of a list are objects each.
func (t *turtle) object(subject, predicate string, line int) error {
	b, err := t.skip()
	if err != nil {
		return err
	}
	var v term
	switch b {
	case '(':
		members, err := t.members()
		if err != nil {
			return err
		}
		for _, m := range members {
			if err := t.g.add(subject, predicate, m, line); err != nil {
				return err
			}
		}
		return nil
	case '[':
		id, err := t.brackets()
		if err != nil {
			return err
		}
		v = term{text: id, kind: reference}
	default:
		if v, err = t.term(); err != nil {
			return err
		}
	}
	return t.g.add(subject, predicate, v, line)
}

// brackets reads a node without a name: [ … ].
func (t *turtle) brackets() (string, error) {
	if t.depth++; t.depth > maxElements {
		return "", errDepth
	}
	defer func() { t.depth-- }()
	t.byte()
	id := t.g.blank()
	if err := t.properties(id, t.line, ']'); err != nil {
		return "", err
	}
	t.byte()
	return id, nil
}

// members reads a list: ( … ).
func (t *turtle) members() ([]term, error) {
	if t.depth++; t.depth > maxElements {
		return nil, errDepth
	}
	defer func() { t.depth-- }()
	t.byte()
	var out []term
	for {
		b, err := t.skip()
		if err != nil {
			return nil, err
		}
		var v term
		switch b {
		case ')':
			t.byte()
			return out, nil
		case '[':
			v.kind = reference
			v.text, err = t.brackets()
		case '(':
			var inner []term
			if inner, err = t.members(); err == nil {
				out = append(out, inner...)
				continue
			}
		default:
			v, err = t.term()
		}
		if err != nil {
			return nil, err
		}
		if len(out) > maxFields {
			return nil, errLong
		}
		out = append(out, v)
	}
}

// term reads an IRI, a blank label, a literal or a word.
func (t *turtle) term() (term, error) {
	b, err := t.skip()
	if err != nil {
		return term{}, err
	}
	switch b {
	case '<':
		iri, err := t.iri()
		return term{text: iri, kind: reference}, err
	case '"', '\'':
		return t.literal(b)
	}
	raw, err := t.name()
	if err != nil {
		return term{}, err
	}
	switch {
	case raw == "a":
		return term{text: typeIRI, kind: reference}, nil
	case raw == "true", raw == "false", raw != "" && strings.Trim(raw, "+-.0123456789eE") == "":
		return term{text: raw, kind: literal}, nil
	case strings.HasPrefix(raw, blankTag):
		return term{text: raw, kind: reference}, nil
	}
	prefix, local, ok := strings.Cut(raw, ":")
	if !ok {
		return term{}, fmt.Errorf("%q is no word of Turtle", brief(raw))
	}
	space, ok := t.prefixes[prefix]
	if !ok {
		return term{}, fmt.Errorf("the prefix %q is not declared", brief(prefix))
	}
	return term{text: space + unescapeLocal(local), kind: reference}, nil
}

// nameEnds are the bytes that end a name, beside white space.
const nameEnds = `<>"'{}|^,;()[]#`

// name takes the bytes of a prefixed name, a label, a number or a word. A dot at
// its end belongs to the statement.
func (t *turtle) name() (string, error) {
	var raw []byte
	for {
		head, err := t.r.Peek(2)
		if len(head) == 0 {
			if err == io.EOF && len(raw) > 0 {
				break
			}
			return "", err
		}
		b := head[0]
		if b <= ' ' || strings.IndexByte(nameEnds, b) >= 0 && (len(raw) == 0 || raw[len(raw)-1] != '\\') {
			break
		}
		if b == '.' && (len(head) < 2 || head[1] <= ' ' || strings.IndexByte(nameEnds, head[1]) >= 0) {
			break
		}
		t.r.Discard(1)
		if raw = append(raw, b); len(raw) > maxKeyBytes {
			return "", errLong
		}
	}
	if len(raw) == 0 {
		b, _ := t.r.Peek(1)
		return "", fmt.Errorf("%q begins no word of Turtle", b)
	}
	return strings.ToValidUTF8(string(raw), "\ufffd"), nil
}

// unescapeLocal takes the backslashes from a local name; %41 stays as it is.
func unescapeLocal(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// iri reads <…>.
func (t *turtle) iri() (string, error) {
	t.byte()
	var raw []byte
	for {
		b, err := t.byte()
		if err != nil {
			return "", err
		}
		switch {
		case b == '>':
			return resolve(t.base, strings.ToValidUTF8(string(raw), "\ufffd")), nil
		case b == '\n':
			return "", errors.New("a line ends inside an IRI")
		case b == '\\':
			if raw, err = t.escape(raw); err != nil {
				return "", err
			}
		default:
			raw = append(raw, b)
		}
		if len(raw) > maxKeyBytes*16 {
			return "", errLong
		}
	}
}

// literal reads a text in one or three quotes, with its language or type.
func (t *turtle) literal(quote byte) (term, error) {
	t.byte()
	long := false
	if head, _ := t.r.Peek(2); len(head) == 2 && head[0] == quote && head[1] == quote {
		t.r.Discard(2)
		long = true
	}
	var raw []byte
	for quotes := 0; ; {
		b, err := t.byte()
		if err != nil {
			return term{}, err
		}
		switch {
		case b == quote && !long:
			return t.tagged(raw)
		case b == quote:
			raw = append(raw, b)
			if quotes++; quotes == 3 {
				if next, _ := t.r.Peek(1); len(next) == 0 || next[0] != quote {
					return t.tagged(raw[:len(raw)-3])
				}
				quotes = 2 // one more quote: the first of them is text
			}
			continue
		case b == '\\':
			if raw, err = t.escape(raw); err != nil {
				return term{}, err
			}
		case b == '\n' && !long:
			return term{}, errors.New("a line ends inside a text")
		default:
			raw = append(raw, b)
		}
		if quotes = 0; len(raw) > maxCellBytes {
			return term{}, errLong
		}
	}
}

// tagged reads what stands behind a text: a language, or a type, which is
// checked and not kept.
func (t *turtle) tagged(raw []byte) (term, error) {
	v := term{text: strings.ToValidUTF8(string(raw), "\ufffd"), kind: literal}
	head, _ := t.r.Peek(2)
	switch {
	case len(head) > 0 && head[0] == '@':
		t.byte()
		lang, err := t.name()
		v.lang = lang
		return v, err
	case len(head) == 2 && head[0] == '^' && head[1] == '^':
		t.r.Discard(2)
		_, err := t.term()
		return v, err
	}
	return v, nil
}

// escape reads what stands behind a backslash.
func (t *turtle) escape(raw []byte) ([]byte, error) {
	b, err := t.byte()
	if err != nil {
		return raw, err
	}
	if i := strings.IndexByte(`tbnrf"'\`, b); i >= 0 {
		return append(raw, "\t\b\n\r\f\"'\\"[i]), nil
	}
	n := map[byte]int{'u': 4, 'U': 8}[b]
	if n == 0 {
		return raw, fmt.Errorf("%q after a backslash", b)
	}
	hex := make([]byte, n)
	for i := range hex {
		if hex[i], err = t.byte(); err != nil {
			return raw, err
		}
	}
	r, err := strconv.ParseUint(string(hex), 16, 32)
	if err != nil {
		return raw, fmt.Errorf("%q is no character", hex)
	}
	if r > unicode.MaxRune {
		r = utf8.RuneError
	}
	return utf8.AppendRune(raw, rune(r)), nil
}
