package workbook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

const (
	heldTexts = 16 << 20
	maxCount  = 8 << 20 // shared texts; 64 MB of places
)

// texts are the shared texts of a workbook.
type texts struct {
	arena []byte
	file  *os.File
	ends  []int64
}

func (t *texts) close() {
	if t.file != nil {
		t.file.Close()
	}
}

func (t *texts) get(i int) (string, error) {
	if i < 0 || i >= len(t.ends) {
		return "", broken("a cell names a text that is not there")
	}
	from := int64(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	if t.file == nil {
		return string(t.arena[from:t.ends[i]]), nil
	}
	b := make([]byte, t.ends[i]-from)
	if _, err := t.file.ReadAt(b, from); err != nil {
		return "", fmt.Errorf("temporary file: %w", err)
	}
	return string(b), nil
}

// add appends a text. Beyond heldTexts all go to a file that only this process has.
func (t *texts) add(temp, s string) (err error) {
	if len(t.ends) == maxCount {
		return fmt.Errorf("%w: a workbook of more than %d texts; save it as csv", connect.ErrTooLarge, maxCount)
	}
	end := int64(len(s))
	if n := len(t.ends); n > 0 {
		end += t.ends[n-1]
	}
	t.arena, t.ends = append(t.arena, s...), append(t.ends, end)
	if len(t.arena) < heldTexts {
		return nil
	}
	if t.file == nil {
		if t.file, err = os.CreateTemp(temp, "mulian-texts-*"); err == nil {
			err = os.Remove(t.file.Name())
		}
	}
	if err == nil {
		_, err = t.file.Write(t.arena)
	}
	t.arena = t.arena[:0]
	if err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	return nil
}

func (b *Book) readTexts() (*texts, error) {
	t := &texts{}
	err := b.each("xl/sharedStrings.xml", maxTexts, func(dec *xml.Decoder, start xml.StartElement) error {
		if start.Name.Local != "si" {
			return nil
		}
		s, err := richText(dec, "si")
		if err != nil {
			return err
		}
		return t.add(b.temp, s)
	})
	if err == nil && t.file != nil && len(t.arena) > 0 {
		_, err = t.file.Write(t.arena)
		t.arena = nil
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// richText is all text up to the end of an element, without readings (rPh).
func richText(dec *xml.Decoder, end string) (string, error) {
	var out strings.Builder
	in, skip := false, 0
	for {
		t, err := dec.RawToken()
		if err != nil {
			return "", xmlError("sharedStrings.xml", errors.Join(io.ErrUnexpectedEOF, err))
		}
		switch t := t.(type) {
		case xml.StartElement:
			in = t.Name.Local == "t"
			if t.Name.Local == "rPh" {
				skip++
			}
		case xml.EndElement:
			in = false
			if t.Name.Local == "rPh" {
				skip--
			}
			if t.Name.Local == end {
				return unescape(out.String()), nil
			}
		case xml.CharData:
			if in && skip == 0 {
				if out.Len()+len(t) > connect.MaxValueBytes {
					return "", fmt.Errorf("%w: a text of the workbook", connect.ErrTooLarge)
				}
				out.Write(t)
			}
		}
	}
}

var escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)

// unescape reads _x000D_ and its like (ST_Xstring).
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	return escaped.ReplaceAllStringFunc(s, func(e string) string {
		n, err := strconv.ParseUint(e[2:6], 16, 16)
		if err != nil || n >= 0xD800 && n < 0xE000 {
			return e
		}
		return string(rune(n))
	})
}
