package ranges

import (
	"context"
	"fmt"

	"mulian/gateway/connect"
)

// A Side sums its rows. A *Table is one; the other department's may be behind a network,
// whose answers are only compared.
type Side interface {
	// Sums tells the sum of each part into which the bounds divide the span, one more than
	// there are bounds. A part begins behind its lower bound and ends with its upper one. Bounds are in
	// order, at most MaxBounds, and inside the span.
	Sums(ctx context.Context, k Key, span Span, bounds []connect.Row) ([]Sum, error)
}

// A Difference is a range of keys in which the two sides have not the same rows. Its
// keys are those of the asker's table.
type Difference struct {
	Span   Span
	Mine   int64 // rows of the asker's in it
	Theirs int64
}

// A Result of a comparison.
type Result struct {
	Mine, Theirs int64 // rows in all, at the first look
	// Differences are in the order of the key, none overlapping; none: the tables are equal.
	Differences []Difference
	// Narrowed is false if there were so many that some are wider than they had to be.
	Narrowed bool
}

// Equal tells that both tables have the same rows.
func (r *Result) Equal() bool { return len(r.Differences) == 0 }

// Compare finds where two tables differ. mine is the asker's own; only keys of its rows
// are ever named.
//
// ErrNoKey: the rows cannot be put in order; ErrInvalid: the keys are of different kinds, or the other side
// answers with the wrong number of sums; else what the databases say.
func Compare(ctx context.Context, k Key, mine *Table, theirs Side) (*Result, error) {
	if err := mine.check(); err != nil {
		return nil, err
	}
	c := &comparison{key: k, mine: mine, theirs: theirs}
	all, err := c.ask(ctx, Span{}, nil)
	if err != nil {
		return nil, err
	}
	r := &Result{Mine: all[0].mine.Rows, Theirs: all[0].theirs.Rows, Narrowed: true}
	open, found := differing(all), []part(nil)
	// Round by round, so that all ranges are about equally wide when there are too many.
	for len(open) > 0 {
		var next []part
		for i, p := range open {
			if len(found)+len(next)+len(open)-i >= MaxDifferences {
				found = append(found, open[i:]...)
				found = append(found, next...)
				next, r.Narrowed = nil, false
				break
			}
			parts, err := c.narrow(ctx, p)
			if err != nil {
				return nil, err
			}
			if parts == nil {
				found = append(found, p)
				continue
			}
			next = append(next, parts...)
		}
		open = next
	}
	if r.Differences, err = c.confirm(ctx, found); err != nil {
		return nil, err
	}
	return r, sortDifferences(r.Differences)
}

type comparison struct {
	key    Key
	mine   *Table
	theirs Side
}

// part is a span with what both sides say of it.
type part struct {
	span         Span
	mine, theirs Sum
}

// ask sums the parts of a span on both sides.
func (c *comparison) ask(ctx context.Context, span Span, bounds []connect.Row) ([]part, error) {
	mine, err := c.mine.Sums(ctx, c.key, span, bounds)
	if err != nil {
		return nil, err
	}
	theirs, err := c.theirs.Sums(ctx, c.key, span, bounds)
	if err != nil {
		return nil, fmt.Errorf("the other side: %w", err)
	}
	if len(theirs) != len(bounds)+1 {
		return nil, fmt.Errorf("%w: the other side answers with %d sums of %d", connect.ErrInvalid, len(theirs), len(bounds)+1)
	}
	parts := make([]part, len(mine))
	for i := range parts {
		p := part{span: span, mine: mine[i], theirs: theirs[i]}
		if i > 0 {
			p.span.After = bounds[i-1]
		}
		if i < len(bounds) {
			p.span.UpTo = bounds[i]
		}
		p.span.Expect = max(p.mine.Rows, p.theirs.Rows)
		parts[i] = p
	}
	return parts, nil
}

func differing(parts []part) (out []part) {
	for _, p := range parts {
		if p.mine != p.theirs {
			out = append(out, p)
		}
	}
	return out
}

// narrow divides a part and returns what differs of it; nil if it is not to be divided.
func (c *comparison) narrow(ctx context.Context, p part) ([]part, error) {
	if p.mine.Rows < 2*Grain {
		return nil, nil
	}
	bounds, err := c.mine.Split(ctx, p.span)
	if err != nil {
		return nil, err
	}
	if most := int(p.mine.Rows/Grain) - 1; len(bounds) > most {
		bounds = thin(bounds, most)
	}
	if len(bounds) == 0 {
		return nil, nil
	}
	parts, err := c.ask(ctx, p.span, bounds)
	if err != nil {
		return nil, err
	}
	if out := differing(parts); out != nil {
		return out, nil
	}
	return []part{}, nil // it changed meanwhile, and is equal now
}

// thin keeps n of the keys, evenly.
func thin(keys []connect.Row, n int) []connect.Row {
	var out []connect.Row
	for i := range n {
		out = append(out, keys[(i+1)*len(keys)/(n+1)])
	}
	return out
}

// confirm asks once more: what is equal now was changing when it was asked.
func (c *comparison) confirm(ctx context.Context, found []part) (out []Difference, err error) {
	for _, p := range found {
		again, err := c.ask(ctx, p.span, nil)
		if err != nil {
			return nil, err
		}
		if q := again[0]; q.mine != q.theirs {
			out = append(out, Difference{Span: q.span, Mine: q.mine.Rows, Theirs: q.theirs.Rows})
		}
	}
	return out, nil
}

// sortDifferences puts them in the order of their beginnings.
func sortDifferences(d []Difference) error {
	for i := 1; i < len(d); i++ {
		for j := i; j > 0; j-- {
			before, err := begins(d[j].Span, d[j-1].Span)
			if err != nil {
				return err
			}
			if !before {
				break
			}
			d[j], d[j-1] = d[j-1], d[j]
		}
	}
	return nil
}

func begins(a, b Span) (before bool, err error) {
	if a.After == nil || b.After == nil {
		return a.After == nil && b.After != nil, nil
	}
	n, err := compareKeys(a.After, b.After)
	return n < 0, err
}
