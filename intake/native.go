package intake

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// Our own form, mulian-catalogue-v1 (intake/export): each object is a message of the
// schema in JSON. It is read field by field, not by headers, so that nothing is
// guessed and nothing is lost.

// The keys that stand beside a message: the names of organisations that it has by code,
// so that a ledger that knows none of them can register them.
const (
	ProviderName  = "provider_name" // of an entry
	OrgNameBeside = "org_name"      // of a duty
)

// nativeLists are the lists of a file of our own form that can be asked for by kind.
var nativeLists = map[Kind]string{DutyList: "duties"}

// isNative reports whether an object is an entry or a duty of our own form: its id
// begins with the code of its organisation, under the schema's names.
func isNative(kind Kind, fields []sheet.Field) bool {
	owner := "provider"
	switch kind {
	case DutyList:
		owner = "org"
	case EntryList:
	default:
		return false
	}
	id, org := "", ""
	for _, f := range fields {
		switch {
		case f.Column > 0:
			return false
		case f.Name == "id":
			id = f.Text
		case f.Name == owner:
			org = f.Text
		}
	}
	return org != "" && strings.HasPrefix(id, org+":") && len(id) > len(org)+1
}

// takeNative sorts an object of our own form: what the report asks for, and the rest
// as it stands.
func (s *sorter) takeNative(r *record, fields []sheet.Field) {
	r.native = fields
	names := map[string]Field{"id": Code, "name": Name, "provider": OwnerCode, "share_type": ShareType, "duties": Duties, "state": LedgerState, ProviderName: Owner}
	if s.kind == DutyList {
		names = map[string]Field{"id": DutyCode, "title": DutyName, "org": OwnerCode, OrgNameBeside: Owner}
	}
	for _, f := range fields {
		if field := names[f.Name]; field != "" {
			r.seen[field] = f.Name
			r.fields[field] = cell{name: f.Name, text: f.Text}
		}
	}
}

// native makes the draft of an object of our own form. The ledger checks the content
// again; what no ledger can have had is told here.
func (b *builder) native(d *Draft, r *record) {
	var m proto.Message
	if b.kind == DutyList {
		d.Duty = &cataloguev1.Duty{}
		m = d.Duty
		b.name(r, DutyName, maxTitle)
	} else {
		d.Entry = &cataloguev1.Entry{}
		m = d.Entry
		b.name(r, Name, maxName)
	}
	own := slices.DeleteFunc(slices.Clone(r.native), func(f sheet.Field) bool { return f.Name == ProviderName || f.Name == OrgNameBeside })
	for _, wrong := range fill(m.ProtoReflect(), own, "") {
		b.tell(doubtful, r, Field(wrong), fault.Malformed, b.lang.Say("“%s”不是本系统的字段或取值，未导入", "%q is no field or value of ours; it is not imported", wrong), "")
	}
	if d.Code = r.text(OwnerCode); r.text(Owner) != d.Code { // an export that knows no name writes the code
		d.Owner = r.text(Owner)
	}
	if b.kind == DutyList {
		d.Local = strings.TrimPrefix(d.Duty.Id, d.Code+":")
		d.Duty.Id, d.Duty.Org, d.Duty.Version = "", "", 0
		return
	}
	e := d.Entry
	d.state = stateOf(r.text(LedgerState))
	d.ours, d.native, d.linked, d.partial = true, !r.linked, r.linked, r.linked
	b.blank = blanks(m.ProtoReflect(), r.native, b.blank)
	if r.linked && e.Abstract == e.Name {
		e.Abstract = "" // DCAT wants a description: our export puts the name there; it says nothing, and clears nothing
	}
	d.Local, d.DutyRefs = strings.TrimPrefix(e.Id, d.Code+":"), e.Duties
	e.Id, e.Provider, e.Duties = "", "", nil
	e.State, e.Version, e.CreatedMs, e.UpdatedMs, e.Lock, e.ContentHash, e.ReturnedReason, e.SuspendedCause, e.SuspendedBy = 0, 0, 0, 0, nil, nil, "", "", ""
	for _, it := range e.Items {
		it.State = 0
	}
}

// blanks collects the paths of what an object of our own form states as empty: its
// keys without a value.
func blanks(m protoreflect.Message, fields []sheet.Field, out []string) []string {
	for _, f := range fields {
		name := protoreflect.Name(f.Name)
		fd := m.Descriptor().Fields().ByName(name)
		switch {
		case fd == nil:
		case !m.Has(fd):
			out = append(out, f.Name)
		case fd.Name() == "items":
			for i, p := range f.Parts {
				if list := m.Get(fd).List(); i < list.Len() {
					out = blanksOf(list.Get(i).Message(), p.Parts, out, func(it protoreflect.Message) string {
						return "items." + it.Interface().(*cataloguev1.Item).GetCode() + "/"
					})
				}
			}
		case fd.Message() != nil && !fd.IsList():
			out = blanksOf(m.Get(fd).Message(), f.Parts, out, func(protoreflect.Message) string { return f.Name + "." })
		}
	}
	return out
}

func blanksOf(m protoreflect.Message, fields []sheet.Field, out []string, before func(protoreflect.Message) string) []string {
	for _, f := range fields {
		if fd := m.Descriptor().Fields().ByName(protoreflect.Name(f.Name)); fd != nil && !m.Has(fd) {
			out = append(out, before(m)+f.Name)
		}
	}
	return out
}

// fill sets the fields of m from an object, and returns the paths of what it cannot
// take.
func fill(m protoreflect.Message, fields []sheet.Field, path string) (wrong []string) {
	for _, f := range fields {
		at := path + f.Name
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(f.Name))
		if fd == nil {
			fd = m.Descriptor().Fields().ByJSONName(f.Name)
		}
		switch {
		case fd == nil || fd.IsMap():
			wrong = append(wrong, at)
		case fd.IsList():
			wrong = append(wrong, fillList(m, fd, f, at)...)
		case fd.Message() != nil:
			wrong = append(wrong, fill(m.Mutable(fd).Message(), f.Parts, at+".")...)
		default:
			v, ok := scalar(fd, f)
			if !ok {
				wrong = append(wrong, at)
				continue
			}
			m.Set(fd, v)
		}
	}
	return wrong
}

func fillList(m protoreflect.Message, fd protoreflect.FieldDescriptor, f sheet.Field, at string) (wrong []string) {
	list := m.Mutable(fd).List()
	for _, p := range f.Parts {
		switch {
		case list.Len() >= maxItems:
			return append(wrong, at)
		case fd.Message() != nil:
			v := list.NewElement()
			wrong = append(wrong, fill(v.Message(), p.Parts, at+".")...)
			list.Append(v)
		default:
			v, ok := scalar(fd, p)
			if !ok {
				wrong = append(wrong, at)
				continue
			}
			list.Append(v)
		}
	}
	return wrong
}

// scalar reads one value as protojson writes it.
func scalar(fd protoreflect.FieldDescriptor, f sheet.Field) (protoreflect.Value, bool) {
	if len(f.Parts) > 0 {
		return protoreflect.Value{}, false
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(f.Text), true
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.Text == "true"), f.Text == "true" || f.Text == "false"
	case protoreflect.Uint32Kind:
		n, err := strconv.ParseUint(f.Text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err == nil
	case protoreflect.Uint64Kind:
		n, err := strconv.ParseUint(f.Text, 10, 64)
		return protoreflect.ValueOfUint64(n), err == nil
	case protoreflect.Int64Kind:
		n, err := strconv.ParseInt(f.Text, 10, 64)
		return protoreflect.ValueOfInt64(n), err == nil
	case protoreflect.BytesKind:
		raw, err := base64.StdEncoding.DecodeString(f.Text)
		return protoreflect.ValueOfBytes(raw), err == nil
	case protoreflect.EnumKind:
		if v := fd.Enum().Values().ByName(protoreflect.Name(f.Text)); v != nil {
			return protoreflect.ValueOfEnum(v.Number()), true
		}
		n, err := strconv.ParseInt(f.Text, 10, 32)
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), err == nil && fd.Enum().Values().ByNumber(protoreflect.EnumNumber(n)) != nil
	}
	return protoreflect.Value{}, false
}
