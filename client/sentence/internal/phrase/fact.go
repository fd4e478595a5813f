package phrase

import (
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/internal/sm"
)

// Fact is one field of a record in words. Key is the same for the same field of another
// record of the kind, so that two can be compared; Items are the parts of a list.
type Fact struct {
	Key   string
	Field Phrase
	Value Phrase
	Items []string
}

// Facts are the fields of a record in the order of the schema, those that are empty
// included: 0 is a setting, too. Fields that only the ledger sets are left out.
func Facts(m proto.Message) (out []Fact) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if ours[f.FullName()] || f.ContainingOneof() != nil && !r.Has(f) {
			continue
		}
		field := fieldWord(f)
		switch {
		case f.IsMap():
			continue // no record of the ledger has one
		case f.IsList() && f.Message() != nil:
			list := r.Get(f).List()
			for j := range list.Len() {
				out = append(out, element(f, field, list.Get(j).Message())...)
			}
		case f.IsList():
			out = append(out, scalars(f, field, r.Get(f).List()))
		case f.Message() != nil:
			if r.Has(f) {
				for _, x := range Facts(r.Get(f).Message().Interface()) {
					x.Key = string(f.Name()) + "." + x.Key
					out = append(out, x)
				}
			}
		default:
			out = append(out, Fact{Key: string(f.Name()), Field: field, Value: valueWord(f, r.Get(f))})
		}
	}
	return out
}

// element is a part of a list: one that has a name of its own (a clock, a kind) is one
// fact under that name.
func element(f protoreflect.FieldDescriptor, field Phrase, m protoreflect.Message) (out []Fact) {
	parts := m.Descriptor().Fields()
	key := parts.Get(0)
	name := valueWord(key, m.Get(key))
	var zh, en []string
	for i := 1; i < parts.Len(); i++ {
		p := parts.Get(i)
		w, v := fieldWord(p), valueWord(p, m.Get(p))
		zh, en = append(zh, w.Chinese+" "+v.Chinese), append(en, w.English+" "+v.English)
	}
	return []Fact{{
		Key:   string(f.Name()) + "." + m.Get(key).String(),
		Field: Phrase{field.Chinese + "·" + name.Chinese, field.English + " " + name.English},
		Value: Phrase{strings.Join(zh, "，"), strings.Join(en, ", ")},
	}}
}

func scalars(f protoreflect.FieldDescriptor, field Phrase, list protoreflect.List) Fact {
	var items []string
	for j := range list.Len() {
		items = append(items, valueWord(f, list.Get(j)).English)
	}
	text := strings.Join(items, " ")
	if text == "" {
		return Fact{Key: string(f.Name()), Field: field, Value: none}
	}
	return Fact{Key: string(f.Name()), Field: field, Value: Phrase{text, text}, Items: items}
}

// none stands for what is not there.
var none = Phrase{"（无）", "(none)"}

// valueWord is a value as people read it, in the unit of its field.
func valueWord(f protoreflect.FieldDescriptor, v protoreflect.Value) Phrase {
	name := string(f.Name())
	plain := func(s string) Phrase { return Phrase{s, s} }
	switch f.Kind() {
	case protoreflect.BoolKind:
		if v.Bool() {
			return Phrase{"是", "yes"}
		}
		return Phrase{"否", "no"}
	case protoreflect.EnumKind:
		return enumByNumber(f.Enum(), v.Enum())
	case protoreflect.BytesKind:
		switch b := v.Bytes(); {
		case len(b) == 0:
			return none
		case name == "sm2_key" || name == "new_sm2_key":
			return plain(sm2(b))
		default:
			return plain(hex.EncodeToString(b))
		}
	case protoreflect.StringKind:
		if v.String() == "" {
			return none
		}
		if w, ok := kinds[v.String()]; ok && name == "kind" {
			return w
		}
		return plain(v.String())
	}
	text := v.String()
	switch {
	case strings.HasSuffix(name, "_percent"), name == "percent":
		text += " %"
	case strings.HasSuffix(name, "_ms"):
		if v.Int() == 0 {
			return none
		}
		return plain(day(v.Int()))
	case strings.HasSuffix(name, "_days"), name == "days":
		return Phrase{text + " 天", text + " days"}
	case strings.HasSuffix(name, "_seconds"):
		text += " s"
	case strings.HasSuffix(name, "_bytes"):
		text += " B"
	}
	return plain(text)
}

// sm2 is the id of an SM2 key, as people compare it.
func sm2(b []byte) string {
	k, err := sm.ParsePublic(sm.SM2, b)
	if err != nil {
		return "? " + hex.EncodeToString(b)
	}
	return k.ID()
}

func enumWord(e protoreflect.Enum) Phrase { return enumByNumber(e.Descriptor(), e.Number()) }

func enumByNumber(d protoreflect.EnumDescriptor, n protoreflect.EnumNumber) Phrase {
	v := d.Values().ByNumber(n)
	if v == nil {
		return Phrase{fmt.Sprint(n), fmt.Sprint(n)}
	}
	prefix := strings.TrimSuffix(string(d.Values().ByNumber(0).Name()), "UNSPECIFIED")
	en := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix)), "_", " ")
	if zh := enums[v.Name()]; zh != "" {
		return Phrase{zh, en}
	}
	return Phrase{en, en}
}

// fieldWord is the name of a field as people know it; the schema's own if it has none.
func fieldWord(f protoreflect.FieldDescriptor) Phrase {
	if p, ok := fields[strings.TrimPrefix(string(f.FullName()), "mulian.governance.v1.")]; ok {
		return p
	}
	name := strings.ReplaceAll(string(f.Name()), "_", " ")
	return Phrase{name, name}
}

// OfDay is a moment in Beijing time.
func OfDay(ms int64) Phrase { return Phrase{day(ms), day(ms)} }

// OfNothing is the value of a fact that is not there.
func OfNothing() Phrase { return none }
