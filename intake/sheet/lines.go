package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"mulian/internal/fault"
)

// lines reads delimited lines. It cuts bytes, not characters: in none of the
// encodings does a quote, a delimiter or a line end occur inside a character, so
// a damaged character cannot swallow the cell that follows it.
//
// A quote that is never closed would swallow the rest of the file. When a cell
// spans too much, its first line is reported and read as it stands, and reading
// goes on with the second.
type lines struct {
	file      *File
	r         *bufio.Reader
	dec       *decoder
	delimiter byte
	end       byte // what ends a line: LF, or CR in files without LF

	buf      []byte // read and not yet consumed
	ended    error  // what r said last: io.EOF, or a fault
	offset   int64  // of buf[0], from the beginning of the file
	line     int    // of buf[0]
	reopened int    // unclosed quotes so far
}

// nextRow implements rowSource.
func (c *lines) nextRow() (row, error) {
	state, end, first := cellStart, 0, 0
	for count := 1; ; count++ {
		stop, long := c.lineEnd(end)
		switch {
		case long && end == 0:
			return c.skipLine()
		case stop == end && end == 0:
			return row{}, c.ended
		case long, stop == end: // the bound, or the end of the file, inside quotes
			return c.unclosed(first), nil
		}
		state = c.scan(c.buf[end:stop], state)
		end = stop
		if count == 1 {
			first = stop
		}
		if state != inQuotes {
			return c.take(end, true), nil
		}
		if count >= maxRecordLines || c.reopened >= maxReopened {
			return c.unclosed(first), nil
		}
	}
}

// lineEnd returns the index after the line that begins at buf[from], reading
// more as needed; from itself at the end of the file. long says that the line
// would make the record larger than its bound.
func (c *lines) lineEnd(from int) (stop int, long bool) {
	for at := from; ; {
		if i := bytes.IndexByte(c.buf[at:], c.end); i >= 0 {
			if stop = at + i + 1; stop > maxRecordBytes {
				return from, true
			}
			return stop, false
		}
		if len(c.buf) > maxRecordBytes {
			return from, true
		}
		at = len(c.buf)
		if c.ended != nil {
			return at, false
		}
		c.fill()
	}
}

// fill reads one more part into buf.
func (c *lines) fill() {
	part, err := c.r.ReadSlice(c.end)
	if cap(c.buf)-len(c.buf) < len(part) { // a new home, without the consumed front
		c.buf = append(make([]byte, 0, 2*len(c.buf)+len(part)+64<<10), c.buf...)
	}
	c.buf = append(c.buf, part...)
	switch {
	case err == nil, errors.Is(err, bufio.ErrBufferFull):
	case err == io.EOF:
		c.ended = io.EOF
	default:
		c.ended = c.file.unreadable(err)
	}
}

// consume drops n bytes from the front of buf.
func (c *lines) consume(n int) {
	c.line += bytes.Count(c.buf[:n], []byte{c.end})
	c.offset += int64(n)
	c.buf = c.buf[n:]
}

// skipLine passes over a line that is longer than a record may be.
func (c *lines) skipLine() (row, error) {
	at := c.line
	for {
		if i := bytes.IndexByte(c.buf, c.end); i >= 0 {
			c.consume(i + 1)
			break
		}
		c.consume(len(c.buf))
		if c.ended != nil {
			break
		}
		c.fill()
	}
	l := c.file.lang
	return row{line: at, broken: true, problems: []Problem{{
		Line: at, Code: fault.TooLong,
		Message:    l.Say("该行超过 %d MB", "the line is longer than %d MB", maxRecordBytes>>20),
		Suggestion: l.Say("检查换行符", "check the line ends"),
	}}}, nil
}

// unclosed takes the first line of a record whose quote is never closed.
func (c *lines) unclosed(first int) row {
	c.reopened++
	at, l := c.line, c.file.lang
	r := c.take(first, false)
	r.problems = append(r.problems, Problem{
		Line: at, Code: fault.Malformed,
		Message:    l.Say("引号没有结束，该行按原样读取", "a quote is never closed; the line was read as it stands"),
		Suggestion: l.Say("补上结束的引号，或去掉开头的引号", "close the quote, or take away the opening one"),
	})
	return r
}

// The states of a cut, between two bytes.
const (
	cellStart = iota
	inPlain
	inQuotes
	afterQuote // a quote inside quotes: the end of the cell, or the first of two
)

func (c *lines) step(state int, b byte) int {
	switch state {
	case cellStart, inPlain:
		switch {
		case b == c.delimiter, b == c.end:
			return cellStart
		case b == '"' && state == cellStart:
			return inQuotes
		}
		return inPlain
	case inQuotes:
		if b == '"' {
			return afterQuote
		}
		return inQuotes
	}
	switch b { // afterQuote
	case '"':
		return inQuotes
	case c.delimiter, c.end:
		return cellStart
	case '\r':
		return afterQuote
	}
	return inPlain
}

// scan runs the cut over b.
func (c *lines) scan(b []byte, state int) int {
	for _, x := range b {
		state = c.step(state, x)
	}
	return state
}

// take consumes the first n bytes as one record and cuts them into cells.
// Without quotes every delimiter counts.
func (c *lines) take(n int, quotes bool) row {
	raw := c.buf[:n]
	r := row{line: c.line}
	body := bytes.TrimSuffix(raw, []byte{c.end})
	body = bytes.TrimSuffix(body, []byte{'\r'})
	for from := 0; from <= len(body); {
		to := len(body)
		if quotes {
			to = c.cellEnd(body, from)
		} else if i := bytes.IndexByte(body[from:], c.delimiter); i >= 0 {
			to = from + i
		}
		c.cell(&r, body, from, to, quotes)
		if len(r.cells) > maxColumns {
			r.cells, r.broken = nil, true
			r.problems = append(r.problems, Problem{
				Line: r.line, Code: fault.TooLong,
				Message: c.file.lang.Say("该行超过 %d 列", "the row has more than %d columns", maxColumns),
			})
			break
		}
		from = to + 1
	}
	c.consume(n)
	return r
}

func (c *lines) cellEnd(body []byte, from int) int {
	state := cellStart
	for i := from; i < len(body); i++ {
		if body[i] == c.delimiter && state != inQuotes {
			return i
		}
		state = c.step(state, body[i])
	}
	return len(body)
}

// cell decodes body[from:to] and appends it to r.
func (c *lines) cell(r *row, body []byte, from, to int, quotes bool) {
	b := body[from:to]
	if quotes && len(b) > 0 && b[0] == '"' {
		b = c.unquote(r, b)
	}
	l, column := c.file.lang, len(r.cells)+1
	if len(b) > maxCellBytes {
		r.problems = append(r.problems, Problem{
			Line: r.line, column: column, Code: fault.TooLong,
			Message: l.Say("该格超过 %d KB，只保留开头", "the cell is longer than %d KB; only its beginning was kept", maxCellBytes>>10),
		})
		b = b[:maxCellBytes]
	}
	text, bad := c.dec.text(b)
	if bad >= 0 {
		r.problems = append(r.problems, c.undecodable(r.line, column, body, from, bad, b))
	} else if strings.IndexByte(text, 0) >= 0 {
		r.problems = append(r.problems, Problem{
			Line: r.line, column: column, Code: fault.Undecodable,
			Message: l.Say("含有空字节", "there is a zero byte in it"),
		})
	}
	r.cells = append(r.cells, strings.ReplaceAll(text, "\x00", "\ufffd"))
}

// unquote takes the quotes from b, which begins with one.
func (c *lines) unquote(r *row, b []byte) []byte {
	out := make([]byte, 0, len(b))
	state := inQuotes
	for i := 1; i < len(b); i++ {
		if state == inQuotes && b[i] == '"' {
			if i+1 < len(b) && b[i+1] == '"' {
				out = append(out, '"')
				i++
				continue
			}
			state = afterQuote
			continue
		}
		out = append(out, b[i])
	}
	if rest := bytes.TrimRight(b, "\r"); state == afterQuote && len(rest) > 1 && rest[len(rest)-1] != '"' {
		r.problems = append(r.problems, Problem{
			Line: r.line, column: len(r.cells) + 1, Code: fault.Malformed,
			Message:    c.file.lang.Say("结束引号之后还有文字", "there is text after the closing quote"),
			Suggestion: c.file.lang.Say("格内的引号要写成两个", "write a quote inside a cell twice"),
		})
	}
	return out
}

// undecodable reports the byte at bad in the cell b that was cut from body at
// from. Quotes that were taken away are counted back by searching for the rest.
func (c *lines) undecodable(line, column int, body []byte, from, bad int, b []byte) Problem {
	at := from + bad
	if i := bytes.Index(body[from:], b[bad:min(len(b), bad+16)]); i >= 0 {
		at = from + i
	}
	line += bytes.Count(body[:at], []byte{c.end})
	l := c.file.lang
	p := Problem{
		Line: line, column: column, Code: fault.Undecodable,
		Message: l.Say("文件第 %d 字节（%#02x）不是 %s 文字", "byte %d of the file (%#02x) is no %s text", c.offset+int64(at), b[bad], c.dec.name),
	}
	if other := c.dec.otherReading(body); other != "" {
		p.Suggestion = l.Say("该行可按 %s 读取：文件可能由不同编码的部分拼成", "the line reads as %s: the file may be put together from parts in different encodings", other)
	} else {
		p.Suggestion = l.Say("对照原文改正该字", "correct the character from the original")
	}
	return p
}
