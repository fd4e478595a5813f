package sheet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"mulian/internal/fault"
)

// The records of [MS-XLS] (BIFF8) that hold what a person sees in a cell.
const (
	biffBOF       = 0x0809
	biffEOF       = 0x000A
	biffSheet     = 0x0085 // BoundSheet8
	biffSST       = 0x00FC // shared strings
	biffContinue  = 0x003C
	biffDate1904  = 0x0022
	biffFormat    = 0x041E
	biffXF        = 0x00E0
	biffPassword  = 0x002F
	biffLabelSST  = 0x00FD
	biffLabel     = 0x0204
	biffRString   = 0x00D6
	biffNumber    = 0x0203
	biffRK        = 0x027E
	biffMulRK     = 0x00BD
	biffBoolErr   = 0x0205
	biffFormula   = 0x0006
	biffString    = 0x0207 // the text that the formula before it came to
	maxOldSheets  = 1000
	maxOldColumns = 256
	maxOldStrings = 1 << 22 // a file of 128 MB has no room for more that say something
)

var errBIFF = errors.New("a record of the workbook contradicts itself")

// oldBook reads one sheet of a workbook as Excel wrote it before 2007. It holds
// the file in memory; cells are decoded row by row. It is our own reader, since
// of the two libraries that were tried one mixed up the strings of a real file of
// Beijing's portal and the other follows a circle of sectors for ever.
type oldBook struct {
	table
	file    *File
	stream  []byte
	texts   []string
	formats map[uint16]string // own number formats, by their number
	xf      []uint16          // number format of each cell format
	epoch   time.Time
	sheets  []oldSheet

	at      int // next record of the sheet
	line    int // of the row that was given last
	done    bool
	pending []oldCell // read, and of the next row
}

type oldSheet struct {
	name string
	at   int
}

type oldCell struct {
	row, col int
	text     string
}

// openOldBook reads the workbook and chooses the sheet, as openBook does.
func (f *File) openOldBook(r *bufio.Reader, opts Options) (err error) {
	if opts.Encoding != "" {
		return fault.Newf(fault.Usage, "%s", f.lang.Say("%s 是 xls 工作簿，不用指定编码", "%s is an xls workbook: it takes no encoding", f.Name))
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxBookBytes+1))
	if err != nil {
		return f.unreadable(err)
	}
	if len(raw) > maxBookBytes {
		return fault.Newf(fault.TooLong, "%s", f.lang.Say("工作簿 %s 超过 %d MB：请拆成几个文件或另存为 csv", "the workbook %s is larger than %d MB: split it or save it as csv", f.Name, maxBookBytes>>20))
	}
	defer f.caught(&err)
	stream, err := streamOf(raw, "Workbook", "Book")
	if err != nil {
		return f.badBook(err)
	}
	b := &oldBook{file: f, stream: stream, formats: make(map[uint16]string), epoch: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)}
	if err := b.globals(); err != nil {
		return err
	}
	f.Format, f.Encoding = "xls", utf8Name
	for _, s := range b.sheets {
		f.Sheets = append(f.Sheets, s.name)
	}
	if err := b.choose(opts); err != nil {
		return err
	}
	f.src = b
	return nil
}

// choose opens the sheet that the options name, or the first with a header.
func (b *oldBook) choose(opts Options) error {
	var first error
	l, name := b.file.lang, b.file.Name
	for _, s := range b.sheets {
		if opts.Sheet != "" && s.name != opts.Sheet {
			continue
		}
		b.at, b.line, b.done, b.pending = s.at, 0, false, nil
		b.table = table{file: b.file, rows: b, ragged: true, noHeader: opts.NoHeader}
		err := b.findHeader(opts.Known)
		if err == nil {
			b.file.Shape = s.name
			return nil
		}
		if first == nil {
			first = err
		}
		b.file.Titles = nil
	}
	switch {
	case first != nil:
		return first
	case opts.Sheet != "":
		return fault.Newf(fault.Usage, "%s", l.Say("%s 中没有工作表 %q，只有：%s", "there is no sheet %q in %s, only: %s", order(l, name, opts.Sheet, strings.Join(b.file.Sheets, ", "))...))
	}
	return fault.Newf(fault.Empty, "%s", l.Say("%s 没有工作表", "%s has no sheet", name))
}

// record returns the record at b.stream[at:] and where the next one begins.
func (b *oldBook) record(at int) (kind uint16, body []byte, next int, err error) {
	if at < 0 || at+4 > len(b.stream) {
		return 0, nil, 0, errBIFF
	}
	kind = binary.LittleEndian.Uint16(b.stream[at:])
	next = at + 4 + int(binary.LittleEndian.Uint16(b.stream[at+2:]))
	if next > len(b.stream) {
		return 0, nil, 0, errBIFF
	}
	return kind, b.stream[at+4 : next], next, nil
}

// globals reads what stands before the sheets: their names and places, the
// strings, the number formats.
func (b *oldBook) globals() error {
	for at, n := 0, 0; ; n++ {
		kind, body, next, err := b.record(at)
		if err != nil {
			return b.file.badBook(err)
		}
		at = next
		switch {
		case n == 0 && (kind != biffBOF || len(body) < 4 || binary.LittleEndian.Uint16(body) != 0x0600):
			return fault.Newf(fault.Malformed, "%s", b.file.lang.Say("%s 是 Excel 97 以前的工作簿：请用 Excel 或 WPS 另存为 .xlsx，再导入", "%s is a workbook from before Excel 97: open it in Excel, save it as .xlsx, and import that", b.file.Name))
		case kind == biffEOF:
			return nil
		case kind == biffPassword:
			return fault.Newf(fault.Malformed, "%s", b.file.lang.Say("%s 设有密码：请去掉密码后另存为 .xlsx，再导入", "%s is locked with a password: save it as .xlsx without one, and import that", b.file.Name))
		case kind == biffSST:
			parts := [][]byte{body}
			for { // a record holds 8 KiB; the rest goes on in the next ones
				k, more, after, err := b.record(at)
				if err != nil || k != biffContinue {
					break
				}
				parts, at = append(parts, more), after
			}
			err = b.strings(parts)
		default:
			err = b.global(kind, body)
		}
		if err != nil {
			return b.file.badBook(err)
		}
	}
}

func (b *oldBook) global(kind uint16, body []byte) error {
	switch kind {
	case biffDate1904:
		if len(body) >= 2 && body[0] == 1 {
			b.epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	case biffXF:
		if len(body) < 4 || len(b.xf) > 1<<16 {
			return errBIFF
		}
		b.xf = append(b.xf, binary.LittleEndian.Uint16(body[2:]))
	case biffFormat:
		if len(body) < 5 {
			return errBIFF
		}
		s, _, err := unicodeText(body[4:], int(binary.LittleEndian.Uint16(body[2:])))
		if err != nil {
			return err
		}
		b.formats[binary.LittleEndian.Uint16(body)] = s
	case biffSheet:
		if len(body) < 8 || len(b.sheets) >= maxOldSheets {
			return errBIFF
		}
		s, _, err := unicodeText(body[7:], int(body[6]))
		if err != nil {
			return err
		}
		if body[5] == 0 { // a worksheet; charts and macros have other numbers
			b.sheets = append(b.sheets, oldSheet{s, int(binary.LittleEndian.Uint32(body))})
		}
	}
	return nil
}

// unicodeText reads n characters behind their flag byte: one byte each, or two.
// It returns how many bytes they took.
func unicodeText(b []byte, n int) (string, int, error) {
	if len(b) < 1 {
		return "", 0, errBIFF
	}
	size := n
	if b[0]&1 != 0 {
		size = 2 * n
	}
	if len(b) < 1+size {
		return "", 0, errBIFF
	}
	return decodeChars(nil, b[1:1+size], b[0]&1 != 0).String(), 1 + size, nil
}

// chars are the units of a text that may come in parts.
type chars []uint16

func (c chars) String() string { return string(utf16.Decode(c)) }

func decodeChars(c chars, b []byte, wide bool) chars {
	if !wide {
		for _, x := range b {
			c = append(c, uint16(x))
		}
		return c
	}
	for i := 0; i+1 < len(b); i += 2 {
		c = append(c, binary.LittleEndian.Uint16(b[i:]))
	}
	return c
}

// parted reads over the borders of the records of the shared strings.
type parted struct {
	parts [][]byte
}

// some returns up to n bytes of the part at hand; a new part begins where one ends.
func (p *parted) some(n int) ([]byte, error) {
	for len(p.parts) > 0 && len(p.parts[0]) == 0 {
		p.parts = p.parts[1:]
	}
	if len(p.parts) == 0 {
		return nil, errBIFF
	}
	n = min(n, len(p.parts[0]))
	out := p.parts[0][:n]
	p.parts[0] = p.parts[0][n:]
	return out, nil
}

func (p *parted) exactly(n int) ([]byte, error) {
	var out []byte
	for len(out) < n {
		b, err := p.some(n - len(out))
		if err != nil {
			return nil, err
		}
		if out == nil && len(b) == n {
			return b, nil
		}
		out = append(out, b...)
	}
	return out, nil
}

// strings reads the shared strings. A string that goes on in the next record has
// its flag byte again there: it may change its width in the middle.
func (b *oldBook) strings(parts [][]byte) error {
	p := &parted{parts}
	head, err := p.exactly(8)
	if err != nil {
		return err
	}
	count := binary.LittleEndian.Uint32(head[4:])
	if count > maxOldStrings {
		return errBIFF
	}
	for range count {
		s, err := p.text()
		if err != nil {
			return err
		}
		b.texts = append(b.texts, s)
	}
	return nil
}

// text reads one string with its formatting, which is passed over.
func (p *parted) text() (string, error) {
	head, err := p.exactly(3)
	if err != nil {
		return "", err
	}
	left, flags := int(binary.LittleEndian.Uint16(head)), head[2]
	skip := 0
	if flags&8 != 0 { // runs of formatting
		n, err := p.exactly(2)
		if err != nil {
			return "", err
		}
		skip += 4 * int(binary.LittleEndian.Uint16(n))
	}
	if flags&4 != 0 { // pronunciation
		n, err := p.exactly(4)
		if err != nil {
			return "", err
		}
		skip += int(binary.LittleEndian.Uint32(n) & 0x7FFFFFFF)
	}
	wide, units := flags&1 != 0, make(chars, 0, left)
	for left > 0 {
		if len(p.parts) > 0 && len(p.parts[0]) == 0 {
			if flag, err := p.some(1); err != nil {
				return "", err
			} else {
				wide = flag[0]&1 != 0
			}
		}
		size := 1
		if wide {
			size = 2
		}
		raw, err := p.some(left * size)
		if err != nil {
			return "", err
		}
		if len(raw)%size != 0 {
			return "", errBIFF
		}
		units, left = decodeChars(units, raw, wide), left-len(raw)/size
	}
	for skip > 0 {
		raw, err := p.some(skip)
		if err != nil {
			return "", err
		}
		skip -= len(raw)
	}
	return units.String(), nil
}

// nextRow implements rowSource. Excel writes the cells row by row, from left to
// right; a row that stands behind a later one is told, and not read.
func (b *oldBook) nextRow() (r row, err error) {
	defer b.file.caught(&err)
	if b.pending == nil && !b.done {
		if err := b.cells(func(c []oldCell) bool { b.pending = c; return false }); err != nil {
			return r, err
		}
	}
	if b.pending == nil {
		return r, io.EOF
	}
	b.line++
	r.line = b.line
	if b.pending[0].row+1 > b.line { // a row with nothing in it
		return r, nil
	}
	first := b.pending
	b.pending = nil
	b.put(&r, first)
	return r, b.cells(func(c []oldCell) bool { return b.put(&r, c) })
}

// put puts cells of one row into r, and reports whether more of it may come.
func (b *oldBook) put(r *row, cells []oldCell) bool {
	if cells[0].row+1 > r.line {
		b.pending = cells
		return false
	}
	for _, c := range cells {
		if c.row+1 < r.line || c.col >= maxOldColumns {
			r.problems = append(r.problems, Problem{Line: r.line, Code: fault.Malformed, Message: b.file.lang.Say("第 %d 行的单元格不按顺序存放，未读取", "a cell of row %d stands out of its order; it was not read", c.row+1)})
			return len(r.problems) < 100
		}
		for len(r.cells) <= c.col {
			r.cells = append(r.cells, "")
		}
		r.cells[c.col] = c.text
	}
	return true
}

// cells gives the cells from b.at on, one or some of one row at a time, until
// yield is false or the sheet ends.
func (b *oldBook) cells(yield func([]oldCell) bool) error {
	var formula *oldCell // waits for its text
	for !b.done {
		kind, body, next, err := b.record(b.at)
		if err != nil {
			b.done = true
			return b.file.badBook(fmt.Errorf("sheet ends in the middle: %w", err))
		}
		if kind == biffBOF && next-b.at > 4 && len(body) >= 4 && binary.LittleEndian.Uint16(body[2:]) == 0x0020 {
			next = b.skipChart(next)
		}
		b.at = next
		if kind == biffEOF {
			b.done = true
			return nil
		}
		if kind == biffString && formula != nil {
			if len(body) >= 3 {
				formula.text, _, _ = unicodeText(body[2:], int(binary.LittleEndian.Uint16(body)))
			}
			c := *formula
			formula = nil
			if !yield([]oldCell{c}) {
				return nil
			}
			continue
		}
		if len(body) < 6 {
			continue
		}
		c := oldCell{row: int(binary.LittleEndian.Uint16(body)), col: int(binary.LittleEndian.Uint16(body[2:]))}
		if kind == biffMulRK {
			var several []oldCell
			for i := 4; i+6 <= len(body)-2; i += 6 {
				c.text = b.number(rk(body[i+2:]), binary.LittleEndian.Uint16(body[i:]))
				several = append(several, c)
				c.col++
			}
			if len(several) > 0 && !yield(several) {
				return nil
			}
			continue
		}
		text, ok := b.cell(kind, body)
		if !ok {
			continue
		}
		if c.text = text; kind == biffFormula && text == awaited {
			formula = &c
			continue
		}
		if !yield([]oldCell{c}) {
			return nil
		}
	}
	return nil
}

// skipChart passes over a chart that is put into the sheet.
func (b *oldBook) skipChart(at int) int {
	for depth := 1; depth > 0; {
		kind, _, next, err := b.record(at)
		if err != nil {
			return at
		}
		switch at = next; kind {
		case biffBOF:
			depth++
		case biffEOF:
			depth--
		}
	}
	return at
}

// awaited stands for the text of a formula, which comes in the next record.
const awaited = "\x00text"

// cell reads the value of one cell as text; false for what is no value.
func (b *oldBook) cell(kind uint16, body []byte) (string, bool) {
	xf, value := binary.LittleEndian.Uint16(body[4:]), body[6:]
	switch {
	case kind == biffLabelSST && len(value) >= 4:
		if i := binary.LittleEndian.Uint32(value); uint64(i) < uint64(len(b.texts)) {
			return b.texts[i], true
		}
		return "\ufffd", true
	case (kind == biffLabel || kind == biffRString) && len(value) >= 3:
		s, _, err := unicodeText(value[2:], int(binary.LittleEndian.Uint16(value)))
		return s, err == nil
	case kind == biffNumber && len(value) >= 8:
		return b.number(math.Float64frombits(binary.LittleEndian.Uint64(value)), xf), true
	case kind == biffRK && len(value) >= 4:
		return b.number(rk(value), xf), true
	case kind == biffBoolErr && len(value) >= 2:
		return boolErr(value[0], value[1] != 0), true
	case kind == biffFormula && len(value) >= 8:
		if value[6] != 0xFF || value[7] != 0xFF {
			return b.number(math.Float64frombits(binary.LittleEndian.Uint64(value)), xf), true
		}
		switch value[0] {
		case 0:
			return awaited, true
		case 1, 2:
			return boolErr(value[2], value[0] == 2), true
		}
		return "", true
	}
	return "", false
}

func boolErr(v byte, isError bool) string {
	switch {
	case isError:
		return "#ERROR"
	case v != 0:
		return "TRUE"
	}
	return "FALSE"
}

// rk is a number in four bytes: an integer or the upper half of a float, either
// of them perhaps times a hundred.
func rk(b []byte) float64 {
	u := binary.LittleEndian.Uint32(b)
	v := float64(int32(u) >> 2)
	if u&2 == 0 {
		v = math.Float64frombits(uint64(u&^3) << 32)
	}
	if u&1 != 0 {
		v /= 100
	}
	return v
}

// number writes a number as the cell's format means it: a date as ISO 8601, else
// with the digits that it has.
func (b *oldBook) number(v float64, xf uint16) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "#ERROR"
	}
	if int(xf) < len(b.xf) && b.isDate(b.xf[xf]) && v >= 0 && v < 2958466 { // to the end of 9999
		days := math.Floor(v)
		t := b.epoch.AddDate(0, 0, int(days)).Add(time.Duration(math.Round((v-days)*86400)) * time.Second)
		switch {
		case days == 0 && v > 0:
			return t.Format("15:04:05")
		case v == days:
			return t.Format("2006-01-02")
		}
		return t.Format("2006-01-02 15:04:05")
	}
	if math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'G', -1, 64) // its last digits are lost, and it shows
}

// isDate reports whether a number format shows a date or a time.
func (b *oldBook) isDate(format uint16) bool {
	if s, ok := b.formats[format]; ok {
		return dateFormat(s)
	}
	return format >= 14 && format <= 22 || format >= 27 && format <= 36 || format >= 45 && format <= 47 || format >= 50 && format <= 58
}

// dateFormat looks for the letters of dates outside quotes and brackets.
func dateFormat(s string) bool {
	quoted, bracket := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\\', c == '_':
			i++
		case c == '[':
			bracket = true
		case c == ']':
			bracket = false
		case bracket:
		case strings.IndexByte("yYdDhHsS", c) >= 0:
			return true
		}
	}
	return false
}
