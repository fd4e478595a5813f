package connect

import (
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
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
	if len(rows) > MaxPageRows {
		return nil, fmt.Errorf("%w: page of %d rows", ErrTooLarge, len(rows))
	}
	p, err := NewPacker(columns)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		for j, v := range row {
			if err := v.Check(); err != nil {
				return nil, &ValueError{Column: fmt.Sprintf("#%d", j+1), Row: int64(i + 1), Reason: err.Error()}
			}
		}
		if err := p.Add(row); err != nil {
			return nil, fmt.Errorf("row %d: %w", i+1, err)
		}
	}
	return p.Take(), nil
}

// A Packer makes pages of rows whose values are canonical, as those of a [Source] are:
// it does not check them again. It belongs to one goroutine.
type Packer struct {
	columns int
	rows    int
	last    int    // where the latest row begins in buf
	buf     []byte // room for the header, then rows
}

// packerHead is room for the longest header: version, columns (2), rows (3).
const packerHead = 6

// NewPacker begins a page of rows of so many columns. ErrTooLarge: too many, or none.
func NewPacker(columns int) (*Packer, error) {
	if columns < 1 || columns > MaxColumns {
		return nil, fmt.Errorf("%w: page of %d columns", ErrTooLarge, columns)
	}
	return &Packer{columns: columns, buf: make([]byte, packerHead)}, nil
}

// Add packs a row. After an error the page is as before: ErrTooLarge, ErrInvalid.
func (p *Packer) Add(row Row) error {
	if len(row) != p.columns {
		return fmt.Errorf("%w: a row has %d values, not %d", ErrInvalid, len(row), p.columns)
	}
	start := len(p.buf)
	for _, v := range row {
		p.buf = appendValue(p.buf, v)
	}
	if n := len(p.buf) - start; n > MaxRowBytes || len(p.buf) > MaxPageBytes || p.rows == MaxPageRows {
		p.buf = p.buf[:start]
		return fmt.Errorf("%w: a row of %d bytes, or the page up to it", ErrTooLarge, n)
	}
	p.last = start
	p.rows++
	return nil
}

// Rows is how many rows the page has so far.
func (p *Packer) Rows() int { return p.rows }

// Bytes is the length of the rows so far.
func (p *Packer) Bytes() int { return len(p.buf) - packerHead }

// Take returns the page; the next Add begins another.
func (p *Packer) Take() []byte {
	var head [packerHead]byte
	h := append(head[:0], pageVersion)
	h = binary.AppendUvarint(h, uint64(p.columns))
	h = binary.AppendUvarint(h, uint64(p.rows))
	page := p.buf[packerHead-len(h):]
	copy(page, h)
	p.buf, p.rows, p.last = make([]byte, packerHead, max(len(p.buf)+len(p.buf)/16, 64)), 0, 0
	return page
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

// A Page is rows that came in their encoding, each value checked: it encodes to the
// same bytes again. It does not change and may be used by many goroutines.
type Page struct {
	text          string // the whole encoding
	body          int    // where the rows begin in it
	columns, rows int
}

// DecodePage reads a page that came from outside. Anything that is not the one
// encoding of its rows is ErrInvalid, ErrTooLarge or *ValueError.
func DecodePage(page []byte) (*Page, error) {
	if len(page) > MaxPageBytes {
		return nil, fmt.Errorf("%w: page of %d bytes", ErrTooLarge, len(page))
	}
	if len(page) == 0 || page[0] != pageVersion {
		return nil, fmt.Errorf("%w: page has no version that we know", ErrInvalid)
	}
	p := &Page{text: string(page)}
	r := pageReader{rest: p.text[1:]}
	nc, nr := r.uvarint(), r.uvarint()
	if r.bad || nc < 1 || nc > MaxColumns || nr > MaxPageRows {
		return nil, fmt.Errorf("%w: page header", ErrInvalid)
	}
	// Each value takes a byte at least: a small page cannot make us allocate a big slice.
	if nc*nr > uint64(len(r.rest)) {
		return nil, fmt.Errorf("%w: page is shorter than its rows", ErrInvalid)
	}
	p.columns, p.rows, p.body = int(nc), int(nr), len(p.text)-len(r.rest)
	for i := range p.rows {
		before := len(r.rest)
		for j := range p.columns {
			v := r.value()
			if r.bad {
				return nil, fmt.Errorf("%w: page ends or breaks in row %d", ErrInvalid, i+1)
			}
			if err := v.Check(); err != nil {
				return nil, &ValueError{Column: fmt.Sprintf("#%d", j+1), Row: int64(i + 1), Reason: err.Error()}
			}
		}
		if before-len(r.rest) > MaxRowBytes {
			return nil, fmt.Errorf("%w: row %d", ErrTooLarge, i+1)
		}
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("%w: bytes after the last row", ErrInvalid)
	}
	return p, nil
}

// NewPage makes a page of rows of equally many columns, each value checked; errors as
// of [EncodeRows].
func NewPage(columns int, rows []Row) (*Page, error) {
	raw, err := EncodeRows(columns, rows)
	if err != nil {
		return nil, err
	}
	return DecodePage(raw)
}

// Columns is how many values each row has.
func (p *Page) Columns() int { return p.columns }

// Rows is how many rows there are.
func (p *Page) Rows() int { return p.rows }

// Each calls fn for each row and its encoding until it returns an error, and returns
// that. The row is overwritten after fn; its values' texts stay.
func (p *Page) Each(fn func(row Row, encoded string) error) error {
	row := make(Row, p.columns)
	r := pageReader{rest: p.text[p.body:]}
	for range p.rows {
		at := r.rest
		for j := range row {
			row[j] = r.value()
		}
		if err := fn(row, at[:len(at)-len(r.rest)]); err != nil {
			return err
		}
	}
	return nil
}

// DecodeRows reads a page that came from outside. What it returns encodes to
// the same bytes again. Anything else is ErrInvalid, ErrTooLarge or *ValueError.
func DecodeRows(page []byte) (columns int, rows []Row, err error) {
	p, err := DecodePage(page)
	if err != nil {
		return 0, nil, err
	}
	values := make([]Value, 0, p.columns*p.rows)
	rows = make([]Row, 0, p.rows)
	err = p.Each(func(row Row, _ string) error {
		values = append(values, row...)
		rows = append(rows, values[len(values)-len(row):len(values):len(values)])
		return nil
	})
	return p.columns, rows, err
}

// pageReader reads from a page; after bad is set it returns zeros.
type pageReader struct {
	rest string
	bad  bool
}

func (r *pageReader) uvarint() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		x := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return x
	}
	x, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	// A last byte of zero would be a second encoding of the same number.
	if n <= 0 || r.rest[n-1] == 0 {
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
	v := Value{kind, r.rest[:n]}
	r.rest = r.rest[n:]
	return v
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

// AddEncoded runs over one more row, as it stands in a page.
func (d *Digest) AddEncoded(columns int, row string) {
	d.buf = binary.AppendUvarint(d.buf[:0], uint64(columns))
	d.buf = append(d.buf, row...)
	d.h.Write(d.buf)
	d.rows++
}

// AddLast runs over the row that a packer has just packed.
func (d *Digest) AddLast(p *Packer) {
	d.buf = binary.AppendUvarint(d.buf[:0], uint64(p.columns))
	d.h.Write(d.buf)
	d.h.Write(p.buf[p.last:])
	d.rows++
}

// AddPage runs over all rows of a page.
func (d *Digest) AddPage(p *Page) {
	_ = p.Each(func(_ Row, encoded string) error { // no error of fn, no error
		d.AddEncoded(p.columns, encoded)
		return nil
	})
}

// State is the digest as far as it has come, for a process that goes on with it.
func (d *Digest) State() ([]byte, error) {
	state, err := d.h.(encoding.BinaryMarshaler).MarshalBinary()
	return append(binary.AppendUvarint(nil, uint64(d.rows)), state...), err
}

// DigestOf goes on from a State.
func DigestOf(state []byte) (*Digest, error) {
	rows, n := binary.Uvarint(state)
	if n <= 0 || rows > math.MaxInt64 {
		return nil, fmt.Errorf("%w: the state of a digest", ErrInvalid)
	}
	d := &Digest{h: sha256.New(), rows: int64(rows)}
	if err := d.h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state[n:]); err != nil {
		return nil, fmt.Errorf("%w: the state of a digest: %w", ErrInvalid, err)
	}
	return d, nil
}

// Rows is how many rows were added.
func (d *Digest) Rows() int64 { return d.rows }

// Sum is the digest so far; more rows can be added after.
func (d *Digest) Sum() [sha256.Size]byte {
	return [sha256.Size]byte(d.h.Sum(nil))
}
