package sheet

import (
	"archive/zip"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"mulian/internal/fault"
)

// book reads one sheet of a workbook, row by row.
type book struct {
	table
	xlsx *excelize.File
	rows *excelize.Rows
	file *File
	line int
}

// openBook reads the workbook and chooses the sheet: the one that Options name,
// else the first with a header in it.
func (f *File) openBook(r *bufio.Reader, opts Options) (err error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBookBytes+1))
	if err != nil {
		return f.unreadable(err)
	}
	if len(raw) > maxBookBytes {
		return fault.Newf(fault.TooLong, "%s", f.lang.Say("工作簿 %s 超过 %d MB：请拆成几个文件或另存为 csv", "the workbook %s is larger than %d MB: split it or save it as csv", f.Name, maxBookBytes>>20))
	}
	defer f.caught(&err)
	if opts.Encoding != "" {
		return fault.Newf(fault.Usage, "%s", f.lang.Say("%s 是 xlsx 工作簿，不用指定编码", "%s is an xlsx workbook: it takes no encoding", f.Name))
	}
	if err := f.checkZip(raw); err != nil {
		return err
	}
	x, err := excelize.OpenReader(bytes.NewReader(raw), excelize.Options{
		UnzipSizeLimit:    maxBookUnzipped,
		UnzipXMLSizeLimit: maxBookPart,
		// Dates as ISO 8601, whatever the locale of who saved the file.
		ShortDatePattern: "yyyy-mm-dd",
		LongDatePattern:  "yyyy-mm-dd",
	})
	if err != nil {
		return f.badBook(err)
	}
	f.Format, f.Encoding, f.Sheets = "xlsx", utf8Name, x.GetSheetList()
	names := f.Sheets
	if opts.Sheet != "" {
		if !slices.Contains(names, opts.Sheet) {
			x.Close()
			return fault.Newf(fault.Usage, "%s", f.lang.Say("%s 中没有工作表 %q，只有：%s", "there is no sheet %q in %s, only: %s", order(f.lang, f.Name, opts.Sheet, strings.Join(names, ", "))...))
		}
		names = []string{opts.Sheet}
	}
	b := &book{xlsx: x, file: f}
	if err := b.choose(names, opts); err != nil {
		b.close()
		return err
	}
	f.src = b
	return nil
}

// order gives the arguments of the sheet message in the order of its language.
func order(l Lang, file, sheet, names string) []any {
	if l == Chinese {
		return []any{file, sheet, names}
	}
	return []any{sheet, file, names}
}

// checkZip refuses early what only looks like a workbook: a zip of other files,
// and one whose sheets end in the middle. The library takes the end of a torn
// sheet for its last row; nothing would say that rows are missing.
func (f *File) checkZip(raw []byte) error {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return f.badBook(err)
	}
	isBook, left := false, int64(maxBookUnzipped)
	for _, e := range z.File {
		name := strings.ToLower(strings.TrimPrefix(e.Name, "/"))
		isBook = isBook || name == "xl/workbook.xml"
		if !strings.HasPrefix(name, "xl/worksheets/") || !strings.HasSuffix(name, ".xml") {
			continue
		}
		n, whole, err := endsWhole(e, left)
		if left -= n; left <= 0 {
			return fault.Newf(fault.TooLong, "%s", f.lang.Say("工作簿 %s 解开后超过 %d MB", "the workbook %s unfolds to more than %d MB", f.Name, maxBookUnzipped>>20))
		}
		if err == nil && !whole {
			err = fmt.Errorf("%s ends in the middle", e.Name)
		}
		if err != nil {
			return f.badBook(err)
		}
	}
	if !isBook {
		return fault.Newf(fault.Malformed, "%s", f.lang.Say("%s 是 zip 压缩包，不是工作簿：请先解开", "%s is a zip archive and no workbook: unpack it first", f.Name))
	}
	return nil
}

// endsWhole unfolds a sheet, at most limit bytes of it, and reports whether its
// last element is closed. Reading to the end checks the sum of the zip, too.
func endsWhole(e *zip.File, limit int64) (n int64, whole bool, err error) {
	r, err := e.Open()
	if err != nil {
		return 0, false, err
	}
	defer r.Close()
	var t tail
	if n, err = io.Copy(&t, io.LimitReader(r, limit)); err != nil {
		return n, false, err
	}
	return n, bytes.HasSuffix(bytes.TrimRight(t.last, " \t\r\n"), []byte("worksheet>")), nil
}

// tail keeps the last bytes that were written to it.
type tail struct{ last []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	const keep = 64
	t.last = append(t.last, p[max(0, len(p)-keep):]...)
	t.last = t.last[max(0, len(t.last)-keep):]
	return len(p), nil
}

func (f *File) badBook(err error) error {
	return fault.Wrap(fault.Torn, err, "%s", f.lang.Say("工作簿 %s 已损坏或不完整：请重新下载或重新保存", "the workbook %s is damaged or torn: fetch or save it again", f.Name))
}

// caught turns a panic of the workbook library, which parses bytes of strangers,
// into a fault of this one file.
func (f *File) caught(err *error) {
	if p := recover(); p != nil {
		*err = f.badBook(fmt.Errorf("workbook library: %v", p))
	}
}

// choose opens the first of the sheets that has a header.
func (b *book) choose(names []string, opts Options) error {
	var first error
	for _, name := range names {
		rows, err := b.xlsx.Rows(name)
		if err != nil {
			if first == nil {
				first = b.file.badBook(err)
			}
			continue
		}
		b.rows, b.line = rows, 0
		b.table = table{file: b.file, rows: b, ragged: true, noHeader: opts.NoHeader}
		err = b.findHeader(opts.Known)
		if err == nil {
			b.file.Shape = name
			return nil
		}
		if first == nil {
			first = err
		}
		rows.Close()
		b.rows, b.file.Titles = nil, nil
	}
	if first == nil {
		first = fault.Newf(fault.Empty, "%s", b.file.lang.Say("%s 没有工作表", "%s has no sheet", b.file.Name))
	}
	return first
}

// nextRow implements rowSource.
func (b *book) nextRow() (r row, err error) {
	defer b.file.caught(&err)
	if !b.rows.Next() {
		if err := b.rows.Error(); err != nil {
			return r, b.file.badBook(err)
		}
		return r, io.EOF
	}
	b.line++
	r.line = b.line
	cells, err := b.rows.Columns()
	l := b.file.lang
	if err != nil || len(cells) > maxColumns {
		r.broken = true
		r.problems = []Problem{{
			Line: b.line, Code: fault.Malformed,
			Message:    l.Say("该行无法读取", "the row cannot be read"),
			Suggestion: l.Say("在 Excel 中打开并重新保存", "open the workbook in Excel and save it again"),
		}}
		return r, nil
	}
	for i, c := range cells {
		if len(c) > maxCellBytes {
			cells[i] = strings.ToValidUTF8(c[:maxCellBytes], "")
			r.problems = append(r.problems, Problem{
				Line: b.line, column: i + 1, Code: fault.TooLong,
				Message: l.Say("该格超过 %d KB，只保留开头", "the cell is longer than %d KB; only its beginning was kept", maxCellBytes>>10),
			})
		}
	}
	r.cells = cells
	return r, nil
}

func (b *book) close() {
	if b.rows != nil {
		b.rows.Close()
	}
	b.xlsx.Close()
}
