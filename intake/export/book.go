package export

import (
	"encoding/csv"
	"slices"

	"github.com/xuri/excelize/v2"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// maxSheetRows are those of the xlsx format (ECMA-376), and what package sheet
// reads of any table.
const maxSheetRows = 1 << 20

// maxCellChars is what a cell of a workbook holds. The longest text of an entry has
// 4,000 characters; a list of 200 long members can be longer.
const maxCellChars = 32_767

// book writes a workbook. Every cell is a text with the number format "@": a
// spreadsheet program neither computes a text that begins with "=", nor turns a code
// of digits into a number, even after somebody has edited the cell.
type book struct {
	file       *excelize.File
	text, head int // styles
}

// workbook writes the form: 目录, 文件, 职责, 系统, 库表.
func (e *export) workbook() error {
	f := excelize.NewFile()
	defer f.Close()
	b := &book{file: f}
	var err error
	if b.text, err = f.NewStyle(&excelize.Style{NumFmt: 49, Alignment: &excelize.Alignment{Vertical: "top", WrapText: false}}); err != nil {
		return err
	}
	if b.head, err = f.NewStyle(&excelize.Style{
		NumFmt: 49, Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDE6F0"}},
		Alignment: &excelize.Alignment{Vertical: "center", WrapText: true},
	}); err != nil {
		return err
	}
	if err := e.entrySheet(b); err != nil {
		return err
	}
	if err := sheetOf(e, b, e.say("职责", "Duties"), dutyColumns, func(row func(*cataloguev1.Duty) error) error {
		return each(e.ctx, e.src.Duties, func(m *cataloguev1.Duty) error { e.done.Duties++; return row(m) })
	}); err != nil {
		return err
	}
	if err := sheetOf(e, b, e.say("系统", "Systems"), systemColumns, func(row func(*cataloguev1.System) error) error {
		return each(e.ctx, e.src.Systems, func(m *cataloguev1.System) error { e.done.Systems++; return row(m) })
	}); err != nil {
		return err
	}
	if err := sheetOf(e, b, e.say("库表", "Tables"), tableColumns, func(row func(tableRow) error) error {
		return each(e.ctx, e.src.Tables, func(m *cataloguev1.Table) error {
			e.done.Tables++
			for _, r := range tableRows(m) {
				if err := row(r); err != nil {
					return err
				}
			}
			return nil
		})
	}); err != nil {
		return err
	}
	return f.Write(e.out)
}

func (e *export) entrySheet(b *book) error {
	name := e.say("目录", "Catalogue")
	if err := b.file.SetSheetName("Sheet1", name); err != nil {
		return err
	}
	s, err := b.begin(name, e.header(), append(widthsOf(e.columns), widthsOf(itemColumns)...))
	if err != nil {
		return err
	}
	filesName := e.say(intake.FilesSheets[0], intake.FilesSheets[1])
	if _, err := b.file.NewSheet(filesName); err != nil {
		return err
	}
	files, err := b.begin(filesName, headerOf(e, fileColumns), widthsOf(fileColumns))
	if err != nil {
		return err
	}
	if err := e.entries(func(m *cataloguev1.Entry) error {
		for _, f := range m.GetResources() {
			if err := files.row(rowOf(e, fileColumns, fileRow{m.GetId(), f})); err != nil {
				return err
			}
		}
		return e.formRows(m, s.row)
	}); err != nil {
		return err
	}
	if err := files.Flush(); err != nil {
		return err
	}
	return s.Flush()
}

func widthsOf[M any](cols []column[M]) []float64 {
	out := make([]float64, len(cols))
	for i, c := range cols {
		out[i] = c.wide
	}
	return out
}

// sheetOf writes one more sheet.
func sheetOf[M any](e *export, b *book, name string, cols []column[M], rows func(func(M) error) error) error {
	if _, err := b.file.NewSheet(name); err != nil {
		return err
	}
	s, err := b.begin(name, headerOf(e, cols), widthsOf(cols))
	if err != nil {
		return err
	}
	if err := rows(func(m M) error { return s.row(rowOf(e, cols, m)) }); err != nil {
		return err
	}
	return s.Flush()
}

// sheetWriter writes the rows of one sheet.
type sheetWriter struct {
	*excelize.StreamWriter
	name string
	text int
	n    int
	buf  []any
}

func (b *book) begin(name string, header []string, widths []float64) (*sheetWriter, error) {
	w, err := b.file.NewStreamWriter(name)
	if err != nil {
		return nil, err
	}
	for i, wide := range widths {
		if wide == 0 {
			wide = 14
		}
		if err := w.SetColWidth(i+1, i+1, wide); err != nil {
			return nil, err
		}
	}
	if err := w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return nil, err
	}
	s := &sheetWriter{StreamWriter: w, name: name, text: b.head}
	if err := s.row(header); err != nil {
		return nil, err
	}
	s.text = b.text
	return s, nil
}

// row writes a row; blank cells are left out.
func (s *sheetWriter) row(cells []string) error {
	if s.n++; s.n > maxSheetRows {
		return fault.Newf(fault.TooLong, "a sheet holds %d rows: export one department with --org, or take --format csv or json", maxSheetRows)
	}
	s.buf = s.buf[:0]
	for i, c := range cells {
		if c == "" {
			s.buf = append(s.buf, nil)
			continue
		}
		if len(c) > maxCellChars && len([]rune(c)) > maxCellChars {
			return fault.Newf(fault.TooLong, "%s, row %d, column %d: a cell of a workbook holds %d characters: take --format csv or json", s.name, s.n, i+1, maxCellChars)
		}
		s.buf = append(s.buf, excelize.Cell{StyleID: s.text, Value: c})
	}
	at, err := excelize.CoordinatesToCellName(1, s.n)
	if err != nil {
		return err
	}
	return s.SetRow(at, s.buf)
}

// text writes the sheet 目录 as csv: UTF-8 with its mark, for spreadsheet programs
// take it for the local encoding without, and a guard before what they would compute
// or turn into a number (sheet.Guard).
func (e *export) text() error {
	e.out.WriteString("\ufeff")
	w := csv.NewWriter(e.out)
	w.UseCRLF = true
	e.columns = append(slices.Clone(entryColumns), filesColumn)
	guarded := make([]string, len(e.columns)+len(itemColumns))
	row := func(cells []string) error {
		for i, c := range cells {
			guarded[i] = sheet.Guard(c)
		}
		return w.Write(guarded)
	}
	if err := row(e.header()); err != nil {
		return err
	}
	if err := e.entries(func(m *cataloguev1.Entry) error { return e.formRows(m, row) }); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
