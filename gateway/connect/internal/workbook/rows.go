package workbook

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"mulian/gateway/connect"
)

// Rows calls fn for each row that holds something, with its number in the sheet. Cells without
// a value are NULL; the row is overwritten afterwards.
func (b *Book) Rows(name string, fn func(n int64, row []connect.Value) error) error {
	part := ""
	for _, s := range b.sheets {
		if s.name == name {
			part = s.part
		}
	}
	dec, c, err := b.open(part, maxSheet)
	if err != nil {
		return err
	}
	if dec == nil {
		return broken("there is no sheet of that name")
	}
	defer c.Close()
	r := &rows{b: b, dec: dec}
	for {
		t, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return xmlError(part, err)
		}
		start, ok := t.(xml.StartElement)
		if !ok || start.Name.Local != "row" {
			continue
		}
		r.n++
		if at, err := strconv.ParseInt(attr(start, "r"), 10, 64); err == nil {
			if at < r.n || at > 1<<31 {
				return broken("the rows are not in their order")
			}
			r.n = at
		}
		if err := r.row(part); err != nil {
			return err
		}
		if !r.something {
			continue
		}
		if err := fn(r.n, r.cells); err != nil {
			return err
		}
	}
}

// rows is a sheet being read.
type rows struct {
	b         *Book
	dec       *xml.Decoder
	n         int64
	cells     []connect.Value
	something bool
}

// row reads up to the end of a row.
func (r *rows) row(part string) error {
	r.cells, r.something = r.cells[:0], false
	for {
		t, err := r.dec.RawToken()
		if err != nil {
			return xmlError(part, errors.Join(io.ErrUnexpectedEOF, err))
		}
		switch t := t.(type) {
		case xml.EndElement:
			if t.Name.Local == "row" {
				return nil
			}
		case xml.StartElement:
			if t.Name.Local != "c" {
				continue
			}
			at := len(r.cells)
			if ref := attr(t, "r"); ref != "" {
				if at = columnOf(ref); at < len(r.cells) || at >= maxColumns {
					return broken("the cells of row %d are not in their order", r.n)
				}
			}
			v, err := r.cell(part, attr(t, "t"), attr(t, "s"))
			if err != nil {
				return err
			}
			if v.IsNull() {
				continue
			}
			for len(r.cells) < at {
				r.cells = append(r.cells, connect.Null)
			}
			r.cells, r.something = append(r.cells, v), true
		}
	}
}

// columnOf is 0 for A7, 26 for AA1.
func columnOf(ref string) int {
	n := 0
	for i := 0; i < len(ref) && i < 4; i++ {
		c := ref[i] | 0x20
		if c < 'a' || c > 'z' {
			break
		}
		n = 26*n + int(c-'a') + 1
	}
	return n - 1
}

// cell reads up to the end of a cell.
func (r *rows) cell(part, typ, styleNumber string) (connect.Value, error) {
	text, in, has := "", false, false
	for {
		t, err := r.dec.RawToken()
		if err != nil {
			return connect.Null, xmlError(part, errors.Join(io.ErrUnexpectedEOF, err))
		}
		switch t := t.(type) {
		case xml.StartElement:
			if in = t.Name.Local == "v"; in {
				has = true
			}
			if t.Name.Local == "is" {
				if text, err = richText(r.dec, "is"); err != nil {
					return connect.Null, err
				}
				has = true
			}
		case xml.CharData:
			if in {
				if len(text)+len(t) > connect.MaxValueBytes {
					return connect.Null, broken("a value of row %d is too long", r.n)
				}
				text += string(t)
			}
		case xml.EndElement:
			in = false
			if t.Name.Local != "c" {
				continue
			}
			if !has {
				return connect.Null, nil
			}
			return r.value(typ, styleNumber, text)
		}
	}
}

func (r *rows) value(typ, styleNumber, text string) (connect.Value, error) {
	switch typ {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return connect.Null, broken("a cell of row %d names no text", r.n)
		}
		s, err := r.b.texts.get(i)
		if s == "" {
			return connect.Null, err
		}
		return connect.TextValue(s), err
	case "b":
		return connect.BooleanValue(strings.TrimSpace(text) == "1" || strings.TrimSpace(text) == "true"), nil
	case "str", "inlineStr", "e":
		if text = unescape(text); text == "" {
			return connect.Null, nil
		}
		return connect.TextValue(text), nil
	case "d":
		text = strings.TrimSpace(text)
		if v, ok := connect.DateValue(text); ok {
			return v, nil
		}
		if v, ok := connect.TimeValue(text); ok {
			return v, nil
		}
		return connect.TextValue(text), nil
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return connect.Null, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return connect.Null, broken("a cell of row %d holds no number", r.n)
	}
	if i, err := strconv.Atoi(styleNumber); err == nil && i >= 0 && i < len(r.b.styles) && !r.b.styles[i].number {
		if v, ok := r.b.point(f, r.b.styles[i]); ok {
			return v, nil
		}
	}
	return number(f), nil
}

// number is the shortest text of f: an integer if it is one of 64 bits.
func number(f float64) connect.Value {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if s == "-0" {
		s = "0"
	}
	if _, err := strconv.ParseInt(s, 10, 64); err == nil {
		return connect.Value{Kind: connect.Integer, Text: s}
	}
	return connect.Value{Kind: connect.Decimal, Text: s}
}

// maxSerial is 9999-12-31.
const maxSerial = 2_958_465

// point is a serial number as a date, a point of time or (below one day, without a date) a
// time of day. ok is false where it is none of them: it stays a number.
func (b *Book) point(f float64, s style) (v connect.Value, ok bool) {
	if f < 0 || f >= maxSerial+1 {
		return v, false
	}
	day := math.Floor(f)
	milli := time.Duration(math.Round((f-day)*86_400_000)) * time.Millisecond
	if !s.day && day == 0 {
		return connect.TextValue(time.Time{}.Add(milli).Format("15:04:05.999")), milli < 24*time.Hour
	}
	var t time.Time
	switch {
	case b.date04:
		t = time.Date(1904, 1, 1+int(day), 0, 0, 0, 0, time.UTC)
	case day == 0 || day == 60: // 1900-01-00 and 1900-02-29
		return v, false
	case day < 60:
		t = time.Date(1899, 12, 31+int(day), 0, 0, 0, 0, time.UTC)
	default:
		t = time.Date(1899, 12, 30+int(day), 0, 0, 0, 0, time.UTC)
	}
	if milli == 0 && !s.clock {
		return connect.Value{Kind: connect.Date, Text: t.Format("2006-01-02")}, true
	}
	return connect.Value{Kind: connect.Timestamp, Text: t.Add(milli).Format("2006-01-02T15:04:05.999")}, true
}
