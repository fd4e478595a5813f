package sheet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"mulian/internal/fault"
)

// objects reads JSON values one after the other: the elements of one array, or
// values with white space, a comma or nothing between them. Each value is first
// cut out by its brackets, within the bound of a record, and then parsed: what is
// wrong inside one does not touch the next.
type objects struct {
	file   *File
	r      *bufio.Reader
	line   int
	array  bool // inside the outer [ ]
	byLine bool // each value ends on its line, so a torn one ends there too
	closed bool // the outer ] was read
	script bool // what follows the list is JavaScript

	// Inside an envelope: see there.
	path    []string
	state   int
	level   int    // keys of path that were gone down
	found   bool   // the list, in the value at hand
	began   int    // line of that value
	said    string // what the portal said in the place of a list
	context []byte // of JSON-LD, when it stood before the list
	stopped bool   // nothing more is read

	limit int                                      // of one value; 0 is the usual one
	take  func(raw []byte, at int) (Record, error) // what is made of a value; nil makes fields
}

// nativeHead is how a file of our own form begins (intake/export).
var nativeHead = regexp.MustCompile(`^\{\s*"format"\s*:\s*"mulian-catalogue-v1"`)

// newObjects tells the shapes from another by head, the first visible bytes.
func newObjects(f *File, r *bufio.Reader, head []byte, list string) (*objects, error) {
	o := &objects{file: f, r: r, line: 1}
	if _, err := o.skipTo(); err != nil {
		return nil, f.unreadable(err)
	}
	if kindOf(head) == scriptText {
		o.script, f.Shape = true, "script"
		bare := afterComments(head)
		skip := len(head) - len(bare) + len(assignment.Find(bare)) - 1
		o.line += bytes.Count(head[:skip], []byte{'\n'})
		if _, err := r.Discard(skip); err != nil {
			return nil, f.unreadable(err)
		}
		head = head[skip:]
	} else {
		f.Shape = "objects"
	}
	e := envelopeOf(head)
	if list != "" && len(e.path) == 1 && nativeHead.Match(head) {
		e.path = []string{list}
	}
	switch {
	case e.refusal != "":
		return nil, f.refuseList(e.refusal)
	case len(e.path) > 0:
		o.path, f.Shape = e.path, strings.Join(e.path, ".")
	case head[0] == '[':
		o.array = true
		if !o.script {
			f.Shape = "array"
		}
		o.r.ReadByte()
	default:
		if end := bytes.IndexByte(head, '\n'); end > 0 && json.Valid(head[:end]) && !o.script {
			o.byLine, f.Shape = true, "lines"
		}
	}
	return o, nil
}

// skipTo passes over white space and returns the next byte without taking it.
func (o *objects) skipTo() (byte, error) {
	for {
		b, err := o.r.ReadByte()
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			return 0, o.file.unreadable(err)
		}
		switch b {
		case '\n':
			o.line++
		case ' ', '\t', '\r', 0x1e: // 0x1e: JSON text sequences, RFC 7464
		default:
			return b, o.r.UnreadByte()
		}
	}
}

// next implements source.
func (o *objects) next() (Record, error) {
	if o.path != nil {
		return o.nextInEnvelope()
	}
	for !o.stopped {
		b, err := o.skipTo()
		if err == io.EOF && o.array && !o.closed {
			o.closed = true
			return o.broken(o.line, fault.Torn, "文件在数组中间结束：可能没有下载完整", "the file ends in the middle of the array: it may not be fetched completely"), nil
		}
		if err != nil {
			return Record{}, err
		}
		switch {
		case b == ',':
			o.r.ReadByte()
			continue
		case b == ']' && o.array && !o.closed:
			o.r.ReadByte()
			o.closed = true
			if o.script {
				return o.afterScript()
			}
			continue
		}
		o.stopped = o.script && !o.array // what follows the object is script
		return o.value()
	}
	return Record{}, io.EOF
}

// nextInEnvelope gives the next element of the list.
func (o *objects) nextInEnvelope() (Record, error) {
	if o.stopped {
		return Record{}, io.EOF
	}
	begins, told, err := o.enter()
	switch {
	case err != nil:
		return Record{}, err
	case told != nil:
		return *told, nil
	case begins:
		return o.value()
	}
	return Record{}, io.EOF
}

// afterScript looks at what stands behind the list of a script. One more list is
// told; the rest of a script is no data.
func (o *objects) afterScript() (Record, error) {
	o.stopped = true
	rest, _ := io.ReadAll(io.LimitReader(o.r, headBytes))
	if bytes.Contains(rest, []byte("{\"")) || bytes.Contains(rest, []byte("[{")) || len(rest) == headBytes {
		return o.broken(o.line, fault.Malformed, "脚本中第一个清单之后的内容未读取", "what stands in the script behind its first list was not read"), nil
	}
	return Record{}, io.EOF
}

func (o *objects) broken(line int, code fault.Code, zh, en string) Record {
	return Record{Line: line, Broken: true, Problems: []Problem{{Line: line, Code: code, Message: map[Lang]string{Chinese: zh, English: en}[o.file.lang]}}}
}

// value cuts the next value out and parses it.
func (o *objects) value() (Record, error) {
	at := o.line
	raw, err := o.cut()
	switch {
	case errors.Is(err, errTorn):
		return o.broken(at, fault.Torn, "该记录没有结束：文件可能没有下载完整", "the record does not end: the file may not be fetched completely"), nil
	case errors.Is(err, errLong):
		mb := max(o.limit, maxRecordBytes) >> 20
		return o.broken(at, fault.TooLong, fmt.Sprintf("该记录超过 %d MB", mb), fmt.Sprintf("the record is larger than %d MB", mb)), nil
	case err != nil:
		return Record{}, err
	}
	if o.take != nil {
		return o.take(raw, at)
	}
	return o.parse(raw, at), nil
}

var (
	errTorn = errors.New("value does not end")
	errLong = errors.New("value over the bound")
)

// cut returns the bytes of the value that begins here. A value over the bound is
// passed over to its end.
func (o *objects) cut() ([]byte, error) {
	c := cutter{limit: maxRecordBytes, byLine: o.byLine}
	if o.limit > 0 {
		c.limit = o.limit
	}
	for {
		if _, err := o.r.Peek(1); err == io.EOF {
			if c.depth > 0 || c.inText {
				return nil, errTorn
			}
			return c.raw, c.over()
		} else if err != nil {
			return nil, o.file.unreadable(err)
		}
		chunk, _ := o.r.Peek(o.r.Buffered())
		n, ends := c.scan(chunk)
		c.keep(chunk[:n])
		o.line += bytes.Count(chunk[:n], newline)
		o.r.Discard(n)
		switch ends {
		case cutTorn:
			return nil, errTorn
		case cutWhole:
			return c.raw, c.over()
		}
	}
}

var newline = []byte{'\n'}

// cutter looks for the end of one value, piece by piece.
type cutter struct {
	raw     []byte
	limit   int
	byLine  bool
	depth   int
	inText  bool
	escaped bool // the byte before was a backslash in a text
	long    bool
	begun   bool
}

const (
	cutOn    = iota // the value goes on
	cutWhole        // it ends here
	cutTorn         // its line ends, and it does not
)

// scan returns how many bytes of a piece belong to the value, and whether it ends
// behind them.
func (c *cutter) scan(piece []byte) (n, ends int) {
	for n < len(piece) {
		if c.inText && !c.escaped {
			for n < len(piece) && piece[n] != '"' && piece[n] != '\\' && piece[n] != '\n' { // most bytes stand in texts
				n++
			}
			if n == len(piece) {
				break
			}
		}
		b := piece[n]
		if b == '\n' && c.byLine && (c.depth > 0 || c.inText) {
			return n + 1, cutTorn
		}
		if !c.inText && c.depth == 0 && c.begun && endsScalar(b) {
			return n, cutWhole
		}
		c.begun = true
		n++
		switch {
		case c.escaped:
			c.escaped = false
		case c.inText && b == '\\':
			c.escaped = true
		case b == '"':
			c.inText = !c.inText
		case c.inText:
		case b == '{', b == '[':
			c.depth++
		case b == '}', b == ']':
			if c.depth--; c.depth <= 0 {
				return n, cutWhole
			}
		}
	}
	return n, cutOn
}

// keep takes the bytes of the value, up to the bound.
func (c *cutter) keep(piece []byte) {
	if room := c.limit - len(c.raw); len(piece) > room {
		piece, c.long = piece[:max(room, 0)], true
	}
	c.raw = append(c.raw, piece...)
}

func (c *cutter) over() error {
	if c.long {
		return errLong
	}
	return nil
}

// endsScalar reports whether b ends a number or a word outside brackets.
func endsScalar(b byte) bool {
	switch b {
	case ' ', '\t', '\r', '\n', ',', ']', '}', '{', '[':
		return true
	}
	return false
}

// parse makes a record of one value.
func (o *objects) parse(raw []byte, at int) Record {
	l := o.file.lang
	if !utf8.Valid(raw) || bytes.Contains(raw, []byte("\ufffd")) {
		// The decoder of the whole file has put U+FFFD where it could not read.
		line := at + badLine(raw)
		return o.parsed(bytes.ToValidUTF8(raw, []byte("\ufffd")), at, Problem{
			Line: line, Code: fault.Undecodable,
			Message:    l.Say("含有不是 %s 文字的字节", "there are bytes that are no %s text", o.file.Encoding),
			Suggestion: l.Say("对照原文改正该字", "correct the character from the original"),
		})
	}
	return o.parsed(raw, at)
}

func badLine(raw []byte) int {
	at := firstInvalid(raw)
	if i := bytes.Index(raw, []byte("\ufffd")); utf8.Valid(raw) && i >= 0 {
		at = i
	}
	return bytes.Count(raw[:at], []byte{'\n'})
}

func (o *objects) parsed(raw []byte, at int, problems ...Problem) Record {
	rec := Record{Line: at, Problems: problems}
	l := o.file.lang
	fail := func(line int, code fault.Code, message, suggestion string) Record {
		rec.Broken = true
		rec.Problems = append(rec.Problems, Problem{Line: line, Code: code, Message: message, Suggestion: suggestion})
		return rec
	}
	if deeper(raw, maxDepth) {
		return fail(at, fault.TooLong, l.Say("该记录嵌套超过 %d 层", "the record is nested deeper than %d", maxDepth), "")
	}
	if !json.Valid(raw) {
		var v json.RawMessage
		err := json.Unmarshal(raw, &v)
		line := at
		if s, ok := errors.AsType[*json.SyntaxError](err); ok {
			line += bytes.Count(raw[:min(int(s.Offset), len(raw))], []byte{'\n'})
		}
		return fail(line, fault.Malformed, l.Say("不是正确的 JSON：%v", "not valid JSON: %v", err), l.Say("改正该记录", "correct this record"))
	}
	if raw[0] != '{' {
		return fail(at, fault.Malformed, l.Say("该值不是对象", "the value is no object"), "")
	}
	p := parser{raw: raw}
	f := p.value("")
	if p.count > maxFields {
		return fail(at, fault.TooLong, l.Say("该记录多于 %d 个值", "the record has more than %d values", maxFields), "")
	}
	if said := refusalOf(f.Parts); said != "" {
		return fail(at, fault.Malformed, l.Say("门户没有给出内容，而是答复：%s", "the portal answered with no record but: %s", said), "")
	}
	rec.Fields = f.Parts
	return rec
}

// refusalOf returns what a portal said in the place of a record: CKAN's
// {"success":false,"error":{…}}.
func refusalOf(fields []Field) string {
	failed, said := false, ""
	for _, f := range fields {
		switch f.Name {
		case "success":
			failed = f.Text == "false"
		case "error":
			for _, p := range f.Parts {
				if said += p.Text; p.Text != "" {
					said += " "
				}
			}
			said += f.Text
		}
	}
	if !failed {
		return ""
	}
	return "success: false " + strings.TrimSpace(strings.ToValidUTF8(said[:min(len(said), 300)], ""))
}

// deeper reports whether brackets nest deeper than limit, before anything
// recursive looks at raw.
func deeper(raw []byte, limit int) bool {
	depth, inText := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{', c == '[':
			if depth++; depth > limit+1 {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}

// parser turns valid JSON, not deeper than maxDepth, into fields, keeping the
// order of keys. The tokens of encoding/json cost four times as much on the CKAN
// records of Tokyo (20 KiB each).
type parser struct {
	raw   []byte
	at    int
	count int
}

func (p *parser) value(name string) Field {
	f := Field{Name: name}
	p.count++
	switch p.blank(); p.raw[p.at] {
	case '{', '[':
		f.Parts = p.parts(p.raw[p.at] == '{')
	case '"':
		f.Text = p.text()
	default:
		from := p.at
		for p.at < len(p.raw) && !endsScalar(p.raw[p.at]) {
			p.at++
		}
		if f.Text = string(p.raw[from:p.at]); f.Text == "null" {
			f.Text = ""
		}
	}
	return f
}

// parts reads the values between brackets, and stops taking them over the bound.
func (p *parser) parts(named bool) []Field {
	parts := []Field{}
	p.at++
	for {
		p.blank()
		switch p.raw[p.at] {
		case '}', ']':
			p.at++
			return parts
		case ',':
			p.at++
			p.blank()
		}
		name := ""
		if named {
			name = p.text()
			p.blank()
			p.at++ // the colon
		}
		if f := p.value(name); p.count <= maxFields {
			parts = append(parts, f)
		}
	}
}

// text reads a string; only those with escapes need the library.
func (p *parser) text() string {
	from, plain := p.at, true
	for p.at++; p.raw[p.at] != '"'; p.at++ {
		if p.raw[p.at] == '\\' {
			plain = false
			p.at++
		}
	}
	p.at++
	if quoted := p.raw[from:p.at]; !plain {
		var s string
		if err := json.Unmarshal(quoted, &s); err == nil {
			return s
		}
	}
	return string(p.raw[from+1 : p.at-1])
}

func (p *parser) blank() {
	for p.raw[p.at] == ' ' || p.raw[p.at] == '\t' || p.raw[p.at] == '\n' || p.raw[p.at] == '\r' {
		p.at++
	}
}
