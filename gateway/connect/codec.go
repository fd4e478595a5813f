package connect

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
)

// A page is:
//
//	version  1 byte, pageVersion
//	columns  uvarint, 1 to MaxColumns
//	rows     uvarint, 0 to MaxPageRows
//	values   rows x columns, row by row: kind (1 byte; 0 is NULL and ends the
//	         value), length (uvarint), that many bytes of canonical text
//
// Every page has exactly one encoding: uvarints are minimal, texts canonical,
// no byte follows. A new encoding gets a new version byte; this one stays
// readable forever, since receipts hold digests of its rows.
const pageVersion = 1

// EncodeRows packs rows of equally many columns into one page. Every value is
// checked. *ValueError (Row counted from 1, Column "#n") or ErrTooLarge.
func EncodeRows(columns int, rows []Row) ([]byte, error) {
	if columns < 1 || columns > MaxColumns || len(rows) > MaxPageRows {
		return nil, fmt.Errorf("%w: page of %d columns and %d rows", ErrTooLarge, columns, len(rows))
	}
	out := []byte{pageVersion}
	out = binary.AppendUvarint(out, uint64(columns))
	out = binary.AppendUvarint(out, uint64(len(rows)))
	for i, row := range rows {
		if len(row) != columns {
			return nil, fmt.Errorf("%w: row %d has %d values, not %d", ErrInvalid, i+1, len(row), columns)
		}
		start := len(out)
		for j, v := range row {
			if err := v.Check(); err != nil {
				return nil, &ValueError{Column: fmt.Sprintf("#%d", j+1), Row: int64(i + 1), Reason: err.Error()}
			}
			out = appendValue(out, v)
		}
		if len(out)-start > MaxRowBytes || len(out) > MaxPageBytes {
			return nil, fmt.Errorf("%w: row %d or the page up to it", ErrTooLarge, i+1)
		}
	}
	return out, nil
}

func appendValue(out []byte, v Value) []byte {
	out = append(out, byte(v.Kind))
	if v.IsNull() {
		return out
	}
	out = binary.AppendUvarint(out, uint64(len(v.Text)))
	return append(out, v.Text...)
}

// RowBytes is the length of a row in a page.
func RowBytes(row Row) int {
	n := 0
	for _, v := range row {
		n += 1
		if !v.IsNull() {
			n += len(v.Text) + 1
			for l := len(v.Text) >> 7; l > 0; l >>= 7 {
				n++
			}
		}
	}
	return n
}

// DecodeRows reads a page that came from outside. What it returns encodes to
// the same bytes again. Anything else is ErrInvalid, ErrTooLarge or *ValueError.
func DecodeRows(page []byte) (columns int, rows []Row, err error) {
	if len(page) > MaxPageBytes {
		return 0, nil, fmt.Errorf("%w: page of %d bytes", ErrTooLarge, len(page))
	}
	if len(page) == 0 || page[0] != pageVersion {
		return 0, nil, fmt.Errorf("%w: page has no version that we know", ErrInvalid)
	}
	r := pageReader{rest: page[1:]}
	nc, nr := r.uvarint(), r.uvarint()
	if r.bad || nc < 1 || nc > MaxColumns || nr > MaxPageRows {
		return 0, nil, fmt.Errorf("%w: page header", ErrInvalid)
	}
	// Each value takes a byte at least: a small page cannot make us allocate a big slice.
	if nc*nr > uint64(len(r.rest)) {
		return 0, nil, fmt.Errorf("%w: page is shorter than its rows", ErrInvalid)
	}
	values := make([]Value, nc*nr)
	rows = make([]Row, nr)
	for i := range rows {
		rows[i] = values[uint64(i)*nc : uint64(i+1)*nc : uint64(i+1)*nc]
		before := len(r.rest)
		for j := range rows[i] {
			v := r.value()
			if r.bad {
				return 0, nil, fmt.Errorf("%w: page ends or breaks in row %d", ErrInvalid, i+1)
			}
			if err := v.Check(); err != nil {
				return 0, nil, &ValueError{Column: fmt.Sprintf("#%d", j+1), Row: int64(i + 1), Reason: err.Error()}
			}
			rows[i][j] = v
		}
		if before-len(r.rest) > MaxRowBytes {
			return 0, nil, fmt.Errorf("%w: row %d", ErrTooLarge, i+1)
		}
	}
	if len(r.rest) > 0 {
		return 0, nil, fmt.Errorf("%w: bytes after the last row", ErrInvalid)
	}
	return int(nc), rows, nil
}

// pageReader reads from a page; after bad is set it returns zeros.
type pageReader struct {
	rest []byte
	bad  bool
}

func (r *pageReader) uvarint() uint64 {
	x, n := binary.Uvarint(r.rest)
	// A last byte of zero would be a second encoding of the same number.
	if n <= 0 || n > 1 && r.rest[n-1] == 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return x
}

func (r *pageReader) value() Value {
	if len(r.rest) == 0 {
		r.bad = true
		return Value{}
	}
	kind := Kind(r.rest[0])
	r.rest = r.rest[1:]
	if kind == 0 {
		return Value{}
	}
	n := r.uvarint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return Value{}
	}
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return Value{kind, text}
}

// A Digest runs over rows in their order; page and batch borders do not count. Both sides
// of a delivery keep one and compare. It is SHA-256 over "mulian-rows-v1\x00" and, for
// each row, its number of columns (uvarint) and its values as in a page.
// Begin with NewDigest. It belongs to one goroutine.
type Digest struct {
	h    hash.Hash
	rows int64
	buf  []byte
}

// NewDigest is the digest of no rows.
func NewDigest() *Digest {
	d := &Digest{h: sha256.New()}
	d.h.Write([]byte("mulian-rows-v1\x00"))
	return d
}

// Add runs over more rows.
func (d *Digest) Add(rows ...Row) {
	for _, row := range rows {
		d.buf = binary.AppendUvarint(d.buf[:0], uint64(len(row)))
		for _, v := range row {
			d.buf = appendValue(d.buf, v)
		}
		d.h.Write(d.buf)
		d.rows++
	}
}

// Rows is how many rows were added.
func (d *Digest) Rows() int64 { return d.rows }

// Sum is the digest so far; more rows can be added after.
func (d *Digest) Sum() [sha256.Size]byte {
	return [sha256.Size]byte(d.h.Sum(nil))
}
