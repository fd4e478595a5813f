package sheet

import (
	"bufio"
	"bytes"
	"io"

	"mulian/internal/fault"
)

// openText decides what the text is and starts the second pass. first is r from
// its beginning, unpacked.
func (f *File) openText(r io.ReadSeeker, first *bufio.Reader, opts Options) error {
	head, _ := first.Peek(4)
	head = bytes.Clone(head)
	var found survey
	var err error
	if like := opts.Like; like != nil && like.Digest == f.Digest && like.found.seen {
		f.Encoding, found = like.looked, like.found
	} else {
		if found, err = look(first); err != nil {
			return f.unreadable(err)
		}
		f.Encoding = encodingOf(head, found)
		found.sample, found.seen = nil, true
	}
	f.found, f.looked = found, f.Encoding
	if opts.Encoding != "" {
		if f.Encoding, err = encodingNamed(f.lang, opts.Encoding); err != nil {
			return err
		}
	}
	again, _, err := f.decoded(r, true)
	if err != nil {
		return err
	}
	if head, err = visible(again); err != nil {
		return f.unreadable(err)
	}
	kind := kindOf(head)
	if kind == "" {
		return fault.Newf(fault.Empty, "%s", f.lang.Say("%s 是空文件", "%s is empty", f.Name))
	}
	if kind == csvText {
		again, offset, err := f.decoded(r, false)
		if err != nil {
			return err
		}
		f.Format = csvText
		return f.openTable(again, offset, found, opts)
	}
	if again, _, err = f.decoded(r, true); err != nil {
		return err
	}
	switch kind {
	case jsonText, scriptText:
		f.Format = jsonText
		if envelopeOf(head).linked && kind == jsonText {
			f.Format = "json-ld"
			return f.openGraph(func(g *graph) error { return g.readLinked(again, head) })
		}
		f.src, err = newObjects(f, again, head, opts.List)
		return err
	case yamlText:
		f.Format = yamlText
		f.src = &contracts{file: f, r: again, line: 1}
		return nil
	case rdfXML:
		f.Format = rdfXML
		return f.openGraph(func(g *graph) error { return g.readXML(r) })
	case turtleText:
		f.Format = turtleText
		return f.openGraph(func(g *graph) error { return g.readTurtle(again) })
	}
	return refuse(f.lang, f.Name, kind)
}

// decoded starts reading the text from its beginning, without its byte order mark,
// and says how many bytes that took. UTF-16 always becomes UTF-8; the other
// encodings when all is asked for: csv is cut in its own bytes.
func (f *File) decoded(r io.ReadSeeker, all bool) (*bufio.Reader, int64, error) {
	again, err := f.unpack(r)
	if err != nil {
		return nil, 0, err
	}
	utf16 := f.utf16()
	if utf16 || all && f.Encoding != utf8Name {
		again = bufio.NewReaderSize(widen(again, f.Encoding), headBytes)
	}
	if bom, _ := again.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		again.Discard(3)
		if !utf16 {
			return again, 3, nil
		}
	}
	return again, 0, nil
}

func (f *File) utf16() bool { return f.Encoding == utf16leName || f.Encoding == utf16beName }

// openTable starts reading delimited lines, and finds the header.
func (f *File) openTable(r *bufio.Reader, offset int64, found survey, opts Options) error {
	enc := f.Encoding
	if f.utf16() {
		enc = utf8Name
	}
	c := &lines{file: f, r: r, offset: offset, line: 1, end: '\n', dec: newDecoder(enc)}
	if found.cr && !found.lf && !f.utf16() {
		c.end = '\r'
	}
	start, _ := r.Peek(32 << 10)
	c.delimiter = delimiterOf(start, c.end)
	f.Shape = map[byte]string{',': "comma", ';': "semicolon", '\t': "tab"}[c.delimiter]
	t := &table{file: f, rows: c, noHeader: opts.NoHeader}
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
