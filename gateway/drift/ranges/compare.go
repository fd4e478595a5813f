package ranges

import (
	"context"
	"fmt"

	"mulian/gateway/connect"
)

// A Side sums its rows. A *Table is one; the other department's may be behind a network,
// whose answers are only compared.
type Side interface {
	// Sums tells, for each question, the sum of each part into which its bounds divide its
	// span, one more than there are bounds. A part begins behind its lower bound and ends with
	// its upper one. Bounds are in order, at most MaxBounds, and inside the span.
	Sums(ctx context.Context, k Key, questions []Question) ([][]Sum, error)
}

// A Question is a span and the keys that divide it.
type Question struct {
	Span   Span
	Bounds []connect.Row
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
	all, err := c.ask(ctx, []Question{{}})
	if err != nil {
		return nil, err
	}
	r := &Result{Mine: all[0][0].mine.Rows, Theirs: all[0][0].theirs.Rows, Narrowed: true}
	open, found := differing(all[0]), []part(nil)
	// Round by round, so that all ranges are about equally wide when there are too many; what
	// is open in one round is asked at once.
	for len(open) > 0 {
		var next []part
		var ask []Question
		var asked []part // of which the questions are
		for _, p := range open {
			bounds, err := c.bounds(ctx, p)
			if err != nil {
				return nil, err
			}
			if bounds == nil {
				found = append(found, p)
				continue
			}
			ask, asked = append(ask, Question{Span: p.span, Bounds: bounds}), append(asked, p)
		}
		for len(ask) > 0 {
			room := MaxDifferences - len(found) - len(next) - len(asked)
			if room <= 0 {
				found = append(append(found, asked...), next...)
				next, r.Narrowed = nil, false
				break
			}
			n := min(len(ask), MaxQuestions, 1+room/MaxBounds)
			parts, err := c.ask(ctx, ask[:n])
			if err != nil {
				return nil, err
			}
			for _, of := range parts {
				next = append(next, differing(of)...) // none: it changed meanwhile, and is equal now
			}
			ask, asked = ask[n:], asked[n:]
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

// ask sums the parts of spans on both sides.
func (c *comparison) ask(ctx context.Context, questions []Question) ([][]part, error) {
	mine, err := c.mine.Sums(ctx, c.key, questions)
	if err != nil {
		return nil, err
	}
	theirs, err := c.theirs.Sums(ctx, c.key, questions)
	if err != nil {
		return nil, fmt.Errorf("the other side: %w", err)
	}
	if len(theirs) != len(questions) {
		return nil, fmt.Errorf("%w: the other side answers %d questions of %d", connect.ErrInvalid, len(theirs), len(questions))
	}
	out := make([][]part, len(questions))
	for i, q := range questions {
		if len(theirs[i]) != len(q.Bounds)+1 {
			return nil, fmt.Errorf("%w: the other side answers with %d sums of %d", connect.ErrInvalid, len(theirs[i]), len(q.Bounds)+1)
		}
		out[i] = q.parts(mine[i], theirs[i])
	}
	return out, nil
}

func (q Question) parts(mine, theirs []Sum) []part {
	parts := make([]part, len(mine))
	for i := range parts {
		p := part{span: q.Span, mine: mine[i], theirs: theirs[i]}
		if i > 0 {
			p.span.After = q.Bounds[i-1]
		}
		if i < len(q.Bounds) {
			p.span.UpTo = q.Bounds[i]
		}
		p.span.Expect = max(p.mine.Rows, p.theirs.Rows)
		parts[i] = p
	}
	return parts
}

func differing(parts []part) (out []part) {
	for _, p := range parts {
		if p.mine != p.theirs {
			out = append(out, p)
		}
	}
	return out
}

// bounds are the keys that divide a part; nil if it is not to be divided.
func (c *comparison) bounds(ctx context.Context, p part) ([]connect.Row, error) {
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
	return bounds, nil
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
	for len(found) > 0 {
		n := min(len(found), MaxQuestions)
		var ask []Question
		for _, p := range found[:n] {
			ask = append(ask, Question{Span: p.span})
		}
		again, err := c.ask(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, of := range again {
			if q := of[0]; q.mine != q.theirs {
				out = append(out, Difference{Span: q.span, Mine: q.mine.Rows, Theirs: q.theirs.Rows})
			}
		}
		found = found[n:]
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
