package passkey

import (
	"encoding/binary"
	"fmt"

	"mulian/internal/sm"
)

// Major types of CBOR, RFC 8949 section 3.1.
const (
	majorUint  = 0
	majorInt   = 1 // negative
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorTag   = 6
	majorOther = 7
)

// decoder reads the CBOR that authenticators write (CTAP2 canonical form: lengths are
// stated and shortest). Each method takes one item from rest.
type decoder struct{ rest []byte }

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: CBOR: "+format, append([]any{ErrRegistration}, args...)...)
}

// head takes the head of an item: its major type and argument.
func (d *decoder) head() (major byte, arg uint64, err error) {
	if len(d.rest) == 0 {
		return 0, 0, bad("it ends early")
	}
	first := d.rest[0]
	major, info := first>>5, first&31
	d.rest = d.rest[1:]
	if info < 24 {
		return major, uint64(info), nil
	}
	if info > 27 {
		return 0, 0, bad("an open length, or a reserved one")
	}
	n := 1 << (info - 24)
	if len(d.rest) < n {
		return 0, 0, bad("it ends early")
	}
	var wide [8]byte
	copy(wide[8-n:], d.rest[:n])
	d.rest = d.rest[n:]
	arg = binary.BigEndian.Uint64(wide[:])
	if least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[info-24]; arg < least && major != majorOther {
		return 0, 0, bad("a length or number is not in its shortest form")
	}
	return major, arg, nil
}

// header takes the head of an array or map and returns its number of elements or pairs.
func (d *decoder) header(want byte) (int, error) {
	major, n, err := d.head()
	if err != nil {
		return 0, err
	}
	if major != want || n > maxElements {
		return 0, bad("type %d with %d elements where type %d has to stand", major, n, want)
	}
	return int(n), nil
}

func (d *decoder) bytes() ([]byte, error) { return d.string(majorBytes) }

func (d *decoder) text() (string, error) {
	b, err := d.string(majorText)
	return string(b), err
}

func (d *decoder) string(want byte) ([]byte, error) {
	major, n, err := d.head()
	if err != nil {
		return nil, err
	}
	if major != want || n > uint64(len(d.rest)) {
		return nil, bad("type %d of %d bytes where type %d has to stand", major, n, want)
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out, nil
}

// integer takes a whole number that is small.
func (d *decoder) integer() (int64, error) {
	major, n, err := d.head()
	switch {
	case err != nil:
		return 0, err
	case n > 1<<31:
		return 0, bad("the number is too large")
	case major == majorUint:
		return int64(n), nil
	case major == majorInt:
		return -1 - int64(n), nil
	}
	return 0, bad("type %d where a number has to stand", major)
}

// skip takes one item of any kind.
func (d *decoder) skip(depth int) error {
	if depth > maxDepth {
		return bad("more than %d levels", maxDepth)
	}
	major, n, err := d.head()
	if err != nil {
		return err
	}
	switch major {
	case majorBytes, majorText:
		if n > uint64(len(d.rest)) {
			return bad("it ends early")
		}
		d.rest = d.rest[n:]
		return nil
	case majorTag:
		return d.skip(depth + 1)
	case majorArray, majorMap:
		if n > maxElements {
			return bad("%d elements, at most %d", n, maxElements)
		}
		if major == majorMap {
			n *= 2
		}
		for range n {
			if err := d.skip(depth + 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// Labels and values of a COSE key, RFC 9053 sections 2.1 and 7.1.
const (
	coseType, coseAlgorithm, coseCurve, coseX, coseY = 1, 3, -1, -2, -3
	coseEC2, coseES256, coseP256                     = 2, -7, 1
)

// key takes a COSE key of ES256: these five members, each once, in any order.
func (d *decoder) key() (sm.PublicKey, error) {
	n, err := d.header(majorMap)
	if err != nil {
		return sm.PublicKey{}, err
	}
	if n != 5 {
		return sm.PublicKey{}, fmt.Errorf("%w: a key of %d members, ES256 has 5", ErrRegistration, n)
	}
	fixed := map[int64]int64{coseType: coseEC2, coseAlgorithm: coseES256, coseCurve: coseP256}
	coordinates := map[int64][]byte{}
	for range n {
		label, err := d.integer()
		if err != nil {
			return sm.PublicKey{}, err
		}
		if want, ok := fixed[label]; ok {
			got, err := d.integer()
			if err != nil {
				return sm.PublicKey{}, err
			}
			if got != want {
				return sm.PublicKey{}, fmt.Errorf("%w: member %d is %d, ES256 has %d", ErrRegistration, label, got, want)
			}
			delete(fixed, label)
			continue
		}
		b, err := d.bytes()
		if err != nil {
			return sm.PublicKey{}, err
		}
		if label != coseX && label != coseY || len(b) != 32 || coordinates[label] != nil {
			return sm.PublicKey{}, fmt.Errorf("%w: member %d of %d bytes", ErrRegistration, label, len(b))
		}
		coordinates[label] = b
	}
	point := append(append([]byte{4}, coordinates[coseX]...), coordinates[coseY]...)
	k, err := sm.ParsePublic(sm.P256, point)
	if err != nil || len(fixed) != 0 {
		return sm.PublicKey{}, fmt.Errorf("%w: the point is not on the curve, or a member is missing", ErrRegistration)
	}
	return k, nil
}
