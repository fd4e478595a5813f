package sheet

import (
	"bufio"
	"bytes"
	"io"
)

// openText decides between csv and JSON and starts the second pass. first is r
// from its beginning, unpacked.
func (f *File) openText(r io.ReadSeeker, first *bufio.Reader, opts Options) error {
	head, _ := first.Peek(4)
	head = bytes.Clone(head)
	found, err := look(first)
	if err != nil {
		return f.unreadable(err)
	}
	f.Encoding = encodingOf(head, found)
	if opts.Encoding != "" {
		if f.Encoding, err = encodingNamed(f.lang, opts.Encoding); err != nil {
			return err
		}
	}
	again, err := f.unpack(r)
	if err != nil {
		return err
	}
	utf16 := f.Encoding == utf16leName || f.Encoding == utf16beName
	if utf16 {
		again = bufio.NewReaderSize(widen(again, f.Encoding), 64<<10)
	}
	offset := int64(0)
	if bom, _ := again.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		again.Discard(3)
		if !utf16 {
			offset = 3
		}
	}
	start, _ := again.Peek(4096)
	body := bytes.TrimLeft(start, " \t\r\n")
	if len(body) > 0 && (body[0] == '[' || body[0] == '{') {
		f.Format = "json"
		if !utf16 {
			again = bufio.NewReaderSize(widen(again, f.Encoding), 64<<10)
		}
		f.src, err = newObjects(f, again)
		return err
	}
	f.Format = "csv"
	return f.openTable(again, offset, found, utf16, opts)
}

// openTable starts reading delimited lines, and finds the header.
func (f *File) openTable(r *bufio.Reader, offset int64, found survey, utf16 bool, opts Options) error {
	enc := f.Encoding
	if utf16 {
		enc = utf8Name
	}
	c := &lines{file: f, r: r, offset: offset, line: 1, end: '\n', dec: newDecoder(enc)}
	if found.cr && !found.lf && !utf16 {
		c.end = '\r'
	}
	start, _ := r.Peek(32 << 10)
	c.delimiter = delimiterOf(start, c.end)
	f.Shape = map[byte]string{',': "comma", ';': "semicolon", '\t': "tab"}[c.delimiter]
	t := &table{file: f, rows: c}
	if err := t.findHeader(opts.Known); err != nil {
		return err
	}
	f.src = t
	return nil
}

// delimiterOf counts the candidates outside quotes in each of the first lines,
// and takes the one that is there in most of them, then the one that is there
// most often. A list without any is a table of one column.
func delimiterOf(start []byte, end byte) byte {
	candidates := []byte{',', '\t', ';'}
	var inLines, total [3]int
	var here [3]int
	quoted := false
	closeLine := func() {
		for i, n := range here {
			if n > 0 {
				inLines[i]++
			}
			total[i] += n
		}
		here = [3]int{}
	}
	for _, c := range start {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == end:
			closeLine()
		default:
			if i := bytes.IndexByte(candidates, c); i >= 0 {
				here[i]++
			}
		}
	}
	closeLine()
	best := 0
	for i := 1; i < len(candidates); i++ {
		if inLines[i] > inLines[best] || inLines[i] == inLines[best] && total[i] > total[best] {
			best = i
		}
	}
	return candidates[best]
}
