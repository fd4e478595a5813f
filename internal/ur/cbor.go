package ur

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Major types of CBOR (RFC 8949, section 3.1) that a UR of bytes is made of.
const (
	cborUint  = 0
	cborBytes = 2
	cborArray = 4
)

func appendHead(b []byte, major byte, n uint32) []byte {
	switch major <<= 5; {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, major|26), n)
}

// head reads one head of the type wanted, in its shortest form.
func head(b []byte, major byte) (n uint32, rest []byte, err error) {
	if len(b) == 0 || b[0]>>5 != major {
		return 0, nil, fmt.Errorf("%w: CBOR type %d expected", ErrPart, major)
	}
	size, least := 0, uint32(0)
	switch low := b[0] & 31; low {
	case 24:
		size, least = 1, 24
	case 25:
		size, least = 2, math.MaxUint8+1
	case 26:
		size, least = 4, math.MaxUint16+1
	default:
		if low > 23 {
			return 0, nil, fmt.Errorf("%w: CBOR length over 32 bits or indefinite", ErrPart)
		}
		return uint32(low), b[1:], nil
	}
	if len(b) < 1+size {
		return 0, nil, fmt.Errorf("%w: CBOR ends in a number", ErrPart)
	}
	for _, c := range b[1 : 1+size] {
		n = n<<8 | uint32(c)
	}
	if n < least {
		return 0, nil, fmt.Errorf("%w: a CBOR number in a longer form than needed", ErrPart)
	}
	return n, b[1+size:], nil
}

// wrap is the message of content: its CBOR byte string.
func wrap(content []byte) []byte {
	return append(appendHead(nil, cborBytes, uint32(len(content))), content...)
}

// unwrap is the content of a message.
func unwrap(message []byte) ([]byte, error) {
	n, rest, err := head(message, cborBytes)
	if err != nil {
		return nil, err
	}
	if uint64(n) != uint64(len(rest)) {
		return nil, fmt.Errorf("%w: a byte string of %d bytes in %d", ErrPart, n, len(rest))
	}
	return rest, nil
}

// part is one fountain part: the XOR of some fragments of a message.
type part struct {
	seq      uint32 // from 1
	of       uint32 // fragments
	length   uint32 // of the message
	checksum uint32 // CRC-32 of the message
	data     []byte // as long as a fragment
}

func (p part) bytes() []byte {
	b := appendHead(nil, cborArray, 5)
	for _, n := range []uint32{p.seq, p.of, p.length, p.checksum} {
		b = appendHead(b, cborUint, n)
	}
	return append(appendHead(b, cborBytes, uint32(len(p.data))), p.data...)
}

func readPart(b []byte) (p part, err error) {
	n, b, err := head(b, cborArray)
	if err != nil {
		return p, err
	}
	if n != 5 {
		return p, fmt.Errorf("%w: a part has 5 elements, not %d", ErrPart, n)
	}
	for _, field := range []*uint32{&p.seq, &p.of, &p.length, &p.checksum} {
		if *field, b, err = head(b, cborUint); err != nil {
			return p, err
		}
	}
	if p.data, err = unwrap(b); err != nil {
		return p, err
	}
	// Every fragment but the padded last is full: of is what length and fragment say.
	size := uint32(len(p.data))
	switch {
	case p.seq == 0 || p.of == 0 || p.of > MaxParts || p.length == 0 || p.length > MaxMessage || size == 0:
		return p, fmt.Errorf("%w: part %d of %d, message of %d bytes", ErrPart, p.seq, p.of, p.length)
	case (p.length+size-1)/size != p.of:
		return p, fmt.Errorf("%w: %d fragments of %d bytes are no message of %d", ErrPart, p.of, size, p.length)
	}
	return p, nil
}
