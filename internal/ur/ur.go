package ur

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Bounds. A credential with 10 fields has 2,183 bytes, one with a picture of the holder
// stays below 32 KiB; 16 frames a second show MaxParts in half a minute.
const (
	MaxMessage  = 64 << 10 // bytes, with the CBOR head
	MaxParts    = 512      // fragments of a message
	MinFragment = 10       // bytes; that of the MUR guide
	MaxFragment = 1024     // bytes; a QR code of 2 KiB is what no phone reads
)

// Why a part or a message is refused.
var (
	ErrPart  = errors.New("not a part of animated codes")
	ErrOther = errors.New("a part of another message")
	ErrBound = errors.New("too much for animated codes")
)

const scheme = "ur:bytes/"

// Encoder makes parts of one message, without end. One goroutine uses it at a time.
type Encoder struct {
	message   []byte
	fragments [][]byte
	checksum  uint32
	seq       uint32
}

// NewEncoder cuts content into fragments of at most size bytes (MinFragment to
// MaxFragment): ErrBound.
func NewEncoder(content []byte, size int) (*Encoder, error) {
	if len(content) == 0 || len(content) > MaxMessage-8 || size < MinFragment || size > MaxFragment {
		return nil, fmt.Errorf("%w: %d bytes in fragments of %d", ErrBound, len(content), size)
	}
	m := wrap(content)
	n := (len(m) + size - 1) / size
	if n > MaxParts {
		return nil, fmt.Errorf("%w: %d parts, at most %d", ErrBound, n, MaxParts)
	}
	each := (len(m) + n - 1) / n
	n = (len(m) + each - 1) / each // the same n, or less where the last would be padding alone
	e := &Encoder{message: m, checksum: crc32.ChecksumIEEE(m)}
	padded := append(append([]byte(nil), m...), make([]byte, n*each-len(m))...)
	for i := range n {
		e.fragments = append(e.fragments, padded[i*each:(i+1)*each])
	}
	return e, nil
}

// Parts is how many fragments the message has: so many parts are needed at least.
func (e *Encoder) Parts() int { return len(e.fragments) }

// Next returns the text of the next code, in upper case: QR codes hold that in two thirds
// of the room. A message of one fragment is the same code every time.
func (e *Encoder) Next() string {
	if len(e.fragments) == 1 {
		return strings.ToUpper(scheme + spell(e.message))
	}
	e.seq++
	p := part{seq: e.seq, of: uint32(len(e.fragments)), length: uint32(len(e.message)), checksum: e.checksum, data: make([]byte, len(e.fragments[0]))}
	for _, i := range chosen(p.seq, len(e.fragments), e.checksum) {
		xor(p.data, e.fragments[i])
	}
	return strings.ToUpper(fmt.Sprintf("%s%d-%d/%s", scheme, p.seq, p.of, spell(p.bytes())))
}

func xor(into, with []byte) {
	for i := range with {
		into[i] ^= with[i]
	}
}

// Decoder puts a message together. Its zero value is ready; one goroutine uses it at a time.
type Decoder struct {
	first   part   // whose header all others share; of == 0: none yet
	rows    []*row // rows[i] has i as its lowest fragment, or is nil
	rank    int
	content []byte
}

// row is an equation: the XOR of the fragments in set is data.
type row struct {
	set  []uint64
	data []byte
}

// lowest is the first fragment of the set, or -1.
func (r *row) lowest(n int) int {
	for i := range n {
		if r.has(i) {
			return i
		}
	}
	return -1
}

func (r *row) has(i int) bool { return r.set[i/64]>>(i%64)&1 == 1 }

func (r *row) add(other *row) {
	for i := range r.set {
		r.set[i] ^= other.set[i]
	}
	xor(r.data, other.data)
}

// Take takes the text of one code, in any case, and reports whether the message is
// complete. Parts may come twice and in any order. ErrPart if it is none (keep looking:
// cameras misread), ErrOther if it belongs to another message.
func (d *Decoder) Take(text string) (complete bool, err error) {
	if len(text) > 2*(MaxFragment+64) {
		return d.content != nil, fmt.Errorf("%w: %d letters", ErrPart, len(text))
	}
	rest, ok := strings.CutPrefix(strings.ToLower(text), scheme)
	if !ok {
		return d.content != nil, fmt.Errorf("%w: it does not begin with %s", ErrPart, scheme)
	}
	numbers, spelt, multi := strings.Cut(rest, "/")
	if !multi {
		return d.single(rest)
	}
	b, err := unspell(spelt)
	if err != nil {
		return d.content != nil, err
	}
	p, err := readPart(b)
	if err != nil {
		return d.content != nil, err
	}
	if numbers != strconv.FormatUint(uint64(p.seq), 10)+"-"+strconv.FormatUint(uint64(p.of), 10) {
		return d.content != nil, fmt.Errorf("%w: it says %s of itself", ErrPart, numbers)
	}
	return d.multi(p)
}

func (d *Decoder) single(spelt string) (bool, error) {
	m, err := unspell(spelt)
	if err != nil {
		return d.content != nil, err
	}
	content, err := unwrap(m)
	if err != nil {
		return d.content != nil, err
	}
	p := part{of: 1, length: uint32(len(m)), checksum: crc32.ChecksumIEEE(m), data: m}
	if d.first.of != 0 && !d.first.same(p) {
		return d.content != nil, ErrOther
	}
	d.first, d.content = p, content
	return true, nil
}

func (p part) same(q part) bool {
	return p.of == q.of && p.length == q.length && p.checksum == q.checksum && len(p.data) == len(q.data)
}

func (d *Decoder) multi(p part) (bool, error) {
	if d.first.of != 0 && !d.first.same(p) {
		return d.content != nil, ErrOther
	}
	if d.first.of == 0 {
		d.first, d.rows = p, make([]*row, p.of)
	}
	if d.content != nil {
		return true, nil
	}
	n := int(p.of)
	r := &row{set: make([]uint64, (n+63)/64), data: append([]byte(nil), p.data...)}
	for _, i := range chosen(p.seq, n, p.checksum) {
		r.set[i/64] |= 1 << (i % 64)
	}
	for i := r.lowest(n); i >= 0; i = r.lowest(n) {
		if d.rows[i] == nil {
			d.rows[i] = r
			d.rank++
			break
		}
		r.add(d.rows[i])
	}
	if d.rank < n {
		return false, nil
	}
	return d.solve()
}

// solve has an equation for each fragment and substitutes from the last to the first.
func (d *Decoder) solve() (bool, error) {
	n := len(d.rows)
	m := make([]byte, 0, n*len(d.first.data))
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j < n; j++ {
			if d.rows[i].has(j) {
				d.rows[i].add(d.rows[j])
			}
		}
	}
	for _, r := range d.rows {
		m = append(m, r.data...)
	}
	m = m[:d.first.length]
	content, err := unwrap(m)
	if err == nil && crc32.ChecksumIEEE(m) != d.first.checksum {
		err = fmt.Errorf("%w: the checksum of the message does not hold", ErrPart)
	}
	if err != nil {
		*d = Decoder{} // some part lied: nothing of it can be told from the rest
		return false, err
	}
	d.content = content
	return true, nil
}

// Bytes returns the content, or nil as long as it is not complete.
func (d *Decoder) Bytes() []byte { return d.content }

// Progress returns how many of how many fragments are known, 0 of 0 before the first part.
func (d *Decoder) Progress() (known, of int) {
	if d.content != nil {
		return int(d.first.of), int(d.first.of)
	}
	return d.rank, int(d.first.of)
}
