package prooffile

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The verifier reads messages of the ledger by number, without the schema's code:
// what a verifier in another language has to write anew is this page and the
// tables in messages.go. The rules are those of the one byte form that
// internal/canon writes.

// A field says what the verifier knows of one field of a message.
type field struct {
	number protowire.Number
	kind   byte // 't' text, 'b' bytes or message, 'n' number up to 2^53-1; upper case: repeated
}

// values are a message's known fields by number.
type values struct {
	numbers map[protowire.Number]uint64
	bytes   map[protowire.Number][][]byte
}

func (v values) number(n protowire.Number) uint64 { return v.numbers[n] }

func (v values) raw(n protowire.Number) []byte {
	if b := v.bytes[n]; len(b) > 0 {
		return b[0]
	}
	return nil
}

func (v values) text(n protowire.Number) string { return string(v.raw(n)) }

// scan reads one level of a message. Fields ascend, none is there twice unless it
// is repeated, none has the value that it has when it is absent, no number is
// longer than needed. A field that the table does not name is refused if it is
// strict, else passed over.
func scan(raw []byte, strict bool, known ...field) (values, error) {
	v := values{numbers: map[protowire.Number]uint64{}, bytes: map[protowire.Number][][]byte{}}
	last, count := protowire.Number(0), 0
	for len(raw) > 0 {
		num, typ, n, err := tag(raw)
		if err != nil {
			return v, err
		}
		raw = raw[n:]
		f := lookup(known, num)
		if count++; num < last || num == last && !f.repeated() || count > maxFields {
			return v, fmt.Errorf("field %d stands out of order", num)
		}
		last = num
		if n, err = v.take(f, num, typ, raw, strict); err != nil {
			return v, fmt.Errorf("field %d: %w", num, err)
		}
		raw = raw[n:]
	}
	return v, nil
}

// repeated says that the field may stand more than once; of an unknown one nothing
// is known.
func (f field) repeated() bool { return f.kind < 'a' }

func lookup(known []field, num protowire.Number) field {
	for _, f := range known {
		if f.number == num {
			return f
		}
	}
	return field{number: num}
}

// varint reads a number in its shortest form.
func varint(raw []byte) (uint64, int, error) {
	x, n := protowire.ConsumeVarint(raw)
	if n < 0 || n != protowire.SizeVarint(x) {
		return 0, 0, fmt.Errorf("it is no number in its shortest form")
	}
	return x, n, nil
}

func tag(raw []byte) (protowire.Number, protowire.Type, int, error) {
	x, n, err := varint(raw)
	if err != nil || x>>3 == 0 || x>>3 > uint64(protowire.MaxValidNumber) {
		return 0, 0, 0, fmt.Errorf("it is no field of a message")
	}
	return protowire.Number(x >> 3), protowire.Type(x & 7), n, nil
}

// take reads the value of one field and returns its length.
func (v values) take(f field, num protowire.Number, typ protowire.Type, raw []byte, strict bool) (int, error) {
	if f.kind == 0 && strict {
		return 0, fmt.Errorf("this verifier does not know it")
	}
	var x uint64
	var b []byte
	var n int
	var err error
	switch typ {
	case protowire.VarintType:
		x, n, err = varint(raw)
	case protowire.BytesType:
		if x, n, err = varint(raw); err == nil && x > uint64(len(raw)-n) {
			err = fmt.Errorf("it is cut")
		}
		if err == nil {
			b = raw[n : n+int(x)]
			n += int(x)
		}
	default:
		err = fmt.Errorf("wire type %d", typ)
	}
	if err != nil || f.kind == 0 {
		return n, err
	}
	switch {
	case f.kind == 'n' && typ == protowire.VarintType && x > 0 && x <= maxNumber:
		v.numbers[num] = x
	case f.kind == 'n':
		return 0, fmt.Errorf("it is no number from 1 to 2^53-1")
	case typ != protowire.BytesType, len(b) == 0 && !f.repeated() && f.kind != 'm':
		return 0, fmt.Errorf("it is empty, or no bytes")
	case (f.kind == 't' || f.kind == 'T') && !utf8.Valid(b):
		return 0, fmt.Errorf("it is no text in UTF-8")
	default:
		v.bytes[num] = append(v.bytes[num], b)
	}
	return n, nil
}
