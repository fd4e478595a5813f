package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// differences lists the fields in which two messages differ, as "name: before →
// after". Lists and messages are shown by their text.
func differences(before, after proto.Message) []string {
	var out []string
	b, n := before.ProtoReflect(), after.ProtoReflect()
	fields := n.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Number() >= 40 { // set by the ledger
			continue
		}
		was, is := b.Get(f), n.Get(f)
		if was.Equal(is) {
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s → %s", f.Name(), brief(f, was), brief(f, is)))
	}
	return out
}

func brief(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	text := strings.Join(strings.Fields(fmt.Sprint(v.Interface())), " ")
	if f.IsList() {
		text = fmt.Sprintf("[%d]", v.List().Len())
	}
	if r := []rune(text); len(r) > 80 {
		text = string(r[:80]) + "…"
	}
	return text
}
