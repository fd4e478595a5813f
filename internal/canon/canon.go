package canon

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Why [Check] refuses, in the order in which it looks.
var (
	ErrTooLarge     = errors.New("message is too large")
	ErrMalformed    = errors.New("message cannot be decoded")
	ErrTooDeep      = errors.New("message is nested too deep")
	ErrTooMany      = errors.New("message has too many elements")
	ErrUnknownField = errors.New("message has a field that this version does not know")
	ErrNotCanonical = errors.New("message is not in its one byte form")
)

// Limits bound a message before and after decoding. A zero field means the value
// of [Default].
type Limits struct {
	Bytes    int // length on the wire
	Depth    int // levels of messages; a message without messages in it has 1
	Elements int // messages, list and map entries in all
}

// Default is what a transaction may have: a block holds at most 2 MiB
// (spec engine 4: keep blocks ≤ 1-2 MB), and 32 levels are far above our schema.
// Elements keeps the memory of a decoded message to some 10 MB. Our own choice.
var Default = Limits{Bytes: 1 << 20, Depth: 32, Elements: 1 << 16}

// hardDepth stops the decoder itself; Check then reports ErrMalformed.
const hardDepth = 100

// Marshal returns the one byte form of m. It fails for text that is not UTF-8.
func Marshal(m proto.Message) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name(m), err)
	}
	return b, nil
}

// Check decodes raw into m within [Default]; see [Limits.Check].
func Check(raw []byte, m proto.Message) error { return Default.Check(raw, m) }

// Check decodes raw into m, which it empties first, and refuses what is over a
// limit, has unknown fields at any level, or is not the one byte form. On an error
// m holds nothing that may be used. m does not keep raw.
func (l Limits) Check(raw []byte, m proto.Message) error {
	l = l.orDefault()
	if len(raw) > l.Bytes {
		return fmt.Errorf("%s: %w: %d bytes, at most %d", name(m), ErrTooLarge, len(raw), l.Bytes)
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: hardDepth}).Unmarshal(raw, m); err != nil {
		return fmt.Errorf("%s: %w: %w", name(m), ErrMalformed, err)
	}
	var s survey
	s.message(m.ProtoReflect(), 1)
	switch {
	case s.depth > l.Depth:
		return fmt.Errorf("%s: %w: %d levels, at most %d", name(m), ErrTooDeep, s.depth, l.Depth)
	case s.elements > l.Elements:
		return fmt.Errorf("%s: %w: %d, at most %d", name(m), ErrTooMany, s.elements, l.Elements)
	case s.unknown:
		return fmt.Errorf("%s: %w", name(m), ErrUnknownField)
	}
	again, err := Marshal(m)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", name(m), ErrMalformed, err)
	}
	if !bytes.Equal(raw, again) {
		return fmt.Errorf("%s: %w: byte %d differs", name(m), ErrNotCanonical, firstDifference(raw, again))
	}
	return nil
}

// Again decodes raw, which [Check] has taken before, into m.
func Again(raw []byte, m proto.Message) error {
	if err := (proto.UnmarshalOptions{RecursionLimit: hardDepth}).Unmarshal(raw, m); err != nil {
		return fmt.Errorf("%s: %w: %w", name(m), ErrMalformed, err)
	}
	return nil
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = Default.Bytes
	}
	if l.Depth == 0 {
		l.Depth = Default.Depth
	}
	if l.Elements == 0 {
		l.Elements = Default.Elements
	}
	return l
}

func name(m proto.Message) protoreflect.Name { return m.ProtoReflect().Descriptor().Name() }

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// survey walks a whole message, its fields in the order of the descriptor. Each of
// its results is a maximum, a sum or an "any": none depends on the order in which
// the entries of a map come.
type survey struct {
	depth, elements int
	unknown         bool
}

func (s *survey) message(m protoreflect.Message, depth int) {
	s.depth = max(s.depth, depth)
	s.elements++
	s.unknown = s.unknown || len(m.GetUnknown()) > 0
	d := m.Descriptor()
	fields, unions := d.Fields(), d.Oneofs()
	for i := range fields.Len() {
		// Numbers and texts have nothing to count; to ask each of the sixty members of a
		// union took longer than to decode the message.
		if fd := fields.Get(i); fd.ContainingOneof() == nil && (fd.Message() != nil || fd.IsList()) && m.Has(fd) {
			s.field(fd, m.Get(fd), depth)
		}
	}
	for i := range unions.Len() {
		if fd := m.WhichOneof(unions.Get(i)); fd != nil {
			s.field(fd, m.Get(fd), depth)
		}
	}
}

func (s *survey) field(fd protoreflect.FieldDescriptor, v protoreflect.Value, depth int) {
	switch {
	case fd.IsMap():
		s.elements += v.Map().Len()
		if fd.MapValue().Message() == nil {
			return
		}
		v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { // any order: see survey
			s.message(v.Message(), depth+1)
			return true
		})
	case fd.IsList() && fd.Message() != nil:
		for i := range v.List().Len() {
			s.message(v.List().Get(i).Message(), depth+1)
		}
	case fd.IsList():
		s.elements += v.List().Len()
	case fd.Message() != nil:
		s.message(v.Message(), depth+1)
	}
}
