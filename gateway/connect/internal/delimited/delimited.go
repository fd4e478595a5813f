// Package delimited reads and writes tables of delimited text (csv, tsv), exactly.
//
// Why not encoding/csv: it turns \r\n inside quotes into \n, does not tell "" from
// nothing, and has no bound for a record. It knows no types and no encodings but UTF-8.
//
//	bytes ── Reader.Next ──> []Field (text, quoted)        []Field ── Writer.Write ──> bytes
//
// Invariants:
//
//  1. Whatever Write wrote, Next reads as it was, field by field, quoted or not.
//  2. Memory is one record; a record longer than the bounds is an error.
//  3. What has two readings (text after a closing quote, a quote that never closes) is an error
//     with the record's number, never a guess.
//
// Source: RFC 4180; differences: any one-byte delimiter, \n and \r end a record too, a
// quote inside a field that does not begin with one is itself.
package delimited

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"mulian/gateway/connect"
)

// A Field is one cell.
type Field struct {
	Text   string
	Quoted bool
}

// A FormError says which record cannot be read and why, without its content.
type FormError struct {
	Record int64 // from 1
	Reason string
}

func (e *FormError) Error() string { return fmt.Sprintf("record %d: %s", e.Record, e.Reason) }

// maxFields leaves room for the empty fields that spreadsheets leave behind.
const maxFields = 4 * connect.MaxColumns

// A Reader reads records. It belongs to one goroutine.
type Reader struct {
	r      *bufio.Reader
	comma  byte
	buf    []byte
	ends   []int
	quoted []bool
	fields []Field
	record int64
	ended  bool
}

// NewReader reads r, whose fields end with comma.
func NewReader(r io.Reader, comma byte) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10), comma: comma}
}

// Record is the number of the record that Next returned last, from 1; lines without
// any character are not counted.
func (r *Reader) Record() int64 { return r.record }

// Next returns the next record, or io.EOF. The slice is overwritten by the next
// call; the texts stay. Lines without any character are passed over.
func (r *Reader) Next() ([]Field, error) {
	for {
		if r.ended {
			return nil, io.EOF
		}
		r.buf, r.ends, r.quoted = r.buf[:0], r.ends[:0], r.quoted[:0]
		if err := r.read(); err != nil {
			return nil, err
		}
		if len(r.ends) == 1 && len(r.buf) == 0 && !r.quoted[0] {
			continue
		}
		r.record++
		text := string(r.buf)
		r.fields = r.fields[:0]
		at := 0
		for i, end := range r.ends {
			r.fields = append(r.fields, Field{text[at:end], r.quoted[i]})
			at = end
		}
		return r.fields, nil
	}
}

func (r *Reader) fail(reason string) error { return &FormError{r.record + 1, reason} }

// read reads one record into buf, ends and quoted.
func (r *Reader) read() error {
	for {
		more, err := r.field()
		if err != nil {
			return err
		}
		r.ends = append(r.ends, len(r.buf))
		if len(r.ends) > maxFields || len(r.buf) > connect.MaxRowBytes {
			return r.fail(fmt.Sprintf("more than %d fields or %d bytes", maxFields, connect.MaxRowBytes))
		}
		if !more {
			return nil
		}
	}
}

// field reads one field and what ends it; more: another field of the record follows.
func (r *Reader) field() (more bool, err error) {
	c, err := r.r.ReadByte()
	if err == nil && c == '"' {
		r.quoted = append(r.quoted, true)
		if err := r.inQuotes(); err != nil {
			return false, err
		}
		c, err = r.r.ReadByte()
		if err == nil && c != r.comma && c != '\n' && c != '\r' {
			return false, r.fail("text after a closing quote")
		}
		return r.end(c, err)
	}
	r.quoted = append(r.quoted, false)
	for err == nil && c != r.comma && c != '\n' && c != '\r' {
		r.buf = append(r.buf, c)
		if len(r.buf) > connect.MaxRowBytes {
			return false, r.fail("a field without end")
		}
		c, err = r.r.ReadByte()
	}
	return r.end(c, err)
}

func (r *Reader) inQuotes() error {
	for {
		c, err := r.r.ReadByte()
		if errors.Is(err, io.EOF) {
			return r.fail("a quote that is not closed")
		}
		if err != nil {
			return err
		}
		if c == '"' {
			next, err := r.r.Peek(1)
			if err != nil || next[0] != '"' {
				return nil
			}
			_, _ = r.r.Discard(1)
		}
		r.buf = append(r.buf, c)
		if len(r.buf) > connect.MaxRowBytes {
			return r.fail("a quoted field without end")
		}
	}
}

// end looks at the byte after a field.
func (r *Reader) end(c byte, err error) (more bool, _ error) {
	switch {
	case errors.Is(err, io.EOF):
		r.ended = true
		return false, nil
	case err != nil:
		return false, err
	case c == '\r':
		if next, err := r.r.Peek(1); err == nil && next[0] == '\n' {
			_, _ = r.r.Discard(1)
		}
	}
	return c == r.comma, nil
}

// A Writer writes records with commas, LF ends and quotes where a field says so
// or needs them. It belongs to one goroutine.
type Writer struct {
	w *bufio.Writer
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: bufio.NewWriterSize(w, 256<<10)} }

// Write writes one record.
func (w *Writer) Write(fields []Field) error {
	for i, f := range fields {
		if i > 0 {
			_ = w.w.WriteByte(',')
		}
		if !f.Quoted && !strings.ContainsAny(f.Text, "\",\r\n") {
			_, _ = w.w.WriteString(f.Text)
			continue
		}
		_ = w.w.WriteByte('"')
		for rest := f.Text; ; {
			before, after, found := strings.Cut(rest, `"`)
			_, _ = w.w.WriteString(before)
			if !found {
				break
			}
			_, _ = w.w.WriteString(`""`)
			rest = after
		}
		_ = w.w.WriteByte('"')
	}
	return w.w.WriteByte('\n') // the first error stays in the bufio.Writer
}

// Flush writes what is buffered.
func (w *Writer) Flush() error { return w.w.Flush() }

// Separator finds which delimiter a header line uses: the most frequent of comma, tab,
// semicolon and bar outside quotes; a comma where there is none.
func Separator(line string) byte {
	best, most := byte(','), 0
	for _, c := range []byte{',', '\t', ';', '|'} {
		n, in := 0, false
		for i := range len(line) {
			switch {
			case line[i] == '"':
				in = !in
			case line[i] == c && !in:
				n++
			}
		}
		if n > most {
			best, most = c, n
		}
	}
	return best
}
