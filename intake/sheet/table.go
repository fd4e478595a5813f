package sheet

import (
	"io"
	"strconv"

	"mulian/internal/fault"
)

// row is one row of a table before it is given its header.
type row struct {
	line     int
	cells    []string
	problems []Problem
	broken   bool
}

// rowSource is a table without its header: the lines of a csv, the rows of a sheet.
type rowSource interface {
	nextRow() (row, error) // io.EOF after the last
}

// table puts the header to the rows of a rowSource.
type table struct {
	file     *File
	rows     rowSource
	ahead    []row // read while the header was sought
	end      error // what came after ahead, when it was not a row
	noHeader bool  // there is none
	ragged   bool  // a row with fewer cells than the header is normal: sheets drop blank cells at the end
}

// findHeader reads the first rows and takes as header the one with the most
// names known to the caller (two at least), else the first one that is nearly
// full and followed by a row. The rows above it become the file's Titles.
// A second row of nothing but known names below it is merged in: forms with two
// levels of headings have the group above and the column below.
func (t *table) findHeader(known func(string) bool) error {
	var seen []row
	for len(seen) < headerRows && t.end == nil {
		r, err := t.rows.nextRow()
		if err != nil {
			t.end = err
			break
		}
		seen = append(seen, r)
	}
	if t.end != nil && t.end != io.EOF {
		return t.end
	}
	if t.noHeader {
		if t.ahead = seen; len(seen) == 0 {
			return fault.Newf(fault.Empty, "%s", t.file.lang.Say("%s 中没有内容", "there is nothing in %s", t.file.Name))
		}
		return nil
	}
	at, recognised := headerAt(seen, known)
	t.file.Guessed = !recognised
	if at < 0 {
		return fault.Newf(fault.Empty, "%s", t.file.lang.Say("%s 中没有表头", "there is no header row in %s", t.file.Name))
	}
	for _, r := range seen[:at] {
		for _, cell := range r.cells {
			if !blankText(cell) {
				t.file.Titles = append(t.file.Titles, cell)
				break
			}
		}
		t.file.Notes = append(t.file.Notes, r.problems...)
	}
	t.file.Notes = append(t.file.Notes, seen[at].problems...)
	header := seen[at].cells
	rest := seen[at+1:]
	if known != nil && len(rest) > 0 && subHeader(rest[0].cells, known) {
		header = mergeHeader(header, rest[0].cells)
		rest = rest[1:]
	}
	for len(header) > 0 && blankText(header[len(header)-1]) {
		header = header[:len(header)-1]
	}
	t.file.Header = header
	t.ahead = rest
	return nil
}

// headerAt returns the index of the header row, or -1, and whether its names are known.
func headerAt(rows []row, known func(string) bool) (at int, recognised bool) {
	best, bestScore, width := -1, 1, 0
	for i, r := range rows {
		score, filled := 0, 0
		for _, c := range r.cells {
			if blankText(c) {
				continue
			}
			filled++
			if known != nil && known(c) {
				score++
			}
		}
		if score > bestScore {
			best, bestScore = i, score
		}
		width = max(width, filled)
	}
	if best >= 0 {
		return best, true
	}
	for i, r := range rows {
		filled := 0
		for _, c := range r.cells {
			if !blankText(c) {
				filled++
			}
		}
		if filled > 0 && filled*5 >= width*3 {
			return i, false
		}
	}
	return -1, false
}

// subHeader reports whether the cells are a second level of headings.
func subHeader(cells []string, known func(string) bool) bool {
	filled := 0
	for _, c := range cells {
		if blankText(c) {
			continue
		}
		if !known(c) {
			return false
		}
		filled++
	}
	return filled >= 2
}

func mergeHeader(upper, lower []string) []string {
	out := make([]string, max(len(upper), len(lower)))
	copy(out, upper)
	for i, c := range lower {
		if !blankText(c) {
			out[i] = c
		}
	}
	return out
}

// next implements source.
func (t *table) next() (Record, error) {
	var r row
	if len(t.ahead) > 0 {
		r, t.ahead = t.ahead[0], t.ahead[1:]
	} else {
		if t.end != nil {
			return Record{}, t.end
		}
		var err error
		if r, err = t.rows.nextRow(); err != nil {
			return Record{}, err
		}
	}
	for i := range r.problems {
		if at := r.problems[i].column; at > 0 {
			r.problems[i].Field = t.name(at - 1)
		}
	}
	rec := Record{Line: r.line, Problems: r.problems, Broken: r.broken}
	if r.broken || blankCells(r.cells) {
		return rec, nil
	}
	t.checkWidth(&rec, r)
	rec.Fields = make([]Field, max(len(r.cells), len(t.file.Header)))
	for i := range rec.Fields {
		f := &rec.Fields[i]
		f.Column, f.Name = i+1, t.name(i)
		if i < len(r.cells) {
			f.Text = r.cells[i]
			if t.file.Format == csvText {
				f.Text = Unguard(f.Text)
			}
		}
	}
	return rec, nil
}

// name returns the header of the column with the index i.
func (t *table) name(i int) string {
	if i < len(t.file.Header) && !blankText(t.file.Header[i]) {
		return t.file.Header[i]
	}
	return "#" + strconv.Itoa(i+1)
}

// checkWidth reports a row that is wider than the header in cells with text, or
// narrower where that cannot be.
func (t *table) checkWidth(rec *Record, r row) {
	l, want, got := t.file.lang, len(t.file.Header), len(r.cells)
	for got > want && blankText(r.cells[got-1]) {
		got--
	}
	if t.noHeader {
		return
	}
	if got > want || got < want && !t.ragged {
		rec.Problems = append(rec.Problems, Problem{
			Line: r.line, Code: fault.Malformed,
			Message:    l.Say("该行有 %d 格，表头有 %d 列", "the row has %d cells, the header %d columns", got, want),
			Suggestion: l.Say("检查该行的分隔符和引号", "check the delimiters and quotes of this row"),
		})
	}
}

func blankCells(cells []string) bool {
	for _, c := range cells {
		if !blankText(c) {
			return false
		}
	}
	return true
}
