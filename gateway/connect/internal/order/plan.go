package order

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// A Plan is a Selection on a table as it is now: what must be read, and which rows
// of it are wanted in which order.
type Plan struct {
	// Reads are the columns that rows must have, in this order: the wanted ones,
	// those of the key, those of conditions. No other is read.
	Reads []connect.Column

	table  connect.TableName
	wanted int
	key    []int // in Reads; nil: rows stay in the order in which they come
	unique bool  // the key is the table's own: equal ones are an error
	where  []condition
	after  []byte
	limit  int
	temp   string
}

type condition struct {
	at int // in Reads
	in map[string]bool
	// after is not nil for connect.OpAfter
	after []byte
}

// NewPlan resolves s on t. query: for Source.Query, else for Source.Scan, which has
// the primary key's order where s names none. Errors as of connect.Source.
func NewPlan(t connect.Table, s connect.Selection, query bool, temp string) (*Plan, error) {
	if err := statement.Check(s, query); err != nil {
		return nil, err
	}
	p := &Plan{table: t.TableName, wanted: len(s.Columns), limit: s.Limit, temp: temp}
	for _, name := range s.Columns {
		c, ok := t.Column(name)
		if !ok {
			return nil, p.noColumn(name)
		}
		p.Reads = append(p.Reads, c)
	}
	key := s.OrderBy
	if len(key) == 0 && !query {
		key, p.unique = t.PrimaryKey, true
	}
	for _, name := range key {
		at, err := p.column(t, name)
		if err != nil {
			return nil, err
		}
		p.key = append(p.key, at)
	}
	for _, w := range s.Where {
		if err := p.condition(t, w); err != nil {
			return nil, err
		}
	}
	if s.After == nil {
		return p, nil
	}
	if len(p.key) == 0 || len(s.After) != len(p.key) {
		return nil, fmt.Errorf("%w: %s cannot go on after a row", connect.ErrNoKey, p.table)
	}
	for i, v := range s.After {
		if v.IsNull() {
			return nil, fmt.Errorf("%w: %s: NULL in the key to go on after", connect.ErrNoKey, p.table)
		}
		v, err := compared(p.Reads[p.key[i]], v)
		if err != nil {
			return nil, err
		}
		p.after = Key(p.after, v)
	}
	return p, nil
}

func (p *Plan) noColumn(name string) error {
	return fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, p.table, name)
}

func (p *Plan) column(t connect.Table, name string) (int, error) {
	at := slices.IndexFunc(p.Reads, func(c connect.Column) bool { return c.Name == name })
	if at >= 0 {
		return at, nil
	}
	c, ok := t.Column(name)
	if !ok {
		return 0, p.noColumn(name)
	}
	p.Reads = append(p.Reads, c)
	return len(p.Reads) - 1, nil
}

func (p *Plan) condition(t connect.Table, w connect.Condition) error {
	at, err := p.column(t, w.Column)
	if err != nil {
		return err
	}
	c := condition{at: at, in: map[string]bool{}}
	for _, v := range w.Values {
		v, err := compared(p.Reads[at], v)
		if err != nil {
			return err
		}
		if key := Key(nil, v); w.Op == connect.OpAfter {
			c.after = key
		} else {
			c.in[string(key)] = true
		}
	}
	p.where = append(p.where, c)
	return nil
}

// errEnough ends the reading of rows when the limit is reached.
var errEnough = errors.New("enough rows")

// Run reads all rows with read, which calls yield for each (a row has the columns of
// Reads, and may be used again afterwards) and returns yield's errors as they are. fn gets the
// batches, and owns them. Where the plan has a key, read has ended before
// fn is called for the first time.
func (p *Plan) Run(ctx context.Context, read func(yield func(connect.Row) error) error, fn func(connect.Batch) error) error {
	out := &batcher{ctx: ctx, plan: p, fn: fn}
	take := out.row
	var sorter *Sorter
	if len(p.key) > 0 {
		sorter = NewSorter(p.temp)
		defer sorter.Close()
		take = func(row connect.Row) error { return p.sorted(sorter, row) }
	}
	n := 0
	err := read(func(row connect.Row) error {
		if n++; n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !p.fulfils(row) {
			return nil
		}
		return take(row)
	})
	if err == nil && sorter != nil {
		var before []byte
		err = sorter.Each(func(key []byte, row connect.Row) error {
			if p.unique && bytes.Equal(key, before) {
				return fmt.Errorf("%w: %s: two rows have the same key", connect.ErrNoKey, p.table)
			}
			before = append(before[:0], key...)
			return out.row(row)
		})
	}
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil && err != errEnough {
		return err
	}
	return out.flush()
}

func (p *Plan) fulfils(row connect.Row) bool {
	var room [64]byte
	for i := range p.where {
		c := &p.where[i]
		if row[c.at].IsNull() {
			return false
		}
		key := Key(room[:0], row[c.at])
		if c.after != nil {
			if bytes.Compare(key, c.after) <= 0 {
				return false
			}
		} else if !c.in[string(key)] {
			return false
		}
	}
	return true
}

// sorted adds a row, unless it does not come after p.after.
func (p *Plan) sorted(s *Sorter, row connect.Row) error {
	var room [256]byte
	key := room[:0]
	for _, at := range p.key {
		if row[at].IsNull() {
			return fmt.Errorf("%w: %s: NULL in key column %q", connect.ErrNoKey, p.table, p.Reads[at].Name)
		}
		key = Key(key, row[at])
	}
	if p.after != nil && bytes.Compare(key, p.after) <= 0 {
		return nil
	}
	return s.Add(key, row)
}

// batcher makes batches of the rows that are wanted.
type batcher struct {
	ctx   context.Context //nolint:containedctx // lives as long as the call of Run
	plan  *Plan
	fn    func(connect.Batch) error
	batch connect.Batch
	last  connect.Row
	bytes int
	n     int
}

func (b *batcher) row(row connect.Row) error {
	if b.plan.limit > 0 && b.n == b.plan.limit {
		return errEnough
	}
	b.n++
	b.batch.Rows = append(b.batch.Rows, slices.Clone(row[:b.plan.wanted]))
	if len(b.plan.key) > 0 {
		b.last = b.last[:0]
		for _, at := range b.plan.key {
			b.last = append(b.last, row[at])
		}
	}
	for _, v := range row[:b.plan.wanted] {
		b.bytes += len(v.Text)
	}
	if len(b.batch.Rows) >= connect.BatchRows || b.bytes >= connect.BatchBytes {
		return b.flush()
	}
	return nil
}

func (b *batcher) flush() error {
	if len(b.batch.Rows) == 0 {
		return nil
	}
	b.batch.Last = slices.Clone(b.last)
	out := b.batch
	b.batch, b.bytes = connect.Batch{Rows: make([]connect.Row, 0, min(connect.BatchRows, 2*len(out.Rows)))}, 0
	if err := b.fn(out); err != nil {
		return err
	}
	return b.ctx.Err()
}
