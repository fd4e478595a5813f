package files

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/workbook"
)

// openBook opens the part as a workbook, once.
func (p *part) openBook() (*workbook.Book, error) {
	if p.book != nil {
		return p.book, nil
	}
	if p.gz {
		return nil, fmt.Errorf("%w: file %s: a workbook is compressed inside", connect.ErrInvalid, p.name)
	}
	b, err := workbook.Open(p.f, p.stamp.Size, p.temp)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", p.name, failure(err))
	}
	p.book = b
	return b, nil
}

// sheetNames are the sheets that hold something.
func (p *part) sheetNames(ctx context.Context) ([]string, error) {
	b, err := p.openBook()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range b.Sheets() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		err := b.Rows(name, func(int64, []connect.Value) error { return errFirst })
		if errors.Is(err, errFirst) {
			out = append(out, name)
		} else if err != nil {
			return nil, fmt.Errorf("file %s: %w", p.name, err)
		}
	}
	return out, p.unchanged()
}

// errFirst ends the reading of a sheet when what was looked for is found.
var errFirst = errors.New("found")

// sheetName is the sheet of the part's table: of a workbook with one, the first that holds something.
func (p *part) sheetName(ctx context.Context) (string, error) {
	if p.sheet == "" {
		names, err := p.sheetNames(ctx)
		if err != nil {
			return "", err
		}
		if len(names) != 1 {
			return "", fmt.Errorf("%w: workbook %s has %d sheets that hold something, not one", connect.ErrInvalid, p.name, len(names))
		}
		p.sheet = names[0]
	}
	return p.sheet, nil
}

// sheetColumns are the cells of the header row; they have no kind.
func (p *part) sheetColumns(d *Declared) (out []connect.Column, err error) {
	name, err := p.sheetName(context.Background())
	if err != nil {
		return nil, err
	}
	b, err := p.openBook()
	if err != nil {
		return nil, err
	}
	err = b.Rows(name, func(n int64, row []connect.Value) error {
		if n < int64(d.Header) {
			return nil
		}
		var header []string
		for _, v := range row {
			header = append(header, v.Text)
		}
		out = named(header)
		return errFirst
	})
	if err != nil && !errors.Is(err, errFirst) {
		return nil, fmt.Errorf("file %s: %w", p.name, err)
	}
	for len(out) > 0 && out[len(out)-1].Name == "" {
		out = out[:len(out)-1]
	}
	return out, nil
}

// eachSheetRow hands the columns at of each row below the header to fn.
func (p *part) eachSheetRow(ctx context.Context, d *Declared, at []int, fn func(n int64, row connect.Row) error) error {
	columns, err := p.sheetColumns(d)
	if err != nil {
		return err
	}
	row := make(connect.Row, len(at))
	header := true
	err = p.book.Rows(p.sheet, func(n int64, cells []connect.Value) error {
		if n%512 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if header {
			header = n < int64(d.Header)
			return nil
		}
		if len(cells) > len(columns) {
			for _, v := range cells[len(columns):] {
				if strings.TrimSpace(v.Text) != "" {
					return &connect.ValueError{Column: p.name, Row: n, Reason: fmt.Sprintf("a row of %d cells, the header has %d", len(cells), len(columns))}
				}
			}
		}
		for i, c := range at {
			row[i] = connect.Null
			if c < len(cells) {
				row[i] = cells[c]
			}
		}
		return fn(n, row)
	})
	return err
}
