package ranges

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"

	"mulian/gateway/connect"
	"mulian/internal/sm"
)

// The bounds of this package; our own choices.
const (
	// MaxBounds is the most keys that divide a range: with 33 parts each, a million rows are three
	// rounds away from a range of 16.
	MaxBounds = 32
	// MaxQuestions is the most ranges that are asked for at once: as many as a message of
	// 256 KiB holds with their bounds, if the keys are short.
	MaxQuestions = 64
	// Grain is how many rows of the asker's the narrowest ranges have, on average at least.
	Grain = 16
	// MaxDifferences is the most ranges that one comparison tells; beyond, wider ones.
	MaxDifferences = 500
	// hurried is up to how many expected rows a range is read with a limit, so that the
	// database takes the key's index instead of sorting the rest of the table.
	hurried = 100_000
)

// A Key keys the digests of one agreement. Its digests say nothing to whoever lacks it.
type Key [32]byte

// KeyOf derives an agreement's key from a secret that its two sides share, of 16 bytes at least.
func KeyOf(secret []byte, agreement string) (k Key, err error) {
	if len(secret) < 16 {
		return k, fmt.Errorf("%w: a secret of %d bytes", connect.ErrInvalid, len(secret))
	}
	mac := hmac.New(sm.NewSM3, secret)
	mac.Write([]byte("mulian ranges key 1\x00" + agreement))
	mac.Sum(k[:0])
	return k, nil
}

// A Span is a range of keys: those greater than After and not greater than UpTo. nil is no
// bound.
type Span struct {
	After connect.Row
	UpTo  connect.Row
	// Expect is about how many rows lie in it, if that is known: it makes the reading faster
	// and changes nothing else.
	Expect int64
}

// A Sum is what one side says of the rows in a range.
type Sum struct {
	Rows   int64
	Digest [32]byte
}

// A Table is one side's rows: these columns of that table.
type Table struct {
	Source  connect.Source
	Name    connect.TableName
	Columns []string // those that are compared, in an order that both sides keep
	Key     []string // the primary key, each of them among Columns
}

func (t *Table) check() error {
	for _, k := range t.Key {
		if !slices.Contains(t.Columns, k) {
			return fmt.Errorf("%w: column %q of the key is not among those that are compared", connect.ErrNoKey, k)
		}
	}
	if t.Source == nil || len(t.Key) == 0 {
		return fmt.Errorf("%w: table %s has no key to go by", connect.ErrNoKey, t.Name)
	}
	return nil
}

// Sums implements Side.
func (t *Table) Sums(ctx context.Context, k Key, questions []Question) ([][]Sum, error) {
	var out [][]Sum
	for _, q := range questions {
		sums, err := t.sums(ctx, k, q.Span, q.Bounds)
		if err != nil {
			return nil, err
		}
		out = append(out, sums)
	}
	return out, nil
}

func (t *Table) sums(ctx context.Context, k Key, span Span, bounds []connect.Row) ([]Sum, error) {
	if err := checkBounds(span, bounds); err != nil {
		return nil, err
	}
	out := make([]Sum, len(bounds)+1)
	part := 0
	digest := newDigest(k)
	var buf []byte
	err := t.each(ctx, span, func(key, row connect.Row) error {
		for part < len(bounds) {
			n, err := compareKeys(key, bounds[part])
			if err != nil {
				return err
			}
			if n <= 0 {
				break
			}
			digest.Sum(out[part].Digest[:0])
			digest.Reset()
			part++
		}
		out[part].Rows++
		buf = appendRow(buf[:0], row)
		digest.Write(buf)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for ; part < len(out); part++ {
		digest.Sum(out[part].Digest[:0])
		digest.Reset()
	}
	return out, nil
}

func newDigest(k Key) hash.Hash { return hmac.New(sm.NewSM3, k[:]) }

// appendRow is the one encoding of a row, as in a delivery's page, with its width in front.
func appendRow(out []byte, row connect.Row) []byte {
	out = binary.AppendUvarint(out, uint64(len(row)))
	for _, v := range row {
		out = append(out, byte(v.Kind))
		if !v.IsNull() {
			out = binary.AppendUvarint(out, uint64(len(v.Text)))
			out = append(out, v.Text...)
		}
	}
	return out
}

// checkBounds holds what came from the other side to its form: sorted, and within the span.
func checkBounds(span Span, bounds []connect.Row) error {
	if len(bounds) > MaxBounds {
		return fmt.Errorf("%w: %d bounds, more than %d", connect.ErrInvalid, len(bounds), MaxBounds)
	}
	all := slices.Clone(bounds)
	if span.After != nil {
		all = slices.Insert(all, 0, span.After)
	}
	if span.UpTo != nil {
		all = append(all, span.UpTo)
	}
	for i := 1; i < len(all); i++ {
		if n, err := compareKeys(all[i-1], all[i]); err != nil {
			return err
		} else if n >= 0 {
			return fmt.Errorf("%w: bounds of a range are not in order", connect.ErrInvalid)
		}
	}
	return nil
}

// Split picks at most MaxBounds keys that divide the table's rows in the span evenly. It
// reads the keys alone.
func (t *Table) Split(ctx context.Context, span Span) ([]connect.Row, error) {
	keys := &Table{Source: t.Source, Name: t.Name, Columns: t.Key, Key: t.Key}
	var picked []connect.Row
	stride, n := int64(1), int64(0)
	err := keys.each(ctx, span, func(key, _ connect.Row) error {
		if n++; n%stride != 0 {
			return nil
		}
		picked = append(picked, slices.Clone(key))
		if len(picked) == 2*MaxBounds { // every other one goes, those of twice the stride stay
			for i := range MaxBounds {
				picked[i] = picked[2*i+1]
			}
			picked, stride = picked[:MaxBounds], 2*stride
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(picked) > MaxBounds {
		for i := range len(picked) / 2 {
			picked[i] = picked[2*i+1]
		}
		picked = picked[:len(picked)/2]
	}
	// The last key of all divides nothing: behind it may lie rows that only the other side has,
	// and they are told as the last range.
	return slices.DeleteFunc(picked, func(k connect.Row) bool {
		n, err := compareKeys(k, span.UpTo)
		return span.UpTo != nil && err == nil && n == 0
	}), nil
}

// errEnough ends a scan behind the span.
var errEnough = errors.New("behind the range")

// each hands fn every row of the span in the order of its key. Rows of a hurried span
// may be of two states of the table.
func (t *Table) each(ctx context.Context, span Span, fn func(key, row connect.Row) error) error {
	if err := t.check(); err != nil {
		return err
	}
	at := make([]int, len(t.Key))
	for i, k := range t.Key {
		at[i] = slices.Index(t.Columns, k)
	}
	last := span.After
	one := func(row connect.Row) error {
		key := make(connect.Row, len(at))
		for i, column := range at {
			key[i] = row[column]
		}
		if last != nil {
			if n, err := compareKeys(last, key); err != nil {
				return err
			} else if n >= 0 {
				return fmt.Errorf("%w: rows of %s do not come in the order of their key, or have it twice", connect.ErrNoKey, t.Name)
			}
		}
		last = key
		if span.UpTo != nil {
			if n, err := compareKeys(key, span.UpTo); err != nil {
				return err
			} else if n > 0 {
				return errEnough
			}
		}
		return fn(key, row)
	}
	limit := 0
	if span.Expect > 0 && span.Expect <= hurried {
		limit = int(span.Expect) + Grain // one of them lies behind UpTo
	}
	for {
		rows := 0
		sel := connect.Selection{Table: t.Name, Columns: t.Columns, OrderBy: t.Key, After: last, Limit: limit}
		err := t.Source.Scan(ctx, sel, func(b connect.Batch) error {
			for _, row := range b.Rows {
				rows++
				if err := one(row); err != nil {
					return err
				}
			}
			return nil
		})
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err != nil || limit == 0 || rows < limit:
			return err
		}
		limit = 0 // there are many more than expected
	}
}
