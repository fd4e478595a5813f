package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"mulian/gateway/connect"
)

// shape is what is known of a table whose files are in one state. It never changes.
type shape struct {
	Stamps    []stamp // of the parts
	Hashes    []string
	Names     []string // of the parts
	Schema    stamp    // of the schema file
	Header    []string // names of the file's own columns
	Columns   []connect.Column
	MaxChars  []int
	Key       []string
	Comment   string
	Encodings []string // of each part
	Rows      int64    // -1: not counted
	declared  *Declared
}

// opened is a table whose files are open, and in one state.
type opened struct {
	name  connect.TableName
	parts []*part
	shape *shape
	temp  string
}

func (o *opened) close() {
	for _, p := range o.parts {
		p.close()
	}
}

// unchanged tells whether all parts still are what was opened.
func (o *opened) unchanged() error {
	for _, p := range o.parts {
		if err := p.unchanged(); err != nil {
			return err
		}
	}
	return nil
}

// table is the shape as the Schema has it.
func (o *opened) table() connect.Table {
	s := o.shape
	return connect.Table{TableName: o.name, Comment: s.Comment, Columns: s.Columns, PrimaryKey: s.Key}
}

// open opens a table's files and finds out their shape, unless it is known.
func (s *source) open(ctx context.Context, root *os.Root, l *listing, at place, sheet string) (*opened, error) {
	o := &opened{name: connect.TableName{Name: at.name}, temp: s.at.temp}
	if sheet != "" {
		o.name.Name += "!" + sheet
	}
	d, declaredStamp, err := readDeclared(root, l, at.declared)
	if err == nil {
		for _, name := range at.files {
			var p *part
			if p, err = l.openPart(root, name); err != nil {
				break
			}
			p.sheet, p.temp = sheet, s.at.temp
			o.parts = append(o.parts, p)
		}
	}
	if err == nil {
		o.shape, err = s.shapes.get(ctx, o, d, declaredStamp)
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func readDeclared(root *os.Root, l *listing, name string) (*Declared, stamp, error) {
	if name == "" {
		return &Declared{}, stamp{}, nil
	}
	p, err := l.openPart(root, name)
	if err != nil {
		return nil, stamp{}, err
	}
	defer p.f.Close()
	d, err := parseDeclared(p.f)
	if err != nil {
		return nil, stamp{}, fmt.Errorf("file %s: %w", name, err)
	}
	return d, p.stamp, p.unchanged()
}

// find reads the parts and makes the shape.
func find(ctx context.Context, o *opened, d *Declared) (*shape, error) {
	s := &shape{declared: d, Rows: -1, Comment: d.Comment}
	var natives []connect.Column // of the first part
	for i, p := range o.parts {
		s.Names = append(s.Names, p.name)
		encoding := d.Encoding
		if encoding == "" {
			encoding = "utf-8"
		}
		native, err := p.columns(encoding, d)
		if err != nil {
			return nil, err
		}
		if p.form == delimitedForm && d.Encoding == "" && slices.ContainsFunc(native, func(c connect.Column) bool { return undecodable(encoding, c.Name) }) {
			encoding = "gb18030"
			if native, err = p.columns(encoding, d); err != nil {
				return nil, err
			}
		}
		s.Encodings = append(s.Encodings, encoding)
		if err := checkHeader(p, encoding, native); err != nil {
			return nil, err
		}
		if i == 0 {
			natives = native
		} else if !slices.EqualFunc(native, natives, func(a, b connect.Column) bool { return a.Name == b.Name && a.Kind == b.Kind }) {
			return nil, fmt.Errorf("%w: files %s and %s have different columns", connect.ErrInvalid, o.parts[0].name, p.name)
		}
	}
	s.promise(natives, d)
	for _, key := range d.Key {
		if slices.ContainsFunc(s.Columns, func(c connect.Column) bool { return c.Name == key }) {
			s.Key = append(s.Key, key)
		}
	}
	if len(s.Key) != len(d.Key) {
		s.Key = nil
	}
	for i := range s.Columns {
		if slices.Contains(s.Key, s.Columns[i].Name) {
			s.Columns[i].Nullable = false
		}
	}
	if err := s.infer(ctx, o); err != nil {
		return nil, err
	}
	return s, o.unchanged()
}

// promise makes the columns of what the files say themselves, and of what is declared. A column
// without a kind is to be inferred.
func (s *shape) promise(natives []connect.Column, d *Declared) {
	for _, c := range natives {
		s.Header = append(s.Header, c.Name)
		c.Nullable, c.Position = true, len(s.Columns)+1
		most := 0
		if dc, ok := d.column(c.Name); ok {
			c = dc.columnOf(c.Position)
			most = dc.MaxChars
		}
		s.Columns, s.MaxChars = append(s.Columns, c), append(s.MaxChars, most)
	}
	if d == nil || len(d.Columns) != len(s.Columns) || slices.ContainsFunc(s.Columns, func(c connect.Column) bool { _, ok := d.column(c.Name); return !ok }) {
		return
	}
	// All are declared: then in the order of the declaration. A parquet file of ours has its own.
	for i, dc := range d.Columns {
		s.Columns[i], s.MaxChars[i] = dc.columnOf(i+1), dc.MaxChars
	}
}

func checkHeader(p *part, encoding string, native []connect.Column) error {
	if len(native) == 0 || len(native) > connect.MaxColumns {
		return fmt.Errorf("%w: file %s has %d columns, 1 to %d", connect.ErrTooLarge, p.name, len(native), connect.MaxColumns)
	}
	seen := map[string]bool{}
	for i, c := range native {
		switch {
		case p.form == delimitedForm && undecodable(encoding, c.Name):
			return fmt.Errorf("%w: file %s is not written in %s; declare its encoding", connect.ErrInvalid, p.name, encoding)
		case c.Name == "" || len(c.Name) > connect.MaxNameBytes || strings.ContainsRune(c.Name, 0):
			return fmt.Errorf("%w: file %s, column %d has no name of 1 to %d bytes", connect.ErrInvalid, p.name, i+1, connect.MaxNameBytes)
		case seen[c.Name]:
			return fmt.Errorf("%w: file %s names column %q twice", connect.ErrInvalid, p.name, c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// infer reads all values of the columns that have no kind yet, and gives them one.
func (s *shape) infer(ctx context.Context, o *opened) error {
	var unknown, at []int // among the columns, in the header
	for i, c := range s.Columns {
		if c.Kind == 0 {
			unknown, at = append(unknown, i), append(at, slices.Index(s.Header, c.Name))
		}
	}
	if len(at) == 0 {
		return nil
	}
	guesses := make([]guess, len(at))
	for i := range guesses {
		guesses[i] = everyGuess
	}
	s.Rows = 0
	for i, p := range o.parts {
		found, rows, bad, err := p.guess(ctx, s, i, at)
		if err != nil {
			return err
		}
		if bad > 0 && s.declared.Encoding == "" && s.Encodings[i] == "utf-8" {
			// Perhaps all but the header is in the other encoding: the one with fewer
			// values that cannot be read counts; the others are errors of a scan.
			s.Encodings[i] = "gb18030"
			again, _, still, err := p.guess(ctx, s, i, at)
			if err != nil || still >= bad {
				s.Encodings[i] = "utf-8"
			} else {
				found = again
			}
		}
		s.Rows += rows
		for j := range guesses {
			guesses[j] &= found[j]
		}
	}
	for i, c := range unknown {
		s.Columns[c].Kind = guesses[i].kind()
		s.Columns[c].Type = s.Columns[c].Kind.String()
	}
	return nil
}

// guess reads the columns at of all rows. bad is how many values the encoding does not
// explain. A record that cannot be read as a row ends the guess: the error is the
// scan's, since the table is there all the same.
func (p *part) guess(ctx context.Context, s *shape, i int, at []int) (found []guess, rows, bad int64, err error) {
	found = make([]guess, len(at))
	for j := range found {
		found[j] = everyGuess
	}
	loose := p.form == delimitedForm
	err = p.each(ctx, s, i, at, func(_ int64, row connect.Row) error {
		rows++
		for j, v := range row {
			if loose && undecodable(s.Encodings[i], v.Text) {
				bad++
				found[j] &= onlyText
				continue
			}
			found[j] = found[j].and(v, loose)
		}
		return nil
	})
	var ve *connect.ValueError
	if errors.As(err, &ve) {
		err, rows = nil, -1<<40
		for j := range found { // what follows is not known
			found[j] &= onlyText
		}
	}
	return found, rows, bad, err
}

// columns are the part's own columns; those of texts have no kind.
func (p *part) columns(encoding string, d *Declared) ([]connect.Column, error) {
	switch p.form {
	case workbookForm:
		return p.sheetColumns(d)
	case columnarForm:
		return p.columnarColumns()
	}
	r, err := openText(p, encoding, d)
	if err != nil {
		return nil, err
	}
	return named(r.header), nil
}

// named makes columns without a kind of a header.
func named(header []string) []connect.Column {
	var out []connect.Column
	for _, name := range header {
		out = append(out, connect.Column{Name: strings.TrimSpace(name)})
	}
	return out
}

// each hands the file's columns at of each row to fn, as the file has them.
func (p *part) each(ctx context.Context, s *shape, i int, at []int, fn func(n int64, row connect.Row) error) error {
	switch p.form {
	case workbookForm:
		return p.eachSheetRow(ctx, s.declared, at, fn)
	case columnarForm:
		return p.eachColumnarRow(ctx, at, fn)
	}
	return eachText(ctx, p, s.Encodings[i], s.declared, at, fn)
}

// rows hands the columns of each row of all parts to yield, as the table promises them.
func (o *opened) rows(ctx context.Context, columns []connect.Column, yield func(connect.Row) error) error {
	at := make([]int, len(columns))
	most := make([]int, len(columns))
	for i, c := range columns {
		at[i] = slices.Index(o.shape.Header, c.Name)
		most[i] = o.shape.MaxChars[slices.IndexFunc(o.shape.Columns, func(x connect.Column) bool { return x.Name == c.Name })]
	}
	for i, p := range o.parts {
		err := p.each(ctx, o.shape, i, at, func(n int64, row connect.Row) error {
			for j := range row {
				v, reason := row[j], ""
				if p.form == delimitedForm && undecodable(o.shape.Encodings[i], v.Text) {
					reason = "not written in " + o.shape.Encodings[i]
				} else {
					v, reason = fit(columns[j], v, most[j])
				}
				if reason != "" {
					return &connect.ValueError{Table: o.name, Column: columns[j].Name, Row: n, Reason: reason + " (file " + p.name + ")"}
				}
				row[j] = v
			}
			return yield(row)
		})
		var ve *connect.ValueError
		if errors.As(err, &ve) && ve.Table.Name == "" {
			ve.Table = o.name
		}
		if err != nil {
			return err
		}
	}
	return o.unchanged()
}
