package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/order"
)

// source is a folder that is read.
type source struct {
	at     location
	shapes *memory
	closed atomic.Bool
}

func (s *source) Close() error {
	s.closed.Store(true)
	return nil
}

// folder opens the folder for one call.
func (s *source) folder(ctx context.Context) (*os.Root, *listing, error) {
	if s.closed.Load() {
		return nil, nil, fmt.Errorf("%w: closed", connect.ErrUnreachable)
	}
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	root, err := openRoot(s.at.dir)
	if err != nil {
		return nil, nil, err
	}
	l, err := list(root)
	if err != nil {
		root.Close()
		return nil, nil, err
	}
	return root, l, nil
}

func (s *source) Inspect(ctx context.Context) (*connect.Schema, error) {
	root, l, err := s.folder(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	out := &connect.Schema{}
	for _, at := range l.places {
		tables, err := s.tables(ctx, root, l, at)
		if err != nil && !ofOneFile(err) {
			return nil, err
		}
		if err != nil { // the others are none the worse for it
			out.Unread = append(out.Unread, connect.Unread{Name: connect.TableName{Name: at.name}, Reason: err.Error()})
			continue
		}
		out.Tables = append(out.Tables, tables...)
	}
	out.Normalise()
	return out, out.Check()
}

// ofOneFile tells whether an error says something of that file alone, and nothing of the
// folder, the disk or the caller.
func ofOneFile(err error) bool {
	for _, kind := range []error{connect.ErrInvalid, connect.ErrDenied, connect.ErrTooLarge, connect.ErrChanged} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// tables are those of one place; none where it is declared to be passed over.
func (s *source) tables(ctx context.Context, root *os.Root, l *listing, at place) (out []connect.Table, err error) {
	sheets, skip, err := s.sheets(ctx, root, l, at)
	if err != nil || skip {
		return nil, err
	}
	for _, sheet := range sheets {
		o, err := s.open(ctx, root, l, at, sheet)
		if err != nil {
			return nil, err
		}
		out = append(out, o.table())
		o.close()
	}
	return out, nil
}

// sheets are the names by which a place is more than one table; "" where it is one.
func (s *source) sheets(ctx context.Context, root *os.Root, l *listing, at place) (names []string, skip bool, err error) {
	if at.wrong != nil {
		return nil, false, at.wrong
	}
	d, _, err := readDeclared(root, l, at.declared)
	if err != nil || d.Skip {
		return nil, true, err
	}
	if len(at.files) > 1 {
		return []string{""}, false, nil
	}
	p, err := l.openPart(root, at.files[0])
	if err != nil {
		return nil, false, err
	}
	p.temp = s.at.temp
	defer p.close()
	if p.form != workbookForm {
		return []string{""}, false, nil
	}
	names, ok := s.shapes.known(p)
	if !ok {
		if names, err = p.sheetNames(ctx); err != nil {
			return nil, false, err
		}
		s.shapes.keep(p, names)
	}
	if len(names) == 1 {
		names[0] = ""
	}
	return names, false, err
}

// find opens the table of that name.
func (s *source) find(ctx context.Context, n connect.TableName) (*opened, error) {
	root, l, err := s.folder(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	none := fmt.Errorf("%w: %s", connect.ErrNoTable, n)
	if n.Schema != "" {
		return nil, none
	}
	for _, at := range l.places {
		sheet, ok := "", at.name == n.Name
		if !ok {
			sheet, ok = strings.CutPrefix(n.Name, at.name+"!")
		}
		if !ok {
			continue
		}
		sheets, skip, err := s.sheets(ctx, root, l, at)
		if err != nil {
			return nil, err
		}
		for _, known := range sheets {
			if !skip && known == sheet {
				return s.open(ctx, root, l, at, sheet)
			}
		}
	}
	return nil, none
}

func (s *source) Query(ctx context.Context, sel connect.Selection) (out []connect.Row, err error) {
	err = s.run(ctx, sel, true, func(b connect.Batch) error {
		out = append(out, b.Rows...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *source) Scan(ctx context.Context, sel connect.Selection, fn func(connect.Batch) error) error {
	return s.run(ctx, sel, false, fn)
}

func (s *source) run(ctx context.Context, sel connect.Selection, query bool, fn func(connect.Batch) error) error {
	o, err := s.find(ctx, sel.Table)
	if err != nil {
		return err
	}
	defer o.close()
	plan, err := order.NewPlan(o.table(), sel, query, s.at.temp)
	if err != nil {
		return err
	}
	return plan.Run(ctx, func(yield func(connect.Row) error) error {
		return o.rows(ctx, plan.Reads, yield)
	}, fn)
}

// Modified is the name under which Freshness tells when a table's files were changed
// last, as an Instant. No column has it.
const Modified = "file:modified"

func (s *source) Freshness(ctx context.Context, table connect.TableName, watermark string) (f connect.Freshness, err error) {
	o, err := s.find(ctx, table)
	if err != nil {
		return f, err
	}
	defer o.close()
	var columns []connect.Column
	t := o.table()
	switch c, ok := t.Column(watermark); {
	case ok:
		columns = append(columns, c)
	case watermark == Modified:
		f.Watermark = connect.InstantValue(modified(o.parts))
	case watermark != "":
		return f, fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, table, watermark)
	}
	if len(columns) == 0 && o.shape.Rows >= 0 {
		f.Rows = o.shape.Rows
		return f, nil
	}
	var most []byte
	err = o.rows(ctx, columns, func(row connect.Row) error {
		f.Rows++
		if len(row) == 0 || row[0].IsNull() {
			return nil
		}
		if key := order.Key(nil, row[0]); most == nil || bytes.Compare(key, most) > 0 {
			most, f.Watermark = key, row[0]
		}
		return nil
	})
	return f, err
}
