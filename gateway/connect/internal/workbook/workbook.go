// Package workbook reads the cells of an xlsx workbook as they are stored: text as text,
// numbers as the number's own digits, dates as dates.
//
// Why not the library that intake uses: it gives cells as they look (12.346 for 12.3456, a date
// in the format of who saved it), and holds a sheet in memory to tell a date from a number.
//
//	zip ── workbook.xml, styles.xml, sharedStrings.xml ─> Book ── Rows ─> one row of values at a time
//
// Invariants:
//
//  1. A number is the shortest text of the binary number that is stored: what Excel shows with
//     all its digits. It is a date only if its format says so.
//  2. Memory is one row and the shared texts, of which those beyond 16 MB lie in a temporary file
//     without a name.
//  3. Each part of the zip has a bound, as it is when unpacked.
//
// Source: ECMA-376 part 1, sections 18.2 (workbook), 18.3 (sheet), 18.4 (shared strings), 18.8
// (styles, number formats), 18.17.4 (dates; 1900-02-29 does not exist, whatever the format says).
package workbook

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

const (
	maxParts   = 10_000
	maxSmall   = 32 << 20 // workbook, styles, relations
	maxTexts   = 2 << 30  // shared texts
	maxSheet   = 16 << 30
	maxSheets  = 1_000
	maxToken   = 64 << 20 // one piece of XML
	maxColumns = 16_384   // Excel's own
)

// A Book is an open workbook. It may be read again and again, by one goroutine at a time.
type Book struct {
	zip    *zip.Reader
	sheets []sheet
	date04 bool
	styles []style // by number, as cells name them
	texts  *texts
	temp   string
}

type sheet struct{ name, part string }

// Open reads what all sheets share. temp is the folder for temporary files.
func Open(r io.ReaderAt, size int64, temp string) (b *Book, err error) {
	z, err := zip.NewReader(r, size)
	if err != nil || len(z.File) > maxParts {
		return nil, broken("it is no zip, or has too many parts")
	}
	b = &Book{zip: z, temp: temp}
	targets := map[string]string{}
	err = b.each("xl/_rels/workbook.xml.rels", maxSmall, func(_ *xml.Decoder, t xml.StartElement) error {
		if t.Name.Local == "Relationship" {
			to := attr(t, "Target")
			if !strings.HasPrefix(to, "/") {
				to = "/xl/" + to
			}
			targets[attr(t, "Id")] = strings.TrimPrefix(path.Clean(to), "/")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = b.each("xl/workbook.xml", maxSmall, func(_ *xml.Decoder, t xml.StartElement) error {
		switch t.Name.Local {
		case "workbookPr":
			v := attr(t, "date1904")
			b.date04 = v == "1" || v == "true"
		case "sheet":
			if part := targets[attr(t, "id")]; strings.Contains(part, "worksheets/") && len(b.sheets) < maxSheets {
				b.sheets = append(b.sheets, sheet{attr(t, "name"), part})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := b.readStyles(); err != nil {
		return nil, err
	}
	if b.texts, err = b.readTexts(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Close gives the temporary file back.
func (b *Book) Close() {
	if b.texts != nil {
		b.texts.close()
	}
}

// Sheets are the names of the sheets, in their order.
func (b *Book) Sheets() []string {
	var out []string
	for _, s := range b.sheets {
		out = append(out, s.name)
	}
	return out
}

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: not a workbook that can be read: %s", connect.ErrInvalid, fmt.Sprintf(format, args...))
}

func (b *Book) part(name string) *zip.File {
	for _, f := range b.zip.File {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

// guard ends a part that is too long, or one piece of XML that is: the decoder holds a piece
// in memory.
type guard struct {
	r          io.Reader
	read, most int64
	dec        *xml.Decoder
}

func (g *guard) Read(p []byte) (int, error) {
	if g.read >= g.most || g.dec != nil && g.read-g.dec.InputOffset() > maxToken {
		return 0, fmt.Errorf("%w: a part of the workbook", connect.ErrTooLarge)
	}
	n, err := g.r.Read(p)
	g.read += int64(n)
	return n, err
}

// open begins to read a part; nil if there is none.
func (b *Book) open(name string, most int64) (*xml.Decoder, io.Closer, error) {
	f := b.part(name)
	if f == nil {
		return nil, nil, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, nil, broken("part %s", path.Base(name))
	}
	g := &guard{r: r, most: most}
	g.dec = xml.NewDecoder(g)
	return g.dec, r, nil
}

// each calls fn for each element of a part.
func (b *Book) each(name string, most int64, fn func(*xml.Decoder, xml.StartElement) error) error {
	dec, c, err := b.open(name, most)
	if dec == nil || err != nil {
		return err
	}
	defer c.Close()
	for {
		t, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return xmlError(name, err)
		}
		if start, ok := t.(xml.StartElement); ok {
			if err := fn(dec, start); err != nil {
				return err
			}
		}
	}
}

func xmlError(name string, err error) error {
	if errors.Is(err, connect.ErrTooLarge) || errors.Is(err, connect.ErrInvalid) {
		return err
	}
	return broken("part %s is no XML, or is cut off", path.Base(name))
}

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// style is how a number is shown.
type style struct{ day, clock, number bool }

func (b *Book) readStyles() error {
	codes := map[string]string{}
	in := false
	return b.each("xl/styles.xml", maxSmall, func(_ *xml.Decoder, t xml.StartElement) error {
		switch t.Name.Local {
		case "numFmt":
			codes[attr(t, "numFmtId")] = attr(t, "formatCode")
		case "cellXfs":
			in = true
		case "cellStyleXfs", "cellStyles", "dxfs":
			in = false
		case "xf":
			if in && len(b.styles) < 1<<17 {
				id := attr(t, "numFmtId")
				b.styles = append(b.styles, styleOf(id, codes[id]))
			}
		}
		return nil
	})
}

// styleOf tells a date by its number format: the built-in ones (18.8.30, with those of Chinese,
// Japanese and Korean), else by the letters of its code.
func styleOf(id, code string) style {
	n, _ := strconv.Atoi(id)
	switch {
	case code != "":
		return styleOfCode(code)
	case n >= 14 && n <= 17, n >= 27 && n <= 31, n == 36, n >= 50 && n <= 54, n == 57, n == 58:
		return style{day: true}
	case n >= 18 && n <= 21, n >= 32 && n <= 35, n == 45, n == 47, n == 55, n == 56:
		return style{clock: true}
	case n == 22:
		return style{day: true, clock: true}
	}
	return style{number: true}
}

func styleOfCode(code string) style {
	code, _, _ = strings.Cut(code, ";") // of positive numbers
	var s style
	for i := 0; i < len(code); i++ {
		switch c := code[i] | 0x20; {
		case code[i] == '"':
			if end := strings.IndexByte(code[i+1:], '"'); end >= 0 {
				i += end + 1
			}
		case code[i] == '\\' || code[i] == '_' || code[i] == '*':
			i++
		case code[i] == '[': // a colour, a locale, or hours beyond 24: not a point of time
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				return s
			}
			if inner := strings.ToLower(code[i+1 : i+end]); strings.Trim(inner, "hms") == "" {
				return style{number: true}
			}
			i += end
		case c == 'y' || c == 'd':
			s.day = true
		case c == 'h' || c == 's':
			s.clock = true
		}
	}
	s.number = !s.day && !s.clock
	return s
}
